import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mock, test } from 'node:test'
import { MulticastReceiver } from '../src/index.js'
import { group, keep, makePair, makeReceiver, makeSender, record } from './loopback.js'

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
