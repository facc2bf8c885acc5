import type { RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { Debugger } from 'debug'
import { boundSocket, gone } from './binding.js'
import type { Codec } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { MulticastError, reasonOf } from './errors.js'
import { emit, type MulticastEmitter } from './events.js'
import type { ReceiverSettings, SenderSettings } from './options.js'
import { Outbox, type Reason } from './outbox.js'
import { Queue } from './queue.js'
import { Silence } from './silence.js'
import type { MulticastStats, Received } from './traffic.js'

/** What differs between a sender and a receiver, as asyncio's protocols do. */
interface Handlers {
  /** Opens what it needs with {@link Lifecycle.openSocket}; throws a MulticastError if it cannot. */
  open(): Promise<void>
  /** The socket to send to that address through. */
  route(address: string): DatagramSocket
}

/**
 * The one life of a sender or a receiver, over one socket or several, up to the events that it emits.
 *
 *     opening -> listening -> closing -> closed
 *
 * `close()`, an abort and a failure to open lead to closing from wherever they find it.
 */
export class Lifecycle<Incoming> {
  readonly #kind: 'sender' | 'receiver'
  readonly #settings: SenderSettings | ReceiverSettings
  readonly #debug: Debugger
  readonly #decode: (data: Buffer) => Incoming
  readonly #outbox: Outbox
  readonly #silence: Silence | undefined
  readonly #sockets = new Set<DatagramSocket>()
  /** Who reads the messages, and what an abort does to the reader. */
  readonly #queues = new Map<Queue<Received<Incoming>>, 'end' | 'fail'>()
  /** Who waits for `listening`. */
  readonly #waiters: { resolve: () => void; reject: (reason: unknown) => void }[] = []
  /** Set off by {@link #end}. */
  readonly #ending = deferred()
  readonly #closed = deferred()

  #emitter!: MulticastEmitter<Incoming>
  #handlers!: Handlers
  #ready: Promise<MulticastEmitter<Incoming>> | undefined
  #state: 'opening' | 'listening' | 'closing' | 'closed' = 'opening'
  /** Why it will never be listening again: what later calls reject with. */
  #reason: Reason = () => undefined
  /** Whether that is because it could not be opened. */
  #failed = false
  /** Settles when the socket is there, or gone, that is being opened. */
  #opening: Promise<unknown> = Promise.resolve()
  /** Set when the sockets are being closed: no further one may be left open. */
  #sealed = false
  #held = true
  /** Whether the silence is being counted, from the first send or from `listening`. */
  #isTiming = false
  #received = 0
  #bytesReceived = 0
  #malformed = 0
  #dropped = 0

  constructor(
    kind: 'sender' | 'receiver',
    debug: Debugger,
    settings: SenderSettings | ReceiverSettings,
    incoming: Codec<never, unknown>,
  ) {
    this.#kind = kind
    this.#settings = settings
    this.#debug = debug
    // The constructors' signatures tie the codec to the type.
    this.#decode = (data) => incoming.decode(data) as Incoming
    const { timeout, maxQueuedBytes, group } = settings
    if (timeout !== undefined) {
      this.#silence = new Silence(timeout, () => emit(this.#emitter, 'timeout'))
    }
    this.#outbox = new Outbox(maxQueuedBytes, group, debug, () => {
      if (kind === 'sender') this.#startTiming()
    })
  }

  /** Begins it, for `emitter`, which has its events. */
  begin(emitter: MulticastEmitter<Incoming>, handlers: Handlers): void {
    this.#emitter = emitter
    this.#handlers = handlers
    const { signal } = this.#settings
    if (signal?.aborted) this.#abort()
    else signal?.addEventListener('abort', this.#abort)
    this.#live()
  }

  get state(): 'opening' | 'listening' | 'closing' | 'closed' {
    return this.#state
  }

  /** The same promise for all who ask while it is opening. */
  ready(): Promise<MulticastEmitter<Incoming>> {
    if (this.#state !== 'opening') return this.whenListening().then(() => this.#emitter)
    this.#ready ??= this.whenListening().then(() => this.#emitter)
    return this.#ready
  }

  /** Resolves once it is listening, rejects with the reason why it never will. */
  whenListening(): Promise<void> {
    if (this.#state === 'listening') return Promise.resolve()
    if (this.#state !== 'opening') return Promise.reject(this.#reason())
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** Throws the reason why it is not listening any more, if so. */
  checkListening(): void {
    if (this.#state === 'closing' || this.#state === 'closed') throw this.#reason()
  }

  close(): Promise<void> {
    this.#shut(`The ${this.#kind} is closed and stays so: make another`)
    return this.#closed.promise
  }

  address(): AddressInfo {
    const [socket] = this.#sockets
    if (this.#state === 'listening' && socket !== undefined) return socket.address()
    const remedy = this.#state === 'opening' ? 'await ready() first' : 'ask before closing'
    throw new MulticastError(
      'ERR_MULTICAST_NOT_LISTENING',
      `The ${this.#kind} is ${this.#state} and has an address only while listening: ${remedy}`,
    )
  }

  /** Whether it keeps the process alive. */
  hold(held: boolean): void {
    this.#held = held
    for (const socket of this.#sockets) held ? socket.ref() : socket.unref()
    this.#silence?.hold(held)
  }

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

  /** Opens a socket, which is part of this from then on and closed with it. One at a time. */
  openSocket(port: number, address: string, reuseAddr: boolean): Promise<DatagramSocket> {
    const opening = this.#openSocket(port, address, reuseAddr)
    this.#opening = opening.catch(() => {})
    return opening
  }

  /** Takes in the datagrams of a socket, from the senders that `admits` lets through. */
  hear(socket: DatagramSocket, admits: (remote: RemoteInfo) => boolean): void {
    socket.on('message', (data, remote) => this.#receive(data, remote, admits))
  }

  /** The messages from now on. */
  subscribe(): Queue<Received<Incoming>> {
    const queue = new Queue<Received<Incoming>>(this.#settings.queueLimit, {
      onEnd: () => this.unfeed(queue),
    })
    this.feed(queue, 'end')
    return queue
  }

  /** Lets the messages from now on go to a queue. Closing ends it; an abort does `onAbort`. */
  feed(queue: Queue<Received<Incoming>>, onAbort: 'end' | 'fail'): void {
    if (this.#state === 'opening' || this.#state === 'listening') this.#queues.set(queue, onAbort)
    else if (onAbort === 'fail' || this.#failed) queue.fail(this.#reason())
    else queue.end()
  }

  unfeed(queue: Queue<Received<Incoming>>): void {
    this.#queues.delete(queue)
  }

  /** Sends once it is listening; see {@link Outbox.send}. */
  transmit(data: Uint8Array, port: number, address: string): Promise<number> {
    return this.#outbox.send(data, port, address)
  }

  async #openSocket(port: number, address: string, reuseAddr: boolean): Promise<DatagramSocket> {
    this.#debug('opening a socket on %s port %d', address, port)
    const socket = await boundSocket(this.#kind, this.#settings, port, address, reuseAddr)
    if (this.#sealed) {
      await gone(socket)
      throw this.#reason()
    }
    if (!this.#held) socket.unref()
    this.#sockets.add(socket)
    socket.on('error', (cause) => this.#socketError(cause))
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (!this.#sealed) this.#shut(`The socket of the ${this.#kind} was closed by somebody else`)
    })
    return socket
  }

  async #live(): Promise<void> {
    // A promise's tick, because fake timers can take every other kind away.
    await undefined
    let failure: unknown
    try {
      // Closed before it began: a socket is needed only for sends that were accepted.
      if (this.#state === 'opening' || !this.#outbox.isEmpty) {
        await this.#handlers.open()
        this.#listen()
        await this.#ending.promise
        await this.#outbox.drained()
      }
    } catch (error) {
      failure = error
    }
    this.#sealed = true
    await this.#opening
    await Promise.all([...this.#sockets].map(gone))
    this.#finish(failure as MulticastError | undefined)
  }

  #listen(): void {
    // Closed meanwhile: only the sends that were accepted are left to do.
    const isWanted = this.#state === 'opening'
    if (isWanted) {
      this.#state = 'listening'
      this.#debug('listening')
      if (this.#kind === 'receiver') this.#startTiming()
    }
    this.#outbox.open((address) => this.#handlers.route(address))
    if (!isWanted) return
    for (const { resolve } of this.#waiters.splice(0)) resolve()
    raise(() => emit(this.#emitter, 'listening'))
  }

  #startTiming(): void {
    if (this.#state !== 'listening') return
    this.#isTiming = true
    this.#silence?.restart()
  }

  #shut(why: string): void {
    const reason = (): MulticastError => new MulticastError('ERR_MULTICAST_CLOSED', why)
    this.#outbox.shut(reason)
    this.#end(reason, 'close')
  }

  readonly #abort = (): void => {
    const reason = (): unknown => this.#settings.signal?.reason
    this.#outbox.cut(reason)
    this.#end(reason, 'abort')
  }

  #end(reason: Reason, how: 'close' | 'abort'): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.#state = 'closing'
    this.#debug('closing (%s)', how)
    this.#reason = reason
    this.#silence?.stop()
    this.#rejectWaiters(reason, true)
    for (const [queue, onAbort] of this.#queues) {
      if (how === 'abort' && onAbort === 'fail') queue.fail(reason())
      else queue.end()
    }
    this.#ending.resolve()
  }

  #finish(failure: MulticastError | undefined): void {
    const hasOpened = this.#state !== 'opening'
    this.#state = 'closed'
    if (failure === undefined) this.#debug('closed')
    else this.#debug('closed: %s', failure.message)
    this.#settings.signal?.removeEventListener('abort', this.#abort)
    const failedSends = failure === undefined ? 0 : this.#outbox.cut(() => failure)
    if (failure !== undefined && !hasOpened) {
      this.#failed = true
      this.#reason = () => failure
      const isRead = [...this.#queues.keys()].some((queue) => queue.isAwaited)
      const isAwaited = isRead || failedSends + this.#waiters.length > 0
      const isListenedFor = this.#emitter.listenerCount('error') > 0
      this.#rejectWaiters(() => failure, isListenedFor)
      for (const queue of this.#queues.keys()) queue.fail(failure)
      if (isListenedFor || !isAwaited) raise(() => emit(this.#emitter, 'error', failure))
    }
    this.#closed.resolve()
    raise(() => emit(this.#emitter, 'close'))
  }

  /** `isKnown`: who made it cannot be surprised, so a ready() that nobody awaits may be ignored. */
  #rejectWaiters(reason: Reason, isKnown: boolean): void {
    if (isKnown) this.#ready?.catch(() => {})
    for (const { reject } of this.#waiters.splice(0)) reject(reason())
  }

  #receive(data: Buffer, remote: RemoteInfo, admits: (remote: RemoteInfo) => boolean): void {
    if (this.#state !== 'listening') return
    if (!admits(remote)) {
      this.#dropped += 1
      this.#debug('dropped: nothing joined asks for %s', remote.address)
      return
    }
    this.#received += 1
    this.#bytesReceived += data.byteLength
    if (this.#debug.enabled) {
      this.#debug('received %d bytes from %s port %d', data.length, remote.address, remote.port)
    }
    let message: Incoming
    try {
      message = this.#decode(data)
      if (message instanceof Promise) {
        // It may reject because of what a stranger has sent: that must not end the process.
        message.catch(() => {})
        throw new TypeError('decode() returned a promise, and has to return the message itself')
      }
    } catch (cause) {
      this.#malformed += 1
      this.#debug('malformed: %s', reasonOf(cause))
      if (this.#emitter.listenerCount('malformed') > 0) {
        emit(this.#emitter, 'malformed', decodeError(cause, remote), data, remote)
      }
      return
    }
    // The codec may have closed it.
    if (this.#state !== 'listening') return
    if (this.#isTiming) this.#silence?.restart()
    for (const queue of this.#queues.keys()) {
      if (queue.push({ message, remote })) this.#dropped += 1
    }
    emit(this.#emitter, 'message', message, remote)
  }

  #socketError(cause: unknown): void {
    const why = `The system reported an error on the open socket: ${reasonOf(cause)}`
    emit(this.#emitter, 'error', new MulticastError('ERR_MULTICAST_SOCKET', why, { cause }))
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}

// Taken before anybody puts a fake in its place.
const { queueMicrotask } = globalThis

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

function decodeError(cause: unknown, { address, port, size }: RemoteInfo): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_DECODE',
    `The codec could not decode the ${size} bytes from ${address} port ${port}: ${reasonOf(cause)}`,
    { cause },
  )
}
