import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import test, { type TestContext } from 'node:test'
import { MulticastPeer, MulticastReceiver, MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import type { Peer } from '../src/testing/conformance/peer.js'
import { peerProgram, startedPeer } from './peer.js'

const group = '239.1.2.3'
// Nothing leaves the machine.
const loopback = '127.0.0.1'

/** Two workers of a cluster, of which the test is the primary. */
async function workers(t: TestContext): Promise<Peer[]> {
  cluster.setupPrimary({
    exec: peerProgram,
    execArgv: [],
    serialization: 'advanced',
    // Standard output belongs to the test runner.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const forked = [cluster.fork(), cluster.fork()]
  t.after(() => {
    for (const worker of forked) worker.process.kill('SIGKILL')
  })
  return Promise.all(forked.map((worker) => startedPeer(worker.process)))
}

test('the primary and each worker of a cluster hear every message', {
  timeout: 60_000,
}, async (t) => {
  const [one, other] = await workers(t)
  assert.ok(one && other)
  // Holds the port that the workers are told, since one that each picks is never shared.
  await using receiver = new MulticastReceiver({ group, port: 0, interfaces: [loopback] })
  await receiver.ready()
  const { port } = receiver.address()
  const options = { group, port, interfaces: [loopback] }
  const heard = [receiver, await one.receiver(options), await other.receiver(options)].map(
    (receiver) => new Inbox(receiver),
  )
  await using sender = new MulticastSender({ group, port, interfaces: loopback })
  const messages = Array.from({ length: 100 }, (_, at) => `message ${at}`)

  for (const message of messages) await sender.send(message)

  for (const inbox of heard) {
    assert.deepEqual(
      (await inbox.take(100)).map(({ text }) => text),
      messages,
    )
  }
})

test('peers of the primary and of each worker hear every message of each once', {
  timeout: 60_000,
}, async (t) => {
  const [one, other] = await workers(t)
  assert.ok(one && other)
  await using peer = new MulticastPeer({ group, port: 0, interfaces: loopback })
  await peer.ready()
  const options = { group, port: peer.address().port, interfaces: loopback }
  const peers = [peer, await one.multicastPeer(options), await other.multicastPeer(options)]
  const heard = peers.map((peer) => new Inbox(peer))
  const messages = Array.from({ length: 99 }, (_, at) => `message ${at}`)

  for (const [at, message] of messages.entries()) await peers[at % 3]?.send(message)
  await peer.send('end')

  for (const inbox of heard) {
    const mails = await inbox.take(100)
    assert.deepEqual(mails.map(({ text }) => text).sort(), ['end', ...messages].sort())
    assert.equal(inbox.size, 0)
  }
})
