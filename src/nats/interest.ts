import type { NatsMessage, NatsSubscription } from './connection.js'
import type { Session } from './session.js'

/** Milliseconds after which the server is asked again for what it has refused: as often as a client tries to connect. */
const pause = 2000

/** One subject that the server is asked for, which may end with a wildcard. */
interface Asked {
  readonly subscription: NatsSubscription
  /** Others in whose place it comes, and that are heard until the server has taken it. */
  before: readonly string[]
}

/** What the server is asked to send here. */
export class Interest {
  readonly #session: Session
  readonly #onMessage: (message: NatsMessage) => void
  readonly #asked = new Map<string, Asked>()
  readonly #refused = new Map<string, Error>()
  #wanted: ReadonlySet<string> = new Set()
  /** Whether what is refused is asked for again soon. */
  #isPausing = false

  constructor(session: Session, onMessage: (message: NatsMessage) => void) {
    this.#session = session
    this.#onMessage = onMessage
  }

  /** Asks for these subjects from now on, and for no others. */
  want(subjects: ReadonlySet<string>): void {
    this.#wanted = subjects
    for (const subject of this.#refused.keys()) {
      if (!subjects.has(subject)) this.#refused.delete(subject)
    }
    for (const subject of subjects) {
      const isKnown = this.#asked.has(subject) || this.#refused.has(subject)
      if (!isKnown) this.#subscribe(subject)
    }
    // One that another takes the place of is kept meanwhile, since nobody else shall miss anything.
    const kept = new Set([...subjects].flatMap((subject) => this.#asked.get(subject)?.before ?? []))
    for (const [subject, { subscription }] of this.#asked) {
      if (subjects.has(subject) || kept.has(subject)) continue
      this.#asked.delete(subject)
      subscription.unsubscribe()
    }
  }

  /** Asks once more for what of these was refused: permissions may be others now. */
  retry(subjects: Iterable<string> = [...this.#refused.keys()]): void {
    for (const subject of subjects) {
      if (this.#refused.delete(subject)) this.#subscribe(subject)
    }
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
    const isHeard = (message: NatsMessage): boolean =>
      !this.#asked
        .get(subject)
        ?.before.some((other) => this.#asked.has(other) && covers(other, message.subject))
    try {
      const subscription = this.#session.connection.subscribe(subject, {
        callback: (error, message) => {
          if (this.#asked.get(subject)?.subscription !== subscription) return
          if (error === null) {
            if (isHeard(message)) this.#onMessage(message)
            return
          }
          // The client has ended it.
          this.#asked.delete(subject)
          this.#refused.set(subject, error)
          this.#retrySoon()
        },
      })
      const before = [...this.#asked.keys()].filter(
        (other) => covers(other, subject) || covers(subject, other),
      )
      const asked = { subscription, before }
      this.#asked.set(subject, asked)
      if (before.length > 0) void this.#replace(asked)
    } catch (error) {
      // It is closed, or about to be.
      this.#refused.set(subject, error as Error)
    }
  }

  /** What is still wanted was allowed before, and may be again, of which the server tells nobody. */
  #retrySoon(): void {
    if (this.#isPausing) return
    this.#isPausing = true
    AbortSignal.timeout(pause).addEventListener('abort', () => {
      this.#isPausing = false
      this.retry()
    })
  }

  /** It takes the place of those before once the server has it: what came meanwhile has come to both. */
  async #replace(asked: Asked): Promise<void> {
    await this.#session.flushed()
    asked.before = []
    this.want(this.#wanted)
  }
}

/** Whether what is published to the one is heard by who asks for the other. */
function covers(asked: string, subject: string): boolean {
  return asked === subject || (asked.endsWith('.*') && subject.startsWith(asked.slice(0, -1)))
}
