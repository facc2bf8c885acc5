/** Ports and addresses: which a socket can have, and which beside another socket. */
import assert from 'node:assert/strict'
import { Chapter, type Opening, open, refusal } from './chapter.js'
import { families, ipv4, ipv6 } from './network.js'

export const binding = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, any, group, otherGroup, near: here, other: there } = ip

  binding.rule(
    `over ${family}, a port is shared only where both sockets allow it, or their addresses differ`,
    needs,
    async ({ near, port }) => {
      const e0 = here.e0.address
      const alone = { reuseAddr: false }
      const table: readonly (readonly [Opening, Opening, boolean])[] = [
        [{}, {}, true],
        [alone, alone, false],
        [alone, {}, false],
        [{}, alone, false],
        [alone, { ...alone, address: e0 }, false],
        [{ ...alone, address: e0 }, alone, false],
        [{}, { address: e0 }, true],
        [{ address: e0 }, {}, true],
        [{ ...alone, address: e0 }, { ...alone, address: e0 }, false],
        [{ ...alone, address: e0 }, { ...alone, address: here.e1.address }, true],
        [{ ...alone, address: group }, { ...alone, address: otherGroup }, true],
        [{ ...alone, address: group }, { ...alone, address: group }, false],
        [{ address: group }, { address: group }, true],
        [{ ...alone, address: group }, alone, false],
        [{ address: group }, {}, true],
        [{ ...alone, address: group }, { ...alone, address: e0 }, true],
      ]
      for (const [first, second, isShared] of table) {
        await open(near, type, { port, ...first })
        const opening = open(near, type, { port, ...second })
        const what = `${JSON.stringify(first)}, ${JSON.stringify(second)}`
        if (isShared) await assert.doesNotReject(opening, what)
        else {
          const where = `${second.address ?? any}:${port}`
          await assert.rejects(opening, refusal('bind', 'EADDRINUSE', where), what)
        }
        await near.peer.reset()
      }
    },
  )

  binding.rule(
    `over ${family}, two groups on one port do not hear each other`,
    needs,
    async ({ near, other, port }) => {
      const [one, two] = await Promise.all(
        [group, otherGroup].map((address) =>
          open(near, type, {
            port,
            address,
            reuseAddr: false,
            join: [[address, here.e0.handle]],
          }),
        ),
      )
      assert.ok(one && two)
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('one', port, group)
      await speaker.send('two', port, otherGroup)
      await speaker.send('end', port, group)
      await speaker.send('end', port, otherGroup)
      assert.deepEqual(await one.heard.until('end'), ['one', 'end'])
      assert.deepEqual(await two.heard.until('end'), ['two', 'end'])
    },
  )

  binding.rule(
    `over ${family}, port 0 is a free port, and address() returns what was bound`,
    needs,
    async ({ near, port }) => {
      const ports = new Set<number>()
      for (let count = 0; count < 5; count += 1) {
        const address = await (await open(near, type)).address()
        assert.deepEqual(address, { address: any, family, port: address.port })
        assert.ok(address.port > 1023 && address.port < 65_536)
        ports.add(address.port)
      }
      assert.equal(ports.size, 5)
      for (const address of [here.e0.address, ip.loopback, group]) {
        const socket = await open(near, type, { port, address })
        assert.deepEqual(await socket.address(), { address, family, port })
      }
    },
  )

  binding.rule(
    `over ${family}, an address that is not the host's is refused`,
    needs,
    async ({ near, port }) => {
      const refused: [address: string, code: string][] =
        family === 'IPv4'
          ? [
              ['10.0.0.2', 'EADDRNOTAVAIL'],
              ['192.0.2.1', 'EADDRNOTAVAIL'],
              ['nonsense', 'EINVAL'],
              ['e0', 'EINVAL'],
              ['::1', 'EINVAL'],
              ['ff05::1:3', 'EINVAL'],
            ]
          : [
              ['fd00::2', 'EADDRNOTAVAIL'],
              ['fe80::2%e0', 'EADDRNOTAVAIL'],
              ['nonsense', 'EINVAL'],
              ['10.0.0.1', 'EINVAL'],
              ['239.1.2.3', 'EINVAL'],
              // Link-local ones need a zone, by its name.
              ['fe80::1', 'EINVAL'],
              ['ff02::1:3', 'EINVAL'],
              ['ff02::1:3%e9', 'EINVAL'],
              ['ff02::1:3%2', 'EINVAL'],
            ]
      for (const [address, code] of refused) {
        const socket = await near.peer.socket({ type })
        const where = `${address}:${port}`
        await assert.rejects(socket.bind({ port, address }), refusal('bind', code, where), address)
      }
      // Without a port the message has none.
      const [address, code] = refused[0] as [string, string]
      const socket = await near.peer.socket({ type })
      await assert.rejects(socket.bind({ address }), refusal('bind', code, address))
    },
  )

  binding.rule(
    `over ${family}, a failed bind is an error event, and the socket can be bound again`,
    needs,
    async ({ near, port }) => {
      await open(near, type, { port, reuseAddr: false })
      const socket = await near.peer.socket({ type })
      await assert.rejects(socket.bind({ port }), { code: 'EADDRINUSE' })
      assert.equal(socket.count('error'), 1)
      assert.equal(socket.count('listening'), 0)
      await socket.bind({ port: port + 1 })
      assert.equal((await socket.address()).port, port + 1)
    },
  )

  binding.rule(`over ${family}, a closed socket's port is free`, needs, async ({ near, port }) => {
    for (let count = 0; count < 3; count += 1) {
      const socket = await open(near, type, { port, reuseAddr: false })
      await socket.close()
      await socket.told('close')
    }
  })

  binding.rule(
    `over ${family}, a socket has its address at once with a lookup that answers at once, and else a tick later`,
    [...needs, 'sync-bind'],
    async ({ near, port }) => {
      for (const hasLookup of [true, false]) {
        const socket = await near.peer.socket({ type, hasLookup })
        const ready = hasLookup ? 'ok' : 'EBADF'
        assert.deepEqual(
          await socket.atOnce(
            ['bind', { port, address: any }],
            ['address'],
            ['setMulticastTTL', 1],
            ['setMulticastLoopback', true],
            ['setMulticastInterface', here.e0.handle],
            ['setRecvBufferSize', 10_000],
            ['bind', { port, address: any }],
          ),
          [
            'ok',
            ready,
            ready,
            ready,
            ready,
            hasLookup ? 'ok' : 'ERR_SOCKET_BUFFER_SIZE',
            'ERR_SOCKET_ALREADY_BOUND',
          ],
        )
        await socket.told('listening')
        assert.deepEqual(await socket.atOnce(['address'], ['setMulticastTTL', 1]), ['ok', 'ok'])
        await socket.close()
      }
    },
  )

  binding.rule(
    `over ${family}, a socket whose bind was refused has options, and what it joins counts`,
    needs,
    async ({ near, other, port }) => {
      const taken = await open(near, type, { port, reuseAddr: false })
      const refused = await near.peer.socket({ type })
      await assert.rejects(refused.bind({ port }), { code: 'EADDRINUSE' })
      await refused.call('setMulticastTTL', 2)
      await refused.call('addMembership', group, here.e0.handle)
      assert.deepEqual(await refused.address(), { address: any, family, port: 0 })
      // Another socket hears what it has joined.
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('joined', port, group)
      assert.equal((await taken.heard.next()).text, 'joined')
    },
  )

  binding.rule(
    `over ${family}, a join before the address is looked up takes another port, and the bind fails`,
    needs,
    async ({ near, port }) => {
      const socket = await near.peer.socket({ type, hasLookup: false })
      assert.deepEqual(
        await socket.atOnce(
          ['bind', { port, address: any }],
          ['addMembership', group, here.e0.handle],
        ),
        ['ok', 'ok'],
      )
      const [error] = await socket.told('error')
      assert.equal((error as NodeJS.ErrnoException).code, 'EINVAL')
      assert.equal(socket.count('listening'), 0)
    },
  )

  binding.rule(
    `over ${family}, what is sent and closed before the address is looked up is not sent`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const to = there.e0.address
      for (const hasLookup of [true, false]) {
        const socket = await near.peer.socket({ type, hasLookup })
        const data = Buffer.from(hasLookup ? 'with' : 'without')
        assert.deepEqual(await socket.atOnce(['send', data, port, to], ['close']), ['ok', 'ok'])
        await socket.told('close')
      }
      await (await open(near, type)).send('end', port, to)
      assert.deepEqual(await heard.until('end'), ['with', 'end'])
    },
  )
}

