import type { InetSocket, Report } from './inet-socket.js'
import {
  type Family,
  isLinkLocal,
  isMulticast,
  isNear,
  type Link,
  needsZone,
  staysOnHost,
} from './link.js'
import type { Place } from './multicast-list.js'
import type { Outcome, Packet } from './packet.js'
import type { PlatformRules } from './platform.js'
import { chooseSource } from './source-address.js'

/** Where a datagram leaves its host, and with which address as its source. */
interface Way {
  readonly link: Link
  readonly source: string
}

/** What takes the datagrams that leave a host. */
export interface Wire {
  /**
   * `sender` has sent `packet` out of `link`. `loopback`: its own host is to hear it too; `leaves`: the
   * others are.
   */
  multicast(sender: Stack, link: Link, packet: Packet, loopback: boolean, leaves: boolean): void
  unicast(sender: Stack, link: Link, packet: Packet): void
}

/** Tells what became of a datagram at a socket that it could be for. */
export type Track = (socket: InetSocket) => Report

/** Where Linux begins to look for a free port (net.ipv4.ip_local_port_range). */
const firstFreePort = 32_768
const lastPort = 60_999

/** The hop limit of unicast datagrams. */
const unicastTtl = 64

/** The groups that every host has joined on every link, without any socket having done so. */
const allHosts: ReadonlySet<string> = new Set(['224.0.0.1', 'ff01::1', 'ff02::1'])

/** The network stack of one host: its links, its ports, the ways out and in, as Linux has them. */
export class Stack {
  readonly name: string
  readonly rules: PlatformRules
  readonly links = new Map<string, Link>()
  readonly #wire: Wire
  /** The sockets that there are: what one has joined holds for the host, even where it is not bound. */
  readonly #open = new Set<InetSocket>()
  /** The bound sockets; the last one bound is the first, and gets the unicast of a shared port. */
  #bound: InetSocket[] = []
  #nextPort = firstFreePort

  constructor(name: string, rules: PlatformRules, wire: Wire) {
    this.name = name
    this.rules = rules
    this.#wire = wire
  }

  get sockets(): readonly InetSocket[] {
    return this.#bound
  }

  /** The index of the link that a zone names, as `if_nametoindex` tells it; 0 if there is none. */
  indexOf(zone: string | undefined): number {
    if (zone === undefined) return 0
    const numbered = this.rules.zone === 'number' ? this.linkOf(Number(zone)) : undefined
    return (this.links.get(zone) ?? numbered)?.index ?? 0
  }

  /** The address of a link, with its zone if it needs one. */
  zoned(address: string, link: Link): string {
    if (!isLinkLocal(address)) return address
    return `${address}%${this.rules.zone === 'name' ? link.name : link.index}`
  }

  /** The link with that index. */
  linkOf(index: number): Link | undefined {
    return [...this.links.values()].find((link) => link.index === index)
  }

