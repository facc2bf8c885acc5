import { isIP } from 'node:net'
import { type Group, splitZone } from './address.js'
import { MulticastError, reasonOf, shown } from './errors.js'
import {
  findInterface,
  foundInAnyZone,
  foundInterface,
  type Interface,
  type Lookup,
  type NetworkInterfaces,
} from './interfaces.js'
import { wrongValue } from './rules.js'

/** What is asked of the option `interfaces`, once it is checked: names and addresses as they were given. */
export type Wanted = 'all' | typeof DEFAULT | readonly string[]

/** How the one is asked for, and called, that the system's route leads to. */
export const DEFAULT = 'default'

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
  const wrong = wanted.findIndex((one) => typeof one !== 'string' || one === '')
  if (isWaitedFor && wrong >= 0) {
    throw wrongValue('ERR_MULTICAST_INTERFACE', option, 'a name or an address', wanted[wrong])
  }
  if (isWaitedFor) checkThere(lookup, wanted, option)
  else wantedInterfaces(lookup, wanted, option)
  return wanted
}

/** Refuses what is there on another interface than the group's zone: no waiting mends that. */
function checkThere(
  { group, networkInterfaces }: Lookup,
  wanted: readonly string[],
  option: string,
): void {
  const table = networkInterfaces()
  if (group.zone === undefined || foundInterface(table, group, group.zone) === undefined) return
  const there = wanted.flatMap((one) => foundInAnyZone(table, group, one) ?? [])
  inZone(group, there, table, option)
}

function parseWanted(value: unknown, option: string): Wanted {
  if (value === 'all' || value === DEFAULT) return value
  const list = typeof value === 'string' ? [value] : value
  if (Array.isArray(list) && list.length > 0) {
    const word = list.find((one) => one === 'all' || one === DEFAULT)
    if (word !== undefined) {
      throw new MulticastError(
        'ERR_MULTICAST_INTERFACE',
        `${option} has ${shown(word)} in a list: pass the word alone, or list the interfaces`,
      )
    }
    // The caller's own list may change.
    return list.map((one, index) => {
      if (typeof one === 'string') return one
      const place = `${option}[${index}]`
      throw wrongValue('ERR_MULTICAST_INTERFACE', place, 'a name or an address', one)
    })
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
  wanted: readonly string[],
  option = 'interfaces',
): readonly Interface[] {
  const table = networkInterfaces()
  const found = new Map<string, Interface>()
  for (const [index, one] of wanted.entries()) {
    const place = wanted.length > 1 ? `${option}[${index}]` : option
    const on = findInterface(table, group, one, place)
    checkFamily(group, one, on, place)
    if (!found.has(on.name)) found.set(on.name, on)
  }
  return inZone(group, [...found.values()], table, option)
}

/** An address is used as it is given, so that one of the other family must not stand for its interface. */
function checkFamily({ family }: Group, wanted: string, { name }: Interface, place: string): void {
  const [address] = splitZone(wanted)
  const given = { 0: family, 4: 'IPv4', 6: 'IPv6' }[isIP(address)]
  if (given === family) return
  throw new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `${place} is ${shown(wanted)}, an ${given} address, but the group is ${family}: give the interface by its name, ${shown(name)}, or by an ${family} address`,
  )
}

/** Why nothing is found of that, with what there is. */
export function whyNotFound(table: NetworkInterfaces, group: Group, wanted: string): string {
  try {
    wantedInterfaces({ group, networkInterfaces: () => table }, [wanted])
  } catch (error) {
    return reasonOf(error)
  }
  return `${wanted} is there`
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
