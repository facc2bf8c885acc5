import { Buffer } from 'node:buffer'
import type { Hand, Octets } from './hand.js'

/** `!4s4s` */
// biome-ignore format: a row for each value is easier to read.
export const names: Hand = {
  pack: {
    index(a: Octets, b: Octets) {
      const o: Octets = Buffer.allocUnsafe(8)
      o[0] = a[0]; o[1] = a[1]; o[2] = a[2]; o[3] = a[3]
      o[4] = b[0]; o[5] = b[1]; o[6] = b[2]; o[7] = b[3]
      return o
    },
    loop(a: Octets, b: Octets) {
      const o: Octets = Buffer.allocUnsafe(8)
      for (let n = 0; n < 4; n += 1) o[n] = a[n]
      for (let n = 0; n < 4; n += 1) o[n + 4] = b[n]
      return o
    },
  },
  unpack: {
    index(d: Octets) {
      const a: Octets = Buffer.allocUnsafe(4)
      a[0] = d[0]; a[1] = d[1]; a[2] = d[2]; a[3] = d[3]
      const b: Octets = Buffer.allocUnsafe(4)
      b[0] = d[4]; b[1] = d[5]; b[2] = d[6]; b[3] = d[7]
      return [a, b]
    },
  },
  packInto: {
    index(o: Octets, at: number, a: Octets, b: Octets) {
      o[at] = a[0]; o[at + 1] = a[1]; o[at + 2] = a[2]; o[at + 3] = a[3]
      o[at + 4] = b[0]; o[at + 5] = b[1]; o[at + 6] = b[2]; o[at + 7] = b[3]
    },
  },
  unpackFrom: {
    index(d: Octets, at: number) {
      const a: Octets = Buffer.allocUnsafe(4)
      a[0] = d[at]; a[1] = d[at + 1]; a[2] = d[at + 2]; a[3] = d[at + 3]
      const b: Octets = Buffer.allocUnsafe(4)
      b[0] = d[at + 4]; b[1] = d[at + 5]; b[2] = d[at + 6]; b[3] = d[at + 7]
      return [a, b]
    },
  },
}
