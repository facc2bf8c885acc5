import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Queue } from '../src/queue.js'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

interface Value {
  readonly id: number
  readonly remote: { readonly size: number }
}

const value = (id: number, size = 1): Value => ({ id, remote: { size } })
const queueOf = (
  queueLimit: number,
  hooks?: ConstructorParameters<typeof Queue<Value>>[1],
  queueBytes = 2 ** 20,
): Queue<Value> => new Queue({ queueLimit, queueBytes }, hooks)

async function drain(queue: Queue<Value>): Promise<number[]> {
  const ids: number[] = []
  for await (const { id } of queue) ids.push(id)
  return ids
}

test('values are read in the order that they came, before and after their reader', async () => {
  const queue = queueOf(10)
  queue.push(value(1))
  assert.deepEqual(await queue.next(), { done: false, value: value(1) })
  const [second, third] = [queue.next(), queue.next()]
  queue.push(value(2))
  queue.push(value(3))
  queue.push(value(4))
  queue.end()
  assert.deepEqual(
    [await second, await third],
    [
      { done: false, value: value(2) },
      { done: false, value: value(3) },
    ],
  )
  assert.deepEqual(await drain(queue), [4])
})

test('past the limit the oldest value is dropped', async () => {
  const queue = queueOf(3)
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((id) => queue.push(value(id))),
    [0, 0, 0, 1, 1],
  )
  queue.end()
  assert.deepEqual(await drain(queue), [3, 4, 5])
})

test('past its bytes the oldest values are dropped, and one is held however large', async () => {
  const queue = queueOf(10, {}, 100)
  const dropped = [40, 60, 30, 100, 1000, 1, 99].map((size, id) => queue.push(value(id, size)))
  // At the limit all is held, and past it as many go as it takes.
  assert.deepEqual(dropped, [0, 0, 1, 2, 1, 1, 0])
  assert.equal((await queue.next()).value?.id, 5)
  // What was read makes room.
  assert.equal(queue.push(value(7, 1)), 0)
  queue.end()
  assert.deepEqual(await drain(queue), [6, 7])
})

test('it keeps its order over many values, read and dropped', async () => {
  const queue = queueOf(100)
  const read: number[] = []
  let pushed = 0
  for (let round = 0; round < 50; round += 1) {
    for (let count = 0; count < 60; count += 1) queue.push(value(pushed++))
    for (let count = 0; count < 40; count += 1) read.push((await queue.next()).value?.id ?? -1)
  }
  queue.end()
  read.push(...(await drain(queue)))
  assert.deepEqual(
    read,
    [...read].sort((one, other) => one - other),
  )
  assert.equal(new Set(read).size, read.length)
  assert.equal(read.at(-1), pushed - 1)
  assert.equal(read.length, 50 * 40 + 60)
})

test('the end lets waiting readers go', async () => {
  const queue = queueOf(1)
  const waiting = [queue.next(), queue.next()]
  queue.end()
  assert.deepEqual(await Promise.all(waiting), [
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  assert.equal(queue.push(value(1)), 0)
  assert.deepEqual(await drain(queue), [])
})

test('a failure comes after what was held, once', async () => {
  const queue = queueOf(2)
  const reason = new Error('broken')
  queue.push(value(1))
  queue.fail(() => reason)
  assert.deepEqual(await queue.next(), { done: false, value: value(1) })
  await assert.rejects(queue.next(), reason)
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('a failure reaches one waiting reader, and the others end', async () => {
  const queue = queueOf(2)
  const [first, second] = [queue.next(), queue.next()]
  const reason = new Error('broken')
  queue.fail(() => reason)
  await assert.rejects(first, reason)
  assert.deepEqual(await second, { done: true, value: undefined })
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('leaving the loop lets go of what is held', async () => {
  let ended = 0
  const queue = queueOf(10, {
    onEnd: () => {
      ended += 1
    },
  })
  queue.push(value(1))
  queue.push(value(2))
  for await (const { id } of queue) {
    assert.equal(id, 1)
    break
  }
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
  await queue.return()
  queue.end()
  queue.fail(() => new Error('too late'))
  assert.equal(ended, 1)
})

test('each value is announced when it is in, so that the last can be told', async () => {
  const taken: number[] = []
  const queue = queueOf(10, {
    onPush: () => {
      taken.push(taken.length)
      if (taken.length === 2) queue.end()
    },
  })
  assert.equal(queue.hasEnded, false)
  for (const id of [1, 2, 3]) queue.push(value(id))
  assert.equal(queue.hasEnded, true)
  assert.equal(taken.length, 2)
  assert.deepEqual(await drain(queue), [1, 2])
})

test('it starts at the first read, once, and not after its end', async () => {
  let starts = 0
  const onStart = (): void => {
    starts += 1
  }
  const queue = queueOf(10, { onStart })
  assert.equal(starts, 0)
  const reads = [queue.next(), queue.next()]
  assert.equal(starts, 1)
  await queue.return()
  assert.deepEqual(await Promise.all(reads), [
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  const unread = queueOf(10, { onStart })
  await unread.return()
  assert.deepEqual(await unread.next(), { done: true, value: undefined })
  assert.equal(starts, 1)
})

test('a failure is told once, also where one reader alone waits', async () => {
  const queue = queueOf(1)
  const only = queue.next()
  const reason = new Error('broken')
  queue.fail(() => reason)
  await assert.rejects(only, reason)
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('leaving before the first read drops all that is held', async () => {
  const queue = queueOf(10)
  for (const id of [1, 2, 3]) queue.push(value(id))
  assert.deepEqual(await queue.return(), { done: true, value: undefined })
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('leaving it drops a failure that nobody has heard', async () => {
  const queue = queueOf(10)
  queue.push(value(1))
  queue.fail(() => new Error('broken'))
  await queue.return()
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('it is awaited while a reader waits, and not before or after', async () => {
  const queue = queueOf(1)
  assert.equal(queue.isAwaited, false)
  const read = queue.next()
  assert.equal(queue.isAwaited, true)
  queue.push(value(1))
  assert.equal(queue.isAwaited, false)
  await read
})

test('what has been read is let go of while later values wait', async () => {
  const queue = queueOf(10)
  let first: Value | undefined = value(1)
  const held = new WeakRef(first)
  queue.push(first)
  first = undefined
  for (const id of [2, 3, 4]) queue.push(value(id))
  assert.equal((await queue.next()).value?.id, 1)
  await setImmediate()
  collect()
  assert.equal(held.deref(), undefined)
  assert.equal((await queue.next()).value?.id, 2)
})

test('its memory does not grow with what has gone through it', () => {
  const queue = queueOf(1)
  const one = value(1)
  const used = (): number => {
    collect()
    return process.memoryUsage().heapUsed
  }
  queue.push(one)
  const before = used()
  for (let count = 0; count < 1_000_000; count += 1) queue.push(one)
  // A pointer for each would be eight times as much.
  assert.ok(used() - before < 1_000_000)
  assert.equal(queue.push(one), 1)
})
