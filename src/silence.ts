/**
 * A clock that runs out after `ms` milliseconds without a `restart()`, once. It does not run before
 * the first. The timer is the global one of the moment, so that fake timers replace it; it is set
 * anew each time because not every fake timer can be refreshed.
 */
export class Silence {
  readonly #ms: number
  readonly #onEnd: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #hasBegun = false
  #held = true

  constructor(ms: number, onEnd: () => void) {
    this.#ms = ms
    this.#onEnd = onEnd
  }

  restart(): void {
    this.#hasBegun = true
    const previous = this.#timer
    const timer = setTimeout(() => {
      // One that a fake clock could not clear is none of ours any more.
      if (this.#timer !== timer) return
      this.#timer = undefined
      this.#onEnd()
    }, this.#ms)
    this.#timer = timer
    // Only now: Node sets up anew what it keeps for each duration when the last timer of it goes.
    clearTimeout(previous)
    if (!this.#held) timer.unref?.()
  }

  /** Begins anew if it has ever begun. */
  touch(): void {
    if (this.#hasBegun) this.restart()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Whether a running clock keeps the process alive, as it does at first. */
  hold(held: boolean): void {
    this.#held = held
    if (held) this.#timer?.ref?.()
    else this.#timer?.unref?.()
  }
}
