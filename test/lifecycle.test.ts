import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import debug from 'debug'
import { MulticastError, MulticastReceiver } from '../src/index.js'
import { type Handlers, Lifecycle } from '../src/lifecycle.js'
import { group, keep, kinds, makeReceiver, makeSender, record, spied } from './loopback.js'
import { until } from './until.js'

for (const [kind, make] of Object.entries(kinds)) {
  test(`a ${kind} opens by itself, after its listeners could be attached`, async () => {
    const endpoint = make()
    const events = record(endpoint)
    assert.deepEqual(events, [])
    assert.equal(endpoint.ready(), endpoint.ready())
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
    const closed = endpoint.close()
    assert.throws(() => endpoint.address(), {
      code: 'ERR_MULTICAST_NOT_LISTENING',
      message: new RegExp(`The ${kind} is closing.*before closing`),
    })
    await closed
    assert.throws(() => endpoint.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  })

  test(`a ${kind} closes once, however often it is asked`, async () => {
    const endpoint = await make().ready()
    const events = record(endpoint)
    await Promise.all([endpoint.close(), endpoint.close(), endpoint[Symbol.asyncDispose]()])
    await endpoint.close()
    assert.deepEqual(events, ['close'])
    await assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_CLOSED' })
    const late = endpoint[Symbol.asyncIterator]()
    assert.deepEqual(await late.next(), { done: true, value: undefined })
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
    const [one, other] = [endpoint.ready(), endpoint.ready()].map((late) => late.catch((e) => e))
    assert.notEqual(await one, await other)
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
      message: /option recvBufferSize \(4096\)/,
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

test('close comes after the sends that the kernel is slow to take', async () => {
  const late: (() => void)[] = []
  const sender = await makeSender(9, {
    createSocket: (options) =>
      Object.assign(createSocket(options), {
        send: (_data: unknown, _port: unknown, _address: unknown, done: () => void) =>
          late.push(done),
      }),
  }).ready()
  const order: string[] = []
  const send = sender.send('slow').then(() => order.push('sent'))
  sender.on('close', () => order.push('close'))
  const closed = sender.close()
  setImmediate(() => {
    for (const done of late) done()
  })
  await Promise.all([send, closed])
  assert.deepEqual(order, ['sent', 'close'])
})

test('a codec that closes ends it there: nothing comes after close', async () => {
  const receiver = keep(
    new MulticastReceiver({
      group,
      port: 0,
      interfaces: ['127.0.0.1'],
      timeout: 20,
      codec: {
        encode: (value: string) => Buffer.from(value),
        decode(data) {
          receiver.close()
          return data.toString()
        },
      },
    }),
  )
  await receiver.ready()
  const timers = mock.method(globalThis, 'setTimeout')
  receiver.on('message', () => assert.fail('it is closed'))
  const closed = once(receiver, 'close')
  await makeSender(receiver.address().port).send('x')
  await closed
  assert.equal(timers.mock.callCount(), 0)
  timers.mock.restore()
})

test('an iterator that nobody reads does not keep an error of opening back', async () => {
  const receiver = makeReceiver({ bindAddress: '192.0.2.99' })
  const events = record(receiver)
  receiver[Symbol.asyncIterator]()
  await new Promise<void>((resolve) => receiver.on('close', resolve))
  assert.deepEqual(events, ['error', 'close'])
})

test('an error of opening that one loop of two waits for is told to that loop and nowhere else', async () => {
  const receiver = makeReceiver({ bindAddress: '192.0.2.99' })
  receiver[Symbol.asyncIterator]()
  const waiting = receiver[Symbol.asyncIterator]().next()
  await assert.rejects(waiting, { code: 'ERR_MULTICAST_BIND' })
  await receiver.close()
  // The event would be an uncaught exception by now.
  await turn()
})

test('an override of emit sees every event', async () => {
  const receiver = makeReceiver()
  const emitted = mock.method(receiver, 'emit')
  await receiver.ready()
  await receiver.close()
  assert.deepEqual(
    emitted.mock.calls.map((call) => call.arguments[0]),
    ['listening', 'close'],
  )
})

test('an abort rejects what the kernel was just handed', async () => {
  const controller = new AbortController()
  const sender = await makeSender(9, { signal: controller.signal }).ready()
  const send = sender.send('x')
  controller.abort()
  await assert.rejects(send, { name: 'AbortError' })
  await sender.close()
})

test('closed before it began, it opens for what was accepted, and is no less closed', async () => {
  const sender = makeSender(9)
  const events = record(sender)
  const sent = sender.send('x')
  await sender.close()
  assert.equal(await sent, 1)
  assert.deepEqual(events, ['close'])
  await assert.rejects(sender.ready(), { code: 'ERR_MULTICAST_CLOSED' })
  const late = sender[Symbol.asyncIterator]()
  assert.deepEqual(await late.next(), { done: true, value: undefined })
})

test('where that opening fails, what was accepted tells of it and nothing else does', async () => {
  const sender = makeSender(9, {
    createSocket() {
      throw new Error('no more')
    },
  })
  const events = record(sender)
  const refused = assert.rejects(sender.send('x'), { code: 'ERR_MULTICAST_SOCKET' })
  await sender.close()
  await refused
  assert.deepEqual(events, ['close'])
  await assert.rejects(sender.send('late'), { code: 'ERR_MULTICAST_CLOSED' })
})

test('an abort ends a close that waits for its sends, at once or a turn later', async () => {
  for (const turns of [0, 1]) {
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
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate)
    controller.abort()
    await closed
    // The first reason is the one that is told.
    await assert.rejects(sender.ready(), { code: 'ERR_MULTICAST_CLOSED' })
    await assert.rejects(sender.request('late', { limit: 1 }).next(), {
      code: 'ERR_MULTICAST_CLOSED',
    })
  }
})

test('an abort rejects a request that waits for replies, and ends a loop', async () => {
  const controller = new AbortController()
  const sender = await makeSender(9, { signal: controller.signal }).ready()
  const reply = sender.request('x', { limit: 1 }).next()
  const loop = sender[Symbol.asyncIterator]().next()
  await until('it has sent', () => sender.stats.sent > 0)
  const reason = new Error('enough')
  controller.abort(reason)
  await assert.rejects(reply, reason)
  assert.deepEqual(await loop, { done: true, value: undefined })
})

test('what comes before it listens is passed over', async () => {
  const receiver = makeReceiver({
    createSocket(options) {
      const socket = createSocket(options)
      const remote = { address: '127.0.0.1', port: 9, family: 'IPv4', size: 5 }
      const addMembership = socket.addMembership.bind(socket)
      return Object.assign(socket, {
        addMembership(...on: Parameters<Socket['addMembership']>) {
          addMembership(...on)
          socket.emit('message', Buffer.from('early'), remote)
        },
      })
    },
  })
  const events = record(receiver)
  await receiver.ready()
  const { received, dropped } = receiver.stats
  assert.deepEqual([events, received, dropped], [['listening'], 0, 0])
})

test('what no membership asks for is dropped and counted, and heard by nobody', async () => {
  const { sockets, createSocket } = spied()
  const receiver = await makeReceiver({ sources: ['192.0.2.1'], createSocket }).ready()
  const events = record(receiver)
  for (const address of ['192.0.2.2', '192.0.2.1']) {
    sockets[0]?.emit('message', Buffer.from('x'), { address, port: 9, family: 'IPv4', size: 1 })
  }
  const { received, dropped } = receiver.stats
  assert.deepEqual([events, received, dropped], [['message'], 1, 1])
})

test('close waits for each of its sends, and hears nothing meanwhile', async () => {
  const { sockets, createSocket } = spied()
  const taken: (() => void)[] = []
  const sender = await makeSender(9, {
    createSocket: (options) =>
      Object.assign(createSocket(options), {
        send: (_data: unknown, _port: unknown, _address: unknown, done: () => void) =>
          taken.push(done),
      }),
  }).ready()
  const events = record(sender)
  const sends = [sender.send('one'), sender.send('two')]
  const loop = sender[Symbol.asyncIterator]()
  const closed = sender.close()
  const remote = { address: '127.0.0.1', port: 9, family: 'IPv4', size: 4 }
  for (const done of taken) {
    await new Promise(setImmediate)
    sockets[0]?.emit('message', Buffer.from('late'), remote)
    assert.deepEqual(events, [])
    done()
  }
  await Promise.all([...sends, closed])
  assert.deepEqual(events, ['close'])
  assert.deepEqual(await loop.next(), { done: true, value: undefined })
  assert.equal(sender.stats.received, 0)
})

test('the listener on the signal is gone after closing', async () => {
  const { signal } = new AbortController()
  const added = mock.method(signal, 'addEventListener')
  const removed = mock.method(signal, 'removeEventListener')
  await (await makeReceiver({ signal }).ready()).close()
  assert.equal(added.mock.callCount(), 1)
  assert.deepEqual(removed.mock.calls[0]?.arguments, added.mock.calls[0]?.arguments)
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

/** A life without an endpoint, and what it has done in its order. */
function bare(handlers: Partial<Handlers> = {}) {
  const done: string[] = []
  const reasons: unknown[] = []
  const note = (what: string) => (): void => {
    done.push(what)
  }
  const life = new Lifecycle('itself', 'thing', undefined, debug('nobody listens'), {
    isNeeded: () => false,
    open: async () => {},
    opened: note('opened'),
    listening: note('listening'),
    end: note('end'),
    drained: async () => {},
    async release(reason) {
      done.push('release')
      reasons.push(reason())
    },
    fail() {
      done.push('fail')
      return false
    },
    isWatched: () => true,
    error: note('error'),
    closed: note('closed'),
    ...handlers,
  })
  return { life, done, reasons }
}

const refusal = (cause?: Error) =>
  new MulticastError('ERR_MULTICAST_JOIN', 'refused', cause === undefined ? undefined : { cause })

test('what is asked for while it opens is done in that order, one at a time', async () => {
  const { life, done } = bare()
  const tasks = ['one', 'two', 'three'].map((name) =>
    life.inTurn(async () => {
      done.push(`begin ${name}`)
      await turn()
      done.push(`end ${name}`)
    }),
  )
  await Promise.all(tasks)
  const turns = ['one', 'two', 'three'].flatMap((name) => [`begin ${name}`, `end ${name}`])
  assert.deepEqual(done, ['opened', 'listening', ...turns])
  await life.close()
})

test('what waits for its turn is not begun after the end, and what was begun tells of the end', async () => {
  for (const [what, isClosed] of [
    ['succeeds', false],
    ['succeeds', true],
    ['fails', false],
    ['fails', true],
  ] as const) {
    const { life, done, reasons } = bare()
    await life.ready()
    let finish = (): void => {}
    const begun = life.inTurn(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      if (what === 'fails') throw refusal()
    })
    const waiting = life.inTurn(async () => {
      done.push('begun after the end')
    })
    await turn()
    const closed = life.close()
    if (isClosed) await closed
    finish()
    for (const one of [begun, waiting]) await assert.rejects(one, { code: 'ERR_MULTICAST_CLOSED' })
    await closed
    assert.deepEqual(done, ['opened', 'listening', 'end', 'release', 'closed'])
    // What would still be opened fails for the same reason.
    assert.equal((reasons[0] as MulticastError).code, 'ERR_MULTICAST_CLOSED')
  }
})

test('how something fails in its turn shows who has asked, however deep that was', async (t) => {
  const { stackTraceLimit } = Error
  t.after(() => {
    Error.stackTraceLimit = stackTraceLimit
  })
  Error.stackTraceLimit = 10
  const { life } = bare()
  const deep = (levels: number, error: () => Error): never => {
    if (levels === 0) throw error()
    return deep(levels - 1, error)
  }
  const asks = async (error: () => Error): Promise<Error> => {
    let failure: Error | undefined
    const rejected = (async function asker() {
      await life.inTurn(async () => deep(20, error))
    })()
    await rejected.catch((reason) => {
      failure = reason
    })
    return failure as Error
  }
  const cause = new Error('EPERM')
  const error = await asks(() => refusal(cause))
  assert.match(`${error.stack}`, /at async asker/)
  assert.ok(error instanceof MulticastError)
  assert.deepEqual(
    [error.code, error.message, error.cause],
    ['ERR_MULTICAST_JOIN', 'refused', cause],
  )
  assert.equal('cause' in (await asks(() => refusal())), false)
  // What is no error of this library is told as it is.
  assert.equal(await asks(() => cause), cause)
  await life.close()
})

test('closed before it began, it waits for what was accepted and is never listening', async () => {
  let drain = (): void => {}
  const draining = new Promise<void>((resolve) => {
    drain = resolve
  })
  const { life, done } = bare({ isNeeded: () => true, drained: () => draining })
  const closed = life.close()
  await turn()
  assert.deepEqual(done, ['end', 'opened'])
  drain()
  await closed
  assert.deepEqual(done, ['end', 'opened', 'release', 'closed'])
})

test('where opening fails, what is still being opened fails for that reason', async () => {
  const { life, done, reasons } = bare({ open: () => Promise.reject(refusal()) })
  await assert.rejects(life.ready(), { code: 'ERR_MULTICAST_JOIN' })
  await life.close()
  assert.deepEqual(done, ['release', 'fail', 'error', 'closed'])
  assert.equal((reasons[0] as MulticastError).code, 'ERR_MULTICAST_JOIN')
})
