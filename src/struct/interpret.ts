import { isUint8Array } from 'node:util/types'
import { type Code, type Kind, littleHost } from './codes.js'
import { StructError, type StructErrorCode } from './error.js'
import { fromHalf, toHalf } from './half.js'
import { type Field, type Layout, pythonType } from './parse.js'

/** What can be done with a format. The values are lists here: arguments must fit onto the stack. */
export interface Operations {
  pack(values: readonly unknown[]): Buffer
  /** Takes the buffer, the offset and the values, in one list because each of them may be missing. */
  packInto(given: readonly unknown[]): void
  unpack(data: unknown): unknown[]
  unpackFrom(data: unknown, offset?: unknown): unknown[]
}

/** Carries a format out field by field, and says what is wrong where something is. */
export function interpret(layout: Layout): Operations {
  const { format, size, fields } = layout

  function fail(code: StructErrorCode, message: string, value?: unknown): StructError {
    return new StructError(code, message, value === undefined ? { format } : { format, value })
  }

  function expectValues(operation: string, given: number): void {
    if (given === layout.values) return
    const message = `${operation} expected ${layout.values} items for packing (got ${given})`
    throw fail('ERR_STRUCT_COUNT', message)
  }

  /** Where the struct begins, counted from the start of `data`. */
  function place(data: Uint8Array, offset: unknown, { no, requires, huge }: Wording): number {
    const { length } = data
    const at = toIndex(offset)
    if (at === undefined) {
      const message = `'${pythonType(offset)}' object cannot be interpreted as an integer`
      throw fail('ERR_STRUCT_OFFSET', message, offset)
    }
    if (BigInt.asIntN(64, at) !== at) throw fail('ERR_STRUCT_OFFSET', huge, offset)
    // As bigints, because an offset may be any integer that C's ssize_t holds.
    const start = at < 0n ? at + BigInt(length) : at
    const end = start + BigInt(size)
    if (start >= 0n && end <= length) return Number(start)
    let message = `${requires} ${size} bytes at offset ${at} (actual buffer size is ${length})`
    if (at < 0n) {
      const isShort = at + BigInt(size) > 0n
      message = isShort
        ? `${no} ${size} bytes at offset ${at}`
        : `offset ${at} out of range for ${length}-byte buffer`
    }
    throw fail('ERR_STRUCT_OFFSET', message.replace('%', String(end)), offset)
  }

  function write(bytes: Uint8Array, values: readonly unknown[]): void {
    const view = viewOf(bytes)
    for (const field of fields) {
      const { code, offset, index } = field
      for (let item = 0; item < field.values; item += 1) {
        const value = values[index + item]
        const at = offset + item * code.size
        const wrong = packers[code.kind](view, at, value, field, layout.little)
        if (wrong === undefined) continue
        const details = { format, index: index + item, value }
        throw new StructError('ERR_STRUCT_VALUE', wrong, details)
      }
    }
  }

  function read(bytes: Uint8Array, start: number): unknown[] {
    const view = viewOf(bytes)
    const values: unknown[] = []
    for (const field of fields) {
      for (let item = 0; item < field.values; item += 1) {
        const at = start + field.offset + item * field.code.size
        values.push(unpackers[field.code.kind](view, at, field, layout.little))
      }
    }
    return values
  }

  return {
    pack(values) {
      expectValues('pack', values.length)
      const bytes = zeros(size)
      if (bytes === undefined) throw fail('ERR_STRUCT_BUFFER', 'byte string is too large')
      write(bytes, values)
      return bytes
    },
    packInto(given) {
      const [buffer, offset, ...values] = given
      if (given.length === 0) throw fail('ERR_STRUCT_COUNT', 'pack_into expected buffer argument')
      if (given.length === 1) throw fail('ERR_STRUCT_COUNT', 'pack_into expected offset argument')
      expectValues('pack_into', values.length)
      if (!isUint8Array(buffer)) {
        // Only here does CPython say None.
        const given = pythonType(buffer).replace('NoneType', 'None')
        const message = `argument must be read-write bytes-like object, not ${given}`
        throw fail('ERR_STRUCT_BUFFER', message, buffer)
      }
      const start = place(buffer, offset, packingInto)
      // Apart from the buffer, since a value may be a part of it. What comes before one that is refused
      // stays, and the rest is zeros, as CPython leaves it.
      const bytes = new Uint8Array(size)
      try {
        write(bytes, values)
      } finally {
        if (size > 0) buffer.set(bytes, start)
      }
    },
    unpack(data) {
      expectBytes(data, format)
      if (data.length === size) return read(data, 0)
      throw fail('ERR_STRUCT_BUFFER', `unpack requires a buffer of ${size} bytes`, data)
    },
    unpackFrom(data, offset = 0) {
      expectBytes(data, format)
      return read(data, place(data, offset, unpackingFrom))
    },
  }
}

