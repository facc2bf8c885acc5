import type { RemoteInfo } from 'node:dgram'
import { isDeepStrictEqual } from 'node:util'
import type { Debugger } from 'debug'
import { type Group, groupAddress } from './address.js'
import type { Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { MulticastError, type MulticastErrorCode, reasonOf, shown } from './errors.js'
import { joinedOn } from './igmp.js'
import type { Hear } from './inbox.js'
import {
  findInterface,
  type Interface,
  listInterfaces,
  type NetworkInterfaces,
  type Wanted,
  wantedInterfaces,
} from './interfaces.js'
import { MemberSocket, type Membership, SpentError, toMembership } from './member-socket.js'
import type { ReceiverSettings } from './options.js'
import type { Recipient, Way } from './outbox.js'

/** What is joined: it plans what to join and to leave, and keeps the sockets that it is joined by. */
export class Memberships {
  readonly #settings: ReceiverSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  /** By the address that each is bound to: one socket, or one for each zone of the group. */
  readonly #members = new Map<string, MemberSocket>()
  /** With a socket for each zone: the zone that a message came in, which its address may not tell. */
  readonly #zones = new WeakMap<object, string>()
  #hasToldAlone = false
  #port: number
  /** Settles when no socket is being replaced. */
  #replacing: Promise<unknown> = Promise.resolve()

  constructor(settings: ReceiverSettings, debug: Debugger, sockets: Sockets, hear: Hear) {
    this.#settings = settings
    this.#port = settings.port
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
  }

  /** What is joined now. */
  get all(): readonly Membership[] {
    return [...this.#members.values()].flatMap(({ memberships }) => memberships)
  }

  /** The socket that was opened first. */
  get first(): DatagramSocket {
    const [first] = this.#members.values()
    return (first as MemberSocket).socket
  }

  /** The way to send to somebody else than the group. */
  waysTo(to: Recipient): readonly Way[] {
    const sockets = [...this.#members.values()]
    // A socket that is bound in a zone reaches no other.
    const inZone = sockets.find(({ zone }) => zone !== undefined && to.address.endsWith(`%${zone}`))
    const socket = inZone?.socket ?? this.first
    const heal = async (): Promise<Way | undefined> => {
      await this.#replacing
      const [now] = this.waysTo(to)
      return now?.socket === socket ? undefined : now
    }
    return [{ socket, port: to.port, address: to.address, heal }]
  }

  /** The address to reply to, with the zone that the message came in. */
  addressOf(remote: Pick<RemoteInfo, 'address'>): string {
    const zone = remote.address.includes('%') ? undefined : this.#zones.get(remote)
    return zone === undefined ? remote.address : `${remote.address}%${zone}`
  }

  /** Joins all of it, or nothing; of `'all'` what can be joined, if that is anything. */
  async join(
    wanted: Wanted,
    sources: readonly (string | undefined)[] = [undefined],
  ): Promise<void> {
    if (this.#members.size > 0) await this.#sweep()
    const planned = this.#targets(wanted).flatMap((on) => sources.map((source) => ({ on, source })))
    this.#checkSources(
      [...this.all, ...planned.map(({ on, source }) => toMembership(nameOf(on), source))],
      'ERR_MULTICAST_JOIN',
    )
    const added: Membership[] = []
    let joined = 0
    let failure: unknown
    for (const { on, source } of planned) {
      try {
        this.#debug('joining on %s, source %s', nameOf(on), source ?? 'any')
        const { how, membership } = await this.#joinOne(on, source)
        if (how === 'new') added.push(membership)
        joined += 1
      } catch (error) {
        failure ??= error
        this.#debug('not joined: %s', reasonOf(error))
        if (wanted === 'all') continue
        this.#drop(added)
        throw error
      }
    }
    this.#learn()
    this.#closeUnused()
    if (joined === 0) throw failure ?? noInterface(this.#settings.group)
    if (wanted === 'all') this.#tellIfAlone()
  }

  /** Leaves what is joined on an interface, for a source, or both; with neither all of it. */
  async leave(name: string | undefined, source: string | undefined): Promise<void> {
    const on = name === undefined ? undefined : this.#nameOf(name)
    const leaving = this.all.filter(
      (joined) =>
        (on === undefined || joined.interface === on) &&
        (source === undefined || joined.source === source),
    )
    if (leaving.length === 0 && (name !== undefined || source !== undefined)) {
      throw new MulticastError(
        'ERR_MULTICAST_LEAVE',
        `Nothing joined is like ${shown({ interface: name, source })}: the memberships are ${JSON.stringify(this.all)}`,
      )
    }
    const staying = this.all.filter((joined) => !leaving.includes(joined))
    this.#checkSources(staying, 'ERR_MULTICAST_LEAVE')
    for (const joined of leaving) this.#debug('leaving %o', joined)
    this.#drop(leaving)
    // It has left all the same, where what stays cannot be renewed.
    await this.#sweep().catch((error) => this.#debug('not renewed: %s', reasonOf(error)))
    this.#closeUnused()
  }

  /** Joins by the socket that it takes, or by a new one where only that can. */
  async #joinOne(
    on: Interface | undefined,
    source: string | undefined,
  ): Promise<ReturnType<MemberSocket['join']>> {
    const member = await this.#socketFor(on)
    checkMix(this.#settings.group, member.memberships, toMembership(nameOf(on), source))
    try {
      const joined = member.join(on, source)
      // It was bound on an interface that is another one now, whose datagrams do not reach it.
      if (joined.how === 'renewed' && this.#hasZones) {
        return (await this.#replace(member)).join(on, source)
      }
      return joined
    } catch (error) {
      if (!(error instanceof SpentError)) throw error
      return (await this.#replace(member)).join(on, source)
    }
  }

  /** Renews what the system has lost, as far as the interfaces are there, and strikes out the rest. */
  async #sweep(): Promise<void> {
    const members = [...this.#members.values()]
    if (members.length === 0) return
    const { group, createSocket } = this.#settings
    const counted = joinedOn(group, createSocket)
    const find = this.#finder()
    for (const member of members) {
      for (const lost of member.sweep(counted, find)) this.#debug('lost by the system: %o', lost)
      if (member.isDeaf && member.memberships.length > 0) await this.#replace(member)
    }
    this.#learn()
  }

  /** Finds what there is now of an interface; the table is read at the first call. */
  #finder(): (on: Interface) => Interface | undefined {
    const { group, networkInterfaces } = this.#settings
    let table: NetworkInterfaces | undefined
    return (on) => {
      table ??= networkInterfaces()
      try {
        return findInterface(table, group, on.given ?? on.name, 'interfaces')
      } catch {
        return undefined
      }
    }
  }

  /** Notes which interfaces the new memberships are on, as the system numbers them. */
  #learn(): void {
    const members = [...this.#members.values()].filter(({ isUnlearned }) => isUnlearned)
    if (members.length === 0) return
    const counted = joinedOn(this.#settings.group, this.#settings.createSocket) ?? []
    for (const member of members) member.learn(counted)
  }

  /** Leaves these, and closes what they alone have needed. */
  #drop(memberships: readonly Membership[]): void {
    const find = this.#finder()
    for (const member of this.#members.values()) {
      for (const { on, membership } of [...member.joined]) {
        if (memberships.some((one) => isDeepStrictEqual(one, membership))) {
          member.leave(membership, () => on && find(on))
        }
      }
    }
    this.#closeUnused()
  }

  /** Closes the sockets of zones in which nothing is joined; the last one tells the address, and stays. */
  #closeUnused(): void {
    if (!this.#hasZones) return
    for (const [address, member] of this.#members) {
      if (member.memberships.length > 0 || this.#members.size === 1) continue
      this.#members.delete(address)
      this.#sockets.close(member.socket)
    }
  }

  /** Once, since it is what keeps most first programs from hearing anything. */
  #tellIfAlone(): void {
    const { group, networkInterfaces } = this.#settings
    if (this.#hasToldAlone || !this.#debug.enabled) return
    const table = networkInterfaces()
    const isLoopback = ({ interface: name }: Membership) =>
      table[name]?.every(({ internal }) => internal)
    if (!this.all.every(isLoopback)) return
    this.#hasToldAlone = true
    this.#debug('%s is joined on the loopback interface alone: there is no other', group.address)
  }

  /**
   * Puts a new socket in the place of one that cannot hear or join any more. The old one is made deaf by
   * connecting it, and read for a while longer, so that nothing is lost and nothing is heard twice.
   */
  #replace(old: MemberSocket): Promise<MemberSocket> {
    const replacing = this.#replaced(old)
    this.#replacing = replacing.catch(() => {})
    return replacing
  }

  async #replaced(old: MemberSocket): Promise<MemberSocket> {
    const { reuseAddr } = this.#settings
    const [address = ''] = [...this.#members].find(([, member]) => member === old) ?? []
    this.#debug('replacing the socket on %s', address)
    // Until there is another, which may fail.
    old.isDeaf = true
    if (!reuseAddr) await this.#sockets.close(old.socket)
    // In one turn, so that neither hears for as short as can be.
    const deafening = reuseAddr ? deafened(old, this.#port, address) : Promise.resolve(false)
    const opening = this.#sockets.open({ address, port: this.#port, reuseAddr })
    const isDeafened = await deafening
    if (reuseAddr && !isDeafened) await this.#sockets.close(old.socket)
    const socket = await opening
    const member = this.#member(socket, address, old.zone)
    const find = this.#finder()
    for (const { on, membership } of old.joined) {
      try {
        member.join(on && (find(on) ?? on), membership.source)
      } catch (error) {
        this.#debug('not joined again: %s', reasonOf(error))
      }
    }
    if (isDeafened) afterReading(old.socket, () => this.#sockets.close(old.socket))
    return member
  }

  /** The interfaces to join on; `undefined` is the one that the system picks. */
  #targets(wanted: Wanted): readonly (Interface | undefined)[] {
    const { group, networkInterfaces: list } = this.#settings
    if (wanted === 'default') return [undefined]
    const networkInterfaces = this.#members.size === 0 ? list.again : list
    return wanted === 'all'
      ? listInterfaces(networkInterfaces(), group)
      : wantedInterfaces({ group, networkInterfaces }, wanted)
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get #hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  /** The socket that joins on that interface, opened if it is not yet. */
  async #socketFor(on: Interface | undefined): Promise<MemberSocket> {
    const { group, bindAddress, reuseAddr } = this.#settings
    const address = bindAddress ?? groupAddress(group, on)
    const open = this.#members.get(address)
    if (open?.isDeaf) return this.#replace(open)
    if (open !== undefined) return open
    const socket = await this.#sockets.open({ address, port: this.#port, reuseAddr })
    // With port 0 the first socket picks it, and the others follow.
    this.#port = socket.address().port
    return this.#member(socket, address, this.#hasZones ? on?.zone : undefined)
  }

  #member(socket: DatagramSocket, address: string, zone: string | undefined): MemberSocket {
    const member = new MemberSocket(socket, this.#settings, zone)
    this.#members.set(address, member)
    this.#hear(socket, (remote) => {
      if (zone !== undefined) this.#zones.set(remote, zone)
      return member.admits(remote)
    })
    return member
  }

  /**
   * Linux filters an IPv6 group by the sources of its last join, whatever the interface: other sources
   * elsewhere would be refused without a word.
   */
  #checkSources(memberships: readonly Membership[], code: MulticastErrorCode): void {
    if (this.#settings.group.family === 'IPv4' || this.#hasZones) return
    const sources = new Map<string, Set<string>>()
    for (const { interface: name, source = 'any' } of memberships) {
      sources.set(name, (sources.get(name) ?? new Set()).add(source))
    }
    const distinct = new Set([...sources.values()].map((some) => [...some].sort().join()))
    if (distinct.size < 2) return
    throw new MulticastError(
      code,
      `An IPv6 group must have the same sources on each interface, and would have ${JSON.stringify(memberships)}: use a receiver for each interface`,
    )
  }

  #nameOf(wanted: string): string {
    if (wanted === 'default') return wanted
    if (this.all.some((membership) => membership.interface === wanted)) return wanted
    // By an address that interfaces share, the system has joined on whichever it found.
    const members = [...this.#members.values()].flatMap(({ joined }) => joined)
    const by = members.find(({ on }) => on?.handle === wanted)
    if (by !== undefined) return by.membership.interface
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
}

const nameOf = (on: Interface | undefined): string => on?.name ?? 'default'

/**
 * Connected to its own group and port, a socket is delivered nothing more; what it holds is still read.
 * Tells whether that could be done: without a route to the group it takes an interface to be there.
 */
function deafened(
  { socket, joined }: MemberSocket,
  port: number,
  address: string,
): Promise<boolean> {
  for (const { on } of joined) {
    try {
      if (on !== undefined) socket.setMulticastInterface(on.handle)
    } catch {
      // Another one will do.
    }
  }
  return new Promise((resolve) => {
    // It throws where the socket is connected already, or closed: it was replaced in vain before.
    socket.connect(port, address, (error) => resolve(error === undefined || error === null))
  }).then(
    (isDeaf) => isDeaf === true,
    () => false,
  )
}

/** Milliseconds in which a loop that is not blocked reads what waits in a socket. */
const READING = 20

/**
 * Calls back once what waits in a socket that is delivered nothing more has been read. By a clock that no
 * test can have faked, and that does not keep the process alive.
 */
function afterReading(socket: DatagramSocket, done: () => void): void {
  // A timer that was late because the loop was blocked fires before the sockets are read: so it takes two,
  // and one more after each in which something came.
  let rounds = 2
  socket.on('message', () => {
    rounds ||= 1
  })
  const round = (): void => {
    if (rounds > 0) AbortSignal.timeout(READING).addEventListener('abort', round)
    else done()
    rounds -= 1
  }
  round()
}

/** Refuses what a socket cannot have joined beside what it has. */
function checkMix(
  { address }: Group,
  joined: readonly Membership[],
  { interface: name, source }: Membership,
): void {
  // Asked for a source, Linux would turn a membership for every sender into one for that source.
  const [same] = joined.filter((membership) => membership.interface === name)
  if (same !== undefined && (same.source === undefined) !== (source === undefined)) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is joined on ${name} already, and cannot be both for every sender and for one: leave ${JSON.stringify(same)} first`,
    )
  }
  // Left by default, Linux takes the membership on the route's interface for the one that is meant,
  // over IPv6 the last one of the group on any.
  const other = joined.find(
    (membership) => (membership.interface === 'default') !== (name === 'default'),
  )
  if (other !== undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is joined on ${other.interface} already, and the system could not tell 'default' from an interface that is named: leave the one first, or name all`,
    )
  }
}

function noInterface({ family }: Group): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `There is no interface with an ${family} address to join on: bring one up, or set interfaces to 'default'`,
  )
}
