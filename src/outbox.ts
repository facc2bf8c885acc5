import type { RemoteInfo } from 'node:dgram'
import type { Debugger } from 'debug'
import { type Group, maxPayload } from './address.js'
import type { DatagramSocket } from './datagram.js'
import { errno, hint, MulticastError, type Reason, reasonOf, withoutStack } from './errors.js'

/** Where a datagram goes out, and to. */
export interface Way {
  readonly socket: DatagramSocket
  readonly port: number
  readonly address: string
  /** Whether the socket is connected to there. */
  readonly isConnected?: boolean
  /** The interface that it leaves by, where the socket is set to one. */
  readonly name?: string
  /** Mends a way that is refused: the mended one, or why that cannot be, where that is known. */
  readonly heal?: () => Promise<Way | string | undefined>
}

/** To whom a datagram is, if not to the group. */
export type Recipient = Readonly<Pick<RemoteInfo, 'address' | 'port'>>

/** The ways that a datagram goes out; none while there is no interface for it. */
type Route = (to: Recipient | undefined) => readonly Way[]

/** Told what has become of a send: its bytes, or why it was not. */
type Settle = (outcome: number | Reason) => void

interface Waiting {
  readonly data: Uint8Array
  readonly to: Recipient | undefined
  readonly settle: Settle
}

interface Timed {
  readonly timer: ReturnType<typeof setTimeout>
  readonly settle: Settle
}

/** What a message that waits here takes beside its bytes, or empty ones would wait without a bound. */
const OVERHEAD = 256

/**
 * What goes out. Before {@link open} sends wait here; afterwards the kernel takes them. It ends
 * gently with {@link shut}, which lets accepted sends go out, or at once with {@link cut}.
 */
export class Outbox {
  /** Datagrams that the kernel has taken, and their bytes. */
  sent = 0
  bytesSent = 0
  /** Datagrams that the network has refused. */
  failed = 0

  readonly #limit: number
  readonly #maxPayload: number
  readonly #debug: Debugger
  readonly #onSent: () => void
  #route: Route | undefined
  #waiting: Waiting[] = []
  #waitingBytes = 0
  /** What waits for its time. */
  readonly #timed = new Set<Timed>()
  #held = true
  /** Whether the last one was refused for want of room. */
  #isFull = false
  #handed = 0
  #handedBytes = 0
  /** Why nothing more is accepted. */
  #shut: Reason | undefined
  /** Why even what the kernel holds is given up. */
  #cut: Reason | undefined
  #onDrained: (() => void) | undefined

  constructor(limit: number, group: Group, debug: Debugger, onSent: () => void) {
    this.#limit = limit
    this.#maxPayload = maxPayload[group.family]
    this.#debug = debug
    this.#onSent = onSent
  }

  /**
   * Resolves with the bytes once the kernel has taken them for one way at least; every failure is a
   * rejection, that of `encoded` too. That of the network, which loses datagrams anyway, may be left unhandled.
   */
  send(encoded: () => Uint8Array, to?: Recipient): Promise<number> {
    return told((settle) => this.offer(encoded(), to, settle))
  }

