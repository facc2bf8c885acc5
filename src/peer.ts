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
 * symmetric protocol do. Beside other programs on the port it leaves them their unicast, and so hears none
 * itself, unless `bindAddress` says otherwise: questions with answers are for {@link MulticastSender}.
 *
 * `Message` is what comes, as `codec` decodes it: a `Buffer` by default. `Sent` is what {@link send} takes,
 * as `codec` encodes it: a string or bytes by default. `Reply` is what {@link reply} takes, as `replyCodec`
 * encodes it, or else `codec`.
 */
export class MulticastPeer<
  Message = Buffer,
  in Sent = Counterpart<Message>,
  in Reply = Sent,
> extends MulticastReceiver<Message, Reply> {
  readonly #codec: Codec<Sent, unknown>
  readonly #outgoing: Outgoing

  /** `codec` carries the messages, or without it they are bytes; `replyCodec` encodes the replies. */
  constructor(
    options: PeerOptions &
      Codecs<Codec<Sent, Message>, Codec<Reply, unknown>> & { replyCodec: Codec<Reply, unknown> },
  )
  // The form above takes each `replyCodec`. This one has it for the compiler to say what is wrong with one.
  /** `codec` carries the messages and encodes the replies, or without it they are bytes. */
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
   * The names of the interfaces that it sends through now, `['default']` for the system's route. None
   * before `listening` and after `close`.
   */
  get interfaces(): readonly string[] {
    return this.core.lifecycle.state === 'listening' ? this.#outgoing.interfaces : []
  }

  /**
   * Sends a message to the group from the group's port, one datagram out of each of its interfaces; waits
   * for `listening` first. Resolves with its bytes once the kernel has taken them for one interface at
   * least. With `loopback` it hears the message itself, on each interface that it has joined. Rejects as a
   * sender's `send` does: an `ERR_MULTICAST_SEND` that nobody awaits does not end the process.
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
