import { Buffer } from 'node:buffer'
import { cachedView, type Hand, type Octets } from './hand.js'

const scratch = new Float64Array(10)
const scratchBytes: Octets = Buffer.from(scratch.buffer)

/** `<10d` */
// biome-ignore format: ten of a kind are easier read in few rows.
export const doubles: Hand = {
  pack: {
    scratch(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      scratch[0] = v0; scratch[1] = v1; scratch[2] = v2; scratch[3] = v3; scratch[4] = v4
      scratch[5] = v5; scratch[6] = v6; scratch[7] = v7; scratch[8] = v8; scratch[9] = v9
      const o = Buffer.allocUnsafe(80)
      o.set(scratchBytes)
      return o
    },
    view(v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const o = Buffer.allocUnsafe(80)
      const view = poolView(o)
      const p = o.byteOffset
      view.setFloat64(p, v0, true); view.setFloat64(p + 8, v1, true)
      view.setFloat64(p + 16, v2, true); view.setFloat64(p + 24, v3, true)
      view.setFloat64(p + 32, v4, true); view.setFloat64(p + 40, v5, true)
      view.setFloat64(p + 48, v6, true); view.setFloat64(p + 56, v7, true)
      view.setFloat64(p + 64, v8, true); view.setFloat64(p + 72, v9, true)
      return o
    },
  },
  unpack: {
    scratch(d: Octets) {
      scratchBytes.set(d)
      return [
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4],
        scratch[5], scratch[6], scratch[7], scratch[8], scratch[9],
      ]
    },
  },
  packInto: {
    view(o: Octets, at: number, v0: number, v1: number, v2: number, v3: number, v4: number, v5: number, v6: number, v7: number, v8: number, v9: number) {
      const view = cachedView(o)
      view.setFloat64(at, v0, true); view.setFloat64(at + 8, v1, true)
      view.setFloat64(at + 16, v2, true); view.setFloat64(at + 24, v3, true)
      view.setFloat64(at + 32, v4, true); view.setFloat64(at + 40, v5, true)
      view.setFloat64(at + 48, v6, true); view.setFloat64(at + 56, v7, true)
      view.setFloat64(at + 64, v8, true); view.setFloat64(at + 72, v9, true)
    },
  },
  unpackFrom: {
    view(d: Octets, at: number) {
      const view = cachedView(d)
      return [
        view.getFloat64(at, true), view.getFloat64(at + 8, true),
        view.getFloat64(at + 16, true), view.getFloat64(at + 24, true),
        view.getFloat64(at + 32, true), view.getFloat64(at + 40, true),
        view.getFloat64(at + 48, true), view.getFloat64(at + 56, true),
        view.getFloat64(at + 64, true), view.getFloat64(at + 72, true),
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
