/** Sockets that are connected: the way that it tells, whom they hear, and from where they send. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { controls } from './interfaces.js'
import { type ConformanceHost, families, ipv4 } from './network.js'
import type { PeerSocket } from './peer.js'

export const connect = new Chapter('socket')

const notConnected = { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED', message: 'Not connected' }
const alreadyConnected = { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED', message: 'Already connected' }

for (const ip of families) {
  const { family, type, needs, any, group, near: here, other: there, loopback } = ip
  const isIPv4 = family === 'IPv4'

  /** The address that a socket of its own tells which is connected there, and then closed. */
  const probe = async (host: ConformanceHost, address: string, port: number, via?: string) => {
    const socket = await host.peer.socket({ type })
    if (via !== undefined) {
      await socket.bind()
      await socket.call('setMulticastInterface', via)
    }
    await socket.connect(port, address)
    const told = await socket.address()
    await socket.close()
    return told.address
  }

  connect.rule(
    `over ${family}, a socket that is connected tells the address that the way begins at, and sends nothing`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      for (const [address, from] of [
        [group, here.e0.address],
        [there.e0.address, here.e0.address],
        [there.e1.address, here.e1.address],
        [there.e1.second, here.e1.address],
        [here.e1.address, here.e1.address],
        [loopback, loopback],
        [any, loopback],
        ['', loopback],
      ] as const) {
        assert.equal(await probe(near, address, port), from, address)
      }
      assert.equal(await probe(near, group, port, here.e1.handle), here.e1.address)
      await (await open(near, type)).send('end', port, there.e0.address)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  connect.rule(
    `over ${family}, connecting binds a socket to a free port, which it keeps where there is no way`,
    [...needs, 'interfaces'],
    async ({ near, port }) => {
      const control = controls(near)
      const socket = await near.peer.socket({ type })
      await socket.bind()
      await socket.call('setMulticastInterface', here.e1.handle)
      await control.down('e1')
      const before = await socket.address()
      const refused = refusal('connect', 'ENETUNREACH', `${group}:${port}`)
      await assert.rejects(socket.connect(port, group), { ...refused, thrown: false })
      assert.equal(socket.count('error'), 0)
      assert.deepEqual(await socket.address(), before)
      // Nobody is called back: it is an event.
      await socket.call('connect', port, group)
      const [error] = await socket.told('error')
      const { code, message } = error as NodeJS.ErrnoException
      assert.deepEqual({ code, message }, { code: refused.code, message: refused.message })
      await socket.connect(port, there.e0.address)
      assert.deepEqual(await socket.address(), { ...before, address: here.e0.address })
    },
  )

  connect.rule(
    `over ${family}, a socket is connected at once with a lookup that answers at once, and else a tick later`,
    [...needs, 'sync-bind'],
    async ({ near, port }) => {
      for (const hasLookup of [true, false]) {
        const socket = await near.peer.socket({ type, hasLookup })
        assert.deepEqual(
          await socket.atOnce(
            ['connect', port, group],
            ['address'],
            ['connect', port, group],
            ['connect', 0, group],
            ['connect', port, 5],
            ['connect', port, null],
          ),
          [
            'ok',
            hasLookup ? 'ok' : 'EBADF',
            'ERR_SOCKET_DGRAM_IS_CONNECTED',
            'ERR_SOCKET_BAD_PORT',
            ...Array(2).fill('ERR_INVALID_ARG_TYPE'),
          ],
        )
        await socket.told('listening')
        assert.equal((await socket.address()).address, here.e0.address)
        await socket.close()
        await assert.rejects(
          near.peer.socket({ type }).then((one) => one.connect(port, 'host')),
          {
            ...refusal('connect', 'EINVAL', `host:${port}`),
            thrown: false,
          },
        )
      }
    },
  )

  connect.rule(
    `over ${family}, a socket of a group that is connected to it hears nothing new, but what has come before`,
    needs,
    async ({ near, other, port }) => {
      const options = { port, address: group, join: [[group, here.e0.handle] as const] }
      const socket = await open(near, type, options)
      const neighbour = await open(near, type, options)
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('heard', port, group)
      assert.equal((await socket.heard.next()).text, 'heard')
      // What it sends to itself waits while it connects.
      const data = Buffer.from('waits')
      assert.deepEqual(await socket.atOnce(['send', data, port, group], ['connect', port, group]), [
        'ok',
        'ok',
      ])
      await speaker.send('new', port, group)
      await speaker.send('end', port, group)
      assert.deepEqual(await neighbour.heard.until('end'), ['heard', 'waits', 'new', 'end'])
      assert.deepEqual((await socket.address()).address, group)
      const texts = await socket.heard.take(socket.heard.size)
      assert.deepEqual(
        texts.map(({ text }) => text),
        ['waits'],
      )
    },
  )

  connect.rule(
    `over ${family}, what a socket of a group has joined stays joined when it is connected`,
    needs,
    async ({ near, other, port }) => {
      const socket = await open(near, type, { port, join: [[group, here.e1.handle]] })
      const neighbour = await open(near, type, { port })
      await socket.connect(port, group)
      const speaker = await open(other, type, { via: there.e1.handle })
      await speaker.send('hello', port, group)
      assert.equal((await neighbour.heard.next()).text, 'hello')
      await assert.rejects(
        socket.call('addMembership', group, here.e1.handle),
        refusal('addMembership', 'EADDRINUSE'),
      )
      await socket.call('dropMembership', group, here.e1.handle)
    },
  )

  connect.rule(
    `over ${family}, a socket of a group that is connected to it sends from its port and the interface that was set`,
    [...needs, 'connected'],
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, {
        port,
        join: [
          [group, there.e0.handle],
          [group, there.e1.handle],
        ],
      })
      const sockets: PeerSocket[] = []
      for (const end of [here.e0, here.e1]) {
        const socket = await open(near, type, { port, address: group, via: end.handle })
        await socket.connect(port, group)
        sockets.push(socket)
        await socket.sendConnected('hello')
        const { text, remote } = await heard.next()
        assert.deepEqual([text, remote.address, remote.port], ['hello', end.address, port])
        const { address, port: to } = (await socket.call('remoteAddress')) as typeof remote
        assert.deepEqual([address, to], [group, port])
      }
      for (const socket of sockets) assert.equal(socket.heard.size, 0)
    },
  )

  connect.rule(
    `over ${family}, sockets that are connected to a group leave it, and unicast, to those of the port that hear`,
    [...needs, 'connected', 'arrival'],
    async ({ near, other, port }) => {
      const join = [[group, here.e0.handle] as const]
      const holder = await open(near, type, { port, join })
      const hearing = await open(near, type, { port, address: group, join })
      // The last ones that are bound, which unicast goes to before any other.
      const sending: PeerSocket[] = []
      for (const address of [group, here.e0.address, here.e0.address, ip.any]) {
        const socket = await open(near, type, { port, address, via: here.e0.handle })
        sending.push(await socket.connect(port, group))
      }
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('unicast', port, here.e0.address)
      await speaker.send('group', port, group)
      assert.equal((await heard.next()).text, 'group')
      for (const [at, socket] of sending.entries()) {
        await socket.sendConnected(`sent by ${at}`)
        const { text, remote } = await heard.next()
        assert.deepEqual(
          [text, remote.address, remote.port],
          [`sent by ${at}`, here.e0.address, port],
        )
      }
      await speaker.send('end', port, group)
      const own = sending.map((_, at) => `sent by ${at}`)
      assert.deepEqual(await holder.heard.until('end'), ['unicast', 'group', ...own, 'end'])
      assert.deepEqual(await hearing.heard.until('end'), ['group', ...own, 'end'])
      for (const socket of sending) assert.equal(socket.heard.size, 0)
    },
  )

  connect.rule(
    `over ${family}, an interface that is set after connecting is sent through, and not from its address`,
    [...needs, 'connected'],
    async ({ near, other, port }) => {
      const listener = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const socket = await open(near, type, { port, address: group, via: here.e1.handle })
      await socket.connect(port, group)
      await socket.sendConnected('through e1')
      await socket.call('setMulticastInterface', here.e0.handle)
      await socket.sendConnected('through e0')
      const { text, remote } = await listener.heard.next()
      assert.deepEqual([text, remote.address], ['through e0', here.e1.address])
    },
  )

  connect.rule(
    `over ${family}, a connected socket ${isIPv4 ? 'sends nothing any more once its address is gone, whatever is set' : 'goes on sending from an address that is gone'}`,
    [...needs, 'interfaces', 'connected'],
    async ({ near, other, port }) => {
      const control = controls(near)
      const { heard } = await open(other, type, { port, join: [[group, there.e1.handle]] })
      const socket = await open(near, type, { port, address: group, via: here.e1.handle })
      await socket.connect(port, group)
      await control.removeAddress('e1', `${here.e1.address}/${isIPv4 ? 24 : 64}`)
      await control.addAddress('e1', isIPv4 ? '10.0.1.9/24' : 'fd01::9/64')
      if (isIPv4) {
        const refused = refusal('send', 'ENETUNREACH')
        await assert.rejects(socket.sendConnected('x'), refused)
        await socket.call('setMulticastInterface', '10.0.1.9')
        await assert.rejects(socket.sendConnected('x'), refused)
        return
      }
      await socket.sendConnected('hello')
      assert.equal((await heard.next()).remote.address, here.e1.address)
    },
  )

  connect.rule(
    `over ${family}, a connected socket sends through a recreated interface once that is set`,
    [...needs, 'interfaces', 'connected'],
    async ({ near, other, port }) => {
      const control = controls(near)
      const { heard } = await open(other, type, { port, join: [[group, there.e1.handle]] })
      const socket = await open(near, type, { port, address: group, via: here.e1.handle })
      await socket.connect(port, group)
      await control.remove('e1')
      await control.add('e1')
      await assert.rejects(
        socket.sendConnected('stale'),
        refusal('send', isIPv4 ? 'ENODEV' : 'ENETUNREACH'),
      )
      await socket.call('setMulticastInterface', here.e1.handle)
      await socket.sendConnected('hello')
      const { text, remote } = await heard.next()
      assert.deepEqual([text, remote.address, remote.port], ['hello', here.e1.address, port])
    },
  )

  connect.rule(
    `over ${family}, a connected socket hears that address and port alone, before others of its port`,
    needs,
    async ({ near, other, port }) => {
      const [at, to] = [here.e0.address, there.e0.address]
      const socket = await open(near, type, { port, address: at })
      const before = await open(near, type, { port, address: at })
      const friend = await open(other, type, { port: port + 1, address: to })
      const stranger = await open(other, type, { port: port + 2, address: to })
      await socket.connect(port + 1, to)
      const last = await open(near, type, { port, address: at })
      await stranger.send('from a stranger', port, at)
      await friend.send('from a friend', port, at)
      assert.equal((await socket.heard.next()).text, 'from a friend')
      assert.equal((await last.heard.next()).text, 'from a stranger')
      await last.close()
      await stranger.send('from a stranger', port, at)
      assert.equal((await before.heard.next()).text, 'from a stranger')
      assert.equal(socket.heard.size, 0)
    },
  )

  connect.rule(
    `over ${family}, a connected socket sends without an address, and with one the call throws`,
    [...needs, 'connected'],
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      await assert.rejects(socket.call('remoteAddress'), notConnected)
      await assert.rejects(socket.call('send', Buffer.from('x')), { code: 'ERR_SOCKET_BAD_PORT' })
      await socket.connect(port, there.e0.address)
      await assert.rejects(socket.send('x', port, there.e0.address), {
        ...alreadyConnected,
        thrown: true,
      })
      await assert.rejects(socket.connect(port, group), { ...alreadyConnected, thrown: true })
      await assert.rejects(socket.call('send', 5), { code: 'ERR_INVALID_ARG_TYPE' })
      await socket.sendConnected('hello')
      const { text, remote } = await heard.next()
      const { port: from } = await socket.address()
      assert.deepEqual([text, remote.address, remote.port], ['hello', here.e0.address, from])
      assert.deepEqual(await socket.call('remoteAddress'), {
        address: there.e0.address,
        family,
        port,
      })
      await socket.close()
      await assert.rejects(socket.call('remoteAddress'), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
    },
  )

  connect.rule(
    `over ${family}, a socket that is disconnected keeps what its user has bound it to, and hears ${isIPv4 ? 'all' : 'all ports of that address'}`,
    [...needs, 'connected'],
    async ({ near, other, port }) => {
      const table = [
        [
          { port, address: here.e0.address },
          { port, address: here.e0.address },
        ],
        [{ port }, { port, address: any }],
        [{ address: here.e0.address }, { port: 0, address: here.e0.address }],
        [{}, { port: 0, address: any }],
      ] as const
      const speaker = await open(other, type, { address: there.e0.address })
      const stranger = await open(other, type, { address: there.e0.second })
      for (const [at, left] of table) {
        const socket = await open(near, type, at)
        await assert.rejects(socket.call('disconnect'), notConnected)
        await socket.connect(port + 1, there.e0.address)
        assert.equal((await socket.address()).address, here.e0.address)
        await socket.call('disconnect')
        assert.deepEqual(await socket.address(), { ...left, family })
        await assert.rejects(socket.call('disconnect'), notConnected)
        await assert.rejects(socket.call('remoteAddress'), notConnected)
        // Without a port it gets another.
        await socket.send('x', port + 2, there.e0.address)
        const { port: now, address } = await socket.address()
        assert.equal(address, left.address)
        assert.ok(left.port === 0 ? now > 0 : now === left.port)
        await stranger.send('from a stranger', now, here.e0.address)
        await speaker.send('end', now, here.e0.address)
        const heard = isIPv4 ? ['from a stranger', 'end'] : ['end']
        assert.deepEqual(await socket.heard.until('end'), heard)
        await socket.connect(port + 1, there.e1.address)
        await socket.close()
      }
    },
  )

  connect.rule(
    `over ${family}, a closed socket is not connected, nor one that is closed before its address is looked up`,
    needs,
    async ({ near, port }) => {
      const closed = await open(near, type)
      await closed.close()
      await assert.rejects(closed.connect(port, group), { name: 'TypeError' })
      const never = await near.peer.socket({ type })
      await never.close()
      await assert.rejects(never.connect(port, group), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
      const early = await near.peer.socket({ type, hasLookup: false })
      assert.deepEqual(await early.atOnce(['connect', port, 'nowhere'], ['close']), ['ok', 'ok'])
      await early.told('close')
      assert.equal(early.count('error'), 0)
    },
  )
}

