import type { Family } from './scope.js'

/** One group that a socket has joined on one link. */
interface Joined {
  readonly group: string
  /** Of the link. It outlives that. */
  readonly index: number
  /** The address of the link by which it was joined over IPv4, as it was given. */
  readonly by: string | undefined
  /** The senders that it asks for; `undefined` is every sender. */
  sources: Set<string> | undefined
}

/** Linux's limits: igmp_max_memberships, and the sources of one membership (igmp_max_msf, mld_max_msf). */
const limits = {
  IPv4: { memberships: 20, sources: 10 },
  IPv6: { memberships: Number.POSITIVE_INFINITY, sources: 64 },
} as const

/** Where a socket joins or leaves. */
export interface Place {
  /** The index of the link that the call names; 0 where it leaves that to the system. */
  readonly asked: number
  /** The index of the link that this comes to; 0 if there is none. */
  readonly index: number
  /** The address by which the call names it, if it does. */
  readonly by: string | undefined
}

/**
 * What one socket has joined, by the rules of Linux. What it refuses it answers with the name of an
 * error.
 */
export class MulticastList {
  readonly #family: Family
  /** The last one joined is the first, as in the kernel, which takes the first that fits. */
  #joined: Joined[] = []

  constructor(family: Family) {
    this.#family = family
  }

  /** All of it. */
  get joined(): readonly Readonly<Joined>[] {
    return this.#joined
  }

  /** IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP. */
  join(group: string, place: Place): string | undefined {
    if (this.#existing(group, place) !== undefined) return 'EADDRINUSE'
    const joined = this.#add(group, place, undefined)
    return typeof joined === 'string' ? joined : undefined
  }

  /** IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP. */
  leave(group: string, place: Place): string | undefined {
    const { index, by } = place
    if (this.#family === 'IPv4' && by === undefined && index === 0) return 'ENODEV'
    // The address of a link that is gone still finds what was joined by it.
    const left =
      index === 0 && by !== undefined
        ? this.#joined.find((joined) => joined.group === group && joined.by === by)
        : this.#find(group, this.#key(place))
    if (left === undefined) return 'EADDRNOTAVAIL'
    this.#remove(left)
    return undefined
  }

  /** IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP. */
  joinSource(source: string, group: string, place: Place): string | undefined {
    const joined = this.#existing(group, place) ?? this.#add(group, place, new Set())
    if (typeof joined === 'string') return joined
    // A membership for every sender becomes one for that sender, without a word.
    joined.sources ??= new Set()
    if (joined.sources.size >= limits[this.#family].sources) return 'ENOBUFS'
    if (joined.sources.has(source)) return 'EADDRNOTAVAIL'
    joined.sources.add(source)
    return undefined
  }

  /** IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP. */
  leaveSource(source: string, group: string, place: Place): string | undefined {
    if (place.index === 0) return 'ENODEV'
    const joined = this.#find(group, this.#key(place))
    if (joined === undefined) return 'EINVAL'
    // Only asked to leave one, it is a membership for certain senders from then on: for none.
    joined.sources ??= new Set()
    if (!joined.sources.has(source)) return 'EADDRNOTAVAIL'
    joined.sources.delete(source)
    // Without its last source the membership is left.
    if (joined.sources.size === 0) this.#remove(joined)
    return undefined
  }

  /** Whether it asks for a sender's datagrams to the group on that very link. */
  asks(group: string, index: number, source: string): boolean {
    return this.#joined.some(
      (joined) =>
        joined.group === group &&
        joined.index === index &&
        (joined.sources === undefined || joined.sources.has(source)),
    )
  }

  /**
   * Whether the membership that decides lets a sender's datagram through that came by that link:
   * `undefined` where none decides. Over IPv6 Linux takes the last one of the group, on any link.
   */
  admits(group: string, index: number, source: string): boolean | undefined {
    const joined = this.#find(group, this.#family === 'IPv4' ? index : 0)
    if (joined === undefined) return undefined
    return joined.sources === undefined || joined.sources.has(source)
  }

  /** What is joined there already. IPv4 looks for the link first, IPv6 for what is joined. */
  #existing(group: string, place: Place): Joined | undefined {
    const isNowhere = this.#family === 'IPv4' && place.index === 0
    return isNowhere ? undefined : this.#find(group, this.#key(place))
  }

  /** What is new, or the name of an error. */
  #add(group: string, { index, by }: Place, sources: Set<string> | undefined): Joined | string {
    if (index === 0) return 'ENODEV'
    if (this.#joined.length >= limits[this.#family].memberships) return 'ENOBUFS'
    const joined = { group, index, by, sources }
    this.#joined.unshift(joined)
    return joined
  }

  /** By which link it is looked up: where none was named, IPv4 takes the route's and IPv6 any. */
  #key({ asked, index }: Place): number {
    return this.#family === 'IPv4' ? index : asked
  }

  /** The membership of the group on that link; 0 is any. */
  #find(group: string, index: number): Joined | undefined {
    return this.#joined.find(
      (joined) => joined.group === group && (index === 0 || joined.index === index),
    )
  }

  #remove(left: Joined): void {
    this.#joined = this.#joined.filter((joined) => joined !== left)
  }
}
