import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import * as struct from '../../src/struct/index.js'
import { Struct, StructError } from '../../src/struct/index.js'
import { threshold } from '../../src/struct/struct.js'
import { root } from '../tree.js'
import { warm } from './warm.js'

/** What record.py wrote: its docstring tells the layout and the letters before the values. */
export interface Recording {
  readonly python: string
  readonly errors: readonly string[]
  readonly vast: readonly (readonly [format: string, size: string])[]
  readonly formats: readonly (readonly [format: Encoded, calls: readonly Call[]])[]
}

export type Encoded = null | boolean | string | readonly Encoded[]
export type Call = readonly [
  operation: Operation,
  given: readonly Encoded[],
  outcome: Encoded | number,
  after?: string | null,
]
export type Operation = 'calcsize' | 'pack' | 'pack_into' | 'unpack' | 'unpack_from' | 'iter_unpack'

/** What came of running a recording. Of the failures the first ten are told. */
export interface Tally {
  calls: number
  /** Formats for which generated code took the place of a Struct's methods. */
  generated: number
  refusals: number
  /** Refusals in other words than Python's, each by intent. */
  reworded: number
  failed: number
  readonly failures: string[]
}

export const recordings = ['cpython-3.13', 'cpython-3.14-complex'] as const

export function textOf(name: (typeof recordings)[number]): string {
  return gunzipSync(readFileSync(join(root, `test/struct/vectors/${name}.json.gz`))).toString()
}

const parsed = new Map<string, Recording>()

export function read(name: (typeof recordings)[number]): Recording {
  const recording: Recording = parsed.get(name) ?? JSON.parse(textOf(name))
  parsed.set(name, recording)
  return recording
}

/** Where the library says something else than Python, and why. */
const intended = [
  {
    why: 'a format is a string here: bytes would be one more type of everything',
    python: /^Struct\(\) argument 1 must be a str or bytes object, not /,
    here: 'Struct() argument 1 must be a string, not ',
  },
  {
    why: "Python's cache looks a list up before anyone sees that it is no format",
    python: /^unhashable type: '(\w+)'$/,
    here: 'Struct() argument 1 must be a string, not $1',
  },
  {
    why: 'the number 65520 may be the int or the float to JavaScript; the bigint is the int',
    python: /^int too large to convert$/,
    here: 'float too large to pack with e format',
    numbersOnly: true,
  },
]

interface Serving {
  (operation: Operation, given: readonly unknown[]): unknown
  readonly isGenerated?: () => boolean
}
/** A format's operations, however they are served. */
type Serve = (format: unknown) => Serving

type Callable = Record<string, (...given: unknown[]) => unknown>

const names = {
  calcsize: 'calcsize',
  pack: 'pack',
  pack_into: 'packInto',
  unpack: 'unpack',
  unpack_from: 'unpackFrom',
  iter_unpack: 'iterUnpack',
} as const

/** Through the module's functions, as long as the format's Struct in there is new. */
function cold(format: unknown): Serving {
  let calls = 0
  return (operation, given) => {
    // Walking counts a call for each row, of which there are at most as many as bytes.
    calls += operation === 'iter_unpack' && Buffer.isBuffer(given[0]) ? given[0].length : 1
    if (calls >= threshold) return through(new Struct(format as string), operation, given)
    return (struct as unknown as Callable)[names[operation]]?.(format, ...given)
  }
}

/** Through a Struct after so many calls that generated code serves it, where that is allowed. */
function used(format: unknown): Serving {
  let warmed: Struct | undefined
  const serving = (operation: Operation, given: readonly unknown[]): unknown => {
    // Most formats are only measured, and need no warming for that.
    if (operation === 'calcsize') return new Struct(format as string).size
    warmed ??= warm(format as string)
    return through(warmed, operation, given)
  }
  const isGenerated = () => warmed !== undefined && Object.hasOwn(warmed, 'pack')
  return Object.assign(serving, { isGenerated })
}

function through(made: Struct, operation: Operation, given: readonly unknown[]): unknown {
  if (operation === 'calcsize') return made.size
  return (made as unknown as Callable)[names[operation]]?.(...given)
}

export const ways = { cold, warm: used }

class Refusal {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

function attempt(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return new Refusal(error)
  }
}

/** Integers are numbers where a number is exact, or bigints throughout if `wide`. */
function decode(value: Encoded, wide = false): unknown {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value !== 'string') return value.map((item) => decode(item, wide))
  const rest = value.slice(1)
  switch (value[0]) {
    case 'i':
      return !wide && Number.isSafeInteger(Number(rest)) ? Number(rest) : BigInt(rest)
    case 'n':
      return BigInt(rest)
    case 'f':
      return float(rest)
    case 'c': {
      const [re = '', im = ''] = rest.split(' ')
      return { re: float(re), im: float(im) }
    }
    case 's':
      return rest
    case 'b':
      return Buffer.from(rest, 'hex')
    default:
      throw new Error(`unknown value ${value}`)
  }
}

