import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, mock, test } from 'node:test'
import {
  type CreateSocket,
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type SenderOptions,
  text,
} from '../src/index.js'
import { runProgram } from './child.js'

// Everything here is pinned to 127.0.0.1.
const group = '239.255.41.1'
const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()))
})

function makeReceiver(options: Partial<ReceiverOptions> = {}): MulticastReceiver<string, string> {
  const receiver = new MulticastReceiver({
    group,
    port: 0,
    interfaces: ['127.0.0.1'],
    codec: text,
    ...options,
  })
  opened.push(receiver)
  return receiver
}

function makeSender(
  port: number,
  options: Partial<SenderOptions> = {},
): MulticastSender<string, string> {
  const sender = new MulticastSender({
    group,
    port,
    interface: '127.0.0.1',
    codec: text,
    ...options,
  })
  opened.push(sender)
  return sender
}

/** A receiver that listens, and a sender to its port. */
async function makePair(
  forReceiver: Partial<ReceiverOptions> = {},
  forSender: Partial<SenderOptions> = {},
): Promise<{
  receiver: MulticastReceiver<string, string>
  sender: MulticastSender<string, string>
}> {
  const receiver = await makeReceiver(forReceiver).ready()
  const sender = await makeSender(receiver.address().port, forSender).ready()
  return { receiver, sender }
}

/** Either kind, for what they have in common. */
const kinds = {
  sender: (options: Partial<SenderOptions> = {}) => makeSender(9, options),
  receiver: (options: Partial<ReceiverOptions> = {}) => makeReceiver(options),
}

/** node:dgram's sockets as they are made, to see them and to make them fail. */
function spied(): { sockets: Socket[]; createSocket: CreateSocket } {
  const sockets: Socket[] = []
  return {
    sockets,
    createSocket(options) {
      const socket = createSocket(options)
      sockets.push(socket)
      return socket
    },
  }
}

