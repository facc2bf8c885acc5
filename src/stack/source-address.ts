import { isMulticast } from '../address.js'
import { isNear, type LinkAddress } from './link-address.js'

/** The address of a link that the system sends from, where the socket names none. */
export function chooseSource(
  addresses: readonly LinkAddress[],
  destination: string,
): string | undefined {
  const isIPv6 = destination.includes(':')
  const own = addresses.filter(({ family }) => family === (isIPv6 ? 'IPv6' : 'IPv4'))
  const isGroup = isMulticast(destination)
  const near = isGroup ? undefined : own.find((one) => isNear(one, destination))
  // The first of a subnet stands for it; one of link scope is for its neighbours alone.
  if (!isIPv6) return (near ?? own.find(({ scope }) => scope === 'global') ?? own[0])?.address
  // RFC 6724, rule 1: an address of its own is spoken to from that very address.
  if (own.some(({ address }) => address === destination)) return destination
  if (near !== undefined) return near.address
  // Rule 2: the narrowest scope that reaches so far, or else the widest.
  const needed = scopeOf(destination)
  const byScope = [...own].sort((one, other) => scopeOf(one.address) - scopeOf(other.address))
  return (byScope.find(({ address }) => scopeOf(address) >= needed) ?? byScope.at(-1))?.address
}

/** RFC 4291: 1 is the interface, 2 the link, 5 the site, 14 everywhere. */
function scopeOf(address: string): number {
  const group = /^ff.([0-9a-f]):/.exec(address)
  if (group !== null) return Number.parseInt(group[1] ?? '', 16)
  return /^(fe[89ab].:|::1$)/.test(address) ? 2 : 14
}
