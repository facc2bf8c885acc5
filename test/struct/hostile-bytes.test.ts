import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { Struct } from '../../src/struct/index.js'
import { cases, holds } from './formats.js'
import { alike, formats, impostors, nothing, refused } from './hostile.js'
import { both } from './warm.js'

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
      for (const struct of both(format)) {
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
