import type { Answer } from '../stack/wire.js'
import type { Session } from './session.js'

/** From so many bytes on the server is asked whether it has them. */
const asked = 2 ** 16

/** More bytes than that make senders wait. */
const limit = 2 ** 18

/**
 * What the client was given, and of which nobody knows that the server has taken it. The client would keep any amount
 * of it in memory.
 */
export class Window {
  readonly #session: Session
  #bytes = 0
  #waiting: Answer[] = []
  #isAsking = false

  constructor(session: Session) {
    this.#session = session
  }

  /** The bytes that wait to be taken. */
  get queued(): number {
    return Math.max(0, this.#bytes - limit)
  }

  /** So many bytes were given: answers as soon as there is room for more. */
  take(bytes: number, answer: Answer): void {
    this.#bytes += bytes
    if (this.queued === 0) answer()
    else this.#waiting.push(answer)
    if (!this.#isAsking) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    while (this.#bytes >= asked) {
      const [bytes, waiting] = [this.#bytes, this.#waiting]
      this.#waiting = []
      const isTaken = await this.#session.flushed()
      this.#bytes -= bytes
      for (const answer of waiting) answer(isTaken ? undefined : 'ENETUNREACH')
    }
    this.#isAsking = false
  }
}
