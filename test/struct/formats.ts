/** Formats with values that fit them, for the property tests: nothing in here asks the library. */
import fc from 'fast-check'

/** The same cases every time, unless another seed is asked for. */
export const seed = Number(process.env.FAST_CHECK_SEED ?? 20_260)

/** Checks a property. On failure fast-check tells the seed and the smallest counterexample. */
export function holds<Given>(runs: number, property: fc.IRawProperty<Given>): void {
  fc.assert(property, { seed, numRuns: runs })
}

const long = process.platform === 'win32' ? 4 : 8

/** Each code with its size, its size in native mode, and its alignment there if it is another. */
const table = {
  x: [1, 1],
  c: [1, 1],
  b: [1, 1],
  B: [1, 1],
  '?': [1, 1],
  h: [2, 2],
  H: [2, 2],
  i: [4, 4],
  I: [4, 4],
  l: [4, long],
  L: [4, long],
  q: [8, 8],
  Q: [8, 8],
  n: [0, 8],
  N: [0, 8],
  P: [0, 8],
  e: [2, 2],
  f: [4, 4],
  d: [8, 8],
  F: [8, 8, 4],
  D: [16, 16, 8],
  s: [1, 1],
  p: [1, 1],
} as const satisfies Record<string, readonly [number, number, number?]>

type Char = keyof typeof table
const chars = Object.keys(table) as Char[]

/** A value to pack, and what it is unpacked as. */
interface Value {
  readonly given: unknown
  readonly expected: unknown
}

/** A code in a format, with its values, and with bytes that pack and unpack to themselves. */
interface Item {
  readonly char: Char
  readonly count: number
  readonly text: string
  readonly values: readonly Value[]
  readonly bytes: Uint8Array
}

/** A format and what fits it. */
export interface Case {
  readonly format: string
  readonly size: number
  readonly given: readonly unknown[]
  readonly expected: readonly unknown[]
  /** Bytes of that size: no NaN, pads of zeros, and each Boolean 0 or 1. */
  readonly bytes: Uint8Array
  /** The bytes that belong to no value. */
  readonly pads: readonly number[]
}

/** The half float nearest to `value`, ties to even, by scaling it until its last place is 1. */
export function nearestHalf(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value
  let last = 2 ** -24
  while (Math.abs(value) >= 2048 * last) last *= 2
  const places = Math.abs(value) / last
  const below = Math.floor(places)
  const above = places - below
  const isUp = above > 0.5 || (above === 0.5 && below % 2 === 1)
  return Math.sign(value) * (isUp ? below + 1 : below) * last
}

/** From here on a finite value is too large. */
const limits: Partial<Record<Char, number>> = {
  e: 65520,
  f: 2 ** 128 - 2 ** 103,
  F: 2 ** 128 - 2 ** 103,
}

function rounded(char: Char, isNative: boolean, value: number): number {
  if (char === 'e') return nearestHalf(value)
  if (char !== 'f' && char !== 'F') return value
  return isNative || Number.isFinite(value) ? Math.fround(value) : value
}

/** Numbers that the code takes: of its own precision, of more of it, and whole ones. */
function floats(char: Char, isNative: boolean): fc.Arbitrary<number> {
  const limit = char !== 'e' && isNative ? undefined : limits[char]
  const within =
    limit === undefined ? {} : { min: -limit, max: limit, minExcluded: true, maxExcluded: true }
  const special = fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, -Infinity)
  const near = fc.double({ min: -70_000, max: 70_000, noNaN: true })
  return fc
    .oneof(fc.double({ ...within, noDefaultInfinity: true }), fc.integer(), near, special)
    .filter((value) => !(Number.isFinite(value) && Math.abs(value) >= (limit ?? Infinity)))
}

const bigs = { standard: 'qQ', native: 'qQlLnNP' }

