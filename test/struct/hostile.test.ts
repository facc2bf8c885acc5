import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { MulticastReceiver, MulticastSender } from '../../src/index.js'
import * as struct from '../../src/struct/index.js'
import { Struct, StructError } from '../../src/struct/index.js'
import { threshold } from '../../src/struct/struct.js'
import { group, keep } from '../loopback.js'
import { cases, holds, oddities } from './formats.js'
import { answer, type Outcome } from './outcome.js'
import { runNode, runStruct } from './program.js'

/** A format's operations, without their types: what is given here is mostly of none of them. */
interface Untyped {
  pack(...given: unknown[]): unknown
  packInto(...given: unknown[]): unknown
  unpack(...given: unknown[]): unknown
  unpackFrom(...given: unknown[]): unknown
  iterUnpack(...given: unknown[]): Iterable<unknown>
  encode(...given: unknown[]): unknown
  decode(...given: unknown[]): unknown
}

const functions = struct as unknown as Record<string, (...given: unknown[]) => unknown>
const names = [
  'pack',
  'packInto',
  'unpack',
  'unpackFrom',
  'iterUnpack',
  'encode',
  'decode',
] as const

function cold(format: string): Untyped {
  return new Struct(format) as unknown as Untyped
}

/** After so many calls that code was generated for the format. */
function warm(format: string): Untyped {
  const struct = new Struct(format)
  for (let call = 0; call < threshold; call += 1) {
    try {
      struct.unpackFrom(nothing, -1)
    } catch {}
  }
  return struct as unknown as Untyped
}

const nothing = Buffer.alloc(0)
// Thousands of errors are made, and none of their stacks is looked at.
Error.stackTraceLimit = 1

/** What comes of a call, cold and warm: the same, and no error but a StructError. */
function alike(format: string, told: string, call: (struct: Untyped) => unknown): Outcome {
  const [first, second] = [cold(format), warm(format)].map((struct, at) =>
    answer(
      () => call(struct),
      () => `${['cold', 'warm'][at]} '${format.slice(0, 40)}' ${told}`,
    ),
  )
  assert.ok(first && second)
  assert.deepEqual(second, first, `'${format.slice(0, 40)}' ${told}`)
  return first
}

function refused(came: Outcome, code: string, told: string): void {
  assert.ok('error' in came, `${told} was taken`)
  assert.equal((came.error as StructError).code, code, told)
}

class Subclass extends Uint8Array {}
const Foreign: typeof Uint8Array = runInNewContext('Uint8Array')

/** Bytes in every guise. Each is made anew from those it is to hold. */
const guises: Record<string, (bytes: readonly number[]) => Uint8Array> = {
  Uint8Array: (bytes) => Uint8Array.from(bytes),
  // Not of the pool, in whose other parts there are other Buffers.
  Buffer: (bytes) => Buffer.from(Uint8Array.from(bytes).buffer),
  'the middle of other bytes': (bytes) => inMiddle(bytes, (size) => new ArrayBuffer(size)),
  'shared memory': (bytes) => inMiddle(bytes, (size) => new SharedArrayBuffer(size)),
  'a Buffer of shared memory': (bytes) => {
    const { buffer, byteOffset, length } = inMiddle(bytes, (size) => new SharedArrayBuffer(size))
    return Buffer.from(buffer, byteOffset, length)
  },
  'memory that can be resized': (bytes) => inMiddle(bytes, resizable),
  'shared memory that can grow': (bytes) => inMiddle(bytes, growable),
  'a view as long as its memory': (bytes) => {
    const memory = resizable(4)
    const view = new Uint8Array(memory, 4)
    ;(memory as unknown as { resize(size: number): void }).resize(4 + bytes.length)
    view.set(bytes)
    return view
  },
  'a subclass': (bytes) => new Subclass(bytes),
  'another realm': (bytes) => Foreign.from(bytes),
}

const canary = 0xaa

function inMiddle(bytes: readonly number[], memory: (size: number) => ArrayBufferLike) {
  const all = new Uint8Array(memory(bytes.length + 26)).fill(canary)
  all.set(bytes, 13)
  return all.subarray(13, 13 + bytes.length)
}

type Growing = new (size: number, options: { maxByteLength: number }) => ArrayBuffer

function resizable(size: number): ArrayBuffer {
  return new (ArrayBuffer as unknown as Growing)(size, { maxByteLength: size + 4096 })
}

function growable(size: number): ArrayBuffer {
  return new (SharedArrayBuffer as unknown as Growing)(size, { maxByteLength: size + 4096 })
}

