// jest is told to fake the timers, process.nextTick and queueMicrotask among them, before it loads this.
import { expect, jest, test } from '@jest/globals'
import { expected, faked } from './faked.mjs'

test('works with fake timers from the start', async () => {
  const outcome = await faked(
    (ms) => jest.advanceTimersByTimeAsync(ms),
    () => jest.runAllTimersAsync(),
  )
  expect(outcome).toEqual(expected)
}, 30_000)
