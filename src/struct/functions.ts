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
 * Packs the values into bytes, by the format: Python's `struct.pack`. {@link Struct.pack} says what it throws.
 *
 * Recently used formats stay parsed, so a program may call it again and again with the same few. For a long
 * format, or hundreds of them, make a {@link Struct}.
 *
 * @example
 * ```ts
 * import { pack } from 'typed-multicast/struct'
 *
 * console.log(pack('>HB', 1, 2)) // <Buffer 00 01 02>
 * ```
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
 * Packs the values into `buffer` from `offset` on: Python's `struct.pack_into`. A negative offset counts from the
 * end. {@link Struct.packInto} says what it throws.
 *
 * @example
 * ```ts
 * import { packInto } from 'typed-multicast/struct'
 *
 * const buffer = Buffer.alloc(4)
 * packInto('>H', buffer, 1, 258)
 * console.log(buffer) // <Buffer 00 01 02 00>
 * ```
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
 * Unpacks the values in `data`, which must be exactly as long as the format says: Python's `struct.unpack`.
 * {@link Struct.unpack} says what it throws.
 *
 * @example
 * ```ts
 * import { unpack } from 'typed-multicast/struct'
 *
 * const [id, size] = unpack('>HB', Buffer.of(0, 1, 2))
 * console.log(id, size) // 1 2
 * ```
 */
export function unpack<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
): Unpacked<Format> {
  return structOf(format).unpack(data) as Unpacked<Format>
}

/**
 * Unpacks the values in `data` from `offset` on, by default from its beginning: Python's `struct.unpack_from`.
 * {@link Struct.unpackFrom} says what it throws.
 *
 * @example
 * ```ts
 * import { unpackFrom } from 'typed-multicast/struct'
 *
 * console.log(unpackFrom('>H', Buffer.of(9, 1, 2, 9), 1)) // [ 258 ]
 * ```
 */
export function unpackFrom<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
  offset?: number,
): Unpacked<Format> {
  return structOf(format).unpackFrom(data, offset) as Unpacked<Format>
}

/**
 * Unpacks one struct after the other: Python's `struct.iter_unpack`. {@link Struct.iterUnpack} says what it throws.
 *
 * @example
 * ```ts
 * import { iterUnpack } from 'typed-multicast/struct'
 *
 * console.log([...iterUnpack('<H', Buffer.of(1, 0, 2, 0))]) // [ [ 1 ], [ 2 ] ]
 * ```
 */
export function iterUnpack<const Format extends string>(
  format: Checked<Format>,
  data: Uint8Array,
): IterableIterator<Unpacked<Format>> {
  return structOf(format).iterUnpack(data) as IterableIterator<Unpacked<Format>>
}

/**
 * The number of bytes that the format's values take when packed: Python's `struct.calcsize`.
 *
 * @example
 * ```ts
 * import { calcsize } from 'typed-multicast/struct'
 *
 * console.log(calcsize('<IHf')) // 10
 * ```
 * @throws StructError `ERR_STRUCT_FORMAT`.
 */
export function calcsize<const Format extends string>(format: Checked<Format>): number {
  return structOf(format).size
}
