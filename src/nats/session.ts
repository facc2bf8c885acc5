import { isOfChange, MulticastError, shown } from '../errors.js'
import type { NatsConnection, NatsStatus } from './connection.js'

const methods = ['publish', 'subscribe', 'flush', 'status', 'closed', 'isClosed'] as const

/** A connection that can be used, or else a MulticastError. */
export function parseConnection(value: unknown): NatsConnection {
  const connection = Object(value) as NatsConnection
  const missing = methods.find((name) => typeof connection[name] !== 'function')
  if (missing === undefined && !connection.isClosed()) return connection
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    missing === undefined
      ? 'connection must be open, but is closed'
      : `connection must be what connect() of the NATS client resolves with, but is ${shown(value)}`,
  )
}

/** Told of what happens to a connection. */
interface SessionListener {
  /** The server has gone, or is back. */
  onChange(): void
  /** The client has given up, or was closed. */
  onEnd(cause: Error): void
  /** The server has refused something. */
  onError(error: unknown): void
}

/** Whether a connection has its server. */
export class Session {
  readonly connection: NatsConnection
  /** Whether the server is there. */
  isUp: boolean
  /** Why the connection is closed, once it is. */
  end: Error | undefined
  readonly #listener: SessionListener
  #losses = 0
  /** Those who wait for the server: to be there, or to have taken something, which it has not where it goes. */
  readonly #forUp = new Set<() => void>()
  readonly #forFlush = new Set<(isTaken: boolean) => void>()

  constructor(connection: NatsConnection, listener: SessionListener) {
    this.connection = connection
    this.#listener = listener
    // While the client looks for its server it has forgotten what that has told.
    this.isUp = connection.info !== undefined
    void this.#follow()
    connection.closed().then(
      (reason) => this.#close(reason),
      (reason) => this.#close(reason),
    )
  }

  /** Resolves once the server is there, or never will be. */
  async up(): Promise<void> {
    if (this.isUp || this.end !== undefined) return
    await new Promise<void>((resolve) => this.#forUp.add(resolve))
  }

  /** Whether the server has taken what the client was given before. */
  flushed(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isTaken: boolean): void => {
        this.#forFlush.delete(settle)
        resolve(isTaken)
      }
      if (!this.isUp) return settle(false)
      this.#forFlush.add(settle)
      this.connection.flush().then(
        () => settle(true),
        () => settle(false),
      )
    })
  }

  async #follow(): Promise<void> {
    try {
      for await (const status of this.connection.status()) this.#notice(status)
    } catch {
      // Whatever has ended it, closed() tells.
    }
  }

  #notice({ type, error }: NatsStatus): void {
    if (type === 'reconnect') this.#return()
    // Who gets the connection while its server is away hears of the latter alone.
    else if (type === 'disconnect' || type === 'reconnecting') {
      this.#losses += 1
      this.#turn(false)
    } else if (type === 'error') this.#listener.onError(error)
  }

  /** The client has its server again, and has asked for all subjects anew: it is there once it has taken that. */
  #return(): void {
    const losses = this.#losses
    this.connection.flush().then(
      () => losses === this.#losses && this.#turn(true),
      // It is lost again, which is told, or closed.
      () => {},
    )
  }

  #turn(isUp: boolean): void {
    if (isUp === this.isUp || this.end !== undefined) return
    this.isUp = isUp
    this.#wake()
    this.#listener.onChange()
  }

  #close(reason: unknown): void {
    const end = reason instanceof Error ? reason : new Error('the connection to NATS was closed')
    // What the network did last is not why nothing more will come of it.
    this.end = isOfChange(end) ? new Error(end.message, { cause: end }) : end
    this.isUp = false
    this.#wake()
    this.#listener.onEnd(this.end)
  }

  #wake(): void {
    if (!this.isUp) for (const settle of [...this.#forFlush]) settle(false)
    if (!this.isUp && this.end === undefined) return
    for (const resolve of this.#forUp) resolve()
    this.#forUp.clear()
  }
}
