import { isMulticast } from '../address.js'
import type { Family } from '../stack/scope.js'
import { inetNtop, inetPton } from '../struct/inet.js'

// What stands before each payload, replies included: `TM`, the version, the kind, and the address that it was
// sent to, in 4 or 16 bytes. A plain UDP program does not write it, and so is not heard.

const magic = [0x54, 0x4d] as const
const version = 1
const kinds = { host: 0, group: 1 } as const

/** The bytes of a header, by family. */
export const headerSize = { IPv4: 8, IPv6: 20 } as const

/** A header and its payload. */
export interface Headed {
  /** Whether it was sent to a group (or to everybody), or to one host. */
  readonly kind: keyof typeof kinds
  /** The address that it was sent to. */
  readonly destination: string
  readonly data: Buffer
}

/** The datagram as it goes over the network. */
export function withHeader(family: Family, { kind, destination, data }: Headed): Buffer {
  const header = [...magic, version, kinds[kind], ...inetPton(family, destination)]
  return Buffer.concat([Uint8Array.from(header), data])
}

/** What a datagram holds that came over the network; nothing if it is none of this carrier's. */
export function parseHeader(family: Family, bytes: Buffer): Headed | undefined {
  const size = headerSize[family]
  if (bytes.byteLength < size) return undefined
  const isOurs = bytes[0] === magic[0] && bytes[1] === magic[1] && bytes[2] === version
  const kind = bytes[3] === kinds.group ? 'group' : bytes[3] === kinds.host ? 'host' : undefined
  if (!isOurs || kind === undefined) return undefined
  const destination = inetNtop(family, bytes.subarray(4, size))
  if (kind === 'host' && isMulticast(destination)) return undefined
  return { kind, destination, data: bytes.subarray(size) }
}