binding.rule(
  'a port of IPv4 and one of IPv6 are two, unless the IPv6 socket takes IPv4 as well',
  ['ipv6'],
  async ({ near, port }) => {
    await open(near, 'udp4', { port, reuseAddr: false })
    await open(near, 'udp6', { port, reuseAddr: false })
    const dual = await near.peer.socket({ type: 'udp6', ipv6Only: false })
    await assert.rejects(dual.bind({ port }), refusal('bind', 'EADDRINUSE', `:::${port}`))
    await dual.bind({ port: port + 1 })
    await assert.rejects(
      open(near, 'udp4', { port: port + 1, reuseAddr: false }),
      refusal('bind', 'EADDRINUSE', `0.0.0.0:${port + 1}`),
    )
    // Bound to one address of IPv6 it leaves the port to IPv4.
    const narrow = await near.peer.socket({ type: 'udp6', ipv6Only: false })
    await narrow.bind({ port: port + 2, address: ipv6.near.e0.address })
    await open(near, 'udp4', { port: port + 2, reuseAddr: false })
  },
)

binding.rule(
  'over IPv4, a broadcast address can be bound, and what is sent has the address of the route',
  [],
  async ({ near, other, port }) => {
    const broadcasts = ['10.0.0.255', '10.0.1.255', '127.255.255.255', '255.255.255.255']
    const { heard } = await open(other, 'udp4', { port: port + 1 })
    for (const address of broadcasts) {
      const socket = await open(near, 'udp4', { port, address, reuseAddr: false })
      assert.deepEqual(await socket.address(), { address, family: 'IPv4', port })
      for (const end of ['e0', 'e1'] as const) {
        await socket.send('hello', port + 1, ipv4.other[end].address)
        const { remote } = await heard.next()
        assert.deepEqual([remote.address, remote.port], [ipv4.near[end].address, port])
      }
      // Nothing that is unicast.
      const speaker = await open(other, 'udp4')
      await speaker.send('hello', port, ipv4.near.e0.address)
      await speaker.close()
      // It is one address beside others.
      for (const beside of ['0.0.0.0', address]) {
        await assert.rejects(
          open(near, 'udp4', { port, address: beside, reuseAddr: false }),
          refusal('bind', 'EADDRINUSE', `${beside}:${port}`),
        )
      }
      for (const beside of [ipv4.near.e0.address, ...broadcasts].filter((one) => one !== address)) {
        await (await open(near, 'udp4', { port, address: beside, reuseAddr: false })).close()
      }
      await socket.connect(port + 1, ipv4.other.e0.address)
      assert.deepEqual(await socket.address(), { address, family: 'IPv4', port })
      assert.equal(socket.heard.size, 0)
      await near.peer.reset()
    }
    for (const address of ['10.0.0.0', '10.0.2.255', '10.255.255.255']) {
      const socket = await near.peer.socket({ type: 'udp4' })
      await assert.rejects(
        socket.bind({ port, address }),
        refusal('bind', 'EADDRNOTAVAIL', `${address}:${port}`),
      )
    }
  },
)

binding.rule(
  'over IPv6, what is IPv6 only neither binds nor sends nor connects to a mapped IPv4 address',
  ['ipv6'],
  async ({ near, port }) => {
    for (const host of ['10.0.0.1', '10.0.0.2', '127.0.0.1', '0.0.0.0', '239.1.2.3']) {
      const address = `::ffff:${host}`
      const where = `${address}:${port}`
      const unbound = await near.peer.socket({ type: 'udp6' })
      await assert.rejects(unbound.bind({ port, address }), refusal('bind', 'EINVAL', where))
      for (const from of ['::', '::1', 'fd00::1']) {
        const socket = await open(near, 'udp6', { address: from })
        const { port: own } = await socket.address()
        await assert.rejects(
          socket.send('hello', port, address),
          refusal('send', 'ENETUNREACH', where),
        )
        await assert.rejects(
          socket.connect(port, address),
          refusal('connect', 'ENETUNREACH', where),
        )
        assert.deepEqual(await socket.address(), { address: from, family: 'IPv6', port: own })
      }
    }
  },
)
