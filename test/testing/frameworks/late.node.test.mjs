import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { expected, faked } from './faked.mjs'

const turn = globalThis.setImmediate
mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })

async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 100) {
    mock.timers.tick(100)
    for (let turns = 0; turns < 10; turns += 1) await new Promise((resolve) => turn(resolve))
  }
}

test('works with fake timers from after it was loaded', async () => {
  assert.deepEqual(await faked(pass, () => mock.timers.runAll()), expected)
})
