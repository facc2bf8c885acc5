import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import type { Peer } from '../src/testing/conformance/peer.js'
import { type Host, type Lab, scenario } from './lab.js'
import { until } from './until.js'

const port = 10000
const group = '239.1.2.3'
const otherGroup = '239.1.2.4'

/** Two cables from here to another host, whose ends there have two addresses each. */
async function twoCables(lab: Lab): Promise<Host> {
  const host = lab.host()
  for (const net of [0, 1]) {
    await lab.cable(
      [lab.here, `e${net}`, `10.0.${net}.1/24`, `fd0${net}::1/64`],
      [
        host,
        `far${net}`,
        `10.0.${net}.2/24`,
        `10.0.${net}.3/24`,
        `fd0${net}::2/64`,
        `fd0${net}::3/64`,
      ],
    )
  }
  return host
}

/** A plain socket of another program, which has joined a group here. */
async function neighbour(group: string, ...interfaces: string[]): Promise<Socket> {
  const socket = createSocket({ type: group.includes(':') ? 'udp6' : 'udp4', reuseAddr: true })
  socket.bind(port)
  await once(socket, 'listening')
  for (const on of interfaces) socket.addMembership(group, on)
  return socket
}

scenario('two groups on one port do not leak into each other', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  await using one = new MulticastReceiver({ group, port })
  await using other = new MulticastReceiver({ group: otherGroup, port })
  const heard = { one: new Inbox(one), other: new Inbox(other) }
  await Promise.all([one.ready(), other.ready()])

  const toOne = await peer.sender({ group, port, interfaces: 'far0' })
  const toOther = await peer.sender({ group: otherGroup, port, interfaces: 'far0' })
  await toOther.send('for the other')
  await toOne.send('for the one')
  await toOther.send('end')
  await toOne.send('end')

  assert.deepEqual(await heard.one.until('end'), ['for the one', 'end'])
  assert.deepEqual(await heard.other.until('end'), ['for the other', 'end'])
})

scenario('a group that another process of the host has joined is not heard', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  const neighbour = await lab.here.peer()
  const heardNextDoor = new Inbox(
    await neighbour.receiver({ group: otherGroup, port, bindAddress: 'any' }),
  )
  await using receiver = new MulticastReceiver({ group, port })
  const heard = new Inbox(receiver)
  await receiver.ready()

  const toOther = await peer.sender({ group: otherGroup, port, interfaces: 'far0' })
  const toOurs = await peer.sender({ group, port, interfaces: 'far0' })
  await toOther.send('not for us')
  await toOurs.send('for us')

  assert.equal((await heardNextDoor.next()).text, 'not for us')
  assert.deepEqual(await heard.until('for us'), ['for us'])
  assert.deepEqual(receiver.stats, { ...receiver.stats, received: 1, dropped: 0 })
})

// On the interface of the membership the kernel itself holds to the source. On the others, where a
// neighbour has joined, it does so for IPv6 alone: for IPv4 it is left to the receiver.
for (const { family, group, addresses, dropped } of [
  {
    family: 'IPv4',
    group: '239.1.2.3',
    addresses: ['10.0.0.2', '10.0.0.3', '10.0.1.3'],
    dropped: 1,
  },
  { family: 'IPv6', group: 'ff35::1:3', addresses: ['fd00::2', 'fd00::3', 'fd01::3'], dropped: 0 },
]) {
  /** Says `wanted` from the source, `foreign` from two others, on both cables. */
  const speak = async (peer: Peer): Promise<void> => {
    const [source, ...foreign] = addresses
    for (const [on, localAddress] of foreign.entries()) {
      const sender = await peer.sender({ group, port, interfaces: `far${on}`, localAddress })
      await sender.send('foreign')
    }
    const sender = await peer.sender({ group, port, interfaces: 'far0', localAddress: source })
    await sender.send('wanted')
  }

  scenario(`over ${family}, only the source that was asked for is heard`, [], async (lab) => {
    const peer = await (await twoCables(lab)).peer()
    await using receiver = new MulticastReceiver({ group, port, sources: addresses.slice(0, 1) })
    const heard = new Inbox(receiver)
    await receiver.ready()

    await speak(peer)

    assert.deepEqual(await heard.until('wanted'), ['wanted'])
    assert.equal(receiver.stats.dropped, 0)
  })

  scenario(
    `over ${family}, a source holds although a neighbour has joined every source`,
    [],
    async (lab) => {
      const peer = await (await twoCables(lab)).peer()
      const ends = family === 'IPv4' ? ['10.0.0.1', '10.0.1.1'] : ['::%e0', '::%e1']
      const socket = await neighbour(group, ...ends)
      const heardNextDoor = new Inbox(socket)
      await using receiver = new MulticastReceiver({
        group,
        port,
        sources: addresses.slice(0, 1),
        interfaces: ['e0'],
      })
      const heard = new Inbox(receiver)
      await receiver.ready()

      await speak(peer)

      assert.deepEqual(await heardNextDoor.until('wanted'), ['foreign', 'foreign', 'wanted'])
      assert.deepEqual(await heard.until('wanted'), ['wanted'])
      assert.deepEqual(receiver.stats, { ...receiver.stats, received: 1, dropped })
      socket.close()
    },
  )
}

scenario('over IPv4, each interface can have a source of its own', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  const addresses = ['10.0.0.2', '10.0.1.3']
  await using receiver = new MulticastReceiver({
    group,
    port,
    interfaces: ['e0'],
    sources: addresses.slice(0, 1),
  })
  const heard = new Inbox(receiver)
  await receiver.join({ interface: 'e1', source: `${addresses[1]}` })

  for (const [at, localAddress] of addresses.entries()) {
    const sender = await peer.sender({ group, port, interfaces: `far${at}`, localAddress })
    await sender.send(localAddress)
  }

  assert.deepEqual(
    (await heard.take(2)).map(({ text }) => text),
    addresses,
  )
})

