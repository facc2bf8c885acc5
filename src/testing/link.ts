import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { canonicalIPv6, isMulticast } from '../address.js'
import { MulticastError, shown } from '../errors.js'
import { inetNtop, inetPton } from '../struct/inet.js'
import { type Family, familyOf, isLinkLocal } from './scope.js'

/** One address of a link. */
export interface LinkAddress {
  readonly address: string
  readonly family: Family
  /** The length of the prefix that it shares with its neighbours, in bits. */
  readonly prefix: number
  /** The address of all its neighbours; only IPv4 has one. */
  readonly broadcast: string | undefined
  /** The address and the mask of its prefix, packed. */
  readonly packed: Uint8Array
  readonly mask: Uint8Array
}

/** A network interface of a mock host: what holds for it while it exists. */
export interface Link {
  readonly name: string
  /** Another each time it is created, so that what was joined on a deleted one is not on its successor. */
  readonly index: number
  /** The segment that it is plugged into; the loopback interface has none. */
  readonly segment: string | undefined
  addresses: readonly LinkAddress[]
  isUp: boolean
}

/** `'10.0.0.1/24'`; without a prefix length, 24 bits of IPv4 and 64 of IPv6. */
function parseLinkAddress(value: unknown): LinkAddress {
  const [, given = '', length] =
    (typeof value === 'string' && /^([^/%]+)(?:\/(\d+))?$/.exec(value)) || []
  const version = isIP(given)
  const family = version === 4 ? 'IPv4' : 'IPv6'
  const prefix = length === undefined ? (version === 4 ? 24 : 64) : Number(length)
  const address = version === 6 ? canonicalIPv6(given) : given
  const isPrefix = prefix > 0 && prefix <= (version === 4 ? 32 : 128)
  const isUnicast = !isMulticast(address) && !notOne.includes(address)
  if (version === 0 || !isPrefix || !isUnicast) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `An interface's address must be one such as '10.0.0.1/24' or 'fe80::1/64', but is ${shown(value)}`,
    )
  }
  const packed = inetPton(family, address)
  const mask = maskOf(family, prefix)
  const broadcast = packed.map((byte, at) => byte | (255 - (mask[at] ?? 0)))
  return {
    address,
    family,
    prefix,
    packed,
    mask,
    broadcast: version === 4 ? inetNtop('IPv4', broadcast) : undefined,
  }
}

/** Addresses that mean any host, or all of them. */
const notOne: readonly string[] = ['0.0.0.0', '255.255.255.255', '::']

/** The bytes of a mask of `prefix` bits. */
function maskOf(family: Family, prefix: number): Uint8Array {
  return Uint8Array.from({ length: family === 'IPv4' ? 4 : 16 }, (_, at) => {
    const ones = Math.min(8, Math.max(0, prefix - at * 8))
    return 256 - 2 ** (8 - ones)
  })
}

/** Whether an address is in the subnet of one of a link's, and so that of a neighbour. */
export function isNear({ family, packed, mask }: LinkAddress, address: string): boolean {
  if (familyOf(address) !== family) return false
  const other = inetPton(family, address)
  return mask.every((bits, at) => (((packed[at] ?? 0) ^ (other[at] ?? 0)) & bits) === 0)
}

/**
 * The addresses of a link, parsed, in the order in which Linux keeps them: IPv4 as they were added, the
 * first as the primary one; IPv6 the widest scope first, and in each the last one added.
 */
export function parseAddresses(values: readonly unknown[]): readonly LinkAddress[] {
  const parsed = values.map(parseLinkAddress)
  const ipv6 = parsed.filter(({ family }) => family === 'IPv6').reverse()
  return [
    ...parsed.filter(({ family }) => family === 'IPv4'),
    ...ipv6.filter(({ address }) => !isLinkLocal(address)),
    ...ipv6.filter(({ address }) => isLinkLocal(address)),
  ]
}

/** What `os.networkInterfaces()` lists of a link, which is of the host with that number. */
export function describe(link: Link, number: number): NetworkInterfaceInfo[] {
  const mac = link.segment === undefined ? '00:00:00:00:00:00' : macOf(number, link.index)
  return link.addresses.map(({ address, family, prefix, mask }) => {
    const netmask = inetNtop(family, mask)
    const internal = link.segment === undefined
    const shared = { address, netmask, mac, internal, cidr: `${address}/${prefix}` }
    if (family === 'IPv4') return { ...shared, family }
    return { ...shared, family, scopeid: isLinkLocal(address) ? link.index : 0 }
  })
}

/** A locally administered address of the host with that number. */
function macOf(host: number, index: number): string {
  const bytes = [0x02, 0, host >> 8, host & 255, index >> 8, index & 255]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Whether the address is in the subnet of one of the link's. */
export function isOnLink(link: Link, address: string): boolean {
  return link.addresses.some((own) => isNear(own, address))
}

/** Whether the address is that of everybody on the link. */
export function isBroadcast(link: Link, address: string): boolean {
  const isSubnets = link.addresses.some(({ broadcast }) => broadcast === address)
  return isSubnets || address === '255.255.255.255'
}
