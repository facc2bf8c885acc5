import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, test } from 'node:test'
import { MulticastPeer, MulticastReceiver, MulticastSender } from '../../src/index.js'
import { MockNetwork, refuseRealSockets } from '../../src/testing/index.js'
import { keep, listen, speak } from './endpoints.js'

const opened = new Set<Socket>()
const refusals: Disposable[] = []

afterEach(async () => {
  for (const refusal of refusals.splice(0)) refusal[Symbol.dispose]()
  for (const socket of opened) socket.close()
  opened.clear()
})

function real(): Socket {
  const socket = createSocket('udp4')
  opened.add(socket)
  return socket
}

function refuse(): Disposable {
  const refusal = refuseRealSockets()
  refusals.push(refusal)
  return refusal
}

const end = (refusal: Disposable) => refusal[Symbol.dispose]()

/** What the calls are given: nothing that would leave this machine. */
const calls: Readonly<Record<string, readonly unknown[]>> = {
  bind: [0, '127.0.0.1'],
  bindSync: [{ port: 0, address: '127.0.0.1' }],
  connect: [9, '127.0.0.1'],
  connectSync: [9, '127.0.0.1'],
  send: ['slip', 9, '127.0.0.1'],
  sendto: [Buffer.from('slip'), 0, 4, 9, '127.0.0.1'],
  addMembership: ['239.255.29.71', '127.0.0.1'],
  addSourceSpecificMembership: ['127.0.0.1', '239.255.29.71', '127.0.0.1'],
  dropMembership: ['239.255.29.71', '127.0.0.1'],
  dropSourceSpecificMembership: ['127.0.0.1', '239.255.29.71', '127.0.0.1'],
}

/** The members that take no socket onto the network by themselves. */
const harmless = [
  ...['constructor', 'close', 'address', 'remoteAddress', 'disconnect', 'ref', 'unref'],
  ...['setBroadcast', 'setTTL', 'setMulticastTTL', 'setMulticastLoopback'],
  ...['setMulticastInterface'],
  ...['setRecvBufferSize', 'setSendBufferSize', 'getRecvBufferSize', 'getSendBufferSize'],
  ...['getSendQueueSize', 'getSendQueueCount'],
]

const isRefused = { name: 'MulticastError', code: 'ERR_MULTICAST_REAL_SOCKET' }
const assertRefused = (socket: Socket) =>
  assert.throws(() => socket.bind(0, '127.0.0.1'), isRefused)

/** That a socket does what a real one does. */
async function assertReal(socket: Socket): Promise<void> {
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
}

test('each call that takes a new real socket onto the network is refused, where it is made', (t) => {
  const { prototype } = real().constructor
  // As on a line of Node that has all of them.
  const lacking = Object.keys(calls).filter((call) => !(call in prototype))
  for (const call of lacking) {
    Object.defineProperty(prototype, call, { value: () => {}, configurable: true })
  }
  t.after(() => {
    for (const call of lacking) Reflect.deleteProperty(prototype, call)
  })
  refuse()
  const socket = real()
  const members = socket as unknown as Record<string, (...args: readonly unknown[]) => unknown>
  for (const [call, args] of Object.entries(calls)) {
    assert.throws(
      () => members[call]?.(...args),
      (error: Error) => {
        assert.equal((error as { code?: unknown }).code, isRefused.code)
        const asked = call === 'sendto' ? 'send' : call
        assert.match(error.message, new RegExp(`forbids ${asked}\\(\\).* network\\.host\\(\\)`))
        // Node's own line is between where the one call is made by the other.
        const line = error.stack?.split('\n').slice(1)[call === 'sendto' ? 1 : 0]
        assert.match(line ?? '', /real-sockets\.test/)
        return true
      },
    )
  }
})

test('a refused socket has the members of others', () => {
  const before = real()
  refuse()
  const socket = real()
  for (const call of Object.keys(calls)) assert.equal(call in socket, call in before, call)
})

test('no member of a socket is neither refused nor known to be harmless', () => {
  const { prototype } = real().constructor
  const members = Object.getOwnPropertyNames(prototype).filter((name) => !name.startsWith('_'))
  const known = [...Object.keys(calls), ...harmless]
  assert.deepEqual(
    members.filter((name) => !known.includes(name)),
    [],
  )
})

test('a sender, a receiver and a peer without a carrier fail, and tell why', async () => {
  refuse()
  // Pinned, in case they are not refused.
  const where = { group: '239.255.29.71', port: 10_040, interfaces: '127.0.0.1' }
  const sender = new MulticastSender(where)
  const receiver = new MulticastReceiver(where)
  const peer = new MulticastPeer(where)
  for (const endpoint of [sender, receiver, peer]) keep(endpoint)
  const outcomes = [
    sender.ready(),
    sender.send('slip'),
    receiver.ready(),
    peer.ready(),
    peer.send('slip'),
  ]
  for (const outcome of outcomes) {
    await assert.rejects(outcome, (error: Error & { code?: unknown }) => {
      assert.equal(error.code, 'ERR_MULTICAST_BIND')
      assert.match(error.message, /: refuseRealSockets\(\) forbids bind\(\) .* network\.host\(\)/)
      assert.equal((error.cause as { code?: unknown }).code, isRefused.code)
      return true
    })
  }
})

test('mock sockets are not refused', async () => {
  refuse()
  const network = new MockNetwork()
  const { heard } = await listen(network.host())
  await speak(network.host()).send('hello')
  await network.settled()
  assert.deepEqual(heard, ['hello'])
})

test('what was made before stays as it is, and what was made meanwhile too', async () => {
  const before = real()
  const refusal = refuse()
  const meanwhile = real()
  end(refusal)
  const after = real()
  await assertReal(before)
  assertRefused(meanwhile)
  await assertReal(after)
  // It can be closed all the same, as those of this test are.
})

test('it holds until each who asked for it has ended it, once or more often', async () => {
  const [outer, inner] = [refuse(), refuse()]
  end(inner)
  end(inner)
  assertRefused(real())
  end(outer)
  await assertReal(real())
  const again = refuse()
  end(outer)
  assertRefused(real())
  end(again)
  await assertReal(real())
})

test('a call on a refused socket can be replaced by a spy', ({ mock }) => {
  refuse()
  const socket = real()
  socket.bind = () => socket
  assert.equal(socket.bind(), socket)
  const send = mock.method(socket, 'send', () => {})
  socket.send('slip')
  assert.equal(send.mock.callCount(), 1)
  send.mock.restore()
  assert.throws(() => socket.send('slip', 9, '127.0.0.1'), isRefused)
})
