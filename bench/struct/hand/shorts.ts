import { Buffer } from 'node:buffer'
import type { Hand, Numbers, Octets } from './hand.js'

const scratch = new Uint16Array(255)
const scratchBytes: Octets = Buffer.from(scratch.buffer)

/** `>255H` */
export const shorts: Hand = {
  pack: {
    scratch(...values: Numbers) {
      for (let n = 0; n < 255; n += 1) scratch[n] = (values[n] << 8) | (values[n] >>> 8)
      const o = Buffer.allocUnsafe(510)
      o.set(scratchBytes)
      return o
    },
  },
  unpack: {
    scratch(d: Octets) {
      scratchBytes.set(d)
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) {
        const value = scratch[n] ?? 0
        values[n] = ((value & 255) << 8) | (value >>> 8)
      }
      return values
    },
  },
  packInto: {
    scratch(o: Octets, at: number, ...values: Numbers) {
      for (let n = 0; n < 255; n += 1) scratch[n] = (values[n] << 8) | (values[n] >>> 8)
      o.set(scratchBytes, at)
    },
  },
  unpackFrom: {
    scratch(d: Octets, at: number) {
      scratchBytes.set(d.subarray(at, at + 510))
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) {
        const value = scratch[n] ?? 0
        values[n] = ((value & 255) << 8) | (value >>> 8)
      }
      return values
    },
    shifts(d: Octets, at: number) {
      const values = new Array(255)
      for (let n = 0, p = at; n < 255; n += 1, p += 2) values[n] = (d[p] << 8) | d[p + 1]
      return values
    },
  },
}
