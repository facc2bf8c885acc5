import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { group, keep, makePair, makeReceiver, makeSender, record, spied } from './loopback.js'

test('a subclass may have members of any name that the public face does not use', async () => {
  class Chat extends MulticastReceiver<string, string> {
    debug = true
    state = 'chatting'
    hear = subscribe
    subscribe = subscribe
    transmit = subscribe
    openSocket = subscribe
    whenListening = subscribe
  }
  function subscribe(): never {
    throw new Error('the library must not call it')
  }
  const chat = new Chat({ group, port: 0, interfaces: ['127.0.0.1'], codec: text })
  keep(chat)
  await chat.ready()
  const heard = chat[Symbol.asyncIterator]()
  await makeSender(chat.address().port).send('x')
  assert.equal((await heard.next()).value?.message, 'x')
})

test('await using closes', async () => {
  let receiver: MulticastReceiver<string, string>
  {
    await using scoped = await makeReceiver().ready()
    receiver = scoped
  }
  await assert.rejects(receiver.ready(), { code: 'ERR_MULTICAST_CLOSED' })
})

test('an iterator yields each message with its sender until closed', async () => {
  const { receiver, sender } = await makePair()
  const heard: string[] = []
  const loop = (async () => {
    for await (const { message, remote } of receiver) {
      assert.equal(remote.port, sender.address().port)
      heard.push(message)
      if (heard.length === 3) receiver.close()
    }
  })()
  for (const message of ['a', 'b', 'c']) await sender.send(message)
  await loop
  assert.deepEqual(heard, ['a', 'b', 'c'])
  assert.deepEqual(await receiver[Symbol.asyncIterator]().next(), { done: true, value: undefined })
})

test('leaving a loop does not close, and loops do not take from each other', async () => {
  const { receiver, sender } = await makePair()
  const other = receiver[Symbol.asyncIterator]()
  const first = receiver[Symbol.asyncIterator]()
  await sender.send('a')
  for await (const { message } of first) {
    assert.equal(message, 'a')
    break
  }
  await sender.send('b')
  assert.equal((await other.next()).value?.message, 'a')
  assert.equal((await other.next()).value?.message, 'b')
})

test('an iterator holds queueLimit messages, drops the oldest and counts it', async () => {
  const { receiver, sender } = await makePair({ queueLimit: 2 })
  const slow = receiver[Symbol.asyncIterator]()
  for (const message of ['a', 'b', 'c']) {
    const heard = once(receiver, 'message')
    await sender.send(message)
    await heard
  }
  assert.equal((await slow.next()).value?.message, 'b')
  assert.equal((await slow.next()).value?.message, 'c')
  assert.equal(receiver.stats.dropped, 1)
})

test('a loop throws the error that opening failed with', async () => {
  const endpoint = makeReceiver({ bindAddress: '192.0.2.99' })
  await assert.rejects(
    async () => {
      for await (const _ of endpoint) assert.fail('nothing comes')
    },
    { code: 'ERR_MULTICAST_BIND', message: /192\.0\.2\.99 .*this host has no such address/ },
  )
  await assert.rejects(endpoint[Symbol.asyncIterator]().next(), { code: 'ERR_MULTICAST_BIND' })
})

test('stats count datagrams and bytes both ways', async () => {
  const { receiver, sender } = await makePair()
  const heard = once(receiver, 'message')
  await sender.send('群')
  const [, remote] = await heard
  const replied = once(sender, 'message')
  await receiver.reply('ok', remote)
  await replied
  const none = { malformed: 0, dropped: 0, failed: 0, unheard: 0 }
  assert.deepEqual(receiver.stats, {
    sent: 1,
    received: 1,
    bytesSent: 2,
    bytesReceived: 3,
    ...none,
  })
  assert.deepEqual(sender.stats, { sent: 1, received: 1, bytesSent: 3, bytesReceived: 2, ...none })
})

test('a datagram that cannot be decoded is malformed, never an error', async () => {
  const receiver = await makeReceiver().ready()
  const { port } = receiver.address()
  const sender = new MulticastSender({ group, port, interfaces: '127.0.0.1' })
  keep(sender)
  const events = record(receiver)
  const malformed = once(receiver, 'malformed')
  const loop = receiver[Symbol.asyncIterator]()
  await sender.send(Buffer.from([0xff, 0xfe]))
  const [error, data, remote] = await malformed
  assert.equal(error.code, 'ERR_MULTICAST_DECODE')
  assert.match(error.message, /2 bytes from 127\.0\.0\.1 port \d+: .*not valid UTF-8/)
  assert.ok(error.cause instanceof TypeError)
  assert.deepEqual(data, Buffer.from([0xff, 0xfe]))
  assert.equal(remote.address, '127.0.0.1')
  await sender.send('fine')
  assert.equal((await loop.next()).value?.message, 'fine')
  assert.deepEqual(events, ['malformed', 'message'])
  assert.equal(receiver.stats.malformed, 1)
  assert.equal(receiver.stats.received, 2)
})

