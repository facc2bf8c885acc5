import { isUint8Array } from 'node:util/types'
import { pythonType, StructError, type StructErrorCode } from './error.js'
import { type Memory, packers, unpackers } from './kinds.js'
import type { Layout } from './parse.js'

/** What can be done with a format. The values are lists here: arguments must fit onto the stack. */
export interface Operations {
  pack(values: readonly unknown[]): ReturnType<typeof Buffer.alloc>
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
  function place(data: Uint8Array, offset: unknown, { tooNear, tooShort, huge }: Wording): number {
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
    let message = `${tooShort} ${size} bytes at offset ${at} (actual buffer size is ${length})`
    if (at < 0n) {
      const isShort = at + BigInt(size) > 0n
      message = isShort
        ? `${tooNear} ${size} bytes at offset ${at}`
        : `offset ${at} out of range for ${length}-byte buffer`
    }
    throw fail('ERR_STRUCT_OFFSET', message.replace('%', String(end)), offset)
  }

  function write(bytes: Uint8Array, values: readonly unknown[]): void {
    const memory = memoryOf(bytes)
    for (const field of fields) {
      const { code, offset, index } = field
      for (let item = 0; item < field.values; item += 1) {
        const value = values[index + item]
        const at = offset + item * code.size
        const wrong = packers[code.kind](memory, at, value, field, layout.little)
        if (wrong === undefined) continue
        const details = { format, index: index + item, value }
        throw new StructError('ERR_STRUCT_VALUE', wrong, details)
      }
    }
  }

  function read(bytes: Uint8Array, start: number): unknown[] {
    const memory = memoryOf(bytes)
    const values: unknown[] = []
    for (const field of fields) {
      for (let item = 0; item < field.values; item += 1) {
        const at = start + field.offset + item * field.code.size
        values.push(unpackers[field.code.kind](memory, at, field, layout.little))
      }
    }
    return values
  }

  function zeros(): ReturnType<typeof Buffer.alloc> {
    // What is small is from Node's pool; what is large is zeroed by the system, and only when used.
    if (size <= 1024) return Buffer.allocUnsafe(size).fill(0)
    try {
      return Buffer.alloc(size)
    } catch (error) {
      if (!isShortage(error)) throw error
      throw fail('ERR_STRUCT_BUFFER', 'byte string is too large')
    }
  }

  return {
    pack(values) {
      expectValues('pack', values.length)
      const bytes = zeros()
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
        const type = pythonType(buffer).replace('NoneType', 'None')
        const message = `argument must be read-write bytes-like object, not ${type}`
        throw fail('ERR_STRUCT_BUFFER', message, buffer)
      }
      const start = place(buffer, offset, packingInto)
      // Apart from the buffer, since a value may be a part of it. What comes before one that is refused
      // stays, and the rest is zeros, as CPython leaves it.
      const bytes = zeros()
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

/** Whether it says that there is no such memory, rather than that the stack is full. */
function isShortage(error: unknown): boolean {
  if (!(error instanceof RangeError)) return false
  return 'code' in error || error.message.includes('allocation failed')
}

/** Throws unless it is bytes. Of another realm they are as good, so `instanceof` does not tell. */
export function expectBytes(data: unknown, format: string): asserts data is Uint8Array {
  if (isUint8Array(data)) return
  const message = `a bytes-like object is required, not '${pythonType(data)}'`
  throw new StructError('ERR_STRUCT_BUFFER', message, { format, value: data })
}

function memoryOf(bytes: Uint8Array): Memory {
  const { buffer, byteOffset, length } = bytes
  // Of detached memory, which has no bytes, there are no views.
  return { bytes, view: length === 0 ? nothing : new DataView(buffer, byteOffset, length) }
}

const nothing = new DataView(new ArrayBuffer(0))

/** How an operation refuses an offset. */
interface Wording {
  /** Counted from the end: too near to it. */
  readonly tooNear: string
  /** Counted from the start: the buffer is too short. With a % for the bytes that it should have. */
  readonly tooShort: string
  /** Beyond C's integers. */
  readonly huge: string
}

const packingInto: Wording = {
  tooNear: 'no space to pack',
  tooShort: 'pack_into requires a buffer of at least % bytes for packing',
  huge: "cannot fit 'int' into an index-sized integer",
}

const unpackingFrom: Wording = {
  tooNear: 'not enough data to unpack',
  tooShort: 'unpack_from requires a buffer of at least % bytes for unpacking',
  huge: 'Python int too large to convert to C ssize_t',
}

function toIndex(offset: unknown): bigint | undefined {
  if (typeof offset === 'bigint') return offset
  if (typeof offset !== 'boolean' && !Number.isInteger(offset)) return undefined
  return BigInt(offset as number | boolean)
}