/** So many zeros, or `undefined` where there is not the memory. */
function zeros(size: number): Buffer | undefined {
  // What is small is from Node's pool; what is large is zeroed by the system, and only when used.
  if (size <= 1024) return Buffer.allocUnsafe(size).fill(0)
  try {
    return Buffer.alloc(size)
  } catch {
    return undefined
  }
}

/** Throws unless it is bytes. Of another realm they are as good, so `instanceof` does not tell. */
export function expectBytes(data: unknown, format: string): asserts data is Uint8Array {
  if (isUint8Array(data)) return
  const message = `a bytes-like object is required, not '${pythonType(data)}'`
  throw new StructError('ERR_STRUCT_BUFFER', message, { format, value: data })
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  // Of detached memory, which has no bytes, there are no views.
  return length === 0 ? nothing : new DataView(buffer, byteOffset, length)
}

const nothing = new DataView(new ArrayBuffer(0))

/** How an operation speaks of an offset: from the end, from the start, and beyond C's integers. */
interface Wording {
  readonly no: string
  /** With a % for the bytes that there should be. */
  readonly requires: string
  readonly huge: string
}

const packingInto: Wording = {
  no: 'no space to pack',
  requires: 'pack_into requires a buffer of at least % bytes for packing',
  huge: "cannot fit 'int' into an index-sized integer",
}

const unpackingFrom: Wording = {
  no: 'not enough data to unpack',
  requires: 'unpack_from requires a buffer of at least % bytes for unpacking',
  huge: 'Python int too large to convert to C ssize_t',
}

function toIndex(offset: unknown): bigint | undefined {
  if (typeof offset === 'bigint') return offset
  if (typeof offset !== 'boolean' && !Number.isInteger(offset)) return undefined
  return BigInt(offset as number | boolean)
}

/** Writes the bytes of one value at `at`, or says what is wrong with it. */
type Packer = (
  view: DataView,
  at: number,
  value: unknown,
  field: Field,
  little: boolean,
) => string | undefined

const packers: Record<Kind, Packer> = {
  pad: () => undefined,
  char(view, at, value) {
    if (!isUint8Array(value) || value.length !== 1) {
      return 'char format requires a bytes object of length 1'
    }
    view.setUint8(at, value[0] ?? 0)
    return undefined
  },
  bytes(view, at, value, { count }) {
    if (!isUint8Array(value)) return "argument for 's' must be a bytes object"
    copy(value, view, at, Math.min(value.length, count))
    return undefined
  },
  pascal(view, at, value, { count }) {
    if (!isUint8Array(value)) return "argument for 'p' must be a bytes object"
    if (count === 0) return undefined
    const length = Math.min(value.length, count - 1)
    copy(value, view, at + 1, length)
    view.setUint8(at, Math.min(length, 255))
    return undefined
  },
  bool(view, at, value) {
    view.setUint8(at, truth(value) ? 1 : 0)
    return undefined
  },
  signed: packInteger,
  unsigned: packInteger,
  pointer: packInteger,
  float(view, at, value, { code }, little) {
    const number = toFloat(value)
    if (number === undefined) return 'required argument is not a float'
    return ofInteger(value, setFloat(view, at, number, code.size, code.native, little))
  },
  complex(view, at, value, { code }, little) {
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
type Unpacker = (view: DataView, at: number, field: Field, little: boolean) => unknown

const unpackers: Record<Kind, Unpacker> = {
  pad: () => undefined,
  char: (view, at) => bytesAt(view, at, 1),
  bytes: (view, at, { count }) => bytesAt(view, at, count),
  pascal(view, at, { count }) {
    if (count === 0) return Buffer.alloc(0)
    return bytesAt(view, at + 1, Math.min(view.getUint8(at), count - 1))
  },
  bool: (view, at) => view.getUint8(at) !== 0,
  signed: unpackInteger,
  unsigned: unpackInteger,
  pointer: unpackInteger,
  float: (view, at, { code }, little) => getFloat(view, at, code.size, little),
  complex(view, at, { code }, little) {
    const size = code.size / 2
    return { re: getFloat(view, at, size, little), im: getFloat(view, at + size, size, little) }
  },
}

function packInteger(
  view: DataView,
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
  view: DataView,
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

function copy(from: Uint8Array, { buffer, byteOffset }: DataView, at: number, length: number) {
  if (length === 0) return
  // Not by subarray(), which makes one of the same class, whatever its constructor takes.
  const source = new Uint8Array(from.buffer, from.byteOffset, length)
  new Uint8Array(buffer, byteOffset + at, length).set(source)
}

/** A copy: whoever keeps four bytes of a datagram must not keep the datagram. */
function bytesAt({ buffer, byteOffset }: DataView, at: number, length: number): Buffer {
  return Buffer.from(new Uint8Array(buffer, byteOffset + at, length))
}
