import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Numbers, type Octets } from './hand.js'

const scratch = new Uint16Array(255)
const scratchBytes: Octets = Buffer.from(scratch.buffer)

/** `>255H`. The ways with a swap are right on little-endian machines alone. */
export const shorts: Hand = {
  pack: {
    shifts(...values: Numbers) {
      const o: Octets = Buffer.allocUnsafe(510)
      for (let n = 0, p = 0; n < 255; n += 1, p += 2) {
        const value = values[n]
        o[p] = value >>> 8
        o[p + 1] = value
      }
      return o
    },
    view(...values: Numbers) {
      const o = Buffer.allocUnsafe(510)
      const view = new DataView(o.buffer, o.byteOffset, 510)
      for (let n = 0; n < 255; n += 1) view.setUint16(n * 2, values[n])
      return o
    },
    methods(...values: Numbers) {
      const o = Buffer.allocUnsafe(510)
      for (let n = 0; n < 255; n += 1) o.writeUInt16BE(values[n], n * 2)
      return o
    },
    'swapped scratch'(...values: Numbers) {
      for (let n = 0; n < 255; n += 1) scratch[n] = (values[n] << 8) | (values[n] >>> 8)
      const o = Buffer.allocUnsafe(510)
      o.set(scratchBytes)
      return o
    },
    'set and swap16'(...values: Numbers) {
      scratch.set(values)
      const o = Buffer.allocUnsafe(510)
      o.set(scratchBytes)
      return o.swap16()
    },
  },
  unpack: {
    shifts(d: Octets) {
      const values = new Array(255)
      for (let n = 0, p = 0; n < 255; n += 1, p += 2) values[n] = (d[p] << 8) | d[p + 1]
      return values
    },
    view(d: Octets) {
      const view = new DataView(d.buffer, d.byteOffset, 510)
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) values[n] = view.getUint16(n * 2)
      return values
    },
    methods(d: Octets) {
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) values[n] = d.readUInt16BE(n * 2)
      return values
    },
    'swapped scratch'(d: Octets) {
      scratchBytes.set(d)
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) {
        const value = scratch[n] ?? 0
        values[n] = ((value & 255) << 8) | (value >>> 8)
      }
      return values
    },
    'swap16 and spread'(d: Octets) {
      scratchBytes.set(d)
      scratchBytes.swap16()
      return [...scratch]
    },
    push(d: Octets) {
      const values: number[] = []
      for (let p = 0; p < 510; p += 2) values.push((d[p] << 8) | d[p + 1])
      return values
    },
  },
  packInto: {
    shifts(o: Octets, at: number, ...values: Numbers) {
      for (let n = 0, p = at; n < 255; n += 1, p += 2) {
        const value = values[n]
        o[p] = value >>> 8
        o[p + 1] = value
      }
    },
    'cached view'(o: Octets, at: number, ...values: Numbers) {
      const view = cachedView(o)
      for (let n = 0; n < 255; n += 1) view.setUint16(at + n * 2, values[n])
    },
    methods(o: Octets, at: number, ...values: Numbers) {
      for (let n = 0; n < 255; n += 1) o.writeUInt16BE(values[n], at + n * 2)
    },
    'swapped scratch'(o: Octets, at: number, ...values: Numbers) {
      for (let n = 0; n < 255; n += 1) scratch[n] = (values[n] << 8) | (values[n] >>> 8)
      o.set(scratchBytes, at)
    },
  },
  unpackFrom: {
    shifts(d: Octets, at: number) {
      const values = new Array(255)
      for (let n = 0, p = at; n < 255; n += 1, p += 2) values[n] = (d[p] << 8) | d[p + 1]
      return values
    },
    'cached view'(d: Octets, at: number) {
      const view = cachedView(d)
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) values[n] = view.getUint16(at + n * 2)
      return values
    },
    methods(d: Octets, at: number) {
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) values[n] = d.readUInt16BE(at + n * 2)
      return values
    },
    'swapped scratch'(d: Octets, at: number) {
      scratchBytes.set(d.subarray(at, at + 510))
      const values = new Array(255)
      for (let n = 0; n < 255; n += 1) {
        const value = scratch[n] ?? 0
        values[n] = ((value & 255) << 8) | (value >>> 8)
      }
      return values
    },
  },
  packList(values: Numbers) {
    for (let n = 0; n < 255; n += 1) scratch[n] = (values[n] << 8) | (values[n] >>> 8)
    const o = Buffer.allocUnsafe(510)
    o.set(scratchBytes)
    return o
  },
}
