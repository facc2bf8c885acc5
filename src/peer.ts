import createDebug from 'debug'
import { groupAddress, wildcard } from './address.js'
import type { Port } from './binding.js'
import { type Codec, type Codecs, type Counterpart, encode } from './codec.js'
import { addressOn } from './interfaces.js'
import { type PeerOptions, type PeerSettings, peerSettings } from './options.js'
import { type Manner, Outgoing } from './outgoing.js'
import { MulticastReceiver } from './receiver.js'

const debug = createDebug('typed-multicast:peer')

/**
 * A receiver that also sends to its group, from the group's port, as the members of mDNS, SSDP and every
 * symmetric protocol do. It shares the port with other programs and leaves unicast to them, so it hears none
 * itself unless `bindAddress` says otherwise. To ask and hear the answers, take a {@link MulticastSender}.
 *
 * `Message` is what it hears, decoded by `codec`: by default a `Buffer`. `Sent` is what {@link send} takes and
 * `codec` encodes: by default a string or bytes. `Reply` is what {@link reply} takes and `replyCodec` encodes,
 * or `codec` if there is none.
 *
 * @example
 * ```ts
 * import { MulticastPeer, text } from 'typed-multicast'
 *
 * const network = { group: '239.1.2.3', port: 10000, interfaces: '127.0.0.1' }
 * const peer = new MulticastPeer({ ...network, codec: text })
 * peer.on('message', (message) => {
 *   console.log('heard', message) // heard hello
 *   peer.close()
 * })
 * await peer.send('hello')
 * ```
 */
export class MulticastPeer<
  Message = Buffer,
  in Sent = Counterpart<Message>,
  in Reply = Sent,
> extends MulticastReceiver<Message, Reply> {
  readonly #codec: Codec<Sent, unknown>
  readonly #outgoing: Outgoing

  /**
   * A peer whose replies have a codec of their own.
   *
   * @param options As without `replyCodec`, which encodes the replies.
   * @throws MulticastError at once if an option is wrong.
   */
  constructor(
    options: PeerOptions &
      Codecs<Codec<Sent, Message>, Codec<Reply, unknown>> & { replyCodec: Codec<Reply, unknown> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /**
   * A receiver that also sends to its group, from the group's port. The options are checked at once; the sockets
   * open and join on a later tick.
   *
   * @param options `group` and `port` are required. `codec` encodes and decodes the messages; without it they are
   * bytes. `interfaces` is where to join and to send: everywhere by default. {@link PeerOptions} has the rest.
   * @example
   * ```ts
   * new MulticastPeer({ group: '239.1.2.3', port: 10000, codec: text })
   * ```
   * @throws MulticastError at once if an option is wrong.
   */
  constructor(
    options: PeerOptions &
      Codecs<Codec<Sent, Message> & Codec<Reply, unknown>, Codec<Reply, unknown>>,
  )
  constructor(options: PeerOptions & { codec?: unknown; replyCodec?: unknown }) {
    const settings = peerSettings(options)
    const port: Port = { number: settings.port }
    super(options, { noun: 'peer', settings, debug, port, outgoing: () => outgoing })
    const { sockets, inbox } = this.core
    const manner = peerManner(settings, port)
    const outgoing = new Outgoing(settings, port, manner, debug, sockets, inbox.hear)
    this.#outgoing = outgoing
    this.#codec = settings.codec as Codec<Sent, unknown>
  }

  /**
   * The names of the interfaces that it sends through now; `['default']` is the system's route. Empty before
   * `listening` and after `close`.
   */
  get interfaces(): readonly string[] {
    return this.core.lifecycle.state === 'listening' ? this.#outgoing.interfaces : []
  }

  /**
   * Sends a message to the group from the group's port, as one datagram through each of its interfaces. Waits for
   * `listening` first. Resolves with the number of bytes once the kernel has accepted them for at least one
   * interface. Unless `loopback` is false, it hears the message itself, on each interface that it has joined.
   * Rejects as a sender's `send` does: an `ERR_MULTICAST_SEND` that you do not handle does not end the process.
   */
  send(message: Sent): Promise<number> {
    return this.core.outbox.send(() => encode(this.#codec, message))
  }
}

/**
 * How a peer sends. Bound to the group, its sockets leave unicast to whoever else is on the port; connected
 * to the group and port they are delivered nothing, not even what is sent to the group.
 */
function peerManner(settings: PeerSettings, port: Port): Manner {
  const { group, bindAddress, reuseAddr, networkInterfaces } = settings
  return {
    isConnected: true,
    isFollowed: settings.followInterfaces,
    place: (on) => {
      const shared = bindAddress === undefined ? groupAddress(group, on) : wildcard(group)
      // Over IPv6 the system sends from an address that is asked for only where that is bound.
      const isGiven = on?.given !== undefined && group.family === 'IPv6'
      // Where no other socket may have the port, not even one of its own, each has an address of its own.
      const isOwn = on !== undefined && (isGiven || !reuseAddr)
      const address = isOwn ? addressOn(networkInterfaces(), group, on) : shared
      return { address, port: port.number, reuseAddr }
    },
  }
}
