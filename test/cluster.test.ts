import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import test from 'node:test'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { peerProgram, startedPeer } from './peer.js'

const group = '239.1.2.3'
// Nothing leaves the machine.
const loopback = '127.0.0.1'

test('the primary and each worker of a cluster hear every message', {
  timeout: 60_000,
}, async (t) => {
  cluster.setupPrimary({
    exec: peerProgram,
    execArgv: [],
    serialization: 'advanced',
    // Standard output belongs to the test runner.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const workers = [cluster.fork(), cluster.fork()]
  t.after(() => {
    for (const worker of workers) worker.process.kill('SIGKILL')
  })
  const [one, other] = await Promise.all(workers.map((worker) => startedPeer(worker.process)))
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