/** All of the memory that a view is of, without what the view shows. */
function around({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  const all = Uint8Array.from(new Uint8Array(buffer))
  return all.fill(0, byteOffset, byteOffset + length)
}

/** Formats that have every code, and every way in which a program packs and unpacks. */
const formats = [
  '<BhIq?efd',
  '>BhIq?efd',
  '@bHlQnNP',
  '<4s20s5p40px',
  '>20B20h20I20q20?20e20f20d20c',
  '!c2s0s0p3xb',
  '<FD',
  '>33H',
  '@b0q',
  '',
]

const numbersOf = (size: number) => Array.from({ length: size }, (_, at) => (at * 37 + 1) & 0x3f)

for (const [guise, make] of Object.entries(guises)) {
  test(`bytes may be ${guise}, and nothing around them is read or written`, () => {
    for (const format of formats) {
      const { size } = new Struct(format)
      const numbers = numbersOf(size)
      const plain = Uint8Array.from(numbers)
      const values = new Struct(format).unpack(plain)
      const result = { result: values }
      const told = `of ${guise}`
      assert.deepEqual(
        alike(format, told, (struct) => struct.unpack(make(numbers))),
        result,
      )
      const padded = [1, ...numbers, 2, 3]
      for (const offset of [1, -2 - size]) {
        assert.deepEqual(
          alike(format, told, (struct) => struct.unpackFrom(make(padded), offset)),
          result,
        )
        const expected = [...padded]
        expected.splice(1, size, ...new Struct(format).pack(...values))
        const came = alike(format, told, (struct) => {
          const target = make(padded)
          const before = around(target)
          struct.packInto(target, offset, ...values)
          assert.deepEqual(around(target), before)
          return Array.from(target)
        })
        assert.deepEqual(came, { result: expected })
      }
      if (size === 0) continue
      assert.deepEqual(
        alike(format, told, (struct) => [...struct.iterUnpack(make([...numbers, ...numbers]))]),
        { result: [values, values] },
      )
      for (const length of [0, 1, size - 1, size + 1]) {
        const wrong = numbersOf(length)
        const given = make(wrong)
        const came = alike(format, told, (struct) => struct.unpack(given))
        if (length !== size) refused(came, 'ERR_STRUCT_BUFFER', `${format} ${length}`)
      }
    }
  })

  test(`a value that is bytes may be ${guise}`, () => {
    for (const format of ['<4s', '<2s', '<6s', '<20s', '<5p', '<3p', '<40p', '<0s', '<0p', '<?']) {
      const expected = new Struct(format).pack(Buffer.of(1, 2, 3, 4))
      const came = alike(format, guise, (struct) => struct.pack(make([1, 2, 3, 4])))
      assert.deepEqual(came, { result: expected })
    }
    const came = alike('<c', guise, (struct) => struct.pack(make([7])))
    assert.deepEqual(came, { result: Buffer.of(7) })
  })
}

test('no value depends on what is around the bytes', () => {
  holds(
    150,
    fc.property(cases(), ({ format, bytes }) => {
      for (const struct of [cold(format), warm(format)]) {
        const expected = struct.unpack(bytes)
        for (const filling of [0, 0x55, 0xff]) {
          const memory = new Uint8Array(bytes.length + 32).fill(filling)
          memory.set(bytes, 16)
          assert.deepEqual(struct.unpack(memory.subarray(16, 16 + bytes.length)), expected)
          assert.deepEqual(struct.unpackFrom(memory, 16), expected)
        }
      }
    }),
  )
})

/** What is no bytes. */
const impostors: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  0: () => 0,
  8: () => 8,
  NaN: () => Number.NaN,
  '8n': () => 8n,
  'a string': () => 'abcdefgh',
  'a String': () => new String('abcdefgh'),
  'a boolean': () => true,
  'a symbol': () => Symbol('eight'),
  'a function': () => (_a: unknown, _b: unknown) => 8,
  'an empty list': () => [],
  'a list': () => [1, 2, 3, 4, 5, 6, 7, 8],
  'an object': () => ({}),
  'an object with a length': () => ({ length: 8, byteLength: 8, byteOffset: 0, 0: 1 }),
  'an object without a prototype': () => Object.create(null),
  'an ArrayBuffer': () => new ArrayBuffer(8),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(8),
  'a DataView': () => new DataView(new ArrayBuffer(8)),
  'a Float64Array': () => new Float64Array(8),
  'a Float64Array of 8 bytes': () => new Float64Array(1),
  'an Int8Array': () => new Int8Array(8),
  'a Uint8ClampedArray': () => new Uint8ClampedArray(8),
  'a Uint16Array': () => new Uint16Array(4),
  'a Date': () => new Date(8),
  'a Map': () => new Map(),
  'a promise': () => Promise.resolve(Buffer.alloc(8)),
  'an iterable': () => new Set([1, 2, 3]),
  'a Proxy of bytes': () => new Proxy(Buffer.alloc(8), {}),
  'an object made of the prototype': () => Object.create(Uint8Array.prototype),
  'a Float64Array with that prototype': () =>
    Object.setPrototypeOf(new Float64Array(8).fill(1.5), Uint8Array.prototype),
  'an object whose length throws': () => ({
    get length(): never {
      throw new Error('looked at')
    },
  }),
}

