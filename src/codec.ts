import { isUtf8 } from 'node:buffer'
import { isUint8Array } from 'node:util/types'
import { MulticastError, printable, reasonOf, shown } from './errors.js'

/**
 * Turns messages into datagrams and back. Any object with these two functions will do.
 *
 * What `encode` throws rejects the send that called it. What `decode` throws makes a `malformed`
 * event: anyone on the network can send bytes that no codec understands.
 */
export interface Codec<Value, Decoded = Value> {
  /** The bytes of one datagram. They are handed to the kernel as they are, without a copy. */
  readonly encode: (value: Value) => Uint8Array
  /** The message in one datagram. `data` is memory of its own, which the codec may keep. */
  readonly decode: (data: Buffer) => Decoded
}

/**
 * Bytes as they are: the codec where none is given. Encodes a `Uint8Array`, or a string as UTF-8;
 * decodes to a `Buffer`.
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
 * Strings as UTF-8. Strict, as Python's `bytes.decode()` is: a datagram that is not valid UTF-8 is
 * `malformed`.
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
 * A Standard Schema (https://standardschema.dev), as zod, valibot and arktype make them: what it is given
 * and what it makes of that.
 */
export interface Schema<Input, Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => unknown
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/**
 * JSON as UTF-8. Without a check nothing looks at what comes: `T` is what you expect the peers to send, and
 * anyone on the network can send something else, `null` too.
 */
export function json<T = unknown>(): Codec<T>
/** JSON as UTF-8. What the schema has issues with is `malformed`; it has to answer at once. */
export function json<Input, Output>(schema: Schema<Input, Output>): Codec<Input, Output>
/** JSON as UTF-8. What `guard` says `false` to, or throws at, is `malformed`. */
export function json<T>(guard: (value: unknown) => value is T): Codec<T>
/**
 * JSON as UTF-8. What `guard` says `false` to, or throws at, is `malformed`. The messages are `unknown` to the
 * compiler: a guard that returns `value is T` gives them a type.
 */
export function json(guard: (value: unknown) => boolean): Codec<unknown>
/** JSON as UTF-8. The message is what `parse` makes of it; what that throws at is `malformed`. */
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
    if (result === false) throw new TypeError('The check has refused the message')
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
    throw new TypeError('The schema answers with a promise, and a message is decoded at once')
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
  /** Encodes and decodes the group's messages, and the replies too where there is no `replyCodec`. */
  codec?: Messages | undefined
  /** Encodes and decodes the replies. Default: `codec`. */
  replyCodec?: Replies | undefined
}

/** The codecs that a constructor takes. Where {@link bytes} will do, `codec` may be left out. */
export type Codecs<Messages, Replies> = CodecOptions<Messages, Replies> &
  (typeof bytes extends Messages ? unknown : { codec: Messages })

/** A codec of which only the decoding matters: it may encode whatever it likes. */
export interface Decoder<Decoded> {
  // Without parameters, or a call of {@link json} in its place would be inferred to take `never`.
  readonly encode: CallableFunction
  readonly decode: (data: Buffer) => Decoded
}

/** What is sent by whom hears a message: the same, and where messages are bytes a string too. */
export type Counterpart<Heard> = [Heard] extends [Buffer] ? string | Uint8Array : Heard

/** What is heard by who sends such messages: the same, and where these are bytes a Buffer. */
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
    `The message must be ${wanted}, but is ${shown(value)}: convert it, or give another codec`,
  )
}