/** The events of an endpoint by name, in their order. */
function record(
  endpoint: MulticastSender<string, string> | MulticastReceiver<string, string>,
): string[] {
  const events: string[] = []
  for (const name of ['listening', 'message', 'timeout', 'malformed', 'error', 'close'] as const) {
    endpoint.on(name, () => events.push(name))
  }
  return events
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`a ${kind} opens by itself, after its listeners could be attached`, async () => {
    const endpoint = make()
    const events = record(endpoint)
    assert.deepEqual(events, [])
    assert.equal(await endpoint.ready(), endpoint)
    assert.equal(await endpoint.ready(), endpoint)
    await endpoint.close()
    assert.deepEqual(events, ['listening', 'close'])
  })

  test(`a ${kind} has an address while it is listening`, async () => {
    const endpoint = make()
    assert.throws(() => endpoint.address(), {
      code: 'ERR_MULTICAST_NOT_LISTENING',
      message: new RegExp(`The ${kind} is opening.*await ready`),
    })
    await endpoint.ready()
    assert.ok(endpoint.address().port > 0)
    await endpoint.close()
    assert.throws(() => endpoint.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  })

  test(`a ${kind} closes once, however often it is asked`, async () => {
    const endpoint = await make().ready()
    const events = record(endpoint)
    await Promise.all([endpoint.close(), endpoint.close(), endpoint[Symbol.asyncDispose]()])
    await endpoint.close()
    assert.deepEqual(events, ['close'])
    await assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_CLOSED' })
  })

  test(`a ${kind} that is closed at once never listens and opens no socket`, async () => {
    const { sockets, createSocket } = spied()
    const endpoint = make({ createSocket })
    const events = record(endpoint)
    const ready = assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_CLOSED' })
    await endpoint.close()
    await ready
    assert.deepEqual(events, ['close'])
    assert.equal(sockets.length, 0)
  })

  test(`a ${kind} that is closed while it binds leaves no socket`, async () => {
    const { sockets, createSocket } = spied()
    const endpoint = make({
      createSocket(options) {
        const socket = createSocket(options) as Socket
        mock.method(socket, 'bind', (...args: Parameters<Socket['bind']>) => {
          // As where the bind takes its time, in a cluster for one.
          setImmediate(() => Reflect.apply(Object.getPrototypeOf(socket).bind, socket, args))
          endpoint.close()
        })
        return socket
      },
    })
    const events = record(endpoint)
    await assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_CLOSED' })
    await endpoint.close()
    assert.deepEqual(events, ['close'])
    assert.throws(() => sockets[0]?.address(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
  })

  test(`a ${kind} whose opening fails rejects ready(), emits error and close, and is closed`, async () => {
    const cause = Object.assign(new Error('no more'), { code: 'EMFILE' })
    const endpoint = make({
      createSocket() {
        throw cause
      },
    })
    const events = record(endpoint)
    await assert.rejects(endpoint.ready(), {
      name: 'MulticastError',
      code: 'ERR_MULTICAST_SOCKET',
      message: /no more/,
      cause,
    })
    await endpoint.close()
    assert.deepEqual(events, ['error', 'close'])
    await assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_SOCKET', cause })
  })

  test(`a ${kind} closes the socket of which an option was refused`, async () => {
    const { sockets, createSocket } = spied()
    const endpoint = make({
      createSocket: (options) =>
        Object.assign(createSocket(options), {
          setRecvBufferSize() {
            throw new Error('setRecvBufferSize EINVAL')
          },
        }),
      recvBufferSize: 4096,
    })
    await assert.rejects(endpoint.ready(), {
      code: 'ERR_MULTICAST_SOCKET',
      message: /option recvBufferSize, 4096/,
    })
    assert.equal(sockets.length, 1)
    assert.throws(() => sockets[0]?.address(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
  })

  test(`a ${kind} with a signal that is aborted already is closed from the start`, async () => {
    const { sockets, createSocket } = spied()
    const reason = new Error('not wanted')
    const endpoint = make({ createSocket, signal: AbortSignal.abort(reason) })
    const events = record(endpoint)
    await assert.rejects(endpoint.ready(), reason)
    await endpoint.close()
    assert.deepEqual(events, ['close'])
    assert.equal(sockets.length, 0)
  })

  test(`a ${kind} closes when its signal aborts, and rejects with the reason`, async () => {
    for (const opening of [true, false]) {
      const controller = new AbortController()
      const endpoint = make({ signal: controller.signal })
      const events = record(endpoint)
      if (!opening) await endpoint.ready()
      const closed = once(endpoint, 'close')
      const ready = opening ? endpoint.ready() : undefined
      controller.abort()
      if (ready !== undefined) await assert.rejects(ready, { name: 'AbortError' })
      await closed
      await assert.rejects(endpoint.ready(), { name: 'AbortError' })
      assert.deepEqual(events, opening ? ['close'] : ['listening', 'close'])
    }
  })

  test(`a ${kind} tells of an error of its open socket and goes on`, async () => {
    const { sockets, createSocket } = spied()
    const endpoint = await make({ createSocket }).ready()
    const cause = new Error('recvmsg EIO')
    const heard = once(endpoint, 'error')
    sockets[0]?.emit('error', cause)
    const [error] = await heard
    assert.equal(error.code, 'ERR_MULTICAST_SOCKET')
    assert.equal(error.cause, cause)
    assert.ok(endpoint.address().port > 0)
  })

  test(`a ${kind} keeps the process alive until it is told not to`, async () => {
    const { sockets, createSocket } = spied()
    const endpoint = make({ createSocket })
    assert.equal(endpoint.unref(), endpoint)
    await endpoint.ready()
    const handle = Object.getOwnPropertySymbols(sockets[0])
      .map((symbol) => Reflect.get(sockets[0] as Socket, symbol)?.handle)
      .find((candidate) => candidate?.hasRef)
    assert.equal(handle.hasRef(), false)
    assert.equal(endpoint.ref(), endpoint)
    assert.equal(handle.hasRef(), true)
  })
}

test('a createSocket that returns no socket fails the opening', async () => {
  await assert.rejects(makeSender(9, { createSocket: () => undefined as never }).ready(), {
    code: 'ERR_MULTICAST_SOCKET',
    message: /must return a socket, but returned undefined/,
  })
})

test('a socket that somebody else closes closes it too', async () => {
  const { sockets, createSocket } = spied()
  const receiver = await makeReceiver({ createSocket }).ready()
  const closed = once(receiver, 'close')
  sockets[0]?.close()
  await closed
  await assert.rejects(receiver.ready(), {
    code: 'ERR_MULTICAST_CLOSED',
    message: /closed by somebody else/,
  })
})

test('a ready() that nobody awaits is no unhandled rejection after close or abort', async () => {
  const { code, stdout } = await runProgram(`
    process.on('unhandledRejection', () => console.log('unhandled'))
    const where = { group: '${group}', port: 0, interfaces: ['127.0.0.1'] }
    const first = new MulticastReceiver(where)
    first.ready()
    await first.close()
    const controller = new AbortController()
    const second = new MulticastReceiver({ ...where, signal: controller.signal })
    second.ready()
    controller.abort()
    await second.close()
  `)
  assert.deepEqual([code, stdout], [0, ''])
})

test('an error of opening is not lost where only a reply was asked for', async () => {
  const { code, stderr } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99',
    })
    receiver.reply('x', { address: '127.0.0.1', port: 9 })
  `)
  assert.equal(code, 1)
  assert.match(stderr, /ERR_MULTICAST_BIND/)
})

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
  opened.push(chat)
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

test('sends that were accepted go out before it closes, also those that waited for opening', async () => {
  const receiver = await makeReceiver().ready()
  const heard = receiver[Symbol.asyncIterator]()
  const sender = makeSender(receiver.address().port)
  const sends = [sender.send('one'), sender.send('two')]
  const closed = sender.close()
  await assert.rejects(sender.ready(), { code: 'ERR_MULTICAST_CLOSED' })
  await assert.rejects(sender.send('late'), {
    code: 'ERR_MULTICAST_CLOSED',
    message: /sender is closed/,
  })
  assert.deepEqual(await Promise.all(sends), [3, 3])
  await closed
  assert.equal((await heard.next()).value?.message, 'one')
  assert.equal((await heard.next()).value?.message, 'two')
  assert.deepEqual(sender.stats.sent, 2)
})

test('sends that wait when opening fails reject with its error', async () => {
  const blocker = createSocket('udp4').bind(0, '0.0.0.0')
  await once(blocker, 'listening')
  const sender = makeSender(9, { localPort: blocker.address().port })
  await assert.rejects(sender.send('x'), {
    code: 'ERR_MULTICAST_PORT_IN_USE',
    message: new RegExp(`Port ${blocker.address().port} .* in use`),
  })
  await assert.rejects(sender.send('y'), { code: 'ERR_MULTICAST_PORT_IN_USE' })
  blocker.close()
})

test('a port in use fails a receiver without reuseAddr, and one with it where the other has none', async () => {
  const blocker = createSocket('udp4').bind(0, '0.0.0.0')
  await once(blocker, 'listening')
  const { port } = blocker.address()
  for (const reuseAddr of [true, false]) {
    await assert.rejects(makeReceiver({ port, reuseAddr }).ready(), {
      code: 'ERR_MULTICAST_PORT_IN_USE',
      message: /reuseAddr, SO_REUSEADDR/,
    })
  }
  await new Promise<void>((resolve) => blocker.close(() => resolve()))
  const first = await makeReceiver({ port }).ready()
  const second = await makeReceiver({ port }).ready()
  assert.equal(first.address().port, second.address().port)
})

test('an abort rejects sends, requests and ready, and ends the loops', async () => {
  const controller = new AbortController()
  const sender = makeSender(9, { signal: controller.signal })
  const loop = sender[Symbol.asyncIterator]().next()
  const request = sender.request('x', { timeout: 60_000 })[Symbol.asyncIterator]().next()
  const pending = [sender.send('waits'), sender.ready(), request]
  const reason = new Error('enough')
  controller.abort(reason)
  for (const one of pending) await assert.rejects(one, reason)
  assert.deepEqual(await loop, { done: true, value: undefined })
  await assert.rejects(sender.send('late'), reason)
})

test('what is rejected because it is closed shows who called', async () => {
  const sender = await makeSender(9).ready()
  await sender.close()
  await (async function lateCaller() {
    const error = await sender.send('late').catch((reason: Error) => reason)
    assert.match((error as Error).stack ?? '', /lateCaller/)
  })()
})

test('an abort rejects what the kernel was just handed', async () => {
  const controller = new AbortController()
  const sender = await makeSender(9, { signal: controller.signal }).ready()
  const send = sender.send('x')
  controller.abort()
  await assert.rejects(send, { name: 'AbortError' })
  await sender.close()
})

test('an abort ends a close that waits for its sends', async () => {
  const controller = new AbortController()
  const { createSocket } = spied()
  const sender = await makeSender(9, {
    signal: controller.signal,
    // A kernel that never takes anything: no real one could be had to do it.
    createSocket: (options) => Object.assign(createSocket(options), { send() {} }),
  }).ready()
  const send = sender.send('stuck')
  send.catch(() => {})
  const closed = sender.close()
  controller.abort()
  await closed
})

test('the listener on the signal is gone after closing', async () => {
  const { signal } = new AbortController()
  const added = mock.method(signal, 'addEventListener')
  const removed = mock.method(signal, 'removeEventListener')
  await (await makeReceiver({ signal }).ready()).close()
  assert.equal(added.mock.callCount(), 1)
  assert.deepEqual(removed.mock.calls[0]?.arguments, added.mock.calls[0]?.arguments)
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
    { code: 'ERR_MULTICAST_BIND', message: /192\.0\.2\.99 .*no address of this host/ },
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
  const none = { malformed: 0, dropped: 0 }
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
  const sender = new MulticastSender({ group, port, interface: '127.0.0.1' })
  opened.push(sender)
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

test('a decode that returns a promise is malformed, whatever becomes of the promise', async () => {
  const { code, stdout } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'],
      codec: { encode: Buffer.from, decode: async (data) => JSON.parse(data.toString()) },
    })
    await receiver.ready()
    const { port } = receiver.address()
    const sender = new MulticastSender({ group: '${group}', port, interface: '127.0.0.1' })
    receiver.on('malformed', async (error) => {
      console.log(error.code, error.message.includes('returned a promise'))
      await Promise.all([receiver.close(), sender.close()])
    })
    await sender.send('{')
  `)
  assert.deepEqual([code, stdout], [0, 'ERR_MULTICAST_DECODE true\n'])
})

test('without a malformed listener such a datagram is only counted', async () => {
  const { receiver, sender } = await makePair({}, {})
  const raw = new MulticastSender({
    group,
    port: receiver.address().port,
    interface: '127.0.0.1',
  })
  opened.push(raw)
  await raw.send(Buffer.from([0xff]))
  const heard = once(receiver, 'message')
  await sender.send('x')
  await heard
  assert.equal(receiver.stats.malformed, 1)
})

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
    await receiver.close()
    mock.timers.tick(5000)
    assert.deepEqual(events.slice(5), ['close'])
  } finally {
    mock.timers.reset()
  }
})

