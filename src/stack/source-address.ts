import { inetPton } from '../struct/inet.js'
import { bitsInCommon, isNear, type LinkAddress } from './link-address.js'
import { isLinkLocal } from './scope.js'

/** The address of a link that the system sends from, where the socket names none. */
export function chooseSource(
  addresses: readonly LinkAddress[],
  destination: string,
): string | undefined {
  const isIPv6 = destination.includes(':')
  const own = addresses.filter(({ family }) => family === (isIPv6 ? 'IPv6' : 'IPv4'))
  return (isIPv6 ? chooseIPv6(own, destination) : chooseIPv4(own, destination))?.address
}

/** The first of a subnet stands for it; one of link scope is for its neighbours alone. */
function chooseIPv4(own: readonly LinkAddress[], destination: string): LinkAddress | undefined {
  const near = own.filter((one) => isNear(one, destination))
  // The subnet of an address of its own is what that was added with.
  const itself = near.find(({ address }) => address === destination)
  const nearest = itself
    ? near.find(({ prefix }) => prefix === itself.prefix)
    : near.sort((one, other) => other.prefix - one.prefix).at(0)
  return nearest ?? own.find(({ scope }) => scope === 'global') ?? own[0]
}

/** RFC 6724, section 5: by its rules, one after the other, and else the first. */
function chooseIPv6(own: readonly LinkAddress[], destination: string): LinkAddress | undefined {
  const needed = scopeOf(destination)
  const packed = inetPton('IPv6', destination)
  const rules: readonly ((one: LinkAddress) => number)[] = [
    // Rule 1: an address of its own is spoken to from that very address.
    ({ address }) => Number(address === destination),
    // Rule 2: the narrowest scope that reaches so far, or else the widest.
    ({ address }) => Number(scopeOf(address) >= needed),
    ({ address }) => -Math.abs(scopeOf(address) - needed),
    // Rule 6: one of the same kind of network.
    ({ address }) => Number(kindOf(address) === kindOf(destination)),
    // Rule 8: the longest prefix in common.
    (one) => Math.min(one.prefix, bitsInCommon(one.packed, packed)),
  ]
  return own.reduce<LinkAddress | undefined>((best, one) => {
    if (best === undefined) return one
    const ahead = rules.map((rule) => rule(one) - rule(best)).find((by) => by !== 0) ?? 0
    return ahead > 0 ? one : best
  }, undefined)
}

/** The networks that have labels of their own: RFC 6724, section 2.1, with what Linux adds. */
const kinds = [/^f[cd]/, /^fe[cdef]/, /^2002:/, /^2001:(0:|:)/, /^2001:1.:/, /^3ffe:/, /^::/]

function kindOf(address: string): number {
  return kinds.findIndex((kind) => kind.test(address))
}

/** RFC 4291, and for fec0::/10 RFC 3513: 1 is the interface, 2 the link, 5 the site, 14 everywhere. */
function scopeOf(address: string): number {
  const group = /^ff.([0-9a-f]):/.exec(address)?.[1]
  if (group !== undefined) return Number(`0x${group}`)
  if (isLinkLocal(address) || address === '::1') return 2
  return /^fe[cdef].:/.test(address) ? 5 : 14
}
