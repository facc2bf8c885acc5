import { isMulticast } from '../address.js'
import { isBroadcast, isOnLink, type Link } from '../stack/link.js'
import type { Packet } from '../stack/packet.js'
import type { PlatformRules } from '../stack/platform.js'
import { isLinkLocal, isReserved, staysOnHost, staysOnLink } from '../stack/scope.js'
import { mismatch, Stack, type Track } from '../stack/stack.js'
import { throwUncaught } from '../stack/ticks.js'
import type { Reach } from '../stack/wire.js'
import { Chance, type FaultSettings, judge, type Transit, type Verdict } from './faults.js'
import type { Journal, JournalEntry } from './journal.js'
import type { Outcome } from './outcome.js'
import type { Schedule } from './schedule.js'
import type { Segments } from './segments.js'

/** A datagram that a host has sent. */
interface Shipment {
  readonly sender: Stack
  readonly packet: Packet
  /** What the journal has of it, if it keeps one. */
  readonly entry: JournalEntry | undefined
}

/** A host that it comes to. */
interface Arrival {
  readonly host: Stack
  readonly link: Link
  /** How many routers are on the way. */
  readonly routers: number
  /** Whether it is the sender's host, which hears it as if from the network. */
  readonly isOwn: boolean
}

/** What a {@link Transport} finds its ways by, and what it tells. */
interface Surroundings {
  readonly segments: Segments
  readonly seed: number
  readonly schedule: Schedule
  readonly journal: Journal
}

/** Takes datagrams from host to host: finds who hears them, and lets the faults have their share. */
export class Transport {
  readonly hosts: Stack[] = []
  faults: FaultSettings
  /** The part that a host is in, while the network is parted. */
  parts: ReadonlyMap<Stack, number> = new Map()
  readonly #segments: Segments
  readonly #seed: number
  /**
   * For each way, from a host to an interface, a chance of its own: so the n-th datagram of a way has
   * the same fate, however those of other ways come between.
   */
  readonly #chances = new Map<string, Chance>()
  /** How the next sends of a host fail. */
  readonly #failures = new WeakMap<Stack, { readonly code: string; left: number }>()
  readonly #schedule: Schedule
  readonly #journal: Journal
  /** What the next datagram of a way overtakes. */
  readonly #overtaken = new Map<string, () => void>()

  constructor(faults: FaultSettings, { segments, seed, schedule, journal }: Surroundings) {
    this.faults = faults
    this.#segments = segments
    this.#seed = seed
    this.#schedule = schedule
    this.#journal = journal
  }

  /** Puts a host on the network. */
  attach(name: string, rules: PlatformRules): Stack {
    const host: Stack = new Stack(name, rules, {
      send: (link, packet, reach, answer) => answer(this.#send(host, link, packet, reach)),
      soon: (task, scope) => this.#schedule.soon(task, scope),
    })
    this.hosts.push(host)
    return host
  }

  /** Lets the next sends of a host fail with that error, so many of them. */
  fail(host: Stack, code: string, left: number): void {
    this.#failures.set(host, { code, left })
  }

  #send(sender: Stack, link: Link, packet: Packet, reach: Reach): string | undefined {
    // An interface that is down loses what it is given, without an error. Who keeps to its address sends by it.
    if (!link.isUp) return undefined
    const failure = this.#failures.get(sender)
    if (failure !== undefined && failure.left > 0) {
      failure.left -= 1
      return failure.code
    }
    const { destination } = packet
    const isForAll = isMulticast(destination) || isBroadcast(link, destination)
    if (isForAll) this.#toAll(sender, link, packet, reach)
    else this.#unicast(sender, link, packet)
    return undefined
  }

