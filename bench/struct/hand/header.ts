import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Octets } from './hand.js'

const scratch: Octets = Buffer.alloc(8)
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, 8)

/** `>IHBB` */
// biome-ignore format: a row for each value is easier to read.
export const header: Hand = {
  pack: {
    shifts(a: number, b: number, c: number, d: number) {
      const o: Octets = Buffer.allocUnsafe(8)
      o[0] = a >>> 24; o[1] = a >>> 16; o[2] = a >>> 8; o[3] = a
      o[4] = b >>> 8; o[5] = b
      o[6] = c; o[7] = d
      return o
    },
    scratch(a: number, b: number, c: number, d: number) {
      scratchView.setUint32(0, a)
      scratchView.setUint16(4, b)
      scratchView.setUint8(6, c); scratchView.setUint8(7, d)
      const o = Buffer.allocUnsafe(8)
      o.set(scratch)
      return o
    },
  },
  unpack: {
    shifts: (d: Octets) => [
      ((d[0] << 24) | (d[1] << 16) | (d[2] << 8) | d[3]) >>> 0,
      (d[4] << 8) | d[5],
      d[6], d[7],
    ],
  },
  packInto: {
    shifts(o: Octets, at: number, a: number, b: number, c: number, d: number) {
      o[at] = a >>> 24; o[at + 1] = a >>> 16; o[at + 2] = a >>> 8; o[at + 3] = a
      o[at + 4] = b >>> 8; o[at + 5] = b
      o[at + 6] = c; o[at + 7] = d
    },
    view(o: Octets, at: number, a: number, b: number, c: number, d: number) {
      const view = cachedView(o)
      view.setUint32(at, a)
      view.setUint16(at + 4, b)
      view.setUint8(at + 6, c); view.setUint8(at + 7, d)
    },
  },
  unpackFrom: {
    shifts: (d: Octets, at: number) => [
      ((d[at] << 24) | (d[at + 1] << 16) | (d[at + 2] << 8) | d[at + 3]) >>> 0,
      (d[at + 4] << 8) | d[at + 5],
      d[at + 6], d[at + 7],
    ],
    view(d: Octets, at: number) {
      const view = cachedView(d)
      return [view.getUint32(at), view.getUint16(at + 4), d[at + 6], d[at + 7]]
    },
  },
}
