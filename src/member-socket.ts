import type { RemoteInfo } from 'node:dgram'
import type { Group } from './address.js'
import type { DatagramSocket } from './datagram.js'
import { errno, hint, MulticastError, reasonOf } from './errors.js'
import type { Interface } from './interfaces.js'

/** One membership of a receiver, in the form that `leave` takes. */
export interface Membership {
  /** The interface's name, or `'default'` for the one that the system picked. */
  readonly interface: string
  /** The one sender that it asks for; absent, it asks for every sender. */
  readonly source?: string
}

export function toMembership(on: Interface | undefined, source: string | undefined): Membership {
  const name = on?.name ?? 'default'
  return Object.freeze(source === undefined ? { interface: name } : { interface: name, source })
}

/** A bound socket together with what it has joined, and so which senders it may hear. */
export class MemberSocket {
  readonly socket: DatagramSocket
  /** The zone that the socket was opened for. */
  readonly zone: string | undefined
  readonly #group: Group
  readonly #joined: { on: Interface | undefined; readonly membership: Membership }[] = []
  readonly #sources = new Set<string>()
  #anySource = false

  constructor(socket: DatagramSocket, group: Group, zone: string | undefined) {
    this.socket = socket
    this.zone = zone
    this.#group = group
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
   * IP_ADD_MEMBERSHIP, with a source IP_ADD_SOURCE_MEMBERSHIP. Returns it if it is new; one that the
   * kernel has lost is renewed.
   */
  join(on: Interface | undefined, source: string | undefined): Membership | undefined {
    const name = on?.name ?? 'default'
    const same = this.memberships.filter((membership) => membership.interface === name)
    const joined = this.#joined.find(
      ({ membership }) => membership.interface === name && membership.source === source,
    )
    try {
      if (source === undefined) this.socket.addMembership(this.#group.address, on?.handle)
      else this.socket.addSourceSpecificMembership(source, this.#group.address, on?.handle)
    } catch (cause) {
      // What is joined is asked for all the same, and refused: the kernel forgets it without a word
      // where an interface is deleted and created again, and then grants it.
      if (joined === undefined || outright.has(errno(cause) ?? '')) {
        throw this.#joinError(cause, name, source, same)
      }
    }
    if (joined !== undefined) {
      // It may have another address now.
      joined.on = on
      return undefined
    }
    const membership = toMembership(on, source)
    this.#joined.push({ on, membership })
    this.#readSources()
    return membership
  }

  /** IP_DROP_MEMBERSHIP, with a source IP_DROP_SOURCE_MEMBERSHIP. */
  leave(membership: Membership): void {
    const index = this.#joined.findIndex((joined) => joined.membership === membership)
    const [joined] = index < 0 ? [] : this.#joined.splice(index, 1)
    if (joined === undefined) return
    // Before the kernel is asked: what it still delivers is not asked for any more.
    this.#readSources()
    const { source } = membership
    try {
      if (source === undefined) this.socket.dropMembership(this.#group.address, joined.on?.handle)
      else this.socket.dropSourceSpecificMembership(source, this.#group.address, joined.on?.handle)
    } catch {
      // The kernel has it no more, as when the interface was removed: it counts as left all the same.
    }
  }

  #readSources(): void {
    this.#sources.clear()
    this.#anySource = false
    for (const { source } of this.memberships) {
      if (source === undefined) this.#anySource = true
      else this.#sources.add(source)
    }
  }

  #joinError(
    cause: unknown,
    name: string,
    source: string | undefined,
    same: Membership[],
  ): MulticastError {
    const code = errno(cause)
    const what = `group ${this.#group.address} on ${name}${source === undefined ? '' : ` from ${source}`}`
    if (code === 'ENOBUFS' || code === 'ENOMEM') {
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
}

/** Refusals that mean more than that it is joined already. */
const outright: ReadonlySet<string> = new Set(['ENOBUFS', 'ENOMEM', 'ENODEV'])
