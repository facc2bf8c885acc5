import { littleHost } from './codes.js'

/**
 * IEEE 754 binary16, the code `e`. DataView has it only from Node 24 on.
 */

const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)
/** Which of the two words has the sign and the exponent. */
const high = littleHost ? 1 : 0

/** Adding and taking away 2 ** 52 leaves an integer, rounded half to even by the adder itself. */
const shifter = 2 ** 52

/**
 * The 16 bits of the half float that is nearest to `value`, or -1 if it is finite and too large.
 * Rounds once, from the double.
 */
export function toHalf(value: number): number {
  double[0] = value
  const word = words[high] ?? 0
  const sign = (word >>> 16) & 0x8000
  const magnitude = Math.abs(value)
  // Half of the last step away from the greatest, 65504; the tie goes up, to an even infinity.
  if (magnitude >= 65520) return magnitude === Number.POSITIVE_INFINITY ? sign | 0x7c00 : -1
  if (Number.isNaN(value)) return sign | 0x7e00
  // Where the mantissa is rounded up to its end, the sums below carry into the exponent, as they must.
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24 + shifter - shifter)
  const exponent = ((word >>> 20) & 0x7ff) - 1023
  const mantissa = magnitude * 2 ** (10 - exponent) + shifter - shifter
  return sign | ((exponent + 14) * 1024 + mantissa)
}

/** The number that the 16 bits are. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (mantissa + 1024) * 2 ** (exponent - 25)
}
