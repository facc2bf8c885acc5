// jest is told to fake the timers, process.nextTick and queueMicrotask among them, before it loads this.
import { expect, jest, test } from '@jest/globals'
import { early, expected } from './early.mjs'

test('works with fake timers from the start', async () => {
  expect(await early((ms) => jest.advanceTimersByTimeAsync(ms))).toEqual(expected)
})
