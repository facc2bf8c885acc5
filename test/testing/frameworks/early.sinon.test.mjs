import assert from 'node:assert/strict'
import { test } from 'node:test'
import sinon from 'sinon'

const clock = sinon.useFakeTimers({
  toFake: [
    ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
    ...['clearImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'],
  ],
})
const answers = import('./faked.mjs').then(({ faked }) =>
  faked(
    (ms) => clock.tickAsync(ms),
    () => clock.runAllAsync(),
  ),
)
// The runner needs its own.
await answers.finally(() => clock.restore())

test('works with fake timers from the start', async () => {
  const { expected } = await import('./faked.mjs')
  assert.deepEqual(await answers, expected)
})
