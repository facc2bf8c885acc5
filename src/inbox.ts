import type { Debugger } from 'debug'
import { type Codec, isThenable } from './codec.js'
import type { DatagramSocket } from './datagram.js'
import { MulticastError, type Reason, reasonOf } from './errors.js'
import { emit, type MulticastEmitter, type Remote } from './events.js'
import { type Bounds, Queue } from './queue.js'

/** A message together with where it came from. */
export interface Received<Message> {
  /** The message, as the codec decoded it. */
  readonly message: Message
  /** Its sender: address, family, port and size in bytes. */
  readonly remote: Remote
}

/** {@link Inbox.hear}. */
export type Hear = (socket: DatagramSocket, admits: (remote: Remote) => boolean) => void

/**
 * What comes in: it is admitted, counted, decoded, and handed on to the readers and as an event.
 * @internal
 */
export class Inbox<Incoming> {
  /** Datagrams that came in, the malformed ones included, and their bytes. */
  received = 0
  bytesReceived = 0
  /** Datagrams that the codec could not decode. */
  malformed = 0
  /** Datagrams that were not admitted or accepted, and messages that a slow reader has lost. */
  dropped = 0
  /** Messages that nobody listened to, iterated over or had requested. */
  unheard = 0

  readonly #emitter: MulticastEmitter<Incoming>
  readonly #debug: Debugger
  readonly #decode: (data: Buffer) => Incoming
  readonly #bounds: Bounds
  readonly #accept: ((remote: Remote) => unknown) | undefined
  readonly #onMessage: () => void
  /** Who reads the messages, and what an abort does to the reader. */
  readonly #queues = new Map<Queue<Received<Incoming>>, 'end' | 'fail'>()
  #isOpen = false
  /** Why nothing more comes: what those learn who read from now on. */
  #over: { readonly reason: Reason; readonly isFailure: boolean } | undefined

  /** `onMessage` is called for each message before anybody is handed it. */
  constructor(
    emitter: MulticastEmitter<Incoming>,
    codec: Codec<never, unknown>,
    settings: Bounds & { readonly accept: ((remote: Remote) => unknown) | undefined },
    debug: Debugger,
    onMessage: () => void,
  ) {
    this.#emitter = emitter
    // The constructors' signatures tie the codec to the type.
    this.#decode = (data) => codec.decode(data) as Incoming
    this.#bounds = settings
    this.#accept = settings.accept
    this.#debug = debug
    this.#onMessage = onMessage
  }

  /** Takes in the datagrams of a socket, from the senders that `admits` lets through. */
  readonly hear: Hear = (socket, admits) => {
    socket.on('message', (data, remote) => this.#receive(data, remote, admits))
  }

  /** The messages from now on. */
  subscribe(): Queue<Received<Incoming>> {
    const queue = new Queue<Received<Incoming>>(this.#bounds, {
      onEnd: () => this.unfeed(queue),
    })
    this.feed(queue, 'end')
    return queue
  }

  /** Lets the messages from now on go to a queue. Closing ends it; an abort does `onAbort`. */
  feed(queue: Queue<Received<Incoming>>, onAbort: 'end' | 'fail'): void {
    if (this.#over === undefined) this.#queues.set(queue, onAbort)
    else if (onAbort === 'fail' || this.#over.isFailure) queue.fail(this.#over.reason)
    else queue.end()
  }

  unfeed(queue: Queue<Received<Incoming>>): void {
    this.#queues.delete(queue)
  }

  /** What came before is passed over. */
  open(): void {
    this.#isOpen = true
  }

  /** Takes nothing in any more, and lets the readers know. */
  end(reason: Reason, how: 'close' | 'abort'): void {
    this.#isOpen = false
    this.#over ??= { reason, isFailure: false }
    for (const [queue, onAbort] of this.#queues) {
      if (how === 'abort' && onAbort === 'fail') queue.fail(reason)
      else queue.end()
    }
  }

  /** The same where it was never open; returns whether somebody is reading. */
  fail(reason: Reason): boolean {
    this.#over = { reason, isFailure: true }
    const queues = [...this.#queues.keys()]
    const isRead = queues.some((queue) => queue.isAwaited)
    for (const queue of queues) queue.fail(reason)
    return isRead
  }

  #receive(data: Buffer, remote: Remote, admits: (remote: Remote) => boolean): void {
    if (!this.#isOpen) return
    if (!admits(remote)) {
      this.dropped += 1
      this.#debug('dropped: nothing joined asks for %s', remote.address)
      return
    }
    if (this.#accept !== undefined && !this.#accept(remote)) {
      this.dropped += 1
      this.#debug('dropped: %s is not accepted', remote.address)
      return
    }
    this.received += 1
    this.bytesReceived += data.byteLength
    if (this.#debug.enabled) {
      this.#debug('received %d bytes from %s port %d', data.length, remote.address, remote.port)
    }
    let message: Incoming
    try {
      message = this.#decode(data)
      if (isThenable(message)) {
        // It may reject because of what a stranger has sent: that must not end the process.
        message.then(undefined, () => {})
        throw new TypeError('decode() returned a promise, but has to return the message itself')
      }
    } catch (cause) {
      this.malformed += 1
      this.#debug('malformed: %s', reasonOf(cause))
      if (this.#emitter.listenerCount('malformed') > 0) {
        emit(this.#emitter, 'malformed', decodeError(cause, remote), data, remote)
      }
      return
    }
    // The codec may have closed it.
    if (!this.#isOpen) return
    this.#onMessage()
    const isRead = this.#queues.size > 0
    for (const queue of this.#queues.keys()) this.dropped += queue.push({ message, remote })
    if (!emit(this.#emitter, 'message', message, remote) && !isRead) this.unheard += 1
  }
}

function decodeError(cause: unknown, { address, port, size }: Remote): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_DECODE',
    `The codec could not decode the ${size} bytes from ${address} port ${port}: ${reasonOf(cause)}`,
    { cause },
  )
}
