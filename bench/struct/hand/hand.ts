import type { Operation } from '../cases.js'

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

/**
 * The ways to do each operation by hand that are fastest on some Node or come near to it, with the
 * very same results as ours: bytes are copied, not views, `Q` is a bigint and `?` a boolean. No
 * value and no length is checked. Scratch memory is right on little-endian machines alone.
 */
export type Hand = Readonly<
  Record<Operation, Readonly<Record<string, (...args: never[]) => unknown>>>
>

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
