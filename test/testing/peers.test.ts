/** Peers on the network in memory: what only that shows, or does at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type CreateSocket, MulticastPeer, MulticastReceiver, text } from '../../src/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'
import { Looks } from '../looks.js'
import { told } from '../told.js'

const port = 10000
const groups = ['239.1.2.3', 'ff05::1:3', 'ff02::1:3']

for (const group of groups) {
  test(`a peer of ${group} follows its host's interfaces at once`, async () => {
    const network = new MockNetwork({ platform: 'linux' })
    const plug = { segment: 'lan', addresses: ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'] }
    const host = network.host({ interfaces: {} })
    const other = network.host({
      interfaces: {
        far: { segment: 'lan', addresses: ['10.0.0.2/24', 'fd00::2/64', 'fe80::2/64'] },
      },
    })
    await using peer = new MulticastPeer({
      ...{ group, port, interfaces: 'e0', followInterfaces: true },
      ...host,
    })
    await using there = new MulticastPeer({ group, port, interfaces: 'far', ...other })
    const [heard, heardThere] = [new Inbox(peer), new Inbox(there)]
    await Promise.all([peer.ready(), there.ready()])
    const nowhere = async (): Promise<void> => {
      await network.settled()
      assert.deepEqual(peer.interfaces, [])
      await assert.rejects(peer.send('nowhere'), ({ code, cause }) => {
        assert.deepEqual([code, cause.code], ['ERR_MULTICAST_SEND', 'ENETUNREACH'])
        return true
      })
    }
    /** Both hear both, once, from the address that it now has. */
    const isThere = async (own: number): Promise<void> => {
      await network.settled()
      assert.deepEqual([peer.interfaces, peer.memberships], [['e0'], [{ interface: 'e0' }]])
      await peer.send('from here')
      await there.send('from there')
      await network.settled()
      for (const inbox of [heard, heardThere]) {
        const mails = await inbox.take(2)
        assert.deepEqual(
          mails.map(({ text }) => text),
          ['from here', 'from there'],
        )
        assert.match(mails[0]?.remote.address ?? '', new RegExp(`[.:]${own}(%|$)`))
        assert.equal(inbox.size, 0)
      }
    }

    await nowhere()
    host.add('e0', plug)
    await isThere(1)
    host.readdress('e0', ['10.0.0.7/24', 'fd00::7/64', 'fe80::7/64'])
    await isThere(7)
    host.remove('e0')
    await nowhere()
    assert.deepEqual(peer.memberships, [])
    host.add('e0', plug)
    await isThere(1)
    host.remove('e0')
    host.add('e0', { ...plug, addresses: ['10.0.0.9/24', 'fd00::9/64', 'fe80::9/64'] })
    await isThere(9)
    host.down('e0')
    await nowhere()
    host.up('e0')
    await isThere(9)
  })
}

for (const platform of ['linux', 'darwin', 'win32'] as const) {
  test(`on a host of ${platform} peers of any address hear all once for each interface`, async () => {
    for (const group of groups) {
      const network = new MockNetwork({ platform })
      const host = (at: number) =>
        network.host({
          interfaces: {
            e0: {
              segment: 'a',
              addresses: [`10.0.0.${at}/24`, `fd00::${at}/64`, `fe80::${at}/64`],
            },
            e1: {
              segment: 'b',
              addresses: [`10.0.1.${at}/24`, `fd01::${at}/64`, `fe80::${at}/64`],
            },
          },
        })
      const [near, far] = [host(1), host(2)]
      const options = { group, port, bindAddress: 'any' }
      const peers = [near, near, far].map((host) => new MulticastPeer({ ...options, ...host }))
      const heard = peers.map((peer) => new Inbox(peer))
      await Promise.all(peers.map((peer) => peer.ready()))
      for (const [at, peer] of peers.entries()) await peer.send(`${at}`)
      await network.settled()
      for (const inbox of heard) {
        const texts = (await inbox.take(inbox.size)).map(({ text }) => text)
        assert.deepEqual(texts.sort(), ['0', '0', '1', '1', '2', '2'])
      }
      await Promise.all(peers.map((peer) => peer.close()))
    }
  })
}

test('the journal tells the ttl that a message and a reply were sent with', async () => {
  for (const [ttl, multicast, unicast] of [
    [undefined, 1, 64],
    [0, 0, 64],
    [7, 7, 7],
  ] as const) {
    const network = new MockNetwork()
    const group = '239.1.2.3'
    const host = network.host({ name: 'here' })
    await using peer = await new MulticastPeer({ group, port, ttl, ...host }).ready()
    await peer.send('to the group')
    await peer.reply('to one', { address: '10.0.0.9', port: 9 })
    await network.settled()
    const sent = network.journal.map(({ text, ttl, from }) => [text, ttl, from])
    assert.deepEqual(sent, [
      ['to the group', multicast, `10.0.0.1:${port}`],
      ['to one', unicast, `10.0.0.1:${port}`],
    ])
  }
})

