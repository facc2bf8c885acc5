import type { Debugger } from 'debug'
import { type Group, groupAddress, wildcard } from './address.js'
import type { Port, Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { type MulticastErrorCode, reasonOf } from './errors.js'
import type { MembershipChange, Remote } from './events.js'
import { afterReading, deafened } from './handover.js'
import { type Counted, joinedOn } from './igmp.js'
import type { Hear } from './inbox.js'
import {
  foundInterface,
  handlesOf,
  type Interface,
  type NetworkInterfaces,
  readOnce,
} from './interfaces.js'
import {
  type Joined,
  joinError,
  MemberSocket,
  type Membership,
  SpentError,
  type Target,
  toMembership,
} from './member-socket.js'
import { checkMix, checkSources } from './mixture.js'
import type { ReceiverSettings } from './options.js'
import type { Recipient, Way } from './outbox.js'
import { DEFAULT } from './wanted.js'

/**
 * Learns of a change that the sockets have made or found by themselves. `membership` is what it was called
 * before, where it has another name now.
 */
export type Tell = (change: MembershipChange, joined: Joined, membership?: Membership) => void

/** Refusals of a carrier that takes its time to decide, as by a server's permissions. */
const byCarrier = new WeakSet<object>()

/** Whether it is one, for which no other interface makes up. */
export function isByCarrier(error: unknown): boolean {
  return byCarrier.has(Object(error))
}

/**
 * The sockets that a receiver has joined by: one, or one for each zone of the group. They are opened when they
 * are needed, replaced when only a new one can hear, and left by whatever way the system still knows.
 */
export class MemberSockets {
  readonly #settings: ReceiverSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  readonly #tell: Tell
  #members: readonly MemberSocket[] = []
  /** The group's port; with port 0 the first socket picks it, and the others follow. */
  readonly #port: Port
  /** Settles when no socket is being replaced. */
  #replacing: Promise<unknown> = Promise.resolve()

  constructor(
    settings: ReceiverSettings,
    port: Port,
    debug: Debugger,
    sockets: Sockets,
    hear: Hear,
    tell: Tell,
  ) {
    this.#settings = settings
    this.#port = port
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
    this.#tell = tell
  }

  /** What is joined now, and by which interfaces. */
  get joined(): readonly Joined[] {
    return this.#members.flatMap(({ joined }) => joined)
  }

  get memberships(): readonly Membership[] {
    return this.#members.flatMap(({ memberships }) => memberships)
  }

  /** The port that they are bound to, once one is. */
  get port(): number {
    return this.#port.number
  }

  /** The socket that was opened first, if there is one. */
  get first(): DatagramSocket | undefined {
    return this.#members[0]?.socket
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  /** The way to send to somebody else than the group. */
  waysTo(to: Recipient): readonly Way[] {
    // A socket that is bound in a zone reaches no other.
    const inZone = this.#members.find(
      ({ bound }) => bound !== undefined && to.address.endsWith(`%${bound.zone}`),
    )
    const socket = inZone?.socket ?? this.first
    if (socket === undefined) return []
    const heal = async (): Promise<Way | undefined> => {
      await this.#replacing
      return this.waysTo(to).find((now) => now.socket !== socket)
    }
    return [{ socket, port: to.port, address: to.address, heal }]
  }

  /** The address to reply to, with the zone that the message came in, which the address may not tell. */
  addressOf({ address, interface: name }: Pick<Remote, 'address' | 'interface'>): string {
    const by = this.#members.find(({ bound }) => bound?.name === name)
    return by?.bound && !address.includes('%') ? `${address}%${by.bound.zone}` : address
  }

  /** What is joined there already; it is noted what it is asked for by now. */
  held(target: Target, source: string | undefined): Joined | undefined {
    for (const member of this.#members) {
      const held = member.find(target, source)
      if (held === undefined) continue
      member.note(held, target.on)
      return held
    }
    return undefined
  }

  /** Refuses what could not be joined together. */
  check(memberships: readonly Membership[], code: MulticastErrorCode): void {
    // With zones each has a socket of its own.
    if (!this.hasZones) checkSources(this.#settings.group, memberships, code)
  }

  /**
   * Joins by the socket that it takes, or by a new one where only that can. What is renewed is told of here, what is
   * new by who has asked for it, since he may take it back.
   */
  async join(
    target: Target,
    source: string | undefined,
  ): Promise<ReturnType<MemberSocket['join']>> {
    // What was joined where the system's route led before is left first: it bears the same name.
    const moved = this.joined.filter(
      ({ on, membership }) =>
        target.name === DEFAULT &&
        membership.interface === DEFAULT &&
        membership.source === source &&
        on?.name !== target.on?.name,
    )
    for (const joined of moved) {
      await this.leave([joined])
      this.#tell('left', joined)
    }
    this.#debug('joining on %s, source %s', target.on?.name ?? target.name, source ?? 'any')
    const { socket, ...result } = await this.#joined(target, source)
    try {
      await this.#sockets.settled(socket)
    } catch (cause) {
      if (result.how === 'new') await this.leave([result.joined])
      const refusal = joinError(cause, this.#settings.group, target.name, source, [])
      byCarrier.add(refusal)
      throw refusal
    }
    return result
  }

  async #joined(
    target: Target,
    source: string | undefined,
  ): Promise<ReturnType<MemberSocket['join']> & Pick<MemberSocket, 'socket'>> {
    let member = await this.#socketFor(target.on)
    checkMix(this.#settings.group, member.memberships, toMembership(target.name, source))
    let result: ReturnType<MemberSocket['join']>
    try {
      result = member.join(target, source)
    } catch (error) {
      if (!(error instanceof SpentError)) throw error
      member = await this.#replace(member)
      result = member.join(target, source)
    }
    if (result.how === 'renewed') {
      // It was bound on an interface that is another one now, whose datagrams do not reach it.
      if (this.hasZones) member = await this.#replace(member)
      this.#tell('lost', result.joined)
      this.#tell('joined', result.joined)
    }
    return { ...result, socket: member.socket }
  }

  /** Strikes out what the system has lost, and returns it. */
  strike(counted: readonly Counted[] | undefined, lost?: readonly string[]): readonly Joined[] {
    const { group, networkInterfaces } = this.#settings
    const before = this.joined.map((joined) => ({ joined, membership: joined.membership }))
    const table = readOnce(networkInterfaces)
    const find = (on: Interface) => foundInterface(table(), group, on.name)
    const isOwn = ({ on, by }: Joined): boolean => {
      const name = by && foundInterface(table(), group, by)?.name
      // A zone that is not there would mean any interface to Linux.
      return name === on?.name || (name === undefined && group.family === 'IPv4')
    }
    const gone = this.#members.flatMap((member) => member.sweep(find, isOwn, counted, lost))
    for (const { membership } of gone) this.#debug('lost by the system: %o', membership)
    const renamed = before.filter(({ joined, membership }) => joined.membership !== membership)
    for (const { joined, membership } of before) {
      if (gone.includes(joined) || joined.membership !== membership) {
        this.#tell('lost', joined, membership)
      }
    }
    // Only then, since interfaces can have swapped their names.
    for (const { joined } of renamed) this.#tell('joined', joined)
    return gone
  }

  /**
   * Lets the networks of these interfaces know anew of what is joined there. Returns what is to be called when
   * every endpoint has done so.
   */
  retell(names: readonly string[]): () => void {
    const { group, networkInterfaces } = this.#settings
    const table = readOnce(networkInterfaces)
    const again = this.#members.map((member) =>
      member.retell(names, (on) => handlesOf(table(), group, on).own[0]),
    )
    return () => {
      for (const joined of again.flatMap((join) => join())) this.#tell('lost', joined)
    }
  }

  /** Renews what the system has lost, as far as the interfaces are there, and strikes out the rest. */
  async renew(): Promise<void> {
    const { group, createSocket, networkInterfaces } = this.#settings
    const gone = this.strike(joinedOn(group, createSocket))
    const table = readOnce(networkInterfaces)
    for (const { on, membership } of gone) {
      const now = on && foundInterface(table(), group, on.given ?? on.name)
      if (now === undefined) continue
      try {
        const name = membership.interface === DEFAULT ? DEFAULT : now.name
        const { how, joined } = await this.join({ on: now, name }, membership.source)
        if (how === 'new') this.#tell('joined', joined)
      } catch (error) {
        this.#debug('not renewed: %s', reasonOf(error))
      }
    }
    this.learn()
  }

  /** Leaves these, and closes what they alone have needed. */
  async leave(leaving: readonly Joined[]): Promise<void> {
    const { group, createSocket, networkInterfaces } = this.#settings
    const counted = joinedOn(group, createSocket)
    const table = readOnce(networkInterfaces)
    for (const member of this.#members) {
      let isLeft = true
      const all = [...member.joined]
      for (const joined of all.filter((one) => leaving.includes(one))) {
        const there = counted?.find(({ index }) => index === joined.index)
        const handles = waysToLeave(joined, all, there, group, table())
        if (!member.leave(joined, handles) && there !== undefined) isLeft = false
      }
      if (isLeft) continue
      // Closed, it has left everything.
      await this.#replace(member).catch((error) => this.#debug('not left: %s', reasonOf(error)))
    }
    this.closeUnused()
  }

  /** Closes the sockets of zones in which nothing is joined; the last one tells the address, and stays. */
  closeUnused(): void {
    for (const member of this.#members) {
      if (member.memberships.length > 0 || this.#members.length === 1) continue
      this.#members = this.#members.filter((other) => other !== member)
      this.#sockets.close(member.socket)
    }
  }

  /**
   * Puts a new socket in the place of one that cannot hear or join any more. The old one is made deaf by
   * connecting it, and read for a while longer, so that nothing is lost and nothing is heard twice.
   */
  #replace(old: MemberSocket): Promise<MemberSocket> {
    const replacing = this.#replaced(old).catch((error: unknown) => {
      // There is none that hears it now. Where it is followed it is joined again once one can be opened.
      for (const joined of old.abandon()) this.#tell('lost', joined)
      throw error
    })
    this.#replacing = replacing.catch(() => {})
    return replacing
  }

  async #replaced(old: MemberSocket): Promise<MemberSocket> {
    const { reuseAddr, group, bindAddress, networkInterfaces } = this.#settings
    const { bound } = old
    const address = bindAddress ?? groupAddress(group, bound)
    this.#debug('replacing the socket on %s', address)
    // Until there is another, which may fail.
    old.isDeaf = true
    if (!reuseAddr) await this.#sockets.close(old.socket)
    // In one turn, so that neither hears for as short as can be.
    const deafening = reuseAddr && deafened(old, this.#port.number, address)
    const opening = this.#sockets.open({ address, port: this.#port.number, reuseAddr })
    // It may fail before it is awaited, which would end the process.
    opening.catch(() => {})
    const isDeafened = await deafening
    if (!isDeafened) await this.#sockets.close(old.socket)
    const socket = await opening
    const member = this.#member(socket, bound, old)
    const table = readOnce(networkInterfaces)
    for (const joined of [...old.joined]) {
      const { on } = joined
      try {
        // The same one, whatever has got its address.
        member.adopt(joined, on && (foundInterface(table(), group, on.name) ?? on))
      } catch (error) {
        this.#debug('not joined again: %s', reasonOf(error))
        this.#tell('lost', joined)
      }
    }
    this.learn()
    if (isDeafened) afterReading(old.socket, () => this.#sockets.close(old.socket))
    return member
  }

  /** Notes which interfaces the new memberships are on, as the system numbers them. */
  learn(): void {
    if (!this.#members.some(({ isUnlearned }) => isUnlearned)) return
    const counted = joinedOn(this.#settings.group, this.#settings.createSocket) ?? []
    for (const member of this.#members) member.learn(counted)
  }

  /** The socket that joins on that interface, opened if it is not yet. */
  async #socketFor(on: Interface | undefined): Promise<MemberSocket> {
    const { group, bindAddress, reuseAddr } = this.#settings
    const bound = this.hasZones ? on : undefined
    const open = this.#members.find((member) => member.bound?.name === bound?.name)
    if (open?.isDeaf) return this.#replace(open)
    if (open !== undefined) return open
    const address = bindAddress ?? groupAddress(group, on)
    const socket = await this.#sockets.open({ address, port: this.#port.number, reuseAddr })
    if (process.platform === 'linux' && ![undefined, wildcard(group)].includes(bindAddress)) {
      this.#debug("bound to %s it hears no group on Linux: set bindAddress to 'any'", address)
    }
    this.#port.number = socket.address().port
    return this.#member(socket, bound)
  }

  /** Has a socket's datagrams heard, which may take the place of another's. */
  #member(socket: DatagramSocket, bound: MemberSocket['bound'], old?: MemberSocket): MemberSocket {
    const member = new MemberSocket(socket, this.#settings, bound)
    this.#members =
      old === undefined
        ? [...this.#members, member]
        : this.#members.map((other) => (other === old ? member : other))
    this.#hear(socket, (remote) => {
      if (member.bound !== undefined) remote.interface = member.bound.name
      return member.admits(remote)
    })
    return member
  }
}

/** By what that can be left, and nothing else than that. */
function waysToLeave(
  joined: Joined,
  all: readonly Joined[],
  there: Counted | undefined,
  group: Group,
  table: NetworkInterfaces,
): readonly (string | undefined)[] {
  const { on, by } = joined
  if (on === undefined) return [undefined]
  // An interface that is down is not in the table.
  if (group.family === 'IPv6' && there !== undefined) return [`::%${there.name}`]
  const { own, shared, former } = handlesOf(table, group, on, by)
  // By an address that interfaces share, another one could be left that is joined on.
  const isAlone = all.every(
    (other) =>
      other.on === undefined ||
      other.on.name === on.name ||
      !handlesOf(table, group, other.on).shared.some((one) => shared.includes(one)),
  )
  // If a membership is left by an address that no interface has any more, Linux forgets it for the socket alone, the
  // first that was joined by that address. The host stays a member of the group, and goes on reporting that.
  const isBy = (handle: string): boolean =>
    all.some((other) => other.by === handle && other.on?.name !== on.name)
  const gone = there === undefined ? former.filter((handle) => !isBy(handle)) : []
  return [...own, ...(isAlone ? shared : []), ...gone]
}
