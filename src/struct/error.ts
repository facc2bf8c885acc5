import { isAnyArrayBuffer, isArrayBufferView, isUint8Array } from 'node:util/types'

/** Every code that a {@link StructError} can carry. */
export type StructErrorCode =
  /** The format is not one of Python's. */
  | 'ERR_STRUCT_FORMAT'
  /** More or fewer values than the format has. */
  | 'ERR_STRUCT_COUNT'
  /** A value is of the wrong type, or out of the range of its code. */
  | 'ERR_STRUCT_VALUE'
  /** What should be bytes is something else, or of the wrong length. */
  | 'ERR_STRUCT_BUFFER'
  /** The offset is no integer, or leaves too few bytes. */
  | 'ERR_STRUCT_OFFSET'
  /** Not an IP address, or not the bytes of one. */
  | 'ERR_STRUCT_ADDRESS'

/** What a {@link StructError} can tell beside its message. */
export interface StructErrorDetails {
  /** The format that was used. */
  readonly format?: string
  /** Which of the values was refused, from 0. */
  readonly index?: number
  /** What was refused. */
  readonly value?: unknown
}

/**
 * The one error of packing, as `struct.error` is in Python. `message` is CPython's, word for word,
 * also where CPython raises an OverflowError, a TypeError or a ValueError. CPython does not say which
 * value it refused: `format`, `index` and `value` do, and are shown when the error is printed.
 */
export class StructError extends Error implements StructErrorDetails {
  override readonly name = 'StructError'
  /** Stable: what to branch on. */
  readonly code: StructErrorCode
  // Declared only: a detail that is missing must not be printed as undefined.
  /** The format that was used. */
  declare readonly format?: string
  /** Which of the values was refused, from 0. */
  declare readonly index?: number
  /** What was refused. */
  declare readonly value?: unknown

  /** What the library itself does: nothing else has to make one. */
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