test('what a network loses of a peer is lost, and what a send fails with is its cause', async () => {
  const network = new MockNetwork({ seed: 1, rule: ({ data }) => ({ lost: `${data}` === 'lost' }) })
  const where = { group: '239.1.2.3', port, codec: text }
  const host = network.host()
  await using peer = new MulticastPeer({ ...where, ...host })
  await using receiver = new MulticastReceiver({ ...where, ...network.host() })
  const messages: string[] = []
  receiver.on('message', (message) => messages.push(message))
  await Promise.all([peer.ready(), receiver.ready()])
  await peer.send('lost')
  host.failSends('EPERM', 1)
  await assert.rejects(peer.send('refused'), { code: 'ERR_MULTICAST_SEND', message: /EPERM/ })
  const heard = once(receiver, 'message')
  await peer.send('heard')
  await heard
  assert.deepEqual(messages, ['heard'])
})

test('a peer that is aborted leaves its port to one that shares it with nobody', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const stop = new AbortController()
  const options = { group: '239.1.2.3', port, signal: stop.signal }
  const peer = await new MulticastPeer({ ...options, ...host }).ready()
  const closed = once(peer, 'close')
  stop.abort()
  await closed
  await using alone = new MulticastPeer({
    ...options,
    ...host,
    signal: undefined,
    reuseAddr: false,
  })
  await alone.ready()
})

for (const followInterfaces of [false, true]) {
  test(`a peer by the system's route is connected, ${followInterfaces ? 'followed' : 'not followed'}`, async () => {
    const network = new MockNetwork({ platform: 'linux' })
    const host = network.host()
    await using peer = new MulticastPeer({
      ...{ group: '239.1.2.3', port, interfaces: 'default', followInterfaces, codec: text },
      ...host,
    })
    const heard = new Inbox(peer as never)
    await peer.ready()
    await peer.send('once')
    await network.settled()
    assert.equal(heard.size, 1)
    const outcomes = network.journal.at(-1)?.deliveries.map(({ outcome }) => outcome)
    assert.deepEqual([...(outcomes ?? [])].sort(), ['connected', 'delivered'])
  })
}

/** A host's sockets, with what each has been bound to. */
function noted(host: MockHost): { bound: string[]; createSocket: CreateSocket } {
  const bound: string[] = []
  return {
    bound,
    createSocket(options) {
      const socket = host.createSocket(options)
      const bind = socket.bind.bind(socket) as (place: { address: string; port: number }) => unknown
      return Object.assign(socket, {
        bind(place: { address: string; port: number }) {
          if (place.port !== 0) bound.push(place.address)
          return bind(place)
        },
      }) as typeof socket
    },
  }
}

