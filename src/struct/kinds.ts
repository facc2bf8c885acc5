import { isUint8Array } from 'node:util/types'
import { getBytes, getPascal, putBytes, putPascal } from './bytes.js'
import { type Code, type Kind, littleHost } from './codes.js'
import { fromHalf, toHalf } from './half.js'
import type { Field } from './parse.js'

/** How the interpreter packs and unpacks a value of each kind. */

/** The same bytes, once for the numbers and once for the strings. */
export interface Memory {
  readonly view: DataView
  readonly bytes: Uint8Array
}

/** Writes the bytes of one value at `at`, or says what is wrong with it. */
type Packer = (
  memory: Memory,
  at: number,
  value: unknown,
  field: Field,
  little: boolean,
) => string | undefined

export const packers: Record<Kind, Packer> = {
  pad: () => undefined,
  char({ view }, at, value) {
    if (!isUint8Array(value) || value.length !== 1) {
      return 'char format requires a bytes object of length 1'
    }
    view.setUint8(at, value[0] ?? 0)
    return undefined
  },
  bytes({ bytes }, at, value, { count }) {
    if (!isUint8Array(value)) return "argument for 's' must be a bytes object"
    putBytes(bytes, at, value, count)
    return undefined
  },
  pascal({ bytes }, at, value, { count }) {
    if (!isUint8Array(value)) return "argument for 'p' must be a bytes object"
    putPascal(bytes, at, value, count)
    return undefined
  },
  bool({ view }, at, value) {
    view.setUint8(at, truth(value) ? 1 : 0)
    return undefined
  },
  signed: packInteger,
  unsigned: packInteger,
  pointer: packInteger,
  float({ view }, at, value, { code }, little) {
    const number = toFloat(value)
    if (number === undefined) return 'required argument is not a float'
    return ofInteger(value, setFloat(view, at, number, code.size, code.native, little))
  },
  complex({ view }, at, value, { code }, little) {
    const size = code.size / 2
    const { re, im } = toComplex(value)
    if (re === undefined || im === undefined) return 'required argument is not a complex'
    // In the machine's own order CPython casts these in either mode.
    const isCast = code.native || little === littleHost
    const wrong =
      setFloat(view, at, re, size, isCast, little) ??
      setFloat(view, at + size, im, size, isCast, little)
    return ofInteger(value, wrong)
  },
}

/** Reads one value at `at`. */
type Unpacker = (memory: Memory, at: number, field: Field, little: boolean) => unknown

export const unpackers: Record<Kind, Unpacker> = {
  pad: () => undefined,
  char: ({ bytes }, at) => getBytes(bytes, at, 1),
  bytes: ({ bytes }, at, { count }) => getBytes(bytes, at, count),
  pascal: ({ bytes }, at, { count }) => getPascal(bytes, at, count),
  bool: ({ view }, at) => view.getUint8(at) !== 0,
  signed: unpackInteger,
  unsigned: unpackInteger,
  pointer: unpackInteger,
  float: ({ view }, at, { code }, little) => getFloat(view, at, code.size, little),
  complex({ view }, at, { code }, little) {
    const size = code.size / 2
    return { re: getFloat(view, at, size, little), im: getFloat(view, at + size, size, little) }
  },
}

function packInteger(
  { view }: Memory,
  at: number,
  value: unknown,
  { code }: Field,
  little: boolean,
): string | undefined {
  if (typeof value !== 'bigint' && typeof value !== 'boolean' && !Number.isInteger(value)) {
    return 'required argument is not an integer'
  }
  const integer = typeof value === 'boolean' ? Number(value) : (value as number | bigint)
  if (integer < code.low || integer > code.high) {
    if (code.kind === 'pointer') return 'int too large to convert'
    return `'${code.char}' format requires ${code.low} <= number <= ${code.high}`
  }
  if (code.size === 8) view.setBigUint64(at, BigInt(integer), little)
  else if (code.size === 4) view.setUint32(at, Number(integer), little)
  else if (code.size === 2) view.setUint16(at, Number(integer), little)
  else view.setUint8(at, Number(integer))
  return undefined
}

function unpackInteger(
  { view }: Memory,
  at: number,
  { code }: Field,
  little: boolean,
): number | bigint {
  const integer = getInteger(view, at, code, little)
  return code.big ? BigInt(integer) : integer
}

function getInteger(
  view: DataView,
  at: number,
  { kind, size }: Code,
  little: boolean,
): number | bigint {
  const isSigned = kind === 'signed'
  if (size === 8) return isSigned ? view.getBigInt64(at, little) : view.getBigUint64(at, little)
  if (size === 4) return isSigned ? view.getInt32(at, little) : view.getUint32(at, little)
  if (size === 2) return isSigned ? view.getInt16(at, little) : view.getUint16(at, little)
  return isSigned ? view.getInt8(at) : view.getUint8(at)
}

function toFloat(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value !== 'bigint') return undefined
  const number = Number(value)
  // Python's int is not rounded to an infinity, but refused.
  return Number.isFinite(number) ? number : undefined
}

/** What is wrong with a float is worded otherwise where it was an integer. */
function ofInteger(value: unknown, wrong: string | undefined): string | undefined {
  return wrong !== undefined && typeof value === 'bigint' ? 'int too large to convert' : wrong
}

function toComplex(value: unknown): { re: number | undefined; im: number | undefined } {
  if (typeof value !== 'object' || value === null) return { re: toFloat(value), im: 0 }
  const { re, im } = value as { re?: unknown; im?: unknown }
  return { re: toFloat(re), im: toFloat(im) }
}

function setFloat(
  view: DataView,
  at: number,
  value: number,
  size: number,
  isCast: boolean,
  little: boolean,
): string | undefined {
  if (size === 8) {
    view.setFloat64(at, value, little)
    return undefined
  }
  if (size === 4) {
    // C's cast makes an infinity of what is too large.
    if (!isCast && Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      return 'float too large to pack with f format'
    }
    view.setFloat32(at, value, little)
    return undefined
  }
  const half = toHalf(value)
  if (half < 0) return 'float too large to pack with e format'
  view.setUint16(at, half, little)
  return undefined
}

function getFloat(view: DataView, at: number, size: number, little: boolean): number {
  if (size === 8) return view.getFloat64(at, little)
  if (size === 4) return view.getFloat32(at, little)
  return fromHalf(view.getUint16(at, little))
}

/** Python's truth: an empty list and empty bytes are false, and NaN is true. */
function truth(value: unknown): boolean {
  if (typeof value === 'number') return value !== 0
  if (typeof value !== 'object' || value === null) return Boolean(value)
  if (Array.isArray(value) || isUint8Array(value)) return value.length > 0
  const { re, im } = value as { re?: unknown; im?: unknown }
  return re !== 0 || im !== 0
}
