import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { getEventListeners, once } from 'node:events'
import { afterEach, mock, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type CreateSocket,
  type DatagramSocket,
  json,
  MulticastReceiver,
  MulticastSender,
  type Received,
  type SenderOptions,
  text,
} from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'
import { group, keep, makeReceiver, makeSender, spied } from './loopback.js'
import { told } from './told.js'

// Everything here is pinned to 127.0.0.1, or on a mock network.
const pin = { interfaces: '127.0.0.1' }

afterEach(() => mock.timers.reset())

/** Receivers of one port that answer each message with their name. */
async function answering(...names: string[]): Promise<number> {
  let port = 0
  for (const name of names) {
    const receiver = makeReceiver({ port })
    receiver.on('message', (message, remote) => receiver.reply(`${name}: ${message}`, remote))
    await receiver.ready()
    port = receiver.address().port
  }
  return port
}

async function collect(replies: AsyncIterable<Received<string>>): Promise<string[]> {
  const messages: string[] = []
  for await (const { message } of replies) messages.push(message)
  return messages.sort()
}

/** A port that nobody listens on. */
const silent = 9

test('a message is text or bytes, and resolves with its size', async () => {
  const receiver = keep(new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'] }))
  await receiver.ready()
  const sender = keep(new MulticastSender({ group, port: receiver.address().port, ...pin }))
  const heard = receiver[Symbol.asyncIterator]()
  const binary = Uint8Array.from({ length: 256 }, (_, index) => index)
  for (const message of ['群發的消息,你不必回', binary, '', binary.subarray(7, 9)]) {
    assert.equal(await sender.send(message), Buffer.from(message as string).length)
    assert.deepEqual((await heard.next()).value?.message, Buffer.from(message as string))
  }
})

test('replies are message events, decoded by replyCodec or else by codec', async () => {
  const receiver = keep(
    new MulticastReceiver({
      group,
      port: 0,
      interfaces: ['127.0.0.1'],
      codec: text,
      replyCodec: json<{ length: number }>(),
    }),
  )
  receiver.on('message', (message, remote) => receiver.reply({ length: message.length }, remote))
  await receiver.ready()
  const { port } = receiver.address()
  const sender = keep(
    new MulticastSender({
      group,
      port,
      ...pin,
      codec: text,
      replyCodec: json<{ length: number }>(),
    }),
  )
  const reply = once(sender, 'message')
  await sender.send('four')
  const [message, remote] = await reply
  assert.deepEqual(message, { length: 4 })
  assert.deepEqual([remote.address, remote.port], ['127.0.0.1', port])
})

test('the largest message goes out, and a larger one is refused with both sizes', async () => {
  const receiver = keep(
    new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'], recvBufferSize: 2 ** 20 }),
  )
  await receiver.ready()
  const sender = keep(new MulticastSender({ group, port: receiver.address().port, ...pin }))
  const tooLarge = {
    code: 'ERR_MULTICAST_MESSAGE_SIZE',
    message: /65508 bytes, .* at most 65507/,
  }
  await assert.rejects(sender.send(Buffer.alloc(65_508)), tooLarge)
  await sender.ready()
  await assert.rejects(sender.send(Buffer.alloc(65_508)), tooLarge)
  const heard = once(receiver, 'message')
  assert.equal(await sender.send(Buffer.alloc(65_507, 7)), 65_507)
  assert.equal((await heard)[0].length, 65_507)
})

test('a message of the wrong type rejects, before and after listening', async () => {
  const sender = makeSender(silent)
  for (const wrong of [7, undefined, null, {}, Buffer.from('x')]) {
    await assert.rejects(sender.send(wrong as never), { code: 'ERR_MULTICAST_MESSAGE_TYPE' })
  }
})

test('a codec that throws rejects that send and no other', async () => {
  const cause = new Error('odd')
  const sender = keep(
    new MulticastSender({
      group,
      port: silent,
      ...pin,
      codec: {
        encode(value: number) {
          if (value % 2 === 1) throw cause
          return Buffer.from([value])
        },
        decode: (data) => data.length,
      },
    }),
  )
  const [two, three, four] = [sender.send(2), sender.send(3), sender.send(4)]
  assert.equal(await two, 1)
  await assert.rejects(three, { code: 'ERR_MULTICAST_ENCODE', cause })
  assert.equal(await four, 1)
})

test('sends before listening wait for it and keep their order', async () => {
  const receiver = makeReceiver()
  await receiver.ready()
  const heard = receiver[Symbol.asyncIterator]()
  const sender = makeSender(receiver.address().port)
  const sends = ['a', 'b'].map((message) => sender.send(message))
  sender.on('listening', () => sends.push(sender.send('c')))
  await sender.ready()
  sends.push(sender.send('d'))
  await Promise.all(sends)
  for (const message of ['a', 'b', 'c', 'd'])
    assert.equal((await heard.next()).value?.message, message)
})

/** node:dgram's socket with some members of its own. */
function altered(members: Partial<Record<keyof Socket, unknown>>): CreateSocket {
  return (options) => Object.assign(createSocket(options), members)
}

test('before listening no more than maxQueuedBytes wait', async () => {
  // Each takes 256 bytes beside its own.
  const sender = makeSender(silent, { maxQueuedBytes: 522 })
  const accepted = [sender.send('12345'), sender.send('67890')]
  await assert.rejects(sender.send('x'), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: /^522 bytes .*maxQueuedBytes/,
  })
  assert.deepEqual(await Promise.all(accepted), [5, 5])
  assert.equal(await sender.send('x'.repeat(523)), 523)
})