  /** The same of what is encoded, told without a promise. */
  offer(data: Uint8Array, to: Recipient | undefined, settle: Settle): void {
    if (this.#shut !== undefined) settle(this.#shut)
    else if (data.byteLength > this.#maxPayload) settle(() => this.#tooLarge(data.byteLength))
    else if (this.#route !== undefined) this.#hand(data, this.#route(to), settle, true)
    else if (this.#keep(data, settle)) this.#waiting.push({ data, to, settle })
  }

  /**
   * The same after so many milliseconds, by the global timer; rejects at once where it is shut before. What
   * waits so has the bound of what waits for opening: strangers may ask for it.
   */
  sendLater(milliseconds: number, data: Uint8Array, to: Recipient): Promise<number> {
    return told((settle) => {
      if (this.#shut !== undefined) return settle(this.#shut)
      if (data.byteLength > this.#maxPayload) return settle(() => this.#tooLarge(data.byteLength))
      if (!this.#keep(data, settle)) return
      const timer = setTimeout(() => {
        this.#timed.delete(timed)
        this.#kept(data)
        this.offer(data, to, settle)
      }, milliseconds)
      const timed = { timer, settle }
      this.#timed.add(timed)
      if (!this.#held) timer.unref?.()
    })
  }

  /** Hands over what waits, in its order, and from now on everything at once. */
  open(route: Route): void {
    this.#route = route
    for (const { data, to, settle } of this.#waiting.splice(0)) {
      this.#kept(data)
      this.#hand(data, route(to), settle, false)
    }
  }

  /** Whether what waits for its time keeps the process alive, as it does at first. */
  hold(held: boolean): void {
    this.#held = held
    for (const { timer } of this.#timed) held ? timer.ref?.() : timer.unref?.()
  }

  /** Accepts nothing more, and gives up what waits for its time. */
  shut(reason: Reason): void {
    this.#shut ??= reason
    for (const { timer, settle } of this.#timed) {
      clearTimeout(timer)
      settle(reason)
    }
    this.#timed.clear()
  }

  /** Gives up what was accepted too; returns how many sends learn of it at once. */
  cut(reason: Reason): number {
    this.shut(reason)
    this.#cut ??= reason
    const waiting = this.#waiting.splice(0)
    for (const { settle } of waiting) settle(reason)
    this.#onDrained?.()
    return waiting.length
  }

  get isEmpty(): boolean {
    return this.#cut !== undefined || this.#handed + this.#waiting.length === 0
  }

  /** Resolves when all that was accepted has gone out or was given up. */
  drained(): Promise<void> {
    if (this.isEmpty) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained = resolve
    })
  }

  /** Makes room for what waits here, or settles it: whether there is room. */
  #keep({ byteLength }: Uint8Array, settle: Settle): boolean {
    const waiting = this.#waitingBytes
    const hasRoom = waiting + byteLength + OVERHEAD <= this.#limit
    if (hasRoom) {
      this.#isFull = false
      this.#waitingBytes += byteLength + OVERHEAD
    } else settle(this.#noRoom(waiting, byteLength, OVERHEAD))
    return hasRoom
  }

  /** It waits here no more. */
  #kept({ byteLength }: Uint8Array): void {
    this.#waitingBytes -= byteLength + OVERHEAD
  }

  /** Lets it go every way. A way whose queue is full is passed over, unless the send was accepted before. */
  #hand(data: Uint8Array, ways: readonly Way[], settle: Settle, mayRefuse: boolean): void {
    if (ways.length === 0) {
      this.failed += 1
      settle(() => noWay(data.byteLength))
      return
    }
    let left = ways.length
    const failed = (failure: Reason, { name }: Way): void => {
      left -= 1
      if (ways.length > 1 && this.#debug.enabled) {
        this.#debug('not sent through %s: %s', name, reasonOf(failure()))
      }
      // It changes nothing where another way has taken it.
      if (left === 0) settle(failure)
    }
    for (const way of ways) {
      const refused = mayRefuse ? this.#refused(way.socket, data.byteLength) : 0
      if (refused > 0 && refused + data.byteLength > this.#limit) {
        failed(this.#noRoom(refused, data.byteLength), way)
      } else this.#pass(data, way, settle, failed, way.heal)
    }
  }

  #pass(
    data: Uint8Array,
    way: Way,
    onSent: Settle,
    failed: (failure: Reason, way: Way) => void,
    heal: Way['heal'],
  ): void {
    const { byteLength } = data
    const { socket, port, address, name, isConnected } = way
    const settle = (cause: unknown, why?: string): void => {
      this.#handed -= 1
      this.#handedBytes -= byteLength
      if (!cause) {
        this.sent += 1
        this.bytesSent += byteLength
        this.#onSent()
      } else if (this.#cut === undefined && !isTooLarge(cause)) this.failed += 1
      if (this.#cut !== undefined) failed(this.#cut, way)
      else if (cause) failed(() => this.#sendError(cause, byteLength, way, why), way)
      else onSent(byteLength)
      if (this.#handed === 0) this.#onDrained?.()
    }
    const again = (healed: Way | string | undefined, cause: unknown): void => {
      if (typeof healed !== 'object') settle(cause, healed)
      else if (this.#cut !== undefined) settle(cause)
      else {
        this.#handed -= 1
        this.#handedBytes -= byteLength
        this.#pass(data, healed, onSent, failed, undefined)
      }
    }
    const done = (cause: unknown): void => {
      const mayHeal = cause && heal !== undefined && stale.has(errno(cause) ?? '')
      if (mayHeal) heal().then((healed) => again(healed, cause))
      else settle(cause)
    }
    this.#isFull = false
    this.#handed += 1
    this.#handedBytes += byteLength
    if (this.#debug.enabled) {
      this.#debug(
        'sending %d bytes to %s port %d by %s',
        byteLength,
        address,
        port,
        name ?? 'route',
      )
    }
    try {
      if (isConnected) socket.send(data, done)
      else socket.send(data, port, address, done)
    } catch (cause) {
      done(cause)
    }
  }

  // The kernel has refused no more than what has no answer yet, so it is asked only when that could
  // be too much. Deno's sockets do not tell.
  #refused(socket: DatagramSocket, byteLength: number): number {
    return this.#handedBytes + byteLength > this.#limit ? (socket.getSendQueueSize() ?? 0) : 0
  }

  /**
   * Of refusals in a row the first alone has a stack, which is most of what an error costs: one who sends
   * without awaiting is refused as often as that.
   */
  #noRoom(waiting: number, byteLength: number, overhead = 0): Reason {
    const full = (): MulticastError => this.#full(waiting, byteLength, overhead)
    if (this.#isFull) return () => withoutStack(full)
    this.#isFull = true
    return full
  }

  #full(waiting: number, byteLength: number, overhead: number): MulticastError {
    const kept = overhead === 0 ? '' : ` and ${overhead} to keep them`
    return new MulticastError(
      'ERR_MULTICAST_QUEUE_FULL',
      `${waiting} bytes wait to be sent, and ${byteLength} more${kept} would exceed maxQueuedBytes (${this.#limit}): await each send, or raise the limit`,
    )
  }

  #tooLarge(byteLength: number, cause?: unknown): MulticastError {
    return new MulticastError(
      'ERR_MULTICAST_MESSAGE_SIZE',
      cause === undefined
        ? `The message has ${byteLength} bytes, but a datagram holds at most ${this.#maxPayload}: split it`
        : `The system refuses a message of ${byteLength} bytes (${reasonOf(cause)}): ${hint('send', cause)}`,
      cause === undefined ? undefined : { cause },
    )
  }

  #sendError(
    cause: unknown,
    byteLength: number,
    { name, address, port }: Way,
    why = hint('send', cause, address),
  ): MulticastError {
    if (isTooLarge(cause)) return this.#tooLarge(byteLength, cause)
    const through = name === undefined ? '' : ` through ${name}`
    return new MulticastError(
      'ERR_MULTICAST_SEND',
      `Could not send ${byteLength} bytes to ${address} port ${port}${through}: ${reasonOf(cause)} (${why})`,
      { cause },
    )
  }
}

/**
 * The promise of what is settled later. Its error is made only where it is rejected, in a reaction of the
 * promise that the caller awaits: so its stack shows who that is.
 */
function told(begin: (settle: Settle) => void): Promise<number> {
  const sent: Promise<number> = new Promise(begin).then((outcome) => {
    if (typeof outcome === 'number') return outcome
    const error = outcome()
    const isOfNetwork = error instanceof MulticastError && error.code === 'ERR_MULTICAST_SEND'
    // Only now, because a promise with two reactions leaves the caller out of the stack.
    if (isOfNetwork) sent.catch(() => {})
    throw error
  })
  return sent
}

const isTooLarge = (cause: unknown): boolean => errno(cause) === 'EMSGSIZE'

/** The error where there is nothing to send through; its cause is the one that the system would give. */
function noWay(byteLength: number): MulticastError {
  const cause = Object.assign(new Error('send ENETUNREACH'), {
    code: 'ENETUNREACH',
    syscall: 'send',
  })
  return new MulticastError(
    'ERR_MULTICAST_SEND',
    `Could not send ${byteLength} bytes: no interface to send through is available. Sends go out once there is one`,
    { cause },
  )
}

/**
 * How a send is refused where an interface has another address now, was made anew, or is away, and where
 * the socket is being replaced or has just been.
 */
const stale: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'ECANCELED',
  'EINVAL',
  'ENETDOWN',
  'ENETUNREACH',
  'ENODEV',
  'ENXIO',
  'ERR_SOCKET_DGRAM_IS_CONNECTED',
  'ERR_SOCKET_DGRAM_NOT_RUNNING',
])
