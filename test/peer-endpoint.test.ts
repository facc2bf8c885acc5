/** What a peer has of a receiver and of a sender, on 127.0.0.1. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type Codec, json, MulticastPeer, type PeerOptions, text } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { runProgram } from './child.js'
import { group, keep, makePeer, makeReceiver, makeSender, record, spied } from './loopback.js'
import { openSockets, told } from './told.js'
import { until } from './until.js'

const interfaces = '127.0.0.1'
const hasLo = networkInterfaces().lo !== undefined

/** Two peers of one port. */
async function pair(options: Partial<PeerOptions> = {}): Promise<ReturnType<typeof makePeer>[]> {
  const one = await makePeer(options).ready()
  return [one, await makePeer({ ...options, port: one.address().port }).ready()]
}

test('of port 0 it has one port, from which it sends too', async () => {
  const [one, other] = await pair()
  const heard = once(one as never, 'message')
  await other?.send('hello')
  const [message, remote] = await heard
  const port = one?.address().port
  assert.deepEqual([message, remote.address, remote.port], ['hello', interfaces, port])
  assert.deepEqual(remote, { address: interfaces, family: 'IPv4', port, size: 5 })
})

test('its events are those of a receiver', async () => {
  const options = { group, port: 0, interfaces, timeout: 20 }
  const peer = keep(new MulticastPeer({ ...options, codec: json<string>() }))
  const events = record(peer)
  const changes: unknown[] = []
  peer.on('membership', (change, membership) => changes.push([change, membership]))
  await peer.ready()
  await once(peer, 'timeout')
  await peer.send('hello')
  await once(peer, 'message')
  const sender = makeSender(peer.address().port)
  const malformed = once(peer, 'malformed')
  await sender.send('{')
  const [error, data] = await malformed
  assert.deepEqual([error.code, data.toString()], ['ERR_MULTICAST_DECODE', '{'])
  await peer.leave()
  await peer.join()
  await peer.close()
  assert.deepEqual(
    events.filter((event, at) => event !== 'timeout' || events[at - 1] === 'listening'),
    ['listening', 'timeout', 'message', 'malformed', 'close'],
  )
  const membership = { interface: 'lo' }
  assert.deepEqual(changes, [
    ['left', membership],
    ['joined', membership],
  ])
  const { received, malformed: count, sent } = peer.stats
  assert.deepEqual([received, count, sent], [2, 1, 1])
})

test('its messages are read in a loop, which closing ends and an abort too', async () => {
  for (const end of ['close', 'abort']) {
    const stop = new AbortController()
    const peer = makePeer({ signal: stop.signal })
    const messages: string[] = []
    const reading = (async () => {
      for await (const { message } of peer) {
        messages.push(message)
        if (message !== 'last') continue
        if (end === 'close') peer.close()
        else stop.abort()
      }
    })()
    await peer.send('first')
    await peer.send('last')
    await reading
    assert.deepEqual(messages, ['first', 'last'])
    await peer.close()
    assert.deepEqual([peer.interfaces, peer.memberships], [[], []])
  }
})

test('an abort rejects what waits with its reason, and all of its sockets are gone', {
  skip: process.platform !== 'linux' && 'sockets are counted on Linux',
}, async () => {
  const before = openSockets()
  const stop = new AbortController()
  const reason = new Error('enough')
  const peer = makePeer({ signal: stop.signal })
  const sent = peer.send('x')
  stop.abort(reason)
  await assert.rejects(sent, reason)
  await assert.rejects(peer.send('y'), reason)

  const open = await makePeer().ready()
  assert.equal(openSockets(), before + 2)
  await open.close()
  await assert.rejects(open.send('late'), { code: 'ERR_MULTICAST_CLOSED' })
  const early = makePeer()
  await early.close()
  const opening = makePeer()
  await Promise.resolve()
  await Promise.resolve()
  await opening.close()
  assert.equal(openSockets(), before)
})

test('its codecs carry what it hears, what it sends and what it replies', async () => {
  const codec: Codec<number, string> = {
    encode: (value) => Buffer.from(`${value}`),
    decode: (data) => `heard ${data}`,
  }
  const replyCodec: Codec<{ answer: number }, { answer: number }> = json()
  const options = { group, port: 0, interfaces, codec, replyCodec }
  const peer = keep(new MulticastPeer(options))
  await peer.ready()
  const { port } = peer.address()
  const itself = once(peer, 'message')
  assert.equal(await peer.send(42), 2)
  assert.equal((await itself)[0], 'heard 42')
  const sender = makeSender(port)
  const asked = once(peer, 'message')
  const answered = once(sender, 'message')
  await sender.send('?')
  await peer.reply({ answer: 7 }, (await asked)[1])
  assert.equal((await answered)[0], '{"answer":7}')

  // What cannot be encoded rejects, and nothing is sent.
  await assert.rejects(makePeer({ port }).send(7 as never), { name: 'MulticastError' })
  const bare = keep(new MulticastPeer({ group, port, interfaces, replyCodec: text }))
  const heard = once(bare, 'message')
  await bare.send(Buffer.from([1, 2]))
  assert.deepEqual((await heard)[0], Buffer.from([1, 2]))
})

