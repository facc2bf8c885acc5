import createDebug from 'debug'
import { wildcard } from './address.js'
import { type Answer, type Codec, type Codecs, type Decoder, encode } from './codec.js'
import { Endpoint } from './endpoint.js'
import type { Received } from './inbox.js'
import { addressOn, type Interface } from './interfaces.js'
import {
  applySettings,
  checkReplies,
  type RequestOptions,
  requestSettings,
  type SenderOptions,
  type SenderSettings,
  senderSettings,
} from './options.js'
import { type Manner, Outgoing } from './outgoing.js'
import { Queue } from './queue.js'
import { Silence } from './silence.js'

const debug = createDebug('typed-multicast:sender')

/**
 * Sends messages to a multicast group and hears the replies, which are its `message` events.
 *
 * Opens itself on a later tick, so listeners can be attached first. Throws a `MulticastError` at once
 * where an option is wrong.
 *
 * `Message` is what {@link send} takes, as `codec` encodes it: a string or bytes by default. `Reply` is
 * what comes back, as `replyCodec` decodes it, or else `codec`: a `Buffer` by default.
 */
export class MulticastSender<
  in Message = string | Uint8Array,
  Reply = Answer<Message>,
> extends Endpoint<Reply> {
  readonly #settings: SenderSettings
  readonly #codec: Codec<Message, unknown>
  readonly #outgoing: Outgoing

  /** `codec` carries the messages, or without it they are bytes; `replyCodec` carries the replies. */
  constructor(
    options: SenderOptions &
      Codecs<Codec<Message, unknown>, Decoder<Reply>> & { replyCodec: Decoder<Reply> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /** `codec` carries the messages and the replies, or without it they are bytes. */
  constructor(options: SenderOptions & Codecs<Codec<Message, Reply>, Decoder<Reply>>)
  constructor(options: SenderOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = senderSettings(options)
    const manner = senderManner(settings)
    super({
      noun: 'sender',
      debug,
      settings,
      incoming: settings.replyCodec ?? settings.codec,
      binding: 'bind for replies',
      silentFrom: 'sending',
      configure: (socket) => applySettings('sender', socket, settings),
      open: () => outgoing.open(),
      route: () => outgoing.ways,
      first: () => outgoing.first,
      isFollowed: manner.isFollowed,
      described: () => ({ interfaces: this.interfaces }),
      mustFollow: (sight) => outgoing.mustFollow(sight),
      follow: () => outgoing.follow(),
    })
    const outgoing = new Outgoing(
      settings,
      { number: settings.port },
      manner,
      debug,
      this.core.sockets,
      this.core.inbox.hear,
    )
    this.#outgoing = outgoing
    this.#settings = settings
    this.#codec = settings.codec as Codec<Message, unknown>
  }

  /**
   * The names of the interfaces that it sends through now, `['default']` for the system's route. None
   * before `listening` and after `close`. Where interfaces are followed it is true as of the last look at
   * them, two seconds ago at most; otherwise one that is away stays listed.
   */
  get interfaces(): readonly string[] {
    return this.core.lifecycle.state === 'listening' ? this.#outgoing.interfaces : []
  }

  /**
   * Sends a message to the group, one datagram out of each of its interfaces; waits for `listening`
   * first. Resolves with its bytes once the kernel has taken them for one interface at least, which says
   * nothing of who hears it; a program on this host hears one copy for each interface. Rejects if no
   * interface takes it, and where interfaces are followed if none is there now (ENETUNREACH is the code of
   * the `cause`). An interface that has got another address or was made anew is looked up again and
   * tried once more.
   *
   * Rejects with `ERR_MULTICAST_SEND` where the network refuses it: counted in `stats.failed`, and if nobody
   * awaits it it does not end the process. All else does: `ERR_MULTICAST_MESSAGE_TYPE`,
   * `ERR_MULTICAST_MESSAGE_SIZE`, `ERR_MULTICAST_ENCODE`, `ERR_MULTICAST_QUEUE_FULL`, `ERR_MULTICAST_CLOSED`,
   * what opening failed with, and the reason of the signal.
   */
  send(message: Message): Promise<number> {
    return this.core.outbox.send(() => encode(this.#codec, message))
  }

  /**
   * Sends a message when the iteration starts, and yields the replies until `timeout` ms of silence,
   * until `limit` replies, or until `signal` aborts, which the loop throws. Closing the sender ends it quietly.
   * Throws at once `ERR_MULTICAST_TIMEOUT` if it has none of them and the sender no timeout, and
   * `ERR_MULTICAST_OPTION` if the sender hears no replies; the loop throws what {@link send} rejects with.
   *
   * Nothing is sent before it is iterated over: to await it is a mistake, for which there is {@link gather}.
   *
   * UDP does not tell which message a reply answers: while requests overlap, each sees every reply.
   * They are `message` events as well.
   */
  request(
    message: Message,
    options: RequestOptions = {},
  ): AsyncIterableIterator<Received<Reply>, undefined, undefined> {
    checkReplies(this.#settings.replies)
    const { timeout, limit, signal } = requestSettings(options, this.#settings.timeout)
    let isSent = false
    let left = limit ?? Number.POSITIVE_INFINITY
    const silence = timeout === undefined ? undefined : new Silence(timeout, () => replies.end())
    const abort = (): void => replies.fail(() => signal?.reason)
    const replies = new Queue<Received<Reply>>(this.#settings, {
      onStart: () => {
        if (signal?.aborted) return abort()
        signal?.addEventListener('abort', abort)
        this.core.inbox.feed(replies, 'fail')
        let data: Uint8Array
        try {
          data = encode(this.#codec, message)
        } catch (error) {
          return replies.fail(() => error)
        }
        this.core.outbox.offer(data, undefined, (outcome) => {
          if (typeof outcome !== 'number') return replies.fail(outcome)
          isSent = true
          if (!replies.hasEnded) silence?.restart()
        })
      },
      onPush: (dropped) => {
        // One that was dropped has not been given.
        left += dropped - 1
        if (left === 0) replies.end()
        else if (isSent) silence?.restart()
      },
      onEnd: () => {
        this.core.inbox.unfeed(replies)
        signal?.removeEventListener('abort', abort)
        silence?.stop()
      },
    })
    return replies
  }

  /**
   * The replies to a message, all at once: a {@link request} that is read to its end. Rejects as that
   * throws.
   */
  async gather(message: Message, options: RequestOptions = {}): Promise<Received<Reply>[]> {
    const replies: Received<Reply>[] = []
    for await (const reply of this.request(message, options)) replies.push(reply)
    return replies
  }
}

/** How a sender binds, and so what it hears replies on. */
function senderManner(settings: SenderSettings): Manner {
  const { group, interfaces, localAddress, localPort, networkInterfaces, replies } = settings
  const addressFor = (on: Interface | undefined, isSeveral: boolean): string => {
    // IP_MULTICAST_IF fixes the source address of IPv4; IPv6 sends from a given one if it is bound to it.
    const isGiven = on?.given !== undefined && group.family === 'IPv6'
    const isShared = isSeveral && localPort !== 0
    if (on === undefined || localAddress !== wildcard(group)) return localAddress
    return isGiven || isShared ? addressOn(networkInterfaces(), group, on) : localAddress
  }
  return {
    isConnected: !replies,
    // By the system's route what is not connected goes wherever that leads; what is keeps to what it was.
    isFollowed: interfaces === 'default' ? !replies : settings.followInterfaces,
    // Without SO_REUSEADDR, or another program could take the port that the replies come to.
    place: (on, isSeveral) => ({
      address: addressFor(on, isSeveral),
      port: localPort,
      reuseAddr: false,
    }),
  }
}
