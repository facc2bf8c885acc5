import { isIP } from 'node:net'
import { canonicalIPv6, splitZone } from '../address.js'
import { shown } from '../errors.js'
import { nodeError } from './system-error.js'

// What node:dgram makes of the arguments of its calls, and how it refuses those that are wrong.

/** The address in its canonical form, and its zone; none if it is no address. */
export function parseAddress(value: unknown): [address?: string, zone?: string] {
  const [address, zone] = splitZone(String(value))
  const version = isIP(address)
  if (version === 0 || (version === 4 && zone !== undefined)) return []
  const canonical = version === 4 ? address : canonicalIPv6(address)
  return zone === undefined ? [canonical] : [canonical, zone]
}

/** Where to bind to. */
export interface BindOptions {
  port?: number
  address?: string
  exclusive?: boolean
}

/** `bind(options, callback)`, or `bind(port, address, callback)`, of which each may be missing. */
export function bindArguments(given: readonly unknown[]): {
  port: number
  address: string | undefined
  callback: (() => void) | undefined
} {
  const isCallback = (value: unknown): value is () => void => typeof value === 'function'
  const [first, second] = given.filter((value) => !isCallback(value))
  const isOptions = typeof first === 'object' && first !== null
  const { port, address } = isOptions ? (first as BindOptions) : { port: first, address: second }
  return {
    // As C sees it: 16 bits of what is a number somehow.
    port: Number(port) & 0xffff,
    address: address as string | undefined,
    callback: given.find(isCallback),
  }
}

/** A copy, because the kernel has one: what was sent is the caller's again. */
export function bytesOf(data: Uint8Array | string): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return Buffer.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

/** Numbers as strings are ports too. */
export function checkPort(given: unknown): number {
  const port = typeof given === 'string' ? Number(given) : given
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536) {
    return port as number
  }
  const message = `Port should be > 0 and < 65536. Received ${shown(given)}.`
  throw nodeError(RangeError, 'ERR_SOCKET_BAD_PORT', message)
}

export function checkBufferSize(size: number): number {
  if (size >>> 0 === size) return size
  const message = 'Buffer size must be a positive integer'
  throw nodeError(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', message)
}

export function checkString(value: unknown, name: string): void {
  if (typeof value === 'string') return
  const message = `The "${name}" argument must be of type string. Received ${shown(value)}`
  throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
}
