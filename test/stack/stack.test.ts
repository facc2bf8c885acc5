/** The stack of a host by itself, with few ports, and with a wire that has nothing to answer. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { InetSocket } from '../../src/stack/inet-socket.js'
import { createLink, type Link } from '../../src/stack/link.js'
import { parseAddresses } from '../../src/stack/link-address.js'
import type { Packet } from '../../src/stack/packet.js'
import { linux, type PlatformRules } from '../../src/stack/platform.js'
import { StackSocket } from '../../src/stack/socket.js'
import { Stack } from '../../src/stack/stack.js'
import { turnIn } from '../../src/stack/turns.js'
import type { Wire } from '../../src/stack/wire.js'

let stack: Stack
let lo: Link

/** Makes the stack, under rules that differ in some from those of Linux. */
function makeStack(
  rules: Partial<PlatformRules> = {},
  send: Wire['send'] = (_link, _packet, _reach, answer) => answer(),
): void {
  const freePorts = { first: 40_000, last: 40_002 }
  const soon: Wire['soon'] = (task, scope) => turnIn(scope, task)
  stack = new Stack('host', { ...linux, freePorts, ...rules }, { send, soon })
  lo = createLink('lo', 1, parseAddresses(['127.0.0.1/8', '::1/128']))
  stack.routing.links.set('lo', lo)
}

beforeEach(() => makeStack())

afterEach(() => {
  for (const client of stack.clients) client.close()
})

/** One of IPv4 that comes to port 9. */
function packetTo(destination: string): Packet {
  return {
    ...{ family: 'IPv4', source: '127.0.0.1', sourcePort: 1, destination, port: 9, ttl: 64 },
    data: Buffer.from('x'),
  }
}

function addLink(...addresses: string[]): Link {
  const e0 = createLink('e0', 2, parseAddresses(addresses))
  stack.routing.links.set('e0', e0)
  return e0
}

/** A socket that was bound at once; what it was refused with, if so. */
function bound(port: number) {
  const socket = new StackSocket(stack, { type: 'udp4', lookup })
  let refusal: unknown
  socket.on('error', (error: NodeJS.ErrnoException) => (refusal = error.code))
  socket.bind(port)
  return { socket, port: refusal ?? socket.address().port }
}

/** An IPv4 socket at port 9, by itself. */
function earAt9({ reusePort = false } = {}): InetSocket {
  const socket = new InetSocket('IPv4', { reuseAddr: false, reusePort }, false, () => {})
  stack.bind(socket, '0.0.0.0', undefined, 9, (refusal) => assert.equal(refusal, undefined))
  return socket
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
  const sockets = [1, 2, 3].map(() => earAt9({ reusePort: true }))
  const heard = new Set<InetSocket>()
  for (let sourcePort = 1; sourcePort <= 20; sourcePort += 1) {
    const told: string[] = []
    const track = () => (outcome: string) => told.push(outcome)
    stack.hear(lo, { ...packetTo('127.0.0.1'), sourcePort }, false, track)
    assert.deepEqual(told, ['address', 'address'])
    const hearers = sockets.filter((socket) => socket.read() !== undefined)
    assert.equal(hearers.length, 1)
    for (const socket of hearers) heard.add(socket)
  }
  assert.equal(heard.size, sockets.length)
  for (const socket of sockets) stack.close(socket)
})

test('a host hears what it sends itself, and others do what it does not keep', () => {
  const e0 = addLink('10.0.0.1/24')
  const socket = earAt9()
  const group = '239.1.2.3'
  for (const { index } of [lo, e0]) socket.lists.IPv4.join(group, { asked: index, index, by: 'x' })
  const sent = (link: Link, destination: string, loopback: boolean, leaves: boolean) => {
    const isLeft = stack.hearOwn(link, packetTo(destination), { loopback, leaves }, () => () => {})
    return [socket.read() !== undefined, isLeft]
  }
  for (const loopback of [true, false]) {
    assert.deepEqual(sent(lo, '127.0.0.1', loopback, true), [true, false])
    assert.deepEqual(sent(lo, group, loopback, true), [true, false])
    assert.deepEqual(sent(e0, '10.0.0.1', loopback, true), [true, false])
    assert.deepEqual(sent(e0, '10.0.0.2', loopback, true), [false, true])
    for (const leaves of [true, false]) {
      for (const all of [group, '10.0.0.255', '255.255.255.255']) {
        assert.deepEqual(sent(e0, all, loopback, leaves), [loopback, leaves])
      }
    }
  }
  stack.close(socket)
})

test('what a wire is told leaves the host', () => {
  for (const leaksTtl0 of [true, false]) {
    const told: unknown[] = []
    makeStack({ leaksTtl0 }, (_link, { destination }, { leaves }) =>
      told.push([destination, leaves]),
    )
    addLink('10.0.0.1/24', 'fe80::1/64', 'fd00::1/64')
    for (const [type, ttl, to] of [
      ['udp6', 1, 'ff01::5%e0'],
      ['udp6', 1, 'ff02::5%e0'],
      ['udp6', 0, 'ff02::6%e0'],
      ['udp4', 1, '239.1.2.3'],
      ['udp4', 0, '239.1.2.4'],
      ['udp4', 0, '10.0.0.2'],
    ] as const) {
      const socket = new StackSocket(stack, { type, lookup }).bind()
      socket.setMulticastTTL(ttl)
      socket.send('x', 9, to)
      socket.close()
    }
    assert.deepEqual(told, [
      ['ff01::5', false],
      ['ff02::5', true],
      ['ff02::6', leaksTtl0],
      ['239.1.2.3', true],
      ['239.1.2.4', leaksTtl0],
      ['10.0.0.2', true],
    ])
  }
})

test("where the loopback option is the receiver's, it counts for what comes back from a network", () => {
  makeStack({ loopbackOfReceiver: true })
  const e0 = addLink('10.0.0.1/24')
  const socket = earAt9()
  const group = '239.1.2.3'
  for (const { index } of [lo, e0]) socket.lists.IPv4.join(group, { asked: index, index, by: 'x' })
  for (const multicastLoopback of [true, false]) {
    socket.multicastLoopback = multicastLoopback
    const sent = (link: Link) => {
      const reach = { loopback: true, leaves: true }
      stack.hearOwn(link, packetTo(group), reach, () => () => {})
      return socket.read() !== undefined
    }
    assert.deepEqual([sent(lo), sent(e0)], [true, multicastLoopback])
  }
  stack.close(socket)
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
  addLink('127.0.5.1/24')
  const { socket } = bound(0)
  socket.setMulticastInterface('127.0.5.1')
  const told: unknown[] = []
  socket.send('x', 9, '239.1.2.3', (error) => told.push(error?.message))
  socket.setMulticastInterface('127.0.0.1')
  socket.send('x', 9, '239.1.2.3', (error) => told.push(error?.message))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [undefined, undefined])
})
