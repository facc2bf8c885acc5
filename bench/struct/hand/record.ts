import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Octets } from './hand.js'

const scratch: Octets = Buffer.alloc(29)
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, 29)

const wide = new BigUint64Array(1)
const wideBytes: Octets = Buffer.from(wide.buffer)
const words = new Uint32Array(wide.buffer)

/** `<I16sQ?`. The ways with scratch memory are right on little-endian machines alone. */
export const record: Hand = {
  pack: {
    shifts(a: number, s: Octets, q: bigint, f: boolean) {
      const o: Octets = Buffer.allocUnsafe(29)
      o[0] = a
      o[1] = a >>> 8
      o[2] = a >>> 16
      o[3] = a >>> 24
      o.set(s, 4)
      const low = Number(q & 0xffffffffn)
      const high = Number(q >> 32n)
      o[20] = low
      o[21] = low >>> 8
      o[22] = low >>> 16
      o[23] = low >>> 24
      o[24] = high
      o[25] = high >>> 8
      o[26] = high >>> 16
      o[27] = high >>> 24
      o[28] = f ? 1 : 0
      return o
    },
    'scratch bytes'(a: number, s: Octets, q: bigint, f: boolean) {
      const o: Octets = Buffer.allocUnsafe(29)
      o[0] = a
      o[1] = a >>> 8
      o[2] = a >>> 16
      o[3] = a >>> 24
      o.set(s, 4)
      wide[0] = q
      o[20] = wideBytes[0]
      o[21] = wideBytes[1]
      o[22] = wideBytes[2]
      o[23] = wideBytes[3]
      o[24] = wideBytes[4]
      o[25] = wideBytes[5]
      o[26] = wideBytes[6]
      o[27] = wideBytes[7]
      o[28] = f ? 1 : 0
      return o
    },
    'all by bytes'(a: number, s: Octets, q: bigint, f: boolean) {
      const o: Octets = Buffer.allocUnsafe(29)
      o[0] = a
      o[1] = a >>> 8
      o[2] = a >>> 16
      o[3] = a >>> 24
      o[4] = s[0]
      o[5] = s[1]
      o[6] = s[2]
      o[7] = s[3]
      o[8] = s[4]
      o[9] = s[5]
      o[10] = s[6]
      o[11] = s[7]
      o[12] = s[8]
      o[13] = s[9]
      o[14] = s[10]
      o[15] = s[11]
      o[16] = s[12]
      o[17] = s[13]
      o[18] = s[14]
      o[19] = s[15]
      wide[0] = q
      o[20] = wideBytes[0]
      o[21] = wideBytes[1]
      o[22] = wideBytes[2]
      o[23] = wideBytes[3]
      o[24] = wideBytes[4]
      o[25] = wideBytes[5]
      o[26] = wideBytes[6]
      o[27] = wideBytes[7]
      o[28] = f ? 1 : 0
      return o
    },
    'all by words'(a: number, s: Octets, q: bigint, f: boolean) {
      const o: Octets = Buffer.allocUnsafe(29)
      o[0] = a
      o[1] = a >>> 8
      o[2] = a >>> 16
      o[3] = a >>> 24
      o[4] = s[0]
      o[5] = s[1]
      o[6] = s[2]
      o[7] = s[3]
      o[8] = s[4]
      o[9] = s[5]
      o[10] = s[6]
      o[11] = s[7]
      o[12] = s[8]
      o[13] = s[9]
      o[14] = s[10]
      o[15] = s[11]
      o[16] = s[12]
      o[17] = s[13]
      o[18] = s[14]
      o[19] = s[15]
      wide[0] = q
      const low = words[0] as number
      const high = words[1] as number
      o[20] = low
      o[21] = low >>> 8
      o[22] = low >>> 16
      o[23] = low >>> 24
      o[24] = high
      o[25] = high >>> 8
      o[26] = high >>> 16
      o[27] = high >>> 24
      o[28] = f ? 1 : 0
      return o
    },
    view(a: number, s: Octets, q: bigint, f: boolean) {
      const o = Buffer.allocUnsafe(29)
      const view = new DataView(o.buffer, o.byteOffset, 29)
      view.setUint32(0, a, true)
      o.set(s, 4)
      view.setBigUint64(20, q, true)
      view.setUint8(28, f ? 1 : 0)
      return o
    },
    scratch(a: number, s: Octets, q: bigint, f: boolean) {
      scratchView.setUint32(0, a, true)
      scratch.set(s, 4)
      scratchView.setBigUint64(20, q, true)
      scratchView.setUint8(28, f ? 1 : 0)
      return Buffer.from(scratch)
    },
    methods(a: number, s: Octets, q: bigint, f: boolean) {
      const o = Buffer.allocUnsafe(29)
      o.writeUInt32LE(a, 0)
      s.copy(o, 4)
      o.writeBigUInt64LE(q, 20)
      o.writeUInt8(f ? 1 : 0, 28)
      return o
    },
  },
  unpack: {
    shifts(d: Octets) {
      const low = (d[20] | (d[21] << 8) | (d[22] << 16) | (d[23] << 24)) >>> 0
      const high = (d[24] | (d[25] << 8) | (d[26] << 16) | (d[27] << 24)) >>> 0
      return [
        (d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0,
        Buffer.from(d.subarray(4, 20)),
        (BigInt(high) << 32n) | BigInt(low),
        d[28] !== 0,
      ]
    },
    'set and scratch bytes'(d: Octets) {
      const s = Buffer.allocUnsafe(16)
      s.set(d.subarray(4, 20))
      wideBytes[0] = d[20]
      wideBytes[1] = d[21]
      wideBytes[2] = d[22]
      wideBytes[3] = d[23]
      wideBytes[4] = d[24]
      wideBytes[5] = d[25]
      wideBytes[6] = d[26]
      wideBytes[7] = d[27]
      return [(d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0, s, wide[0], d[28] !== 0]
    },
    'loop and scratch bytes'(d: Octets) {
      const s: Octets = Buffer.allocUnsafe(16)
      for (let n = 0; n < 16; n += 1) s[n] = d[n + 4]
      wideBytes[0] = d[20]
      wideBytes[1] = d[21]
      wideBytes[2] = d[22]
      wideBytes[3] = d[23]
      wideBytes[4] = d[24]
      wideBytes[5] = d[25]
      wideBytes[6] = d[26]
      wideBytes[7] = d[27]
      return [(d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0, s, wide[0], d[28] !== 0]
    },
    'index and scratch bytes'(d: Octets) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[4]
      s[1] = d[5]
      s[2] = d[6]
      s[3] = d[7]
      s[4] = d[8]
      s[5] = d[9]
      s[6] = d[10]
      s[7] = d[11]
      s[8] = d[12]
      s[9] = d[13]
      s[10] = d[14]
      s[11] = d[15]
      s[12] = d[16]
      s[13] = d[17]
      s[14] = d[18]
      s[15] = d[19]
      wideBytes[0] = d[20]
      wideBytes[1] = d[21]
      wideBytes[2] = d[22]
      wideBytes[3] = d[23]
      wideBytes[4] = d[24]
      wideBytes[5] = d[25]
      wideBytes[6] = d[26]
      wideBytes[7] = d[27]
      return [(d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0, s, wide[0], d[28] !== 0]
    },
    'index and scratch words'(d: Octets) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[4]
      s[1] = d[5]
      s[2] = d[6]
      s[3] = d[7]
      s[4] = d[8]
      s[5] = d[9]
      s[6] = d[10]
      s[7] = d[11]
      s[8] = d[12]
      s[9] = d[13]
      s[10] = d[14]
      s[11] = d[15]
      s[12] = d[16]
      s[13] = d[17]
      s[14] = d[18]
      s[15] = d[19]
      words[0] = d[20] | (d[21] << 8) | (d[22] << 16) | (d[23] << 24)
      words[1] = d[24] | (d[25] << 8) | (d[26] << 16) | (d[27] << 24)
      return [(d[0] | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0, s, wide[0], d[28] !== 0]
    },
    view(d: Octets) {
      const view = new DataView(d.buffer, d.byteOffset, 29)
      return [
        view.getUint32(0, true),
        Buffer.from(d.subarray(4, 20)),
        view.getBigUint64(20, true),
        d[28] !== 0,
      ]
    },
    methods(d: Octets) {
      const s = Buffer.allocUnsafe(16)
      d.copy(s, 0, 4, 20)
      return [d.readUInt32LE(0), s, d.readBigUInt64LE(20), d[28] !== 0]
    },
  },
  packInto: {
    shifts(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o[at] = a
      o[at + 1] = a >>> 8
      o[at + 2] = a >>> 16
      o[at + 3] = a >>> 24
      o.set(s, at + 4)
      const low = Number(q & 0xffffffffn)
      const high = Number(q >> 32n)
      o[at + 20] = low
      o[at + 21] = low >>> 8
      o[at + 22] = low >>> 16
      o[at + 23] = low >>> 24
      o[at + 24] = high
      o[at + 25] = high >>> 8
      o[at + 26] = high >>> 16
      o[at + 27] = high >>> 24
      o[at + 28] = f ? 1 : 0
    },
    'scratch bytes'(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o[at] = a
      o[at + 1] = a >>> 8
      o[at + 2] = a >>> 16
      o[at + 3] = a >>> 24
      o.set(s, at + 4)
      wide[0] = q
      o[at + 20] = wideBytes[0]
      o[at + 21] = wideBytes[1]
      o[at + 22] = wideBytes[2]
      o[at + 23] = wideBytes[3]
      o[at + 24] = wideBytes[4]
      o[at + 25] = wideBytes[5]
      o[at + 26] = wideBytes[6]
      o[at + 27] = wideBytes[7]
      o[at + 28] = f ? 1 : 0
    },
    'all by bytes'(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o[at] = a
      o[at + 1] = a >>> 8
      o[at + 2] = a >>> 16
      o[at + 3] = a >>> 24
      o[at + 4] = s[0]
      o[at + 5] = s[1]
      o[at + 6] = s[2]
      o[at + 7] = s[3]
      o[at + 8] = s[4]
      o[at + 9] = s[5]
      o[at + 10] = s[6]
      o[at + 11] = s[7]
      o[at + 12] = s[8]
      o[at + 13] = s[9]
      o[at + 14] = s[10]
      o[at + 15] = s[11]
      o[at + 16] = s[12]
      o[at + 17] = s[13]
      o[at + 18] = s[14]
      o[at + 19] = s[15]
      wide[0] = q
      o[at + 20] = wideBytes[0]
      o[at + 21] = wideBytes[1]
      o[at + 22] = wideBytes[2]
      o[at + 23] = wideBytes[3]
      o[at + 24] = wideBytes[4]
      o[at + 25] = wideBytes[5]
      o[at + 26] = wideBytes[6]
      o[at + 27] = wideBytes[7]
      o[at + 28] = f ? 1 : 0
    },
    'all by words'(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o[at] = a
      o[at + 1] = a >>> 8
      o[at + 2] = a >>> 16
      o[at + 3] = a >>> 24
      o[at + 4] = s[0]
      o[at + 5] = s[1]
      o[at + 6] = s[2]
      o[at + 7] = s[3]
      o[at + 8] = s[4]
      o[at + 9] = s[5]
      o[at + 10] = s[6]
      o[at + 11] = s[7]
      o[at + 12] = s[8]
      o[at + 13] = s[9]
      o[at + 14] = s[10]
      o[at + 15] = s[11]
      o[at + 16] = s[12]
      o[at + 17] = s[13]
      o[at + 18] = s[14]
      o[at + 19] = s[15]
      wide[0] = q
      const low = words[0] as number
      const high = words[1] as number
      o[at + 20] = low
      o[at + 21] = low >>> 8
      o[at + 22] = low >>> 16
      o[at + 23] = low >>> 24
      o[at + 24] = high
      o[at + 25] = high >>> 8
      o[at + 26] = high >>> 16
      o[at + 27] = high >>> 24
      o[at + 28] = f ? 1 : 0
    },
    view(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      const view = new DataView(o.buffer, o.byteOffset + at, 29)
      view.setUint32(0, a, true)
      o.set(s, at + 4)
      view.setBigUint64(20, q, true)
      view.setUint8(28, f ? 1 : 0)
    },
    'cached view'(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      const view = cachedView(o)
      view.setUint32(at, a, true)
      o.set(s, at + 4)
      view.setBigUint64(at + 20, q, true)
      view.setUint8(at + 28, f ? 1 : 0)
    },
    'cached view, bytes'(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      const view = cachedView(o)
      view.setUint32(at, a, true)
      o[at + 4] = s[0]
      o[at + 5] = s[1]
      o[at + 6] = s[2]
      o[at + 7] = s[3]
      o[at + 8] = s[4]
      o[at + 9] = s[5]
      o[at + 10] = s[6]
      o[at + 11] = s[7]
      o[at + 12] = s[8]
      o[at + 13] = s[9]
      o[at + 14] = s[10]
      o[at + 15] = s[11]
      o[at + 16] = s[12]
      o[at + 17] = s[13]
      o[at + 18] = s[14]
      o[at + 19] = s[15]
      view.setBigUint64(at + 20, q, true)
      view.setUint8(at + 28, f ? 1 : 0)
    },
    methods(o: Octets, at: number, a: number, s: Octets, q: bigint, f: boolean) {
      o.writeUInt32LE(a, at)
      s.copy(o, at + 4)
      o.writeBigUInt64LE(q, at + 20)
      o.writeUInt8(f ? 1 : 0, at + 28)
    },
  },
  unpackFrom: {
    shifts(d: Octets, at: number) {
      const low = (d[at + 20] | (d[at + 21] << 8) | (d[at + 22] << 16) | (d[at + 23] << 24)) >>> 0
      const high = (d[at + 24] | (d[at + 25] << 8) | (d[at + 26] << 16) | (d[at + 27] << 24)) >>> 0
      return [
        (d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)) >>> 0,
        Buffer.from(d.subarray(at + 4, at + 20)),
        (BigInt(high) << 32n) | BigInt(low),
        d[at + 28] !== 0,
      ]
    },
    'set and scratch bytes'(d: Octets, at: number) {
      const s = Buffer.allocUnsafe(16)
      s.set(d.subarray(at + 4, at + 20))
      wideBytes[0] = d[at + 20]
      wideBytes[1] = d[at + 21]
      wideBytes[2] = d[at + 22]
      wideBytes[3] = d[at + 23]
      wideBytes[4] = d[at + 24]
      wideBytes[5] = d[at + 25]
      wideBytes[6] = d[at + 26]
      wideBytes[7] = d[at + 27]
      return [
        (d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)) >>> 0,
        s,
        wide[0],
        d[at + 28] !== 0,
      ]
    },
    'loop and scratch bytes'(d: Octets, at: number) {
      const s: Octets = Buffer.allocUnsafe(16)
      for (let n = 0; n < 16; n += 1) s[n] = d[at + n + 4]
      wideBytes[0] = d[at + 20]
      wideBytes[1] = d[at + 21]
      wideBytes[2] = d[at + 22]
      wideBytes[3] = d[at + 23]
      wideBytes[4] = d[at + 24]
      wideBytes[5] = d[at + 25]
      wideBytes[6] = d[at + 26]
      wideBytes[7] = d[at + 27]
      return [
        (d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)) >>> 0,
        s,
        wide[0],
        d[at + 28] !== 0,
      ]
    },
    'index and scratch bytes'(d: Octets, at: number) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[at + 4]
      s[1] = d[at + 5]
      s[2] = d[at + 6]
      s[3] = d[at + 7]
      s[4] = d[at + 8]
      s[5] = d[at + 9]
      s[6] = d[at + 10]
      s[7] = d[at + 11]
      s[8] = d[at + 12]
      s[9] = d[at + 13]
      s[10] = d[at + 14]
      s[11] = d[at + 15]
      s[12] = d[at + 16]
      s[13] = d[at + 17]
      s[14] = d[at + 18]
      s[15] = d[at + 19]
      wideBytes[0] = d[at + 20]
      wideBytes[1] = d[at + 21]
      wideBytes[2] = d[at + 22]
      wideBytes[3] = d[at + 23]
      wideBytes[4] = d[at + 24]
      wideBytes[5] = d[at + 25]
      wideBytes[6] = d[at + 26]
      wideBytes[7] = d[at + 27]
      return [
        (d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)) >>> 0,
        s,
        wide[0],
        d[at + 28] !== 0,
      ]
    },
    'index and scratch words'(d: Octets, at: number) {
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[at + 4]
      s[1] = d[at + 5]
      s[2] = d[at + 6]
      s[3] = d[at + 7]
      s[4] = d[at + 8]
      s[5] = d[at + 9]
      s[6] = d[at + 10]
      s[7] = d[at + 11]
      s[8] = d[at + 12]
      s[9] = d[at + 13]
      s[10] = d[at + 14]
      s[11] = d[at + 15]
      s[12] = d[at + 16]
      s[13] = d[at + 17]
      s[14] = d[at + 18]
      s[15] = d[at + 19]
      words[0] = d[at + 20] | (d[at + 21] << 8) | (d[at + 22] << 16) | (d[at + 23] << 24)
      words[1] = d[at + 24] | (d[at + 25] << 8) | (d[at + 26] << 16) | (d[at + 27] << 24)
      return [
        (d[at] | (d[at + 1] << 8) | (d[at + 2] << 16) | (d[at + 3] << 24)) >>> 0,
        s,
        wide[0],
        d[at + 28] !== 0,
      ]
    },
    view(d: Octets, at: number) {
      const view = new DataView(d.buffer, d.byteOffset + at, 29)
      return [
        view.getUint32(0, true),
        Buffer.from(d.subarray(at + 4, at + 20)),
        view.getBigUint64(20, true),
        d[at + 28] !== 0,
      ]
    },
    'cached view'(d: Octets, at: number) {
      const view = cachedView(d)
      const s = Buffer.allocUnsafe(16)
      s.set(d.subarray(at + 4, at + 20))
      return [view.getUint32(at, true), s, view.getBigUint64(at + 20, true), d[at + 28] !== 0]
    },
    'cached view, index'(d: Octets, at: number) {
      const view = cachedView(d)
      const s: Octets = Buffer.allocUnsafe(16)
      s[0] = d[at + 4]
      s[1] = d[at + 5]
      s[2] = d[at + 6]
      s[3] = d[at + 7]
      s[4] = d[at + 8]
      s[5] = d[at + 9]
      s[6] = d[at + 10]
      s[7] = d[at + 11]
      s[8] = d[at + 12]
      s[9] = d[at + 13]
      s[10] = d[at + 14]
      s[11] = d[at + 15]
      s[12] = d[at + 16]
      s[13] = d[at + 17]
      s[14] = d[at + 18]
      s[15] = d[at + 19]
      return [view.getUint32(at, true), s, view.getBigUint64(at + 20, true), d[at + 28] !== 0]
    },
    methods(d: Octets, at: number) {
      const s = Buffer.allocUnsafe(16)
      d.copy(s, 0, at + 4, at + 20)
      return [d.readUInt32LE(at), s, d.readBigUInt64LE(at + 20), d[at + 28] !== 0]
    },
  },
}
