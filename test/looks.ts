/** When the interfaces are looked at: more often than they are, or when a test says so. */
import type { TestContext } from 'node:test'
import type { MockHost } from '../src/testing/index.js'

/** Lets looks at the interfaces come ten times as often, until the test ends. */
export function hasten(t: TestContext): void {
  const { timeout } = AbortSignal
  AbortSignal.timeout = (milliseconds) =>
    timeout.call(AbortSignal, milliseconds === 2000 ? 200 : milliseconds)
  t.after(() => {
    AbortSignal.timeout = timeout
  })
}

/** What a look waits for. */
interface Timeout {
  readonly milliseconds: number
  readonly fire: () => void
}

/** What looks wait for from now on until the test ends, and which nothing but the test fires. */
export function withheld(t: TestContext): Timeout[] {
  const waiting: Timeout[] = []
  t.mock.method(AbortSignal, 'timeout', (milliseconds: number) => {
    const controller = new AbortController()
    waiting.push({ milliseconds, fire: () => controller.abort() })
    return controller.signal
  })
  return waiting
}

/** The looks at the interfaces of a mock host, which come when a test says so. */
export class Looks {
  readonly #waiting: Timeout[]
  readonly #calls: unknown[]
  /** How often the interfaces have been listed since the last look began. */
  listed = 0
  /** Whether a look that has seen what has changed can list the interfaces no more. */
  isUnknown = false
  /** What an endpoint that is to follow by looks alone is made with. */
  readonly options

  /** `calls` are forgotten as each look begins. */
  constructor(t: TestContext, host: MockHost, calls: unknown[] = []) {
    this.#waiting = withheld(t)
    this.#calls = calls
    this.options = {
      followInterfaces: true,
      watchInterfaces: undefined,
      networkInterfaces: () => {
        this.listed += 1
        if (this.isUnknown && this.listed > 1) throw new Error('no permission')
        return host.networkInterfaces()
      },
    }
  }

  /** Looks, and resolves when what is seen is seen to. */
  async look(): Promise<void> {
    this.listed = 0
    this.#calls.splice(0)
    for (const { fire } of this.#waiting.splice(0)) fire()
    for (let turns = 0; turns < 10; turns += 1) await new Promise(setImmediate)
  }
}
