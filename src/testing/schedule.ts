import type { AsyncResource } from 'node:async_hooks'
import { throwUncaught } from '../stack/ticks.js'
import { Hold, type Task, turn } from '../stack/turns.js'

/** Milliseconds of the longest timer: a longer one fires at once. */
const LONGEST = 2 ** 31 - 1

/** What a timer will bring. */
interface Delayed {
  cancel(): void
  /** Whether its timer is to keep the process alive. */
  hold(isHeld: boolean): void
}

/** What is under way in one network: what happens in the coming turns, and what happens later. */
export class Schedule {
  /** What happens in the coming turns, and what a timer will bring. */
  #underWay = 0
  readonly #delayed = new Set<Delayed>()
  #waiters: { readonly resolve: () => void; readonly isPatient: boolean }[] = []
  /** Keeps the process alive while somebody waits for turns. */
  readonly #hold = new Hold()

  /**
   * Runs `task` in a turn of its own, in the asynchronous context of `scope`, and again as long as it returns true.
   * What it throws is uncaught there, as from a callback of node:dgram.
   */
  soon(task: Task, scope?: AsyncResource): void {
    this.#underWay += 1
    if (this.#waiters.length > 0) this.#hold.set(true)
    const run = () => this.#run(task)
    turn(() => (scope === undefined ? run() : scope.runInAsyncScope(run)))
  }

  /**
   * Runs `task` `ms` milliseconds later, by the timers of the moment, which may be fake ones. That keeps the process
   * alive only while somebody waits until all has settled.
   */
  after(ms: number, task: () => void): void {
    // Whoever has set a timer has to clear it.
    const { setTimeout, clearTimeout } = globalThis
    const fire = (): void => {
      this.#delayed.delete(delayed)
      this.#underWay += 1
      this.#run(task)
    }
    let timer: ReturnType<typeof setTimeout>
    const start = (left: number): void => {
      timer =
        left <= LONGEST ? setTimeout(fire, left) : setTimeout(() => start(left - LONGEST), LONGEST)
      delayed.hold(this.#isAwaited)
    }
    const delayed: Delayed = {
      cancel: () => clearTimeout(timer),
      // A fake one may be a number, and never keeps a process alive.
      hold: (isHeld) => (isHeld ? timer.ref?.() : timer.unref?.()),
    }
    start(ms)
    this.#delayed.add(delayed)
  }

  /** Gives up what waits for a timer. */
  cancel(): void {
    for (const { cancel } of this.#delayed) cancel()
    this.#delayed.clear()
    this.soon(() => {})
  }

  /** Resolves when nothing is under way, and what the last of it set off has come to rest too. */
  settled(): Promise<void> {
    return this.#rest(true)
  }

  /** The same, but what waits for a timer may be under way. */
  idle(): Promise<void> {
    return this.#rest(false)
  }

  #rest(isPatient: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ resolve, isPatient })
      for (const { hold } of this.#delayed) hold(this.#isAwaited)
      // At least one turn passes, in which what the caller has just begun shows.
      this.soon(() => {})
    })
  }

  /** Whether it is to be run again. */
  #run(task: Task): boolean {
    try {
      if (task() === true) return true
    } catch (error) {
      throwUncaught(error)
    }
    this.#underWay -= 1
    if (this.#waiters.length > 0 && this.#underWay === 0) {
      this.#hold.set(true)
      turn(() => this.#wake())
    }
    return false
  }

  /** Whether somebody waits for what is delayed. */
  get #isAwaited(): boolean {
    return this.#waiters.some(({ isPatient }) => isPatient)
  }

  /** The microtasks of the last task have run: unless they began something, all is at rest. */
  #wake(): void {
    if (this.#underWay > 0) return
    this.#hold.set(false)
    const waiters = this.#waiters.splice(0)
    this.#waiters = waiters.filter(({ isPatient }) => isPatient && this.#delayed.size > 0)
    for (const waiter of waiters) if (!this.#waiters.includes(waiter)) waiter.resolve()
  }
}
