import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { canonicalIPv6, type Group, splitZone } from './address.js'
import { MulticastError, reasonOf, shown } from './errors.js'
import { isFunction, wrongValue } from './rules.js'

/** What `os.networkInterfaces()` returns: each interface's addresses, by its name. */
export type NetworkInterfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/** Calls back at each change of the interfaces, and returns what ends that. */
export type WatchInterfaces = (onChange: (lost: readonly string[]) => void) => () => void

/** One network interface, seen from a group's family. */
export interface Interface {
  readonly name: string
  /** What node:dgram takes for it: an IPv4 address, or `::%` and the IPv6 zone. */
  readonly handle: string
  /** What stands behind the `%` of an IPv6 address: a name, on Windows a number. */
  readonly zone: string
  /** The system's number of it, where the table tells: a new one of the same name has another. */
  readonly index?: number
  /** The address of the family that was asked for, if it was not the name: what it is sent from too. */
  readonly given?: string
  /** The other interfaces that have the IPv4 address of `handle` too: only the system knows which is meant. */
  readonly others?: readonly string[]
}

/** What is asked of the option `interfaces`, once it is checked: names and addresses as they were given. */
export type Wanted = 'all' | 'default' | readonly string[]

/** Where interfaces are looked for, and for which group. */
export interface Lookup {
  readonly group: Group
  readonly networkInterfaces: () => NetworkInterfaces
}

/** Lists the interfaces anew at each call. */
export interface Lister {
  (): NetworkInterfaces
  /** What lists them, as it was given. */
  readonly list: () => NetworkInterfaces
  /** Whether it is listing them at this moment. */
  readonly isReading: boolean
  /** The first time, what was listed last, if it was: opening follows at once on the options' check. */
  again(): NetworkInterfaces
}

/** Lists the interfaces as `value` does; where that fails, the error is a MulticastError. */
export function interfaceLister(value: unknown, option: string): Lister {
  const list = isFunction<() => NetworkInterfaces>(value, option)
  let last: NetworkInterfaces | undefined
  let isOpening = true
  const lister = (): NetworkInterfaces => {
    state.isReading = true
    try {
      const table = list()
      if (typeof table !== 'object' || table === null) {
        throw new TypeError(`the function returned ${shown(table)}`)
      }
      if (isOpening) last = table
      return table
    } catch (cause) {
      const why = `The network interfaces could not be listed: ${reasonOf(cause)}`
      throw new MulticastError('ERR_MULTICAST_INTERFACE', why, { cause })
    } finally {
      state.isReading = false
    }
  }
  const again = (): NetworkInterfaces => {
    isOpening = false
    const table = last ?? lister()
    last = undefined
    return table
  }
  const state = Object.assign(lister, { again, list, isReading: false })
  return state
}

/**
 * What the option `interfaces`, or a membership's `interface`, asks for. All that it names has to be there,
 * unless it is waited for.
 */
export function parseInterfaces(
  value: unknown,
  option: string,
  lookup: Lookup,
  isWaitedFor = false,
): Wanted {
  const wanted = parseWanted(value, option)
  const { zone } = lookup.group
  if (typeof wanted === 'string') {
    if (zone === undefined) return wanted
    return [isWaitedFor ? zone : checkedZone(lookup, zone)]
  }
  const wrong = wanted.find((one) => typeof one !== 'string' || one === '')
  if (isWaitedFor && wrong !== undefined) {
    throw wrongValue('ERR_MULTICAST_INTERFACE', option, 'a name or an address', wrong)
  }
  if (!isWaitedFor || isThere(lookup, [...wanted, ...(zone === undefined ? [] : [zone])])) {
    wantedInterfaces(lookup, wanted, option)
  }
  return wanted
}

/** Whether each of them is there now. */
function isThere({ group, networkInterfaces }: Lookup, wanted: readonly string[]): boolean {
  const table = networkInterfaces()
  return wanted.every((one) => foundInterface(table, group, one) !== undefined)
}

