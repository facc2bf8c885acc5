import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { InspectOptions } from 'node:util'
import type { Debugger } from 'debug'
import { grantedTo, Sockets } from './binding.js'
import type { Codec } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { kernelDrops } from './drops.js'
import { isOfChange, MulticastError, type Operation, reasonOf } from './errors.js'
import { Emitter, emit, type MulticastEmitter, type MulticastEvents } from './events.js'
import { Inbox, type Received } from './inbox.js'
import { Lifecycle } from './lifecycle.js'
import type { PeerSettings, ReceiverSettings, SenderSettings } from './options.js'
import { Outbox, type Recipient, type Way } from './outbox.js'
import { Silence } from './silence.js'
import { type Follower, type Sight, watch } from './watch.js'

/** What an endpoint has counted since it was made. */
export interface MulticastStats {
  /** Datagrams that the kernel has accepted: three for a message that went out through three interfaces. */
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
   * Datagrams that no membership asks for or that `accept` refused (neither are in `received`), and messages
   * that an async iterator or a request dropped because its loop was slow.
   */
  readonly dropped: number
  /**
   * Datagrams, replies included, that the network refused after `listening`: those that failed with
   * `ERR_MULTICAST_SEND`.
   */
  readonly failed: number
  /** Messages that came while nobody listened, iterated or requested: nobody got them. */
  readonly unheard: number
}

/** What makes an endpoint a sender, a receiver or a peer. */
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
  /** What an inspection shows beside what all have. */
  described(): object
  /** Whether looks at the interfaces are to be told to it. */
  readonly isFollowed: boolean
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

/** What an endpoint tells the doctor. Its own declarations name it, but no entry exports it. */
export interface Chart {
  readonly noun: string
  readonly state: string
  readonly settings: SenderSettings | ReceiverSettings | PeerSettings
  readonly bound: readonly AddressInfo[]
  readonly stats: MulticastStats
  readonly kernelDrops: () => Promise<number | undefined>
}

/** The members that all classes share, and how their parts hang together. */
export abstract class Endpoint<
  Incoming,
  Events extends MulticastEvents<Incoming> = MulticastEvents<Incoming>,
