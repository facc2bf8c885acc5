import { performance } from 'node:perf_hooks'

// Taken before anybody puts a fake in its place.
const now = performance.now.bind(performance)

type Timer = ReturnType<typeof setTimeout>

/**
 * A clock that runs out after `ms` milliseconds without a `restart()`, once. It does not run before
 * the first. The timer is the global one of the moment, so that fake timers replace it.
 *
 * A genuine timer runs on while the time of each restart is noted, and is set again for the rest. What it
 * says is believed only once the sockets have been read again: where the loop was busy it fires before they
 * are. A fake one is set anew each time, because not each can be refreshed, and believed at once, because a
 * fake clock would tick for ever while it is doubted.
 */
export class Silence {
  readonly #ms: number
  readonly #onEnd: () => void
  #timer: Timer | undefined
  /** What the timer was set by, and whether that is Node's own. */
  #setBy: typeof setTimeout | undefined
  #isGenuine = false
  /** What lets the sockets be read before it has run out. */
  #doubt: ReturnType<typeof setImmediate> | undefined
  /** When it was restarted last, by the clock of {@link now}. */
  #last = 0
  #hasBegun = false
  #held = true

  constructor(ms: number, onEnd: () => void) {
    this.#ms = ms
    this.#onEnd = onEnd
  }

  restart(): void {
    this.#hasBegun = true
    this.#last = now()
    const isRunning = this.#timer !== undefined && this.#isGenuine
    if (!isRunning || this.#setBy !== setTimeout) this.#set(this.#ms)
  }

  /** Begins anew if it has ever begun. */
  touch(): void {
    if (this.#hasBegun) this.restart()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    clearImmediate(this.#doubt)
    this.#doubt = undefined
  }

  /** Whether a running clock keeps the process alive, as it does at first. */
  hold(held: boolean): void {
    this.#held = held
    for (const handle of [this.#timer, this.#doubt]) held ? handle?.ref?.() : handle?.unref?.()
  }

  #set(ms: number): void {
    const previous = this.#timer
    const timer = setTimeout(() => {
      // One that a fake clock could not clear is none of ours any more.
      if (this.#timer === timer) this.#ring()
    }, ms)
    this.#timer = timer
    this.#setBy = setTimeout
    this.#isGenuine = isGenuine(timer)
    // Only now: Node sets up anew what it keeps for each duration when the last timer of it goes.
    clearTimeout(previous)
    if (!this.#held) timer.unref?.()
  }

  #ring(): void {
    this.#timer = undefined
    const left = this.#last + this.#ms - now()
    if (!this.#isGenuine) this.#onEnd()
    else if (left >= 1) this.#set(left)
    else this.#read()
  }

  /** Ends once the sockets have been read, unless something came. */
  #read(): void {
    const last = this.#last
    this.#doubt = setImmediate(() => {
      this.#doubt = undefined
      // Restarted meanwhile, it runs again.
      if (this.#timer === undefined && this.#last === last) this.#onEnd()
    })
    if (!isGenuine(this.#doubt)) {
      clearImmediate(this.#doubt)
      this.#doubt = undefined
      this.#onEnd()
    } else if (!this.#held) this.#doubt.unref()
  }
}

/** Whether that is a timer of Node's, and not of a fake clock. One of another runtime's counts as fake. */
function isGenuine(timer: unknown): boolean {
  if (typeof timer !== 'object' || timer === null) return false
  return Object.getOwnPropertySymbols(timer).some(({ description }) => description === 'asyncId')
}
