import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import {
  calcsize,
  iterUnpack,
  pack,
  packInto,
  Struct,
  StructError,
  unpack,
  unpackFrom,
} from '../../src/struct/index.js'
import { threshold } from '../../src/struct/struct.js'
import { both } from './warm.js'

const nothing = Buffer.alloc(0)

function thrown(call: () => unknown): StructError {
  try {
    call()
  } catch (error) {
    if (error instanceof StructError) return error
    throw error
  }
  throw new Error('threw nothing')
}

test('a Struct tells its format as it was given, and its size', () => {
  for (const [format, size] of [
    ['', 0],
    ['<', 0],
    [' I\t', 4],
    ['@b0q', 8],
    ['>I4s?', 9],
  ] as const) {
    const struct = new Struct(format as string)
    assert.deepEqual([struct.format, struct.size], [format, size])
    assert.equal(calcsize(format as string), size)
  }
})

test('a Struct is shown with its format and size, however much it was used', () => {
  const [cold, hot] = both('>I4s')
  for (const struct of [cold, hot]) {
    assert.deepEqual(Object.keys(struct ?? {}), ['format', 'size'])
    assert.equal(inspect(struct), "Struct { format: '>I4s', size: 8 }")
    assert.equal(JSON.stringify(struct), '{"format":">I4s","size":8}')
  }
  assert.deepEqual(hot, cold)
  assert.notDeepEqual(hot, new Struct('>I8s'))
})

test('an error tells the value that was refused, and which one it was', () => {
  for (const struct of both('<BxH2b4s')) {
    const bytes = Buffer.from('abcd')
    for (const [index, value, values] of [
      [0, 256, [256, 0, 0, 0, bytes]],
      [1, -1, [0, -1, 0, 0, bytes]],
      [3, 128n, [0, 0, 0, 128n, bytes]],
      [4, 'abcd', [0, 0, 0, 0, 'abcd']],
      [4, undefined, [0, 0, 0, 0, undefined]],
      // The first of two.
      [2, 0.5, [0, 0, 0.5, 128, bytes]],
    ] as const) {
      const error = thrown(() => struct.pack(...values))
      const { name, code, format } = error
      assert.deepEqual([name, code, format], ['StructError', 'ERR_STRUCT_VALUE', '<BxH2b4s'])
      assert.equal(error.index, index)
      assert.equal(error.value, value)
      assert.ok('value' in error)
    }
  }
})

test('each kind of error has its code, and tells what was refused', () => {
  const short = Buffer.alloc(3)
  for (const struct of both('<I')) {
    const { format } = struct
    const cases: [call: () => unknown, details: object][] = [
      [() => struct.pack(), { code: 'ERR_STRUCT_COUNT', format }],
      [() => struct.pack(1, 2), { code: 'ERR_STRUCT_COUNT', format }],
      [() => struct.unpack(short), { code: 'ERR_STRUCT_BUFFER', format, value: short }],
      [() => struct.unpack('abcd' as never), { code: 'ERR_STRUCT_BUFFER', format, value: 'abcd' }],
      [() => struct.iterUnpack(short), { code: 'ERR_STRUCT_BUFFER', format, value: short }],
      [() => struct.unpackFrom(short, 7), { code: 'ERR_STRUCT_OFFSET', format, value: 7 }],
      [() => struct.unpackFrom(short, 0.5), { code: 'ERR_STRUCT_OFFSET', format, value: 0.5 }],
      [() => struct.packInto(short, -4, 1), { code: 'ERR_STRUCT_OFFSET', format, value: -4 }],
      [() => struct.packInto(null as never, 0, 1), { code: 'ERR_STRUCT_BUFFER', value: null }],
      [() => new Struct('<Iz' as string), { code: 'ERR_STRUCT_FORMAT', format: '<Iz' }],
    ]
    for (const [call, details] of cases) {
      const error = thrown(call)
      const told = { ...error }
      assert.deepEqual({ ...told, ...details, name: 'StructError' }, told)
      assert.ok(error.message.length > 0)
      // Where nothing was refused by its index, none is shown.
      assert.ok(!('index' in error))
      assert.match(inspect(error), /^StructError: /)
    }
  }
})

test('unpacked bytes are copies: they neither see nor make changes of the data', () => {
  for (const struct of both('<2s20s3pc')) {
    const data = Buffer.alloc(struct.size, 1)
    const values = [struct.unpack(data), struct.unpackFrom(data), ...struct.iterUnpack(data)]
    data.fill(2)
    for (const value of values.flat()) {
      assert.ok(Buffer.isBuffer(value))
      assert.ok(value.length > 0 && value.every((byte) => byte === 1))
      value.fill(3)
    }
    assert.ok(data.every((byte) => byte === 2))
  }
})

test('what is packed is a Buffer of its own, and every list of values another one', () => {
  for (const struct of both('<I4s')) {
    const text = Buffer.from('abcd')
    const first = struct.pack(1, text)
    const second = struct.pack(1, text)
    text.fill(0)
    first.fill(0xff)
    assert.ok(Buffer.isBuffer(second))
    assert.deepEqual(second, Buffer.from('\x01\0\0\0abcd'))
    const values = struct.unpack(second)
    values.length = 0
    assert.deepEqual(struct.unpack(second), [1, Buffer.from('abcd')])
  }
})

