import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Silence } from '../src/silence.js'
import { until } from './until.js'

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

test('told so before it runs, it does not hold the process', (t) => {
  mock.timers.reset()
  const timers = t.mock.method(globalThis, 'setTimeout')
  const silence = make()
  silence.hold(false)
  silence.restart()
  assert.equal(timers.mock.calls[0]?.result?.hasRef(), false)
  silence.stop()
})

test('it leaves a fake clock one timer at most, and none once it is stopped', (t) => {
  mock.timers.reset()
  const pending = new Set<unknown>()
  const set = t.mock.method(globalThis, 'setTimeout', () => {
    const timer = { [Symbol('of a fake clock')]: true }
    pending.add(timer)
    return timer
  })
  t.mock.method(globalThis, 'clearTimeout', (timer: unknown) => pending.delete(timer))
  const silence = make()
  for (let restarts = 0; restarts < 3; restarts += 1) silence.restart()
  assert.equal(set.mock.callCount(), 3)
  assert.equal(pending.size, 1)
  silence.stop()
  assert.equal(pending.size, 0)
})

test('a stub that makes no timer is lived with', (t) => {
  mock.timers.reset()
  t.mock.method(globalThis, 'setTimeout', () => null)
  const silence = make()
  silence.restart()
  silence.restart()
  silence.stop()
  assert.equal(ends, 0)
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

test('a genuine timer is set once, however often it is restarted, and runs on for the rest', async (t) => {
  mock.timers.reset()
  const timers = t.mock.method(globalThis, 'setTimeout')
  const { promise, resolve } = deferred()
  let last = 0
  const silence = new Silence(50, () => resolve(performance.now() - last))
  for (let restarts = 0; restarts < 1000; restarts += 1) silence.restart()
  assert.equal(timers.mock.callCount(), 1)
  // Some of the time is over, and then it is set for what is left since the last restart.
  await delay(25)
  last = performance.now()
  silence.restart()
  const silent = await promise
  assert.ok(silent >= 49, `${silent} ms`)
  const set = timers.mock.calls.map(({ arguments: [, ms] }) => ms as number)
  assert.ok(set.length <= 4, `set ${set.length} times`)
  assert.ok(set.slice(1).every((ms) => ms >= 1 && ms <= 50))
})

test('it follows the clock of the moment, from a genuine one to a fake one and back', async () => {
  mock.timers.reset()
  let { promise, resolve } = deferred()
  const silence = new Silence(40, () => {
    ends += 1
    resolve(0)
  })
  silence.restart()
  mock.timers.enable({ apis: ['setTimeout'] })
  silence.restart()
  mock.timers.tick(39)
  assert.equal(ends, 0)
  mock.timers.tick(1)
  assert.equal(ends, 1)
  silence.restart()
  mock.timers.reset()
  // The fake one never comes.
  ;({ promise, resolve } = deferred())
  silence.restart()
  await promise
  assert.equal(ends, 2)
})

test('between its timer and the reading of the sockets it has not run out yet', async () => {
  mock.timers.reset()
  for (const [meanwhile, expected] of [
    [(silence: Silence) => silence.restart(), 0],
    [(silence: Silence) => silence.stop(), 0],
    [(silence: Silence) => silence.hold(true), 1],
  ] as const) {
    const silence = make()
    silence.restart()
    // Of the same duration, and so called just after its own.
    const after = delay(100).then(() => {
      assert.equal(ends, 0)
      meanwhile(silence)
    })
    for (const end = performance.now() + 110; performance.now() < end; );
    await after
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    assert.equal(ends, expected)
    silence.stop()
  }
})

test('what is not to hold the process does not in its last moment either', async (t) => {
  mock.timers.reset()
  const { setImmediate } = globalThis
  const held: boolean[] = []
  t.mock.method(globalThis, 'setImmediate', (callback: () => void) => {
    const immediate = setImmediate(callback)
    queueMicrotask(() => held.push(immediate.hasRef()))
    return immediate
  })
  const silence = make()
  silence.hold(false)
  silence.restart()
  await until('it has ended', () => ends > 0)
  assert.deepEqual(held, [false])
})

test('where immediates alone are fake it is believed at once, and ends once', async () => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setImmediate'] })
  const { promise, resolve } = deferred()
  const silence = new Silence(10, () => {
    ends += 1
    resolve(0)
  })
  silence.restart()
  await promise
  mock.timers.tick(1)
  assert.equal(ends, 1)
})

function deferred(): { promise: Promise<number>; resolve: (value: number) => void } {
  let resolve = (_: number): void => {}
  const promise = new Promise<number>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