test('the sender counts its silence from a send, and a malformed reply does not end it', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const receiver = new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'] })
    opened.push(receiver)
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

test('sends that waited are answered by a carrier that is at once', async () => {
  const timeouts = mock.fn()
  const sender = makeSender(9, {
    timeout: 20,
    createSocket(options) {
      const socket = createSocket(options)
      // In memory all can happen within the call.
      const send = (data: Buffer, port: number, address: string, done: (e: null) => void) => {
        socket.emit('message', data, { address, port, family: 'IPv4', size: data.length })
        done(null)
      }
      return Object.assign(socket, { send })
    },
  })
  sender.on('timeout', timeouts)
  const request = sender.request('echo', { limit: 1 })
  assert.equal((await request.next()).value?.message, 'echo')
  await once(sender, 'timeout')
  assert.equal(timeouts.mock.callCount(), 1)
})

test('an error that nobody awaits or listens for ends the process, as of any EventEmitter', async () => {
  const { code, stderr } = await runProgram(`
    new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99' })
    process.on('unhandledRejection', () => console.error('unhandled rejection'))
  `)
  assert.equal(code, 1)
  assert.match(stderr, /ERR_MULTICAST_BIND/)
  assert.doesNotMatch(stderr, /unhandled rejection/)
})

test('an error that somebody awaits or listens for does not end the process', async () => {
  const ways = [
    "receiver.ready().catch((error) => console.log('ready', error.code))",
    "receiver.on('error', (error) => console.log('event', error.code))",
    "receiver.on('error', (error) => console.log('event', error.code)); receiver.ready()",
    "receiver.join().catch((error) => console.log('join', error.code))",
    "try { for await (const _ of receiver); } catch (error) { console.log('loop', error.code) }",
  ]
  await Promise.all(
    ways.map(async (way) => {
      const { code, stdout, stderr } = await runProgram(`
        const receiver = new MulticastReceiver({
          group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99',
        })
        ${way}
      `)
      assert.deepEqual([code, stderr.replace(/\(node:.*\n|\(Use .*\n/g, '')], [0, ''], way)
      assert.match(stdout, /^\w+ ERR_MULTICAST_BIND\n$/)
    }),
  )
})

test('a listener that throws is an uncaught exception, as of any EventEmitter', async () => {
  const { code, stdout } = await runProgram(`
    const caught = []
    process.on('uncaughtException', (error, origin) => caught.push(error.message + ' ' + origin))
    const receiver = new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'], codec: text })
    receiver.on('listening', () => { throw new Error('from listening') })
    receiver.on('message', () => { throw new Error('from message') })
    receiver.on('close', () => { throw new Error('from close') })
    await receiver.ready()
    const sender = new MulticastSender({ group: '${group}', port: receiver.address().port, interface: '127.0.0.1' })
    const loop = receiver[Symbol.asyncIterator]()
    await sender.send('x')
    console.log((await loop.next()).value.message)
    await receiver.close()
    await sender.close()
    console.log(caught.join('\\n'))
  `)
  assert.equal(code, 0)
  assert.deepEqual(stdout.trim().split('\n'), [
    'x',
    'from listening uncaughtException',
    'from message uncaughtException',
    'from close uncaughtException',
  ])
})

test('an unreferenced pair lets the process end, its clocks too', async () => {
  const { code, stdout } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'], timeout: 2 ** 31 - 1,
    })
    await receiver.ready()
    receiver.unref()
    const sender = new MulticastSender({
      group: '${group}', port: receiver.address().port, interface: '127.0.0.1', timeout: 2 ** 31 - 1,
    }).unref()
    await sender.send('x')
    console.log('end')
  `)
  assert.deepEqual([code, stdout], [0, 'end\n'])
})

test('DEBUG shows opening, joining, sending, receiving and closing', async () => {
  const { stderr } = await runProgram(
    `
    const receiver = new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'] })
    await receiver.ready()
    const sender = new MulticastSender({ group: '${group}', port: receiver.address().port, interface: '127.0.0.1' })
    const loop = receiver[Symbol.asyncIterator]()
    await sender.send('abc')
    await loop.next()
    await sender.close()
    await receiver.close()
    `,
    { DEBUG: 'typed-multicast:*' },
  )
  for (const line of [
    /typed-multicast:receiver opening a socket on \S+ port 0/,
    /typed-multicast:receiver joining on lo, source any/,
    /typed-multicast:sender sending 3 bytes to 239\.255\.41\.1 port \d+/,
    /typed-multicast:receiver received 3 bytes from 127\.0\.0\.1 port \d+/,
    /typed-multicast:sender closing/,
    /typed-multicast:receiver closed/,
  ]) {
    assert.match(stderr, line)
  }
})