for (const [name, make] of Object.entries(impostors)) {
  test(`${name} is no bytes`, () => {
    // As many bytes as most of them have to offer.
    for (const format of ['<q', '<8s', '<8B', '<8x', '>33H', '<4sI', '<D']) {
      const values = new Struct(format).unpack(Buffer.alloc(new Struct(format).size))
      for (const method of ['unpack', 'unpackFrom', 'iterUnpack', 'decode'] as const) {
        const given = make()
        const came = alike(format, `${method} of ${name}`, (struct) => struct[method](given))
        refused(came, 'ERR_STRUCT_BUFFER', `${method} of ${name}`)
      }
      const given = make()
      const came = alike(format, `into ${name}`, (struct) => struct.packInto(given, 0, ...values))
      refused(came, 'ERR_STRUCT_BUFFER', `packInto() of ${name}`)
    }
    for (const format of ['<8s', '<4s', '<8p', '<0s', '<c', '<20s']) {
      const given = make()
      const came = alike(format, `packing ${name}`, (struct) => struct.pack(given))
      refused(came, 'ERR_STRUCT_VALUE', `${format} of ${name}`)
    }
    // Integers, floats and complex numbers may be made of some of them, but nothing else may happen.
    for (const format of [
      'b',
      'H',
      'i',
      'q',
      'Q',
      'P',
      'e',
      'f',
      'd',
      'F',
      '?',
      '17B',
      '17q',
      '17Q',
    ]) {
      const value = make()
      const { length } = new Struct(format).unpack(Buffer.alloc(new Struct(format).size))
      alike(format, `packing ${name}`, (struct) => {
        const given = new Array<unknown>(length).fill(value)
        return struct.pack(...given)
      })
    }
  })
}

test('bytes that are detached are none, or refused', () => {
  const detached = () => {
    const { buffer } = Uint8Array.of(1, 2, 3, 4)
    const bytes = Buffer.from(buffer)
    structuredClone(buffer, { transfer: [buffer] })
    assert.equal(bytes.length, 0)
    return bytes
  }
  const given = detached()
  for (const format of ['', '0I', '0s', '2x', '<4s', '<40s', '<4B', '>33B', '<4p', '<2c', '?']) {
    for (const method of ['unpack', 'unpackFrom', 'decode'] as const) {
      const came = alike(format, `${method} of detached`, (struct) => struct[method](given))
      const expected = alike(format, `${method} of none`, (struct) => struct[method](nothing))
      assert.equal('error' in came, 'error' in expected)
    }
    alike(format, 'iterUnpack', (struct) => [...struct.iterUnpack(given)])
    alike(format, 'pack', (struct) => struct.pack(given))
    for (const offset of [0, 1, -1]) {
      alike(format, 'packInto', (struct) => struct.packInto(given, offset))
      alike(format, 'packInto', (struct) => struct.packInto(given, offset, given))
      alike(format, 'packInto', (struct) => struct.packInto(Buffer.alloc(9), offset, given))
    }
  }
})

test('memory that has become too short for a view has no bytes', () => {
  const memory = resizable(16)
  const view = new Uint8Array(memory, 4, 8)
  ;(memory as unknown as { resize(size: number): void }).resize(8)
  for (const format of ['', '<8s', '<8B', '<20s', '<0s', '<Q']) {
    for (const method of ['unpack', 'unpackFrom', 'decode', 'pack'] as const) {
      alike(format, `${method} of too short`, (struct) => struct[method](view))
    }
    alike(format, 'packInto', (struct) => struct.packInto(view, 0, view))
    alike(format, 'packInto', (struct) => struct.packInto(Buffer.alloc(20), 0, view))
  }
})

