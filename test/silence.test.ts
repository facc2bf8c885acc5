import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Silence } from '../src/silence.js'

let ends = 0
const make = (): Silence =>
  new Silence(100, () => {
    ends += 1
  })

beforeEach(() => {
  ends = 0
  mock.timers.enable({ apis: ['setTimeout'] })
})
afterEach(() => mock.timers.reset())

test('it does not run before it is started', () => {
  make()
  mock.timers.tick(1000)
  assert.equal(ends, 0)
})

test('it runs out once', () => {
  make().restart()
  mock.timers.tick(99)
  assert.equal(ends, 0)
  mock.timers.tick(1)
  assert.equal(ends, 1)
  mock.timers.tick(1000)
  assert.equal(ends, 1)
})

test('a restart begins anew, also after it ran out', () => {
  const silence = make()
  silence.restart()
  mock.timers.tick(60)
  silence.restart()
  mock.timers.tick(60)
  assert.equal(ends, 0)
  mock.timers.tick(40)
  assert.equal(ends, 1)
  silence.restart()
  mock.timers.tick(100)
  assert.equal(ends, 2)
})

test('stopped it does not run out', () => {
  const silence = make()
  silence.restart()
  silence.stop()
  mock.timers.tick(1000)
  assert.equal(ends, 0)
})

test('it holds the process while it runs, unless told otherwise', () => {
  mock.timers.reset()
  const timers = mock.method(globalThis, 'setTimeout')
  const silence = make()
  const held = (): boolean | undefined => timers.mock.calls.at(-1)?.result?.hasRef()
  silence.restart()
  assert.equal(held(), true)
  silence.hold(false)
  assert.equal(held(), false)
  silence.restart()
  assert.equal(held(), false)
  silence.hold(true)
  assert.equal(held(), true)
  silence.stop()
  timers.mock.restore()
})

test('a timer that a fake clock could not clear does nothing', (t) => {
  mock.timers.reset()
  let fire = (): void => {}
  t.mock.method(globalThis, 'setTimeout', (callback: () => void) => {
    fire = callback
    return {}
  })
  t.mock.method(globalThis, 'clearTimeout', () => {})
  const silence = make()
  silence.restart()
  silence.stop()
  fire()
  assert.equal(ends, 0)
})

test('it ends once, though a fake clock may fire a timer again', (t) => {
  mock.timers.reset()
  let fire = (): void => {}
  t.mock.method(globalThis, 'setTimeout', (callback: () => void) => {
    fire = callback
    return {}
  })
  make().restart()
  fire()
  fire()
  assert.equal(ends, 1)
})

test('it may be held or not before it runs, and where timers are mere numbers', (t) => {
  mock.timers.reset()
  let fire = (): void => {}
  t.mock.method(globalThis, 'setTimeout', (callback: () => void) => {
    fire = callback
    return 7
  })
  const silence = make()
  for (const isRunning of [false, true]) {
    if (isRunning) silence.restart()
    silence.hold(true)
    silence.hold(false)
  }
  silence.restart()
  fire()
  assert.equal(ends, 1)
})
