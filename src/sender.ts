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
 * It opens itself on a later tick, so you can attach listeners first.
 *
 * `Message` is what {@link send} takes and `codec` encodes: by default a string or bytes. `Reply` is what comes
 * back, decoded by `replyCodec`, or by `codec` if there is none: by default a `Buffer`.
 *
 * @example
 * ```ts
 * import { MulticastSender, text } from 'typed-multicast'
 *
 * const network = { group: '239.1.2.3', port: 10000, interfaces: '127.0.0.1' }
 * const sender = new MulticastSender({ ...network, codec: text })
 * console.log(await sender.send('hello'), 'bytes') // 5 bytes
 * await sender.close()
 * ```
 */
export class MulticastSender<
  in Message = string | Uint8Array,
  Reply = Answer<Message>,
> extends Endpoint<Reply> {
  readonly #settings: SenderSettings
  readonly #codec: Codec<Message, unknown>
  readonly #outgoing: Outgoing

  /**
   * A sender whose replies have a codec of their own.
   *
   * @param options As without `replyCodec`, which decodes the replies. `codec` then encodes the messages alone.
   * @throws MulticastError at once if an option is wrong.
   */
  constructor(
    options: SenderOptions &
      Codecs<Codec<Message, unknown>, Decoder<Reply>> & { replyCodec: Decoder<Reply> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /**
   * Sends messages to a multicast group and hears the replies. The options are checked at once; the socket opens
   * on a later tick.
   *
   * @param options `group` and `port` are required. `codec` encodes the messages and decodes the replies; without
   * it both are bytes. `interfaces` is where to send: the system's route by default. {@link SenderOptions}
   * has the rest.
   * @example
   * ```ts
   * new MulticastSender({ group: '239.1.2.3', port: 10000, codec: text })
   * ```
   * @throws MulticastError at once if an option is wrong.
   */
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
   * The names of the interfaces that it sends through now; `['default']` is the system's route. Empty before
   * `listening` and after `close`. With `followInterfaces` the list is at most two seconds old; without it, an
   * interface that is gone stays listed.
   */
  get interfaces(): readonly string[] {
    return this.core.lifecycle.state === 'listening' ? this.#outgoing.interfaces : []
  }

  /**
   * Sends a message to the group, as one datagram through each of its interfaces. Waits for `listening` first.
   * Resolves with the number of bytes once the kernel has accepted them for at least one interface. That does not
   * mean that anyone heard them. A program on this host hears one copy for each interface.
   *
   * Rejects with `ERR_MULTICAST_SEND` if no interface accepts it, or if interfaces are followed and there is none
   * now (the `cause` is then `ENETUNREACH`). An interface that has a new address or was re-created is looked up
   * and tried once more. `stats.failed` counts such failures, and they do not end the process if you do not
   * handle them. All others do: `ERR_MULTICAST_MESSAGE_TYPE`, `ERR_MULTICAST_MESSAGE_SIZE`,
   * `ERR_MULTICAST_ENCODE`, `ERR_MULTICAST_QUEUE_FULL`, `ERR_MULTICAST_CLOSED`, the error that opening failed
   * with, and the signal's reason.
   */
  send(message: Message): Promise<number> {
    return this.core.outbox.send(() => encode(this.#codec, message))
  }

  /**
   * Sends a message and yields the replies as they come. Iterate over it: nothing is sent before that. To await
   * all replies, use {@link gather}.
   *
   * It ends after `timeout` ms of silence, after `limit` replies, when the sender closes, or when `signal` aborts:
   * then the loop throws the signal's reason. The loop also throws what {@link send} rejects with.
   *
   * UDP does not say which message a reply answers: requests that overlap all see every reply. Each reply
   * is a `message` event as well.
   *
   * @param options Needs a `timeout`, a `limit` or a `signal`, unless the sender has a `timeout`.
   * @example
   * ```ts
   * for await (const { message, remote } of sender.request('who is there?', { timeout: 500 })) {
   *   console.log(message, remote.address)
   * }
   * ```
   * @throws MulticastError `ERR_MULTICAST_TIMEOUT` if it would never end, `ERR_MULTICAST_OPTION` if the sender
   * hears no replies.
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
   * Sends a message and resolves with all replies, once `timeout` ms have passed in silence or `limit` replies have
   * come: a {@link request} read to its end. Rejects with whatever that throws.
   *
   * @param options Needs a `timeout`, a `limit` or a `signal`, unless the sender has a `timeout`.
   * @example
   * ```ts
   * const replies = await sender.gather('who is there?', { timeout: 500, limit: 10 })
   * for (const { message, remote } of replies) console.log(message, remote.address)
   * ```
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