test('empty messages that wait for listening are bounded too, and each refusal says so', async () => {
  const sender = makeSender(silent)
  const outcomes = await Promise.allSettled(Array.from({ length: 5000 }, () => sender.send('')))
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 5000 - 2 ** 20 / 256)
  assert.ok(
    refused.every((one) => 'reason' in one && one.reason.code === 'ERR_MULTICAST_QUEUE_FULL'),
  )
  assert.equal(await sender.send(''), 0)
})

test('a send rejects while the kernel has refused maxQueuedBytes', async () => {
  const callbacks: (() => void)[] = []
  let refused = 0
  const createSocket = altered({
    send: (_data: unknown, _port: unknown, _address: unknown, done: () => void) => {
      callbacks.push(done)
    },
    getSendQueueSize: () => refused,
  })
  const sender = await makeSender(silent, { maxQueuedBytes: 10, createSocket }).ready()
  const first = [sender.send('1234567890'), sender.send('1234567890')]
  // Only their callbacks are outstanding: the kernel has taken both.
  const third = sender.send('x')
  refused = 10
  await assert.rejects(sender.send('y'), { code: 'ERR_MULTICAST_QUEUE_FULL' })
  refused = 0
  for (const done of callbacks.splice(0)) done()
  assert.deepEqual(await Promise.all([...first, third]), [10, 10, 1])
})

test('20,000 sends in one tick are none too many, because the kernel takes each at once', async () => {
  const sender = await makeSender(silent, { maxQueuedBytes: 1000 }).ready()
  const sends = Array.from({ length: 20_000 }, () => sender.send('x'.repeat(100)))
  assert.equal((await Promise.all(sends)).length, 20_000)
  assert.equal(sender.stats.bytesSent, 2_000_000)
})

test("the system's refusal to send is the cause, with what to try", async () => {
  const cases = [
    ['ENETUNREACH', 'ERR_MULTICAST_SEND', /no route.*name an interface/],
    ['EPERM', 'ERR_MULTICAST_SEND', /firewall/],
    ['EWEIRD', 'ERR_MULTICAST_SEND', /see the cause/],
    ['EMSGSIZE', 'ERR_MULTICAST_MESSAGE_SIZE', /refuses a message of 1 bytes/],
  ] as const
  for (const [errno, code, message] of cases) {
    const cause = Object.assign(new Error(`send ${errno}`), { code: errno })
    for (const send of [
      (_data: unknown, _port: unknown, _address: unknown, done: (error: Error) => void) =>
        setImmediate(done, cause),
      () => {
        throw cause
      },
    ]) {
      const sender = makeSender(silent, { createSocket: altered({ send }) })
      await assert.rejects(sender.send('x'), { code, message, cause })
      assert.equal(sender.stats.sent, 0)
    }
  }
})