  /** Where a socket joins or leaves that names a link by its IPv4 address or IPv6 zone. */
  place(family: Family, by: string | undefined, zone: string | undefined): Place {
    const asked = family === 'IPv4' ? (this.ownerOf(by)?.index ?? 0) : this.indexOf(zone)
    if (asked > 0) return { asked, index: asked, by }
    const isUnknown = family === 'IPv4' && by !== undefined
    return { asked, index: isUnknown ? 0 : (this.#defaultRoute(family)?.index ?? 0), by }
  }

  /**
   * The link that has that address; all of 127.0.0.0/8 is the loopback one's. Taken down a link keeps
   * those of IPv4, and loses those of IPv6.
   */
  ownerOf(address: string | undefined): Link | undefined {
    if (address?.startsWith('127.')) return this.#loopback
    return [...this.links.values()].find(({ addresses, isUp }) =>
      addresses.some((own) => own.address === address && (isUp || own.family === 'IPv4')),
    )
  }

  /** Whether what is sent to the address by `link` does not leave the host. */
  isOwn(address: string, link: Link): boolean {
    return link.segment === undefined || link.addresses.some((own) => own.address === address)
  }

  /** Whether the system has that socket: from the first bind on, even if that is refused. */
  has(socket: InetSocket): boolean {
    return this.#open.has(socket)
  }

  /** Binds the socket, or answers with the name of an error. Port 0 is a free one. */
  bind(
    socket: InetSocket,
    address: string,
    zone: string | undefined,
    wanted: number,
  ): string | undefined {
    this.#open.add(socket)
    const isSecond = socket.local !== undefined
    if (isSecond && socket.family === 'IPv6') return 'EINVAL'
    // The zone holds from then on, even where the address is refused.
    if (needsZone(address)) socket.zone = this.indexOf(zone) || socket.zone
    const refusal = this.#checkLocal(address, socket.zone)
    if (refusal !== undefined) return refusal
    // IPv4 looks at the address first.
    if (isSecond) return 'EINVAL'
    const index = socket.zone
    const port = wanted === 0 ? this.#freePort() : wanted
    if (port === undefined) return 'EADDRINUSE'
    const clash = this.#bound.some(
      (other) =>
        other.local?.port === port &&
        (other.family === socket.family ||
          takesIPv4(other, other.local.address) ||
          takesIPv4(socket, address)) &&
        !(other.reuseAddr && socket.reuseAddr) &&
        (other.zone === 0 || index === 0 || other.zone === index) &&
        (isWildcard(address) || isWildcard(other.local.address) || other.local.address === address),
    )
    if (clash) return 'EADDRINUSE'
    socket.local = { address, port }
    this.#bound.unshift(socket)
    return undefined
  }

  close(socket: InetSocket): void {
    this.#open.delete(socket)
    this.#bound = this.#bound.filter((other) => other !== socket)
  }

  /** Sends from a bound socket, or answers with the name of an error. */
  send(
    socket: InetSocket,
    data: Buffer,
    given: string,
    zone: string | undefined,
    port: number,
  ): string | undefined {
    // To no address is to this host: over IPv6 to ::1, over IPv4 to the address that it is sent from.
    const destination = given === '::' ? '::1' : given
    if (data.byteLength > this.rules.maxPayload[socket.family]) return 'EMSGSIZE'
    const way = this.#wayOut(socket, destination, zone)
    if (typeof way === 'string') return way
    // A link that is down takes what it gets, without a word.
    if (!way.link.isUp) return undefined
    // From the loopback address nothing is taken that came by a network (RFC 4291, section 2.5.3).
    if (way.source === '::1' && !this.isOwn(destination, way.link)) return undefined
    const isGroup = isMulticast(destination)
    const packet: Packet = {
      family: socket.family,
      source: way.source,
      sourcePort: socket.local?.port ?? 0,
      destination: destination === '0.0.0.0' ? way.source : destination,
      port,
      ttl: isGroup ? socket.ttl : unicastTtl,
      data,
    }
    if (isGroup) {
      const loopback = socket.loopback || this.rules.loopbackOf === 'receiver'
      this.#wire.multicast(this, way.link, packet, loopback, this.#leaves(socket, way.link, packet))
    } else this.#wire.unicast(this, way.link, packet)
    return undefined
  }

  /** A multicast datagram has come in by a link. `isOwn`: this host has sent it, through a network. */
  hearGroup(link: Link, packet: Packet, isOwn: boolean, track: Track): void {
    const isAsked = this.#isAsked(link, packet)
    for (const socket of this.#bound) {
      if (socket.family !== packet.family) continue
      const refusal =
        mismatch(socket, packet) ?? this.#refusal(socket, link, packet, isAsked, isOwn)
      const report = track(socket)
      if (refusal === undefined) {
        socket.receive(packet, this.zoned(packet.source, link), report)
      } else report(refusal)
    }
  }

  /** Whether any socket of the host has joined for it on the link. */
  #isAsked(link: Link, { family, destination, source }: Packet): boolean {
    if (allHosts.has(destination)) return true
    for (const { lists } of this.#open) {
      if (lists[family].asks(destination, link.index, source)) return true
    }
    return false
  }

