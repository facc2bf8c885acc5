import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { bytes, encode, json, type Schema, text } from '../src/codec.js'

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

interface Point {
  readonly x: number
}

/** What anyone can send, and whether it is a point. */
const sent: [data: string, isPoint: boolean][] = [
  ['{"x":1}', true],
  ['{"x":1,"y":2}', true],
  ['{"x":"1"}', false],
  ['{}', false],
  ['[]', false],
  ['null', false],
  ['true', false],
  ['0', false],
  ['""', false],
]

const isPoint = (value: unknown): value is Point =>
  typeof value === 'object' && value !== null && 'x' in value && typeof value.x === 'number'

function toPoint(value: unknown): Point {
  if (isPoint(value)) return { x: value.x }
  throw new TypeError(`no point: ${inspect(value)}`)
}

/** A schema as the libraries make them, an object or a function. */
function schemaOf(make: () => object): Schema<Point, Point> {
  return Object.assign(make(), {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        isPoint(value)
          ? { value: { x: value.x } }
          : { issues: [{ message: 'x is missing' }, { message: 'or no number', path: ['x'] }] },
    },
  }) as Schema<Point, Point>
}

for (const [what, codec, isParsed] of [
  ['a guard', json(isPoint), false],
  ['a function that answers yes or no', json((value: unknown): boolean => isPoint(value)), false],
  ['a function that parses', json(toPoint), true],
  ['a schema', json(schemaOf(() => ({}))), true],
  ['a schema that is a function', json(schemaOf(() => () => assert.fail())), true],
] as const) {
  test(`json with ${what} gives what is right, and throws at the rest`, () => {
    for (const [data, isRight] of sent) {
      const decode = () => codec.decode(Buffer.from(data))
      if (!isRight) assert.throws(decode, TypeError, data)
      else assert.deepEqual(decode(), isParsed ? { x: 1 } : JSON.parse(data))
    }
    assert.throws(() => codec.decode(Buffer.from('{')), SyntaxError)
    // It looks only at what comes.
    assert.equal(`${encode(codec as never, 'no point' as never)}`, '"no point"')
  })
}

test('what a check returns is the message, but for true and false themselves', () => {
  for (const value of [0, '', null, undefined, 1, 'true', Number.NaN]) {
    assert.deepEqual(json(() => value).decode(Buffer.from('7')), value)
  }
  assert.equal(json(() => true).decode(Buffer.from('7')), 7)
  assert.equal(json(() => true).decode(Buffer.from('false')), false)
  assert.throws(() => json(() => false).decode(Buffer.from('7')), /The check refused/)
})

test('a schema says what is wrong, and may not think about it', async () => {
  const codec = json(schemaOf(() => ({})))
  assert.throws(() => codec.decode(Buffer.from('7')), { message: 'x is missing; or no number' })
  const later = (validate: () => unknown) =>
    json({ '~standard': { version: 1, vendor: 'test', validate } } as Schema<unknown, unknown>)
  for (const validate of [
    async () => ({ value: 1 }),
    // Nobody handles it, and it must not end the process.
    async () => Promise.reject(new Error('what a stranger has sent')),
  ]) {
    assert.throws(() => later(validate).decode(Buffer.from('7')), /answered with a promise/)
  }
  await new Promise(setImmediate)
})

test('a schema is asked with its own this', () => {
  const standard = {
    version: 1 as const,
    vendor: 'test',
    least: 5,
    validate(value: unknown) {
      return (value as number) >= this.least ? { value } : { issues: [{ message: 'too little' }] }
    },
  }
  const codec = json<number, number>({ '~standard': standard })
  assert.equal(codec.decode(Buffer.from('5')), 5)
  assert.throws(() => codec.decode(Buffer.from('4')), /too little/)
})

test('json takes a schema or a function, and nothing else', () => {
  for (const wrong of [null, 7, 'x', {}, { '~standard': {} }, { '~standard': null }, []]) {
    assert.throws(() => json(wrong as never), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^json\(\) takes a Standard Schema or a function, but was given /,
    })
  }
  assert.doesNotThrow(() => json(undefined as never))
})

test('a key that is called __proto__ is a key', () => {
  const data = Buffer.from('{"__proto__":{"isAdmin":true},"x":1}')
  for (const codec of [json(), json(isPoint)]) {
    const message = codec.decode(data) as Record<string, unknown>
    assert.equal(Object.getPrototypeOf(message), Object.prototype)
    assert.equal(message.isAdmin, undefined)
    assert.deepEqual(Object.keys(message), ['__proto__', 'x'])
  }
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
})

test("what json says of a stranger's bytes steers no terminal", () => {
  const bad = Buffer.from('{"a":1}\x1b[2J\x07\u202egnp.exe\r\n')
  assert.throws(
    () => json().decode(bad),
    (error: Error) => {
      assert.ok(error instanceof SyntaxError)
      // All of it, as console.error() prints it.
      assert.doesNotMatch(inspect(error).replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)
      assert.match(error.message, /JSON/)
      return true
    },
  )
})