connect.rule(
  'over IPv4, a way begins at the first address of its subnet, or else at the first global one',
  ['interfaces'],
  async ({ near, port }) => {
    const control = controls(near)
    await control.addAddress('e0', '169.254.7.1/16', { scope: 'link' })
    await control.addAddress('e0', '10.0.0.50/24')
    for (const [address, from] of [
      ['239.1.2.3', '10.0.0.1'],
      ['10.0.0.9', '10.0.0.1'],
      ['10.0.0.50', '10.0.0.1'],
      ['169.254.9.9', '169.254.7.1'],
      ['203.0.113.1', '10.0.0.1'],
    ] as const) {
      const socket = await near.peer.socket({ type: 'udp4' })
      await socket.connect(port, address)
      assert.equal((await socket.address()).address, from, address)
      await socket.close()
    }
  },
)

connect.rule('over IPv4, connecting to a broadcast is refused', [], async ({ near, port }) => {
  for (const address of ['255.255.255.255', '10.0.0.255']) {
    const socket = await open(near, 'udp4')
    await assert.rejects(socket.connect(port, address), {
      ...refusal('connect', 'EACCES', `${address}:${port}`),
      thrown: false,
    })
  }
})

connect.rule(
  'over IPv6, what is link-local is connected to in a zone, which the socket is bound to from then on',
  ['ipv6', 'connected'],
  async ({ near, other, port }) => {
    const group = 'ff02::1:3'
    for (const address of [group, 'fe80::2', `${group}%e9`, 'fe80::2%e9']) {
      const socket = await near.peer.socket({ type: 'udp6' })
      const refused = refusal('connect', 'EINVAL', `${address}:${port}`)
      await assert.rejects(socket.connect(port, address), refused)
    }
    for (const [address, via, remote] of [
      [`${group}%e1`, undefined, group],
      ['ff01::7%e1', undefined, 'ff01::7'],
      ['fe80::2%e1', undefined, 'fe80::2%e1'],
      [group, '::%e1', group],
    ] as const) {
      const socket = await open(near, 'udp6', via === undefined ? {} : { via })
      await socket.connect(port, address)
      assert.equal((await socket.address()).address, 'fe80::1%e1')
      const told = (await socket.call('remoteAddress')) as { address: string }
      assert.equal(told.address, remote)
      await assert.rejects(
        socket.call('setMulticastInterface', '::%e0'),
        refusal('setMulticastInterface', 'EINVAL'),
      )
      await socket.call('disconnect')
      await socket.call('setMulticastInterface', '::%e0')
    }
    const { heard } = await open(other, 'udp6', { port, join: [[group, '::%e1']] })
    const speaker = await open(near, 'udp6')
    await speaker.connect(port, `${group}%e1`)
    await speaker.sendConnected('hello')
    assert.equal((await heard.next()).remote.address, 'fe80::1%e1')
  },
)

