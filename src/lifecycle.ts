import type { Debugger } from 'debug'
import { MulticastError, type Reason } from './errors.js'
import { raise } from './events.js'

/** What happens to the parts of an endpoint as its life goes on, in this order. */
export interface Handlers {
  /** Whether what was accepted has to go out, although it was closed before it began. */
  isNeeded(): boolean
  /** Opens what it needs; throws a MulticastError if it cannot. */
  open(): Promise<void>
  /** It is open: what waits goes out. `isListening` unless it was closed meanwhile. */
  opened(isListening: boolean): void
  /** Emits `listening`: whoever waited for it has been told. */
  listening(): void
  /** Nothing more is accepted, and on an abort what was accepted is given up. An abort may follow a close. */
  end(reason: Reason, how: 'close' | 'abort'): void
  /** Resolves when what was accepted has gone out or was given up. */
  drained(): Promise<void>
  /** Takes down what was opened. `reason` is for what is still being opened. */
  release(reason: Reason): Promise<void>
  /** It could not be opened: what was accepted is given up. Returns whether anybody is told by that. */
  fail(reason: Reason, wasOpening: boolean): boolean
  /** Whether somebody listens for `error`. */
  isWatched(): boolean
  /** Emits `error`. */
  error(failure: MulticastError): void
  /** Emits `close`. */
  closed(): void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

type State<Self> =
  | { readonly name: 'opening'; readonly waiters: Waiter[]; ready?: Promise<Self> }
  | { readonly name: 'listening' }
  /** `reason` is what later calls reject with. */
  | { readonly name: 'closing' | 'closed'; readonly reason: Reason }

/**
 * The one life of an endpoint.
 *
 *     opening -> listening -> closing -> closed
 *
 * `close()`, an abort and a failure to open lead to closing from wherever they find it.
 */
export class Lifecycle<Self> {
  readonly #self: Self
  readonly #noun: string
  readonly #signal: AbortSignal | undefined
  readonly #debug: Debugger
  readonly #handlers: Handlers
  /** Set off by {@link #end}. */
  readonly #ending = deferred()
  readonly #closed = deferred()
  #state: State<Self> = { name: 'opening', waiters: [] }
  /** Settles when the last task is done: they take turns. */
  #turn: Promise<void> = Promise.resolve()

  /** Begins it: opening on a later tick. `noun` is what messages call `self`. */
  constructor(
    self: Self,
    noun: string,
    signal: AbortSignal | undefined,
    debug: Debugger,
    handlers: Handlers,
  ) {
    this.#self = self
    this.#noun = noun
    this.#signal = signal
    this.#debug = debug
    this.#handlers = handlers
    if (signal?.aborted) this.#abort()
    else signal?.addEventListener('abort', this.#abort)
    this.#live()
  }

  get state(): State<Self>['name'] {
    return this.#state.name
  }

  /** The same promise for all who ask while it is opening, so that an error is told once. */
  ready(): Promise<Self> {
    const listening = (): Promise<Self> => this.whenListening().then(() => this.#self)
    if (this.#state.name !== 'opening') return listening()
    this.#state.ready ??= listening()
    return this.#state.ready
  }

  /** Resolves once it is listening, rejects with the reason why it never will. */
  whenListening(): Promise<void> {
    const state = this.#state
    if (state.name === 'listening') return Promise.resolve()
    if (state.name !== 'opening') return Promise.reject(state.reason())
    return new Promise((resolve, reject) => state.waiters.push({ resolve, reject }))
  }

  /** Does it when it is listening and what was asked for before is done. Rejects where it ends before. */
  async inTurn(task: () => Promise<void>): Promise<void> {
    await this.whenListening()
    const turn = this.#turn.then(async () => {
      this.throwIfEnded()
      await task().catch((error: unknown) => {
        // What the closing of the socket has made impossible failed for that reason.
        this.throwIfEnded()
        throw error
      })
      // Overtaken, so that nothing is done after all.
      this.throwIfEnded()
    })
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** Throws the reason why it ends or has ended, if so. */
  throwIfEnded(): void {
    if (this.#state.name === 'closing' || this.#state.name === 'closed') throw this.#state.reason()
  }

  /** Throws unless it is listening. */
  throwUnlessListening(what: string): void {
    const { name } = this.#state
    if (name === 'listening') return
    const remedy = name === 'opening' ? 'await ready() first' : 'ask before closing'
    throw new MulticastError(
      'ERR_MULTICAST_NOT_LISTENING',
      `The ${this.#noun} is ${name} and has ${what} only while listening: ${remedy}`,
    )
  }

  close(why = `The ${this.#noun} is closed and stays so: make another`): Promise<void> {
    this.#end(() => new MulticastError('ERR_MULTICAST_CLOSED', why), 'close')
    return this.#closed.promise
  }

  async #live(): Promise<void> {
    // A promise's tick, because fake timers can take every other kind away.
    await undefined
    let failure: MulticastError | undefined
    try {
      // Closed before it began: it is opened only for sends that were accepted.
      if (this.#state.name === 'opening' || this.#handlers.isNeeded()) {
        await this.#handlers.open()
        this.#listen()
        await this.#ending.promise
        await this.#handlers.drained()
      }
    } catch (error) {
      failure = error as MulticastError
    }
    await this.#handlers.release(() => ('reason' in this.#state ? this.#state.reason() : failure))
    this.#finish(failure)
    this.#closed.resolve()
    raise(() => this.#handlers.closed())
  }

  #listen(): void {
    const state = this.#state
    // Closed meanwhile: only the sends that were accepted are left to do.
    const isListening = state.name === 'opening'
    if (isListening) {
      this.#state = { name: 'listening' }
      this.#debug('listening')
    }
    this.#handlers.opened(isListening)
    if (!isListening) return
    for (const { resolve } of state.waiters) resolve()
    raise(() => this.#handlers.listening())
  }

  readonly #abort = (): void => {
    this.#end(() => this.#signal?.reason, 'abort')
  }

  #end(reason: Reason, how: 'close' | 'abort'): void {
    if (this.#state.name === 'closed') return
    const before = this.#state
    if (before.name !== 'closing') {
      this.#state = { name: 'closing', reason }
      this.#debug('closing (%s)', how)
    }
    this.#handlers.end(reason, how)
    if (before.name === 'opening') reject(before, reason, true)
    this.#ending.resolve()
  }

  #finish(failure: MulticastError | undefined): void {
    const before = this.#state
    if (failure === undefined) this.#debug('closed')
    else this.#debug('closed: %s', failure.message)
    this.#signal?.removeEventListener('abort', this.#abort)
    const reason = 'reason' in before ? before.reason : () => failure
    this.#state = { name: 'closed', reason }
    if (failure === undefined) return
    const wasOpening = before.name === 'opening'
    const isTold = this.#handlers.fail(() => failure, wasOpening)
    if (!wasOpening) return
    const isAwaited = isTold || before.waiters.length > 0
    const isWatched = this.#handlers.isWatched()
    reject(before, () => failure, isWatched)
    if (isWatched || !isAwaited) raise(() => this.#handlers.error(failure))
  }
}

/** `isKnown`: who made it cannot be surprised, so a ready() that nobody awaits may be ignored. */
function reject(
  { waiters, ready }: State<unknown> & { name: 'opening' },
  reason: Reason,
  isKnown: boolean,
): void {
  if (isKnown) ready?.catch(() => {})
  for (const waiter of waiters) waiter.reject(reason())
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