function parseWanted(value: unknown, option: string): Wanted {
  if (value === 'all' || value === 'default') return value
  const list = typeof value === 'string' ? [value] : value
  if (Array.isArray(list) && list.length > 0) {
    const word = list.find((one) => one === 'all' || one === 'default')
    if (word !== undefined) {
      throw new MulticastError(
        'ERR_MULTICAST_INTERFACE',
        `${option} has ${shown(word)} in a list: give the word alone, or list the interfaces`,
      )
    }
    // The caller's own list may change.
    return [...list]
  }
  throw wrongValue(
    'ERR_MULTICAST_INTERFACE',
    option,
    "'all', 'default', a name or an address, or a list with at least one of these",
    value,
  )
}

function checkedZone({ group, networkInterfaces }: Lookup, zone: string): string {
  findInterface(networkInterfaces(), group, zone, "The group's zone")
  return zone
}

/** The interfaces that a list asks for as they are now, once each. `option` says in an error who asks. */
export function wantedInterfaces(
  { group, networkInterfaces }: Lookup,
  wanted: readonly unknown[],
  option = 'interfaces',
): readonly Interface[] {
  const table = networkInterfaces()
  const found = new Map<string, Interface>()
  for (const one of wanted) {
    const on = findInterface(table, group, one, option)
    if (!found.has(on.name)) found.set(on.name, on)
  }
  return inZone(group, [...found.values()], table, option)
}

/** Every interface with an address of the family, once each, in the system's order. */
export function listInterfaces(table: NetworkInterfaces, group: Group): Interface[] {
  const names = byName(table)
  const taken = new Set<string>()
  return [...names.keys()].flatMap((name) => {
    const on = interfaceOf(names, group, name)
    // By an address that several interfaces share the system would find the same one each time.
    if (on === undefined || taken.has(on.handle)) return []
    taken.add(on.handle)
    return on
  })
}

/** The interfaces to send through for `'all'`: the loopback interface only if there is no other. */
export function outwardInterfaces(table: NetworkInterfaces, group: Group): Interface[] {
  const all = listInterfaces(table, group)
  const names = byName(table)
  const outward = all.filter(({ name }) => !names.get(name)?.some(({ info }) => info.internal))
  return outward.length > 0 ? outward : all
}

