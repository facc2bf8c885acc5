import type { RemoteInfo } from 'node:dgram'
import type { Group } from './address.js'
import type { CreateSocket, DatagramSocket } from './datagram.js'
import { errno, hint, MulticastError, reasonOf } from './errors.js'
import { type Counted, joinedOn } from './igmp.js'
import type { Interface } from './interfaces.js'
import { DEFAULT } from './wanted.js'

/** One membership of a receiver or peer, in the form that `leave` takes. */
export interface Membership {
  /** The interface's name, or `'default'` for the one that the system picked. */
  readonly interface: string
  /** The one source that it asks for. Absent if it asks for every source. */
  readonly source?: string
}

export function toMembership(name: string, source: string | undefined): Membership {
  return Object.freeze(source === undefined ? { interface: name } : { interface: name, source })
}

/** Where to join, and what the membership is called after. */
export interface Target {
  /** The interface, or undefined for the one that the system picks. */
  readonly on: Interface | undefined
  /** The name that the membership bears. */
  readonly name: string
}

/** One membership that a socket has. */
export interface Joined {
  /** The interface as it was looked up last: of several that share an address the one that was joined on. */
  on: Interface | undefined
  membership: Membership
  /** What the system was given for it when it joined, by which it still leaves once that is gone. */
  by: string | undefined
  /** The system's number of the interface, where it tells. */
  index: number | undefined
}

/** A bound socket together with what it has joined, and so which senders it may hear. */
export class MemberSocket {
  readonly socket: DatagramSocket
  /** The interface that the socket is bound on, where that is one. It may be renamed. */
  bound: Pick<Interface, 'name' | 'zone'> | undefined
  /** Whether only a new socket can hear what it has joined. */
  isDeaf = false
  readonly #group: Group
  readonly #createSocket: CreateSocket
  readonly #joined: Joined[] = []
  /** Memberships that the kernel has lost and that count all the same. */
  #spent = 0
  readonly #sources = new Set<string>()
  #anySource = false

  constructor(
    socket: DatagramSocket,
    { group, createSocket }: { readonly group: Group; readonly createSocket: CreateSocket },
    bound: Pick<Interface, 'name' | 'zone'> | undefined,
  ) {
    this.#createSocket = createSocket
    this.socket = socket
    this.bound = bound
    this.#group = group
  }

  /** What is joined, and by which interface. */
  get joined(): readonly Joined[] {
    return this.#joined
  }

  get memberships(): readonly Membership[] {
    return this.#joined.map(({ membership }) => membership)
  }

  /**
   * Whether a membership asks for that sender. The kernel lets more through: a socket bound to the
   * group hears it on every interface where any socket of the host has joined, whatever its source.
   */
  readonly admits = ({ address }: RemoteInfo): boolean =>
    this.#anySource ||
    this.#sources.has(address) ||
    // A link-local sender comes with its zone, which a source may leave out.
    (address.includes('%') && this.#sources.has(address.replace(/%.*/, '')))

  /** The membership that is meant. By an address that interfaces share it was joined on whichever. */
  find({ on, name }: Target, source: string | undefined): Joined | undefined {
    return this.#joined.find(
      (joined) =>
        joined.membership.source === source &&
        (on?.others
          ? joined.on?.handle === on.handle
          : joined.membership.interface === name && joined.on?.name === on?.name),
    )
  }

