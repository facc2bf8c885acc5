import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as struct from '../../src/struct/index.js'
import { Struct } from '../../src/struct/index.js'
import { alike, formats, names, refused, type Untyped } from './hostile.js'
import { both, warm } from './warm.js'

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
    for (const made of both(format)) {
      const values = made.unpack(data)
      assert.deepEqual(made.encode(values), data)
      assert.deepEqual(made.pack(...values), data)
      const target = Buffer.alloc(65_507)
      made.packInto(target, 0, ...values)
      assert.deepEqual(target, data)
    }
    const values = new Struct(format).unpack(data)
    assert.deepEqual(struct.pack(format as string, ...values), data)
    const target = Buffer.alloc(65_507)
    struct.packInto(format as string, target, 0, ...values)
    assert.deepEqual(target, data)
  }
})

test('a list of any length can be encoded, and is read once', () => {
  const long = '<200000B'
  const values = new Array(200_000).fill(7)
  for (const made of both(long)) {
    assert.deepEqual(made.encode(values), Buffer.alloc(200_000, 7))
  }
  const refused = { code: 'ERR_STRUCT_COUNT' }
  for (const made of both('<2B')) {
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
  assert.deepEqual(made.encode(given), new Struct(format).encode(new Array(1034).fill(5)))
  assert.equal(reads, 1)
})

test('an argument that is missing is refused', () => {
  for (const format of [...formats, '<I', '!33B']) {
    for (const name of names) alike(format, `${name}()`, (struct) => struct[name]())
    alike(format, 'packInto(buffer)', (struct) => struct.packInto(Buffer.alloc(99)))
    alike(format, 'packInto(buffer, 0)', (struct) => struct.packInto(Buffer.alloc(9), 0))
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
  const untouched = Buffer.alloc(4, 0xaa)
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
      const target = Buffer.from(untouched)
      const packed = alike(format, told, (struct) => struct.packInto(target, offset, ...values))
      refused(packed, 'ERR_STRUCT_OFFSET', told)
      assert.deepEqual(target, untouched)
    }
    const target = Buffer.alloc(4)
    const missing = alike(format, 'at undefined', (struct) =>
      struct.packInto(target, undefined, ...values),
    )
    refused(missing, 'ERR_STRUCT_OFFSET', 'undefined')
  }
})
