import type { RemoteInfo } from 'node:dgram'
import createDebug, { type Debugger } from 'debug'
import { parseSource, parseUnicast, wildcard } from './address.js'
import type { Port } from './binding.js'
import { type Codec, type Codecs, type Counterpart, type Decoder, encode } from './codec.js'
import { Endpoint } from './endpoint.js'
import { MulticastError, reasonOf } from './errors.js'
import { emit, type MulticastReceiverEvents, type Remote, raise } from './events.js'
import type { Membership } from './member-socket.js'
import { Memberships } from './memberships.js'
import {
  applySettings,
  type MembershipOptions,
  membershipSettings,
  type PeerSettings,
  type ReceiverOptions,
  type ReceiverSettings,
  type ReplyOptions,
  receiverSettings,
  replySettings,
} from './options.js'
import type { Outgoing } from './outgoing.js'
import { OwnAddresses } from './own-addresses.js'
import { integer, wrongValue } from './rules.js'
import { parseInterfaces } from './wanted.js'

const receiverDebug = createDebug('typed-multicast:receiver')

/** Where a reply goes: the `remote` of a message, or these parts of it. */
type ReplyTo = Pick<Remote, 'address' | 'port' | 'interface'>

/**
 * What makes a receiver one, or more than that.
 * @internal
 */
export interface Kind {
  readonly noun: 'receiver' | 'peer'
  readonly settings: ReceiverSettings | PeerSettings
  readonly debug: Debugger
  readonly port: Port
  /** What it sends to the group through besides, once it opens. */
  readonly outgoing: () => Outgoing | undefined
}

function receiverKind(options: unknown): Kind {
  const settings = receiverSettings(options)
  const port = { number: settings.port }
  return { noun: 'receiver', settings, debug: receiverDebug, port, outgoing: () => undefined }
}

/**
 * Joins a multicast group, hears its messages and replies to their senders.
 *
 * It opens itself on a later tick, so you can attach listeners first.
 *
 * `Message` is what it hears, decoded by `codec`: by default a `Buffer`. `Reply` is what {@link reply} takes and
 * `replyCodec` encodes, or `codec` if there is none: by default a string or bytes.
 *
 * @example
 * ```ts
 * import { MulticastReceiver, text } from 'typed-multicast'
 *
 * const network = { group: '239.1.2.3', port: 10000, interfaces: '127.0.0.1' }
 * const receiver = new MulticastReceiver({ ...network, codec: text })
 * receiver.on('message', (message, remote) => console.log(`${remote.address}: ${message}`))
 * await receiver.ready()
 * console.log(receiver.memberships) // [ { interface: 'lo' } ]
 * await receiver.close()
 * ```
 */
export class MulticastReceiver<Message = Buffer, in Reply = Counterpart<Message>> extends Endpoint<
  Message,
  MulticastReceiverEvents<Message>