> extends Emitter<Events> {
  readonly #core: Core<Incoming>
  readonly #silence: Silence | undefined
  readonly #first: () => DatagramSocket | undefined
  readonly #isOfSystem: boolean
  readonly #described: () => object
  readonly #nature: Pick<Nature, 'noun' | 'settings'>

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
    const inbox = new Inbox<Incoming>(emitter, nature.incoming, settings, debug, () =>
      silence?.touch(),
    )
    const sockets = new Sockets({
      group: settings.group,
      createSocket: settings.createSocket,
      operation: nature.binding,
      configure(socket) {
        nature.configure(socket)
        tellGranted(socket, settings, debug)
      },
      debug,
      mayBeNone: settings.followInterfaces,
      onLost: () => lifecycle.close(`The socket of the ${noun} was closed by somebody else`),
      onError: (cause) => {
        // Who is told of one that is lost for good closes at that.
        if (lifecycle.state === 'closing') return debug('on a closing socket: %s', reasonOf(cause))
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
        if (nature.isFollowed) unfollow = watch(settings, debug, follower)
        await nature.open()
        sockets.holdEmpty()
      },
      opened(isListening) {
        if (isListening) {
          inbox.open()
          if (nature.silentFrom === 'listening') silence?.restart()
        }
        sockets.opened()
        outbox.open(nature.route)
      },
      listening: () => emit(emitter, 'listening'),
      end(reason, how) {
        if (how === 'abort') outbox.cut(reason)
        else outbox.shut(reason)
        sockets.end()
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
    this.#nature = { noun, settings }
    this.#silence = silence
    this.#first = nature.first
    this.#isOfSystem = settings.createSocket === createSocket
    this.#described = () => ({
      group: settings.group.address,
      port: settings.port,
      ...nature.described(),
    })
  }

  /** @internal */
  get chart(): Chart {
    const { lifecycle, sockets } = this.#core
    return {
      ...this.#nature,
      state: lifecycle.state,
      bound: lifecycle.state === 'closed' ? [] : sockets.bound,
      stats: this.stats,
      kernelDrops: () => this.kernelDrops(),
    }
  }

  /** @internal */
  protected get core(): Core<Incoming> {
    return this.#core
  }

  /**
   * Resolves with the object itself once it is listening. Rejects with the error that opening failed with, with
   * the signal's reason, or with `ERR_MULTICAST_CLOSED`.
   */
  ready(): Promise<this> {
    return this.#core.lifecycle.ready() as Promise<this>
  }

  /**
   * Closes once the sends made so far have gone out; later ones reject with `ERR_MULTICAST_CLOSED`. Resolves when
   * the socket is gone. Calling it again changes nothing.
   */
  close(): Promise<void> {
    return this.#core.lifecycle.close()
  }

  /** `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Yields each message with its `remote`, from now on until it closes. For a slow loop it holds at most
   * `queueLimit` messages and `queueBytes` bytes, then drops the oldest and counts them in `stats.dropped`.
   * Leaving the loop does not close it. If opening fails, the loop throws that error.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<Incoming>, undefined, undefined> {
    return this.#core.inbox.subscribe()
  }

  /**
   * The address and port that it is bound to, as from `dgram.Socket#address`. Throws
   * `ERR_MULTICAST_NOT_LISTENING` before `listening`, after `close`, and while it has no socket because it waits
   * for an interface.
   */
  address(): AddressInfo {
    this.#core.lifecycle.throwUnlessListening('an address')
    const first = this.#first()
    if (first === undefined) throw noSocket()
    try {
      return first.address()
    } catch (cause) {
      // Of a socket that is bound on an interface that is gone.
      const why = `The system does not report the address now: ${reasonOf(cause)}`
      throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
    }
  }

  /** Keeps the process alive while it is open, as it does by default. */
  ref(): this {
    return this.#hold(true)
  }

  /** Lets the process end while it is open. */
  unref(): this {
    return this.#hold(false)
  }

  /** The counts up to now. The object does not change; read it again for new counts. */
  get stats(): MulticastStats {
    const { inbox, outbox } = this.#core
    return {
      sent: outbox.sent,
      received: inbox.received,
      bytesSent: outbox.bytesSent,
      bytesReceived: inbox.bytesReceived,
      malformed: inbox.malformed,
      dropped: inbox.dropped,
      failed: outbox.failed,
      unheard: inbox.unheard,
    }
  }

  /**
   * SO_RCVBUF: the bytes that the kernel has granted for what waits to be read, in the unit of the option
   * `recvBufferSize`. With several sockets, the smallest. Throws as {@link address} does.
   */
  get recvBufferSize(): number {
    return this.#granted('recvBufferSize')
  }

  /** SO_SNDBUF: the same for what waits to be sent. */
  get sendBufferSize(): number {
    return this.#granted('sendBufferSize')
  }

  /**
   * How many datagrams the kernel has dropped because they were not read in time: a larger `recvBufferSize` helps.
   * The sum over this process's sockets on its address and port, from /proc/net/udp. `undefined` on other systems
   * than Linux, or without node:dgram.
   */
  async kernelDrops(): Promise<number | undefined> {
    return this.#isOfSystem ? kernelDrops(this.#core.sockets.bound) : undefined
  }

  /** What `console.log` shows: its state, its settings and its counts. */
  [Symbol.for('nodejs.util.inspect.custom')](
    depth: number | null,
    options: InspectOptions,
    inspect: (value: unknown, options: InspectOptions) => string,
  ): string {
    const { name } = this.constructor
    if (depth !== null && depth < 0) return `[${name}]`
    const shown = { state: this.#core.lifecycle.state, ...this.#described(), stats: this.stats }
    // What is left of the depth here: in the options it is that of the whole.
    return `${name} ${inspect(shown, { ...options, depth })}`
  }

  #granted(buffer: 'recvBufferSize' | 'sendBufferSize'): number {
    this.#core.lifecycle.throwUnlessListening(`a ${buffer}`)
    const granted = this.#core.sockets.granted(buffer)
    if (granted === undefined) throw noSocket()
    return granted
  }

  #hold(held: boolean): this {
    this.#core.sockets.hold(held)
    this.#core.outbox.hold(held)
    this.#silence?.hold(held)
    return this
  }
}

function noSocket(): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_NOT_LISTENING',
    'It has no socket now, because it waits for an interface',
  )
}

/** Tells DEBUG where the system has granted less of a buffer than was asked for, which it does silently. */
function tellGranted(
  socket: DatagramSocket,
  settings: Pick<SenderSettings, 'recvBufferSize' | 'sendBufferSize'>,
  debug: Debugger,
): void {
  if (!debug.enabled) return
  for (const buffer of ['recvBufferSize', 'sendBufferSize'] as const) {
    const asked = settings[buffer]
    if (asked === undefined) continue
    const granted = grantedTo(socket, buffer)
    if (granted < asked) debug('%s: asked for %d, the system grants %d', buffer, asked, granted)
  }
}