test('a subclass may have a constructor of its own', () => {
  class Sized extends Uint8Array {
    constructor(size: number | ArrayBuffer) {
      super(size as number)
    }
  }
  const make = (size: number) => new Sized(size).map((_, at) => at + 1)
  const plain = (size: number) => Uint8Array.from(make(size))
  for (const format of ['<2s', '<20s', '<40s', '<2p', '<20p', '<8s', '<9s']) {
    const { size } = new Struct(format)
    for (const length of [1, 8, 28]) {
      const packed = alike(format, 'of its own', (struct) => struct.pack(make(length)))
      assert.deepEqual(packed, { result: new Struct(format).pack(plain(length)) })
    }
    const read = alike(format, 'of its own', (struct) => struct.unpackFrom(make(size + 4), 2))
    assert.deepEqual(read, { result: new Struct(format).unpackFrom(plain(size + 4), 2) })
    const written = alike(format, 'of its own', (struct) => {
      const target = make(size + 4)
      struct.packInto(target, 2, plain(3))
      return Array.from(target)
    })
    assert.ok('result' in written)
  }
})

test('what a value does while it is looked at changes nothing else', () => {
  const inner: Untyped = warm('<qqdd20q')
  const others = inner.unpack(Buffer.alloc(192, 0x77)) as unknown[]
  const meddling = {
    get re() {
      inner.pack(...others)
      inner.unpack(Buffer.alloc(192, 0x66))
      return 1
    },
  }
  const inherits = new Proxy(
    {},
    {
      getPrototypeOf() {
        inner.pack(...others)
        return null
      },
    },
  )
  const tries: [format: string, given: unknown[]][] = [
    ['<q?q', [1, meddling, 2]],
    ['<d?d', [1.5, meddling, 2.5]],
    ['<f?f17q?', [1.5, meddling, 2.5, ...new Array(17).fill(3), meddling]],
  ]
  for (const [format, given] of tries) {
    const expected = new Struct(format).pack(...given.map((value) => value === meddling || value))
    const came = alike(format, 'meddling', (struct) => struct.pack(...given))
    assert.deepEqual(came, { result: expected })
    const into = alike(format, 'meddling', (struct) => {
      const target = Buffer.alloc(expected.length)
      struct.packInto(target, 0, ...given)
      return target
    })
    assert.deepEqual(into, { result: expected })
  }
  alike('<q4s', 'inheriting', (struct) => struct.pack(1, inherits))
})

test('as many values can be packed as a datagram has bytes', () => {
  for (const code of ['B', '?', 'c']) {
    const format = `<65507${code}`
    const data = Buffer.alloc(65_507, 1)
    for (const made of [cold(format), warm(format)]) {
      const values = made.unpack(data) as unknown[]
      assert.deepEqual(made.encode(values), data)
      assert.deepEqual(made.pack(...values), data)
      const target = Buffer.alloc(65_507)
      made.packInto(target, 0, ...values)
      assert.deepEqual(target, data)
    }
    const values = cold(format).unpack(data) as unknown[]
    assert.deepEqual(struct.pack(format as string, ...values), data)
    const target = Buffer.alloc(65_507)
    struct.packInto(format as string, target, 0, ...values)
    assert.deepEqual(target, data)
  }
})

test('a list of any length can be encoded, and is read once', () => {
  const long = '<200000B'
  const values = new Array(200_000).fill(7)
  for (const made of [cold(long), warm(long)]) {
    assert.deepEqual(made.encode(values), Buffer.alloc(200_000, 7))
  }
  const refused = { code: 'ERR_STRUCT_COUNT' }
  for (const made of [cold('<2B'), warm('<2B')]) {
    assert.throws(() => made.encode(new Array(1e6)), refused)
  }
  const format = `<QB${'QB'.repeat(16)}1000H`
  const made = warm(format)
  const given = new Array(1034).fill(5)
  const others = new Array(1034).fill(77)
  let reads = 0
  const element = () => {
    reads += 1
    made.encode(others)
    return 5
  }
  Object.defineProperty(given, 1, { get: element })
  assert.deepEqual(made.encode(given), cold(format).encode(new Array(1034).fill(5)))
  assert.equal(reads, 1)
})

test('an argument that is missing is refused', () => {
  for (const format of [...formats, '<I', '!33B']) {
    for (const name of names) alike(format, `${name}()`, (struct) => struct[name]())
    alike(format, 'packInto(buffer)', (struct) => struct.packInto(Buffer.alloc(99)))
    alike(format, 'packInto(buffer, 0)', (struct) => struct.packInto(Buffer.alloc(9), 0))
  }
})