connect.rule(
  'over IPv4, of the sockets of a port the one that was disconnected last hears unicast, or one bound since',
  ['connected'],
  async ({ near, other, port }) => {
    const one = await open(near, 'udp4', { port })
    await open(near, 'udp4', { port })
    await one.connect(port, ipv4.other.e0.address)
    await one.call('disconnect')
    const speaker = await open(other, 'udp4')
    await speaker.send('disconnected', port, ipv4.near.e0.address)
    assert.equal((await one.heard.next()).text, 'disconnected')
    const since = await open(near, 'udp4', { port })
    await speaker.send('bound since', port, ipv4.near.e0.address)
    assert.equal((await since.heard.next()).text, 'bound since')
  },
)

connect.rule(
  'over IPv6, a socket bound in a zone that is connected to its group there leaves it to those that hear',
  ['ipv6', 'connected', 'arrival'],
  async ({ near, other, port }) => {
    const group = 'ff02::1:3'
    const address = `${group}%e1`
    const join = [[group, '::%e1'] as const]
    const hearing = await open(near, 'udp6', { port, address, join })
    const sending = await open(near, 'udp6', { port, address, via: '::%e1' })
    await sending.connect(port, address)
    const there = await open(other, 'udp6', { port, address, join })
    await there.send('from there', port, address)
    await sending.sendConnected('from here')
    await there.send('end', port, address)
    assert.deepEqual(await hearing.heard.until('end'), ['from there', 'from here', 'end'])
    assert.equal(sending.heard.size, 0)
    await there.heard.until('from there')
    const { remote } = await there.heard.next()
    assert.deepEqual([remote.address, remote.port], ['fe80::1%e1', port])
  },
)

connect.rule(
  'over IPv6, a socket bound in a zone is connected in that alone',
  ['ipv6', 'connected'],
  async ({ near, other, port }) => {
    const group = 'ff02::1:3'
    const { heard } = await open(other, 'udp6', { port, join: [[group, '::%e1']] })
    const socket = await open(near, 'udp6', { port, address: `${group}%e1` })
    await assert.rejects(
      socket.connect(port, `${group}%e0`),
      refusal('connect', 'EINVAL', `${group}%e0:${port}`),
    )
    await socket.connect(port, `${group}%e1`)
    await socket.sendConnected('hello')
    const { text, remote } = await heard.next()
    assert.deepEqual([text, remote.address, remote.port], ['hello', 'fe80::1%e1', port])
    assert.equal((await socket.address()).address, group)
  },
)
