import type { AddressInfo } from 'node:net'
import type { Debugger } from 'debug'
import { Sockets } from './binding.js'
import type { Codec } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { isOfChange, MulticastError, type Operation, reasonOf } from './errors.js'
import { Emitter, emit, type MulticastEmitter, type MulticastEvents } from './events.js'
import { Inbox, type Received } from './inbox.js'
import { Lifecycle } from './lifecycle.js'
import type { ReceiverSettings, SenderSettings } from './options.js'
import { Outbox, type Recipient, type Way } from './outbox.js'
import { Silence } from './silence.js'
import { type Follower, type Sight, watch } from './watch.js'

/** What an endpoint has counted since it was made. */
export interface MulticastStats {
  /** Datagrams that the kernel has taken. */
  readonly sent: number
  /** Datagrams that came in, the malformed ones included. */
  readonly received: number
  /** The bytes of `sent`, without headers. */
  readonly bytesSent: number
  /** The bytes of `received`, without headers. */
  readonly bytesReceived: number
  /** Datagrams that the codec could not decode. */
  readonly malformed: number
  /**
   * Datagrams that came although no membership asks for them (they are not in `received`), and
   * messages that an async iterator dropped because its loop was slow.
   */
  readonly dropped: number
}

/** What makes an endpoint a sender or a receiver. */
interface Nature {
  /** What messages call it. */
  readonly noun: string
  readonly debug: Debugger
  readonly settings: SenderSettings | ReceiverSettings
  /** Decodes what comes. */
  readonly incoming: Codec<never, unknown>
  /** What binding its sockets is called in the table of hints. */
  readonly binding: Operation & ('bind' | 'bind for replies')
  /** From when on silence is counted. */
  readonly silentFrom: 'listening' | 'sending'
  /** Sets the options on a socket that has just been bound. */
  configure(socket: DatagramSocket): void
  /** Opens what it needs; throws a MulticastError if it cannot. */
  open(): Promise<void>
  /** The ways that a datagram goes out, to the group if to nobody else. */
  route(to: Recipient | undefined): readonly Way[]
  /** The socket whose address is the endpoint's, where there is one. */
  first(): DatagramSocket | undefined
  /** Strikes out what a look has found lost; returns what comes when every endpoint has done so. */
  notice?(sight: Sight): () => void
  /** Whether there is something to {@link follow} after a look. */
  mustFollow(sight: Sight): boolean
  /** Is true to what was asked for, as the network is now. */
  follow(): Promise<void>
}

/**
 * The parts of an endpoint, for the class that is made of it.
 * @internal
 */
export interface Core<Incoming> {
  readonly lifecycle: Lifecycle<unknown>
  readonly inbox: Inbox<Incoming>
  readonly outbox: Outbox
  readonly sockets: Sockets
}

/** The members that a sender and a receiver share, and how their parts hang together. */
export abstract class Endpoint<
  Incoming,
  Events extends MulticastEvents<Incoming> = MulticastEvents<Incoming>,
