import type { RemoteInfo } from 'node:dgram'
import type { Group } from './address.js'
import type { CreateSocket, DatagramSocket } from './datagram.js'
import { errno, hint, MulticastError, reasonOf } from './errors.js'
import { type Counted, joinedOn } from './igmp.js'
import type { Interface } from './interfaces.js'

/** One membership of a receiver, in the form that `leave` takes. */
export interface Membership {
  /** The interface's name, or `'default'` for the one that the system picked. */
  readonly interface: string
  /** The one sender that it asks for; absent, it asks for every sender. */
  readonly source?: string
}

export function toMembership(name: string, source: string | undefined): Membership {
  return Object.freeze(source === undefined ? { interface: name } : { interface: name, source })
}

interface Joined {
  /** The interface as it was looked up last. */
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
  /** The zone that the socket is bound in, where that is one. */
  readonly zone: string | undefined
  /** Whether only a new socket can hear all that it has joined. */
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
    zone: string | undefined,
  ) {
    this.#createSocket = createSocket
    this.socket = socket
    this.zone = zone
    this.#group = group
  }

  /** What is joined, and by which interface. */
  get joined(): readonly Readonly<Joined>[] {
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

  /**
   * IP_ADD_MEMBERSHIP, with a source IP_ADD_SOURCE_MEMBERSHIP. Tells whether it is new, was joined all
   * the time, or had been lost by the kernel and is renewed. Throws a {@link SpentError} where the socket
   * has no room because of what it has lost.
   */
  join(
    on: Interface | undefined,
    source: string | undefined,
  ): { readonly how: 'new' | 'joined' | 'renewed'; readonly membership: Membership } {
    const joined = this.#find(on, source)
    const before = on?.others && this.#count()
    try {
      this.#add(on, source)
    } catch (cause) {
      const code = errno(cause) ?? ''
      if (joined === undefined || !isAlready(code, source)) {
        if (full.has(code) && this.#spent > 0) throw new SpentError()
        const name = on?.name ?? 'default'
        const same = this.memberships.filter((membership) => membership.interface === name)
        throw joinError(cause, this.#group, name, source, same)
      }
      joined.on = on
      return { how: 'joined', membership: joined.membership }
    }
    if (joined !== undefined) {
      // It may have another address now. What was lost still counts among the socket's memberships.
      this.#spent += 1
      Object.assign(joined, { on, by: on?.handle, index: undefined })
      return { how: 'renewed', membership: joined.membership }
    }
    const membership = toMembership(this.#nameOf(on, before), source)
    this.#joined.push({ on, membership, by: on?.handle, index: undefined })
    this.#readSources()
    return { how: 'new', membership }
  }

  /** Keeps the numbers of the interfaces that are newly joined on, of which `counted` tells. */
  learn(counted: readonly Counted[]): void {
    for (const joined of this.#joined) {
      joined.index ??= counted.find(({ name }) => name === joined.membership.interface)?.index
    }
  }

  /** Whether there is something left to {@link learn}: the loopback interface is never another one. */
  get isUnlearned(): boolean {
    return this.#joined.some(
      ({ on, index }) => on !== undefined && index === undefined && on.name !== LOOPBACK,
    )
  }

  /**
   * Renews what the kernel has lost because its interface was made anew, and strikes out what it has lost
   * because the interface is gone. `counted` is where the host has joined, if the system tells; `find`
   * tells what there is now of an interface. Returns what was lost. Where a renewal has no room, or what is
   * bound in a zone would hear nothing, this is deaf.
   */
  sweep(
    counted: readonly Counted[] | undefined,
    find: (on: Interface) => Interface | undefined,
  ): readonly Membership[] {
    const lost = this.#joined.filter((joined) => this.#isLost(joined, counted))
    // Several sources on one interface are one membership to the kernel.
    for (const by of new Set(lost.map(({ by }) => by))) if (!this.#givenBack(by)) this.#spent += 1
    const memberships = lost.map(({ membership }) => membership)
    for (const joined of lost) {
      const now = joined.on && find(joined.on)
      if (now === undefined) this.#strike(joined)
      else this.#renew(joined, now)
    }
    if (lost.length > 0 && this.zone !== undefined) this.isDeaf = true
    return memberships
  }

  /**
   * IP_DROP_MEMBERSHIP, with a source IP_DROP_SOURCE_MEMBERSHIP. `find` tells what there is now of the
   * interface, which may have got another address since it was joined on.
   */
  leave(membership: Membership, find: () => Interface | undefined): void {
    const joined = this.#joined.find((one) => one.membership === membership)
    if (joined === undefined) return
    const { source } = membership
    // Before the kernel is asked: what it still delivers is not asked for any more.
    this.#strike(joined)
    // Where the kernel has it no more, as when the interface was removed, it counts as left all the same.
    // By what is there now at first: by an address that the interface has lost, Linux forgets what the socket
    // has joined and not that the host has, which goes on reporting it.
    const { on, by } = joined
    const handles = on === undefined ? [undefined] : [find()?.handle ?? on.handle, on.handle, by]
    for (const handle of new Set(handles)) if (this.#dropped(source, handle)) return
    this.#spent += 1
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
   * it be left by the address that it was joined by; one for sources only as a whole.
   */
  #givenBack(by: string | undefined): boolean {
    return this.#dropped(undefined, by)
  }

  #strike(joined: Joined): void {
    this.#joined.splice(this.#joined.indexOf(joined), 1)
    this.#readSources()
  }

  #renew(joined: Joined, now: Interface): void {
    const { source } = joined.membership
    const before = now.others && this.#count()
    try {
      this.#add(now, source)
    } catch (cause) {
      const code = errno(cause) ?? ''
      if (full.has(code)) this.isDeaf = true
      else if (!isAlready(code, source)) {
        this.#strike(joined)
        return
      }
    }
    const membership = toMembership(this.#nameOf(now, before), source)
    Object.assign(joined, { on: now, by: now.handle, index: undefined, membership })
  }

  #isLost(joined: Joined, counted: readonly Counted[] | undefined): boolean {
    if (joined.on === undefined) return false
    if (counted === undefined) return this.#isRefused(joined, joined.on)
    if (joined.on.name === LOOPBACK) return false
    const there = counted.find(({ index }) => index === joined.index)
    if (there !== undefined) this.#rename(joined, there.name)
    return there === undefined
  }

  /** An interface keeps its memberships under a new name. */
  #rename(joined: Joined, name: string): void {
    if (joined.on === undefined || joined.membership.interface === name) return
    joined.on = { ...joined.on, name, zone: name }
    joined.membership = toMembership(name, joined.membership.source)
  }

  /** Where nothing else tells, it is asked for again: the refusal tells whether it is still joined. */
  #isRefused(joined: Joined, on: Interface): boolean {
    try {
      this.#add(on, joined.membership.source)
    } catch (cause) {
      // An interface that is down is still joined on, and one that is gone is not found.
      return errno(cause) === 'ENODEV'
    }
    // It had been lost, and is there again.
    this.#spent += 1
    if (this.zone !== undefined) this.isDeaf = true
    return false
  }

  #readSources(): void {
    this.#sources.clear()
    this.#anySource = false
    for (const { source } of this.memberships) {
      if (source === undefined) this.#anySource = true
      else this.#sources.add(source)
    }
  }

  /** The membership that is meant. By an address that interfaces share it was joined on whichever. */
  #find(on: Interface | undefined, source: string | undefined): Joined | undefined {
    const name = on?.name ?? 'default'
    return this.#joined.find(
      (joined) =>
        joined.membership.source === source &&
        (on?.others ? joined.on?.handle === on.handle : joined.membership.interface === name),
    )
  }

  #add(on: Interface | undefined, source: string | undefined): void {
    if (source === undefined) this.socket.addMembership(this.#group.address, on?.handle)
    else this.socket.addSourceSpecificMembership(source, this.#group.address, on?.handle)
  }

  #count(): readonly Counted[] | undefined {
    return joinedOn(this.#group, this.#createSocket)
  }

  /** The interface that was joined on: where several have the address, the one that has one user more. */
  #nameOf(on: Interface | undefined, before: readonly Counted[] | undefined): string {
    const name = on?.name ?? 'default'
    if (before === undefined) return name
    const grown = this.#count()?.find(
      ({ index, users }) => users > (before.find((one) => one.index === index)?.users ?? 0),
    )
    return grown?.name ?? name
  }
}

/** Linux's name for it, which is never that of another interface. */
const LOOPBACK = 'lo'

/** No room is left in a socket, but would be in a new one. */
export class SpentError extends Error {}

function joinError(
  cause: unknown,
  group: Group,
  name: string,
  source: string | undefined,
  same: readonly Membership[],
): MulticastError {
  const code = errno(cause)
  const what = `group ${group.address} on ${name}${source === undefined ? '' : ` from ${source}`}`
  if (full.has(code ?? '')) {
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
function isAlready(code: string, source: string | undefined): boolean {
  return code === 'EADDRINUSE' || code === (source === undefined ? 'EINVAL' : 'EADDRNOTAVAIL')
}

/** Refusals for want of room. */
const full: ReadonlySet<string> = new Set(['ENOBUFS', 'ENOMEM'])
