import { lists, mostArguments, Struct } from './struct.js'
import type { Checked, Packable, Unpacked } from './types.js'

/** How many formats each of the two generations keeps. */
const capacity = 128

/** A longer format is not worth its memory. */
const longest = 256

/**
 * The formats used of late, and those used before: what is used while a generation fills up stays,
 * whatever number of others come and go. Least-recently-used order would cost two changes a call.
 */
let young = new Map<string, Struct>()
let old = new Map<string, Struct>()

let last: Struct = new Struct('')
let lastFormat = last.format

function structOf(format: string): Struct {
  // The same one again needs no look into the maps.
  if (format === lastFormat) return last
  let struct = young.get(format)
  if (struct === undefined) {
    struct = old.get(format) ?? new Struct(copied(format))
    if (format.length > longest) return struct
    if (young.size === capacity) {
      old = young
      young = new Map()
    }
    young.set(struct.format, struct)
  }
  lastFormat = struct.format
  last = struct
  return struct
}

/** A text cut out of a longer one holds the whole of it in memory. */
function copied(format: string): string {
  // What is no text, or not ASCII, is refused as it is.
  const isAscii = typeof format === 'string' && !/[\u0080-\uffff]/.test(format)
  return isAscii ? Buffer.from(format).toString('latin1') : format
}

/**
 * The values as bytes, by the format: Python's `struct.pack`. {@link Struct.pack} says what it throws.
 *
 * The formats used of late are kept parsed, so a program may call it with the same few again and
 * again. With a format that is long, or one of hundreds, make a {@link Struct}.
 */
export function pack<const Format extends string>(
  format: Checked<Format>,
  ...values: Packable<Format>
): ReturnType<typeof Buffer.alloc> {
  const struct = structOf(format)
  // Not values.length: as long as nothing else looks at the list, none is made.
  // biome-ignore lint/complexity/noArguments: see above
  return arguments.length > mostArguments ? lists.pack(struct, values) : struct.pack(...values)
}

/**
 * Packs the values into `buffer` from `offset` on, where it may count from the end: Python's
 * `struct.pack_into`. {@link Struct.packInto} says what it throws.
 */
export function packInto<const Format extends string>(
  format: Checked<Format>,
  buffer: Uint8Array,
  offset: number,
  ...values: Packable<Format>
): void
export function packInto(format: string, ...given: [Uint8Array, number, ...unknown[]]): void {
  const struct = structOf(format)
  // biome-ignore lint/complexity/noArguments: as in pack
  if (arguments.length > mostArguments) lists.packInto(struct, given)
  else struct.packInto(...given)
}

/**
 * The values in `data`, which must be exactly as long as the format says: Python's `struct.unpack`.
 * {@link Struct.unpack} says what it throws.
 */
export function unpack<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
): Unpacked<Format> {
  return structOf(format).unpack(data) as Unpacked<Format>
}

/**
 * The values in `data` from `offset` on, by default from its beginning: Python's `struct.unpack_from`.
 * {@link Struct.unpackFrom} says what it throws.
 */
export function unpackFrom<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
  offset?: number,
): Unpacked<Format> {
  return structOf(format).unpackFrom(data, offset) as Unpacked<Format>
}

/**
 * The values of one struct after the other: Python's `struct.iter_unpack`. {@link Struct.iterUnpack}
 * says what it throws.
 */
export function iterUnpack<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
): IterableIterator<Unpacked<Format>> {
  return structOf(format).iterUnpack(data) as IterableIterator<Unpacked<Format>>
}

/**
 * How many bytes the format's values have when packed: Python's `struct.calcsize`.
 *
 * @throws StructError `ERR_STRUCT_FORMAT`.
 */
export function calcsize<const Format extends string>(format: Checked<Format>): number {
  return structOf(format).size
}