test('without a malformed listener such a datagram is only counted', async () => {
  const { receiver, sender } = await makePair({}, {})
  const raw = new MulticastSender({
    group,
    port: receiver.address().port,
    interfaces: '127.0.0.1',
  })
  keep(raw)
  await raw.send(Buffer.from([0xff]))
  const heard = once(receiver, 'message')
  await sender.send('x')
  await heard
  assert.equal(receiver.stats.malformed, 1)
})

test('how receiving fails because the network has changed is no error', async () => {
  const { sockets, createSocket } = spied()
  const receiver = await makeReceiver({ createSocket }).ready()
  const errors: unknown[] = []
  receiver.on('error', (error) => errors.push(error.cause))
  const failing = (code: string): Error => Object.assign(new Error(`recvmsg ${code}`), { code })
  for (const code of [
    'EADDRNOTAVAIL',
    'EHOSTUNREACH',
    'ENETDOWN',
    'ENETUNREACH',
    'ENODEV',
    'ENXIO',
  ]) {
    sockets[0]?.emit('error', failing(code))
  }
  assert.deepEqual(errors, [])
  const other = failing('ENOMEM')
  sockets[0]?.emit('error', other)
  assert.deepEqual(errors, [other])
})

test('an address that the system does not tell any more is an error with its cause', async () => {
  const { sockets, createSocket } = spied()
  const receiver = await makeReceiver({ createSocket }).ready()
  const cause = new Error('uv_if_indextoiid ENXIO')
  const [socket] = sockets
  assert.ok(socket)
  socket.address = () => {
    throw cause
  }
  assert.throws(() => receiver.address(), {
    code: 'ERR_MULTICAST_SOCKET',
    message: 'The system does not report the address now: uv_if_indextoiid ENXIO',
    cause,
  })
})

test('an inspection shows what it is and how it stands, and none of its insides', async () => {
  const { receiver, sender } = await makePair({}, { replies: false })
  const { port } = receiver.address()
  const none = {
    ...{ sent: 0, received: 0, bytesSent: 0, bytesReceived: 0 },
    ...{ malformed: 0, dropped: 0, failed: 0, unheard: 0 },
  }
  const shown = {
    state: 'listening',
    group,
    port,
    interfaces: ['127.0.0.1'],
    memberships: receiver.memberships,
    stats: none,
  }
  assert.equal(inspect(receiver), `MulticastReceiver ${inspect(shown)}`)
  const { memberships: _, ...sends } = { ...shown, interfaces: sender.interfaces }
  assert.equal(inspect(sender), `MulticastSender ${inspect(sends)}`)
  class Chat extends MulticastReceiver {}
  const chat = keep(new Chat({ group, port, interfaces: '127.0.0.1' }))
  assert.match(inspect(chat), /^Chat \{\s+state: 'opening'/)
  await chat.close()
  assert.match(inspect(chat), /^Chat \{\s+state: 'closed'/)
})

test('an inspection has the depth and the colours that are asked for', async () => {
  const receiver = await makeReceiver().ready()
  class Plain {
    constructor(shown: object) {
      Object.assign(this, shown)
    }
  }
  const { state, port, interfaces, memberships, stats } = {
    ...{ state: 'listening', port: receiver.address().port, interfaces: ['127.0.0.1'] },
    ...{ memberships: receiver.memberships, stats: receiver.stats },
  }
  const plain = new Plain({ state, group, port, interfaces, memberships, stats })
  for (const options of [
    ...[-1, 0, 1, 2, 3, null, Number.POSITIVE_INFINITY].map((depth) => ({ depth })),
    { colors: true },
    { compact: true, breakLength: Number.POSITIVE_INFINITY },
  ]) {
    for (const wrap of [(it: object) => it, (it: object) => ({ within: [it] })]) {
      // As an object of the same members would be, up to where Node says [Name] for it.
      const wanted = inspect(wrap(plain), options).replaceAll('Plain', 'MulticastReceiver')
      assert.equal(inspect(wrap(receiver), options), wanted, inspect(options))
    }
  }
})
