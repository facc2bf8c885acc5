import { AsyncResource } from 'node:async_hooks'
import { isMulticast } from '../address.js'
import type { InetSocket } from './inet-socket.js'
import { isBroadcast, type Link } from './link.js'
import type { Report, SocketOutcome } from './outcome.js'
import type { Packet } from './packet.js'
import type { PlatformRules } from './platform.js'
import { Poll } from './poll.js'
import { Ports } from './ports.js'
import { Routing } from './routing.js'
import { allHosts, isWildcard, needsZone, staysOnHost } from './scope.js'
import { type Task, turnIn } from './turns.js'
import type { Answer, Reach, Wire } from './wire.js'

/** Who learns what became of a datagram at a socket that it could be for. */
export type Track = (socket: InetSocket) => Report

const ignore: Track = () => () => {}

/** What the sockets of a host have joined together. */
export interface Asked {
  readonly group: string
  readonly link: Link
  /** The senders that are asked for; `undefined` is every sender. */
  readonly sources: ReadonlySet<string> | undefined
}

/** What a host's program has opened. */
interface Client {
  emit(event: 'error', error: Error): unknown
  close(): unknown
}

/** The network stack of one host: its sockets and their ports, and which of them hears what comes in. */
export class Stack {
  readonly name: string
  readonly rules: PlatformRules
  readonly routing: Routing
  /** In which order its sockets are read. */
  readonly poll: Poll
  /** What is open: each socket of node:dgram's kind. */
  readonly clients = new Set<Client>()
  readonly #wire: Wire
  /** The sockets that there are: what one has joined holds for the host, even where it is not bound. */
  readonly #open = new Set<InetSocket>()
  /** The bound sockets, the last one bound first. */
  #bound: InetSocket[] = []
  /** How often a socket has moved: see `#move`. */
  #moves = 0
  readonly #ports: Ports

