import assert from 'node:assert/strict'
import { StructError } from '../../src/struct/index.js'

// Thousands of errors are made, and none of their stacks is looked at.
Error.stackTraceLimit = 1

/** What came of a call: its result, or the error with all that it tells. */
export type Outcome = { result: unknown } | { error: unknown }

export function outcome(call: () => unknown): Outcome {
  try {
    return { result: call() }
  } catch (error) {
    if (!(error instanceof StructError)) return { error }
    const { name, code, message, format, index, value } = error
    return { error: { name, code, message, format, index, value } }
  }
}

/** The same, of a call from which no other error may come. */
export function answer(call: () => unknown, told: () => string): Outcome {
  const came = outcome(call)
  if ('error' in came && came.error instanceof Error) {
    assert.fail(`${told()}: ${came.error.stack}`)
  }
  return came
}
