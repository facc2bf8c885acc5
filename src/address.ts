import { isIP, SocketAddress } from 'node:net'
import { MulticastError, type MulticastErrorCode, shown } from './errors.js'

/** A multicast group, parsed. */
export interface Group {
  /** The address in its canonical form, without a zone. */
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  /** The interface named behind the `%`, as it was given. */
  readonly zone: string | undefined
  /**
   * Whether the address means another group on each link (interface-local and link-local IPv6
   * scopes, RFC 4291 section 2.7), so that it can only be bound together with a zone.
   */
  readonly scoped: boolean
}

/**
 * The largest payload of a datagram in bytes: 65,535 less the UDP header and, where the length field
 * counts it, the IPv4 header.
 */
export const maxPayload = { IPv4: 65_507, IPv6: 65_527 } as const

export function parseGroup(value: unknown): Group {
  const [address, zone] = typeof value === 'string' ? splitZone(value) : []
  const version = address === undefined ? 0 : isIP(address)
  if (address !== undefined && version === 4 && zone === undefined) {
    if (isMulticast(address)) return { address, family: 'IPv4', zone, scoped: false }
  }
  if (address !== undefined && version === 6 && zone !== '') {
    const canonical = canonicalIPv6(address)
    if (isMulticast(canonical)) {
      const scope = Number.parseInt(canonical.charAt(3), 16)
      return { address: canonical, family: 'IPv6', zone, scoped: scope === 1 || scope === 2 }
    }
  }
  throw new MulticastError(
    'ERR_MULTICAST_GROUP',
    `group must be a multicast address, 224.0.0.0 to 239.255.255.255 or IPv6 ff00::/8 (such as 'ff02::1%eth0'), but is ${shown(value)}`,
  )
}

/** The group as node:dgram binds and sends to it: with the zone of `on`, where it needs one. */
export function groupAddress(group: Group, on: { readonly zone: string } | undefined): string {
  return group.scoped && on !== undefined ? `${group.address}%${on.zone}` : group.address
}

/** Any address of the group's family. */
export function wildcard({ family }: Pick<Group, 'family'>): string {
  return family === 'IPv4' ? '0.0.0.0' : '::'
}

/** A unicast or wildcard address of the group's family, in the form that `RemoteInfo.address` has. */
export function parseUnicast(
  value: unknown,
  { family }: Group,
  option: string,
  code: MulticastErrorCode = 'ERR_MULTICAST_OPTION',
): string {
  const [address = '', zone] = typeof value === 'string' ? splitZone(value) : []
  if (isIP(address) === (family === 'IPv4' ? 4 : 6) && zone !== '') {
    const canonical = family === 'IPv4' ? address : canonicalIPv6(address)
    const isZoned = zone !== undefined
    if (!isMulticast(canonical) && !(isZoned && family === 'IPv4')) {
      return isZoned ? `${canonical}%${zone}` : canonical
    }
  }
  throw new MulticastError(
    code,
    `${option} must be a unicast ${family} address, since the group is ${family}, but is ${shown(value)}`,
  )
}

/** A sender to hear: a unicast address of the group's family. */
export function parseSource(value: unknown, group: Group): string {
  const source = parseUnicast(value, group, 'A source', 'ERR_MULTICAST_SOURCE')
  if (!['0.0.0.0', '255.255.255.255', '::'].includes(source)) return source
  throw new MulticastError(
    'ERR_MULTICAST_SOURCE',
    `A source must be the address of one sender, but is ${shown(value)}: leave it out to hear every sender`,
  )
}

/** The address, and what stands behind its `%`. */
export function splitZone(address: string): [address: string, zone?: string] {
  const at = address.indexOf('%')
  return at < 0 ? [address] : [address.slice(0, at), address.slice(at + 1)]
}

export function canonicalIPv6(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address
}

/** Whether a canonical address is that of a group. */
export function isMulticast(address: string): boolean {
  return address.includes(':') ? /^ff[0-9a-f]{2}:/.test(address) : /^2(2[4-9]|3\d)\./.test(address)
}
