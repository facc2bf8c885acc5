import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import test from 'node:test'
import { MulticastSender } from '../src/index.js'
import { Inbox } from './inbox.js'
import { Peer } from './peer.js'

const group = '239.1.2.3'
// Nothing leaves the machine.
const loopback = '127.0.0.1'

test('each worker of a cluster hears every message', { timeout: 60_000 }, async (t) => {
  cluster.setupPrimary({
    exec: Peer.program,
    execArgv: ['--import', import.meta.resolve('tsx')],
    serialization: 'advanced',
    // Standard output belongs to the test runner.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const workers = [cluster.fork(), cluster.fork()]
  t.after(() => {
    for (const worker of workers) worker.process.kill('SIGKILL')
  })
  const [one, other] = await Promise.all(workers.map((worker) => Peer.started(worker.process)))
  assert.ok(one && other)
  const first = await one.receiver({ group, port: 0, interfaces: [loopback] })
  const { port } = await first.address()
  const second = await other.receiver({ group, port, interfaces: [loopback] })
  const heard = [new Inbox(first), new Inbox(second)]
  await using sender = new MulticastSender({ group, port, interface: loopback })
  const messages = Array.from({ length: 100 }, (_, at) => `message ${at}`)

  for (const message of messages) await sender.send(message)

  for (const inbox of heard) {
    assert.deepEqual(
      (await inbox.take(100)).map(({ text }) => text),
      messages,
    )
  }
})
