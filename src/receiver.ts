import type { RemoteInfo } from 'node:dgram'
import createDebug from 'debug'
import { type Group, groupAddress, parseSource, parseUnicast } from './address.js'
import {
  type Codec,
  type CodecOptions,
  encode,
  type ReceivedAsBytes,
  type SentAsBytes,
  type Without,
} from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { Endpoint } from './endpoint.js'
import { MulticastError, type MulticastErrorCode, reasonOf, shown } from './errors.js'
import {
  findInterface,
  type Interface,
  parseInterfaces,
  targetInterfaces,
  type Wanted,
} from './interfaces.js'
import { Lifecycle } from './lifecycle.js'
import { MemberSocket, type Membership, toMembership } from './membership.js'
import {
  type MembershipOptions,
  membershipSettings,
  type ReceiverOptions,
  type ReceiverSettings,
  receiverSettings,
} from './options.js'
import { integer } from './rules.js'

const debug = createDebug('typed-multicast:receiver')

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
  in Reply = string | Uint8Array,
> extends Endpoint<Message> {
  readonly #lifecycle: Lifecycle<Message>
  readonly #settings: ReceiverSettings
  readonly #replyCodec: Codec<Reply, unknown>
  /** By the address that each is bound to: one socket, or one for each zone of the group. */
  readonly #sockets = new Map<string, MemberSocket>()
  /** With a socket for each zone: the zone that a message came in, which its address may not tell. */
  readonly #zones = new WeakMap<object, string>()
  /** Settles when the last join or leave that was asked for is done: they take turns. */
  #turn: Promise<void> = Promise.resolve()

  /** `codec` carries the messages and the replies. */
  constructor(
    options: ReceiverOptions &
      Pick<CodecOptions<Codec<Reply, Message>>, 'codec'> &
      Without<'replyCodec'>,
  )
  /** `codec` carries the messages, `replyCodec` the replies. */
  constructor(options: ReceiverOptions & CodecOptions<Codec<never, Message>, Codec<Reply, unknown>>)
  /** Messages are bytes, `replyCodec` carries the replies. */
  constructor(
    options: ReceiverOptions &
      ReceivedAsBytes<Message, 'codec'> &
      Pick<CodecOptions<unknown, Codec<Reply, unknown>>, 'replyCodec'>,
  )
  /** Messages and replies are bytes. */
  constructor(
    options: ReceiverOptions &
      ReceivedAsBytes<Message, 'codec', Reply> &
      SentAsBytes<Reply, 'replyCodec'>,
  )
  constructor(options: ReceiverOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = receiverSettings(options)
    const lifecycle = new Lifecycle<Message>('receiver', debug, settings, settings.codec)
    super(lifecycle)
    this.#lifecycle = lifecycle
    this.#settings = settings
    this.#replyCodec = (settings.replyCodec ?? settings.codec) as Codec<Reply, unknown>
    lifecycle.begin(this, {
      open: () => this.#join(settings.interfaces, settings.sources),
      route: (address) => this.#route(address),
    })
  }

  /** What is joined now. Interfaces of `'all'` that could not be joined are missing. */
  get memberships(): readonly Membership[] {
    if (this.#lifecycle.state === 'closed') return []
    return [...this.#sockets.values()].flatMap(({ memberships }) => memberships)
  }

  /**
   * Sends a message to the sender of another, from the group's port. `remote` is what came with that
   * message. Resolves with the bytes once the kernel has taken them; every failure is a rejection. One
   * that nobody handles is only shown by DEBUG: a forged sender must not end the process.
   */
  reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    const sent = this.#reply(message, remote)
    // Before listening nobody can have sent anything, so there such an error is no stranger's doing.
    if (this.#lifecycle.state !== 'opening') sent.catch(notReplied)
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
    await this.#inTurn(() => {
      const named = name === 'all' || name === 'default' ? name : [name]
      const wanted =
        name === undefined ? interfaces : parseInterfaces(named, 'interface', this.#settings)
      return this.#join(wanted, from)
    })
  }

  /**
   * Leaves what `membership` names: an interface, a source, both, or with neither all that is joined.
   * Rejects with `ERR_MULTICAST_LEAVE` if nothing joined is like it. After the last membership is left
   * the receiver stays open, and drops and counts what still comes.
   */
  async leave(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    const from = source === undefined ? undefined : parseSource(source, this.#settings.group)
    await this.#inTurn(async () => this.#leave(name, from))
  }

  /** Does it when it is listening and what was asked for before is done. */
  async #inTurn(task: () => Promise<void>): Promise<void> {
    await this.#lifecycle.whenListening()
    const turn = this.#turn.then(async () => {
      this.#lifecycle.checkListening()
      await task().catch((error: unknown) => {
        // What the closing of the socket has made impossible failed for that reason.
        this.#lifecycle.checkListening()
        throw error
      })
    })
    this.#turn = turn.catch(() => {})
    return turn
  }

  #leave(name: string | undefined, from: string | undefined): void {
    const on = name === undefined ? undefined : this.#nameOf(name)
    const leaving = this.memberships.filter(
      (joined) =>
        (on === undefined || joined.interface === on) &&
        (from === undefined || joined.source === from),
    )
    if (leaving.length === 0 && (name !== undefined || from !== undefined)) {
      throw new MulticastError(
        'ERR_MULTICAST_LEAVE',
        `Nothing joined is like ${shown({ interface: name, source: from })}: the memberships are ${JSON.stringify(this.memberships)}`,
      )
    }
    const staying = this.memberships.filter((joined) => !leaving.includes(joined))
    this.#checkSources(staying, 'ERR_MULTICAST_LEAVE')
    for (const joined of leaving) {
      debug('leaving %o', joined)
      for (const socket of this.#sockets.values()) socket.leave(joined)
    }
  }

  #route(address: string): DatagramSocket {
    const sockets = [...this.#sockets.values()]
    // A socket that is bound in a zone reaches no other.
    const inZone = sockets.find(({ zone }) => zone !== undefined && address.endsWith(`%${zone}`))
    return (inZone ?? (sockets[0] as MemberSocket)).socket
  }

  async #reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    checkRemote(remote, this.#settings.group)
    const zone = remote.address.includes('%') ? undefined : this.#zones.get(remote)
    const address = zone === undefined ? remote.address : `${remote.address}%${zone}`
    const data = encode(this.#replyCodec, message)
    return this.#lifecycle.transmit(data, remote.port, address)
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get #hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  async #join(
    wanted: Wanted,
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
          const socket = await this.#socketFor(on)
          debug('joining on %s, source %s', on?.name ?? 'the default', source ?? 'any')
          const membership = socket.join(on, source)
          if (membership !== undefined) added.push(() => socket.leave(membership))
          joined += 1
        } catch (error) {
          failure ??= error
          debug('not joined: %s', reasonOf(error))
          if (wanted === 'all') continue
          for (const undo of added) undo()
          throw error
        }
      }
    }
    if (joined === 0) throw failure ?? noInterface(this.#settings.group)
  }

  /** The socket that joins on that interface, opened if it is not yet. */
  async #socketFor(on: Interface | undefined): Promise<MemberSocket> {
    const { group, bindAddress, port, reuseAddr } = this.#settings
    const address = bindAddress ?? groupAddress(group, on)
    const open = this.#sockets.get(address)
    if (open !== undefined) return open
    // With port 0 the first socket picks it, and the others follow.
    const [first] = this.#sockets.values()
    const shared = first === undefined ? port : first.socket.address().port
    const socket = await this.#lifecycle.openSocket(shared, address, reuseAddr)
    const member = new MemberSocket(socket, group, on?.zone)
    this.#sockets.set(address, member)
    this.#lifecycle.hear(socket, (remote) => {
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
    if (this.memberships.some((membership) => membership.interface === wanted)) return wanted
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
}

function notReplied(error: unknown): void {
  debug('not replied: %s', reasonOf(error))
}

/** Whether that is somebody to reply to. */
function checkRemote(remote: unknown, group: Group): void {
  const { address, port } = (remote ?? {}) as Partial<RemoteInfo>
  parseUnicast(address, group, 'remote.address')
  integer(1, 65535, 'ERR_MULTICAST_PORT')(port, 'remote.port')
}

function noInterface({ family }: Group): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `There is no interface with an ${family} address to join on: bring one up, or set interfaces to 'default'`,
  )
}