test('a port in use rejects, also where node:dgram would hide it', async () => {
  const blocker = createSocket('udp4').bind(0)
  await once(blocker, 'listening')
  const sender = makeSender(silent, { localPort: blocker.address().port })
  await assert.rejects(sender.ready(), { code: 'ERR_MULTICAST_PORT_IN_USE' })
  blocker.close()
})

test('no other program can take the port that the replies come to', async (t) => {
  const sender = await makeSender(9).ready()
  const other = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => other.close())
  const taken = once(other, 'listening')
  other.bind(sender.address().port)
  await assert.rejects(taken, { code: 'EADDRINUSE' })
})

test('it names its interfaces while it listens, and none before or after', async () => {
  const sender = makeSender(silent)
  assert.deepEqual(sender.interfaces, [])
  await sender.ready()
  assert.equal(sender.interfaces.length, 1)
  await sender.close()
  assert.deepEqual(sender.interfaces, [])
})

test('without replies there is no request', () => {
  const sender = makeSender(silent, { replies: false })
  assert.throws(() => sender.request('x', { limit: 1 }), {
    name: 'MulticastError',
    message: /replies/,
  })
})

test('it binds where it is told to', async () => {
  const sender = await makeSender(silent, { localAddress: '127.0.0.1' }).ready()
  assert.equal(sender.address().address, '127.0.0.1')
})

/** What the sockets of a sender are bound to, on a host with two interfaces of both families. */
async function boundOf(options: Partial<SenderOptions> & { group: string }): Promise<string[]> {
  const network = new MockNetwork()
  const addresses = (id: number) => [`10.0.${id}.1/24`, `fd00:${id}::1/64`, `fe80::${id}/64`]
  const host = network.host({
    interfaces: {
      a: { segment: 'one', addresses: addresses(1) },
      b: { segment: 'two', addresses: addresses(2) },
    },
  })
  const sockets: DatagramSocket[] = []
  const sender = new MulticastSender({
    port: silent,
    ...host,
    createSocket(made) {
      const socket = host.createSocket(made)
      sockets.push(socket)
      return socket
    },
    ...options,
  })
  await sender.ready()
  const bound = sockets.map((socket) => socket.address().address)
  await network.close()
  return bound
}

const [four, six] = ['239.1.2.3', 'ff05::1:3']
for (const [what, options, bound] of [
  ['the wildcard by the route', { group: four }, ['0.0.0.0']],
  ['its localAddress by the route', { group: four, localAddress: '10.0.1.1' }, ['10.0.1.1']],
  ['the wildcard on a named interface', { group: four, interfaces: 'b' }, ['0.0.0.0']],
  ['the wildcard where an address is given', { group: four, interfaces: '10.0.2.1' }, ['0.0.0.0']],
  ['the same with a port', { group: four, interfaces: '10.0.2.1', localPort: 4000 }, ['0.0.0.0']],
  ['a port of one interface', { group: four, interfaces: 'b', localPort: 4000 }, ['0.0.0.0']],
  [
    'its localAddress on an interface',
    { group: four, interfaces: 'b', localAddress: '10.0.1.1' },
    ['10.0.1.1'],
  ],
  ['the wildcard on each of two', { group: four, interfaces: ['a', 'b'] }, ['0.0.0.0', '0.0.0.0']],
  [
    'each address on two that share a port',
    { group: four, interfaces: ['a', 'b'], localPort: 4000 },
    ['10.0.1.1', '10.0.2.1'],
  ],
  [
    'and where that is port 1',
    { group: four, interfaces: ['a', 'b'], localPort: 1 },
    ['10.0.1.1', '10.0.2.1'],
  ],
  ['the wildcard of IPv6', { group: six, interfaces: 'b' }, ['::']],
  ['a given address of IPv6', { group: six, interfaces: 'fd00:2::1' }, ['fd00:2::1']],
  [
    'each given address of IPv6',
    { group: six, interfaces: ['fd00:1::1', 'b'] },
    ['fd00:1::1', '::'],
  ],
  [
    'its localAddress over a given one',
    { group: six, interfaces: 'fd00:2::1', localAddress: 'fd00:1::1' },
    ['fd00:1::1'],
  ],
] as const) {
  test(`a sender binds to ${what}`, async () => {
    assert.deepEqual(await boundOf(options), bound)
  })
}