test('before it listens sends wait, up to maxQueuedBytes', async () => {
  const peer = makePeer({ maxQueuedBytes: 10 + 256 })
  const heard = new Inbox(peer as never)
  const sent = peer.send('12345678')
  await assert.rejects(peer.send('too much'), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: /264 bytes wait to be sent, and 8 more .*would exceed maxQueuedBytes \(266\)/,
  })
  assert.equal(await sent, 8)
  assert.equal(await peer.send('more than ten bytes'), 19)
  assert.equal((await heard.take(2)).length, 2)
  await assert.rejects(peer.send('x'.repeat(65_508)), { code: 'ERR_MULTICAST_MESSAGE_SIZE' })
})

test('what is asked of its sockets is asked of each', async () => {
  const { sockets, createSocket } = spied()
  const options = { recvBufferSize: 8192, sendBufferSize: 16_384, createSocket }
  await makePeer({ ...options, networkInterfaces }).ready()
  assert.equal(sockets.length, 2)
  for (const socket of sockets) {
    // Linux tells twice what was asked for.
    const unit = process.platform === 'linux' ? 2 : 1
    assert.deepEqual(
      [socket.getRecvBufferSize(), socket.getSendBufferSize()],
      [8192 * unit, 16_384 * unit],
    )
  }
})

test('it keeps the process alive, unless it is told not to', async () => {
  const options = JSON.stringify({ group, port: 0, interfaces })
  for (const [held, lasts] of [
    ['peer.unref()', false],
    ['await peer.ready(); peer.unref()', false],
    ['await peer.ready()', true],
    ['await peer.ready(); peer.unref().ref()', true],
  ] as const) {
    const { code, stdout } = await runProgram(`
      const peer = new MulticastPeer(${options})
      setTimeout(() => { console.log('lasts'); process.exit() }, 500).unref()
      ${held}
    `)
    assert.deepEqual([code, stdout.includes('lasts')], [0, lasts], held)
  }
})

test('its memberships are joined and left', { skip: !hasLo && 'no lo' }, async () => {
  const [peer, other] = await pair()
  assert.ok(peer && other)
  const heard = new Inbox(peer as never)
  await peer.leave({ interface: 'lo' })
  assert.deepEqual(peer.memberships, [])
  await other.send('not asked for')
  // It sends all the same.
  await peer.send('own')
  await until('both are dropped', () => peer.stats.dropped >= 2)
  await peer.join()
  assert.deepEqual(peer.memberships, [{ interface: 'lo' }])
  await other.send('end')
  assert.deepEqual(await heard.until('end'), ['end'])
  assert.deepEqual(peer.interfaces, ['lo'])
})

test('bound to any address it hears unicast, by the socket that hears the group', async () => {
  const peer = await makePeer({ bindAddress: 'any' }).ready()
  const heard = new Inbox(peer as never)
  const socket = createSocket('udp4')
  const { port } = peer.address()
  for (const message of ['one', 'two']) socket.send(message, port, interfaces)
  await heard.take(2)
  await peer.send('to the group')
  assert.deepEqual(await heard.until('to the group'), ['to the group'])
  socket.close()
})

test('DEBUG tells where a peer or a receiver is bound and hears no group', {
  skip: process.platform !== 'linux' && 'it does so on Linux',
}, async (t) => {
  const lines = told(t)
  const deaf = (): string[] => lines.filter((line) => line.includes('it hears no group'))
  let count = 0
  for (const [kind, make] of [
    ['receiver', makeReceiver],
    ['peer', makePeer],
  ] as const) {
    for (const bindAddress of [undefined, 'group', 'any']) {
      await make({ bindAddress }).ready()
      assert.equal(deaf().length, count)
    }
    const endpoint = await make({ bindAddress: interfaces }).ready()
    count += 1
    assert.equal(deaf().length, count)
    assert.match(
      deaf().at(-1) ?? '',
      new RegExp(`typed-multicast:${kind} bound to 127\\.0\\.0\\.1 it hears no group on Linux`),
    )
    const heard = new Inbox(endpoint as never)
    const hearing = await makeReceiver({ port: endpoint.address().port }).ready()
    const has = once(hearing, 'message')
    await makeSender(endpoint.address().port).send('to the group')
    await has
    assert.equal(heard.size, 0)
  }
})
