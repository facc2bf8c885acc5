import { isMulticast } from '../address.js'
import type { InetSocket } from './inet-socket.js'
import { isBroadcast, isOnLink, type Link } from './link.js'
import { isNear, type LinkAddress } from './link-address.js'
import type { Place } from './multicast-list.js'
import type { PlatformRules } from './platform.js'
import { type Family, familyOf, isLinkLocal, isMapped, isWildcard, needsZone } from './scope.js'
import { chooseSource } from './source-address.js'

/** Where a datagram leaves its host, and with which address as its source. */
export interface Way {
  readonly link: Link
  readonly source: string
}

/** The links of one host, what their names and addresses stand for, and the ways out, as Linux has them. */
export class Routing {
  readonly links = new Map<string, Link>()
  readonly #rules: PlatformRules

  constructor(rules: PlatformRules) {
    this.#rules = rules
  }

  /** The index of the link that a zone names, as `if_nametoindex` tells it, if there is one. */
  indexOf(zone: string | undefined): number | undefined {
    return this.#zoneLink(zone)?.index
  }

  #zoneLink(zone: string | undefined): Link | undefined {
    if (zone === undefined) return undefined
    const numbered = this.#rules.zone === 'number' ? this.linkOf(Number(zone)) : undefined
    return this.links.get(zone) ?? numbered
  }

  /** The address of a link, with its zone if it needs one. */
  zoned(address: string, link: Link): string {
    if (!isLinkLocal(address)) return address
    return `${address}%${this.#rules.zone === 'name' ? link.name : link.index}`
  }

  /** The link with that index. */
  linkOf(index: number): Link | undefined {
    return [...this.links.values()].find((link) => link.index === index)
  }

  /** Where a socket joins or leaves that names a link by its IPv4 address or IPv6 zone. */
  place(family: Family, by: string | undefined, zone: string | undefined): Place {
    const asked = family === 'IPv4' ? this.ownerOf(by) : this.#zoneLink(zone)
    const isUnknown = family === 'IPv4' && by !== undefined
    const link = asked ?? (isUnknown ? undefined : this.#defaultRoute(family))
    return { asked: asked?.index ?? 0, index: link?.index ?? 0, by }
  }

  /**
   * The link that has that address: of several, over IPv4 the one that got it last, and over IPv6 the one that
   * got it first. An address of the loopback one's IPv4 subnets that no link has is the loopback one's. Taken
   * down, a link keeps its IPv4 addresses and loses those of IPv6.
   */
  ownerOf(address: string | undefined): Link | undefined {
    let found: { readonly link: Link; readonly own: LinkAddress } | undefined
    for (const link of this.links.values()) {
      for (const own of link.addresses) {
        const isIPv4 = own.family === 'IPv4'
        if (own.address !== address || !(link.isUp || isIPv4)) continue
        const isLater = found !== undefined && own.added > found.own.added
        if (found === undefined || isLater === isIPv4) found = { link, own }
      }
    }
    if (found !== undefined || address === undefined || familyOf(address) === 'IPv6')
      return found?.link
    return isOnLink(this.#loopback, address) ? this.#loopback : undefined
  }

  /** Whether what is sent to the address by `link` does not leave the host. */
  isOwn(address: string, link: Link): boolean {
    return link.isLoopback || link.addresses.some((own) => own.address === address)
  }

  /** Whether it is the address of everybody on one of the links. That goes with a link that is taken down. */
  isBroadcast(address: string): boolean {
    return this.#upLinks('IPv4').some((link) => isBroadcast(link, address))
  }

  /** Why a socket of that zone cannot be bound to an address, whatever its port. */
  checkLocal(address: string, zone: number): string | undefined {
    // Sockets of IPv6 are IPv6 only here.
    if (isMapped(address)) return 'EINVAL'
    if (needsZone(address) && zone === 0) return 'EINVAL'
    if (isWildcard(address)) return undefined
    const link = this.linkOf(zone)
    if (zone !== 0 && link === undefined) return 'ENODEV'
    if (isMulticast(address)) return this.#rules.bindsToGroup ? undefined : 'EADDRNOTAVAIL'
    if (this.isBroadcast(address)) return undefined
    // In a zone only its link's addresses of a narrow scope are there, and all of a global one.
    const isOwn =
      link === undefined || !isNarrow(address)
        ? this.ownerOf(address) !== undefined
        : link.isUp && link.addresses.some((own) => own.address === address)
    return isOwn ? undefined : 'EADDRNOTAVAIL'
  }

  /** Where a socket's datagram leaves the host, or the name of the error that says why it does not. */
  wayOut(socket: InetSocket, destination: string, zone: string | undefined): Way | string {
    if (isMapped(destination)) return 'ENETUNREACH'
    const set = isMulticast(destination) ? socket.outgoing?.address : undefined
    const named = socket.source ?? set
    // Over IPv4 nothing is sent from an address that the host has lost.
    const isLost = named !== undefined && this.ownerOf(named) === undefined
    if (isLost && socket.family === 'IPv4') return 'ENETUNREACH'
    const link = isMulticast(destination)
      ? this.#groupLink(socket, destination, zone)
      : this.#unicastLink(socket, destination, zone)
    if (typeof link === 'string') return link
    const source = named ?? this.#sourceFor(link, destination)
    // A carrier may have given it to another link.
    const isInner = source?.startsWith('127.') && this.ownerOf(source)?.isLoopback
    if (isInner && !link.isLoopback) return 'EINVAL'
    if (isBroadcast(link, destination) && !socket.broadcast) return 'EACCES'
    return source === undefined ? 'EADDRNOTAVAIL' : { link, source }
  }

  #sourceFor(link: Link, destination: string): string | undefined {
    // To itself a host speaks as if from the outside, but not to what is another in each zone.
    const owner = isNarrow(destination) ? undefined : this.ownerOf(destination)
    return chooseSource((owner ?? link).addresses, destination)
  }

  /** The link that a group's datagrams leave by, or the name of an error. */
  #groupLink(socket: InetSocket, group: string, zone: string | undefined): Link | string {
    const { family, outgoing, source } = socket
    const zoned = needsZone(group) ? this.indexOf(zone) : undefined
    const index = zoned ?? (socket.zone || outgoing?.index)
    if (index) {
      const link = this.linkOf(index)
      if (link === undefined) return family === 'IPv6' ? 'ENETUNREACH' : 'ENODEV'
      // IPv6 has no multicast route through the loopback interface.
      const hasRoute = link.isUp && !(family === 'IPv6' && link.isLoopback)
      return hasRoute ? link : 'ENETUNREACH'
    }
    // Over IPv4 an address of the socket's own picks its link too, even one that is down.
    const bound = family === 'IPv4' ? this.ownerOf(source) : undefined
    return bound ?? this.#defaultRoute(family) ?? 'ENETUNREACH'
  }

  /** The link that a unicast datagram leaves by, or the name of an error. */
  #unicastLink(socket: InetSocket, destination: string, zone: string | undefined): Link | string {
    const { family } = socket
    const route = this.#defaultRoute(family)
    // The way of the groups.
    if (destination === '255.255.255.255') {
      return this.ownerOf(socket.source) ?? route ?? 'ENETUNREACH'
    }
    const owner = this.ownerOf(destination)
    const index = (isLinkLocal(destination) && this.indexOf(zone)) || socket.zone
    if (index > 0) {
      // In a zone it reaches what that link alone leads to.
      const link = this.linkOf(index)
      if (link === undefined || !link.isUp) return 'ENETUNREACH'
      const isReached = link === route || isOnLink(link, destination)
      return isReached ? link : 'ENETUNREACH'
    }
    // Over IPv6 it comes by the link that has the address, for who is bound in that zone. Over IPv4 it comes by
    // the loopback one, even where the link that has the address is down.
    if (owner !== undefined) return family === 'IPv6' ? owner : this.#loopback
    if (isWildcard(destination)) return this.#loopback
    return this.#subnetLink(family, destination) ?? route ?? 'ENETUNREACH'
  }

  /** The link of the subnet that has the address: of several the narrowest, or the one with the oldest route. */
  #subnetLink(family: Family, destination: string): Link | undefined {
    const near = this.#upLinks(family).flatMap((link) =>
      link.addresses.filter((own) => isNear(own, destination)).map((own) => ({ link, own })),
    )
    near.sort(
      ({ own: one }, { own: other }) => other.prefix - one.prefix || one.routed - other.routed,
    )
    return near[0]?.link
  }

  get #loopback(): Link {
    return [...this.links.values()].find(({ isLoopback }) => isLoopback) as Link
  }

  /** The default route, for groups too: through the first link that is up. */
  #defaultRoute(family: Family): Link | undefined {
    return this.#upLinks(family).find(({ isLoopback }) => !isLoopback)
  }

  #upLinks(family: Family): Link[] {
    return [...this.links.values()].filter((link) => link.isUp && hasFamily(link, family))
  }
}

/** Whether it is an address of IPv6 whose scope is no wider than a link. */
function isNarrow(address: string): boolean {
  return isLinkLocal(address) || address === '::1'
}

function hasFamily(link: Link, family: Family): boolean {
  return link.addresses.some((own) => own.family === family)
}