test('by the route and without replies, it goes on where the route leads then', async () => {
  const network = new MockNetwork()
  const host = network.host({ interfaces: { a: 'one', b: 'two' } })
  const hearers = ['one', 'two'].map(
    (eth0) =>
      new MulticastReceiver({
        group: four,
        port: 10_000,
        bindAddress: 'group',
        codec: text,
        ...network.host({ interfaces: { eth0 } }),
      }),
  )
  const heard: string[] = []
  for (const [index, hearer] of hearers.entries()) {
    hearer.on('message', (message) => heard.push(`${index}: ${message}`))
    await hearer.ready()
  }
  host.down('a')
  const sender = new MulticastSender({ group: four, port: 10_000, replies: false, ...host })
  await sender.send('before')
  // Nothing is refused on the other one, but the route leads through the first again.
  host.up('a')
  for (const end = Date.now() + 10_000; !heard.includes('0: after'); await nextTurn()) {
    assert.ok(Date.now() < end, heard.join())
    await sender.send('after')
    await network.settled()
  }
  assert.equal(heard[0], '1: before')
  await network.close()
})

test('the silence of a request begins once it is sent, whatever comes before', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const { sockets, taken, sender } = await slow()
  const request = sender.request('x', { timeout: 100 })
  const first = request.next()
  const say = (message: string): void => {
    const remote = { address: '127.0.0.1', port: 9, family: 'IPv4', size: 5 }
    sockets[0]?.emit('message', Buffer.from(message), remote)
  }
  say('early')
  assert.equal((await first).value?.message, 'early')
  const second = request.next()
  mock.timers.tick(1000)
  taken.shift()?.()
  mock.timers.tick(99)
  say('late')
  assert.equal((await second).value?.message, 'late')
  const end = request.next()
  mock.timers.tick(100)
  assert.deepEqual(await end, { done: true, value: undefined })
})

test('a request that is left before it is sent starts no clock when it is', async () => {
  const { taken, sender } = await slow()
  const request = sender.request('x', { timeout: 60_000 })
  request.next().catch(() => {})
  await request.return?.()
  const timers = mock.method(globalThis, 'setTimeout')
  taken.shift()?.()
  assert.equal(timers.mock.callCount(), 0)
  timers.mock.restore()
})

/** A sender whose kernel takes its time. */
async function slow() {
  const { sockets, createSocket: make } = spied()
  const taken: (() => void)[] = []
  const sender = await makeSender(silent, {
    createSocket: (options) =>
      Object.assign(make(options), {
        send: (_data: unknown, _port: unknown, _address: unknown, done: () => void) =>
          taken.push(done),
      }),
  }).ready()
  return { sockets, taken, sender }
}

test('a request gathers replies until its silence', async () => {
  const sender = makeSender(await answering('one', 'two'))
  const replies = await collect(sender.request('hello', { timeout: 200 }))
  assert.deepEqual(replies, ['one: hello', 'two: hello'])
})