> extends Emitter<Events> {
  readonly #core: Core<Incoming>
  readonly #silence: Silence | undefined
  readonly #first: () => DatagramSocket | undefined

  /** @internal */
  protected constructor(nature: Nature) {
    super()
    const { noun, debug, settings } = nature
    const { timeout } = settings
    // What each endpoint emits is among what this one does.
    const emitter = this as unknown as MulticastEmitter<Incoming>
    const silence =
      timeout === undefined ? undefined : new Silence(timeout, () => emit(emitter, 'timeout'))
    const outbox = new Outbox(settings.maxQueuedBytes, settings.group, debug, () => {
      if (nature.silentFrom === 'sending' && lifecycle.state === 'listening') silence?.restart()
    })
    const inbox = new Inbox<Incoming>(emitter, nature.incoming, settings.queueLimit, debug, () =>
      silence?.touch(),
    )
    const sockets = new Sockets({
      group: settings.group,
      createSocket: settings.createSocket,
      operation: nature.binding,
      configure: nature.configure,
      debug,
      mayBeNone: settings.followInterfaces,
      onLost: () => lifecycle.close(`The socket of the ${noun} was closed by somebody else`),
      onError: (cause) => {
        if (isOfChange(cause)) return debug('the network has changed: %s', reasonOf(cause))
        const why = `The system reported an error on the open socket: ${reasonOf(cause)}`
        emit(emitter, 'error', new MulticastError('ERR_MULTICAST_SOCKET', why, { cause }))
      },
    })
    // The looks that come while it waits for its turn are one.
    let isFollowing = false
    const follower: Follower = (sight) => {
      const finish = nature.notice?.(sight)
      return () => {
        finish?.()
        const isOver = lifecycle.state === 'closing' || lifecycle.state === 'closed'
        if (isOver || isFollowing || !nature.mustFollow(sight)) return
        isFollowing = true
        const follow = (): Promise<void> => {
          isFollowing = false
          return nature.follow()
        }
        lifecycle.inTurn(follow).catch((error) => debug('not followed: %s', reasonOf(error)))
      }
    }
    let unfollow = (): void => {}
    const lifecycle = new Lifecycle<unknown>(this, noun, settings.signal, debug, {
      isNeeded: () => !outbox.isEmpty,
      async open() {
        // First, or a change would be missed that comes while it opens.
        if (settings.followInterfaces) unfollow = watch(settings, debug, follower)
        await nature.open()
        sockets.holdEmpty()
      },
      opened(isListening) {
        if (isListening) {
          inbox.open()
          if (nature.silentFrom === 'listening') silence?.restart()
        }
        outbox.open(nature.route)
      },
      listening: () => emit(emitter, 'listening'),
      end(reason, how) {
        if (how === 'abort') outbox.cut(reason)
        else outbox.shut(reason)
        silence?.stop()
        inbox.end(reason, how)
      },
      drained: () => outbox.drained(),
      release(reason) {
        unfollow()
        return sockets.closeAll(reason)
      },
      fail(reason, wasOpening) {
        const failedSends = outbox.cut(reason)
        return wasOpening && [inbox.fail(reason), failedSends > 0].includes(true)
      },
      isWatched: () => this.listenerCount('error') > 0,
      error: (failure) => emit(emitter, 'error', failure),
      closed: () => emit(emitter, 'close'),
    })
    this.#core = { lifecycle, inbox, outbox, sockets }
    this.#silence = silence
    this.#first = nature.first
  }

  /** @internal */
  protected get core(): Core<Incoming> {
    return this.#core
  }

  /**
   * Resolves with this once it is listening. Rejects with the error that opening failed with, with the
   * signal's reason, or with `ERR_MULTICAST_CLOSED`.
   */
  ready(): Promise<this> {
    return this.#core.lifecycle.ready() as Promise<this>
  }

  /**
   * Closes, once the sends that were accepted have gone out; later ones reject with
   * `ERR_MULTICAST_CLOSED`. Resolves when the socket is gone. Calling it again changes nothing.
   */
  close(): Promise<void> {
    return this.#core.lifecycle.close()
  }

  /** `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Yields each message with its sender, from now on until closed. Holds at most `queueLimit` messages
   * for a slow loop, then drops the oldest and counts it in `stats`. Leaving the loop does not close.
   * Where opening fails, the loop throws that error.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<Incoming>, undefined, undefined> {
    return this.#core.inbox.subscribe()
  }

  /**
   * The address and port that it is bound to, as `dgram.Socket#address` tells them. Throws
   * `ERR_MULTICAST_NOT_LISTENING` before `listening` and after `close`, and while it waits for an interface
   * and has no socket.
   */
  address(): AddressInfo {
    this.#core.lifecycle.throwUnlessListening('an address')
    const first = this.#first()
    if (first === undefined) {
      throw new MulticastError(
        'ERR_MULTICAST_NOT_LISTENING',
        'It has no socket now, and so no address: it waits for an interface that it is to use',
      )
    }
    try {
      return first.address()
    } catch (cause) {
      // Of a socket that is bound on an interface that is gone.
      const why = `The system does not tell the address now: ${reasonOf(cause)}`
      throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
    }
  }

  /** Lets it keep the process alive, as it does by default. */
  ref(): this {
    return this.#hold(true)
  }

  /** Lets the process end although it is open. */
  unref(): this {
    return this.#hold(false)
  }

  /** The counts up to now, in an object of their own. */
  get stats(): MulticastStats {
    const { inbox, outbox } = this.#core
    return {
      sent: outbox.sent,
      received: inbox.received,
      bytesSent: outbox.bytesSent,
      bytesReceived: inbox.bytesReceived,
      malformed: inbox.malformed,
      dropped: inbox.dropped,
    }
  }

  #hold(held: boolean): this {
    this.#core.sockets.hold(held)
    this.#silence?.hold(held)
    return this
  }
}
