/** Strings of bytes, as the interpreter and the programs pack and unpack them. */

/** Packs `s`: the value, cut or filled up with zeros. */
export function putBytes(to: Uint8Array, at: number, value: Uint8Array, count: number): void {
  const length = Math.min(value.length, count)
  if (length > 0) to.set(part(value, 0, length), at)
  if (length < count) to.fill(0, at + length, at + count)
}

/** Packs `p`: a byte that says how many follow, and zeros up to the end. */
export function putPascal(to: Uint8Array, at: number, value: Uint8Array, count: number): void {
  if (count === 0) return
  putBytes(to, at + 1, value, count - 1)
  to[at] = Math.min(value.length, count - 1, 255)
}

/** A copy: whoever keeps four bytes of a datagram must not keep the datagram. */
export function getBytes(from: Uint8Array, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  if (length > 0) bytes.set(part(from, at, length))
  return bytes
}

/** Unpacks `p`. */
export function getPascal(from: Uint8Array, at: number, count: number): Buffer {
  if (count === 0) return Buffer.alloc(0)
  return getBytes(from, at + 1, Math.min(from[at] ?? 0, count - 1))
}

/** Not by subarray(), which makes one of the same class, whatever its constructor takes. */
function part({ buffer, byteOffset }: Uint8Array, at: number, length: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset + at, length)
}
