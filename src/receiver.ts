import type { RemoteInfo } from 'node:dgram'
import createDebug from 'debug'
import { type Group, parseSource, parseUnicast } from './address.js'
import { type Codec, type Codecs, type Decoder, encode } from './codec.js'
import { Endpoint } from './endpoint.js'
import { MulticastError, reasonOf } from './errors.js'
import { emit, type MulticastReceiverEvents, raise } from './events.js'
import { parseInterfaces } from './interfaces.js'
import type { Membership } from './member-socket.js'
import { Memberships } from './memberships.js'
import {
  applySettings,
  type MembershipOptions,
  membershipSettings,
  type ReceiverOptions,
  type ReceiverSettings,
  receiverSettings,
} from './options.js'
import type { Recipient } from './outbox.js'
import { integer, wrongValue } from './rules.js'
import type { Sight } from './watch.js'

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
export class MulticastReceiver<Message = Buffer, in Reply = string | Uint8Array> extends Endpoint<
  Message,
  MulticastReceiverEvents<Message>
> {
  readonly #settings: ReceiverSettings
  readonly #replyCodec: Codec<Reply, unknown>
  readonly #memberships: Memberships
  /** Settles when the last join or leave that was asked for is done: they take turns. */
  #turn: Promise<void> = Promise.resolve()
  /** Whether the interfaces are going to be looked at for what was asked. */
  #isFollowing = false

  /** `codec` carries the messages, or without it they are bytes; `replyCodec` carries the replies. */
  constructor(
    options: ReceiverOptions &
      Codecs<Decoder<Message>, Codec<Reply, unknown>> & { replyCodec: Codec<Reply, unknown> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /** `codec` carries the messages and the replies, or without it they are bytes. */
  constructor(options: ReceiverOptions & Codecs<Codec<Reply, Message>, Codec<Reply, unknown>>)
  constructor(options: ReceiverOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = receiverSettings(options)
    super({
      noun: 'receiver',
      debug,
      settings,
      incoming: settings.codec,
      binding: 'bind',
      silentFrom: 'listening',
      configure: (socket) => applySettings('receiver', socket, settings),
      open: () => memberships.open(),
      route: (to) => memberships.waysTo(to as Recipient),
      first: () => memberships.first,
      follow: (sight) => this.#follow(sight),
    })
    const { sockets, inbox, lifecycle } = this.core
    const memberships = new Memberships(
      settings,
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
   * that nobody handles is only shown by DEBUG: a forged sender must not end the process.
   */
  reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    const sent = this.#reply(message, remote)
    // Before listening nobody can have sent anything, so there such an error is no stranger's doing.
    if (this.core.lifecycle.state !== 'opening') sent.catch(notReplied)
    return sent
  }

  /**
   * Joins the group on a further interface, by name or address, or for a further source; waits for
   * `listening` first. What is left out is as in the receiver's options, with the interfaces of
   * `'all'` listed anew. Joining what is joined already changes nothing, but renews what the system has
   * lost because its interface was deleted and created again. If one of several cannot be
   * joined, none is (of `'all'`, only if none can). What is named has to be there now; where interfaces are
   * followed it is followed from then on.
   */
  async join(membership: MembershipOptions = {}): Promise<void> {
    const { interface: name, source } = membershipSettings(membership)
    const { group, interfaces, sources } = this.#settings
    const from = source === undefined ? sources : [parseSource(source, group)]
    await this.#inTurn(() => {
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
    await this.#inTurn(() => this.#memberships.leave(name, from))
  }

  /** Does it when it is listening and what was asked for before is done. */
  async #inTurn(task: () => Promise<void>): Promise<void> {
    const { lifecycle } = this.core
    await lifecycle.whenListening()
    const turn = this.#turn.then(async () => {
      lifecycle.throwIfEnded()
      await task().catch((error: unknown) => {
        // What the closing of the socket has made impossible failed for that reason.
        lifecycle.throwIfEnded()
        throw error
      })
      // Overtaken, so that nothing is joined after all.
      lifecycle.throwIfEnded()
    })
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** Sees to it that what was asked for is joined where it is now; looks that come meanwhile are one. */
  #follow(sight: Sight): () => void {
    const finish = this.#memberships.notice(sight)
    return () => {
      finish()
      const isOver = ['closing', 'closed'].includes(this.core.lifecycle.state)
      if (isOver || this.#isFollowing || !this.#memberships.mustFollow(sight)) return
      this.#isFollowing = true
      this.#inTurn(() => {
        this.#isFollowing = false
        return this.#memberships.follow()
      }).catch((error) => debug('not followed: %s', reasonOf(error)))
    }
  }

  async #reply(message: Reply, remote: Pick<RemoteInfo, 'address' | 'port'>): Promise<number> {
    checkRemote(remote, this.#settings.group)
    const data = encode(this.#replyCodec, message)
    return this.core.outbox.send(data, {
      address: this.#memberships.addressOf(remote),
      port: remote.port,
    })
  }
}

function notReplied(error: unknown): void {
  debug('not replied: %s', reasonOf(error))
}

/** Whether that is somebody to reply to. */
function checkRemote(remote: unknown, group: Group): void {
  if (typeof remote !== 'object' || remote === null) {
    const wanted = 'what came with a message, or { address, port }'
    throw wrongValue('ERR_MULTICAST_OPTION', 'remote', wanted, remote)
  }
  const { address, port } = remote as Partial<RemoteInfo>
  parseUnicast(address, group, 'remote.address')
  integer(1, 65535, 'ERR_MULTICAST_PORT')(port, 'remote.port')
}
