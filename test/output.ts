/** The lines of text that a program prints, read while it runs. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds that a line may take. */
const BOUND = 30_000

export class Output {
  /** All so far. */
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #reader: Interface
  #hasEnded = false
  /** Those who wait for something more. */
  readonly #waiting: (() => void)[] = []

  /** What `child` prints to its standard output, or to `stream`. */
  constructor(child: ChildProcess, stream: Readable | null = child.stdout) {
    assert.ok(stream)
    this.#child = child
    this.#reader = createInterface(stream)
    this.#reader.on('line', (line) => {
      this.lines.push(line)
      this.#wake()
    })
    this.#reader.on('close', () => {
      this.#hasEnded = true
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The first line like this, once it is there; fails if the program ends before. */
  async line(pattern: Pick<RegExp, 'test'>): Promise<string> {
    const late = delay(BOUND, true, { ref: false })
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line))
      if (found !== undefined) return found
      const so = `no line is like ${pattern}: ${this.lines.join('\n')}`
      assert.ok(!this.#hasEnded, `the program has ended, and ${so}`)
      const more = new Promise<void>((resolve) => void this.#waiting.push(resolve))
      assert.ok(!(await Promise.race([more, late])), `after ${BOUND} ms ${so}`)
    }
  }

  /** Ends the program as Ctrl-C does; fails unless that is well with it. Returns all that it has printed. */
  async interrupt(): Promise<string[]> {
    this.#child.kill('SIGINT')
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit')
    }
    if (!this.#hasEnded) await once(this.#reader, 'close')
    assert.equal(this.#child.exitCode, 0)
    return this.lines
  }
}