  /** To a group, or, as a broadcast, to all whose subnet it names. */
  #toAll(sender: Stack, link: Link, packet: Packet, { loopback, leaves }: Reach): void {
    const { destination } = packet
    const shipment = this.#ship(sender, link, packet)
    const own = { host: sender, link, routers: 0 }
    const segment = this.#segments.of(link)
    if (segment === undefined) {
      this.#carry(shipment, { ...own, isOwn: false })
      return
    }
    if (isReserved(destination)) noteEach(shipment, sender, link, 'scope')
    else if (loopback) this.#carry(shipment, { ...own, isOwn: true })
    else noteEach(shipment, sender, link, 'loopback-off')
    const reached = this.#segments.from(segment)
    for (const host of this.hosts) {
      // Over IPv4 Linux drops what comes in with an address of its own as the source (accept_local is off).
      if (host === sender && packet.family === 'IPv4') continue
      for (const end of this.#linksOf(host, reached)) {
        if (end.link === link) continue
        const isMeant = isMulticast(destination) || isBroadcast(end.link, destination)
        if (isMeant) this.#reach(shipment, host, end, leaves)
      }
    }
  }

  #unicast(sender: Stack, link: Link, packet: Packet): void {
    const { destination } = packet
    const shipment = this.#ship(sender, link, packet)
    if (sender.routing.isOwn(destination, link)) {
      this.#carry(shipment, { host: sender, link, routers: 0, isOwn: false })
      return
    }
    // The loopback interface alone has none, and all that leaves by it has been carried.
    const segment = this.#segments.of(link) as string
    const found = this.#find(link, segment, packet)
    if (found !== undefined) this.#reach(shipment, found.host, found.end, true)
  }

  /** Who has an address, and by which link it is heard there. */
  #find(
    link: Link,
    segment: string,
    { family, destination }: Packet,
  ): { readonly host: Stack; readonly end: End } | undefined {
    const reached = this.#segments.from(segment)
    // The sender is among them: over IPv6 its other links are neighbours of this one.
    const ends = this.hosts.flatMap((host) =>
      this.#linksOf(host, reached).map((end) => ({ host, end })),
    )
    const isUpHere = ({ end }: { end: End }) => end.routers === 0 && end.link.isUp
    // Beyond a router others may have the same link-local address.
    const owners = ends.filter(({ end }) => has(end.link, destination))
    const owner = owners.find(isUpHere) ?? owners[0]
    const isFound = owner !== undefined && isUpHere(owner)
    // A link-local address is in the subnet of any link, and its scope says why it is not reached.
    const isAsked = isOnLink(link, destination) && !isLinkLocal(destination)
    if (isFound || !isAsked) return owner
    // ARP asks for it on the segment. Any interface there that is up answers, for each address of its host, also for
    // one of an interface that is down. Over IPv6 only the interface that has the address answers.
    const hasIt = ({ host }: { host: Stack }) => host.routing.ownerOf(destination) !== undefined
    const answering = ends.find((one) => family === 'IPv4' && isUpHere(one) && hasIt(one))
    if (answering !== undefined || !owner?.end.routers) return answering ?? owner
    return { host: owner.host, end: { link: owner.end.link, routers: undefined } }
  }

  #ship(sender: Stack, link: Link, packet: Packet): Shipment {
    return { sender, packet, entry: this.#journal.open(sender.name, link, packet) }
  }

  /** The links of a host that ways lead to; where none does, one of the others, to tell of that. */
  #linksOf(host: Stack, reached: ReadonlyMap<string, number>): End[] {
    const ends: End[] = []
    for (const link of host.routing.links.values()) {
      const segment = this.#segments.of(link)
      if (segment !== undefined) ends.push({ link, routers: reached.get(segment) })
    }
    const near = ends.filter(({ routers }) => routers !== undefined)
    return near.length > 0 ? near : ends.slice(0, 1)
  }

  /** Takes a datagram to a link of a host, if there is a way. */
  #reach(shipment: Shipment, host: Stack, end: End, leaves: boolean): void {
    const { link, routers } = end
    if (routers === undefined) {
      noteEach(shipment, host, link, 'unreachable')
      return
    }
    const arrival = { host, link, routers, isOwn: false }
    const refusal = this.#refusal(shipment, arrival, leaves)
    if (refusal === undefined) this.#carry(shipment, arrival)
    else noteEach(shipment, host, link, refusal)
  }

  /** Why a datagram does not come to a host that there is a way to, if it does not. */
  #refusal(
    { sender, packet: { source, destination, ttl } }: Shipment,
    { host, link, routers }: Arrival,
    leaves: boolean,
  ): Outcome | undefined {
    const stays = isMulticast(destination)
      ? staysOnLink(destination)
      : isLinkLocal(destination) || isLinkLocal(source) || isBroadcast(link, destination)
    if ((routers > 0 && stays) || staysOnHost(destination)) return 'scope'
    if (!leaves || (routers > 0 && ttl <= routers)) return 'ttl'
    const [part, other] = [this.parts.get(sender), this.parts.get(host)]
    if (part !== undefined && other !== undefined && part !== other) return 'partition'
    return link.isUp ? undefined : 'interface-down'
  }

  /** Takes a datagram to a host that it reaches, through the faults of the moment. */
  #carry({ sender, packet: sent, entry }: Shipment, arrival: Arrival): void {
    const { host, link, routers } = arrival
    const packet = { ...sent, ttl: sent.ttl - routers }
    const shipment = { sender, packet, entry }
    const names = [sender.name, host.name, link.name]
    // Names may have spaces.
    const way = names.join('\0')
    const verdict = this.#judge(
      () => this.#chanceOf(way, names.join(' ')),
      () => ({
        data: Buffer.from(packet.data),
        from: { host: sender.name, address: packet.source, port: packet.sourcePort },
        to: { host: host.name, address: packet.destination, port: packet.port },
        ttl: packet.ttl,
      }),
    )
    if ('lostBy' in verdict) {
      noteEach(shipment, host, link, verdict.lostBy)
      return
    }
    const { delays } = verdict
    for (const [at, delay] of delays.entries()) {
      // Of several copies the last is overtaken: else the copies overtook each other, and nothing else did.
      const overtaken = verdict.overtaken && at === delays.length - 1
      const isLate = delay > 0 || overtaken
      const forget = isLate ? noteUnderWay(shipment, host, link) : undefined
      const arrive = (): void => {
        forget?.()
        arriveAt(shipment, arrival)
      }
      if (delay === 0) this.#hand(way, arrive, overtaken)
      else this.#schedule.after(delay, () => this.#hand(way, arrive, overtaken))
    }
  }

  #chanceOf(way: string, names: string): Chance {
    const chance = this.#chances.get(way) ?? new Chance(this.#seed, names)
    this.#chances.set(way, chance)
    return chance
  }

  #judge(chance: () => Chance, transit: () => Transit): Verdict {
    try {
      return judge(this.faults, chance, transit)
    } catch (error) {
      // The rule's mistake: it must not look like one of the network.
      throwUncaught(error)
      return { lostBy: 'rule' }
    }
  }

  /** Lets it arrive, before what it overtakes or after what overtakes it. */
  #hand(way: string, arrive: () => void, isOvertaken: boolean): void {
    const late = this.#overtaken.get(way)
    // What overtakes is not overtaken: else all would wait for each other, and keep their order.
    if (!isOvertaken || late !== undefined) {
      this.#overtaken.delete(way)
      arrive()
      late?.()
      return
    }
    this.#overtaken.set(way, arrive)
    // Its sender learns in the turn before that it has gone, and may then send what overtakes it.
    this.#schedule.soon(() => {
      if (this.#overtaken.get(way) !== arrive) return
      this.#overtaken.delete(way)
      arrive()
    })
  }
}

