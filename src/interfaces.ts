import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { canonicalIPv6, type Group, splitZone } from './address.js'
import { MulticastError, reasonOf, shown } from './errors.js'
import { isFunction, isList } from './rules.js'

/** What `os.networkInterfaces()` returns: each interface's addresses, by its name. */
export type NetworkInterfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/** One network interface, seen from a group's family. */
export interface Interface {
  readonly name: string
  /** What node:dgram takes for it: an IPv4 address, or `::%` and the IPv6 zone. */
  readonly handle: string
  /** What stands behind the `%` of an IPv6 address: a name, on Windows a number. */
  readonly zone: string
}

/** What is asked of the option `interfaces`, once it is checked. */
export type Wanted = 'all' | 'default' | readonly Interface[]

/** Where interfaces are looked for, and for which group. */
export interface Network {
  readonly group: Group
  readonly networkInterfaces: () => NetworkInterfaces
}

/** Lists the interfaces as `value` does; where that fails, the error is a MulticastError. */
export function interfaceLister(value: unknown, option: string): () => NetworkInterfaces {
  const list = isFunction<() => NetworkInterfaces>(value, option)
  return () => {
    try {
      const table = list()
      if (typeof table === 'object' && table !== null) return table
      throw new TypeError(`the function returned ${shown(table)}`)
    } catch (cause) {
      const why = `The network interfaces could not be listed: ${reasonOf(cause)}`
      throw new MulticastError('ERR_MULTICAST_INTERFACE', why, { cause })
    }
  }
}

/** The interfaces that `interfaces`, or a membership's `interface`, asks for. */
export function parseInterfaces(
  value: unknown,
  option: string,
  { group, networkInterfaces }: Network,
): Wanted {
  if ((value === 'all' || value === 'default') && group.zone === undefined) return value
  const table = networkInterfaces()
  if (value === 'all' || value === 'default') {
    return [findInterface(table, group, group.zone, "The group's zone")]
  }
  const list = isList(
    value,
    option,
    "'all', 'default' or a list with at least one name or address",
    'ERR_MULTICAST_INTERFACE',
  )
  const found = new Map<string, Interface>()
  for (const wanted of list) {
    const one = findInterface(table, group, wanted, option)
    found.set(one.name, one)
  }
  return inZone(group, [...found.values()], table, option)
}

/** The one interface that `interface` asks for, or else the group's zone. */
export function parseInterface(
  value: unknown,
  option: string,
  { group, networkInterfaces }: Network,
): Interface | undefined {
  const wanted = value === undefined ? group.zone : value
  if (wanted === undefined) return undefined
  const table = networkInterfaces()
  const asked = value === undefined ? "The group's zone" : option
  return inZone(group, [findInterface(table, group, wanted, asked)], table, option)[0]
}

/** The interfaces to join on; `undefined` is the one that the system picks. */
export function targetInterfaces(
  { group, networkInterfaces, bindAddress }: Network & { readonly bindAddress: string | undefined },
  wanted: Wanted,
): readonly (Interface | undefined)[] {
  const table = networkInterfaces()
  if (wanted === 'all') return listInterfaces(table, group)
  if (wanted !== 'default') {
    // Looked up anew, because since they were named they may have got another address.
    return wanted.map(({ name }) => findInterface(table, group, name, 'interfaces'))
  }
  if (!group.scoped || bindAddress !== undefined) return [undefined]
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${group.address} is another group on each link, and is bound together with an interface: name one behind the group (%eth0) or in interfaces, or set bindAddress to 'any'`,
  )
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

/** The interfaces, if the group's zone allows them. */
function inZone(
  group: Group,
  interfaces: Interface[],
  table: NetworkInterfaces,
  option: string,
): readonly Interface[] {
  if (group.zone === undefined) return interfaces
  const zone = findInterface(table, group, group.zone, "The group's zone")
  const other = interfaces.find(({ name }) => name !== zone.name)
  if (other === undefined) return interfaces
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `The group's zone is %${group.zone}, but ${option} asks for ${other.name}: leave one of the two out`,
  )
}