  /**
   * IP_ADD_MEMBERSHIP, with a source IP_ADD_SOURCE_MEMBERSHIP. Tells whether it is new, was joined all
   * the time, or had been lost by the kernel and is renewed. Throws a {@link SpentError} where the socket
   * has no room because of what it has lost.
   */
  join(
    target: Target,
    source: string | undefined,
  ): { readonly how: 'new' | 'joined' | 'renewed'; readonly joined: Joined } {
    const { on } = target
    const joined = this.find(target, source)
    const before = on?.others && this.#count()
    try {
      this.#addOver(on, source)
    } catch (cause) {
      const code = errno(cause)
      if (joined === undefined || !isAlready(code, source)) {
        if (full.has(code) && this.#spent > 0) throw new SpentError()
        const same = this.memberships.filter((membership) => membership.interface === target.name)
        throw joinError(cause, this.#group, target.name, source, same)
      }
      this.note(joined, on)
      return { how: 'joined', joined }
    }
    const own = on && this.#joinedOn(on, before)
    if (joined !== undefined && before !== undefined && own?.name !== joined.on?.name) {
      // By an address that interfaces share, it was another one.
      this.#dropped(source, on?.handle)
      return { how: 'joined', joined }
    }
    if (joined !== undefined) {
      // It may have another address now. What was lost still counts among the socket's memberships.
      this.#spent += 1
      Object.assign(joined, { on, by: on?.handle, index: undefined })
      return { how: 'renewed', joined }
    }
    const name = target.name === DEFAULT ? DEFAULT : (own?.name ?? target.name)
    const membership = toMembership(name, source)
    const added = { on: own, membership, by: on?.handle, index: undefined }
    this.#take(added)
    return { how: 'new', joined: added }
  }

  /** Notes what is asked for by, which may have another address now; what is joined on is the same. */
  note(joined: Joined, on: Interface | undefined): void {
    joined.on = on && joined.on ? { ...on, name: joined.on.name, zone: joined.on.zone } : on
  }

  /** Joins what another socket had joined, whose record of it goes on here. */
  adopt(joined: Joined, on: Interface | undefined): void {
    this.#add(on?.handle, joined.membership.source)
    this.#take(Object.assign(joined, { on, by: on?.handle, index: undefined }))
  }

  /** Keeps the numbers of the interfaces that are newly joined on, of which `counted` tells. */
  learn(counted: readonly Counted[]): void {
    for (const joined of this.#joined) {
      joined.index ??= counted.find(({ name }) => name === joined.on?.name)?.index
    }
  }

  /** Whether there is something left to {@link learn}: the loopback interface is never another one. */
  get isUnlearned(): boolean {
    return this.#joined.some(
      ({ on, index }) => on !== undefined && index === undefined && on.name !== LOOPBACK,
    )
  }

  /**
   * Strikes out what the kernel has lost, because its interface is gone or was made anew, and returns it.
   * `lost` are the interfaces that the carrier says so of; else `counted` is where the host has joined, if
   * the system tells. What is bound in a zone hears nothing from then on. `find` tells what there is
   * now of an interface, `isOwn` whether what it was joined by means no other interface now.
   */
  sweep(
    find: (on: Interface) => Interface | undefined,
    isOwn: (joined: Joined) => boolean,
    counted: readonly Counted[] | undefined,
    lost?: readonly string[],
  ): readonly Joined[] {
    const gone = this.#joined.filter((joined) => this.#isLost(joined, find, counted, lost))
    // Several sources on one interface are one membership to the kernel.
    const ways = new Map(gone.map((joined) => [joined.by, joined]))
    for (const [by, joined] of ways) {
      const isOthers = this.#joined.some((one) => one.by === by && !gone.includes(one))
      if (isOthers || !isOwn(joined) || !this.#givenBack(by)) this.#spent += 1
    }
    for (const joined of gone) this.#strike(joined)
    if (gone.length > 0 && this.bound !== undefined) this.isDeaf = true
    return gone
  }

  /**
   * Leaves what is joined on these interfaces, to join it again when the function is called that this
   * returns: so the system tells the network of it again. That strikes out what cannot be joined again,
   * and returns it. `handleOf` tells what stands for an interface, and for no other one.
   */
  retell(
    names: readonly string[],
    handleOf: (on: Interface) => string | undefined,
  ): () => readonly Joined[] {
    const told = this.#joined.flatMap((joined) => {
      const { membership, on } = joined
      if (on === undefined || !names.includes(on.name)) return []
      const handle = handleOf(on)
      if (handle === undefined) return []
      return this.#dropped(membership.source, handle) ? { joined, handle } : []
    })
    return () =>
      told.flatMap(({ joined, handle }) => {
        try {
          this.#add(handle, joined.membership.source)
          joined.by = handle
          return []
        } catch {
          this.#strike(joined)
          return joined
        }
      })
  }

  /**
   * IP_DROP_MEMBERSHIP, with a source IP_DROP_SOURCE_MEMBERSHIP, by the first of `handles` that the system
   * takes; returns whether there was one.
   */
  leave(joined: Joined, handles: readonly (string | undefined)[]): boolean {
    const { source } = joined.membership
    // Before the kernel is asked: what it still delivers is not asked for any more.
    this.#strike(joined)
    // Where the kernel has it no more, as when the interface was removed, it counts as left all the same.
    for (const handle of handles) if (this.#dropped(source, handle)) return true
    this.#spent += 1
    return false
  }

  /** Strikes out all that is joined, since it cannot be heard any more, and returns it. */
  abandon(): readonly Joined[] {
    const all = this.#joined.splice(0)
    this.#readSources()
    return all
  }

  #dropped(source: string | undefined, handle: string | undefined): boolean {
    try {
      if (source === undefined) this.socket.dropMembership(this.#group.address, handle)
      else this.socket.dropSourceSpecificMembership(source, this.#group.address, handle)
      return true
    } catch {
      return false
    }
  }

  /**
   * Whether the room of a membership that is lost is free again. While the interface is away Linux lets
   * it be left by the address that it was joined by; one for sources only as a whole. Kept, it would take
   * the membership of a new interface with the old one's number along as the socket is closed.
   */
  #givenBack(by: string | undefined): boolean {
    return this.#dropped(undefined, by)
  }

  #take(joined: Joined): void {
    this.#joined.push(joined)
    this.#readSources()
  }

