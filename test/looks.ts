import type { TestContext } from 'node:test'

/** Lets looks at the interfaces come ten times as often, until the test ends. */
export function hasten(t: TestContext): void {
  const { timeout } = AbortSignal
  AbortSignal.timeout = (milliseconds) =>
    timeout.call(AbortSignal, milliseconds === 2000 ? 200 : milliseconds)
  t.after(() => {
    AbortSignal.timeout = timeout
  })
}
