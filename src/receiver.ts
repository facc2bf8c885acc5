import type { RemoteInfo } from 'node:dgram'
import { findInterface, type Group, groupAddress, type Interface, parseSource } from './address.js'
import { type Codec, encode, type ReceivedAsBytes, type SentAsBytes } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { Endpoint } from './endpoint.js'
import { MulticastError, type MulticastErrorCode, reasonOf, shown } from './errors.js'
import { type Membership, Memberships, toMembership } from './membership.js'
import {
  checkRemote,
  type MembershipOptions,
  membershipSettings,
  parseInterfaces,
  type ReceiverOptions,
  type ReceiverSettings,
  receiverSettings,
  targetInterfaces,
} from './options.js'

/**
 * Joins a multicast group, hears its messages and replies to their senders.
 *
 * Opens itself on a later tick, so listeners can be attached first. Throws a `MulticastError` at once
 * where an option is wrong.
 *
 * `Message` is what comes, as `codec` decodes it: a `Buffer` by default. `Reply` is what {@link reply}
 * takes, as `replyCodec` encodes it, or else `codec`: a string or bytes by default.
 */
export class MulticastReceiver<
  Message = Buffer,
  Reply = string | Uint8Array,
> extends Endpoint<Message> {
  readonly #settings: ReceiverSettings
  readonly #replyCodec: Codec<Reply, unknown>
  /** The sockets by the address that each is bound to: one, or one for each zone of the group. */
  readonly #bound = new Map<string, Promise<Memberships>>()
  /** The same, once bound. */
  readonly #memberships: Memberships[] = []
  /** With a socket for each zone: the zone that a message came in, which its address may not tell. */
  readonly #zones = new WeakMap<object, string>()

  /** `codec` carries the messages, `replyCodec` the replies. */
  constructor(
    options: ReceiverOptions & { codec: Codec<never, Message>; replyCodec: Codec<Reply, unknown> },
  )
  /** `codec` carries the messages and the replies. */
  constructor(options: ReceiverOptions & { codec: Codec<Reply, Message>; replyCodec?: undefined })
  /** Messages are bytes, `replyCodec` carries the replies. */
  constructor(
    options: ReceiverOptions &
      ReceivedAsBytes<Message, 'codec'> & { replyCodec: Codec<Reply, unknown> },
  )
  /** Messages and replies are bytes. */
  constructor(
    options: ReceiverOptions & ReceivedAsBytes<Message, 'codec'> & SentAsBytes<Reply, 'replyCodec'>,
  )
  constructor(options: ReceiverOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = receiverSettings(options)
    super('receiver', settings, settings.codec)
    this.#settings = settings
    this.#replyCodec = (settings.replyCodec ?? settings.codec) as Codec<Reply, unknown>
  }

  /** What is joined now. Interfaces of `'all'` that could not be joined are missing. */
  get memberships(): readonly Membership[] {
    return this.#memberships.flatMap(({ list }) => list)
  }

  /**
   * Sends a message to the sender of another, from the group's port. `remote` is what came with that
   * message. Resolves with the bytes once the kernel has taken them; every failure is a rejection. One
   * that nobody handles is only shown by DEBUG: a forged sender must not end the process.
   */
  reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    const sent = this.#reply(message, remote)
    sent.catch((error: unknown) => this.debug('not replied: %s', reasonOf(error)))
    return sent
  }

  /**
   * Joins the group on a further interface, by name or address, or for a further source; waits for
   * `listening` first. What is left out is as in the receiver's options, with the interfaces of
   * `'all'` listed anew. Joining what is joined already changes nothing, but renews what the system has
   * lost because its interface was deleted and created again. If one of several cannot be
   * joined, none is (of `'all'`, only if none can).
   */
  async join(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    const { group, interfaces, sources } = this.#settings
    const from = source === undefined ? sources : [parseSource(source, group)]
    await this.whenListening()
    const named = name === 'all' || name === 'default' ? name : [name]
    const wanted =
      name === undefined ? interfaces : parseInterfaces(named, 'interface', this.#settings)
    await this.#join(wanted, from)
  }

  /**
   * Leaves what `membership` names: an interface, a source, both, or with neither all that is joined.
   * Rejects with `ERR_MULTICAST_LEAVE` if nothing joined is like it. After the last membership is left
   * the receiver stays open, and drops and counts what still comes.
   */
  async leave(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    await this.whenListening()
    const on = name === undefined ? undefined : this.#nameOf(name)
    const from = source === undefined ? undefined : parseSource(source, this.#settings.group)
    const leaving = this.memberships.filter(
      (joined) =>
        (on === undefined || joined.interface === on) &&
        (from === undefined || joined.source === from),
    )
    if (leaving.length === 0 && (name !== undefined || source !== undefined)) {
      throw new MulticastError(
        'ERR_MULTICAST_LEAVE',
        `Nothing joined is like ${shown(membership)}: the memberships are ${JSON.stringify(this.memberships)}`,
      )
    }
    const staying = this.memberships.filter((joined) => !leaving.includes(joined))
    this.#checkSources(staying, 'ERR_MULTICAST_LEAVE')
    for (const joined of leaving) {
      this.debug('leaving %o', joined)
      for (const memberships of this.#memberships) memberships.leave(joined)
    }
  }

  /** @internal */
  protected override async openSockets(): Promise<void> {
    await this.#join(this.#settings.interfaces, this.#settings.sources)
  }

  /** @internal */
  protected override route(address: string): DatagramSocket {
    // A socket that is bound in a zone reaches no other.
    const inZone = this.#memberships.find(({ zone }) => address.endsWith(`%${zone}`))
    return (inZone ?? (this.#memberships[0] as Memberships)).socket
  }

  async #reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    checkRemote(remote, this.#settings.group)
    const zone = remote.address.includes('%') ? undefined : this.#zones.get(remote)
    const address = zone === undefined ? remote.address : `${remote.address}%${zone}`
    return this.transmit(encode(this.#replyCodec, message), remote.port, address)
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get #hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  async #join(
    wanted: ReceiverSettings['interfaces'],
    sources: readonly (string | undefined)[] = [undefined],
  ): Promise<void> {
    const targets = targetInterfaces(this.#settings, wanted)
    const planned = targets.flatMap((on) => sources.map((source) => toMembership(on, source)))
    this.#checkSources([...this.memberships, ...planned], 'ERR_MULTICAST_JOIN')
    const added: (() => void)[] = []
    let joined = 0
    let failure: unknown
    for (const on of targets) {
      for (const source of sources) {
        try {
          this.debug('joining on %s, source %s', on?.name ?? 'the default', source ?? 'any')
          const memberships = await this.#boundFor(on)
          const membership = memberships.join(on, source)
          if (membership !== undefined) added.push(() => memberships.leave(membership))
          joined += 1
        } catch (error) {
          failure ??= error
          this.debug('not joined: %s', (error as Error).message)
          if (wanted === 'all') continue
          for (const undo of added) undo()
          throw error
        }
      }
    }
    if (joined === 0) throw failure ?? noInterface(this.#settings.group)
  }

  /** The socket that joins on that interface, bound if it is not yet. */
  #boundFor(on: Interface | undefined): Promise<Memberships> {
    const { group, bindAddress } = this.#settings
    const address = bindAddress ?? groupAddress(group, on)
    let bound = this.#bound.get(address)
    if (bound === undefined) {
      bound = this.#bind(address, on)
      this.#bound.set(address, bound)
      bound.catch(() => this.#bound.delete(address))
    }
    return bound
  }

  async #bind(address: string, on: Interface | undefined): Promise<Memberships> {
    const { group, port, reuseAddr } = this.#settings
    // With port 0 the first socket picks it, and the others follow.
    const shared = this.#memberships[0]?.socket.address().port ?? port
    const socket = await this.openSocket(shared, address, reuseAddr)
    const memberships = new Memberships(socket, group, on?.zone)
    this.#memberships.push(memberships)
    this.hear(socket, (remote) => {
      if (this.#hasZones && on !== undefined) this.#zones.set(remote, on.zone)
      return memberships.admits(remote)
    })
    return memberships
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
    if (this.memberships.some((membership) => membership.interface === wanted)) return wanted
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
}

function noInterface({ family }: Group): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `There is no interface with an ${family} address to join on: bring one up, or set interfaces to 'default'`,
  )
}
