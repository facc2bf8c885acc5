import { isUtf8 } from 'node:buffer'
import { isUint8Array } from 'node:util/types'
import { MulticastError, printable, reasonOf, shown } from './errors.js'

/**
 * Turns messages into datagrams and back. Any object with these two functions will do.
 *
 * If `encode` throws, the send rejects. If `decode` throws, the datagram becomes a `malformed` event:
 * anyone on the network can send bytes that no codec understands.
 *
 * @example
 * ```ts
 * const upper = {
 *   encode: (value: string) => Buffer.from(value.toUpperCase()),
 *   decode: (data: Buffer) => data.toString(),
 * }
 * new MulticastSender({ group: '239.1.2.3', port: 10000, codec: upper })
 * ```
 */
export interface Codec<Value, Decoded = Value> {
  /** Returns the bytes of one datagram. They go to the kernel as they are, without a copy. */
  readonly encode: (value: Value) => Uint8Array
  /** Returns the message in one datagram. Nothing else uses the memory of `data`: the codec may keep it. */
  readonly decode: (data: Buffer) => Decoded
}

/**
 * Bytes as they are: the default codec. Encodes a `Uint8Array`, or a string as UTF-8; decodes to a `Buffer`.
 *
 * @example
 * ```ts
 * import { bytes } from 'typed-multicast'
 *
 * console.log(bytes.encode('hi')) // <Buffer 68 69>
 * ```
 */
export const bytes: Codec<string | Uint8Array, Buffer> = {
  encode(value) {
    if (isUint8Array(value)) return value
    if (typeof value === 'string') return Buffer.from(value)
    throw wrongType('a string or a Uint8Array', value)
  },
  decode: (data) => data,
}

/**
 * Strings as UTF-8. As strict as Python's `bytes.decode()`: a datagram that is not valid UTF-8 is `malformed`.
 *
 * @example
 * ```ts
 * import { text } from 'typed-multicast'
 *
 * console.log(text.decode(Buffer.from('hi'))) // hi
 * ```
 */
export const text: Codec<string> = {
  encode(value) {
    if (typeof value === 'string') return Buffer.from(value)
    throw wrongType('a string', value)
  },
  decode(data) {
    if (isUtf8(data)) return data.toString()
    throw new TypeError('The datagram is not valid UTF-8')
  },
}

/**
 * A Standard Schema (https://standardschema.dev), as zod, valibot and arktype make them. `Input` is what it is
 * given, `Output` what it makes of that.
 */
export interface Schema<Input, Output> {
  /** What the standard asks for; `validate` checks a value. */
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => unknown
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/**
 * A codec for JSON, as UTF-8. Without an argument nothing checks what comes: `T` is what you expect, but anyone on
 * the network can send something else, `null` too.
 *
 * @example
 * ```ts
 * import { json } from 'typed-multicast'
 *
 * const readings = json((value) => Number.isFinite(Object(value).celsius))
 * console.log(readings.decode(Buffer.from('{"celsius":20}'))) // { celsius: 20 }
 * ```
 */
export function json<T = unknown>(): Codec<T>
/**
 * A codec for JSON, as UTF-8. A message with issues for `schema` is `malformed`.
 *
 * @param schema A Standard Schema, such as one of zod's. It must answer at once, not with a promise.
 */
export function json<Input, Output>(schema: Schema<Input, Output>): Codec<Input, Output>
/**
 * A codec for JSON, as UTF-8. A message is `malformed` if `guard` returns `false` or throws.
 *
 * @param guard Says of each message that comes whether it is a `T`.
 */
export function json<T>(guard: (value: unknown) => value is T): Codec<T>
/**
 * A codec for JSON, as UTF-8. A message is `malformed` if `guard` returns `false` or throws. The messages have
 * the type `unknown`: a guard that returns `value is T` gives them a type.
 */
export function json(guard: (value: unknown) => boolean): Codec<unknown>
/**
 * A codec for JSON, as UTF-8. A message is what `parse` returns, and `malformed` if it throws.
 *
 * @param parse Is given the parsed JSON of each message that comes.
 */
export function json<T>(parse: (value: unknown) => T): Codec<T>
export function json(
  check?: Schema<unknown, unknown> | ((value: unknown) => unknown),
): Codec<unknown> {
  const checked = checker(check)
  return {
    encode(value) {
      const encoded: string | undefined = JSON.stringify(value)
      if (encoded === undefined) throw wrongType('a value that JSON can express', value)
      return Buffer.from(encoded)
    },
    decode: (data) => checked(parsed(text.decode(data))),
  }
}

function parsed(encoded: string): unknown {
  try {
    return JSON.parse(encoded)
  } catch (error) {
    // V8 quotes what it cannot parse.
    throw new SyntaxError(printable((error as Error).message))
  }
}

function checker(check: unknown): (value: unknown) => unknown {
  if (check === undefined) return (value) => value
  // First, since some schemas are functions.
  const standard = (check as Partial<Schema<unknown, unknown>> | null)?.['~standard']
  if (typeof standard?.validate === 'function') return (value) => validated(standard, value)
  if (typeof check !== 'function') {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `json() takes a Standard Schema or a function, but was given ${shown(check)}`,
    )
  }
  return (value) => {
    const result: unknown = check(value)
    if (result === false) throw new TypeError('The check refused the message')
    return result === true ? value : result
  }
}

