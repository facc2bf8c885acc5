import assert from 'node:assert/strict'
import { test } from 'node:test'
import sinon from 'sinon'
import { expected, faked } from './faked.mjs'

const clock = sinon.useFakeTimers({
  toFake: [
    ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
    ...['clearImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'],
  ],
})
const answers = faked(
  (ms) => clock.tickAsync(ms),
  () => clock.runAllAsync(),
)
// The runner needs its own.
await answers.finally(() => clock.restore())

test('works with fake timers from after it was loaded', async () => {
  assert.deepEqual(await answers, expected)
})
