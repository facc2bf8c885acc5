import type { RemoteInfo } from 'node:dgram'
import type { Debugger } from 'debug'
import { type Group, groupAddress } from './address.js'
import type { Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { MulticastError, type MulticastErrorCode, reasonOf, shown } from './errors.js'
import type { Hear } from './inbox.js'
import { findInterface, type Interface, targetInterfaces, type Wanted } from './interfaces.js'
import { MemberSocket, type Membership, toMembership } from './member-socket.js'
import type { ReceiverSettings } from './options.js'

/** What is joined: it plans what to join and to leave, and keeps the sockets that it is joined by. */
export class Memberships {
  readonly #settings: ReceiverSettings
  readonly #debug: Debugger
  readonly #opener: Sockets
  readonly #hear: Hear
  /** By the address that each is bound to: one socket, or one for each zone of the group. */
  readonly #sockets = new Map<string, MemberSocket>()
  /** With a socket for each zone: the zone that a message came in, which its address may not tell. */
  readonly #zones = new WeakMap<object, string>()

  constructor(settings: ReceiverSettings, debug: Debugger, sockets: Sockets, hear: Hear) {
    this.#settings = settings
    this.#debug = debug
    this.#opener = sockets
    this.#hear = hear
  }

  /** What is joined now. */
  get all(): readonly Membership[] {
    return [...this.#sockets.values()].flatMap(({ memberships }) => memberships)
  }

  /** The socket that was opened first. */
  get first(): DatagramSocket {
    const [first] = this.#sockets.values()
    return (first as MemberSocket).socket
  }

  /** The socket to send to that address through. */
  socketTo(address: string): DatagramSocket {
    const sockets = [...this.#sockets.values()]
    // A socket that is bound in a zone reaches no other.
    const inZone = sockets.find(({ zone }) => zone !== undefined && address.endsWith(`%${zone}`))
    return inZone?.socket ?? this.first
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
    const targets = targetInterfaces(this.#settings, wanted)
    const planned = targets.flatMap((on) => sources.map((source) => ({ on, source })))
    this.#checkSources(
      [...this.all, ...planned.map(({ on, source }) => toMembership(on, source))],
      'ERR_MULTICAST_JOIN',
    )
    const added: (() => void)[] = []
    let joined = 0
    let failure: unknown
    for (const { on, source } of planned) {
      try {
        const socket = await this.#socketFor(on)
        this.#debug('joining on %s, source %s', on?.name ?? 'the default', source ?? 'any')
        checkMix(this.#settings.group, socket.memberships, toMembership(on, source))
        const membership = socket.join(on, source)
        if (membership !== undefined) added.push(() => socket.leave(membership))
        joined += 1
      } catch (error) {
        failure ??= error
        this.#debug('not joined: %s', reasonOf(error))
        if (wanted === 'all') continue
        for (const undo of added) undo()
        throw error
      }
    }
    if (joined === 0) throw failure ?? noInterface(this.#settings.group)
  }

  /** Leaves what is joined on an interface, for a source, or both; with neither all of it. */
  leave(name: string | undefined, source: string | undefined): void {
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
    for (const joined of leaving) {
      this.#debug('leaving %o', joined)
      for (const socket of this.#sockets.values()) socket.leave(joined)
    }
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get #hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  /** The socket that joins on that interface, opened if it is not yet. */
  async #socketFor(on: Interface | undefined): Promise<MemberSocket> {
    const { group, bindAddress, port, reuseAddr } = this.#settings
    const address = bindAddress ?? groupAddress(group, on)
    const open = this.#sockets.get(address)
    if (open !== undefined) return open
    // With port 0 the first socket picks it, and the others follow.
    const shared = this.#sockets.size === 0 ? port : this.first.address().port
    const socket = await this.#opener.open({ address, port: shared, reuseAddr })
    const member = new MemberSocket(socket, group, on?.zone)
    this.#sockets.set(address, member)
    this.#hear(socket, (remote) => {
      if (this.#hasZones && on !== undefined) this.#zones.set(remote, on.zone)
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
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
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
