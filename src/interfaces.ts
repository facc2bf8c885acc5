import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { canonicalIPv6, type Group, splitZone } from './address.js'
import { MulticastError, reasonOf, shown } from './errors.js'
import { isFunction } from './rules.js'

/** What `os.networkInterfaces()` returns: each interface's addresses, by its name. */
export type NetworkInterfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * Calls `onChange` after each change of the interfaces, with the names of those whose memberships are lost.
 * Returns a function that ends it.
 */
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
 * The table, read at the first call and kept. None of it where it cannot be listed: whoever has to find something
 * in it lists it again, and is told why that fails.
 */
export function readOnce(list: () => NetworkInterfaces): () => NetworkInterfaces {
  let table: NetworkInterfaces | undefined
  return () => {
    try {
      table ??= list()
    } catch {
      table = {}
    }
    return table
  }
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
      ? `which has no address of its own: ${found.handle} is also that of ${found.others?.join(', ')}. Give the address, and the system picks one`
      : given === undefined
        ? 'which is not an interface that is up and has an address'
        : `which has no ${group.family} address`
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${option} is ${shown(wanted)}, ${why}. Interfaces with ${group.family}: ${inventory(names, group)}`,
  )
}

/** The interface of that name, label or address, if it is there, can be used and is in the group's zone. */
export function foundInterface(
  table: NetworkInterfaces,
  group: Group,
  wanted: string,
): Interface | undefined {
  const on = foundInAnyZone(table, group, wanted)
  if (group.zone === undefined || on === undefined) return on
  return foundInAnyZone(table, group, group.zone)?.name === on.name ? on : undefined
}

/** The same in whichever zone. */
export function foundInAnyZone(
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

/** What stands for an interface, of which the system may know it by any. */
interface Handles {
  /** For it alone. */
  readonly own: readonly string[]
  /** For others too. */
  readonly shared: readonly string[]
  /** For none any more. */
  readonly former: readonly string[]
}

/** What stands for an interface now, and what of that by which it was joined on stands for none. */
export function handlesOf(
  table: NetworkInterfaces,
  group: Group,
  { name, handle }: Interface,
  by?: string,
): Handles {
  const names = byName(table)
  const addressesOf = (entries: readonly Entry[]): string[] =>
    entries.flatMap(({ info }) => (info.family === group.family ? info.address : []))
  const others = [...names].filter(([other]) => other !== name)
  const isOthers = (one: string): boolean =>
    others.some(([other, entries]) => one === `::%${other}` || addressesOf(entries).includes(one))
  const isIPv6 = group.family === 'IPv6'
  // A zone that is not there would mean any interface to Linux.
  const zones = names.has(name) ? [handle] : []
  const now = isIPv6 ? zones : addressesOf(names.get(name) ?? [])
  const before = isIPv6 ? [] : by === undefined ? [handle] : [handle, by]
  return {
    own: now.filter((one) => !isOthers(one)),
    shared: now.filter(isOthers),
    former: before.filter((one) => !now.includes(one) && !isOthers(one)),
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

/**
 * The name of an interface that is listed. Linux lists an IPv4 address that has a label of its own as another
 * interface, `eth0:1`; the kernel counts memberships by interface, and no real name there has a colon.
 */
export function withoutLabel(label: string): string {
  return process.platform === 'linux' ? label.replace(/:.*/, '') : label
}