test('what is no string is no format', () => {
  for (const [name, make] of Object.entries(impostors)) {
    if (name === 'a string') continue
    const calls = Object.entries(functions).filter(([key]) => key === 'calcsize' || key in cold(''))
    assert.equal(calls.length, 6)
    for (const [key, call] of calls) {
      const came = answer(
        () => call(make(), nothing),
        () => `${key} of ${name}`,
      )
      refused(came, 'ERR_STRUCT_FORMAT', `${key} of ${name}`)
    }
    assert.throws(() => new Struct(make() as string), { code: 'ERR_STRUCT_FORMAT' })
  }
})

test('an offset is an integer within the bytes, and nothing is written for any other', () => {
  const right: [offset: unknown, at: number][] = [
    [0, 0],
    [-0, 0],
    [0n, 0],
    [false, 0],
    [true, 1],
    [1, 1],
    [1n, 1],
    [-4, 0],
    [-4n, 0],
    [-3, 1],
  ]
  const wrong: unknown[] = [
    null,
    Number.NaN,
    0.5,
    -0.5,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2,
    -1,
    -2,
    -5,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 32 + 1,
    -(2 ** 32),
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 64,
    1e300,
    2n ** 32n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 63n,
    2n ** 64n,
    10n ** 400n,
    '0',
    '',
    [],
    [0],
    {},
    { valueOf: () => 0 },
    Symbol.iterator,
    () => 0,
    Buffer.of(0),
  ]
  for (const format of ['<3s', '<BH', '>3B']) {
    const values = new Struct(format).unpack(Buffer.of(1, 2, 3))
    for (const [offset, at] of right) {
      const told = `at ${String(offset)}`
      const read = alike(format, told, (struct) => struct.unpackFrom(Buffer.of(9, 1, 2, 3), offset))
      const expected = at === 0 ? new Struct(format).unpack(Buffer.of(9, 1, 2)) : values
      assert.deepEqual(read, { result: expected })
      const packed = alike(format, told, (struct) => {
        const target = Buffer.of(9, 9, 9, 9)
        struct.packInto(target, offset, ...values)
        return target
      })
      assert.deepEqual(packed, { result: at === 0 ? Buffer.of(1, 2, 3, 9) : Buffer.of(9, 1, 2, 3) })
    }
    for (const offset of wrong) {
      const told = `at ${typeof offset} ${String(offset)}`
      const read = alike(format, told, (struct) => struct.unpackFrom(Buffer.alloc(4), offset))
      refused(read, 'ERR_STRUCT_OFFSET', told)
      const target = Buffer.alloc(4, canary)
      const packed = alike(format, told, (struct) => struct.packInto(target, offset, ...values))
      refused(packed, 'ERR_STRUCT_OFFSET', told)
      assert.deepEqual(target, Buffer.alloc(4, canary))
    }
    const target = Buffer.alloc(4)
    const missing = alike(format, 'at undefined', (struct) =>
      struct.packInto(target, undefined, ...values),
    )
    refused(missing, 'ERR_STRUCT_OFFSET', 'undefined')
  }
})

const most = Number.MAX_SAFE_INTEGER

/** Formats with the size that they have, or undefined where it is too much. */
const vast: [format: string, size: number | undefined][] = [
  [`${most}x`, most],
  [`<${most}s`, most],
  [`>${most}B`, most],
  [`=${most}p`, most],
  [`${most - 1}xb`, most],
  [`${most}xb`, undefined],
  [`<${2n ** 53n}x`, undefined],
  [`<${2n ** 50n - 1n}d`, 2 ** 53 - 8],
  [`<${2n ** 50n}d`, undefined],
  [`<${2n ** 49n - 1n}D7x`, 2 ** 53 - 9],
  [`<${2n ** 49n}D`, undefined],
  // What follows is aligned to 2⁵³ − 8, and to 2⁵³.
  [`@${2n ** 53n - 9n}x0q`, 2 ** 53 - 8],
  [`@${2n ** 53n - 7n}x0q`, undefined],
  [`@${2n ** 53n - 9n}xq`, undefined],
  [`${2n ** 31n}x`, 2 ** 31],
  [`${2n ** 32n}x`, 2 ** 32],
  [`${2n ** 62n}s`, undefined],
  [`${2n ** 63n - 1n}x`, undefined],
  [`${2n ** 63n}x`, undefined],
  [`${2n ** 64n}x`, undefined],
  [`${2n ** 64n + 1n}x`, undefined],
  [`${2n ** 63n - 1n}x`.repeat(9), undefined],
  ['9'.repeat(19).concat('I'), undefined],
  ['9'.repeat(400).concat('x'), undefined],
]

