import type { RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import createDebug, { type Debugger } from 'debug'
import type { Codec } from './codec.js'
import { type DatagramSocket, lookup } from './datagram.js'
import { errno, MulticastError, reasonOf } from './errors.js'
import { Emitter, emit } from './events.js'
import { applySettings, type ReceiverSettings, type SenderSettings } from './options.js'
import { Outbox } from './outbox.js'
import { Queue } from './queue.js'
import { Silence } from './silence.js'

/** A message together with where it came from. */
export interface Received<Message> {
  readonly message: Message
  /** node:dgram's: address, family, port and size in bytes. */
  readonly remote: RemoteInfo
}

/** What a sender or a receiver has counted since it was made. */
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

/**
 * What a sender and a receiver have in common: one life, over one socket or several.
 *
 *     opening -> listening -> closing -> closed
 *
 * `close()`, an abort and a failure to open lead to closing from wherever they find it.
 */
export abstract class Endpoint<Incoming> extends Emitter<Incoming> {
  readonly #kind: 'sender' | 'receiver'
  readonly #settings: SenderSettings | ReceiverSettings
  /** @internal */
  protected readonly debug: Debugger
  readonly #decode: (data: Buffer) => Incoming
  readonly #outbox: Outbox
  readonly #silence: Silence | undefined
  readonly #sockets: DatagramSocket[] = []
  /** Who reads the messages, and what an abort does to the reader. */
  readonly #queues = new Map<Queue<Received<Incoming>>, 'end' | 'fail'>()
  /** Who waits for `listening`. */
  readonly #waiters: { resolve: () => void; reject: (reason: unknown) => void }[] = []
  /** Set off by {@link #end}. */
  readonly #ending = deferred()
  readonly #closed = deferred()

  #ready: Promise<this> | undefined
  #state: 'opening' | 'listening' | 'closing' | 'closed' = 'opening'
  /** Why it will never be listening again: what later calls reject with. */
  #reason: unknown
  /** Why it could not be opened. */
  #failure: MulticastError | undefined
  /** Set when the sockets are being closed: no further one may be left open. */
  #sealed = false
  #held = true
  #received = 0
  #bytesReceived = 0
  #malformed = 0
  #dropped = 0

  /** @internal */
  protected constructor(
    kind: 'sender' | 'receiver',
    settings: SenderSettings | ReceiverSettings,
    incoming: Codec<never, unknown>,
  ) {
    super()
    this.#kind = kind
    this.#settings = settings
    this.debug = createDebug(`typed-multicast:${kind}`)
    // The constructors' signatures tie the codec to the type.
    this.#decode = (data) => incoming.decode(data) as Incoming
    const { timeout, signal, maxQueuedBytes, group } = settings
    if (timeout !== undefined) this.#silence = new Silence(timeout, () => emit(this, 'timeout'))
    this.#outbox = new Outbox(maxQueuedBytes, group, this.debug, () => {
      if (this.#state === 'listening') this.#silence?.restart()
    })
    if (signal?.aborted) this.#abort()
    else signal?.addEventListener('abort', this.#abort)
    this.#live()
  }

  /**
   * Resolves with this once it is listening. Rejects with the error that opening failed with, with the
   * signal's reason, or with `ERR_MULTICAST_CLOSED`.
   */
  ready(): Promise<this> {
    if (this.#state !== 'opening') return this.whenListening().then(() => this)
    this.#ready ??= this.whenListening().then(() => this)
    return this.#ready
  }

  /**
   * Closes, once the sends that were accepted have gone out; later ones reject with
   * `ERR_MULTICAST_CLOSED`. Resolves when the socket is gone. Calling it again changes nothing.
   */
  close(): Promise<void> {
    const reason = new MulticastError(
      'ERR_MULTICAST_CLOSED',
      `The ${this.#kind} is closed and stays so: make another`,
    )
    this.#outbox.shut(reason)
    this.#end(reason, 'close')
    return this.#closed.promise
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
    return this.subscribe('end')
  }

  /**
   * The address and port that it is bound to, as `dgram.Socket#address` tells them. Throws
   * `ERR_MULTICAST_NOT_LISTENING` before `listening` and after `close`.
   */
  address(): AddressInfo {
    const [socket] = this.#sockets
    if (this.#state === 'listening' && socket !== undefined) return socket.address()
    throw new MulticastError(
      'ERR_MULTICAST_NOT_LISTENING',
      `The ${this.#kind} is ${this.#state} and has an address only while listening: await ready() first`,
    )
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
    return {
      sent: this.#outbox.sent,
      received: this.#received,
      bytesSent: this.#outbox.bytesSent,
      bytesReceived: this.#bytesReceived,
      malformed: this.#malformed,
      dropped: this.#dropped,
    }
  }

  /**
   * Opens what it needs with {@link openSocket}; throws a MulticastError if it cannot.
   * @internal
   */
  protected abstract openSockets(): Promise<void>

  /**
   * The socket to send to that address through.
   * @internal
   */
  protected abstract route(address: string): DatagramSocket

  /**
   * Makes a socket, binds it and sets its options; if one of that fails it is gone again. From then on
   * it is part of this endpoint and closed with it.
   * @internal
   */
  protected async openSocket(
    port: number,
    address: string,
    reuseAddr: boolean,
  ): Promise<DatagramSocket> {
    this.debug('opening a socket on %s port %d', address, port)
    const socket = this.#createSocket(reuseAddr)
    try {
      await new Promise<void>((resolve, reject) => {
        // Once it is bound, rejecting does nothing and a later error is an event.
        socket.on('error', (cause) => {
          if (this.#sockets.includes(socket)) this.#socketError(cause)
          else reject(cause)
        })
        socket.once('listening', resolve)
        socket.bind({ port, address, exclusive: true })
      }).catch((cause: unknown) => {
        throw bindError(cause, port, address)
      })
      applySettings(socket, this.#settings)
      if (this.#sealed) throw this.#reason
    } catch (error) {
      await gone(socket)
      throw error
    }
    if (!this.#held) socket.unref()
    this.#sockets.push(socket)
    return socket
  }

  /**
   * Takes in the datagrams of a socket, from the senders that `admits` lets through.
   * @internal
   */
  protected hear(socket: DatagramSocket, admits: (remote: RemoteInfo) => boolean): void {
    socket.on('message', (data, remote) => this.#receive(data, remote, admits))
  }

  /**
   * Resolves once it is listening, rejects with the reason why it never will.
   * @internal
   */
  protected whenListening(): Promise<void> {
    if (this.#state === 'listening') return Promise.resolve()
    if (this.#state !== 'opening') return Promise.reject(this.#reason)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /**
   * The messages from now on. Closing ends them; an abort does `onAbort`, as does having closed before.
   * `onPush` is called as each comes.
   * @internal
   */
  protected subscribe(
    onAbort: 'end' | 'fail',
    onPush: () => void = () => {},
  ): Queue<Received<Incoming>> {
    const onEnd = (): void => {
      this.#queues.delete(queue)
    }
    const queue = new Queue<Received<Incoming>>(this.#settings.queueLimit, onPush, onEnd)
    if (this.#state === 'opening' || this.#state === 'listening') this.#queues.set(queue, onAbort)
    else if (onAbort === 'fail' || this.#failure !== undefined) queue.fail(this.#reason)
    else queue.end()
    return queue
  }

  /**
   * Sends once it is listening. Resolves with the bytes when the kernel has taken them; every failure
   * is a rejection.
   * @internal
   */
  protected transmit(data: Uint8Array, port: number, address: string): Promise<number> {
    return this.#outbox.send(data, port, address)
  }

  async #live(): Promise<void> {
    // A promise's tick, because fake timers can take every other kind away.
    await undefined
    let failure: unknown
    try {
      // Closed before it began: a socket is needed only for sends that were accepted.
      if (this.#state === 'opening' || !this.#outbox.isEmpty) {
        await this.openSockets()
        this.#outbox.open((address) => this.route(address))
        if (this.#state === 'opening') this.#listen()
        await this.#ending.promise
        await this.#outbox.drained()
      }
    } catch (error) {
      failure = error
    }
    this.#sealed = true
    await Promise.all(this.#sockets.map(gone))
    this.#finish(failure as MulticastError | undefined)
  }

  #listen(): void {
    this.#state = 'listening'
    this.debug('listening')
    if (this.#kind === 'receiver') this.#silence?.restart()
    for (const { resolve } of this.#waiters.splice(0)) resolve()
    raise(() => emit(this, 'listening'))
  }

  readonly #abort = (): void => {
    const { reason } = this.#settings.signal as AbortSignal
    this.#outbox.cut(reason)
    this.#end(reason, 'abort')
  }

  #end(reason: unknown, how: 'close' | 'abort'): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.#state = 'closing'
    this.debug('closing (%s)', how)
    this.#reason = reason
    this.#silence?.stop()
    for (const { reject } of this.#waiters.splice(0)) reject(reason)
    for (const [queue, onAbort] of this.#queues) {
      if (how === 'abort' && onAbort === 'fail') queue.fail(reason)
      else queue.end()
    }
    this.#ending.resolve()
  }

  #finish(failure: MulticastError | undefined): void {
    const neverOpened = this.#state === 'opening' ? failure : undefined
    this.#state = 'closed'
    if (failure === undefined) this.debug('closed')
    else this.debug('closed: %s', failure.message)
    this.#settings.signal?.removeEventListener('abort', this.#abort)
    let told = failure !== undefined && this.#outbox.cut(failure) > 0
    if (neverOpened !== undefined) {
      this.#failure = neverOpened
      this.#reason = neverOpened
      told ||= this.#waiters.length + this.#queues.size > 0
      // A listener will hear of it, so a ready() that nobody looks at must not end the process.
      if (this.listenerCount('error') > 0) this.#ready?.catch(() => {})
      for (const { reject } of this.#waiters.splice(0)) reject(neverOpened)
      for (const queue of this.#queues.keys()) queue.fail(neverOpened)
    }
    this.#closed.resolve()
    raise(() => {
      try {
        const unheard = !told || this.listenerCount('error') > 0
        if (neverOpened !== undefined && unheard) emit(this, 'error', neverOpened)
      } finally {
        emit(this, 'close')
      }
    })
  }

  #createSocket(reuseAddr: boolean): DatagramSocket {
    const { createSocket, group } = this.#settings
    const isIPv4 = group.family === 'IPv4'
    try {
      return createSocket({ type: isIPv4 ? 'udp4' : 'udp6', reuseAddr, ipv6Only: !isIPv4, lookup })
    } catch (cause) {
      const why = `createSocket threw: ${reasonOf(cause)}`
      throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
    }
  }

  #receive(data: Buffer, remote: RemoteInfo, admits: (remote: RemoteInfo) => boolean): void {
    if (this.#state !== 'listening') return
    if (!admits(remote)) {
      this.#dropped += 1
      return
    }
    this.#received += 1
    this.#bytesReceived += data.byteLength
    if (this.debug.enabled) {
      this.debug('received %d bytes from %s port %d', data.length, remote.address, remote.port)
    }
    let message: Incoming
    try {
      message = this.#decode(data)
    } catch (cause) {
      this.#malformed += 1
      if (this.listenerCount('malformed') > 0) {
        emit(this, 'malformed', decodeError(cause, remote), data, remote)
      }
      return
    }
    this.#silence?.restart()
    for (const queue of this.#queues.keys()) {
      if (queue.push({ message, remote })) this.#dropped += 1
    }
    emit(this, 'message', message, remote)
  }

  #socketError(cause: unknown): void {
    const why = `The system reported an error on the open socket: ${reasonOf(cause)}`
    emit(this, 'error', new MulticastError('ERR_MULTICAST_SOCKET', why, { cause }))
  }

  #hold(held: boolean): this {
    this.#held = held
    for (const socket of this.#sockets) held ? socket.ref() : socket.unref()
    this.#silence?.hold(held)
    return this
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}

/** Closes the socket; resolves when it is gone, also if somebody else has closed it. */
function gone(socket: DatagramSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', resolve)
    try {
      socket.close()
    } catch {
      resolve()
    }
  })
}

/** Emits from inside a promise: what a listener throws is uncaught there too, not a rejection. */
function raise(emission: () => void): void {
  try {
    emission()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function bindError(cause: unknown, port: number, address: string): MulticastError {
  const code = errno(cause)
  if (code === 'EADDRINUSE') {
    return new MulticastError(
      'ERR_MULTICAST_PORT_IN_USE',
      `Port ${port} on ${address} is in use: another socket holds it, and one of the two did not set reuseAddr (SO_REUSEADDR)`,
      { cause },
    )
  }
  const hint =
    code === 'EACCES'
      ? 'ports below 1024 need a privilege'
      : code === 'EADDRNOTAVAIL'
        ? 'it is no address of this host'
        : 'see the cause'
  return new MulticastError(
    'ERR_MULTICAST_BIND',
    `Could not bind to ${address} port ${port}: ${reasonOf(cause)} (${hint})`,
    { cause },
  )
}

function decodeError(cause: unknown, { address, port, size }: RemoteInfo): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_DECODE',
    `The codec could not decode the ${size} bytes from ${address} port ${port}: ${reasonOf(cause)}`,
    { cause },
  )
}
