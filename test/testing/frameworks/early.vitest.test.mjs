import { expect, test, vi } from 'vitest'

vi.useFakeTimers({
  toFake: [
    ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
    ...['clearImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'],
  ],
})
const { faked, expected } = await import('./faked.mjs')

test('works with fake timers from the start', async () => {
  const outcome = await faked(
    (ms) => vi.advanceTimersByTimeAsync(ms),
    () => vi.runAllTimersAsync(),
  )
  expect(outcome).toEqual(expected)
}, 30_000)
