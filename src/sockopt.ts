import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { parseGroup, parseSource, parseUnicast } from './address.js'
import { MulticastError, shown } from './errors.js'
import {
  findInterface,
  interfaceLister,
  type Lookup,
  type NetworkInterfaces,
} from './interfaces.js'
import { integer, optional, type Rules, resolve, rule } from './rules.js'
import { inetAton, inetPton } from './struct/inet.js'

/** What {@link packMembership} packs: a membership to add or to drop. */
export interface MembershipRequest {
  /**
   * The group: 224.0.0.0 to 239.255.255.255, or IPv6 ff00::/8. An IPv6 group's zone, a name or an index
   * (`ff02::1%eth0`), stands for `interface`.
   */
  group: string
  /**
   * The interface to join on. Default: `'default'`, the one that the system picks by its route to
   * the group (Python's `INADDR_ANY`).
   *
   * With an IPv4 group: an address, packed as it is, or a name, which stands for the interface's first IPv4
   * address. With an IPv6 group: an index (Python's `socket.if_nametoindex`), or a name or address for which
   * `networkInterfaces` has a scope id.
   */
  interface?: string | number | undefined
  /** The only sender to hear. Only with an IPv4 group. Default: every sender. */
  source?: string | undefined
  /** Lists the interfaces, to look up a name. Default: node:os's `networkInterfaces`. */
  networkInterfaces?: (() => NetworkInterfaces) | undefined
}

/**
 * The value of IP_MULTICAST_TTL, 1 byte: Python's `struct.pack('B', ttl)`. The tutorials' signed
 * `'b'` ends at 127.
 *
 * It is for IPv4 only: IPV6_MULTICAST_HOPS takes an int and refuses one byte.
 *
 * @example
 * ```ts
 * import { packTtl } from 'typed-multicast'
 *
 * console.log(packTtl(32)) // <Buffer 20>
 * ```
 * @param ttl How many networks a message may cross, an integer from 0 to 255.
 * @throws MulticastError `ERR_MULTICAST_TTL` for any other value.
 */
export function packTtl(ttl: number): Buffer {
  return Buffer.of(checkTtl(ttl, 'ttl'))
}

/**
 * The structure that names a membership to the kernel. In Python you pack it yourself, with
 * `struct.pack('4s4s', inet_aton(group), inet_aton(interface))`.
 *
 * | given | structure | bytes | value of |
 * |---|---|---|---|
 * | an IPv4 group | `ip_mreq`: group, interface | 8 | IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP |
 * | and a source | `ip_mreq_source`: group, interface, source | 12 | IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP |
 * | an IPv6 group | `ipv6_mreq`: group, interface index | 20 | IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP |
 *
 * The addresses are in network order, the index in the machine's own. On macOS, Windows and the BSDs
 * `ip_mreq_source` has the source before the interface; there it is packed that way.
 *
 * @example
 * ```ts
 * import { packMembership } from 'typed-multicast'
 *
 * const packed = packMembership({ group: '239.1.2.3', interface: '192.0.2.7' })
 * console.log(packed) // <Buffer ef 01 02 03 c0 00 02 07>
 * ```
 * @throws MulticastError `ERR_MULTICAST_GROUP`, `ERR_MULTICAST_INTERFACE`,
 * `ERR_MULTICAST_SOURCE`, and for other properties `ERR_MULTICAST_UNKNOWN_OPTION`.
 */
export function packMembership(membership: MembershipRequest): Buffer {
  const { group, interface: on, source } = resolve(membershipRules, membership)
  const packed = inetPton(group.family, group.address)
  if (source === undefined) return Buffer.concat([packed, on])
  // Linux's own order. Where the BSDs' header came from, the source is in the middle.
  const isLinux = process.platform === 'linux' || process.platform === 'android'
  return Buffer.concat(isLinux ? [packed, on, source] : [packed, source, on])
}

const checkTtl = integer(0, 255, 'ERR_MULTICAST_TTL')
const checkIndex = integer(0, 2 ** 32 - 1, 'ERR_MULTICAST_INTERFACE')

const membershipRules = {
  group: rule({ check: (value) => parseGroup(value) }),
  networkInterfaces: rule({ default: networkInterfaces, check: interfaceLister }),
  interface: rule({
    default: 'default',
    check: (value, option, network: Lookup) =>
      network.group.family === 'IPv4'
        ? packInterface(value, option, network)
        : packIndex(parseIndex(value, option, network)),
  }),
  source: rule({ check: optional(packSource) }),
} satisfies Rules

/** `imr_interface`, 4 bytes. */
function packInterface(value: unknown, option: string, network: Lookup): Buffer {
  const { group } = network
  if (value === 'default') return Buffer.alloc(4)
  if (typeof value === 'number') {
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `${option} must be a name or an IPv4 address, since the group is IPv4, but is ${value}: only an IPv6 group takes an index`,
    )
  }
  // As it is: the bytes may be meant for another machine, and this one's second address is one too.
  if (typeof value === 'string' && isIPv4(value)) {
    return inetAton(parseUnicast(value, group, option, 'ERR_MULTICAST_INTERFACE'))
  }
  return inetAton(findInterface(network.networkInterfaces(), group, value, option).handle)
}

/** `ipv6mr_interface`, 4 bytes: an unsigned int of this machine. */
function packIndex(index: number): Buffer {
  return Buffer.from(Uint32Array.of(index).buffer)
}

/** The index of the interface that is asked for, by `interface` or by the group's zone. */
function parseIndex(value: unknown, option: string, network: Lookup): number {
  const { zone } = network.group
  const zoned = zone === undefined ? undefined : indexOf(zone, "The group's zone", network)
  if (value === 'default') return zoned ?? 0
  const asked = indexOf(value, option, network)
  if (zoned === undefined || zoned === asked) return asked
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `The group's zone is %${zone}, but ${option} asks for ${shown(value)}: leave one of the two out`,
  )
}

function indexOf(value: unknown, option: string, { group, networkInterfaces }: Lookup): number {
  if (typeof value === 'number') return checkIndex(value, option)
  const table = networkInterfaces()
  // Linux lets an interface have a number for its name, and then the name counts, as everywhere.
  const isIndex =
    typeof value === 'string' && /^\d{1,10}$/.test(value) && !Object.hasOwn(table, value)
  if (isIndex) return checkIndex(Number(value), option)
  const { name } = findInterface(table, group, value, option)
  for (const address of table[name] ?? []) {
    if (address.family === 'IPv6' && address.scopeid > 0) return address.scopeid
  }
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${option} is ${shown(value)}, but Node cannot find its index, because ${name} has no link-local address: pass the index as a number (ip link and Python's socket.if_nametoindex show it)`,
  )
}

/** `imr_sourceaddr`, 4 bytes. */
function packSource(value: unknown, option: string, { group }: Lookup): Buffer {
  if (group.family === 'IPv4') return inetAton(parseSource(value, group))
  throw new MulticastError(
    'ERR_MULTICAST_SOURCE',
    `${option} is ${shown(value)}, but ipv6_mreq has no place for it: leave it out, or use the option sources of a MulticastReceiver`,
  )
}
