/** The unicast carrier between hosts that have networks of their own. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { unicastCarrier } from '../../src/unicast/index.js'
import { type Host, type Lab, scenario } from '../lab.js'

const port = 10_000
const groups = { IPv4: '239.1.2.3', IPv6: 'ff05::1:3' } as const
const ours = { IPv4: ['10.0.0.1', '10.0.0.2'], IPv6: ['fd00::1', 'fd00::2'] } as const
const all = [...ours.IPv4, ...ours.IPv6]

/** A cable to another host. */
async function cabled(lab: Lab): Promise<Host> {
  const host = lab.host()
  await lab.cable(
    [lab.here, 'e0', '10.0.0.1/24', 'fd00::1/64'],
    [host, 'far', '10.0.0.2/24', 'fd00::2/64'],
  )
  return host
}

for (const family of ['IPv4', 'IPv6'] as const) {
  const group = groups[family]
  const [here = '', there = ''] = ours[family]

  scenario(
    `over ${family}, hosts hear each other from their own addresses, whatever those are`,
    [],
    async (lab) => {
      const host = await cabled(lab)
      // Each has the same list, with itself in it.
      const far = await host.peer({ peers: all })
      await far.receiver({ group, port }, 'heard: ')
      const carrier = unicastCarrier({ peers: all })
      const names = Object.values(carrier.networkInterfaces().peers0 ?? []).map(
        (one) => one.address,
      )
      assert.deepEqual(names, ['10.0.0.1', 'fd00::1'])
      await using receiver = new MulticastReceiver({ group, port, codec: text, ...carrier })
      const heard = new Inbox(receiver as never)
      await receiver.ready()
      await using sender = new MulticastSender({ group, port, codec: text, ...carrier })
      const [reply] = await sender.gather('question', { limit: 1, timeout: 10_000 })
      assert.equal(reply?.message, 'heard: question')
      assert.deepEqual([reply?.remote.address, reply?.remote.port], [there, port])
      // Its own copy came without a detour.
      assert.equal((await heard.next()).data.toString(), 'question')
      const back = await far.sender({ group, port })
      await back.send('from there')
      const { data, remote } = await heard.next()
      assert.deepEqual(
        [data.toString(), remote.address, remote.family],
        ['from there', there, family],
      )
      assert.equal(carrier.stats.sent, 1)
      assert.equal(heard.size, 0)
      assert.notEqual(here, there)
    },
  )
}

scenario(
  'where no copy can go a send is refused, where one can it is not, and it is counted',
  [],
  async (lab) => {
    const host = await cabled(lab)
    lab.here.ip('route add unreachable 10.8.0.0/16')
    const group = groups.IPv4
    const carrier = unicastCarrier({ peers: ['10.8.0.1', '10.8.0.2'] })
    await using sender = new MulticastSender({ group, port, codec: text, ...carrier })
    sender.on('error', assert.fail)
    await assert.rejects(sender.send('x'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_MULTICAST_SEND')
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'EHOSTUNREACH')
      return true
    })
    assert.deepEqual([carrier.stats.failed, sender.stats.failed], [2, 1])
    carrier.peers = ['10.8.0.1', '10.0.0.2']
    // Nobody has the port there: that host answers that it is unreachable.
    for (let sent = 0; sent < 5; sent += 1) await sender.send('nobody')
    const far = await host.peer({ peers: all })
    const { heard } = await far.receiver({ group, port })
    await sender.send('heard')
    assert.deepEqual(await heard.until('heard'), ['heard'])
    assert.deepEqual([carrier.stats.sent, sender.stats.failed], [6, 1])
  },
)

scenario('an address that the host gets or loses is followed', [], async (lab) => {
  const host = await cabled(lab)
  const carrier = unicastCarrier({ peers: all })
  const group = groups.IPv4
  await using receiver = new MulticastReceiver({ group, port, codec: text, ...carrier })
  const heard = new Inbox(receiver as never)
  await receiver.ready()
  lab.here.ip('addr del 10.0.0.1/24 dev e0', 'addr add 10.0.0.9/24 dev e0')
  assert.deepEqual(
    carrier.networkInterfaces().peers0?.map(({ address }) => address),
    ['10.0.0.9', 'fd00::1'],
  )
  const far = await host.peer({ peers: ['10.0.0.9'] })
  const sender = await far.sender({ group, port })
  await sender.send('to the new address')
  assert.equal((await heard.next()).data.toString(), 'to the new address')
})

scenario(
  'a carrier that is made before the host has an address sends once it has one',
  [],
  async (lab) => {
    const carrier = unicastCarrier({ peers: ['10.0.0.2'] })
    const group = groups.IPv4
    await using sender = new MulticastSender({ group, port, codec: text, ...carrier })
    await assert.rejects(sender.send('to nowhere'), { code: 'ERR_MULTICAST_SEND' })
    const host = await cabled(lab)
    const far = await host.peer({ peers: all })
    const { heard } = await far.receiver({ group, port })
    // What it has found is believed for a second.
    for (const end = Date.now() + 10_000; Date.now() < end; await delay(50)) {
      const isSent = await sender.send('hello').catch(() => undefined)
      if (isSent !== undefined) break
    }
    assert.equal((await heard.next()).data.toString(), 'hello')
  },
)

scenario('hosts that have only addresses of a link hear each other', [], async (lab) => {
  const host = lab.host()
  await lab.cable([lab.here, 'e0', 'fe80::1/64'], [host, 'far', 'fe80::2/64'])
  const group = groups.IPv6
  const far = await host.peer({ peers: ['fe80::1%far', 'fe80::2%far'] })
  await far.receiver({ group, port }, 'heard: ')
  const carrier = unicastCarrier({ peers: ['fe80::1%e0', 'fe80::2%e0'] })
  await using sender = new MulticastSender({ group, port, codec: text, ...carrier })
  const [reply] = await sender.gather('question', { limit: 1, timeout: 10_000 })
  assert.deepEqual([reply?.message, reply?.remote.address], ['heard: question', 'fe80::2%peers0'])
  assert.equal(carrier.stats.sent, 1)
})
