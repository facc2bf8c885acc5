import assert from 'node:assert/strict'

// Tests may fake the global ones.
const { setTimeout } = globalThis
const { now } = Date

/** Milliseconds that anything may take, of which a look at the interfaces takes two seconds. */
export const BOUND = 20_000

/** Asks again until the answer is yes: for what no event tells. */
export async function until(what: string, answer: () => boolean | Promise<boolean>): Promise<void> {
  const end = now() + BOUND
  while (!(await answer())) {
    assert.ok(now() < end, `not within ${BOUND} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
