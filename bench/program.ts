import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** No question takes as long as this, in ms. */
const patience = 60_000

/** One of the compiled programs, in a process of its own that answers one question at a time. */
export class Program {
  readonly #name: string
  readonly #child: ChildProcess

  /** `programs` is the folder that it was compiled into, by default this tree's. */
  constructor(
    name: string,
    args: readonly string[] = [],
    {
      execArgv = [],
      programs = new URL('dist/', import.meta.url),
    }: { readonly execArgv?: string[]; readonly programs?: URL } = {},
  ) {
    this.#name = name
    // Neither tsx nor debug's output belongs into what is measured.
    const { DEBUG: _debug, NODE_OPTIONS: _options, ...env } = process.env
    this.#child = fork(new URL(`${name}.js`, programs), args, { env, execArgv })
  }

  async ask<Answer>(question: unknown): Promise<Answer> {
    const settled = new AbortController()
    const { signal } = settled
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience)
    try {
      return await Promise.race([
        this.#answer<Answer>(question, signal),
        once(this.#child, 'exit', { signal }).then(([code, killed]) => {
          throw new Error(`The program ${this.#name} ended by itself (${code ?? killed})`)
        }),
      ])
    } finally {
      clearTimeout(timer)
      settled.abort()
    }
  }

  async stop(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }

  async #answer<Answer>(question: unknown, signal: AbortSignal): Promise<Answer> {
    const answer = once(this.#child, 'message', { signal })
    this.#child.send(question as object)
    const [value] = await answer
    return value as Answer
  }
}

/** The other end: answers until the asking process lets go. */
export function serve<Question>(answer: (question: Question) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit())
  process.on('message', async (question: Question) => {
    process.send?.(await answer(question))
  })
}
