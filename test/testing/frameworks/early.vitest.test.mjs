import { expect, test, vi } from 'vitest'

vi.useFakeTimers({
  toFake: [
    ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
    ...['clearImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'],
  ],
})
const { early, expected } = await import('./early.mjs')

test('works with fake timers from the start', async () => {
  expect(await early((ms) => vi.advanceTimersByTimeAsync(ms))).toEqual(expected)
})
