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
  // The type is checked first: comparing an object would run its code.
  if (typeof value !== 'bigint') return setNumber(slot, value) && (value as number) >= 0
  u64[slot] = value
  return BigInt.asUintN(64, value) === value
}

function setNumber(slot: number, value: unknown): boolean {
  if (!Number.isSafeInteger(value)) return false
  u32[slot * 2 + low] = value as number
  u32[slot * 2 + 1 - low] = Math.floor((value as number) / 2 ** 32)
  return true
}

/** How large the image of a struct may be. */
export const imageSize = 512

const image = new ArrayBuffer(imageSize)

/** A view of the image: where there are many wide values, a struct is written or read in it as a whole. */
export const imageView: DataView = new DataView(image)

/** The image of a struct of that size. */
export const imageOf = (size: number) => new Uint8Array(image, 0, Math.min(size, imageSize))

let viewed: Uint8Array | undefined
let view: DataView = imageView

/**
 * A view that begins with `bytes`. It is kept for the next call, which often packs into the same
 * buffer, so the last of them is not freed before there is another.
 */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    view = new DataView(bytes.buffer, bytes.byteOffset)
    viewed = bytes
  }
  return view
}
