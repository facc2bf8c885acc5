import { Buffer } from 'node:buffer'
import type { Hand, Octets } from './hand.js'

/** `B` */
export const byte: Hand = {
  pack: {
    index(a: number) {
      const o: Octets = Buffer.allocUnsafe(1)
      o[0] = a
      return o
    },
  },
  unpack: {
    index: (d: Octets) => [d[0]],
    method: (d: Octets) => [d.readUInt8(0)],
  },
  packInto: {
    index(o: Octets, at: number, a: number) {
      o[at] = a
    },
  },
  unpackFrom: {
    index: (d: Octets, at: number) => [d[at]],
    method: (d: Octets, at: number) => [d.readUInt8(at)],
  },
}
