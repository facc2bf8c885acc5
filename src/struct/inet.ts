import { isUint8Array } from 'node:util/types'
import { pythonType, StructError } from './error.js'

/**
 * The address families, as node:os names them, or as `net.isIP()` numbers them: Python's `AF_INET` and
 * `AF_INET6`.
 */
export type AddressFamily = 'IPv4' | 'IPv6' | 4 | 6

/**
 * Packs an IPv4 address into its 4 bytes in network order: Python's `socket.inet_aton`, which is
 * glibc's `inet_aton`, here on every system.
 *
 * It takes what C programs have always taken: one to four decimal, octal (`0177`) or hexadecimal (`0x7f`)
 * numbers, the last of which fills the remaining bytes (`127.1` is 127.0.0.1). Whatever follows a space, a tab
 * or a line break is ignored. For input that you do not trust, {@link inetPton} is strict.
 *
 * @example
 * ```ts
 * import { inetAton } from 'typed-multicast/struct'
 *
 * console.log(inetAton('192.0.2.7')) // <Buffer c0 00 02 07>
 * ```
 * @throws StructError `ERR_STRUCT_ADDRESS`, with Python's message.
 */
export function inetAton(address: string): Buffer {
  checkString(address, 'inet_aton() argument', inetAtonRefusal)
  const [, numbers = ''] = /^([\da-fx.]+)(?:[ \t-\r]|$)/i.exec(address) ?? []
  // Five would be one too many, however long the rest is.
  const values = numbers.split('.', 5).map(readNumber)
  const last = values.pop() ?? Number.NaN
  const rest = 4 - values.length
  // NaN, which is no number of C's, is below nothing.
  const fits = rest > 0 && values.every((value) => value < 256) && last < 256 ** rest
  if (!fits) throw refusal(inetAtonRefusal, address)
  const packed = Buffer.alloc(4)
  packed.set(values)
  packed.writeUIntBE(last, values.length, rest)
  return packed
}

/**
 * The dotted address of 4 packed bytes: Python's `socket.inet_ntoa`.
 *
 * @example
 * ```ts
 * import { inetNtoa } from 'typed-multicast/struct'
 *
 * console.log(inetNtoa(Buffer.of(192, 0, 2, 7))) // 192.0.2.7
 * ```
 * @throws StructError `ERR_STRUCT_ADDRESS` for any other length, with Python's message.
 */
export function inetNtoa(packed: Uint8Array): string {
  checkBytes(packed)
  if (packed.length !== 4) throw refusal('packed IP wrong length for inet_ntoa', packed)
  return packed.join('.')
}

/**
 * Packs an address into bytes in network order, 4 for IPv4 and 16 for IPv6: Python's
 * `socket.inet_pton(AF_INET or AF_INET6, address)`, here on every system as glibc has it.
 *
 * IPv4 is four decimal numbers without leading zeros. IPv6 may have a `::` for one or more zero groups, and
 * may end in a dotted IPv4 address (`::ffff:192.0.2.7`). A zone (`%eth0`) is not part of the bytes and is refused.
 *
 * @example
 * ```ts
 * import { inetPton } from 'typed-multicast/struct'
 *
 * console.log(inetPton('IPv6', 'ff02::fb').length) // 16
 * ```
 * @throws StructError `ERR_STRUCT_ADDRESS`, with Python's message.
 */
export function inetPton(family: AddressFamily, address: string): Buffer {
  const { parse } = familyOf(family)
  checkString(address, 'inet_pton() argument 2', inetPtonRefusal)
  const bytes = parse(address)
  if (bytes === undefined) throw refusal(inetPtonRefusal, address)
  return Buffer.from(bytes)
}

/**
 * The text of an address that is packed in 4 bytes for IPv4 or 16 for IPv6: Python's
 * `socket.inet_ntop(AF_INET or AF_INET6, packed)`, here on every system as glibc writes it.
 *
 * The longest run of two or more zero groups, the leftmost if there are several, becomes `::`. After six zero
 * groups, or five and `ffff`, the last four bytes are dotted: `::192.0.2.7`, `::ffff:192.0.2.7`.
 *
 * @example
 * ```ts
 * import { inetNtop } from 'typed-multicast/struct'
 *
 * console.log(inetNtop('IPv4', Buffer.of(192, 0, 2, 7))) // 192.0.2.7
 * ```
 * @throws StructError `ERR_STRUCT_ADDRESS` for any other length, with Python's message.
 */