test('beside others on its port it sends from the group; from an address only where that has to be bound', async () => {
  const interfaces = {
    e0: { segment: 'lan', addresses: ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'] },
  }
  for (const [options, sends] of [
    [{ group: '239.1.2.3', interfaces: 'e0' }, '239.1.2.3'],
    [{ group: '239.1.2.3', interfaces: '10.0.0.1' }, '239.1.2.3'],
    [{ group: '239.1.2.3', interfaces: '10.0.0.1', bindAddress: 'any' }, '0.0.0.0'],
    [{ group: 'ff05::1:3', interfaces: 'e0' }, 'ff05::1:3'],
    [{ group: 'ff05::1:3', interfaces: 'fd00::1' }, 'fd00::1'],
    [{ group: 'ff05::1:3', interfaces: 'e0', bindAddress: 'any' }, '::'],
    [{ group: '239.1.2.3', interfaces: 'e0', reuseAddr: false }, '10.0.0.1'],
    [{ group: 'ff05::1:3', interfaces: 'e0', reuseAddr: false }, 'fd00::1'],
  ] as const) {
    const host = new MockNetwork({ platform: 'linux' }).host({ interfaces })
    const { bound, createSocket } = noted(host)
    await using peer = new MulticastPeer({
      bindAddress: undefined,
      ...options,
      port,
      ...host,
      createSocket,
    })
    await peer.ready()
    assert.deepEqual(bound.slice(1), [sends], JSON.stringify(options))
  }
})

test('by a route through an interface that is not listed a peer sends all the same, if others may have its port', async () => {
  const host = new MockNetwork({ platform: 'linux' }).host()
  const { createSocket } = host
  const options = { group: '239.1.2.3', port, interfaces: 'default', networkInterfaces: () => ({}) }
  const unlisted = { ...options, createSocket, followInterfaces: false }
  const alone = new MulticastPeer({ ...unlisted, reuseAddr: false })
  await assert.rejects(alone.ready(), { code: 'ERR_MULTICAST_PORT_IN_USE' })
  await using peer = await new MulticastPeer(unlisted).ready()
  assert.equal(await peer.send('by the route'), 12)
})

test('what a peer could not open to send through is tried again, although nothing else has changed', async (t) => {
  const lines = told(t)
  const host = new MockNetwork({ platform: 'linux' }).host()
  let refuses = true
  const createSocket: CreateSocket = (options) => {
    const socket = host.createSocket(options)
    const genuine = socket.setMulticastInterface.bind(socket)
    socket.setMulticastInterface = (on) => {
      if (!refuses) return genuine(on)
      throw Object.assign(new Error('setMulticastInterface EADDRNOTAVAIL'), {
        code: 'EADDRNOTAVAIL',
      })
    }
    return socket
  }
  const looks = new Looks(t, host)
  const options = { group: '239.1.2.3', port, interfaces: 'eth0', createSocket, ...looks.options }
  await using receiver = new MulticastReceiver(options)
  await using peer = new MulticastPeer(options)
  await Promise.all([peer.ready(), receiver.ready()])
  assert.deepEqual([peer.interfaces, peer.memberships], [[], [{ interface: 'eth0' }]])
  assert.match(inspect(peer), /interfaces: \[\],/)
  await looks.look()
  await looks.look()
  refuses = false
  await looks.look()
  assert.deepEqual(peer.interfaces, ['eth0'])
  assert.match(inspect(peer), /interfaces: \[ 'eth0' \],/)
  assert.match(inspect(receiver), /interfaces: \[ 'eth0' \],/)
  host.readdress('eth0', ['10.0.77.1/16'])
  for (let times = 0; times < 3; times += 1) await looks.look()
  // Where nothing is new there is nothing to do but to look.
  await looks.look()
  assert.equal(looks.listed, 1)
  assert.deepEqual(
    lines.filter((line) => line.includes('not followed')),
    [],
  )
})

test('a peer that could not join yet tells the address that it sends from, a receiver has none', async () => {
  const host = new MockNetwork({ platform: 'linux' }).host()
  const createSocket: CreateSocket = (options) =>
    Object.assign(host.createSocket(options), {
      addMembership() {
        throw Object.assign(new Error('addMembership ENODEV'), { code: 'ENODEV' })
      },
    })
  let sockets = 0
  const options = { group: 'ff02::1:3', port, interfaces: 'eth0', followInterfaces: true }
  const failing: CreateSocket = (options) => {
    sockets += 1
    if (sockets === 1) throw Object.assign(new Error('EADDRNOTAVAIL'), { code: 'EADDRNOTAVAIL' })
    return createSocket(options)
  }
  await using peer = await new MulticastPeer({ ...options, ...host, createSocket: failing }).ready()
  assert.deepEqual([peer.memberships, peer.address().port], [[], port])
  sockets = 0
  await using receiver = await new MulticastReceiver({
    ...options,
    ...host,
    createSocket: failing,
  }).ready()
  assert.throws(() => receiver.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
})

test('a reply to itself or to nobody rejects and says which, one to a neighbour goes out', async () => {
  const host = new MockNetwork({ platform: 'linux' }).host({
    interfaces: { e0: { segment: 'lan', addresses: ['10.0.0.1/24'] } },
  })
  const options = { group: '239.1.2.3', port, ...host, codec: text }
  await using any = await new MulticastReceiver({ ...options, bindAddress: 'any' }).ready()
  const code = 'ERR_MULTICAST_OPTION'
  await assert.rejects(any.reply('x', { address: '10.0.0.1', port }), {
    code,
    message: /10\.0\.0\.1 port 10000, where this receiver itself listens/,
  })
  await assert.rejects(any.reply('x', { address: '0.0.0.0', port: 9 }), {
    code,
    message: /an address that nobody has/,
  })
  assert.equal(await any.reply('x', { address: '10.0.0.1', port: 9 }), 1)
  assert.equal(await any.reply('x', { address: '10.0.0.2', port }), 1)
  await any.close()
  // Bound to the group it hears no unicast: there that is another program.
  await using own = await new MulticastReceiver(options).ready()
  assert.equal(await own.reply('x', { address: '10.0.0.1', port }), 1)
})
