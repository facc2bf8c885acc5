import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Octets } from './hand.js'

const wide = new BigUint64Array(1)
const words = new Uint32Array(wide.buffer)

/** `<I16sQ?` */
// biome-ignore format: a row for each word is easier to read.
export const record: Hand = {
  pack: {
    words(a: number, s: Octets, q: bigint, f: boolean) {
      const o: Octets = Buffer.allocUnsafe(29)
      o[0] = a; o[1] = a >>> 8; o[2] = a >>> 16; o[3] = a >>> 24
      o[4] = s[0]; o[5] = s[1]; o[6] = s[2]; o[7] = s[3]
      o[8] = s[4]; o[9] = s[5]; o[10] = s[6]; o[11] = s[7]
      o[12] = s[8]; o[13] = s[9]; o[14] = s[10]; o[15] = s[11]
      o[16] = s[12]; o[17] = s[13]; o[18] = s[14]; o[19] = s[15]
      wide[0] = q
      const low = words[0] as number
      const high = words[1] as number
      o[20] = low; o[21] = low >>> 8; o[22] = low >>> 16; o[23] = low >>> 24
      o[24] = high; o[25] = high >>> 8; o[26] = high >>> 16; o[27] = high >>> 24
      o[28] = f ? 1 : 0
      return o
    },
  },
  unpack: {
    words(d: Octets) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[4]; s[1] = d[5]; s[2] = d[6]; s[3] = d[7]
      s[4] = d[8]; s[5] = d[9]; s[6] = d[10]; s[7] = d[11]
      s[8] = d[12]; s[9] = d[13]; s[10] = d[14]; s[11] = d[15]
      s[12] = d[16]; s[13] = d[17]; s[14] = d[18]; s[15] = d[19]
      words[0] = d[20] | (d[21] << 8) | (d[22] << 16) | (d[23] << 24)
      words[1] = d[24] | (d[25] << 8) | (d[26] << 16) | (d[27] << 24)
      return [(d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0, s, wide[0], d[28] !== 0]
    },
  },
  packInto: {
    words(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o[at] = a; o[at + 1] = a >>> 8; o[at + 2] = a >>> 16; o[at + 3] = a >>> 24
      o[at + 4] = s[0]; o[at + 5] = s[1]; o[at + 6] = s[2]; o[at + 7] = s[3]
      o[at + 8] = s[4]; o[at + 9] = s[5]; o[at + 10] = s[6]; o[at + 11] = s[7]
      o[at + 12] = s[8]; o[at + 13] = s[9]; o[at + 14] = s[10]; o[at + 15] = s[11]
      o[at + 16] = s[12]; o[at + 17] = s[13]; o[at + 18] = s[14]; o[at + 19] = s[15]
      wide[0] = q
      const low = words[0] as number
      const high = words[1] as number
      o[at + 20] = low; o[at + 21] = low >>> 8; o[at + 22] = low >>> 16; o[at + 23] = low >>> 24
      o[at + 24] = high; o[at + 25] = high >>> 8; o[at + 26] = high >>> 16; o[at + 27] = high >>> 24
      o[at + 28] = f ? 1 : 0
    },
    view(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      const view = cachedView(o)
      view.setUint32(at, a, true)
      o[at + 4] = s[0]; o[at + 5] = s[1]; o[at + 6] = s[2]; o[at + 7] = s[3]
      o[at + 8] = s[4]; o[at + 9] = s[5]; o[at + 10] = s[6]; o[at + 11] = s[7]
      o[at + 12] = s[8]; o[at + 13] = s[9]; o[at + 14] = s[10]; o[at + 15] = s[11]
      o[at + 16] = s[12]; o[at + 17] = s[13]; o[at + 18] = s[14]; o[at + 19] = s[15]
      view.setBigUint64(at + 20, q, true)
      view.setUint8(at + 28, f ? 1 : 0)
    },
  },
  unpackFrom: {
    words(d: Octets, at: number) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[at + 4]; s[1] = d[at + 5]; s[2] = d[at + 6]; s[3] = d[at + 7]
      s[4] = d[at + 8]; s[5] = d[at + 9]; s[6] = d[at + 10]; s[7] = d[at + 11]
      s[8] = d[at + 12]; s[9] = d[at + 13]; s[10] = d[at + 14]; s[11] = d[at + 15]
      s[12] = d[at + 16]; s[13] = d[at + 17]; s[14] = d[at + 18]; s[15] = d[at + 19]
      words[0] = d[at + 20] | (d[at + 21] << 8) | (d[at + 22] << 16) | (d[at + 23] << 24)
      words[1] = d[at + 24] | (d[at + 25] << 8) | (d[at + 26] << 16) | (d[at + 27] << 24)
      const first = d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)
      return [first >>> 0, s, wide[0], d[at + 28] !== 0]
    },
    view(d: Octets, at: number) {
      const view = cachedView(d)
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[at + 4]; s[1] = d[at + 5]; s[2] = d[at + 6]; s[3] = d[at + 7]
      s[4] = d[at + 8]; s[5] = d[at + 9]; s[6] = d[at + 10]; s[7] = d[at + 11]
      s[8] = d[at + 12]; s[9] = d[at + 13]; s[10] = d[at + 14]; s[11] = d[at + 15]
      s[12] = d[at + 16]; s[13] = d[at + 17]; s[14] = d[at + 18]; s[15] = d[at + 19]
      return [view.getUint32(at, true), s, view.getBigUint64(at + 20, true), d[at + 28] !== 0]
    },
  },
}
