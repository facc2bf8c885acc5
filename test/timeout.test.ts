import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs'
import { mock, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { MulticastReceiver } from '../src/index.js'
import { group, keep, makePair, makeReceiver, makeSender, record } from './loopback.js'
import { moduleOf } from './tree.js'

test('the receiver counts its silence from listening, and a message begins it anew', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const receiver = makeReceiver({ timeout: 1000 })
    const events = record(receiver)
    mock.timers.tick(5000)
    await receiver.ready()
    const sender = await makeSender(receiver.address().port).ready()
    mock.timers.tick(900)
    const heard = once(receiver, 'message')
    await sender.send('x')
    await heard
    mock.timers.tick(999)
    assert.deepEqual(events, ['listening', 'message'])
    mock.timers.tick(1)
    assert.deepEqual(events, ['listening', 'message', 'timeout'])
    mock.timers.tick(5000)
    assert.deepEqual(events, ['listening', 'message', 'timeout'])
    const again = once(receiver, 'message')
    await sender.send('y')
    await again
    mock.timers.tick(1000)
    assert.deepEqual(events.slice(3), ['message', 'timeout'])
    const last = once(receiver, 'message')
    await sender.send('z')
    await last
    await receiver.close()
    mock.timers.tick(5000)
    assert.deepEqual(events.slice(5), ['message', 'close'])
  } finally {
    mock.timers.reset()
  }
})

test('the sender counts its silence from a send, and a malformed reply does not end it', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const receiver = new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'] })
    keep(receiver)
    await receiver.ready()
    const sender = await makeSender(receiver.address().port, { timeout: 1000 }).ready()
    const events = record(sender)
    mock.timers.tick(5000)
    assert.deepEqual(events, [])
    const heard = once(receiver, 'message')
    await sender.send('x')
    const [, remote] = await heard
    mock.timers.tick(900)
    const malformed = once(sender, 'malformed')
    await receiver.reply(Buffer.from([0xff]), remote)
    await malformed
    mock.timers.tick(100)
    assert.deepEqual(events, ['malformed', 'timeout'])
  } finally {
    mock.timers.reset()
  }
})

test("a reply is not the receiver's silence, nor a stranger's message the sender's", async () => {
  const { receiver, sender } = await makePair()
  const heard = once(receiver, 'message')
  await sender.send('x')
  const [, remote] = await heard
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const timed = await makeReceiver({ timeout: 1000 }).ready()
    const idle = await makeSender(9, { timeout: 1000 }).ready()
    const events = { timed: record(timed), idle: record(idle) }
    mock.timers.tick(900)
    await timed.reply('x', remote)
    const stranger = once(idle, 'message')
    await receiver.reply('x', { address: '127.0.0.1', port: idle.address().port })
    await stranger
    mock.timers.tick(100)
    assert.deepEqual(events, { timed: ['timeout'], idle: ['message'] })
    mock.timers.tick(5000)
    assert.deepEqual(events, { timed: ['timeout'], idle: ['message'] })
  } finally {
    mock.timers.reset()
  }
})

/**
 * Another thread, whose loop runs on while this one's is busy: its program has `socket`, `parentPort` and
 * `data`. Resolves with what it says first.
 */
async function aside(t: TestContext, data: object, program: string): Promise<unknown> {
  const source = `
    const { parentPort, workerData: data } = require('node:worker_threads')
    const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true })
    ${program}`
  const worker = new Worker(source, { eval: true, workerData: data })
  t.after(() => worker.terminate())
  const [said] = await once(worker, 'message')
  return said
}

/** Sends to the group without a pause. */
const streaming = `
  socket.bind(0, '127.0.0.1', () => {
    socket.setMulticastInterface('127.0.0.1')
    setInterval(() => socket.send('x', data.port, data.group), 10)
    parentPort.postMessage('streaming')
  })`

/** Answers each question five times, after the asker's loop has become busy. */
const answering = `
  socket.bind(0, data.group, () => {
    socket.addMembership(data.group, '127.0.0.1')
    parentPort.postMessage(socket.address().port)
  })
  socket.on('message', (_, { port, address }) => setTimeout(() => {
    for (let count = 1; count <= 5; count += 1) socket.send(String(count), port, address)
  }, 50))`

/** Keeps this thread's loop busy from within a callback of I/O, after which timers come before sockets. */
function busyLoop(ms: number): Promise<void> {
  return new Promise((resolve) => {
    stat('.', () => {
      for (const end = performance.now() + ms; performance.now() < end; );
      resolve()
    })
  })
}

test('a busy loop is no silence while a stream comes without a pause', async (t) => {
  const receiver = await makeReceiver({ timeout: 400 }).ready()
  await aside(t, { group, port: receiver.address().port }, streaming)
  const events = record(receiver)
  for (let count = 0; count < 3; count += 1) {
    await once(receiver, 'message')
    await busyLoop(600)
  }
  await once(receiver, 'message')
  assert.deepEqual([...new Set(events)], ['message'])
})

test('a request hears the answers that lay in the kernel while the loop was busy', async (t) => {
  const port = (await aside(t, { group }, answering)) as number
  for (let count = 0; count < 2; count += 1) {
    const sender = makeSender(port, { timeout: 100 })
    await sender.ready()
    const answers = sender.gather('?')
    await busyLoop(300)
    assert.deepEqual(
      (await answers).map(({ message }) => message),
      ['1', '2', '3', '4', '5'],
    )
  }
})

test('a process that was stopped for a while has heard no silence in it', async (t) => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `
      import { MulticastReceiver } from ${moduleOf('index')}
      const on = { group: '${group}', interfaces: '127.0.0.1', port: 0, timeout: 400 }
      const receiver = await new MulticastReceiver(on).ready()
      let silences = 0
      receiver.on('timeout', () => { silences += 1 })
      // Until the stream begins there is some.
      receiver.once('message', () => { silences = 0 })
      receiver.on('message', (message) => {
        if (String(message) === 'end') process.send(silences, () => process.exit())
      })
      process.send(receiver.address().port)
      `,
    ],
    { stdio: ['ignore', 2, 2, 'ipc'] },
  )
  t.after(() => child.kill('SIGKILL'))
  const [port] = await once(child, 'message')
  await aside(t, { group, port }, streaming)
  for (let count = 0; count < 2; count += 1) {
    child.kill('SIGSTOP')
    await delay(600)
    child.kill('SIGCONT')
    // Until it has read again.
    await delay(50)
  }
  await makeSender(port).send('end')
  assert.deepEqual(await once(child, 'message'), [0, undefined])
})

test('silence is told all the same, where there is some', async () => {
  const receiver = await makeReceiver({ timeout: 20 }).ready()
  await once(receiver, 'timeout')
  const sender = makeSender(receiver.address().port, { timeout: 20 })
  const [heard] = await Promise.all([sender.gather('?'), once(receiver, 'message')])
  assert.deepEqual(heard, [])
  await Promise.all([once(receiver, 'timeout'), busyLoop(40)])
})
