/** The stack of a host by itself, with few ports, and with a wire that has nothing to answer. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { InetSocket } from '../../src/stack/inet-socket.js'
import { parseAddresses } from '../../src/stack/link-address.js'
import { linux } from '../../src/stack/platform.js'
import { StackSocket } from '../../src/stack/socket.js'
import { Stack } from '../../src/stack/stack.js'
import { turnIn } from '../../src/stack/turns.js'

let stack: Stack

beforeEach(() => {
  const rules = { ...linux, freePorts: { first: 40_000, last: 40_002 } }
  stack = new Stack('host', rules, {
    send: (_link, _packet, _reach, answer) => answer(),
    soon: (task, scope) => turnIn(scope, task),
  })
  stack.routing.links.set('lo', {
    ...{ name: 'lo', index: 1, isLoopback: true, isUp: true },
    addresses: parseAddresses(['127.0.0.1/8', '::1/128']),
  })
})

afterEach(() => {
  for (const client of stack.clients) client.close()
})

/** A socket that was bound at once; what it was refused with, if so. */
function bound(port: number) {
  const socket = new StackSocket(stack, { type: 'udp4', lookup })
  let refusal: unknown
  socket.on('error', (error: NodeJS.ErrnoException) => (refusal = error.code))
  socket.bind(port)
  return { socket, port: refusal ?? socket.address().port }
}

test('free ports are counted up, from the first again after the last, past those that are taken', () => {
  assert.deepEqual([bound(0).port, bound(40_001).port, bound(0).port], [40_000, 40_001, 40_002])
  assert.equal(bound(0).port, 'EADDRINUSE')
  for (const client of stack.clients) client.close()
  for (const port of [40_000, 40_001, 40_002, 40_000]) {
    const { socket, port: picked } = bound(0)
    assert.equal(picked, port)
    socket.close()
  }
})

test('a port is shared by sockets that all have SO_REUSEADDR, or all SO_REUSEPORT', () => {
  const sharing = [false, true].flatMap((reuseAddr) =>
    [false, true].map((reusePort) => ({ reuseAddr, reusePort })),
  )
  for (const first of sharing) {
    for (const second of sharing) {
      const refusals = [first, second].map((how) => {
        const socket = new InetSocket('IPv4', how, false, () => {})
        let refused: string | undefined = 'not answered'
        stack.bind(socket, '0.0.0.0', undefined, 9, (code) => (refused = code))
        return { socket, refused }
      })
      for (const { socket } of refusals) stack.close(socket)
      const isShared =
        (first.reuseAddr && second.reuseAddr) || (first.reusePort && second.reusePort)
      const told = refusals.map(({ refused }) => refused)
      assert.deepEqual(told, [undefined, isShared ? undefined : 'EADDRINUSE'])
    }
  }
})

test('of sockets that share a port by SO_REUSEPORT one hears each sender, and not always the same', () => {
  const sockets = [1, 2, 3].map(() => {
    const socket = new InetSocket('IPv4', { reuseAddr: false, reusePort: true }, false, () => {})
    stack.bind(socket, '0.0.0.0', undefined, 9, () => {})
    return socket
  })
  const link = stack.routing.links.get('lo')
  assert.ok(link)
  const heard = new Set<InetSocket>()
  for (let sourcePort = 1; sourcePort <= 20; sourcePort += 1) {
    const packet = {
      ...{ family: 'IPv4' as const, source: '127.0.0.1', sourcePort, ttl: 64 },
      ...{ destination: '127.0.0.1', port: 9, data: Buffer.from('x') },
    }
    stack.hear(link, packet)
    const hearers = sockets.filter((socket) => socket.read() !== undefined)
    assert.equal(hearers.length, 1)
    for (const socket of hearers) heard.add(socket)
  }
  assert.equal(heard.size, sockets.length)
  for (const socket of sockets) stack.close(socket)
})

test('where no port is free a socket that has given up its own sends nothing', async () => {
  const { socket } = bound(0)
  await new Promise<void>((resolve) => socket.connect(9, '127.0.0.1', () => resolve()))
  socket.disconnect()
  for (const _ of [1, 2, 3]) bound(0)
  const refused = await new Promise((resolve) => socket.send('x', 9, '127.0.0.1', resolve))
  assert.equal((refused as NodeJS.ErrnoException).code, 'EAGAIN')
  socket.connect(9, '127.0.0.1')
  const error = await new Promise((resolve) => socket.once('error', resolve))
  assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN')
})

test('a stack whose wire is gone tells each client, and closes it, unless the first does', async () => {
  const told: string[] = []
  const [one, two, three] = [bound(0), bound(0), bound(0)].map(({ socket }) => socket)
  const closed = [one, two, three].map((socket, at) => {
    socket?.on('error', ({ message }) => told.push(`${at} ${message}`))
    return new Promise<void>((resolve) =>
      socket?.on('close', () => {
        told.push(`${at} closed`)
        resolve()
      }),
    )
  })
  one?.on('error', () => two?.close())
  three?.on('error', () => three.close())
  stack.fail(new Error('gone'))
  assert.deepEqual(told, [])
  await Promise.all(closed)
  assert.deepEqual(told.sort(), ['0 closed', '0 gone', '1 closed', '2 closed', '2 gone'])
  assert.equal(stack.clients.size, 0)
})

test('an address of 127.0.0.0/8 is of whichever link has it', async () => {
  stack.routing.links.set('e0', {
    ...{ name: 'e0', index: 2, isLoopback: false, isUp: true },
    addresses: parseAddresses(['127.0.5.1/24']),
  })
  const { socket } = bound(0)
  socket.setMulticastInterface('127.0.5.1')
  const told: unknown[] = []
  socket.send('x', 9, '239.1.2.3', (error) => told.push(error?.message))
  socket.setMulticastInterface('127.0.0.1')
  socket.send('x', 9, '239.1.2.3', (error) => told.push(error?.message))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [undefined, undefined])
})