  /**
   * Whether a group's datagram goes out. Linux looks for TTL 0 only where it hands the host a copy:
   * where nothing of the host has joined, or over IPv6 without loopback, it goes out all the same.
   */
  #leaves(socket: InetSocket, link: Link, packet: Packet): boolean {
    if (staysOnHost(packet.destination)) return false
    if (packet.ttl > 0) return true
    if (!this.rules.leaksTtl0) return false
    return !(this.#isAsked(link, packet) && (packet.family === 'IPv4' || socket.loopback))
  }

  /** A unicast datagram has come in by a link: one socket of the port gets it. */
  hear(link: Link, packet: Packet, track: Track): void {
    const fitting = this.#bound.filter(
      (socket) =>
        socket.family === packet.family &&
        mismatch(socket, packet) === undefined &&
        (socket.zone === 0 || socket.zone === link.index),
    )
    const chosen =
      fitting.find(({ local }) => local?.address === packet.destination) ?? fitting.at(0)
    for (const socket of this.#bound) {
      if (socket.family !== packet.family) continue
      const report = track(socket)
      if (socket === chosen) socket.receive(packet, this.zoned(packet.source, link), report)
      else report(mismatch(socket, packet) ?? 'address')
    }
  }

  /** Why a socket that is bound for it does not hear a group's datagram. */
  #refusal(
    socket: InetSocket,
    link: Link,
    { family, destination, source }: Packet,
    isAsked: boolean,
    isOwn: boolean,
  ): Outcome | undefined {
    if (socket.zone !== 0 && socket.zone !== link.index) return 'interface'
    const admitted = socket.lists[family].admits(destination, link.index, source)
    if (admitted === false) return 'source'
    if (!isAsked) return 'not-joined'
    const isMember = socket.lists[family].asks(destination, link.index, source)
    if (!isMember && !this.rules.hearsUnjoined) return 'not-joined'
    const isSilent = isOwn && this.rules.loopbackOf === 'receiver' && !socket.loopback
    return isSilent ? 'loopback-off' : undefined
  }

  /** Why a socket of that zone cannot be bound to an address, whatever its port. */
  #checkLocal(address: string, zone: number): string | undefined {
    if (needsZone(address) && zone === 0) return 'EINVAL'
    if (isWildcard(address)) return undefined
    const link = this.linkOf(zone)
    if (zone > 0 && link === undefined) return 'ENODEV'
    if (isMulticast(address)) return this.rules.bindsToGroup ? undefined : 'EADDRNOTAVAIL'
    // In a zone only its link's addresses of a narrow scope are there, and all of a global one.
    const isNarrow = isLinkLocal(address) || address === '::1'
    const isOwn =
      link === undefined || !isNarrow
        ? this.ownerOf(address) !== undefined
        : link.isUp && link.addresses.some((own) => own.address === address)
    return isOwn ? undefined : 'EADDRNOTAVAIL'
  }

  /** One that no socket has, counted up so that each run has the same; none where all are taken. */
  #freePort(): number | undefined {
    const taken = new Set(this.#bound.map(({ local }) => local?.port))
    for (let tried = firstFreePort; tried <= lastPort; tried += 1) {
      const port = this.#nextPort
      this.#nextPort = port === lastPort ? firstFreePort : port + 1
      if (!taken.has(port)) return port
    }
    return undefined
  }

  #wayOut(socket: InetSocket, destination: string, zone: string | undefined): Way | string {
    const { address = '' } = socket.local ?? {}
    const bound = isWildcard(address) || isMulticast(address) ? undefined : address
    const named = bound ?? (isMulticast(destination) ? socket.outgoing?.address : undefined)
    // Over IPv4 nothing is sent from an address that the host has lost.
    const isLost = named !== undefined && this.ownerOf(named) === undefined
    if (isLost && socket.family === 'IPv4') return 'ENETUNREACH'
    const link = isMulticast(destination)
      ? this.#groupLink(socket, destination, zone)
      : this.#unicastLink(socket, destination, zone)
    if (typeof link === 'string') return link
    const source = named ?? this.#sourceFor(link, destination)
    if (source?.startsWith('127.') && !this.isOwn(destination, link)) return 'EINVAL'
    // SO_BROADCAST, which is needed for it, is none of the options here.
    if (isBroadcast(destination, link)) return 'EACCES'
    return source === undefined ? 'EADDRNOTAVAIL' : { link, source }
  }

  #sourceFor(link: Link, destination: string): string | undefined {
    // To itself a host speaks as if from the outside.
    const owner = isMulticast(destination) ? undefined : this.ownerOf(destination)
    return chooseSource((owner ?? link).addresses, destination)
  }

  /** The link that a group's datagrams leave by, or the name of an error. */
  #groupLink(socket: InetSocket, group: string, zone: string | undefined): Link | string {
    const { family, outgoing, local } = socket
    const zoned = needsZone(group) ? this.indexOf(zone) : 0
    const index = zoned || socket.zone || outgoing?.index || 0
    if (index > 0) {
      const link = this.linkOf(index)
      if (link === undefined) return family === 'IPv6' ? 'ENETUNREACH' : 'ENODEV'
      // IPv6 has no multicast route through the loopback interface.
      const hasRoute = link.isUp && !(family === 'IPv6' && link.segment === undefined)
      return hasRoute ? link : 'ENETUNREACH'
    }
    // Over IPv4 an address of the socket's own picks its link too, even one that is down.
    const bound = family === 'IPv4' ? this.ownerOf(local?.address) : undefined
    return bound ?? this.#defaultRoute(family) ?? 'ENETUNREACH'
  }

  /** The link that a unicast datagram leaves by, or the name of an error. */
  #unicastLink(socket: InetSocket, destination: string, zone: string | undefined): Link | string {
    const { family } = socket
    const route = this.#defaultRoute(family)
    // The way of the groups.
    if (destination === '255.255.255.255') {
      return this.ownerOf(socket.local?.address) ?? route ?? 'ENETUNREACH'
    }
    const owner = this.ownerOf(destination)
    const index = (isLinkLocal(destination) && this.indexOf(zone)) || socket.zone
    if (index > 0 || isLinkLocal(destination)) {
      // In a zone it reaches what that link alone leads to.
      const link = index > 0 ? this.linkOf(index) : route
      if (link === undefined || !link.isUp) return 'ENETUNREACH'
      const isReached = link === owner || link === route || isOnLink(link, destination)
      return isReached ? link : 'ENETUNREACH'
    }
    const isHere = isWildcard(destination)
    // An address of IPv4 is reached even where its link is down.
    if (isHere || owner !== undefined) {
      return family === 'IPv6' && owner !== undefined ? owner : this.#loopback
    }
    const onLink = this.#upLinks(family).find((link) => isOnLink(link, destination))
    return onLink ?? route ?? 'ENETUNREACH'
  }

  get #loopback(): Link {
    return [...this.links.values()].find(({ segment }) => segment === undefined) as Link
  }

  /** The default route, for groups too: through the first link that is up. */
  #defaultRoute(family: Family): Link | undefined {
    return this.#upLinks(family).find(({ segment }) => segment !== undefined)
  }

  #upLinks(family: Family): Link[] {
    return [...this.links.values()].filter((link) => link.isUp && hasFamily(link, family))
  }
}

/** Why a socket is not bound for a datagram, if it is not. */
export function mismatch({ local }: InetSocket, packet: Packet): 'port' | 'address' | undefined {
  if (local === undefined || local.port !== packet.port) return 'port'
  return isWildcard(local.address) || local.address === packet.destination ? undefined : 'address'
}

/** Whether a socket that is bound to the address has its port for IPv4 too. */
function takesIPv4({ isDual }: InetSocket, address: string): boolean {
  return isDual && isWildcard(address)
}

/** Whether the address is that of everybody on the link. */
function isBroadcast(address: string, link: Link): boolean {
  const isSubnets = link.addresses.some(({ broadcast }) => broadcast === address)
  return isSubnets || address === '255.255.255.255'
}

function hasFamily(link: Link, family: Family): boolean {
  return link.addresses.some((own) => own.family === family)
}

/** Whether the address is in the subnet of one of the link's. */
function isOnLink(link: Link, address: string): boolean {
  return link.addresses.some((own) => isNear(own, address))
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}
