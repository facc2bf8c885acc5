import type { Group } from './address.js'
import { MulticastError, type MulticastErrorCode } from './errors.js'
import type { Membership } from './member-socket.js'
import { DEFAULT } from './wanted.js'

/** Refuses what a socket cannot have joined beside what it has. */
export function checkMix(
  { address }: Group,
  joined: readonly Membership[],
  { interface: name, source }: Membership,
): void {
  // Asked for a source, Linux would turn a membership for every sender into one for that source.
  const [same] = joined.filter((membership) => membership.interface === name)
  if (same !== undefined && (same.source === undefined) !== (source === undefined)) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is already joined on ${name}, and a membership cannot be both for every sender and for one: leave ${JSON.stringify(same)} first`,
    )
  }
  // Left by default, Linux takes the membership on the route's interface for the one that is meant,
  // over IPv6 the last one of the group on any.
  const other = joined.find(
    (membership) => (membership.interface === DEFAULT) !== (name === DEFAULT),
  )
  if (other !== undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is already joined on ${other.interface}, and the system could not tell 'default' from a named interface: leave that one first, or name all interfaces`,
    )
  }
}

/**
 * Refuses what the memberships of one socket cannot be together. Linux filters an IPv6 group by the sources of
 * its last join, whatever the interface: other sources elsewhere would be refused without a word.
 */
export function checkSources(
  group: Group,
  memberships: readonly Membership[],
  code: MulticastErrorCode,
): void {
  if (group.family === 'IPv4') return
  const sources = new Map<string, Set<string>>()
  for (const { interface: name, source = 'any' } of memberships) {
    sources.set(name, (sources.get(name) ?? new Set()).add(source))
  }
  const distinct = new Set([...sources.values()].map((some) => [...some].sort().join()))
  if (distinct.size < 2) return
  throw new MulticastError(
    code,
    `An IPv6 group must have the same sources on each interface, but would have ${JSON.stringify(memberships)}: use a receiver for each interface`,
  )
}