test('gather is a request that is read to its end', async () => {
  const sender = makeSender(await answering('one', 'two'))
  const replies = await sender.gather('hello', { limit: 2 })
  assert.deepEqual(replies.map(({ message }) => message).sort(), ['one: hello', 'two: hello'])
  assert.ok(replies.every(({ remote }) => remote.address === '127.0.0.1'))
  const port = await answering('one')
  const one = await makeSender(port).ready()
  // In the order in which they came.
  const both = one.gather('first', { limit: 2 })
  await one.send('second')
  assert.deepEqual(
    (await both).map(({ message }) => message),
    ['one: first', 'one: second'],
  )
  const lonely = makeSender(silent, { timeout: 20 })
  assert.deepEqual(await lonely.gather('hello'), [])
  await assert.rejects(makeSender(silent).gather('hello'), { code: 'ERR_MULTICAST_TIMEOUT' })
  await assert.rejects(lonely.gather(7 as never), { code: 'ERR_MULTICAST_MESSAGE_TYPE' })
  const reason = new Error('enough')
  await assert.rejects(lonely.gather('hello', { signal: AbortSignal.abort(reason) }), reason)
  // Closing ends it quietly, with what there was.
  const closing = makeSender(silent)
  const gathered = closing.gather('hello', { limit: 1 })
  await closing.ready()
  await closing.close()
  assert.deepEqual(await gathered, [])
})

test('a request without replies ends after its silence, or after that of the sender', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const sender = await makeSender(silent, { timeout: 500 }).ready()
  let timeouts = 0
  sender.on('timeout', () => {
    timeouts += 1
  })
  for (const options of [{ timeout: 500 }, {}, undefined]) {
    const collected = collect(sender.request('hello', options))
    // The send has gone out when another, later one has.
    await sender.send('later')
    mock.timers.tick(500)
    assert.deepEqual(await collected, [])
  }
  assert.equal(timeouts, 3)
})

test("a request does not touch the sender's own timeout", async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const sender = await makeSender(silent).ready()
  sender.on('timeout', () => assert.fail('the sender has no clock'))
  const collected = collect(sender.request('hello', { timeout: 100 }))
  await sender.send('later')
  mock.timers.tick(100)
  assert.deepEqual(await collected, [])
})

test('each reply begins the silence anew', async () => {
  const port = await answering('one')
  mock.timers.enable({ apis: ['setTimeout'] })
  const sender = await makeSender(port).ready()
  const replies = sender.request('first', { timeout: 100 })
  assert.equal((await replies.next()).value?.message, 'one: first')
  mock.timers.tick(99)
  await sender.send('second')
  assert.equal((await replies.next()).value?.message, 'one: second')
  mock.timers.tick(99)
  await sender.send('third')
  assert.equal((await replies.next()).value?.message, 'one: third')
  const end = replies.next()
  mock.timers.tick(100)
  assert.deepEqual(await end, { done: true, value: undefined })
})

test('a request ends after its limit of replies', async () => {
  const sender = makeSender(await answering('one', 'two', 'three'))
  const replies = await collect(sender.request('hello', { limit: 2 }))
  assert.equal(replies.length, 2)
})

test('requests that overlap each see every reply, and message fires as always', async () => {
  const sender = makeSender(await answering('one'))
  const heard: string[] = []
  sender.on('message', (message) => heard.push(message))
  const [a, b] = await Promise.all([
    collect(sender.request('a', { timeout: 200 })),
    collect(sender.request('b', { timeout: 200 })),
  ])
  assert.deepEqual(a, ['one: a', 'one: b'])
  assert.deepEqual(b, ['one: a', 'one: b'])
  assert.deepEqual(heard.sort(), ['one: a', 'one: b'])
})

test("an aborted request throws the signal's reason, and the sender goes on", async () => {
  const sender = makeSender(silent)
  const reason = new Error('enough')
  await assert.rejects(collect(sender.request('x', { signal: AbortSignal.abort(reason) })), reason)
  assert.equal(sender.stats.sent, 0)
  const controller = new AbortController()
  const collected = collect(sender.request('x', { signal: controller.signal }))
  await sender.send('later')
  controller.abort(reason)
  await assert.rejects(collected, reason)
  assert.equal(await sender.send('x'), 1)
})

test('a request whose message cannot be sent throws that error', async () => {
  const sender = makeSender(silent)
  await assert.rejects(collect(sender.request(7 as never, { timeout: 100 })), {
    code: 'ERR_MULTICAST_MESSAGE_TYPE',
  })
  await sender.close()
  await assert.rejects(collect(sender.request('x', { timeout: 100 })), {
    code: 'ERR_MULTICAST_CLOSED',
  })
})