// The kernel takes the sources of a socket's last join of the group, on whichever interface.
scenario('over IPv6, sources that differ between interfaces are refused', [], async (lab) => {
  const far = await (await twoCables(lab)).peer()
  const group = 'ff35::1:3'
  const [one, other] = ['fd00::2', 'fd00::3']
  await using receiver = new MulticastReceiver({
    group,
    port,
    interfaces: ['e0', 'e1'],
    sources: [one],
  })
  const heard = new Inbox(receiver)
  await receiver.ready()
  const joined = [
    { interface: 'e0', source: one },
    { interface: 'e1', source: one },
  ]
  await assert.rejects(receiver.join({ interface: 'e1', source: other }), {
    code: 'ERR_MULTICAST_JOIN',
    message: /same sources on each interface/,
  })
  assert.deepEqual(receiver.memberships, joined)
  await receiver.join({ source: other })
  await assert.rejects(receiver.leave({ interface: 'e0', source: other }), {
    code: 'ERR_MULTICAST_LEAVE',
    message: /same sources on each interface/,
  })
  await receiver.leave({ source: other })
  assert.deepEqual(receiver.memberships, joined)
  const sender = await far.sender({ group, port, interfaces: 'far0', localAddress: one })
  await sender.send('hello')
  assert.equal((await heard.next()).text, 'hello')

  await receiver.leave()
  const both = await Promise.allSettled([
    receiver.join({ interface: 'e0', source: one }),
    receiver.join({ interface: 'e1', source: other }),
  ])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )

  await using everySender = new MulticastReceiver({ group: 'ff05::1:3', port, interfaces: ['e0'] })
  await assert.rejects(everySender.join({ interface: 'e1', source: one }), {
    code: 'ERR_MULTICAST_JOIN',
  })
})

scenario('a source can be joined and left while running', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  await using receiver = new MulticastReceiver({
    group,
    port,
    interfaces: ['e0'],
    sources: ['10.0.0.2'],
  })
  const heard = new Inbox(receiver)
  await receiver.ready()
  const options = { group, port, interfaces: 'far0' }
  const second = await peer.sender({ ...options, localAddress: '10.0.0.2' })
  const third = await peer.sender({ ...options, localAddress: '10.0.0.3' })

  await third.send('third, not yet')
  await receiver.join({ interface: 'e0', source: '10.0.0.3' })
  assert.deepEqual(receiver.memberships, [
    { interface: 'e0', source: '10.0.0.2' },
    { interface: 'e0', source: '10.0.0.3' },
  ])
  await third.send('third')
  await second.send('second')
  await receiver.leave({ source: '10.0.0.2' })
  await second.send('second, no more')
  await third.send('end')

  assert.deepEqual(await heard.until('end'), ['third', 'second', 'end'])
})

for (const { family, group, localAddress } of [
  { family: 'IPv4', group: '239.1.2.3', localAddress: '10.0.0.1' },
  { family: 'IPv6', group: 'ff05::1:3', localAddress: 'fd00::1' },
]) {
  scenario(
    `over ${family}, without loopback the own host does not hear, the others do`,
    [],
    async (lab) => {
      const peer = await (await twoCables(lab)).peer()
      const heardFar = new Inbox(await peer.receiver({ group, port }))
      await using receiver = new MulticastReceiver({ group, port })
      const heard = new Inbox(receiver)
      await receiver.ready()
      const options = { group, port, interfaces: 'e0', localAddress }
      await using quiet = new MulticastSender({ ...options, loopback: false })
      await using sender = new MulticastSender(options)

      await quiet.send('not for the own host')
      await sender.send('end')

      assert.deepEqual(await heard.until('end'), ['end'])
      assert.deepEqual(await heardFar.until('end'), ['not for the own host', 'end'])
    },
  )
}

scenario('TTL 0 is heard on the own host alone', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  const heardFar = new Inbox(await peer.receiver({ group, port }))
  await using receiver = new MulticastReceiver({ group, port })
  const heard = new Inbox(receiver)
  await receiver.ready()
  await using stays = new MulticastSender({ group, port, interfaces: 'e0', ttl: 0 })
  await using leaves = new MulticastSender({ group, port, interfaces: 'e0' })

  await stays.send('stays')
  await leaves.send('end')

  assert.deepEqual(await heard.until('end'), ['stays', 'end'])
  assert.deepEqual(await heardFar.until('end'), ['end'])
})

scenario('after the last leave nothing is emitted, and what comes is counted', [], async (lab) => {
  const peer = await (await twoCables(lab)).peer()
  // Only for a neighbour that has joined does the kernel let it through to us.
  const socket = await neighbour(group, '10.0.0.1')
  const heardNextDoor = new Inbox(socket)
  await using receiver = new MulticastReceiver({ group, port })
  const heard = new Inbox(receiver)
  await receiver.ready()
  const sender = await peer.sender({ group, port, interfaces: 'far0' })

  await receiver.leave()
  assert.deepEqual(receiver.memberships, [])
  await sender.send('while left')
  assert.equal((await heardNextDoor.next()).text, 'while left')
  // No event tells of what is dropped, and read after join() it would not be.
  await until('it is dropped', () => receiver.stats.dropped > 0)
  await receiver.join()
  await sender.send('joined again')

  assert.deepEqual(await heard.until('joined again'), ['joined again'])
  assert.deepEqual(receiver.stats, { ...receiver.stats, received: 1, dropped: 1 })
  socket.close()
})