/** The interface of that name, label or address; `option` says in the error who asks. */
export function findInterface(
  table: NetworkInterfaces,
  group: Group,
  wanted: unknown,
  option: string,
): Interface {
  const names = byName(table)
  const given = typeof wanted === 'string' ? namedBy(names, group, wanted) : undefined
  const found = given && interfaceOf(names, group, given.name, given.address)
  const isOwn = given?.address !== undefined || found?.others === undefined
  if (found !== undefined && isOwn) return found
  const why =
    found !== undefined
      ? `which has no address of its own: ${found.handle} is that of ${found.others?.join(', ')} too. Give the address, for whichever the system takes`
      : given === undefined
        ? 'which is no interface here'
        : `which has no ${group.family} address`
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${option} is ${shown(wanted)}, ${why}. With ${group.family} there are: ${inventory(names, group)}`,
  )
}

/** The interface of that name, label or address, if it is there and can be used. */
export function foundInterface(
  table: NetworkInterfaces,
  group: Group,
  wanted: string,
): Interface | undefined {
  try {
    return findInterface(table, group, wanted, 'interfaces')
  } catch {
    return undefined
  }
}

/** The address of an interface to bind to where a socket for each has to have the same port. */
export function addressOn(table: NetworkInterfaces, group: Group, on: Interface): string {
  if (group.family === 'IPv4') return on.handle
  if (on.given !== undefined) return on.given
  const entries = byName(table).get(on.name) ?? []
  const own = entries.filter(({ info }) => info.family === 'IPv6').map(({ info }) => info.address)
  const best = own.find((address) => isLinkScope(address) === group.scoped) ?? own[0] ?? '::'
  return isLinkScope(best) ? `${best}%${on.zone}` : best
}

/** An address, with the name that the table has it under. */
interface Entry {
  readonly label: string
  readonly info: NetworkInterfaceInfo
}

/** The addresses of each interface, in the system's order: those with a label of their own too. */
function byName(table: NetworkInterfaces): Map<string, Entry[]> {
  const names = new Map<string, Entry[]>()
  for (const [label, infos = []] of Object.entries(table)) {
    const name = withoutLabel(label)
    const entries = infos.map((info) => ({ label, info }))
    names.set(name, [...(names.get(name) ?? []), ...entries])
  }
  return names
}

/** What `wanted` names: an interface, or by an address or label of the family one of its addresses. */
function namedBy(
  names: ReadonlyMap<string, readonly Entry[]>,
  group: Group,
  wanted: string,
): { name: string; address?: string } | undefined {
  if (names.has(wanted)) return { name: wanted }
  const [address, zone] = splitZone(wanted)
  if (address === '::' && zone !== undefined) return namedBy(names, group, zone)
  const canonical = isIP(address) === 6 ? canonicalIPv6(address) : address
  for (const [name, entries] of names) {
    for (const { label, info } of entries) {
      const index = info.family === 'IPv6' ? String(info.scopeid) : undefined
      if (wanted === index && wanted !== '0') return { name }
      const isInZone = zone === undefined || zone === name || zone === index
      const isMeant = (info.address === canonical && isInZone) || label === wanted
      if (isMeant) return info.family === group.family ? { name, address: info.address } : { name }
    }
  }
  return undefined
}

/** An interface by an address of it: the given one, or the one that the system would use. */
function interfaceOf(
  names: ReadonlyMap<string, readonly Entry[]>,
  group: Group,
  name: string,
  given?: string,
): Interface | undefined {
  const entries = names.get(name) ?? []
  const own = entries.filter(({ info }) => info.family === group.family)
  if (own.length === 0) return undefined
  if (group.family === 'IPv6') {
    // Windows numbers its zones; only a link-local address carries the number (others say 0).
    const index = entries.find(({ info }) => info.family === 'IPv6' && info.scopeid !== 0)?.info
    const zone =
      process.platform === 'win32' && index?.family === 'IPv6' ? String(index.scopeid) : name
    const asked = given !== undefined && isLinkScope(given) ? `${given}%${zone}` : given
    return {
      name,
      handle: `::%${zone}`,
      zone,
      ...(index?.family === 'IPv6' ? { index: index.scopeid } : {}),
      ...(asked === undefined ? {} : { given: asked }),
    }
  }
  const candidates = own.map(({ label, info: { address } }) => {
    const others = [...names]
      .filter(([other, theirs]) => other !== name && theirs.some((e) => e.info.address === address))
      .map(([other]) => other)
    // What the system uses last: another's address, one of link scope, one with a label.
    const rank = (others.length && 4) + (isLinkScope(address) ? 2 : 0) + (label === name ? 0 : 1)
    return { address, others, rank }
  })
  const best =
    candidates.find(({ address }) => address === given) ??
    candidates.reduce((a, b) => (b.rank < a.rank ? b : a))
  const { address: handle, others } = best
  const asked = given === undefined ? {} : { given }
  return { name, handle, zone: name, ...asked, ...(others.length === 0 ? {} : { others }) }
}

function inventory(names: ReadonlyMap<string, readonly Entry[]>, group: Group): string {
  const lines = [...names].flatMap(([name, entries]) => {
    const own = entries.filter(({ info }) => info.family === group.family)
    return own.length === 0 ? [] : `${name} (${own.map(({ info }) => info.address).join(', ')})`
  })
  return lines.join(', ') || 'none'
}

/** IPv4's 169.254/16 (RFC 3927), IPv6's fe80::/10. */
function isLinkScope(address: string): boolean {
  return /^(169\.254\.|fe[89ab])/.test(address)
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