  constructor(name: string, rules: PlatformRules, wire: Wire) {
    this.name = name
    this.rules = rules
    this.routing = new Routing(rules)
    this.#wire = wire
    const scope = new AsyncResource('STACKPOLL')
    this.poll = new Poll((step) => wire.soon(step, scope))
    this.#ports = new Ports(wire, rules.freePorts, {
      isOpen: (socket) => this.#open.has(socket),
      isTaken: (port) => this.#bound.some(({ local }) => local?.port === port),
    })
  }

  /** See {@link Wire}. */
  soon(task: Task, scope: AsyncResource): void {
    this.#wire.soon(task, scope)
  }

  /** The bound sockets. */
  get sockets(): readonly InetSocket[] {
    return this.#bound
  }

  /** Whether the system has that socket: from the first bind on, even if that is refused. */
  has(socket: InetSocket): boolean {
    return this.#open.has(socket)
  }

  /** How a socket of the host settles, if that takes its time: see {@link Wire}. */
  settling(socket: InetSocket): (() => Promise<void>) | undefined {
    const { settled } = this.#wire
    return settled && (() => settled.call(this.#wire, socket))
  }

  /** What the host has joined, once each by link and group. */
  get asked(): readonly Asked[] {
    const asked = new Map<string, { group: string; link: Link; sources: Set<string> | undefined }>()
    for (const { lists } of this.#open) {
      for (const { group, index, sources } of [...lists.IPv4.joined, ...lists.IPv6.joined]) {
        const link = this.routing.linkOf(index)
        if (link === undefined) continue
        const before = asked.get(`${group} ${index}`)
        const all =
          before === undefined
            ? sources
            : before.sources && sources && new Set([...before.sources, ...sources])
        asked.set(`${group} ${index}`, { group, link, sources: all })
      }
    }
    return [...asked.values()]
  }

  /** What is joined has changed. */
  changed(): void {
    this.#wire.changed?.()
  }

  /** The bytes that the socket has sent and that wait to be taken. */
  queued({ family, local }: InetSocket): number {
    return (local && this.#wire.queued?.(family, local.port)) ?? 0
  }

  /** Binds the socket, or answers with the name of an error. Port 0 is a free one. */
  bind(
    socket: InetSocket,
    address: string,
    zone: string | undefined,
    wanted: number,
    answer: Answer,
  ): void {
    this.#open.add(socket)
    const refusal = this.#checkBind(socket, address, zone, wanted)
    if (refusal !== undefined) {
      answer(refusal)
      return
    }
    // Until it is known, nobody else shall have it.
    socket.local = { address, port: wanted }
    if (wanted !== 0) this.#bound.unshift(socket)
    this.#ports.claim(socket, wanted, (claimed) => {
      if ('code' in claimed) {
        socket.local = undefined
        this.#bound = this.#bound.filter((other) => other !== socket)
        answer(claimed.code, claimed.remedy)
        return
      }
      socket.local = { address, port: claimed.port }
      socket.isBound = true
      if (wanted === 0) this.#bound.unshift(socket)
      // As that of the one that moved last: `#bound` has this one before it.
      socket.binding = this.#moves
      const isNobodys = isMulticast(address) || this.routing.isBroadcast(address)
      if (!isWildcard(address) && !isNobodys) socket.source = address
      socket.chosen = { address, port: wanted }
      this.changed()
      answer()
    })
  }

  #checkBind(
    socket: InetSocket,
    address: string,
    zone: string | undefined,
    port: number,
  ): string | undefined {
    const isSecond = socket.local !== undefined
    if (isSecond && socket.family === 'IPv6') return 'EINVAL'
    // The zone holds from then on, even where the address is refused.
    if (needsZone(address)) socket.zone = this.routing.indexOf(zone) ?? socket.zone
    const refusal = this.routing.checkLocal(address, socket.zone)
    if (refusal !== undefined) return refusal
    // IPv4 looks at the address first.
    if (isSecond) return 'EINVAL'
    const index = socket.zone
    const clash = this.#bound.some(
      (other) =>
        other.local?.port === port &&
        (other.family === socket.family ||
          takesIPv4(other, other.local.address) ||
          takesIPv4(socket, address)) &&
        !(other.reuseAddr && socket.reuseAddr) &&
        !(other.reusePort && socket.reusePort) &&
        (other.zone === 0 || index === 0 || other.zone === index) &&
        (isWildcard(address) || isWildcard(other.local.address) || other.local.address === address),
    )
    return clash ? 'EADDRINUSE' : undefined
  }

  /**
   * Connects a bound socket: from then on it sends there by default, and hears nobody else. Answers with
   * the name of an error if there is no way.
   */
  connect(
    socket: InetSocket,
    given: string,
    zone: string | undefined,
    port: number,
    answer: Answer,
  ): void {
    this.#withPort(socket, answer, () => answer(this.#connect(socket, given, zone, port)))
  }

  #connect(
    socket: InetSocket,
    given: string,
    zone: string | undefined,
    port: number,
  ): string | undefined {
    const wanted = given === '::' ? '::1' : given
    if (needsZone(wanted)) {
      const index = this.routing.indexOf(zone)
      if (index !== undefined && socket.zone > 0 && index !== socket.zone) return 'EINVAL'
      const set = isMulticast(wanted) ? socket.outgoing?.index : undefined
      // It is bound to the zone from then on, even where there is no way.
      socket.zone ||= index ?? set ?? 0
      if (socket.zone === 0) return 'EINVAL'
    }
    const way = this.routing.wayOut(socket, wanted, undefined)
    if (typeof way === 'string') return way
    const { source } = way
    socket.remote = { address: wanted === '0.0.0.0' ? source : wanted, port }
    socket.source = source
    const { local } = socket
    if (local !== undefined && isWildcard(local.address))
      this.#move(socket, { ...local, address: source })
    return undefined
  }

  /** Undoes what {@link connect} did, but for what the socket was bound to by its user. */
  disconnect(socket: InetSocket): void {
    const { family, chosen, remote } = socket
    // Linux forgets the address of IPv4 alone.
    socket.remote = remote && family === 'IPv6' ? { ...remote, port: 0 } : undefined
    socket.zone = 0
    if (chosen === undefined) return
    if (isWildcard(chosen.address)) socket.source = undefined
    this.#move(socket, chosen)
  }

  /** Binds it to something else. For groups it stays in its place, unless it had no port. */
  #move(socket: InetSocket, local: { readonly address: string; readonly port: number }): void {
    socket.local = local
    this.#moves += 1
    socket.binding = this.#moves
    if (local.port === 0) {
      this.#bound = this.#bound.filter((other) => other !== socket)
      this.#ports.release(socket)
    } else if (!this.#bound.includes(socket)) this.#bound.unshift(socket)
  }

  /** Goes on once it has a port. */
  #withPort(socket: InetSocket, answer: Answer, proceed: () => void): void {
    const { local } = socket
    if (local === undefined || local.port !== 0) {
      proceed()
      return
    }
    this.#ports.claim(socket, 0, (claimed) => {
      if ('code' in claimed) {
        answer('EAGAIN')
        return
      }
      this.#move(socket, { ...local, port: claimed.port })
      proceed()
    })
  }

  close(socket: InetSocket): void {
    socket.drain()
    this.#open.delete(socket)
    this.#bound = this.#bound.filter((other) => other !== socket)
    this.#ports.release(socket)
    this.changed()
  }

  /**
   * The wire is gone for good: each client is told by an `error`, and closed. Each in a turn of its own, so that who
   * has several closes the others at the first.
   */
  fail(cause: Error): void {
    for (const client of this.clients) {
      turnIn(new AsyncResource('STACKUDP'), () => {
        if (this.clients.has(client)) client.emit('error', cause)
        if (this.clients.has(client)) client.close()
      })
    }
  }

  /** Sends from a bound socket, or answers with the name of an error. */
  send(
    socket: InetSocket,
    data: Buffer,
    given: string,
    zone: string | undefined,
    port: number,
    answer: Answer,
  ): void {
    this.#withPort(socket, answer, () => {
      const sent = this.#leaving(socket, data, given, zone, port)
      if (typeof sent !== 'object') answer(sent)
      else this.#wire.send(sent.link, sent.packet, sent.reach, answer)
    })
  }

  /** What leaves the socket, and how; nothing where that is lost without a word, or the name of an error. */
  #leaving(
    socket: InetSocket,
    data: Buffer,
    given: string,
    zone: string | undefined,
    port: number,
  ): { link: Link; packet: Packet; reach: Reach } | string | undefined {
    // To no address is to this host: over IPv6 to ::1, over IPv4 to the address that it is sent from.
    const destination = given === '::' ? '::1' : given
    if (data.byteLength > this.rules.maxPayload[socket.family]) return 'EMSGSIZE'
    const way = this.routing.wayOut(socket, destination, zone)
    if (typeof way === 'string') return way
    // From the loopback address nothing is taken that came by a network (RFC 4291, section 2.5.3).
    if (way.source === '::1' && !this.routing.isOwn(destination, way.link)) return undefined
    const isGroup = isMulticast(destination)
    const packet: Packet = {
      family: socket.family,
      source: way.source,
      sourcePort: socket.local?.port ?? 0,
      destination: destination === '0.0.0.0' ? way.source : destination,
      port,
      ttl: isGroup ? socket.multicastTtl : socket.unicastTtl,
      data,
    }
    const reach = {
      loopback: !isGroup || socket.multicastLoopback || this.rules.loopbackOfReceiver,
      leaves: !isGroup || this.#leaves(socket, way.link, packet),
    }
    return { link: way.link, packet, reach }
  }

  /**
   * Lets this host hear what it sends, if it is a receiver, at once; returns whether it is for others too.
   */
  hearOwn(link: Link, packet: Packet, { loopback, leaves }: Reach, track: Track): boolean {
    const { destination } = packet
    if (link.isLoopback) {
      this.hear(link, packet, false, track)
      return false
    }
    if (isMulticast(destination) || isBroadcast(link, destination)) {
      if (loopback) this.hear(link, packet, true, track)
      return leaves
    }
    const isOwn = this.routing.isOwn(destination, link)
    if (isOwn) this.hear(link, packet, false, track)
    return !isOwn
  }

  /** A datagram has come in by a link. `isOwn`: to a group, and this host has sent it through a network. */
  hear(link: Link, packet: Packet, isOwn: boolean, track = ignore): void {
    const { destination } = packet
    if (isMulticast(destination)) this.#hearGroup(link, packet, isOwn, track)
    // Every socket of the port hears it.
    else if (isBroadcast(link, destination)) {
      this.#offer(link, packet, track, (socket) => mismatch(socket, packet))
    } else this.#hearUnicast(link, packet, track)
  }

  #hearGroup(link: Link, packet: Packet, isOwn: boolean, track: Track): void {
    const isAsked = this.#isAsked(link, packet)
    this.#offer(
      link,
      packet,
      track,
      (socket) => mismatch(socket, packet) ?? this.#refusal(socket, link, packet, isAsked, isOwn),
    )
  }

  /**
   * Gives it to each socket of its family that nothing keeps from hearing it. As in Linux, the first gets it last: the
   * others copies before.
   */
  #offer(
    link: Link,
    packet: Packet,
    track: Track,
    refusalOf: (socket: InetSocket) => SocketOutcome | undefined,
  ): void {
    const source = this.routing.zoned(packet.source, link)
    let toFirst: (() => void) | undefined
    for (const socket of this.#bound) {
      if (socket.family !== packet.family) continue
      const refusal = refusalOf(socket)
      const report = track(socket)
      if (refusal !== undefined) report(refusal)
      else if (toFirst === undefined) toFirst = () => socket.receive(packet, source, report)
      else socket.receive(packet, source, report)
    }
    toFirst?.()
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
    return !(this.#isAsked(link, packet) && (packet.family === 'IPv4' || socket.multicastLoopback))
  }

  /** One socket of the port gets it. */
  #hearUnicast(link: Link, packet: Packet, track: Track): void {
    const fitting = this.#bound.filter(
      (socket) =>
        socket.family === packet.family &&
        mismatch(socket, packet) === undefined &&
        (socket.zone === 0 || socket.zone === link.index),
    )
    const exact = fitting.filter(({ local }) => local?.address === packet.destination)
    const candidates = exact.length > 0 ? exact : fitting
    // Linux's compute_score(), and of those alike the one that moved last, or was bound since and so comes first.
    const [best] = candidates.toSorted(
      (one, other) => scoreOf(other) - scoreOf(one) || other.binding - one.binding,
    )
    const chosen = best?.reusePort ? oneOf(candidates, packet) : best
    this.#offer(link, packet, track, (socket) =>
      socket === chosen ? undefined : (mismatch(socket, packet) ?? 'address'),
    )
  }

  /** Why a socket that is bound for it does not hear a group's datagram. */
  #refusal(
    socket: InetSocket,
    link: Link,
    { family, destination, source }: Packet,
    isAsked: boolean,
    isOwn: boolean,
  ): SocketOutcome | undefined {
    if (socket.zone !== 0 && socket.zone !== link.index) return 'interface'
    const admitted = socket.lists[family].admits(destination, link.index, source)
    if (admitted === false) return 'source'
    if (!isAsked) return 'not-joined'
    const isMember = socket.lists[family].asks(destination, link.index, source)
    if (!isMember && !this.rules.hearsUnjoined) return 'not-joined'
    const isSilent = isOwn && this.rules.loopbackOfReceiver && !socket.multicastLoopback
    return isSilent ? 'loopback-off' : undefined
  }
}

/** Why a socket is not bound for a datagram, or connected to another sender, if so. */
export function mismatch(socket: InetSocket, packet: Packet): SocketOutcome | undefined {
  const { isBound, local, remote } = socket
  if (!isBound || local === undefined || local.port !== packet.port) return 'port'
  if (!isWildcard(local.address) && local.address !== packet.destination) return 'address'
  if (remote === undefined) return undefined
  const isPort = remote.port === 0 || remote.port === packet.sourcePort
  return isPort && remote.address === packet.source ? undefined : 'connected'
}

/** How much narrower a socket's choice of what it hears is than that of others that are bound to the same address. */
function scoreOf({ remote, zone }: InetSocket): number {
  return Number(remote !== undefined) + Number(Boolean(remote?.port)) + Number(zone > 0)
}

/** The one of those that share a port by SO_REUSEPORT that hears this sender. */
function oneOf(sockets: readonly InetSocket[], { sourcePort }: Packet): InetSocket | undefined {
  return sockets[sourcePort % sockets.length]
}

/** Whether a socket that is bound to the address has its port for IPv4 too. */
function takesIPv4({ isDual }: InetSocket, address: string): boolean {
  return isDual && isWildcard(address)
}
