import { isIP } from 'node:net'
import { canonicalIPv6, isMulticast } from '../address.js'
import { MulticastError, shown } from '../errors.js'
import { isBroadcast, type Link } from '../stack/link.js'
import { allHosts, familyOf, isMapped, isWildcard, staysOnHost } from '../stack/scope.js'

// `PREFIX.KIND.DESTINATION.SOURCE`: what a permission of the server can tell apart. The sender's address stands here
// alone, so that nothing in the payload can say otherwise.

/**
 * To whom a datagram is: a group that hosts join, all hosts whether they have joined or not, as 224.0.0.1 or a
 * broadcast, or one host.
 */
const kinds = ['group', 'all', 'host'] as const
type Kind = (typeof kinds)[number]

/** What a subject says; `*` is any. */
export interface Subject {
  readonly kind: Kind
  readonly destination: string
  readonly source: string
}

/** To whom a datagram is that leaves by a link. */
export function kindOf(link: Link, destination: string): Subject['kind'] {
  if (allHosts.has(destination) || isBroadcast(link, destination)) return 'all'
  return isMulticast(destination) ? 'group' : 'host'
}

/** A prefix of subjects, or else a MulticastError. */
export function parsePrefix(value: unknown, option: string): string {
  // No wildcards, and no empty tokens. What the server keeps for itself begins with a dollar.
  if (typeof value === 'string' && /^(?!\$)[^\s.*>\0]+(\.[^\s.*>\0]+)*$/.test(value)) return value
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    `${option} must be a NATS subject such as 'multicast' or 'site.multicast', without wildcards, spaces and empty parts, but is ${shown(value)}`,
  )
}

export function subjectOf(prefix: string, { kind, destination, source }: Subject): string {
  return `${prefix}.${kind}.${tokenOf(destination)}.${tokenOf(source)}`
}

/** What a message's subject says; nothing if it makes no sense. Whoever has sent it may have written anything. */
export function parseSubject(prefix: string, subject: string): Subject | undefined {
  if (!subject.startsWith(`${prefix}.`)) return undefined
  const [name, ...tokens] = subject.slice(prefix.length + 1).split('.')
  const kind = kinds.find((one) => one === name)
  const [destination, source, ...more] = tokens.map(addressOf)
  if (kind === undefined || destination === undefined || source === undefined) return undefined
  const isOne = !isMulticast(source) && !isWildcard(source) && source !== '255.255.255.255'
  const isAlike = familyOf(source) === familyOf(destination)
  if (more.length > 0 || !isOne || !isAlike || staysOnHost(destination)) return undefined
  return { kind, destination, source }
}

/** An address as a token of a subject, in which no dot may be. */
function tokenOf(address: string): string {
  return address.replaceAll('.', '-')
}

/** The address that a token stands for, if it is written as {@link tokenOf} does. */
function addressOf(token: string): string | undefined {
  const address = token.includes(':') ? token : token.replaceAll('-', '.')
  const version = isIP(address)
  const isCanonical = version === 4 || (version === 6 && canonicalIPv6(address) === address)
  return isCanonical && !isMapped(address) ? address : undefined
}
