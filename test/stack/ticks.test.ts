import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type * as ticks from '../../src/stack/ticks.js'
import { importAnew } from '../anew.js'

const { nextTick } = process

afterEach(() => {
  process.nextTick = nextTick
})

/** The module, where a fake nextTick is there before it is loaded, and no longer once it is. */
async function loaded(fake: (callback: () => void) => void): Promise<typeof ticks> {
  let isLoading = true
  process.nextTick = (callback: () => void, ...args: unknown[]): void => {
    // To load a module Node needs its own.
    if (isLoading && typeof callback === 'function') nextTick(callback, ...args)
    else fake(callback)
  }
  const module = await importAnew<typeof ticks>('stack/ticks')
  process.nextTick = nextTick
  isLoading = false
  return module
}

test('a task is run by nextTick, of which what only looks on is one', async () => {
  const seen: unknown[] = []
  const { tick } = await loaded((callback) => {
    nextTick(callback)
    seen.push(callback)
  })
  const task = () => seen.push('run')
  tick(task)
  assert.deepEqual(seen, [task])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(seen, [task, 'run'])
})

test('where nextTick is a fake, a task is run without it, and what it holds does nothing', async () => {
  const held: (() => void)[] = []
  const { tick } = await loaded((callback) => held.push(callback))
  const seen: string[] = []
  tick(() => seen.push('run'))
  assert.deepEqual(seen, [])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(seen, ['run'])
  for (const callback of held) {
    callback.call(undefined)
    callback.apply(undefined)
  }
  assert.equal(held.length, 1)
})

test('a fake that refuses what it is given is one all the same', async () => {
  const { tick } = await loaded(() => {
    throw new TypeError('no function')
  })
  await new Promise<void>(tick)
})
