import { expect, test, vi } from 'vitest'
import { expected, faked } from './faked.mjs'

vi.useFakeTimers({
  toFake: [
    ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
    ...['clearImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'],
  ],
})

test('works with fake timers from after it was loaded', async () => {
  const outcome = await faked(
    (ms) => vi.advanceTimersByTimeAsync(ms),
    () => vi.runAllTimersAsync(),
  )
  expect(outcome).toEqual(expected)
}, 30_000)
