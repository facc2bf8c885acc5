import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Octets } from './hand.js'

const scratch = new Float64Array(10)
const scratchBytes: Octets = Buffer.from(scratch.buffer)

/** `<10d`. The ways with scratch memory are right on little-endian machines alone. */
// biome-ignore format: ten of a kind are easier read in a column of their own.
export const doubles: Hand = {
  pack: {
    scratch(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0
      scratch[1] = v1
      scratch[2] = v2
      scratch[3] = v3
      scratch[4] = v4
      scratch[5] = v5
      scratch[6] = v6
      scratch[7] = v7
      scratch[8] = v8
      scratch[9] = v9
      const o = Buffer.allocUnsafe(80)
      o.set(scratchBytes)
      return o
    },
    'scratch by bytes'(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0
      scratch[1] = v1
      scratch[2] = v2
      scratch[3] = v3
      scratch[4] = v4
      scratch[5] = v5
      scratch[6] = v6
      scratch[7] = v7
      scratch[8] = v8
      scratch[9] = v9
      const o: Octets = Buffer.allocUnsafe(80)
      for (let n = 0; n < 80; n += 1) o[n] = scratchBytes[n]
      return o
    },
    'from scratch'(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0
      scratch[1] = v1
      scratch[2] = v2
      scratch[3] = v3
      scratch[4] = v4
      scratch[5] = v5
      scratch[6] = v6
      scratch[7] = v7
      scratch[8] = v8
      scratch[9] = v9
      return Buffer.from(scratchBytes)
    },
    view(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const o = Buffer.allocUnsafe(80)
      const view = new DataView(o.buffer, o.byteOffset, 80)
      view.setFloat64(0, v0, true)
      view.setFloat64(8, v1, true)
      view.setFloat64(16, v2, true)
      view.setFloat64(24, v3, true)
      view.setFloat64(32, v4, true)
      view.setFloat64(40, v5, true)
      view.setFloat64(48, v6, true)
      view.setFloat64(56, v7, true)
      view.setFloat64(64, v8, true)
      view.setFloat64(72, v9, true)
      return o
    },
    'pool view'(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const o = Buffer.allocUnsafe(80)
      const view = poolView(o)
      const p = o.byteOffset
      view.setFloat64(p + 0, v0, true)
      view.setFloat64(p + 8, v1, true)
      view.setFloat64(p + 16, v2, true)
      view.setFloat64(p + 24, v3, true)
      view.setFloat64(p + 32, v4, true)
      view.setFloat64(p + 40, v5, true)
      view.setFloat64(p + 48, v6, true)
      view.setFloat64(p + 56, v7, true)
      view.setFloat64(p + 64, v8, true)
      view.setFloat64(p + 72, v9, true)
      return o
    },
    methods(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const o = Buffer.allocUnsafe(80)
      o.writeDoubleLE(v0, 0)
      o.writeDoubleLE(v1, 8)
      o.writeDoubleLE(v2, 16)
      o.writeDoubleLE(v3, 24)
      o.writeDoubleLE(v4, 32)
      o.writeDoubleLE(v5, 40)
      o.writeDoubleLE(v6, 48)
      o.writeDoubleLE(v7, 56)
      o.writeDoubleLE(v8, 64)
      o.writeDoubleLE(v9, 72)
      return o
    },
  },
  unpack: {
    scratch(d: Octets) {
      scratchBytes.set(d)
      return [scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6], scratch[7], scratch[8], scratch[9]]
    },
    'scratch by bytes'(d: Octets) {
      for (let n = 0; n < 80; n += 1) scratchBytes[n] = d[n]
      return [scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6], scratch[7], scratch[8], scratch[9]]
    },
    view(d: Octets) {
      const view = new DataView(d.buffer, d.byteOffset, 80)
      return [
        view.getFloat64(0, true),
        view.getFloat64(8, true),
        view.getFloat64(16, true),
        view.getFloat64(24, true),
        view.getFloat64(32, true),
        view.getFloat64(40, true),
        view.getFloat64(48, true),
        view.getFloat64(56, true),
        view.getFloat64(64, true),
        view.getFloat64(72, true),
      ]
    },
    methods(d: Octets) {
      return [
        d.readDoubleLE(0),
        d.readDoubleLE(8),
        d.readDoubleLE(16),
        d.readDoubleLE(24),
        d.readDoubleLE(32),
        d.readDoubleLE(40),
        d.readDoubleLE(48),
        d.readDoubleLE(56),
        d.readDoubleLE(64),
        d.readDoubleLE(72),
      ]
    },
  },
  packInto: {
    scratch(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0
      scratch[1] = v1
      scratch[2] = v2
      scratch[3] = v3
      scratch[4] = v4
      scratch[5] = v5
      scratch[6] = v6
      scratch[7] = v7
      scratch[8] = v8
      scratch[9] = v9
      o.set(scratchBytes, at)
    },
    'scratch by bytes'(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0
      scratch[1] = v1
      scratch[2] = v2
      scratch[3] = v3
      scratch[4] = v4
      scratch[5] = v5
      scratch[6] = v6
      scratch[7] = v7
      scratch[8] = v8
      scratch[9] = v9
      for (let n = 0; n < 80; n += 1) o[at + n] = scratchBytes[n]
    },
    view(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const view = new DataView(o.buffer, o.byteOffset + at, 80)
      view.setFloat64(0, v0, true)
      view.setFloat64(8, v1, true)
      view.setFloat64(16, v2, true)
      view.setFloat64(24, v3, true)
      view.setFloat64(32, v4, true)
      view.setFloat64(40, v5, true)
      view.setFloat64(48, v6, true)
      view.setFloat64(56, v7, true)
      view.setFloat64(64, v8, true)
      view.setFloat64(72, v9, true)
    },
    'cached view'(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const view = cachedView(o)
      view.setFloat64(at + 0, v0, true)
      view.setFloat64(at + 8, v1, true)
      view.setFloat64(at + 16, v2, true)
      view.setFloat64(at + 24, v3, true)
      view.setFloat64(at + 32, v4, true)
      view.setFloat64(at + 40, v5, true)
      view.setFloat64(at + 48, v6, true)
      view.setFloat64(at + 56, v7, true)
      view.setFloat64(at + 64, v8, true)
      view.setFloat64(at + 72, v9, true)
    },
    methods(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      o.writeDoubleLE(v0, at + 0)
      o.writeDoubleLE(v1, at + 8)
      o.writeDoubleLE(v2, at + 16)
      o.writeDoubleLE(v3, at + 24)
      o.writeDoubleLE(v4, at + 32)
      o.writeDoubleLE(v5, at + 40)
      o.writeDoubleLE(v6, at + 48)
      o.writeDoubleLE(v7, at + 56)
      o.writeDoubleLE(v8, at + 64)
      o.writeDoubleLE(v9, at + 72)
    },
  },
  unpackFrom: {
    scratch(d: Octets, at: number) {
      scratchBytes.set(d.subarray(at, at + 80))
      return [scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6], scratch[7], scratch[8], scratch[9]]
    },
    'scratch by bytes'(d: Octets, at: number) {
      for (let n = 0; n < 80; n += 1) scratchBytes[n] = d[at + n]
      return [scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6], scratch[7], scratch[8], scratch[9]]
    },
    view(d: Octets, at: number) {
      const view = new DataView(d.buffer, d.byteOffset + at, 80)
      return [
        view.getFloat64(0, true),
        view.getFloat64(8, true),
        view.getFloat64(16, true),
        view.getFloat64(24, true),
        view.getFloat64(32, true),
        view.getFloat64(40, true),
        view.getFloat64(48, true),
        view.getFloat64(56, true),
        view.getFloat64(64, true),
        view.getFloat64(72, true),
      ]
    },
    'cached view'(d: Octets, at: number) {
      const view = cachedView(d)
      return [
        view.getFloat64(at + 0, true),
        view.getFloat64(at + 8, true),
        view.getFloat64(at + 16, true),
        view.getFloat64(at + 24, true),
        view.getFloat64(at + 32, true),
        view.getFloat64(at + 40, true),
        view.getFloat64(at + 48, true),
        view.getFloat64(at + 56, true),
        view.getFloat64(at + 64, true),
        view.getFloat64(at + 72, true),
      ]
    },
    methods(d: Octets, at: number) {
      return [
        d.readDoubleLE(at + 0),
        d.readDoubleLE(at + 8),
        d.readDoubleLE(at + 16),
        d.readDoubleLE(at + 24),
        d.readDoubleLE(at + 32),
        d.readDoubleLE(at + 40),
        d.readDoubleLE(at + 48),
        d.readDoubleLE(at + 56),
        d.readDoubleLE(at + 64),
        d.readDoubleLE(at + 72),
      ]
    },
  },
}

let lastPool: ArrayBufferLike | undefined
let lastPoolView: DataView = new DataView(new ArrayBuffer(0))

/** A view of all the memory that small buffers are cut from: it is the same one for a while. */
function poolView({ buffer }: Octets): DataView {
  if (buffer !== lastPool) {
    lastPool = buffer
    lastPoolView = new DataView(buffer)
  }
  return lastPoolView
}
