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

/** Whom a reply is to: what came with a message, or as much of it. */
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
 * Opens itself on a later tick, so listeners can be attached first. Throws a `MulticastError` at once
 * where an option is wrong.
 *
 * `Message` is what comes, as `codec` decodes it: a `Buffer` by default. `Reply` is what {@link reply}
 * takes, as `replyCodec` encodes it, or else `codec`: a string or bytes by default.
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

  /** `codec` carries the messages, or without it they are bytes; `replyCodec` carries the replies. */
  constructor(
    options: ReceiverOptions &
      Codecs<Decoder<Message>, Codec<Reply, unknown>> & { replyCodec: Codec<Reply, unknown> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /** `codec` carries the messages and the replies, or without it they are bytes. */
  constructor(options: ReceiverOptions & Codecs<Codec<Reply, Message>, Codec<Reply, unknown>>)
  /** @internal */
  constructor(options: object, kind: Kind)
  constructor(
    options: ReceiverOptions & { codec?: unknown; replyCodec?: unknown },
    kind: Kind = receiverKind(options),
  ) {
    const { noun, settings, debug, port, outgoing } = kind
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
   * What is joined now. Interfaces of `'all'` that could not be joined are missing, and what is waited for. Where
   * interfaces are followed it is true as of the last look at them, two seconds ago at most, and the event
   * `membership` tells of changes; otherwise as of the last {@link join} or {@link leave}.
   */
  get memberships(): readonly Membership[] {
    if (this.core.lifecycle.state === 'closed') return []
    return this.#memberships.all
  }

  /**
   * Sends a message to the sender of another, from the group's port. `remote` is what came with that
   * message. Resolves with the bytes once the kernel has taken them; every failure is a rejection. One
   * that nobody handles is only shown by DEBUG: a forged sender must not end the process. With `within` it
   * goes out at a random time in so many milliseconds; `close()` rejects it at once before that.
   *
   * Rejects with `ERR_MULTICAST_OPTION` or `ERR_MULTICAST_PORT` where nobody can be replied to at `remote`, or that
   * is this receiver itself, and else as a sender's `send` does.
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
   * Joins the group on a further interface, by name or address, or for a further source; waits for
   * `listening` first. What is left out is as in the receiver's options, with the interfaces of
   * `'all'` listed anew. Joining what is joined already changes nothing, but renews what the system has
   * lost because its interface was deleted and created again. If one of several cannot be
   * joined, none is (of `'all'`, only if none can). What is named has to be there now; where interfaces are
   * followed it is followed from then on.
   *
   * Rejects with `ERR_MULTICAST_INTERFACE`, `ERR_MULTICAST_SOURCE`, `ERR_MULTICAST_JOIN`,
   * `ERR_MULTICAST_MEMBERSHIP_LIMIT`, or with what it ends with before.
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
   * Leaves what `membership` names: an interface, a source, both, or with neither all that is joined.
   * Rejects with `ERR_MULTICAST_LEAVE` if nothing joined is like it, nor waited for. What has been left is not
   * joined again by following, until {@link join} asks for it. After the last membership is left
   * the receiver stays open, and drops and counts what still comes.
   */
  async leave(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    if (name === 'all') {
      throw new MulticastError(
        'ERR_MULTICAST_INTERFACE',
        "interface is 'all', which can only be joined: leave interface out to leave them all",
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
    const what = isSelf ? 'this receiver itself, which would answer itself for ever' : 'nobody'
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `remote is ${address} port ${port}, and that is ${what}: a sender can be forged`,
    )
  }
}