test('closing the sender ends a request quietly', async () => {
  const sender = makeSender(silent)
  const collected = collect(sender.request('x', { limit: 1 }))
  await sender.send('later')
  await sender.close()
  assert.deepEqual(await collected, [])
})

test('a request with no end, or with a wrong option, throws at once and sends nothing', async () => {
  const sender = await makeSender(silent).ready()
  assert.throws(() => sender.request('x'), {
    code: 'ERR_MULTICAST_TIMEOUT',
    message: /would never end/,
  })
  for (const timeout of [0, -1, Number.NaN]) {
    assert.throws(() => sender.request('x', { timeout }), { code: 'ERR_MULTICAST_TIMEOUT' })
  }
  assert.throws(() => sender.request('x', { timeut: 1 } as never), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
  })
  await sender.send('later')
  assert.equal(sender.stats.sent, 1)
})

test('a request that has all its replies leaves nothing behind, read to its end or not', async () => {
  const sender = await makeSender(await answering('one', 'two')).ready()
  const { signal } = new AbortController()
  const added = mock.method(signal, 'addEventListener')
  const removed = mock.method(signal, 'removeEventListener')
  const request = sender.request('x', { limit: 1, timeout: 60_000, signal })
  assert.equal((await request.next()).done, false)
  assert.equal(added.mock.callCount(), 1)
  assert.equal(removed.mock.callCount(), 1)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('a request can be left while it waits', async () => {
  const sender = makeSender(silent)
  const request = sender.request('x', { limit: 1 })
  const waiting = request.next()
  assert.deepEqual(await request.return?.(), { done: true, value: undefined })
  assert.deepEqual(await waiting, { done: true, value: undefined })
})

test('a loop that leaves a request leaves nothing behind', async () => {
  const sender = makeSender(await answering('one'))
  const { signal } = new AbortController()
  const added = mock.method(signal, 'addEventListener')
  const removed = mock.method(signal, 'removeEventListener')
  for await (const { message } of sender.request('x', { signal })) {
    assert.equal(message, 'one: x')
    break
  }
  assert.equal(added.mock.callCount(), removed.mock.callCount())
})

test('DEBUG tells what a sender and a receiver wait for, and which interfaces there are', async (t) => {
  const lines = told(t)
  const host = new MockNetwork().host()
  const options = { group: '239.1.2.3', port: 10_000, interfaces: 'eht0', ...host }
  await using sender = new MulticastSender({ ...options, followInterfaces: true })
  await using receiver = new MulticastReceiver({ ...options, followInterfaces: true })
  await Promise.all([sender.ready(), receiver.ready()])
  for (const start of [':sender not sending through eht0', ':receiver not joined']) {
    const [line = '', ...others] = lines.filter((line) => line.includes(start))
    assert.match(
      line,
      /'eht0', which is not an interface that is up and has an address\. Interfaces with IPv4: lo .*, eth0 /,
    )
    assert.deepEqual(others, [])
  }
})

test('an address that moves is sent from, and told of, on its other interface', async () => {
  const network = new MockNetwork()
  const host = network.host({
    interfaces: { eth0: { addresses: ['10.0.0.1/24', '10.0.0.7/24'] }, eth1: 'elsewhere' },
  })
  const options = { group: '239.1.2.3', port: 10_000, interfaces: '10.0.0.7', ...host }
  await using sender = await new MulticastSender({ ...options, followInterfaces: true }).ready()
  const { port } = sender.address()
  host.readdress('eth0', ['10.0.0.1/24'])
  host.readdress('eth1', ['10.0.1.1/24', '10.0.0.7/24'])
  await network.settled()
  assert.deepEqual(sender.interfaces, ['eth1'])
  await sender.send('moved')
  const [entry] = network.journal
  assert.deepEqual([entry?.interface, entry?.from], ['eth1', `10.0.0.7:${port}`])
})