function integers(char: Char, isNative: boolean, size: number): fc.Arbitrary<Value> {
  const bits = BigInt(size * 8)
  const isSigned = char === char.toLowerCase()
  const min = isSigned || char === 'P' ? -(2n ** (bits - 1n)) : 0n
  const max = isSigned ? 2n ** (bits - 1n) - 1n : 2n ** bits - 1n
  const isBig = bigs[isNative ? 'native' : 'standard'].includes(char)
  const expected = (integer: bigint) => {
    const read = isSigned ? integer : BigInt.asUintN(size * 8, integer)
    return isBig ? read : Number(read)
  }
  const integer = fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n))
  return fc.tuple(integer, fc.nat(3)).map(([integer, as]): Value => {
    const number = Number(integer)
    let given: bigint | number | boolean = integer
    if (as > 0 && Number.isSafeInteger(number)) given = number
    if (as === 3 && (integer === 0n || integer === 1n)) given = integer === 1n
    return { given, expected: expected(integer) }
  })
}

/** What Python would call true and false; NaN is true to it. */
const truths: Value[] = [
  ...[true, 1, -1n, 'a', Number.NaN, [0], Buffer.of(0), { re: 0, im: 1 }].map((given) => ({
    given,
    expected: true,
  })),
  ...[false, 0, -0, 0n, '', null, undefined, [], Buffer.of(), { re: 0, im: -0 }].map((given) => ({
    given,
    expected: false,
  })),
]

function fitting(char: Char, count: number, isNative: boolean): fc.Arbitrary<Value> {
  const [standard, native] = table[char]
  // As long as its place, longer, or shorter.
  const bytes = (most: number) =>
    fc
      .oneof(fc.nat(most), fc.integer({ min: Math.max(most - 5, 0), max: most }))
      .chain((length) => fc.uint8Array({ minLength: length, maxLength: length, size: 'max' }))
      .chain((given) => fc.constantFrom(given, Buffer.from(given)))
  switch (char) {
    case 'c':
      return fc
        .uint8Array({ minLength: 1, maxLength: 1 })
        .map((given) => ({ given, expected: Buffer.from(given) }))
    case 's':
      return bytes(count + 3).map((given) => {
        const expected = Buffer.alloc(count)
        expected.set(given.subarray(0, count))
        return { given, expected }
      })
    case 'p':
      return bytes(count + 3).map((given) => ({
        given,
        expected: Buffer.from(given.subarray(0, Math.max(Math.min(count - 1, 255), 0))),
      }))
    case '?':
      return fc.constantFrom(...truths)
    case 'e':
    case 'f':
    case 'd':
      return floats(char, isNative).map((given) => ({
        given,
        expected: rounded(char, isNative, given),
      }))
    case 'F':
    case 'D': {
      const part = floats(char, isNative)
      const complex = fc.record({ re: part, im: part }, { noNullPrototype: true })
      return fc.oneof(
        complex.map(({ re, im }) => ({
          given: { re, im },
          expected: { re: rounded(char, isNative, re), im: rounded(char, isNative, im) },
        })),
        part.map((re) => ({ given: re, expected: { re: rounded(char, isNative, re), im: 0 } })),
      )
    }
    default:
      return integers(char, isNative, isNative ? native : standard)
  }
}

/** Bytes that are packed as they were unpacked. */
function bytesOf(char: Char, count: number, size: number): fc.Arbitrary<Uint8Array> {
  const length = count * size
  const any = fc.uint8Array({ minLength: length, maxLength: length })
  switch (char) {
    case 'x':
      return fc.constant(new Uint8Array(length))
    case '?':
      return any.map((bytes) => bytes.map((byte) => byte & 1))
    case 'p':
      return fc.uint8Array({ maxLength: Math.max(Math.min(count - 1, 255), 0) }).map((text) => {
        const bytes = new Uint8Array(length)
        if (length > 0) bytes.set([text.length, ...text])
        return bytes
      })
    case 'e':
    case 'f':
    case 'd':
    case 'F':
    case 'D': {
      // A bit less in the exponent, in either order of the bytes, and it is no NaN.
      const part = char === 'F' || char === 'D' ? size / 2 : size
      const isEnd = (at: number) => at % part === 0 || at % part === part - 1
      return any.map((bytes) =>
        bytes.map((byte, at) => (isEnd(at) && (byte & 0x7c) === 0x7c ? byte & 0xbf : byte)),
      )
    }
    default:
      return any
  }
}

const space = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\v', '\f', '\r'), maxLength: 3 }),
)