function validated(standard: Schema<unknown, unknown>['~standard'], value: unknown): unknown {
  const result = standard.validate(value) as
    | { readonly value: unknown; readonly issues?: undefined }
    | { readonly issues: readonly { readonly message: string }[] }
  if (isThenable(result)) {
    // It may reject because of what a stranger has sent: that must not end the process.
    result.then(undefined, () => {})
    throw new TypeError('The schema answered with a promise, but has to answer at once')
  }
  if (result.issues === undefined) return result.value
  throw new TypeError(result.issues.map(({ message }) => message).join('; '))
}

/** Whether it is a promise, of whatever make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
}

/** The two options that are codecs. */
export interface CodecOptions<Messages, Replies> {
  /**
   * Encodes and decodes the messages, and the replies if there is no `replyCodec`: {@link text}, {@link json}, a
   * `Struct`, or your own. Default: {@link bytes}.
   */
  codec?: Messages | undefined
  /** Encodes and decodes the replies. Default: `codec`. */
  replyCodec?: Replies | undefined
}

/** The two options where messages that are bytes will not do. */
export interface NeededCodec<Messages, Replies> extends CodecOptions<Messages, Replies> {
  codec: Messages
}

/** The codecs that a constructor takes. If {@link bytes} will do, `codec` may be left out. */
export type Codecs<Messages, Replies> = typeof bytes extends Messages
  ? CodecOptions<Messages, Replies>
  : NeededCodec<Messages, Replies>

/** A codec of which only the decoding matters: it may encode whatever it likes. */
export interface Decoder<Decoded> {
  // Without parameters, or a call of {@link json} in its place would be inferred to take `never`.
  readonly encode: CallableFunction
  readonly decode: (data: Buffer) => Decoded
}

/** What someone who hears such messages sends: the same, and if they are bytes, strings too. */
export type Counterpart<Heard> = [Heard] extends [Buffer] ? string | Uint8Array : Heard

/** What someone who sends such messages hears: the same, and if they are bytes, a Buffer. */
export type Answer<Sent> = [string | Uint8Array] extends [Sent] ? Buffer : Sent

/** The bytes of `value`, or the one error that a send may reject with because of it. */
export function encode<Value>(codec: Codec<Value, unknown>, value: Value): Uint8Array {
  let data: Uint8Array
  try {
    data = codec.encode(value)
  } catch (cause) {
    if (cause instanceof MulticastError) throw cause
    throw new MulticastError(
      'ERR_MULTICAST_ENCODE',
      `The codec threw while encoding the message: ${reasonOf(cause)}`,
      { cause },
    )
  }
  if (isUint8Array(data)) return data
  throw new MulticastError(
    'ERR_MULTICAST_MESSAGE_TYPE',
    `The codec's encode() must return a Uint8Array, but returned ${shown(data)}`,
  )
}

function wrongType(wanted: string, value: unknown): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_MESSAGE_TYPE',
    `The message must be ${wanted}, but is ${shown(value)}: convert it, or use another codec`,
  )
}
