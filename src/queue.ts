import type { Reason } from './errors.js'

/** What somebody else does as a queue goes on. */
interface Hooks {
  /** At the first read. */
  readonly onStart?: () => void
  /** When a value has been taken in; `dropped` is how many older ones had to go for it. */
  readonly onPush?: (dropped: number) => void
  /** Once, when no more will be taken in, also because nobody reads any more. */
  readonly onEnd?: () => void
}

/** How much a queue holds. */
export interface Bounds {
  /** The number of values. */
  readonly queueLimit: number
  /** The sum of their bytes; one value is held however large it is. */
  readonly queueBytes: number
}

/** What a reader is told who has waited. */
type Told<Value> = IteratorResult<Value, undefined> | { readonly failure: Reason }

/**
 * What an async iterator reads from: it holds so much that nobody has taken yet, and drops the oldest past
 * that. What it holds when it ends is still read.
 */
export class Queue<Value extends { readonly remote: { readonly size: number } }>
  implements AsyncIterableIterator<Value, undefined, undefined>
{
  readonly #bounds: Bounds
  #bytes = 0
  readonly #values: (Value | undefined)[] = []
  /** Where in it the oldest value is that nobody has taken: what is before it is empty. */
  #first = 0
  readonly #readers: ((told: Told<Value>) => void)[] = []
  readonly #hooks: Hooks
  #hasStarted = false
  #end: { failure?: Reason } | undefined

  constructor(bounds: Bounds, hooks: Hooks = {}) {
    this.#bounds = bounds
    this.#hooks = hooks
  }

  /** Returns how many older values had to be dropped for it. */
  push(value: Value): number {
    if (this.#end !== undefined) return 0
    const reader = this.#readers.shift()
    let dropped = 0
    if (reader !== undefined) reader({ done: false, value })
    else {
      const { queueLimit, queueBytes } = this.#bounds
      const { size } = value.remote
      while (this.#count === queueLimit || (this.#count > 0 && this.#bytes + size > queueBytes)) {
        this.#take()
        dropped += 1
      }
      this.#values.push(value)
      this.#bytes += size
    }
    this.#hooks.onPush?.(dropped)
    return dropped
  }

  /** Ends the iteration once what it holds has been read. */
  end(): void {
    this.#finish({})
  }

  /** The same, but the end is an error. */
  fail(failure: Reason): void {
    this.#finish({ failure })
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    if (!this.#hasStarted) {
      this.#hasStarted = true
      if (this.#end === undefined) this.#hooks.onStart?.()
    }
    const value = this.#take()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#end === undefined) {
      return new Promise<Told<Value>>((resolve) => this.#readers.push(resolve)).then(result)
    }
    const { failure } = this.#end
    this.#end = {}
    if (failure !== undefined) return Promise.reject(failure())
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Called when a `for await` loop is left: drops what nobody will read. */
  return(): Promise<IteratorResult<Value, undefined>> {
    this.#values.length = 0
    this.#first = 0
    this.#bytes = 0
    if (this.#end === undefined) this.end()
    else this.#end = {}
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Whether somebody waits for a value. */
  get isAwaited(): boolean {
    return this.#readers.length > 0
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  get #count(): number {
    return this.#values.length - this.#first
  }

  #take(): Value | undefined {
    const value = this.#values[this.#first]
    if (value === undefined) return undefined
    this.#bytes -= value.remote.size
    this.#values[this.#first] = undefined
    this.#first += 1
    // Cut off now and then, because each cut moves all that is left.
    if (this.#first * 2 > this.#values.length) {
      this.#values.splice(0, this.#first)
      this.#first = 0
    }
    return value
  }

  #finish(end: { failure?: Reason }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#hooks.onEnd?.()
    const { failure } = end
    // An error is told once, to whoever reads first; the others see the end.
    const readers = this.#readers.splice(0)
    if (failure !== undefined && readers.length > 0) this.#end = {}
    readers.forEach((reader, index) => {
      if (failure !== undefined && index === 0) reader({ failure })
      else reader({ done: true, value: undefined })
    })
  }
}

/** In a reaction of the promise that the reader awaits, so that the stack of an error shows who that is. */
function result<Value>(told: Told<Value>): IteratorResult<Value, undefined> {
  if ('failure' in told) throw told.failure()
  return told
}
