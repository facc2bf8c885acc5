// One process: how long formats take that were never used before. Prints it as JSON.
import { createRequire } from 'node:module'
import { pack, Struct } from 'typed-multicast/struct'
import { quartiles } from '../compare.js'
import { distinctFormats } from './cases.js'

const require = createRequire(import.meta.url)
const python = require('python-struct')
const { jspack } = require('jspack')

const coldest = time(() => new Struct('>IHBB').pack(1, 2, 3, 4))
// Each has formats of its own: whatever is kept by the text is not there yet.
const formats = distinctFormats(4096)
/** In µs. */
const firstUses = {
  /** The very first of the process, whose code is new as well. */
  coldest,
  /** To make a Struct and to pack with it. */
  Struct: firstUse((format) => new Struct(format).pack(1, 2, 3, 4)),
  functions: firstUse((format) => pack(format, 1, 2, 3, 4)),
  'python-struct': firstUse((format) => python.pack(format, [1, 2, 3, 4])),
  jspack: firstUse((format) => jspack.Pack(format, [1, 2, 3, 4])),
  ...laterUses(),
}
export type FirstUses = typeof firstUses
process.stdout.write(JSON.stringify(firstUses))

/** A first half goes by before anything counts, until the code is compiled. */
function firstUse(use: (format: string) => unknown): number {
  const times = formats.splice(0, 1000).map((format) => time(() => use(format)))
  return quartiles(times.slice(times.length / 2)).median
}

/** A use before a program is written, and the one that writes it: by far the longest, whichever. */
function laterUses() {
  const uses = formats.map((format) => {
    const struct = new Struct(format)
    return Array.from({ length: 1024 }, () => time(() => struct.pack(1, 2, 3, 4)))
  })
  return {
    interpreted: quartiles(uses.map((times) => quartiles(times.slice(1, 128)).median)).median,
    generating: quartiles(uses.map((times) => Math.max(...times))).median,
  }
}

function time(action: () => unknown): number {
  const start = performance.now()
  action()
  return (performance.now() - start) * 1000
}
