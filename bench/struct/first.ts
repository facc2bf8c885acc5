// One process: how long formats take that were never used before. Prints it as JSON.
import { createRequire } from 'node:module'
import { pack, Struct } from 'typed-multicast/struct'
import { quartiles } from '../compare.js'
import { distinctFormats } from './formats.js'

/** The medians, in µs. */
export interface FirstUses {
  /** The very first of the process, whose code is new as well. */
  readonly coldest: number
  /** To make a Struct and to pack with it. */
  readonly struct: number
  /** The same by the function. */
  readonly functions: number
  /** The one use that a program is written in, with what it costs to compile. */
  readonly generating: number
  /** One of those before. */
  readonly interpreted: number
  /** The first use of a peer that makes nothing of a format. */
  readonly pythonStruct: number
  readonly jspack: number
}

const require = createRequire(import.meta.url)
const python = require('python-struct')
const { jspack } = require('jspack')

const coldest = time(() => new Struct('>IHBB').pack(1, 2, 3, 4))
// Each has formats of its own: whatever is kept by the text is not there yet.
const formats = distinctFormats(6000)
const batch = (): string[] => formats.splice(0, 1000)

const found: FirstUses = {
  coldest,
  struct: median(batch(), (format) => time(() => new Struct(format).pack(1, 2, 3, 4))),
  functions: median(batch(), (format) => time(() => pack(format, 1, 2, 3, 4))),
  pythonStruct: median(batch(), (format) => time(() => python.pack(format, [1, 2, 3, 4]))),
  jspack: median(batch(), (format) => time(() => jspack.Pack(format, [1, 2, 3, 4]))),
  ...generation(batch().slice(0, 100)),
}
process.stdout.write(JSON.stringify(found))

/** A first half goes by before anything counts, until the code is compiled. */
function median<Value>(values: readonly Value[], measure: (value: Value) => number): number {
  const times = values.map(measure)
  return quartiles(times.slice(times.length / 2)).median
}

/** Finds the call that takes by far the longest: which one it is, is for the library to change. */
function generation(some: readonly string[]): { generating: number; interpreted: number } {
  const interpreted: number[] = []
  const generating = some.map((format) => {
    const struct = new Struct(format)
    const times = Array.from({ length: 1024 }, () => time(() => struct.pack(1, 2, 3, 4)))
    interpreted.push(quartiles(times.slice(1, 128)).median)
    return Math.max(...times)
  })
  return {
    generating: quartiles(generating).median,
    interpreted: quartiles(interpreted).median,
  }
}

function time(action: () => unknown): number {
  const start = performance.now()
  action()
  return (performance.now() - start) * 1000
}