test('a size that a number does not hold is refused, and those up to it are exact', () => {
  for (const [format, size] of vast) {
    const came = answer(
      () => struct.calcsize(format),
      () => format,
    )
    if (size !== undefined) assert.deepEqual(came, { result: size }, format)
    else refused(came, 'ERR_STRUCT_FORMAT', format)
  }
})

test('no memory is asked for in vain', () => {
  for (const [format, size] of vast) {
    if (size === undefined) continue
    const takesNone = /^\D?\d+x(0q)?$/.test(format)
    // Of so much there may be memory.
    if (size < 2 ** 45 && takesNone) continue
    const none = alike(format, 'pack()', (struct) => struct.pack())
    refused(none, takesNone ? 'ERR_STRUCT_BUFFER' : 'ERR_STRUCT_COUNT', format)
    const takesOne = /[sp]$|xb$/.test(format)
    const one = alike(format, 'pack(bytes)', (struct) => struct.pack(Buffer.from('a')))
    refused(one, takesOne ? 'ERR_STRUCT_BUFFER' : 'ERR_STRUCT_COUNT', format)
  }
  for (const [format, size] of vast) {
    if (size === undefined) continue
    const given = [Buffer.alloc(8)]
    const into = alike(format, 'packInto()', (struct) => struct.packInto(given[0], 0, 1))
    assert.ok('error' in into)
    const read = alike(format, 'unpack()', (struct) => struct.unpack(given[0]))
    refused(read, 'ERR_STRUCT_BUFFER', format)
    for (const offset of [0, -8, 8, 2 ** 53 - 1, -(2 ** 53) + 1, 2n ** 63n - 1n]) {
      const from = alike(format, 'unpackFrom()', (struct) => struct.unpackFrom(given[0], offset))
      refused(from, 'ERR_STRUCT_OFFSET', format)
    }
    const each = alike(format, 'iterUnpack()', (struct) => [...struct.iterUnpack(given[0])])
    refused(each, 'ERR_STRUCT_BUFFER', format)
    assert.deepEqual([...(cold(format).iterUnpack(nothing) as Iterable<unknown>)], [])
  }
})

