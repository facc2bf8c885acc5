import { groupAddress } from './address.js'
import { type Codec, encode, type ReceivedAsBytes, type SentAsBytes } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { Endpoint, type Received } from './endpoint.js'
import {
  type RequestOptions,
  requestSettings,
  type SenderOptions,
  type SenderSettings,
  senderSettings,
} from './options.js'
import { Silence } from './silence.js'

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
  Message = string | Uint8Array,
  Reply = Buffer,
> extends Endpoint<Reply> {
  readonly #settings: SenderSettings
  readonly #codec: Codec<Message, unknown>
  readonly #group: string
  #socket: DatagramSocket | undefined

  /** `codec` carries the messages, `replyCodec` the replies. */
  constructor(
    options: SenderOptions & { codec: Codec<Message, unknown>; replyCodec: Codec<never, Reply> },
  )
  /** `codec` carries the messages and the replies. */
  constructor(options: SenderOptions & { codec: Codec<Message, Reply>; replyCodec?: undefined })
  /** Messages are bytes, `replyCodec` carries the replies. */
  constructor(
    options: SenderOptions & SentAsBytes<Message, 'codec'> & { replyCodec: Codec<never, Reply> },
  )
  /** Messages and replies are bytes. */
  constructor(
    options: SenderOptions & SentAsBytes<Message, 'codec'> & ReceivedAsBytes<Reply, 'replyCodec'>,
  )
  constructor(options: SenderOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = senderSettings(options)
    super('sender', settings, settings.replyCodec ?? settings.codec)
    this.#settings = settings
    this.#codec = settings.codec as Codec<Message, unknown>
    this.#group = groupAddress(settings.group, settings.interface)
  }

  /**
   * Sends a message to the group; waits for `listening` first. Resolves with its bytes once the kernel
   * has taken them, which says nothing of who hears it. Every failure is a rejection.
   */
  send(message: Message): Promise<number> {
    let data: Uint8Array
    try {
      data = encode(this.#codec, message)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.transmit(data, this.#settings.port, this.#group)
  }

  /**
   * Sends a message when the iteration starts, and yields the replies until `timeout` ms of silence,
   * until `limit` replies, or until `signal` aborts, which the loop throws. Throws at once if it has
   * none of them and the sender no timeout. Closing the sender ends it quietly.
   *
   * UDP does not tell which message a reply answers: while requests overlap, each sees every reply.
   * They are `message` events as well.
   */
  request(
    message: Message,
    options: RequestOptions = {},
  ): AsyncIterableIterator<Received<Reply>, undefined, undefined> {
    return this.#request(message, requestSettings(options, this.#settings.timeout))
  }

  async *#request(
    message: Message,
    { timeout, limit, signal }: ReturnType<typeof requestSettings>,
  ): AsyncGenerator<Received<Reply>, undefined, undefined> {
    signal?.throwIfAborted()
    let sent = false
    const replies = this.subscribe('fail', () => {
      if (sent) silence?.restart()
    })
    const silence = timeout === undefined ? undefined : new Silence(timeout, () => replies.end())
    const abort = (): void => replies.fail(signal?.reason)
    signal?.addEventListener('abort', abort)
    try {
      this.send(message).then(
        () => {
          sent = true
          silence?.restart()
        },
        (error: unknown) => replies.fail(error),
      )
      let left = limit ?? Number.POSITIVE_INFINITY
      for await (const reply of replies) {
        yield reply
        left -= 1
        if (left === 0) return
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      replies.return()
      silence?.stop()
    }
  }

  /** @internal */
  protected override async openSockets(): Promise<void> {
    const { localPort, localAddress } = this.#settings
    // Without SO_REUSEADDR, or another program could take the port that the replies come to.
    this.#socket = await this.openSocket(localPort, localAddress, false)
    this.hear(this.#socket, () => true)
  }

  /** @internal */
  protected override route(): DatagramSocket {
    return this.#socket as DatagramSocket
  }
}
