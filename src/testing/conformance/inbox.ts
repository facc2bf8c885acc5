/** What an endpoint hears, kept in order and awaited with a bound. */
import type { Remote } from '../../events.js'

/** Milliseconds that anything awaited may take. */
export const BOUND = 10_000

// Taken before anybody puts a fake in its place.
const { setTimeout, clearTimeout } = globalThis

/** A datagram that was heard. */
export interface Mail {
  readonly data: Buffer
  /** The data as UTF-8. */
  readonly text: string
  readonly remote: Remote
}

/** Anything that emits `message` as a `dgram.Socket` does. */
export interface Hears {
  on(event: 'message', listener: (data: Buffer, remote: Remote) => void): unknown
}

/** The datagrams that come in, in order, from now on. */
export class Inbox {
  readonly #mails: Mail[] = []
  #arrived: (() => void) | undefined

  /** Of a sender, a receiver, a plain socket, or one of these in a `Peer`. */
  constructor(endpoint: Hears) {
    endpoint.on('message', (data, remote) => {
      this.#mails.push({ data, text: data.toString(), remote })
      this.#arrived?.()
    })
  }

  /** How many have come and were not taken yet. */
  get size(): number {
    return this.#mails.length
  }

  /** The oldest that was not taken yet; fails if none comes in time. */
  async next(): Promise<Mail> {
    const [mail] = await this.take(1)
    return mail as Mail
  }

  /** The next `count` of them; fails if they do not come in time. */
  async take(count: number): Promise<Mail[]> {
    const end = Date.now() + BOUND
    while (this.#mails.length < count) {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => {
          const heard = this.#mails.map(({ text }) => text.slice(0, 60))
          reject(new Error(`heard ${JSON.stringify(heard)} in ${BOUND} ms, not ${count} messages`))
        }, end - Date.now())
        this.#arrived = () => {
          clearTimeout(late)
          resolve()
        }
      })
    }
    return this.#mails.splice(0, count)
  }

  /**
   * The texts up to and with `marker`, which is sent last. A message that is not among them was not
   * heard: that takes no waiting.
   */
  async until(marker: string): Promise<string[]> {
    const texts: string[] = []
    do texts.push((await this.next()).text)
    while (texts.at(-1) !== marker)
    return texts
  }
}
