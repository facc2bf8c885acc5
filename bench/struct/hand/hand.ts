/**
 * What hand-written code reads from and writes to. Without `any` each index would be
 * `number | undefined`, and a check would have to be written where the point is to have none.
 */
export interface Octets extends Buffer {
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  [index: number]: any
}

/** As `Octets`, for lists. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
export type Numbers = readonly any[]

/** One way to do it. Each is called from one place alone, so that the engine knows it by itself. */
export type Way = (...args: never[]) => unknown

/**
 * The ways to do an operation by hand, with the very same results: bytes are copied, not views, `Q`
 * is a bigint and `?` a boolean. No value and no length is checked. The fastest is the measure.
 */
export interface Hand {
  readonly pack: Readonly<Record<string, Way>>
  readonly unpack: Readonly<Record<string, Way>>
  readonly packInto: Readonly<Record<string, Way>>
  readonly unpackFrom: Readonly<Record<string, Way>>
  /** `pack` of a list instead of the values, which ours does not have: for information. */
  readonly packList?: Way
}

let lastBytes: Octets | undefined
let lastView: DataView = new DataView(new ArrayBuffer(0))

/** The view of the bytes that were used last: who packs into one buffer needs only one. */
export function cachedView(bytes: Octets): DataView {
  if (bytes !== lastBytes) {
    lastBytes = bytes
    lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  return lastView
}
