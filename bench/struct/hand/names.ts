import { Buffer } from 'node:buffer'
import type { Hand, Octets } from './hand.js'

/** `!4s4s` */
export const names: Hand = {
  pack: {
    set(a: Octets, b: Octets) {
      const o = Buffer.allocUnsafe(8)
      o.set(a)
      o.set(b, 4)
      return o
    },
    index(a: Octets, b: Octets) {
      const o: Octets = Buffer.allocUnsafe(8)
      o[0] = a[0]
      o[1] = a[1]
      o[2] = a[2]
      o[3] = a[3]
      o[4] = b[0]
      o[5] = b[1]
      o[6] = b[2]
      o[7] = b[3]
      return o
    },
    loop(a: Octets, b: Octets) {
      const o: Octets = Buffer.allocUnsafe(8)
      for (let n = 0; n < 4; n += 1) o[n] = a[n]
      for (let n = 0; n < 4; n += 1) o[n + 4] = b[n]
      return o
    },
    copy(a: Octets, b: Octets) {
      const o = Buffer.allocUnsafe(8)
      a.copy(o)
      b.copy(o, 4)
      return o
    },
    concat: (a: Octets, b: Octets) => Buffer.concat([a, b]),
  },
  unpack: {
    index(d: Octets) {
      const a: Octets = Buffer.allocUnsafe(4)
      a[0] = d[0]
      a[1] = d[1]
      a[2] = d[2]
      a[3] = d[3]
      const b: Octets = Buffer.allocUnsafe(4)
      b[0] = d[4]
      b[1] = d[5]
      b[2] = d[6]
      b[3] = d[7]
      return [a, b]
    },
    from: (d: Octets) => [Buffer.from(d.subarray(0, 4)), Buffer.from(d.subarray(4, 8))],
    set(d: Octets) {
      const a = Buffer.allocUnsafe(4)
      a.set(d.subarray(0, 4))
      const b = Buffer.allocUnsafe(4)
      b.set(d.subarray(4, 8))
      return [a, b]
    },
    copy(d: Octets) {
      const a = Buffer.allocUnsafe(4)
      d.copy(a, 0, 0, 4)
      const b = Buffer.allocUnsafe(4)
      d.copy(b, 0, 4, 8)
      return [a, b]
    },
    halves(d: Octets) {
      const both = Buffer.from(d)
      return [both.subarray(0, 4), both.subarray(4, 8)]
    },
  },
  packInto: {
    set(o: Octets, at: number, a: Octets, b: Octets) {
      o.set(a, at)
      o.set(b, at + 4)
    },
    index(o: Octets, at: number, a: Octets, b: Octets) {
      o[at] = a[0]
      o[at + 1] = a[1]
      o[at + 2] = a[2]
      o[at + 3] = a[3]
      o[at + 4] = b[0]
      o[at + 5] = b[1]
      o[at + 6] = b[2]
      o[at + 7] = b[3]
    },
    copy(o: Octets, at: number, a: Octets, b: Octets) {
      a.copy(o, at)
      b.copy(o, at + 4)
    },
  },
  unpackFrom: {
    index(d: Octets, at: number) {
      const a: Octets = Buffer.allocUnsafe(4)
      a[0] = d[at]
      a[1] = d[at + 1]
      a[2] = d[at + 2]
      a[3] = d[at + 3]
      const b: Octets = Buffer.allocUnsafe(4)
      b[0] = d[at + 4]
      b[1] = d[at + 5]
      b[2] = d[at + 6]
      b[3] = d[at + 7]
      return [a, b]
    },
    from: (d: Octets, at: number) => [
      Buffer.from(d.subarray(at, at + 4)),
      Buffer.from(d.subarray(at + 4, at + 8)),
    ],
    copy(d: Octets, at: number) {
      const a = Buffer.allocUnsafe(4)
      d.copy(a, 0, at, at + 4)
      const b = Buffer.allocUnsafe(4)
      d.copy(b, 0, at + 4, at + 8)
      return [a, b]
    },
    halves(d: Octets, at: number) {
      const both = Buffer.from(d.subarray(at, at + 8))
      return [both.subarray(0, 4), both.subarray(4, 8)]
    },
  },
}
