import type { AddressInfo } from 'node:net'
import { Emitter } from './events.js'
import type { Lifecycle } from './lifecycle.js'
import type { MulticastStats, Received } from './traffic.js'

/** The members that a sender and a receiver share. Each hands on to its life cycle. */
export abstract class Endpoint<Incoming> extends Emitter<Incoming> {
  readonly #lifecycle: Lifecycle<Incoming>

  /** @internal */
  protected constructor(lifecycle: Lifecycle<Incoming>) {
    super()
    this.#lifecycle = lifecycle
  }

  /**
   * Resolves with this once it is listening. Rejects with the error that opening failed with, with the
   * signal's reason, or with `ERR_MULTICAST_CLOSED`.
   */
  ready(): Promise<this> {
    // It begins with this as its emitter.
    return this.#lifecycle.ready() as Promise<unknown> as Promise<this>
  }

  /**
   * Closes, once the sends that were accepted have gone out; later ones reject with
   * `ERR_MULTICAST_CLOSED`. Resolves when the socket is gone. Calling it again changes nothing.
   */
  close(): Promise<void> {
    return this.#lifecycle.close()
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
    return this.#lifecycle.subscribe()
  }

  /**
   * The address and port that it is bound to, as `dgram.Socket#address` tells them. Throws
   * `ERR_MULTICAST_NOT_LISTENING` before `listening` and after `close`.
   */
  address(): AddressInfo {
    return this.#lifecycle.address()
  }

  /** Lets it keep the process alive, as it does by default. */
  ref(): this {
    this.#lifecycle.hold(true)
    return this
  }

  /** Lets the process end although it is open. */
  unref(): this {
    this.#lifecycle.hold(false)
    return this
  }

  /** The counts up to now, in an object of their own. */
  get stats(): MulticastStats {
    return this.#lifecycle.stats
  }
}
