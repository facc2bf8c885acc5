import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { getSystemErrorName } from 'node:util'
import { lookup } from '../../src/datagram.js'
import { MockNetwork } from '../../src/testing/index.js'

const host = () => new MockNetwork().host()

test('bind() takes what that of node:dgram takes', async () => {
  const { createSocket } = host()
  const calls: [bind: (socket: ReturnType<typeof createSocket>) => unknown, port?: number][] = [
    [(socket) => socket.bind()],
    [(socket) => socket.bind(5001), 5001],
    [(socket) => socket.bind(5002, '127.0.0.1'), 5002],
    [(socket) => socket.bind({ port: 5003, address: '127.0.0.1' }), 5003],
    [(socket) => socket.bind('5004' as never), 5004],
    [(socket) => socket.bind(65_536 + 5005), 5005],
  ]
  for (const [bind, port] of calls) {
    const socket = createSocket({ type: 'udp4' })
    bind(socket)
    await once(socket, 'listening')
    assert.equal(socket.address().port, port ?? socket.address().port)
    await new Promise<void>((resolve) => socket.close(resolve))
  }
  for (const bind of [
    (socket: ReturnType<typeof createSocket>, done: () => void) => socket.bind(done),
    (socket: ReturnType<typeof createSocket>, done: () => void) => socket.bind(0, done),
    (socket: ReturnType<typeof createSocket>, done: () => void) => socket.bind(0, '0.0.0.0', done),
    (socket: ReturnType<typeof createSocket>, done: () => void) => socket.bind({ port: 0 }, done),
  ]) {
    const socket = createSocket({ type: 'udp4' })
    await new Promise<void>((resolve) => bind(socket, resolve))
    await new Promise<void>((resolve) => socket.close(resolve))
  }
})

test('there are sockets of udp4 and of udp6', () => {
  for (const type of ['tcp', undefined]) {
    assert.throws(() => host().createSocket({ type: type as 'udp4' }), {
      name: 'TypeError',
      code: 'ERR_SOCKET_BAD_TYPE',
    })
  }
})

test('a socket that is closed before it is listening says nothing of listening', async () => {
  for (const { createSocket: create } of [host(), { createSocket }]) {
    const socket = create('udp4')
    const events: string[] = []
    for (const event of ['listening', 'close', 'error'] as const) {
      socket.on(event, () => events.push(event))
    }
    socket.bind(0)
    socket.close()
    await once(socket, 'close')
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(events, ['close'])
  }
})

test('a port is free again when its socket is closed, and free ports are each another', async () => {
  const { createSocket } = host()
  const open = async (port: number) => {
    const socket = createSocket({ type: 'udp4' })
    socket.bind(port)
    await once(socket, 'listening')
    return socket
  }
  const taken = await open(32_769)
  const free = [await open(0), await open(0)]
  assert.deepEqual(
    free.map((socket) => socket.address().port),
    [32_768, 32_770],
  )
  taken.close()
  const again = await open(32_769)
  for (const socket of [...free, again]) socket.close()
})

test('the errors of the system have its numbers', async () => {
  const network = new MockNetwork()
  const socket = network.host({ interfaces: {} }).createSocket({ type: 'udp4', lookup })
  const error = await new Promise<Error | null>((resolve) =>
    socket.send(Buffer.from('x'), 9, '239.1.2.3', resolve),
  )
  const { errno, code } = error as NodeJS.ErrnoException
  assert.deepEqual([getSystemErrorName(errno ?? 0), code], ['ENETUNREACH', 'ENETUNREACH'])
  socket.close()
})

test('of two hosts with one address one hears its unicast', async () => {
  const network = new MockNetwork()
  const twin = { interfaces: { eth0: { addresses: ['10.0.0.9/16'] } } }
  const sockets = [network.host(twin), network.host(twin)].map(({ createSocket }) =>
    createSocket({ type: 'udp4', lookup }).bind(9),
  )
  let heard = 0
  for (const socket of sockets) socket.on('message', () => (heard += 1))
  const speaker = network.host().createSocket({ type: 'udp4', lookup })
  speaker.send(Buffer.from('x'), 9, '10.0.0.9')
  await network.settled()
  assert.equal(heard, 1)
  await network.close()
})

test('of two hosts with one address each hears itself', async () => {
  const network = new MockNetwork()
  const twin = { interfaces: { eth0: { addresses: ['fd00::5'] } } }
  const heard: string[] = []
  const [one] = [network.host(twin), network.host(twin)].map(({ createSocket }, at) =>
    createSocket({ type: 'udp6', ipv6Only: true, lookup })
      .bind(9)
      .on('message', () => heard.push(`host${at + 1}`)),
  )
  one?.send('x', 9, 'fd00::5')
  await network.settled()
  assert.deepEqual(heard, ['host1'])
  await network.close()
})

test('connect() takes what that of node:dgram takes, and tells of it in that order', async () => {
  const sockets = {
    'node:dgram': createSocket({ type: 'udp4', lookup }),
    'the mock': host().createSocket({ type: 'udp4', lookup }),
  }
  for (const [name, socket] of Object.entries(sockets)) {
    const told: string[] = []
    socket.on('listening', () => told.push('listening'))
    socket.on('connect', () => told.push('connect'))
    await new Promise<void>((resolve) => {
      socket.connect(7, '127.0.0.1', () => {
        told.push('callback')
        resolve()
      })
      told.push('returned')
    })
    assert.deepEqual(told, ['listening', 'returned', 'connect', 'callback'], name)
    const remote = { address: '127.0.0.1', family: 'IPv4', port: 7 }
    assert.deepEqual(socket.remoteAddress(), remote, name)
    socket.disconnect()
    for (const connect of [
      (done: () => void) => socket.connect(7, done),
      (done: () => void) => socket.connect(7, '', done),
      (done: () => void) => socket.connect('7' as never, undefined as never, done),
    ]) {
      await new Promise<void>((resolve) => connect(resolve))
      assert.deepEqual(socket.remoteAddress(), remote, name)
      socket.disconnect()
    }
    socket.connect(7, 'fd00::1')
    const [error] = await once(socket, 'error')
    const { code, syscall, message, address, port } = error as NodeJS.ErrnoException & typeof remote
    assert.deepEqual([code, syscall, address, port], ['EINVAL', 'connect', 'fd00::1', 7], name)
    assert.equal(message, 'connect EINVAL fd00::1:7', name)
    await new Promise<void>((resolve) => socket.close(resolve))
  }
})

test('what was sent to an address before the socket is connected is refused by then', async () => {
  for (const { createSocket: create } of [host(), { createSocket }]) {
    const socket = create('udp4')
    socket.connect(7, '127.0.0.1')
    const send = (address: string) =>
      new Promise<Error | null>((resolve) => socket.send('x', 7, address, resolve))
    const errors = await Promise.all([send('127.0.0.1'), send('::1')])
    assert.deepEqual(
      errors.map((error) => error?.message),
      ['send EISCONN 127.0.0.1:7', 'send EINVAL ::1:7'],
    )
    await new Promise<void>((resolve) => socket.close(resolve))
  }
})