  #strike(joined: Joined): void {
    this.#joined.splice(this.#joined.indexOf(joined), 1)
    this.#readSources()
  }

  #isLost(
    joined: Joined,
    find: (on: Interface) => Interface | undefined,
    counted: readonly Counted[] | undefined,
    lost: readonly string[] | undefined,
  ): boolean {
    if (joined.on === undefined) return false
    if (lost !== undefined) return lost.includes(joined.on.name)
    if (counted === undefined) return this.#isRefused(joined, joined.on, find(joined.on))
    if (joined.on.name === LOOPBACK) return false
    const there = counted.find(({ index }) => index === joined.index)
    if (there !== undefined) this.#rename(joined, joined.on, there.name)
    return there === undefined
  }

  /** An interface keeps its memberships under a new name. */
  #rename(joined: Joined, on: Interface, name: string): void {
    const { membership } = joined
    if (on.name === name) return
    const own = on.name
    joined.on = {
      ...on,
      name,
      zone: name,
      ...(on.handle.includes('%') ? { handle: `::%${name}` } : {}),
    }
    if (joined.by?.includes('%')) joined.by = joined.on.handle
    if (membership.interface === own) joined.membership = toMembership(name, membership.source)
    if (this.bound?.name === own) this.bound = { name, zone: name }
  }

  /** Where nothing else tells, it is asked for again: the refusal tells whether it is still joined. */
  #isRefused(joined: Joined, before: Interface, now: Interface | undefined): boolean {
    const { source } = joined.membership
    // A zone that is away would mean any interface to Linux.
    if (now === undefined && before.handle.includes('%')) return false
    const on = now ?? before
    try {
      this.#add(on.handle, source)
    } catch (cause) {
      // An interface that is down is still joined on, and one that is gone is not found.
      return errno(cause) === 'ENODEV'
    }
    // It had been lost, and is there again. It is joined again as all that was lost.
    this.#dropped(source, on.handle)
    return true
  }

  #readSources(): void {
    this.#sources.clear()
    this.#anySource = false
    for (const { source } of this.memberships) {
      if (source === undefined) this.#anySource = true
      else this.#sources.add(source)
    }
  }

  #add(handle: string | undefined, source: string | undefined): void {
    if (source === undefined) this.socket.addMembership(this.#group.address, handle)
    else this.socket.addSourceSpecificMembership(source, this.#group.address, handle)
  }

  /** Joins over what was lost on an interface whose number a new one has got. */
  #addOver(on: Interface | undefined, source: string | undefined): void {
    try {
      this.#add(on?.handle, source)
    } catch (cause) {
      const isJoined = this.#joined.some((joined) => joined.on?.name === on?.name)
      const mayBeLost = this.#spent > 0 && !isJoined && on?.others === undefined
      const isOver = mayBeLost && isAlready(errno(cause), source)
      if (!isOver || !this.#dropped(undefined, on?.handle)) throw cause
      this.#spent -= 1
      this.#add(on?.handle, source)
    }
  }

  #count(): readonly Counted[] | undefined {
    return joinedOn(this.#group, this.#createSocket)
  }

  /** The interface that was joined on: where several have the address, the one that has one user more. */
  #joinedOn(on: Interface, before: readonly Counted[] | undefined): Interface {
    if (before === undefined) return on
    const grown = this.#count()?.find(
      ({ index, users }) => users > (before.find((one) => one.index === index)?.users ?? 0),
    )
    // A further source is no further user.
    const same = this.#joined.find(({ by }) => by === on.handle)
    const name = grown?.name ?? same?.on?.name ?? on.name
    return { ...on, name, zone: name }
  }
}

/** Linux's name for it, which is never that of another interface. */
const LOOPBACK = 'lo'

/** No room is left in a socket, but would be in a new one. */
export class SpentError extends Error {}

/** The error for a membership that was refused; `same` are those that the socket has on the interface. */
export function joinError(
  cause: unknown,
  group: Group,
  name: string,
  source: string | undefined,
  same: readonly Membership[],
): MulticastError {
  const code = errno(cause)
  const what = `group ${group.address} on ${name}${source === undefined ? '' : ` from ${source}`}`
  if (full.has(code)) {
    const limit =
      source !== undefined && same.length > 0
        ? 'a membership has as many sources as it may (Linux: sysctl net.ipv4.igmp_max_msf, net.ipv6.mld_max_msf)'
        : 'the socket has as many memberships as it may (Linux: 20, sysctl net.ipv4.igmp_max_memberships)'
    return new MulticastError(
      'ERR_MULTICAST_MEMBERSHIP_LIMIT',
      `Could not join ${what}: ${limit}. Raise it, or use several receivers`,
      { cause },
    )
  }
  return new MulticastError(
    'ERR_MULTICAST_JOIN',
    `Could not join ${what}: ${reasonOf(cause)} (${hint('join', cause)})`,
    { cause },
  )
}

/** Whether that is the refusal of what is a member already: Node's and Bun's, of a source, or Deno's. */
function isAlready(code: string | undefined, source: string | undefined): boolean {
  return code === 'EADDRINUSE' || code === (source === undefined ? 'EINVAL' : 'EADDRNOTAVAIL')
}

/** Refusals for want of room. */
const full: ReadonlySet<string | undefined> = new Set(['ENOBUFS', 'ENOMEM'])