/** Every name in the source: an option, a detail or a field that is missing may be looked up. */
function namesInSource(): string[] {
  const src = new URL('../../src/struct/', import.meta.url)
  const files = readdirSync(src).filter((file) => file.endsWith('.ts'))
  const texts = files.map((file) =>
    readFileSync(new URL(file, src), 'utf8').replace(/\/\*.*?\*\//gs, ''),
  )
  return [...new Set(texts.join('\n').match(/[a-zA-Z_]\w*/g))]
}

// Two at a time: they take most of the time of this file.
describe('in a process of its own', { concurrency: 2 }, () => {
  test('a megabyte of format is parsed, or refused, in linear time and memory', async () => {
    // In a process that ends at a heap of 1,200 MB, and is ended after a minute.
    const stdout = await runStruct(
      `
    const times = 1e6
    const formats = [
      ['I'.repeat(times), 4 * times], ['<' + 'I'.repeat(times), 4 * times],
      ['IH'.repeat(times / 2), 4 * times - 2], ['<' + 'IH'.repeat(times / 2), 3 * times],
      ['0s'.repeat(times / 2), 0], ['0p'.repeat(times / 2), 0], ['0I'.repeat(times / 2), 0],
      ['x'.repeat(times), times], ['1x'.repeat(times / 2), times / 2],
      ['s'.repeat(times), times], ['p'.repeat(times), times], ['c'.repeat(times), times],
      ['b0q'.repeat(times / 3), 8 * Math.floor(times / 3)],
      [' '.repeat(times), 0], [' \\t\\n\\v\\f\\r'.repeat(times / 6) + 'b', 1],
      ['0'.repeat(times) + 'b', 0], ['0'.repeat(times) + '7b', 7],
      ['1'.repeat(times) + 'b'], ['9'.repeat(times)], ['0'.repeat(times)], [' '.repeat(times) + '1'],
      ['I'.repeat(times) + '!'], ['z'.repeat(times)], ['<'.repeat(times)], ['\\0'.repeat(times)],
      ['é'.repeat(times)], ['I'.repeat(times) + 'é'], ['\\ud800'.repeat(times)], ['😀'.repeat(times / 2)],
      ['9007199254740991x'.repeat(times / 17)], ['${'9'.repeat(19)}I'.repeat(times / 20)],
    ]
    for (const [format, size] of formats) {
      const told = JSON.stringify(format.slice(0, 12))
      let made
      try {
        made = new struct.Struct(format)
      } catch (error) {
        if (error.code !== 'ERR_STRUCT_FORMAT') throw error
      }
      if (made?.size !== size) throw new Error(told + ': ' + made?.size + ', not ' + size)
      if (size === undefined) continue
      // More often than it takes to have code generated.
      for (let call = 0; call < 300; call += 1) {
        for (const refuse of [() => made.unpack(Buffer.alloc(3)), () => made.pack(1, 2, 3)]) {
          try {
            refuse()
            throw new Error(told + ' was taken')
          } catch (error) {
            if (!(error instanceof struct.StructError)) throw error
          }
        }
      }
      const data = Buffer.alloc(size, 1)
      const values = made.unpack(data)
      for (const value of [values[0], values.at(-1)]) {
        if (value !== undefined && typeof value !== 'number' && !Buffer.isBuffer(value)) {
          throw new Error(told + ' gave ' + typeof value)
        }
      }
    }
    console.log('parsed ' + formats.length)`,
      '--max-old-space-size=1200',
    )
    assert.equal(stdout, 'parsed 31\n')
  })

  test('a million formats leave nothing behind', async () => {
    // Each leaves a few hundred bytes while it is used: a cache without a bound ends this process.
    const stdout = await runStruct(
      `
    for (let count = 0; count < 1e6; count += 1) struct.calcsize('<' + count + 's')
    const bytes = Buffer.alloc(64)
    for (let format = 0; format < 1000; format += 1) {
      const text = '<' + 'BHIqd'.repeat(2) + format + 'x'
      for (let call = 0; call < 300; call += 1) {
        struct.pack(text, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
      }
    }
    for (let format = 0; format < 300; format += 1) {
      const text = '<' + 'IH'.repeat(5_000) + format + 'x'
      if (struct.calcsize(text) !== 30_000 + format) throw new Error(text)
    }
    console.log('done')`,
      '--max-old-space-size=48',
    )
    assert.equal(stdout, 'done\n')
  })

  test('a format that was cut out of a large text does not keep the text', async () => {
    // 256 texts of a megabyte would end this process.
    const stdout = await runStruct(
      `
    for (let text = 0; text < 1000; text += 1) {
      const format = ('<' + text + 'x 10s 10s 10s ' + ' '.repeat(1e6)).slice(0, 20)
      struct.calcsize(format)
    }
    console.log('done')`,
      '--max-old-space-size=64',
    )
    assert.equal(stdout, 'done\n')
  })

  test('all works where no code may be generated', async () => {
    const file = fileURLToPath(new URL('roundtrip.test.ts', import.meta.url))
    const stdout = await runNode([
      '--disallow-code-generation-from-strings',
      '--import',
      'tsx',
      '--test-reporter=tap',
      '--test-name-pattern=^(what was|packInto|unpackFrom|iterUnpack|a Struct gives|the functions)',
      file,
    ])
    assert.match(stdout, /^# pass 7$/m)
    assert.match(stdout, /^# fail 0$/m)
  })

  test('what is put on Object.prototype has no influence, and gets into no program', async () => {
    // The language itself looks for these: in a descriptor, and in an iterator that is left early.
    const names = namesInSource().filter((name) => !['get', 'set', 'return'].includes(name))
    assert.ok(names.length > 300)
    const stdout = await runStruct(`
    const formats = ['<BhIq?efd4s20s5p40p', '>20B20h20I20q20?20e20f20d20c', '@bHlQnNPFD', '<BxH']
    function outcome(call) {
      try {
        return call()
      } catch (error) {
        return Object.entries(error).filter(([name]) => Object.hasOwn(error, name)).concat(error.message)
      }
    }
    function all() {
      const outcomes = []
      for (const format of formats) {
        const made = new struct.Struct(format)
        const bytes = Buffer.alloc(made.size, 1)
        for (let calls = 0; calls < 300; calls += 150) {
          const values = made.unpack(bytes)
          outcomes.push(
            values,
            made.unpackFrom(bytes),
            made.pack(...values),
            outcome(() => made.packInto(Buffer.alloc(made.size), 0, ...values)),
            outcome(() => made.pack(...values.map(() => ({})))),
            outcome(() => made.pack(1)),
            outcome(() => made.packInto(bytes, 1, ...values)),
            outcome(() => made.unpack({})),
            outcome(() => struct.pack(format, ...values)),
          )
          for (let call = 0; call < 150; call += 1) made.unpack(bytes)
        }
      }
      return outcomes
    }
    const text = (value) => JSON.stringify(value, (_, item) => typeof item === 'bigint' ? item + 'n' : item)
    const expected = text(all())
    const wrong = []
    for (const name of ${JSON.stringify(names)}) {
      if (name in Object.prototype) continue
      Object.prototype[name] = 'throw new Error("injected");'
      let got
      try {
        got = all()
      } catch (error) {
        got = [String(error)]
      }
      delete Object.prototype[name]
      if (text(got) !== expected) wrong.push(name)
    }
    console.log(wrong.length === 0 ? 'none' : wrong.join(' '))`)
    assert.equal(stdout, 'none\n')
  })
})

const alphabet = 'xcbB?hHiIlLqQnNefdFDspP@=<>! \t\n\v\f\r'
const digits = ['0', '1', '2', '3', '7', '16', '17', '40', '300', '70000', `${2n ** 63n}`]
const unit = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...alphabet) },
  { weight: 4, arbitrary: fc.constantFrom(...digits) },
  { weight: 1, arbitrary: fc.string({ maxLength: 2, unit: 'binary' }) },
)
const noise = fc.array(unit, { maxLength: 12 }).map((parts) => parts.join(''))
const anything = fc.oneof(oddities, fc.anything({ withTypedArray: true, withBigInt: true }))

