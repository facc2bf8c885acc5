import { isIP } from 'node:net'
import { inspect } from 'node:util'
import { canonicalIPv6, splitZone } from '../address.js'
import { alreadyConnected, invalidType, nodeError, received } from './node-error.js'

// What node:dgram makes of the arguments of its calls, and how it refuses those that are wrong.

/** The address in its canonical form, and its zone; none if it is no address. */
export function parseAddress(value: unknown): [address?: string, zone?: string | undefined] {
  const [address, zone] = splitZone(String(value))
  const version = isIP(address)
  if (version === 0 || (version === 4 && zone !== undefined)) return []
  const canonical = version === 4 ? address : canonicalIPv6(address)
  return [canonical, zone]
}

/** Where to bind to. */
export interface BindOptions {
  port?: number | undefined
  address?: string | undefined
  exclusive?: boolean | undefined
}

type Callback = (...told: unknown[]) => void

export function isCallback(value: unknown): value is Callback {
  return typeof value === 'function'
}

/** `bind(options)`, or `bind(port, address)`, of which each may be missing; a callback is the last of them. */
export function bindArguments([first, second]: readonly unknown[]): {
  port: unknown
  address: unknown
} {
  if (typeof first === 'object' && first !== null) {
    const { port, address, fd } = first as BindOptions & { fd: number }
    // Others are no numbers of files, and node:dgram looks at them no further.
    if (fd === (fd | 0) && fd > 0) {
      // A file of the process, which is no socket of a host in memory.
      throw nodeError(TypeError, 'ERR_INVALID_FD_TYPE', 'Unsupported fd type: UNKNOWN')
    }
    return { port, address }
  }
  return { port: first, address: isCallback(second) ? undefined : second }
}

/** `connect(port, address, callback)`, of which the last two may be missing. */
export function connectArguments(given: readonly unknown[]): {
  port: number
  address: string
  callback: Callback | undefined
} {
  const [first, second, third] = given
  const port = checkPort(first)
  const isBare = isCallback(second)
  const address = isBare || second === undefined ? '' : second
  checkString(address, 'address')
  // What is as good as nothing is none; anything else is no listener, of which `once` says so.
  const callback = (isBare ? second : third) || undefined
  return { port, address, callback: callback as Callback | undefined }
}

/** What is to be sent, and where to: without a port to what the socket is connected to. */
export interface Sending {
  readonly list: readonly NodeJS.ArrayBufferView[]
  readonly port: number | undefined
  readonly address: string | undefined
  readonly callback: Callback | undefined
}

/**
 * `send(data, port, address, callback)`, with an offset and a length after the data or not; a socket that
 * is connected takes no port and no address. All but the data, and the port where there is one, may be missing.
 */
export function sendArguments(given: readonly unknown[], isConnected: boolean): Sending {
  const [data, first, second, third, fourth, fifth] = given
  const hasBounds = isConnected
    ? typeof second === 'number'
    : Boolean(fourth || (third && !isCallback(third)))
  const bounded = hasBounds ? slice(data, first, second) : data
  if (isConnected) {
    const isLast = hasBounds && isCallback(third)
    if ((third && !isLast) || fourth) throw alreadyConnected()
    const last = hasBounds ? (isLast ? third : fifth) : first
    const callback = isCallback(last) ? last : undefined
    return { list: listOf(bounded), port: undefined, address: undefined, callback }
  }
  const list = listOf(bounded)
  const [to, at, last] = hasBounds ? [third, fourth, fifth] : [first, second, third]
  const port = checkPort(to)
  if (isCallback(at)) return { list, port, address: undefined, callback: at }
  if (at !== undefined && at !== null) checkString(at, 'address')
  // Where it is null, it is null in errors too.
  const address = at as string | undefined
  return { list, port, address, callback: isCallback(last) ? last : undefined }
}

const bytes = 'of type string or an instance of Buffer, TypedArray, or DataView'

/** The part of the data that is meant. */
function slice(data: unknown, from: unknown, count: unknown): Buffer {
  const whole = typeof data === 'string' ? Buffer.from(data) : data
  if (!ArrayBuffer.isView(whole)) throw invalidType('buffer', bytes, data)
  const [offset, length] = [(from as number) >>> 0, (count as number) >>> 0]
  for (const [name, end] of [
    ['offset', offset],
    ['length', offset + length],
  ] as const) {
    if (end <= whole.byteLength) continue
    const message = `"${name}" is outside of buffer bounds`
    throw nodeError(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', message)
  }
  return Buffer.from(whole.buffer, whole.byteOffset + offset, length)
}

/** The data as parts, which are the caller's memory until they have been sent. */
function listOf(data: unknown): readonly NodeJS.ArrayBufferView[] {
  const parts: unknown[] = Array.isArray(data) ? [...data] : [data]
  return parts.map((part): NodeJS.ArrayBufferView => {
    if (typeof part === 'string') return Buffer.from(part)
    if (!ArrayBuffer.isView(part)) {
      throw invalidType(Array.isArray(data) ? 'buffer list arguments' : 'buffer', bytes, data)
    }
    // Buffers, as with node:dgram: once the socket is bound, `send` is called again with this list, and may be overridden.
    const view = part as NodeJS.ArrayBufferView
    return Array.isArray(data) ? Buffer.from(view.buffer, view.byteOffset, view.byteLength) : view
  })
}

/** Numbers as strings are ports too. */
export function checkPort(given: unknown, name = 'Port', least: 0 | 1 = 1): number {
  const port = typeof given === 'string' && given.trim() !== '' ? Number(given) : given
  if (Number.isInteger(port) && Number(port) >= least && Number(port) < 65_536) return Number(port)
  const range = `${least === 0 ? '>= 0' : '> 0'} and < 65536`
  const message = `${name} should be ${range}. Received ${received(given)}.`
  throw nodeError(RangeError, 'ERR_SOCKET_BAD_PORT', message)
}

/** The address of a call that looks up no names. */
export function checkLiteral(address: unknown, name: string, call: string): string {
  checkString(address, name)
  if (isIP(address) !== 0) return address
  const what = name.includes('.') ? 'property' : 'argument'
  const why = `must be a numeric IP address; ${call} does not perform DNS resolution`
  const message = `The ${what} '${name}' ${why}. Received ${inspect(address)}`
  throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', message)
}

export function checkBufferSize(size: number): number {
  if (size >>> 0 === size) return size
  const message = 'Buffer size must be a positive integer'
  throw nodeError(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', message)
}

export function checkString(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value)
}

export function checkNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
}
