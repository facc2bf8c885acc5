import type { AsyncResource } from 'node:async_hooks'
import { turn } from './turns.js'

// Taken before anybody puts a fake in its place.
const { queueMicrotask } = globalThis

/** What is under way in one network: what happens in the coming turns, and what happens later. */
export class Schedule {
  #underWay = 0
  #waiters: (() => void)[] = []

  /**
   * Runs `task` in a turn of its own, in the asynchronous context of `scope`. What it throws is
   * uncaught there, as from a callback of node:dgram.
   */
  soon(task: () => void, scope?: AsyncResource): void {
    this.#underWay += 1
    turn(() => {
      if (scope === undefined) this.#run(task)
      else scope.runInAsyncScope(() => this.#run(task))
    })
  }

  /** The same, `ms` milliseconds later by the timers of the moment, which may be fake ones. */
  after(ms: number, task: () => void): void {
    this.#underWay += 1
    setTimeout(() => this.#run(task), ms)
  }

  /** Resolves when nothing is under way, and what the last of it set off has come to rest too. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      // At least one turn passes, in which what the caller has just begun shows.
      this.soon(() => this.#waiters.push(resolve))
    })
  }

  #run(task: () => void): void {
    try {
      task()
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
    this.#underWay -= 1
    if (this.#waiters.length > 0 && this.#underWay === 0) turn(() => this.#rest())
  }

  /** The microtasks of the last task have run: unless they began something, all is at rest. */
  #rest(): void {
    if (this.#underWay > 0) return
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
