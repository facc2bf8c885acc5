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
    methods(a: number) {
      const o = Buffer.allocUnsafe(1)
      o.writeUInt8(a, 0)
      return o
    },
    from: (a: number) => Buffer.from([a]),
    of: (a: number) => Buffer.of(a),
  },
  unpack: {
    index: (d: Octets) => [d[0]],
    methods: (d: Octets) => [d.readUInt8(0)],
  },
  packInto: {
    index(o: Octets, at: number, a: number) {
      o[at] = a
    },
    methods(o: Octets, at: number, a: number) {
      o.writeUInt8(a, at)
    },
  },
  unpackFrom: {
    index: (d: Octets, at: number) => [d[at]],
    methods: (d: Octets, at: number) => [d.readUInt8(at)],
  },
}
