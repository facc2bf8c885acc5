import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, encode, json, text } from '../src/codec.js'

const greeting = '群發的消息,你不必回'

test('bytes takes strings and bytes, and gives a Buffer', () => {
  const given = new Uint8Array([0, 255])
  assert.equal(encode(bytes, given), given)
  assert.deepEqual(encode(bytes, greeting), Buffer.from(greeting, 'utf8'))
  const data = Buffer.from([1, 2])
  assert.equal(bytes.decode(data), data)
})

test('text is UTF-8 both ways, a byte order mark included', () => {
  for (const value of ['', greeting, '\uFEFFx', '\u0000']) {
    assert.equal(text.decode(Buffer.from(encode(text, value))), value)
  }
})

test('text refuses what is not UTF-8', () => {
  assert.throws(() => text.decode(Buffer.from([0xff])), /not valid UTF-8/)
})

test('json is JSON both ways', () => {
  const codec = json<{ name: string }>()
  const value = { name: greeting }
  assert.deepEqual(codec.decode(Buffer.from(encode(codec, value))), value)
  assert.throws(() => codec.decode(Buffer.from('{')), SyntaxError)
})

test('a message of the wrong type is refused with the value', () => {
  const cases = [
    [bytes, 7],
    [bytes, undefined],
    [bytes, new ArrayBuffer(1)],
    [bytes, [1]],
    [text, Buffer.from('x')],
    [json(), undefined],
    [json(), () => 1],
    [{ encode: () => 'x', decode: Number }, 1],
    [{ encode: () => undefined, decode: Number }, 1],
  ] as const
  for (const [codec, value] of cases) {
    assert.throws(() => encode(codec as never, value as never), {
      name: 'MulticastError',
      code: 'ERR_MULTICAST_MESSAGE_TYPE',
    })
  }
  assert.throws(() => encode(bytes, 7 as never), /a string or a Uint8Array, but is 7/)
  assert.throws(() => encode(text, 7 as never), /must be a string, but is 7/)
})

test('what a codec throws while encoding is the cause', () => {
  const cause = new RangeError('too big')
  const codec = {
    encode(): never {
      throw cause
    },
    decode: Number,
  }
  assert.throws(() => encode(codec, 1 as never), { code: 'ERR_MULTICAST_ENCODE', cause })
  const circular: Record<string, unknown> = {}
  circular.self = circular
  assert.throws(() => encode(json(), circular), { code: 'ERR_MULTICAST_ENCODE' })
})

test('a codec may be an instance with state', () => {
  class Counter {
    count = 0
    encode(value: string): Uint8Array {
      this.count += 1
      return Buffer.from(value)
    }
    decode(data: Buffer): string {
      return data.toString()
    }
  }
  const codec = new Counter()
  encode(codec, 'x')
  assert.equal(codec.count, 1)
})