/** A link of a host, and how many routers are on the way to it, if there is a way. */
interface End {
  readonly link: Link
  readonly routers: number | undefined
}

function has(link: Link, wanted: string): boolean {
  return link.addresses.some(({ address }) => address === wanted)
}

/** The datagram is there: the host's stack looks for whom it is. */
function arriveAt(shipment: Shipment, { host, link, isOwn }: Arrival): void {
  const { packet, entry } = shipment
  // It may have been on its way for long.
  if (!link.isUp || host.routing.links.get(link.name) !== link) {
    noteEach(shipment, host, link, 'interface-down')
    return
  }
  const track: Track | undefined =
    entry && ((socket) => entry.note(host, link, socket, 'in-flight'))
  host.hear(link, packet, isOwn, track)
}

/** Notes an outcome for each socket of a host that it could be for. */
function noteEach({ packet, entry }: Shipment, host: Stack, link: Link, outcome: Outcome): void {
  if (entry === undefined) return
  for (const socket of host.sockets) {
    if (socket.family !== packet.family) continue
    entry.note(host, link, socket, mismatch(socket, packet) ?? outcome)
  }
}

/** Notes that it is on its way to a host, until what it returns is called. */
function noteUnderWay(shipment: Shipment, host: Stack, link: Link): (() => void) | undefined {
  const { entry } = shipment
  if (entry === undefined) return undefined
  const before = entry.deliveries.length
  noteEach(shipment, host, link, 'in-flight')
  const noted = entry.deliveries.slice(before)
  return () => entry.withdraw(noted)
}
