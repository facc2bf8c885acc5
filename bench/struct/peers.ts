import { createRequire } from 'node:module'
import type { Case, Operation } from './cases.js'
import { type Call, valuesOf } from './driver.js'

// They have no types that the compiler finds.
const require = createRequire(import.meta.url)
const python = require('python-struct')
const { jspack } = require('jspack')
const { Parser } = require('binary-parser')
const Long = createRequire(require.resolve('python-struct'))('long')

/** Another library, called as its own documentation does it. */
interface Peer {
  readonly name: string
  /** How it does that, by operation, where it has such an operation and all the codes. */
  calls(one: Case): Partial<Record<Operation, string>> & Pick<Call, 'given'>
}

export const peers: readonly Peer[] = [
  {
    name: 'python-struct',
    calls(one) {
      // It takes bytes as text, and 64 bits as the type of a library.
      const { list, given } = valuesOf(one, (value) => {
        if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
        return typeof value === 'bigint' ? Long.fromString(value.toString(), true) : value
      })
      return {
        pack: `python.pack('${one.format}', ${list})`,
        unpack: `python.unpack('${one.format}', data[i])`,
        unpackFrom: `python.unpackFrom('${one.format}', target, false, at[i])`,
        given: { ...given, python },
      }
    },
  },
  {
    name: 'jspack',
    calls(one) {
      // It has no booleans, and bytes are its own code.
      if (one.format.includes('?')) return { given: {} }
      const format = one.format.replaceAll('s', 'A')
      const { list, given } = valuesOf(one)
      return {
        pack: `jspack.PackTo('${format}', Buffer.allocUnsafe(${one.size}), 0, ${list})`,
        unpack: `jspack.Unpack('${format}', data[i], 0)`,
        packInto: `jspack.PackTo('${format}', target, at[i], ${list})`,
        unpackFrom: `jspack.Unpack('${format}', target, at[i])`,
        given: { ...given, jspack, Buffer },
      }
    },
  },
  {
    name: 'binary-parser',
    // It only reads.
    calls: ({ format, size }) => ({
      unpack: 'parser.parse(data[i])',
      unpackFrom: `parser.parse(target.subarray(at[i], at[i] + ${size}))`,
      given: { parser: parsers[format] },
    }),
  },
]

const parsers: Readonly<Record<string, unknown>> = {
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