/** Counts that are written, some with zeros before them; beyond 16 and 32 programs have loops. */
const counts = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 6, arbitrary: fc.nat(6).map(String) },
  fc.integer({ min: 7, max: 40 }).map(String),
  fc.nat(20).map((count) => `00${count}`),
)
const lengths = fc.oneof(
  counts,
  fc.constantFrom(15, 16, 17, 32, 33, 255, 256, 257, 300).map(String),
)

function item(char: Char, isNative: boolean): fc.Arbitrary<Item> {
  return (char === 's' || char === 'p' ? lengths : counts).chain((digits) => {
    const count = digits === '' ? 1 : Number(digits)
    const [standard, native] = table[char]
    const values = char === 'x' ? 0 : char === 's' || char === 'p' ? 1 : count
    const value = fitting(char, count, isNative)
    return fc.record({
      char: fc.constant(char),
      count: fc.constant(count),
      text: space.map((spaces) => `${spaces}${digits}${char}`),
      values:
        values === 0 ? fc.constant([]) : fc.array(value, { minLength: values, maxLength: values }),
      bytes: bytesOf(char, count, isNative ? native : standard),
    })
  })
}

function assembled(prefix: string, items: readonly Item[], rest: string): Case {
  const isNative = prefix === '' || prefix === '@'
  // A space in front of everything would be one in front of the prefix that is not there: it is
  // whitespace where there is no prefix, and after one.
  const format = `${prefix}${items.map(({ text }) => text).join('')}${rest}`
  const chunks: [at: number, bytes: Uint8Array][] = []
  const owned = new Set<number>()
  let size = 0
  for (const { char, count, bytes } of items) {
    const [standard, native, alignment = native] = table[char] as readonly [number, number, number?]
    const at = isNative ? Math.ceil(size / alignment) * alignment : size
    size = at + count * (isNative ? native : standard)
    chunks.push([at, bytes])
    if (char !== 'x') for (let byte = at; byte < size; byte += 1) owned.add(byte)
  }
  const whole = new Uint8Array(size)
  for (const [at, bytes] of chunks) whole.set(bytes, at)
  const values = items.flatMap((item) => item.values)
  return {
    format,
    size,
    given: values.map(({ given }) => given),
    expected: values.map(({ expected }) => expected),
    bytes: whole,
    pads: Array.from(whole.keys()).filter((byte) => !owned.has(byte)),
  }
}

/** Formats of the given codes (default: all), with what fits them. */
export function cases(of: readonly string[] = chars): fc.Arbitrary<Case> {
  return fc.constantFrom('', '@', '=', '<', '>', '!').chain((prefix) => {
    const isNative = prefix === '' || prefix === '@'
    const known = chars.filter((char) => of.includes(char) && (isNative || table[char][0] > 0))
    const any = fc.oneof(...known.map((char) => item(char, isNative)))
    return fc
      .tuple(fc.array(any, { maxLength: 8 }), space)
      .map(([items, rest]) => assembled(prefix, items, rest))
  })
}

/** All codes except those named. */
export const except = (left: string) => chars.filter((char) => !left.includes(char))

/** What fits no code, or not every code. */
export const oddities: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    Number.NaN,
    -0,
    0.5,
    1e300,
    -1,
    65_520,
    // The least that a float of 32 bits would round to an infinity.
    2 ** 128 - 2 ** 103,
    2 ** 128 - 2 ** 104,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 64,
    -(2 ** 63),
    2n ** 31n,
    2n ** 63n,
    2n ** 64n,
    2n ** 2000n,
    -(2n ** 63n) - 1n,
    '',
    '1',
    true,
    [],
    [1],
    {},
    { re: 1, im: 2 },
    { re: 1 },
    { re: 'a', im: 1e39 },
    { valueOf: () => 1 },
    () => 1,
    new Date(0),
    new Uint8Array(0),
    new Uint8Array(1),
    Buffer.alloc(300, 7),
    new Float64Array(1),
    new DataView(new ArrayBuffer(4)),
    new ArrayBuffer(4),
  ),
  fc.double(),
  fc.bigInt(),
  fc.uint8Array(),
)
