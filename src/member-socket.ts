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
  on: Interface | undefined
  readonly membership: Membership
  /** The system's number of the interface, where it tells. */
  index: number | undefined
}

/** A bound socket together with what it has joined, and so which senders it may hear. */
export class MemberSocket {
  readonly socket: DatagramSocket
  /** The zone that the socket was opened for. */
  readonly zone: string | undefined
  /** Whether it hears nothing any more, since the interface that it was bound on is another one now. */
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
      joined.on = on
      joined.index = this.#indexOf(joined.membership.interface)
      return { how: 'renewed', membership: joined.membership }
    }
    const name = this.#nameOf(on, before)
    const membership = toMembership(name, source)
    this.#joined.push({ on, membership, index: this.#indexOf(name) })
    this.#readSources()
    return { how: 'new', membership }
  }

  /**
   * Renews what the kernel has lost because its interface was made anew, and strikes out what it has lost
   * because the interface is gone. `find` tells what there is now of an interface. Tells whether anything
   * was lost; where a renewal has no room, or what is bound to a zone would hear nothing, this is deaf.
   */
  sweep(find: (on: Interface) => Interface | undefined): boolean {
    const counted = this.#count()
    let hasLost = false
    for (const joined of [...this.#joined]) {
      if (joined.on === undefined) continue
      const isAlive =
        joined.index !== undefined && counted
          ? counted.some(({ index }) => index === joined.index)
          : this.#asked(joined, joined.on) !== 'lost'
      if (isAlive) continue
      hasLost = true
      // While the interface is away this gives the room back that the lost membership takes.
      if (!this.#dropped(joined)) this.#spent += 1
      const now = find(joined.on)
      if (now === undefined) this.#strike(joined)
      else this.#renew(joined, now)
    }
    if (hasLost && this.zone !== undefined) this.isDeaf = true
    return hasLost
  }

  /** IP_DROP_MEMBERSHIP, with a source IP_DROP_SOURCE_MEMBERSHIP. */
  leave(membership: Membership): void {
    const joined = this.#joined.find((one) => one.membership === membership)
    if (joined === undefined) return
    // Before the kernel is asked: what it still delivers is not asked for any more.
    this.#strike(joined)
    // Where the kernel has it no more, as when the interface was removed, it counts as left all the same.
    this.#dropped(joined)
  }

  /** Whether the kernel had it to leave. */
  #dropped({ on, membership: { source } }: Joined): boolean {
    try {
      if (source === undefined) this.socket.dropMembership(this.#group.address, on?.handle)
      else this.socket.dropSourceSpecificMembership(source, this.#group.address, on?.handle)
      return true
    } catch {
      return false
    }
  }

  #strike(joined: Joined): void {
    this.#joined.splice(this.#joined.indexOf(joined), 1)
    this.#readSources()
  }

  #renew(joined: Joined, now: Interface): void {
    joined.on = now
    try {
      this.#add(now, joined.membership.source)
      joined.index = this.#indexOf(joined.membership.interface)
    } catch (cause) {
      if (full.has(errno(cause) ?? '')) this.isDeaf = true
      else if (!isAlready(errno(cause) ?? '', joined.membership.source)) this.#strike(joined)
    }
  }

  /** Asks again for what is joined: where nothing else tells, the refusal tells whether it still is. */
  #asked(joined: Joined, on: Interface): 'there' | 'lost' {
    try {
      this.#add(on, joined.membership.source)
    } catch (cause) {
      // An interface that is down is still joined on, and one that is gone is not found.
      return errno(cause) === 'ENODEV' ? 'lost' : 'there'
    }
    // It had been lost, and is there again.
    this.#spent += 1
    if (this.zone !== undefined) this.isDeaf = true
    return 'there'
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

  /** The system's number of the interface, which tells it from a later one of the same name. */
  #indexOf(name: string): number | undefined {
    // The loopback interface is never another one.
    if (name === 'default' || name === 'lo') return undefined
    return this.#count()?.find((one) => one.name === name)?.index
  }
}

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
