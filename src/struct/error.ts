import { isAnyArrayBuffer, isArrayBufferView, isUint8Array } from 'node:util/types'

/** Every code that a {@link StructError} can carry. */
export type StructErrorCode =
  /** The format is not one of Python's. */
  | 'ERR_STRUCT_FORMAT'
  /** More or fewer values than the format has. */
  | 'ERR_STRUCT_COUNT'
  /** A value is of the wrong type, or out of the range of its code. */
  | 'ERR_STRUCT_VALUE'
  /** Something other than bytes, or bytes of the wrong length. */
  | 'ERR_STRUCT_BUFFER'
  /** The offset is not an integer, or leaves too few bytes. */
  | 'ERR_STRUCT_OFFSET'
  /** Something other than an IP address, or than the bytes of one. */
  | 'ERR_STRUCT_ADDRESS'

/** What a {@link StructError} can say besides its message. */
export interface StructErrorDetails {
  /** The format that was used. */
  readonly format?: string
  /** Which value was refused, counted from 0. */
  readonly index?: number
  /** The value that was refused. */
  readonly value?: unknown
}

/**
 * The only error of packing, as `struct.error` is in Python. `message` is CPython's, word for word, even where
 * CPython raises an OverflowError, a TypeError or a ValueError. CPython does not say which value it refused;
 * `format`, `index` and `value` do, and are shown when the error is printed.
 *
 * @example
 * ```ts
 * import { pack, StructError } from 'typed-multicast/struct'
 *
 * try {
 *   pack('B', 256)
 * } catch (error) {
 *   if (error instanceof StructError) console.log(error.code) // ERR_STRUCT_VALUE
 * }
 * ```
 */
export class StructError extends Error implements StructErrorDetails {
  /** `'StructError'`. */
  override readonly name = 'StructError'
  /** What went wrong. It is stable: branch on it. */
  readonly code: StructErrorCode
  // Declared only: a detail that is missing must not be printed as undefined.
  /** The format that was used. */
  declare readonly format?: string
  /** Which value was refused, counted from 0. */
  declare readonly index?: number
  /** The value that was refused. */
  declare readonly value?: unknown

  /** The library makes these; you need not. */
  constructor(code: StructErrorCode, message: string, details?: StructErrorDetails) {
    super(message)
    this.code = code
    Object.assign(this, details)
  }
}

/** What Python would call the value's type, since the messages that say it are Python's. */
export function pythonType(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  if (Array.isArray(value)) return 'list'
  if (isUint8Array(value)) return 'bytes'
  // Which have no counterpart there, and should have been made a Uint8Array.
  if (isArrayBufferView(value) || isAnyArrayBuffer(value)) return tagOf(value)
  return pythonTypes.get(typeof value) ?? typeof value
}

const pythonTypes = new Map<string, string>([
  ['string', 'str'],
  ['bigint', 'int'],
  ['boolean', 'bool'],
])

/** `Uint16Array`, `ArrayBuffer`: whatever realm it is from. */
const tagOf = (value: object) => Object.prototype.toString.call(value).slice(8, -1)
