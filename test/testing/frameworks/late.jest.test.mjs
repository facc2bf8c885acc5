// jest is told to fake the timers before it loads this.
import { expect, jest, test } from '@jest/globals'

jest.useRealTimers()
const { faked, expected } = await import('./faked.mjs')
jest.useFakeTimers()

test('works with fake timers from after it was loaded', async () => {
  const outcome = await faked(
    (ms) => jest.advanceTimersByTimeAsync(ms),
    () => jest.runAllTimersAsync(),
  )
  expect(outcome).toEqual(expected)
}, 30_000)
