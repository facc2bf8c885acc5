import {
  foundInterface,
  type Interface,
  type NetworkInterfaces,
  outwardInterfaces,
} from '../interfaces.js'
import { addressesOf, type Facts, textOf } from './facts.js'
import type { Subject } from './subject.js'

/** Of Node's permission model. */
export const DENIED = 'ERR_ACCESS_DENIED'

/** What the passive look has found, for what comes after it. */
export interface Look {
  readonly subject: Subject
  readonly table: NetworkInterfaces
  readonly facts: Facts
  /** The interfaces that are asked for and can be used: to other machines where any can, else `lo`. */
  readonly usable: readonly Interface[]
}

export function lookAt(subject: Subject, table: NetworkInterfaces, facts: Facts): Look {
  const { group, interfaces } = subject
  const usable =
    typeof interfaces === 'string'
      ? outwardInterfaces(table, group)
      : interfaces.flatMap((one) => {
          // The name of one that has only an address that another has too is refused; the address is not.
          const by = addressFor(group.family, table, one) ?? one
          return foundInterface(table, group, one) ?? foundInterface(table, group, by) ?? []
        })
  return { subject, table, facts, usable }
}

export function isLoopback(table: NetworkInterfaces, name: string): boolean {
  return table[name]?.some(({ internal }) => internal) ?? name === 'lo'
}

/** The first address of the family that an interface has. */
export function addressFor(
  family: 'IPv4' | 'IPv6',
  table: NetworkInterfaces,
  name: string,
): string | undefined {
  return addressesOf(table, name).find((info) => info.family === family)?.address
}

/** A number that /proc/sys/net holds of an interface. */
export function settingOf(family: 'ipv4' | 'ipv6', name: string, setting: string): number {
  return Number(textOf(`/proc/sys/net/${family}/conf/${name}/${setting}`) ?? 0)
}