test('nothing but a result or a StructError comes of anything', () => {
  let valid = 0
  holds(
    1500,
    fc.property(
      noise,
      fc.array(anything, { maxLength: 6 }),
      fc.uint8Array(),
      (format, given, bytes) => {
        const sized = answer(
          () => struct.calcsize(format),
          () => format,
        )
        for (const name of names) {
          answer(
            () => functions[name]?.(format, ...given),
            () => `${name} ${format}`,
          )
        }
        if (!('result' in sized) || (sized.result as number) > 2 ** 22) return
        valid += 1
        // Not all are worth 256 calls.
        if (valid % 4 > 0) return
        const size = sized.result as number
        const data = Buffer.alloc(size)
        for (let at = 0; at < size; at += Math.max(bytes.length, 1))
          data.set(bytes.subarray(0, size - at), at)
        const inputs = [given, [data], [data, ...given], [data, 0, ...given], [bytes, ...given]]
        // Both stay what they are: it takes more calls than these to have code generated.
        const [first, second] = [cold(format), warm(format)]
        for (const input of inputs) {
          for (const name of names) {
            const [expected, got] = [first, second].map((struct) =>
              answer(
                () => {
                  const result = struct[name](...input)
                  return name === 'iterUnpack' ? [...(result as Iterable<unknown>)] : result
                },
                () => `${name} of ${format}`,
              ),
            )
            assert.deepEqual(got, expected)
          }
        }
      },
    ),
  )
  assert.ok(valid > 200, `${valid} valid formats`)
})

test('a Struct is a codec, and a datagram of another length is malformed', async () => {
  const codec = new Struct('>IH4s?')
  const receiver = keep(new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'], codec }))
  await receiver.ready()
  const where = { group, port: receiver.address().port, interface: '127.0.0.1' }
  const sender = keep(new MulticastSender({ ...where, codec }))
  const raw = keep(new MulticastSender(where))
  const text = Buffer.from('abcd')
  // Before and after code was generated for it.
  for (let round = 0; round < 2; round += 1) {
    const heard = once(receiver, 'message')
    assert.equal(await sender.send([round, 7, text, true]), 11)
    const [message] = await heard
    assert.deepEqual(message, [round, 7, text, true])

    const malformed = once(receiver, 'malformed')
    await raw.send(Buffer.alloc(12))
    const [error, data] = await malformed
    assert.equal(error.code, 'ERR_MULTICAST_DECODE')
    assert.ok(error.cause instanceof StructError)
    assert.equal(error.cause.code, 'ERR_STRUCT_BUFFER')
    assert.equal(error.cause.message, 'unpack requires a buffer of 11 bytes')
    assert.deepEqual(data, Buffer.alloc(12))

    for (const wrong of [[-1, 7, text, true], [1, 7, text], 'abcd', undefined]) {
      await assert.rejects(sender.send(wrong as never), (error: Error) => {
        assert.equal((error as StructError).code as string, 'ERR_MULTICAST_ENCODE')
        assert.ok(error.cause instanceof StructError)
        return true
      })
    }
    for (let call = 0; call < threshold; call += 1) codec.pack(1, 2, text, false)
  }
  assert.equal(receiver.stats.malformed, 2)
})
