import type { Debugger } from 'debug'
import { type Group, maxPayload } from './address.js'
import type { DatagramSocket } from './datagram.js'
import { errno, hint, MulticastError, type Reason, reasonOf } from './errors.js'

/** Picks the socket to send through, once there is one. */
type Route = (address: string) => DatagramSocket

interface Waiting {
  readonly data: Uint8Array
  readonly port: number
  readonly address: string
  readonly resolve: (bytes: number) => void
  readonly reject: (reason: unknown) => void
}

/**
 * What goes out. Before {@link open} sends wait here; afterwards the kernel takes them. It ends
 * gently with {@link shut}, which lets accepted sends go out, or at once with {@link cut}.
 */
export class Outbox {
  /** Datagrams that the kernel has taken, and their bytes. */
  sent = 0
  bytesSent = 0

  readonly #limit: number
  readonly #maxPayload: number
  readonly #debug: Debugger
  readonly #onSent: () => void
  #route: Route | undefined
  #waiting: Waiting[] = []
  #waitingBytes = 0
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

  /** Resolves with the bytes once the kernel has taken them; every failure is a rejection. */
  send(data: Uint8Array, port: number, address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#shut !== undefined) reject(this.#shut())
      else if (data.byteLength > this.#maxPayload) reject(this.#tooLarge(data.byteLength))
      else if (this.#route !== undefined) {
        const socket = this.#route(address)
        const refused = this.#refused(socket, data.byteLength)
        if (refused > 0 && refused + data.byteLength > this.#limit) {
          reject(this.#full(refused, data.byteLength))
        } else this.#hand(socket, data, port, address, resolve, reject)
      } else if (this.#waitingBytes + data.byteLength > this.#limit) {
        reject(this.#full(this.#waitingBytes, data.byteLength))
      } else {
        this.#waitingBytes += data.byteLength
        this.#waiting.push({ data, port, address, resolve, reject })
      }
    })
  }

  /** Hands over what waits, in its order, and from now on everything at once. */
  open(route: Route): void {
    this.#route = route
    this.#waitingBytes = 0
    for (const { data, port, address, resolve, reject } of this.#waiting.splice(0)) {
      this.#hand(route(address), data, port, address, resolve, reject)
    }
  }

  /** Accepts nothing more. */
  shut(reason: Reason): void {
    this.#shut ??= reason
  }

  /** Gives up what was accepted too; returns how many sends learn of it at once. */
  cut(reason: Reason): number {
    this.shut(reason)
    this.#cut ??= reason
    const waiting = this.#waiting.splice(0)
    for (const { reject } of waiting) reject(reason())
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

  #hand(
    socket: DatagramSocket,
    data: Uint8Array,
    port: number,
    address: string,
    resolve: (bytes: number) => void,
    reject: (reason: unknown) => void,
  ): void {
    const { byteLength } = data
    const done = (cause: unknown): void => {
      this.#handed -= 1
      this.#handedBytes -= byteLength
      if (!cause) {
        this.sent += 1
        this.bytesSent += byteLength
        this.#onSent()
      }
      if (this.#cut !== undefined) reject(this.#cut())
      else if (cause) reject(this.#sendError(cause, byteLength, port, address))
      else resolve(byteLength)
      if (this.#handed === 0) this.#onDrained?.()
    }
    this.#handed += 1
    this.#handedBytes += byteLength
    if (this.#debug.enabled)
      this.#debug('sending %d bytes to %s port %d', byteLength, address, port)
    try {
      socket.send(data, port, address, done)
    } catch (cause) {
      done(cause)
    }
  }

  // The kernel has refused no more than what has no answer yet, so it is asked only when that could
  // be too much. Deno's sockets do not tell.
  #refused(socket: DatagramSocket, byteLength: number): number {
    return this.#handedBytes + byteLength > this.#limit ? (socket.getSendQueueSize() ?? 0) : 0
  }

  #full(waiting: number, byteLength: number): MulticastError {
    return new MulticastError(
      'ERR_MULTICAST_QUEUE_FULL',
      `${waiting} bytes wait to be sent, and ${byteLength} more would be over maxQueuedBytes, ${this.#limit}: await each send, or raise it`,
    )
  }

  #tooLarge(byteLength: number, cause?: unknown): MulticastError {
    return new MulticastError(
      'ERR_MULTICAST_MESSAGE_SIZE',
      cause === undefined
        ? `The message has ${byteLength} bytes, and a datagram holds at most ${this.#maxPayload}: split it`
        : `The system takes no message of ${byteLength} bytes (${reasonOf(cause)}): split it, or raise the system's limit (on macOS net.inet.udp.maxdgram)`,
      cause === undefined ? undefined : { cause },
    )
  }

  #sendError(cause: unknown, byteLength: number, port: number, address: string): MulticastError {
    if (errno(cause) === 'EMSGSIZE') return this.#tooLarge(byteLength, cause)
    return new MulticastError(
      'ERR_MULTICAST_SEND',
      `Could not send ${byteLength} bytes to ${address} port ${port}: ${reasonOf(cause)} (${hint('send', cause)})`,
      { cause },
    )
  }
}
