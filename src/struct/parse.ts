import { type Code, modes, nativeMode } from './codes.js'
import { pythonType, StructError } from './error.js'

/** Neighbouring items of one code. */
export interface Field {
  readonly code: Code
  /** Where the first item begins, in bytes. */
  readonly offset: number
  /** How many items: of `s` and `p`, which make one value, how many bytes. */
  readonly count: number
  /** Which value is the first item's. */
  readonly index: number
  /** How many values: `count`, or 1 of `s` and `p`. */
  readonly values: number
}

/** A format, parsed. */
export interface Layout {
  readonly format: string
  readonly little: boolean
  readonly size: number
  /** How many values are packed or unpacked. */
  readonly values: number
  /** In the order of the format, without what takes and gives no value. */
  readonly fields: readonly Field[]
}

/** Parses as CPython does: what it refuses, in the same order, with the same words. */
export function parse(format: string): Layout {
  const refuse = (message: string, value: unknown = format) =>
    new StructError('ERR_STRUCT_FORMAT', message, { format, value })
  const tooLong = 'total struct size too long'
  if (typeof format !== 'string') {
    throw refuse(`Struct() argument 1 must be a string, not ${pythonType(format)}`)
  }
  if (/[\u0080-\uffff]/.test(format)) throw refuse(notAscii(format))
  if (format.includes('\0')) throw refuse('embedded null character')

  const chosen = modes.get(format.charAt(0))
  const { codes, little } = chosen ?? nativeMode
  const fields: Field[] = []
  let size = 0
  let values = 0
  let at = chosen === undefined ? 0 : 1
  while (at < format.length) {
    if (' \t\n\v\f\r'.includes(format.charAt(at))) {
      at += 1
      continue
    }
    const first = at
    while (isDigit(format.charCodeAt(at))) at += 1
    const repeat = at === first ? 1 : repeatCount(format.slice(first, at))
    if (repeat === undefined) throw refuse(tooLong)
    if (at === format.length) throw refuse('repeat count given without format specifier')
    const code = codes.get(format.charAt(at))
    if (code === undefined) throw refuse('bad char in struct format', format.charAt(at))
    at += 1

    const offset = Math.ceil(size / code.alignment) * code.alignment
    size = offset + repeat * code.size
    // The size has to be an exact number, which CPython's may exceed.
    if (size > Number.MAX_SAFE_INTEGER) throw refuse(tooLong)
    const isBytes = code.kind === 'bytes' || code.kind === 'pascal'
    if (code.kind === 'pad' || (repeat === 0 && !isBytes)) continue
    const last = fields.at(-1)
    if (last?.code === code && !isBytes && last.offset + last.count * code.size === offset) {
      const count = last.count + repeat
      fields[fields.length - 1] = { ...last, count, values: count }
    } else {
      const own = isBytes ? 1 : repeat
      fields.push({ code, offset, count: repeat, index: values, values: own })
    }
    values += isBytes ? 1 : repeat
  }
  return { format, little, size, values, fields }
}

/** The count that the digits are, or `undefined` where it is more than C's ssize_t holds. */
function repeatCount(digits: string): number | undefined {
  const significant = digits.replace(/^0+/, '')
  // Only so many are worth converting: there may be a megabyte of them.
  if (significant.length > 19 || BigInt(significant) >= 2n ** 63n) return undefined
  return Number(significant)
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** What Python's codec says of the first characters that are not ASCII. */
function notAscii(format: string): string {
  const characters = [...format]
  const isForeign = (character = 'a') => (character.codePointAt(0) ?? 0) > 127
  const first = characters.findIndex(isForeign)
  let last = first
  while (isForeign(characters[last + 1])) last += 1
  const which =
    first === last
      ? `character '${escaped(characters[first])}' in position ${first}`
      : `characters in position ${first}-${last}`
  return `'ascii' codec can't encode ${which}: ordinal not in range(128)`
}

function escaped(character = ''): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  if (code < 0x100) return `\\x${hex}`
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}
