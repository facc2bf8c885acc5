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

/** Told that it is listening, or why it never will; `isKnown`: who made it cannot be surprised by that. */
type Waiter = (failure?: { readonly reason: Reason; readonly isKnown: boolean }) => void

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
    const state = this.#state
    if (state.name !== 'opening') return this.whenListening().then(() => this.#self)
    if (state.ready !== undefined) return state.ready
    const waiting = new Promise<Parameters<Waiter>[0]>((resolve) => state.waiters.push(resolve))
    const ready: Promise<Self> = waiting.then((failure) => {
      if (failure === undefined) return this.#self
      // The error is made here, where its stack shows who awaits it, and only then is it one to be ignored.
      const error = failure.reason()
      if (failure.isKnown) ready.catch(() => {})
      throw error
    })
    state.ready = ready
    return ready
  }

  /** Resolves once it is listening, rejects with the reason why it never will. */
  async whenListening(): Promise<void> {
    const state = this.#state
    if (state.name === 'listening') return
    if (state.name !== 'opening') throw state.reason()
    const failure = await new Promise<Parameters<Waiter>[0]>((resolve) =>
      state.waiters.push(resolve),
    )
    if (failure !== undefined) throw failure.reason()
  }

  /** Does it when it is listening and what was asked for before is done. Rejects where it ends before. */
  async inTurn(task: () => Promise<void>): Promise<void> {
    await this.whenListening()
    const before = this.#turn
    const { promise, resolve } = deferred()
    this.#turn = promise
    await before
    try {
      this.throwIfEnded()
      await task().catch((error: unknown) => {
        // What the closing of the socket has made impossible failed for that reason.
        this.throwIfEnded()
        // Made anew here, or its stack would be full before it comes to who has asked.
        throw error instanceof MulticastError ? anew(error) : error
      })
      // Overtaken, so that nothing is done after all.
      this.throwIfEnded()
    } finally {
      resolve()
    }
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

  close(why = `The ${this.#noun} is closed and stays closed: make a new one`): Promise<void> {
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
    for (const tell of state.waiters) tell()
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
    const reason = 'reason' in before ? before.reason : () => failure && anew(failure)
    this.#state = { name: 'closed', reason }
    if (failure === undefined) return
    const wasOpening = before.name === 'opening'
    const isTold = this.#handlers.fail(() => anew(failure), wasOpening)
    if (!wasOpening) return
    const isAwaited = isTold || before.waiters.length > 0
    const isWatched = this.#handlers.isWatched()
    reject(before, () => anew(failure), isWatched)
    if (isWatched || !isAwaited) raise(() => this.#handlers.error(failure))
  }
}

function reject(
  { waiters }: State<unknown> & { name: 'opening' },
  reason: Reason,
  isKnown: boolean,
): void {
  for (const tell of waiters) tell({ reason, isKnown })
}

/** The same error once more, with the stack of where it is told. */
function anew({ code, message, cause }: MulticastError): MulticastError {
  return new MulticastError(code, message, cause === undefined ? undefined : { cause })
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