export function inetNtop(family: AddressFamily, packed: Uint8Array): string {
  const { size, print } = familyOf(family)
  checkBytes(packed)
  if (packed.length !== size) throw refusal('invalid length of packed IP address string', packed)
  return print(packed)
}

const inetAtonRefusal = 'illegal IP address string passed to inet_aton'
const inetPtonRefusal = 'illegal IP address string passed to inet_pton'

const families = {
  IPv4: { size: 4, parse: parseIPv4, print: inetNtoa },
  IPv6: { size: 16, parse: parseIPv6, print: printIPv6 },
} as const

function familyOf(family: unknown): (typeof families)[keyof typeof families] {
  if (family === 'IPv4' || family === 4) return families.IPv4
  if (family === 'IPv6' || family === 6) return families.IPv6
  throw refusal("unknown address family, it must be 'IPv4' or 'IPv6'", family)
}

/** A number as C's `strtoul` reads it: decimal, octal after `0`, hexadecimal after `0x`. */
function readNumber(digits: string): number {
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8)
  return /^(?:0x[\da-f]+|0|[1-9]\d*)$/i.test(digits) ? Number(digits) : Number.NaN
}

function parseIPv4(address: string): number[] | undefined {
  const numbers = address.split('.', 5)
  const isDotted = numbers.length === 4 && numbers.every((number) => decimal.test(number))
  return isDotted ? numbers.map(Number) : undefined
}

/** 0 to 255, without leading zeros. */
const decimal = /^(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/

function parseIPv6(address: string): number[] | undefined {
  const [head = '', tail, excess] = address.split('::', 3)
  const before = parseGroups(head, tail === undefined)
  const after = parseGroups(tail ?? '', true)
  if (before === undefined || after === undefined || excess !== undefined) return undefined
  const zeros = 16 - before.length - after.length
  // A '::' stands for at least one group, where there is one.
  if (tail === undefined ? zeros !== 0 : zeros < 2) return undefined
  return [...before, ...new Array<number>(zeros).fill(0), ...after]
}

/** The bytes of one side of a `::`. An IPv4 address can only be the last of the whole. */
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  // Nine groups are too many bytes already.
  const groups = text.split(':', 9)
  for (const [index, group] of groups.entries()) {
    if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 255)
      continue
    }
    const embedded = isLast && index === groups.length - 1 ? parseIPv4(group) : undefined
    if (embedded === undefined) return undefined
    bytes.push(...embedded)
  }
  return bytes
}

function printIPv6(packed: Uint8Array): string {
  const bytes = Buffer.from(packed)
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index))
  const zeros = longestZeros(groups)
  const texts = groups.map((group) => group.toString(16))
  const isMapped = zeros.length === 5 && groups[5] === 0xffff
  if (zeros.start === 0 && (zeros.length === 6 || isMapped)) {
    texts.splice(6, 2, inetNtoa(bytes.subarray(12)))
  }
  if (zeros.length < 2) return texts.join(':')
  const before = texts.slice(0, zeros.start)
  const after = texts.slice(zeros.start + zeros.length)
  return `${before.join(':')}::${after.join(':')}`
}

function longestZeros(groups: number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start }
  }
  return longest
}

function checkString(value: unknown, what: string, illegal: string): void {
  if (typeof value !== 'string') {
    throw refusal(`${what} must be str, not ${pythonType(value)}`, value)
  }
  // Python hands C a string of UTF-8, and neither of the two can be in one.
  if (/\p{Surrogate}/u.test(value)) throw refusal(illegal, value)
  if (value.includes('\0')) throw refusal('embedded null character', value)
}

function checkBytes(value: unknown): void {
  if (isUint8Array(value)) return
  throw refusal(`a bytes-like object is required, not '${pythonType(value)}'`, value)
}

function refusal(message: string, value: unknown): StructError {
  return new StructError('ERR_STRUCT_ADDRESS', message, { value })
}