function float(text: string): number {
  return Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'))
}

/** Of the same type too: 1 is not 1n, 0 is not -0, and bytes are a Buffer. */
function same(got: unknown, expected: unknown): boolean {
  if (Buffer.isBuffer(expected)) return Buffer.isBuffer(got) && expected.equals(got)
  if (Array.isArray(expected)) {
    return (
      Array.isArray(got) &&
      got.length === expected.length &&
      expected.every((item, at) => same(got[at], item))
    )
  }
  if (typeof expected === 'object' && expected !== null) {
    const { re, im } = expected as { re: number; im: number }
    return (
      typeof got === 'object' &&
      got !== null &&
      Object.keys(got).join() === 're,im' &&
      same((got as { re: unknown }).re, re) &&
      same((got as { im: unknown }).im, im)
    )
  }
  return Object.is(got, expected)
}

function shown(value: unknown): string {
  if (value instanceof Refusal) return `refused: ${String(value.error)}`
  if (Buffer.isBuffer(value)) return `bytes ${value.toString('hex')}`
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return Object.is(value, -0) ? '-0' : String(value)
}

const hasInteger = (value: Encoded): boolean =>
  typeof value === 'string' ? value.startsWith('i') : Array.isArray(value) && value.some(hasInteger)

/** On Windows a native long has 4 bytes: what was recorded does not hold there. */
function elsewhere(format: unknown): boolean {
  return process.platform === 'win32' && /^[^=<>!]*[lL]/.test(String(format))
}

/** A call's value or refusal. */
function outcomeOf(serving: Serving, operation: Operation, given: readonly unknown[]): unknown {
  const got = attempt(() => serving(operation, given))
  if (operation !== 'iter_unpack' || got instanceof Refusal) return got
  // A mistake is told at the call, so that walking it refuses nothing any more.
  const walked = attempt(() => [...(got as Iterable<unknown>)])
  return walked instanceof Refusal ? `${shown(walked)}, but while walking` : walked
}

/** Runs every call of a recording, and those with integers a second time with bigints. */
export function run({ formats, errors }: Recording, serve: Serve): Tally {
  const tally: Tally = { calls: 0, generated: 0, refusals: 0, reworded: 0, failed: 0, failures: [] }
  const differences = new Set<string>()

  function fail(call: readonly unknown[], expected: unknown, got: unknown): void {
    tally.failed += 1
    const difference = `  expected ${shown(expected)}\n  got      ${shown(got)}`
    // Of those that differ in the same way one is enough.
    if (tally.failures.length === 10 || differences.has(difference)) return
    differences.add(difference)
    const [operation, ...given] = call
    tally.failures.push(`${operation}(${given.map(shown).join(', ')})\n${difference}`)
  }

  function isRefusal(got: unknown, message: string, wide: boolean): boolean {
    tally.refusals += 1
    if (!(got instanceof Refusal && got.error instanceof StructError)) return false
    const said = got.error.message
    if (said === message) return true
    tally.reworded += 1
    return intended.some(
      ({ python, here, numbersOnly }) =>
        !(numbersOnly && wide) && python.test(message) && message.replace(python, here) === said,
    )
  }

  function perform(serving: Serving, format: unknown, call: Call, wide: boolean): void {
    const [operation, encoded, outcome, after] = call
    const given = encoded.map((value) => decode(value, wide))
    const got = outcomeOf(serving, operation, given)
    const told = [operation, format, ...given]
    tally.calls += 1
    if (typeof outcome === 'number') {
      const message = errors[outcome] ?? ''
      if (!isRefusal(got, message, wide)) fail(told, new Refusal(message), got)
    } else {
      const expected = operation === 'pack_into' ? undefined : decode(outcome)
      if (!same(got, expected)) fail(told, expected, got)
    }
    const [buffer] = given
    if (operation !== 'pack_into' || !Buffer.isBuffer(buffer) || after === null) return
    // The whole of it: what is outside the field stays, also where the call was refused.
    const left = decode(after ?? encoded[0] ?? null)
    if (!same(buffer, left)) fail(told.with(0, 'the buffer of pack_into'), left, buffer)
  }

  withoutStacks(() => {
    for (const [encoded, calls] of formats) {
      const format = decode(encoded)
      if (elsewhere(format)) continue
      const serving = serve(format)
      for (const call of calls) {
        perform(serving, format, call, false)
        if (call[1].some(hasInteger)) perform(serving, format, call, true)
      }
      if (serving.isGenerated?.()) tally.generated += 1
    }
  })
  return tally
}

/** Half of the calls are refused, and most of what that costs is the stacks. */
function withoutStacks(work: () => void): void {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    work()
  } finally {
    Error.stackTraceLimit = limit
  }
}