test('iterUnpack() checks at once, and reads each struct when it comes to it', () => {
  for (const struct of both('<H')) {
    assert.throws(() => struct.iterUnpack(Buffer.alloc(3)), { code: 'ERR_STRUCT_BUFFER' })
    assert.throws(() => struct.iterUnpack('ab' as never), { code: 'ERR_STRUCT_BUFFER' })
    const data = Buffer.of(1, 0, 2, 0, 3, 0)
    const iterator = struct.iterUnpack(data)
    assert.equal(iterator[Symbol.iterator](), iterator)
    assert.deepEqual(iterator.next(), { value: [1], done: false })
    data[2] = 9
    assert.deepEqual([...iterator], [[9], [3]])
    assert.deepEqual(iterator.next(), { value: undefined, done: true })
    assert.deepEqual([...struct.iterUnpack(nothing)], [])
  }
  assert.throws(() => new Struct('0I').iterUnpack(nothing), {
    message: 'cannot iteratively unpack with a struct of length 0',
  })
})

test('the functions do what the methods of a Struct do', () => {
  const format = '>Hd3s' as string
  const values = [7, 0.5, Buffer.from('abc')]
  const struct = new Struct(format)
  const bytes = struct.pack(...values)
  assert.deepEqual(pack(format, ...values), bytes)
  assert.deepEqual(struct.encode(values), bytes)
  const target = Buffer.alloc(bytes.length + 2)
  packInto(format, target, 1, ...values)
  assert.deepEqual(target, Buffer.concat([Buffer.of(0), bytes, Buffer.of(0)]))
  assert.deepEqual(unpack(format, bytes), values)
  assert.deepEqual(struct.decode(bytes), values)
  assert.deepEqual(unpackFrom(format, target, 1), values)
  assert.deepEqual([...iterUnpack(format, bytes)], [values])
})

test('encode() takes a list alone: it is not to iterate over what never ends', () => {
  const struct = new Struct('<2B')
  function* endless() {
    for (;;) yield 1
  }
  for (const values of [undefined, null, 7, 'ab', {}, endless(), Buffer.of(1, 2)]) {
    const error = thrown(() => struct.encode(values as never))
    assert.equal(error.code, 'ERR_STRUCT_VALUE')
    assert.equal(error.value, values)
  }
})

test('a format that is in use stays parsed while ten thousand others come and go', () => {
  // What is in use by then has its code generated: seen by the interpreter not being asked any more.
  const probe = () => {
    const stack = thrown(() => unpack('<7B' as string, nothing)).stack ?? ''
    return stack.split('\n').some((line) => line.includes('eval at generate'))
  }
  for (let call = 0; call < threshold; call += 1) unpack('<7B', Buffer.alloc(7))
  assert.ok(probe())
  for (let other = 0; other < 10_000; other += 1) {
    calcsize(`<${other}s`)
    if (other % 100 === 0) assert.ok(probe(), `after ${other} others`)
  }
  // Not used any more, it makes room for those that are.
  for (let other = 0; other < 1000; other += 1) calcsize(`>${other}s`)
  assert.ok(!probe())
})

test('a subclass keeps what it overrides, however much it was used', () => {
  class Doubled extends Struct {
    packed = 0
    override pack(...values: unknown[]): ReturnType<typeof Buffer.alloc> {
      this.packed += 1
      return super.pack(...values.map((value) => Number(value) * 2))
    }
    override unpackFrom(data: Uint8Array, offset?: number): unknown[] {
      return super.unpackFrom(data, offset).map((value) => Number(value) / 2)
    }
  }
  const struct = new Doubled('<B')
  for (let call = 1; call < threshold * 2; call += 1) {
    assert.deepEqual(struct.pack(3), Buffer.of(6))
    assert.deepEqual(struct.encode([4]), Buffer.of(8))
    assert.equal(struct.packed, call * 2)
    assert.deepEqual(struct.unpackFrom(Buffer.of(6)), [3])
    assert.deepEqual([...struct.iterUnpack(Buffer.of(6, 8))], [[3], [4]])
    assert.deepEqual(struct.unpack(Buffer.of(6)), [6])
  }
})

test('a frozen Struct works, however much it was used', () => {
  const struct = Object.freeze(new Struct('<Hxb'))
  const bytes = Buffer.of(1, 2, 0, 0xff)
  for (let call = 0; call < threshold * 2; call += 1) {
    assert.deepEqual(struct.pack(0x201, -1), bytes)
    assert.deepEqual(struct.unpack(bytes), [0x201, -1])
  }
  assert.deepEqual(Object.keys(struct), ['format', 'size'])
})

test('a method of one Struct can be mocked, before and after code was generated', (t) => {
  for (const uses of [0, threshold]) {
    const struct = new Struct('<B')
    for (let call = 0; call < uses; call += 1) struct.pack(1)
    const pack = t.mock.method(struct, 'pack')
    for (let call = 0; call < threshold * 2; call += 1) {
      assert.deepEqual(struct.pack(2), Buffer.of(2))
      assert.deepEqual(struct.encode([3]), Buffer.of(3))
    }
    assert.equal(pack.mock.callCount(), threshold * 4)
    pack.mock.mockImplementation(() => Buffer.of(9))
    assert.deepEqual(struct.pack(2), Buffer.of(9))
    pack.mock.restore()
    assert.deepEqual(struct.pack(2), Buffer.of(2))
  }
})
