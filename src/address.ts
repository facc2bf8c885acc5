import { isIP, SocketAddress } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { MulticastError, type MulticastErrorCode, shown } from './errors.js'

/** What `os.networkInterfaces()` returns: each interface's addresses, by its name. */
export type NetworkInterfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

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

/** One network interface, seen from a group's family. */
export interface Interface {
  readonly name: string
  /** What node:dgram takes for it: an IPv4 address, or `::%` and the IPv6 zone. */
  readonly handle: string
  /** What stands behind the `%` of an IPv6 address: a name, on Windows a number. */
  readonly zone: string
}

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
export function groupAddress(group: Group, on: Interface | undefined): string {
  return group.scoped && on !== undefined ? `${group.address}%${on.zone}` : group.address
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
    `${option} must be a unicast ${family} address, as the group's family is, but is ${shown(value)}`,
  )
}

/** A sender to hear: a unicast address of the group's family. */
export function parseSource(value: unknown, group: Group): string {
  return parseUnicast(value, group, 'A source', 'ERR_MULTICAST_SOURCE')
}

/** Every interface with an address of the family, once each, in the system's order. */
export function listInterfaces(table: NetworkInterfaces, group: Group): Interface[] {
  const found = new Map<string, Interface>()
  for (const [label, addresses = []] of Object.entries(table)) {
    const address = addresses.find((entry) => entry.family === group.family)
    const name = withoutLabel(label)
    if (address !== undefined && !found.has(name)) {
      found.set(name, toInterface(name, address, addresses))
    }
  }
  return [...found.values()]
}

/** The interface of that name, or that has that address; `option` says in the error who asks. */
export function findInterface(
  table: NetworkInterfaces,
  group: Group,
  wanted: unknown,
  option: string,
): Interface {
  const all = listInterfaces(table, group)
  const name = typeof wanted === 'string' ? nameOf(table, wanted) : undefined
  const found = all.find((candidate) => candidate.name === name)
  if (found !== undefined) return found
  const why =
    name === undefined ? 'which is no interface here' : `which has no ${group.family} address`
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${option} is ${shown(wanted)}, ${why}. With ${group.family} there are: ${inventory(table, all)}`,
  )
}

/** The name of the interface that `wanted` names, or whose address or IPv6 zone number it is. */
function nameOf(table: NetworkInterfaces, wanted: string): string | undefined {
  if (Object.hasOwn(table, wanted)) return withoutLabel(wanted)
  const [address, zone] = splitZone(wanted)
  if (address === '::' && zone !== undefined) return nameOf(table, zone)
  const canonical = isIP(address) === 6 ? canonicalIPv6(address) : address
  for (const [label, addresses = []] of Object.entries(table)) {
    for (const entry of addresses) {
      const index = entry.family === 'IPv6' ? String(entry.scopeid) : undefined
      if (wanted === index && wanted !== '0') return withoutLabel(label)
      const inZone = zone === undefined || zone === label || zone === index
      if (entry.address === canonical && inZone) return withoutLabel(label)
    }
  }
  return undefined
}

function inventory(table: NetworkInterfaces, interfaces: Interface[]): string {
  const lines = interfaces.map(({ name, handle }) => {
    const own = Object.entries(table).filter(([label]) => withoutLabel(label) === name)
    const family = handle.includes(':') ? 'IPv6' : 'IPv4'
    const addresses = own.flatMap(([, entries = []]) =>
      entries.filter((entry) => entry.family === family).map((entry) => entry.address),
    )
    return `${name} (${addresses.join(', ')})`
  })
  return lines.join(', ') || 'none'
}

function toInterface(
  name: string,
  address: NetworkInterfaceInfo,
  all: NetworkInterfaceInfo[],
): Interface {
  if (address.family === 'IPv4') return { name, handle: address.address, zone: name }
  // Windows numbers its zones; only a link-local address carries the number (others say 0).
  const index = all.find((entry) => entry.family === 'IPv6' && entry.scopeid !== 0)
  const zone =
    process.platform === 'win32' && index?.family === 'IPv6' ? String(index.scopeid) : name
  return { name, handle: `::%${zone}`, zone }
}

// Linux lists an IPv4 address that has a label of its own as another interface, `eth0:1`; the kernel
// counts memberships by interface, and no real name there has a colon.
function withoutLabel(label: string): string {
  return process.platform === 'linux' ? label.replace(/:.*/, '') : label
}

function splitZone(address: string): [address: string, zone?: string] {
  const at = address.indexOf('%')
  return at < 0 ? [address] : [address.slice(0, at), address.slice(at + 1)]
}

function canonicalIPv6(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address
}

function isMulticast(address: string): boolean {
  return address.includes(':') ? /^ff[0-9a-f]{2}:/.test(address) : /^2(2[4-9]|3\d)\./.test(address)
}
