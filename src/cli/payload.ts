import { isUtf8 } from 'node:buffer'
import { inspect } from 'node:util'
import { printable, reasonOf, shown } from '../errors.js'
import { parse } from '../struct/parse.js'
import { Struct } from '../struct/struct.js'
import { UsageError } from './usage.js'

/** Shows a datagram on one line, whatever a stranger has put into it. */
export type Show = (data: Buffer) => string

/** How `listen` was asked to show datagrams; without a flag as text, or in hex where it is none. */
export interface Shape {
  readonly text?: boolean | undefined
  readonly json?: boolean | undefined
  readonly hex?: boolean | undefined
  readonly struct?: string | undefined
}

/** How datagrams are to be shown. Throws a UsageError for flags that exclude each other, or a wrong format. */
export function showing({ text, json, hex, struct }: Shape): Show {
  const asked = [
    text && '--text',
    json && '--json',
    hex && '--hex',
    struct !== undefined && '--struct',
  ]
  const flags = asked.filter((flag) => flag)
  if (flags.length > 1) throw new UsageError(`${flags.join(' and ')} exclude each other`)
  if (struct !== undefined) return structShown(structOf(struct))
  if (json) return (data) => printable(JSON.stringify(JSON.parse(utf8(data))))
  if (hex) return (data) => data.toString('hex')
  if (text) return (data) => printable(utf8(data))
  return (data) => (isUtf8(data) ? printable(data.toString()) : data.toString('hex'))
}

function utf8(data: Buffer): string {
  if (isUtf8(data)) return data.toString()
  throw new TypeError('it is not UTF-8')
}

function structShown(struct: Struct): Show {
  return (data) => {
    if (data.byteLength !== struct.size) {
      throw new TypeError(`it has ${data.byteLength} bytes, and ${struct.format} ${struct.size}`)
    }
    const values = struct.unpack(data) as readonly unknown[]
    return values.map((value) => inspect(value, { breakLength: Infinity, depth: 1 })).join(' ')
  }
}

/** The datagram that values make which were typed, each as the format's code at its place asks for. */
export function packed(format: string, words: readonly string[]): Uint8Array {
  const struct = structOf(format)
  const kinds = parse(format).fields.flatMap(({ code, values }) =>
    Array.from({ length: values }, () => code),
  )
  if (words.length !== kinds.length) {
    throw new UsageError(`${format} takes ${kinds.length} values, and ${words.length} were given`)
  }
  const values = kinds.map(({ kind, char }, at) => {
    const word = words[at] ?? ''
    if (kind === 'bool') return truth(word)
    if (kind === 'float') return number(word, char)
    if (kind === 'signed' || kind === 'unsigned' || kind === 'pointer') return whole(word, char)
    if (kind === 'complex') throw new UsageError(`${char} (complex) cannot be typed`)
    return Buffer.from(word)
  })
  try {
    return (struct.pack as (...values: unknown[]) => Uint8Array)(...values)
  } catch (error) {
    throw new UsageError(`${words.join(' ')} does not fit ${format}: ${reasonOf(error)}`)
  }
}

function structOf(format: string): Struct {
  try {
    return new Struct(format)
  } catch (error) {
    throw new UsageError(`${shown(format)} is not a struct format: ${reasonOf(error)}`)
  }
}

function truth(word: string): boolean {
  if (['true', 'True', '1'].includes(word)) return true
  if (['false', 'False', '0'].includes(word)) return false
  throw new UsageError(`? takes true or false, but was given ${shown(word)}`)
}

function number(word: string, char: string): number {
  const value = word.trim() === '' ? Number.NaN : Number(word)
  if (!Number.isNaN(value) || word === 'NaN') return value
  throw new UsageError(`${char} takes a number, but was given ${shown(word)}`)
}

function whole(word: string, char: string): bigint {
  if (/^-?(\d+|0x[\da-f]+)$/i.test(word)) {
    return word.startsWith('-') ? -BigInt(word.slice(1)) : BigInt(word)
  }
  throw new UsageError(`${char} takes an integer, but was given ${shown(word)}`)
}
