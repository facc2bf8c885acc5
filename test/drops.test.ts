import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { MulticastPeer, MulticastReceiver, MulticastSender } from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'
import { scenario } from './lab.js'
import { told } from './told.js'
import { moduleOf } from './tree.js'

const port = 10_000
const sent = 2000
/** Holds some of the datagrams of a flood, and far from all. */
const recvBufferSize = 8192

/** What the kernel says of all the sockets that are bound so, whosever they are. */
function allDrops(): number {
  const lines = ['udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1),
  )
  const on = lines.filter((line) => line.includes(`:${port.toString(16).padStart(4, '0')} `))
  return on.reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0)
}

for (const [family, group] of [
  ['IPv4', '239.1.2.3'],
  ['IPv6', 'ff05::1:3'],
  ['link-local IPv6', 'ff02::1:3'],
] as const) {
  scenario(
    `over ${family}, what the kernel drops is that of this process's sockets alone`,
    [],
    async (lab, t) => {
      await lab.cable(
        [lab.here, 'e0', '10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'],
        [lab.host(), 'far', '10.0.0.2/24', 'fd00::2/64', 'fe80::2/64'],
      )
      const options = { group, port, interfaces: 'e0', recvBufferSize }
      // Another program with such a socket, which reads nothing.
      const other = spawn(
        process.execPath,
        [
          '--input-type=module',
          '--eval',
          `import { MulticastReceiver } from ${moduleOf('index')}
          await new MulticastReceiver(${JSON.stringify(options)}).ready()
          process.send('ready', () => { for (;;); })`,
        ],
        { stdio: ['ignore', 2, 2, 'ipc'] },
      )
      t.after(() => other.kill('SIGKILL'))
      await once(other, 'message')

      await using one = new MulticastReceiver(options)
      await using two = new MulticastReceiver(options)
      await using elsewhere = new MulticastReceiver({ ...options, port: port + 1 })
      await using sender = new MulticastSender({ group, port, interfaces: 'e0' })
      await Promise.all([one, two, elsewhere, sender].map((endpoint) => endpoint.ready()))
      assert.equal(await one.kernelDrops(), 0)
      // The kernel takes each at once, and nobody here reads meanwhile.
      const sends = Array.from({ length: sent }, () => sender.send('x'.repeat(100)))
      await Promise.all(sends)
      // Nor is there room before they have read what the kernel held for them.
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      const last = Promise.all([one, two].map((receiver) => hears(receiver, 'end')))
      await sender.send('end')
      await last
      const lost = [one, two].map(({ stats }) => sent + 1 - stats.received)
      assert.ok(
        lost.every((count) => count > sent / 2 && count < sent),
        lost.join(),
      )
      const [own, ofTwo] = [await one.kernelDrops(), await two.kernelDrops()]
      assert.deepEqual([own, ofTwo], [(lost[0] ?? 0) + (lost[1] ?? 0), own])
      assert.equal(await elsewhere.kernelDrops(), 0)
      assert.equal(await sender.kernelDrops(), 0)
      assert.ok(allDrops() > (own ?? 0), 'the other program has lost some too')
      await one.close()
      assert.equal(await one.kernelDrops(), 0)
    },
  )
}

async function hears(receiver: MulticastReceiver, text: string): Promise<void> {
  for await (const { message } of receiver) if (`${message}` === text) return
}

scenario('over a mock nobody tells what the kernel drops', [], async () => {
  await using network = new MockNetwork()
  const options = { group: '239.1.2.3', port, bindAddress: 'group' as const }
  const receiver = await new MulticastReceiver({ ...options, ...network.host() }).ready()
  assert.equal(await receiver.kernelDrops(), undefined)
})

scenario('buffers are told in the unit that they are asked for', [], async (lab, t) => {
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [lab.host(), 'far', '10.0.0.2/24'])
  const most = {
    recvBufferSize: Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8')),
    sendBufferSize: Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8')),
  }
  const on = { group: '239.1.2.3', port, interfaces: 'e0' }
  const lines = told(t)
  const granting = () => lines.filter((line) => line.includes('grants'))
  const few = { ...on, recvBufferSize: 20_000, sendBufferSize: 30_000 }
  for (const make of [
    () => new MulticastReceiver(few),
    () => new MulticastSender(few),
    () => new MulticastPeer(few),
  ]) {
    const modest = make()
    for (const buffer of ['recvBufferSize', 'sendBufferSize'] as const) {
      assert.throws(() => modest[buffer], { code: 'ERR_MULTICAST_NOT_LISTENING' })
    }
    await modest.ready()
    assert.deepEqual([modest.recvBufferSize, modest.sendBufferSize], [20_000, 30_000])
    await modest.close()
    assert.throws(() => modest.recvBufferSize, { code: 'ERR_MULTICAST_NOT_LISTENING' })
    assert.deepEqual(granting(), [])
  }
  const asked = 2 ** 30
  await using greedy = new MulticastReceiver({
    ...on,
    recvBufferSize: asked,
    sendBufferSize: asked,
  })
  await greedy.ready()
  const { recvBufferSize, sendBufferSize } = greedy
  assert.deepEqual({ recvBufferSize, sendBufferSize }, most)
  assert.deepEqual(
    granting().map((line) => line.replace(/.*receiver /, '')),
    (['recvBufferSize', 'sendBufferSize'] as const).map(
      (buffer) => `${buffer}: asked for ${asked}, the system grants ${most[buffer]}`,
    ),
  )
})
