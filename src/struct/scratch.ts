import { littleHost } from './codes.js'

/**
 * What generated programs use. Floats and 64-bit integers go through a memory whose views are made
 * once: making a DataView costs more than packing a small struct.
 */

/** How many numbers of eight bytes the memory holds. */
export const slots = 64

const memory = new ArrayBuffer(slots * 8)
export const u8 = new Uint8Array(memory)
export const f32 = new Float32Array(memory)
export const f64 = new Float64Array(memory)
export const i64 = new BigInt64Array(memory)
export const u64 = new BigUint64Array(memory)

const u32 = new Uint32Array(memory)
const low = littleHost ? 0 : 1

/** Puts a signed 64-bit integer into a slot; whether it is one. */
export function setInt64(slot: number, value: unknown): boolean {
  if (typeof value !== 'bigint') return setNumber(slot, value)
  i64[slot] = value
  return BigInt.asIntN(64, value) === value
}

/** Puts an unsigned 64-bit integer into a slot; whether it is one. */
export function setUint64(slot: number, value: unknown): boolean {
  if (typeof value !== 'bigint') return (value as number) >= 0 && setNumber(slot, value)
  u64[slot] = value
  return BigInt.asUintN(64, value) === value
}

function setNumber(slot: number, value: unknown): boolean {
  if (!Number.isSafeInteger(value)) return false
  u32[slot * 2 + low] = value as number
  u32[slot * 2 + 1 - low] = Math.floor((value as number) / 2 ** 32)
  return true
}

/** Packs `s`: the value, cut or filled up with zeros. */
export function putBytes(to: Uint8Array, at: number, value: Uint8Array, count: number): void {
  const length = Math.min(value.length, count)
  to.set(length < value.length ? value.subarray(0, length) : value, at)
  to.fill(0, at + length, at + count)
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
  bytes.set(from.subarray(at, at + length))
  return bytes
}

/** Unpacks `p`. */
export function getPascal(from: Uint8Array, at: number, count: number): Buffer {
  if (count === 0) return Buffer.alloc(0)
  return getBytes(from, at + 1, Math.min(from[at] ?? 0, count - 1))
}