> {
  readonly #settings: ReceiverSettings
  readonly #replyCodec: Codec<Reply, unknown>
  readonly #memberships: Memberships
  readonly #debug: Debugger
  readonly #own: OwnAddresses

  /**
   * A receiver whose replies have a codec of their own.
   *
   * @param options As without `replyCodec`, which encodes the replies. `codec` then decodes the messages alone.
   * @throws MulticastError at once if an option is wrong.
   */
  constructor(
    options: ReceiverOptions &
      Codecs<Decoder<Message>, Codec<Reply, unknown>> & { replyCodec: Codec<Reply, unknown> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /**
   * Joins a multicast group, hears its messages and replies to their senders. The options are checked at once;
   * the socket opens and joins on a later tick.
   *
   * @param options `group` and `port` are required. `codec` decodes the messages and encodes the replies; without
   * it both are bytes. `interfaces` is where to join: everywhere by default. {@link ReceiverOptions} has
   * the rest.
   * @example
   * ```ts
   * new MulticastReceiver({ group: '239.1.2.3', port: 10000, codec: text })
   * ```
   * @throws MulticastError at once if an option is wrong.
   */
  constructor(options: ReceiverOptions & Codecs<Codec<Reply, Message>, Codec<Reply, unknown>>)
  /** @internal */
  constructor(options: object, kind: Kind)
  constructor(options: ReceiverOptions & { codec?: unknown; replyCodec?: unknown }, kind?: Kind) {
    // A second argument is a peer's alone, whatever a program in plain JavaScript passes.
    const { noun, settings, debug, port, outgoing } =
      kind?.noun === 'peer' ? kind : receiverKind(options)
    super({
      noun,
      debug,
      settings,
      incoming: settings.codec,
      binding: 'bind',
      silentFrom: 'listening',
      configure: (socket) => applySettings(noun, socket, settings),
      async open() {
        await memberships.open()
        await outgoing()?.open()
      },
      route: (to) => (to === undefined ? (outgoing()?.ways ?? []) : memberships.members.waysTo(to)),
      first: () => memberships.members.first ?? outgoing()?.first,
      isFollowed: settings.followInterfaces,
      described: () => ({
        port: port.number,
        interfaces: outgoing()?.interfaces ?? settings.interfaces,
        memberships: this.memberships,
      }),
      notice: (sight) => memberships.notice(sight),
      mustFollow: (sight) =>
        memberships.mustFollow(sight) || (outgoing()?.mustFollow(sight) ?? false),
      async follow() {
        // One after the other: with port 0 the first socket picks it for all.
        try {
          await memberships.follow()
        } finally {
          await outgoing()?.follow()
        }
      },
    })
    const { sockets, inbox, lifecycle } = this.core
    const memberships = new Memberships(
      settings,
      port,
      debug,
      sockets,
      inbox.hear,
      (change, membership) => {
        if (lifecycle.state !== 'listening') return
        debug('%s: %o', change, membership)
        raise(() => emit(this, 'membership', change, membership))
      },
    )
    this.#memberships = memberships
    this.#settings = settings
    this.#debug = debug
    this.#own = new OwnAddresses(settings.networkInterfaces)
    this.#replyCodec = (settings.replyCodec ?? settings.codec) as Codec<Reply, unknown>
  }

  /**
   * What is joined now. Interfaces of `'all'` that could not be joined are not listed, nor are those that it waits
   * for. With `followInterfaces` the list is at most two seconds old, and the event `membership` reports changes;
   * without it, the list is as of the last {@link join} or {@link leave}.
   */
  get memberships(): readonly Membership[] {
    if (this.core.lifecycle.state === 'closed') return []
    return this.#memberships.all
  }

  /**
   * Replies to the sender of a message, from the group's port. Resolves with the number of bytes once the kernel
   * has accepted them.
   *
   * Rejects with `ERR_MULTICAST_OPTION` or `ERR_MULTICAST_PORT` if nobody can be reached at `remote`, or if that is
   * this receiver itself; otherwise as a sender's `send` does. If you do not handle a rejection, only
   * DEBUG shows it, because a forged sender must not end the process.
   *
   * @param remote What came with the message. Pass on the object itself: it may name an interface.
   * @param options With `within`, the reply goes out at a random time within that many milliseconds; `close()`
   * rejects those that still wait.
   * @example
   * ```ts
   * receiver.on('message', (message, remote) => {
   *   if (message === 'who is there?') receiver.reply('me', remote, { within: 100 })
   * })
   * ```
   */
  reply(message: Reply, remote: ReplyTo, options: ReplyOptions = {}): Promise<number> {
    // Before listening nobody can have sent anything, so there an error is no stranger's doing.
    const mayBeStrangers = this.core.lifecycle.state !== 'opening'
    const sent: Promise<number> = this.#reply(message, remote, options).catch((error: unknown) => {
      if (mayBeStrangers) {
        this.#debug('not replied: %s', reasonOf(error))
        sent.catch(() => {})
      }
      throw error
    })
    return sent
  }

  /**
   * Joins the group on another interface, or for another source. Waits for `listening` first.
   *
   * Whatever you leave out is as in the receiver's options; `'all'` lists the interfaces again. Joining what is
   * already joined changes nothing, except that it renews what the system lost when an interface was deleted and
   * re-created. If one of several cannot be joined, none is (with `'all'`, only if all fail). What you name has to
   * exist now. With `followInterfaces` it is followed from then on.
   *
   * Rejects with `ERR_MULTICAST_INTERFACE`, `ERR_MULTICAST_SOURCE`, `ERR_MULTICAST_JOIN`,
   * `ERR_MULTICAST_MEMBERSHIP_LIMIT`, or, if the receiver ends first, with the reason for that.
   *
   * @example
   * ```ts
   * await receiver.join({ interface: 'eth1' })
   * ```
   */
  async join(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    const { group, interfaces, sources } = this.#settings
    const from = source === undefined ? sources : [parseSource(source, group)]
    await this.core.lifecycle.inTurn(() => {
      const wanted =
        name === undefined ? interfaces : parseInterfaces(name, 'interface', this.#settings)
      return this.#memberships.join(wanted, from)
    })
  }

  /**
   * Leaves the group on an interface, for a source, or both; without either, all memberships. With
   * `followInterfaces` it does not come back until {@link join} asks for it. After the last membership the
   * receiver stays open; it drops and counts whatever still arrives.
   *
   * Rejects with `ERR_MULTICAST_LEAVE` if nothing like it is joined or waited for.
   */
  async leave(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    if (name === 'all') {
      throw new MulticastError(
        'ERR_MULTICAST_INTERFACE',
        "interface is 'all', which is only for join(): omit interface to leave them all",
      )
    }
    const from = source === undefined ? undefined : parseSource(source, this.#settings.group)
    await this.core.lifecycle.inTurn(() => this.#memberships.leave(name, from))
  }

  async #reply(message: Reply, remote: ReplyTo, options: ReplyOptions): Promise<number> {
    this.#checkRemote(remote)
    const { within } = replySettings(options)
    const data = encode(this.#replyCodec, message)
    const to = { address: this.#memberships.members.addressOf(remote), port: remote.port }
    const { outbox } = this.core
    if (within > 0) return await outbox.sendLater(Math.random() * within, data, to)
    return await outbox.send(() => data, to)
  }

  /** Refuses whom nobody can reply to: a stranger writes what he likes as the source of a datagram. */
  #checkRemote(remote: unknown): void {
    const { group } = this.#settings
    if (typeof remote !== 'object' || remote === null) {
      const wanted = 'what came with a message, or { address, port }'
      throw wrongValue('ERR_MULTICAST_OPTION', 'remote', wanted, remote)
    }
    const { address: given, port } = remote as Partial<RemoteInfo>
    const address = parseUnicast(given, group, 'remote.address')
    integer(1, 65535, 'ERR_MULTICAST_PORT')(port, 'remote.port')
    // Bound to the group it hears no unicast: there that is another program of this host.
    const isSelf =
      this.#settings.bindAddress !== undefined &&
      port === this.#memberships.members.port &&
      this.#own.has(address)
    if (!isSelf && address !== wildcard(group)) return
    const why = isSelf
      ? 'where this receiver itself listens: it would answer itself forever'
      : 'an address that nobody has'
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `remote is ${address} port ${port}, ${why}. The sender's address was forged: do not reply`,
    )
  }
}
