import { createRequire } from 'node:module'
import { type Case, type Operation, valuesOf } from './cases.js'
import type { Call } from './driver.js'

// They have no types that the compiler finds.
const require = createRequire(import.meta.url)
const python = require('python-struct')
const { jspack } = require('jspack')
const { Parser } = require('binary-parser')
const Long = createRequire(require.resolve('python-struct'))('long')

/** Another library, called as its own documentation does it. */
export interface Peer {
  readonly name: string
  /** How it does that; nothing where it has no such operation, or no such code. */
  call(one: Case, operation: Operation): Call | undefined
}

export const peers: readonly Peer[] = [
  {
    name: 'python-struct',
    call(one, operation) {
      // It takes bytes as text, and 64 bits as the type of a library.
      const { list, given } = valuesOf(one, (value) => {
        if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
        return typeof value === 'bigint' ? Long.fromString(value.toString(), true) : value
      })
      const format = JSON.stringify(one.format)
      const texts: Partial<Record<Operation, string>> = {
        pack: `python.pack(${format}, ${list})`,
        unpack: `python.unpack(${format}, data[i])`,
        unpackFrom: `python.unpackFrom(${format}, target, false, at[i])`,
      }
      const text = texts[operation]
      return text === undefined ? undefined : { text, given: { ...given, python } }
    },
  },
  {
    name: 'jspack',
    call(one, operation) {
      // It has no booleans, and bytes are its own code.
      if (one.format.includes('?')) return undefined
      const format = JSON.stringify(one.format.replaceAll('s', 'A'))
      const { list, given } = valuesOf(one)
      const texts: Record<Operation, string> = {
        pack: `jspack.PackTo(${format}, Buffer.allocUnsafe(${one.size}), 0, ${list})`,
        unpack: `jspack.Unpack(${format}, data[i], 0)`,
        packInto: `jspack.PackTo(${format}, target, at[i], ${list})`,
        unpackFrom: `jspack.Unpack(${format}, target, at[i])`,
      }
      return { text: texts[operation], given: { ...given, jspack, Buffer } }
    },
  },
  {
    name: 'binary-parser',
    call(one, operation) {
      // It only reads.
      const text = {
        unpack: 'parser.parse(data[i])',
        unpackFrom: `parser.parse(target.subarray(at[i], at[i] + ${one.size}))`,
      }[operation as string]
      const parser = parsers[one.format]
      return text === undefined || parser === undefined ? undefined : { text, given: { parser } }
    },
  },
]

const parsers: Partial<Record<string, unknown>> = {
  '>IHBB': new Parser().endianness('big').uint32('a').uint16('b').uint8('c').uint8('d'),
  '<I16sQ?': new Parser()
    .endianness('little')
    .uint32('a')
    .buffer('b', { length: 16, clone: true })
    .uint64('c')
    .uint8('d', { formatter: (value: number) => value !== 0 }),
  B: new Parser().uint8('a'),
  '!4s4s': new Parser()
    .buffer('a', { length: 4, clone: true })
    .buffer('b', { length: 4, clone: true }),
  '<10d': new Parser().array('a', { type: 'doublele', length: 10 }),
  '>255H': new Parser().array('a', { type: 'uint16be', length: 255 }),
}
