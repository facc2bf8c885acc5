import type { NatsConnection, NatsMessage, NatsSubscription } from './connection.js'

/** What the server is asked to send here. */
export class Interest {
  readonly #connection: NatsConnection
  readonly #onMessage: (message: NatsMessage) => void
  readonly #subscriptions = new Map<string, NatsSubscription>()
  readonly #refused = new Map<string, Error>()

  constructor(connection: NatsConnection, onMessage: (message: NatsMessage) => void) {
    this.#connection = connection
    this.#onMessage = onMessage
  }

  /** Asks for these subjects from now on, and for no others. */
  want(subjects: ReadonlySet<string>): void {
    for (const subject of this.#refused.keys()) {
      if (!subjects.has(subject)) this.#refused.delete(subject)
    }
    for (const [subject, subscription] of this.#subscriptions) {
      if (subjects.has(subject)) continue
      this.#subscriptions.delete(subject)
      subscription.unsubscribe()
    }
    for (const subject of subjects) {
      const isKnown = this.#subscriptions.has(subject) || this.#refused.has(subject)
      if (!isKnown) this.#subscribe(subject)
    }
  }

  /** Asks once more for what was refused: permissions may be others now. */
  retry(): void {
    const subjects = [...this.#refused.keys()]
    this.#refused.clear()
    for (const subject of subjects) this.#subscribe(subject)
  }

  /** Why one of these was refused, if so. */
  refusal(subjects: Iterable<string>): Error | undefined {
    for (const subject of subjects) {
      const refusal = this.#refused.get(subject)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  #subscribe(subject: string): void {
    try {
      const subscription = this.#connection.subscribe(subject, {
        callback: (error, message) => {
          if (this.#subscriptions.get(subject) !== subscription) return
          if (error === null) return this.#onMessage(message)
          // The client has ended it.
          this.#subscriptions.delete(subject)
          this.#refused.set(subject, error)
        },
      })
      this.#subscriptions.set(subject, subscription)
    } catch (error) {
      // It is closed, or about to be.
      this.#refused.set(subject, error as Error)
    }
  }
}
