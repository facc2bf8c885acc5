/** Interfaces that go down, vanish and come back, and their addresses. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { type ConformanceHost, type ConformanceInterfaces, families, type Need } from './network.js'

export const interfaces = new Chapter('socket')

/** The addresses by interface, as `networkInterfaces()` lists them. */
export async function listed({ peer }: ConformanceHost): Promise<Record<string, string[]>> {
  const table = Object.entries(await peer.networkInterfaces())
  return Object.fromEntries(
    table.map(([name, addresses = []]) => [name, addresses.map(({ address }) => address)]),
  )
}

/** What changes the interfaces of a host. */
export function controls({ interfaces }: ConformanceHost): ConformanceInterfaces {
  assert.ok(interfaces, 'the network has no control of its interfaces')
  return interfaces
}

interfaces.rule(
  'networkInterfaces() lists each interface and its addresses, of IPv6 the newest first',
  ['ipv6'],
  async ({ near, other, far }) => {
    const lo = ['127.0.0.1', '::1']
    assert.deepEqual(await listed(near), {
      lo,
      e0: ['10.0.0.1', 'fd00::1', 'fe80::1'],
      e1: ['10.0.1.1', 'fd01::1', 'fe80::1'],
    })
    assert.deepEqual(await listed(other), {
      lo,
      e0: ['10.0.0.2', '10.0.0.3', 'fd00::3', 'fd00::2', 'fe80::2'],
      e1: ['10.0.1.2', '10.0.1.3', 'fd01::3', 'fd01::2', 'fe80::2'],
    })
    assert.deepEqual(await listed(far), { lo, e0: ['10.0.2.2', 'fd02::2', 'fe80::2'] })
    const { lo: loopback = [], e0 = [], e1 = [] } = await near.peer.networkInterfaces()
    assert.deepEqual(
      loopback.map(({ internal, mac, cidr, family }) => [internal, mac, cidr, family]),
      [
        [true, '00:00:00:00:00:00', '127.0.0.1/8', 'IPv4'],
        [true, '00:00:00:00:00:00', '::1/128', 'IPv6'],
      ],
    )
    const masks = ['255.255.255.0', 'ffff:ffff:ffff:ffff::', 'ffff:ffff:ffff:ffff::']
    const indexes = new Set<number>()
    for (const end of [e0, e1]) {
      assert.deepEqual(
        end.map(({ netmask }) => netmask),
        masks,
      )
      assert.deepEqual(
        end.map(({ cidr, address }) => cidr?.slice(address.length)),
        ['/24', '/64', '/64'],
      )
      for (const entry of end) {
        assert.equal(entry.internal, false)
        assert.match(entry.mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
        if (entry.family === 'IPv4') assert.ok(!('scopeid' in entry))
        else if (entry.address === 'fe80::1') indexes.add(entry.scopeid)
        else assert.equal(entry.scopeid, 0)
      }
    }
    assert.equal(indexes.size, 2)
    assert.ok([...indexes].every((index) => index > 1))
  },
)

interfaces.rule(
  'networkInterfaces() leaves out what is down or removed',
  ['interfaces'],
  async ({ near }) => {
    const control = controls(near)
    const before = await listed(near)
    await control.down('e1')
    assert.deepEqual(Object.keys(await listed(near)), ['lo', 'e0'])
    await control.up('e1')
    assert.deepEqual(await listed(near), before)
    await control.remove('e1')
    assert.deepEqual(Object.keys(await listed(near)), ['lo', 'e0'])
    await control.add('e1')
    assert.deepEqual(await listed(near), before)
    await control.removeAddress('e1', '10.0.1.1/24')
    await control.addAddress('e1', '10.0.1.9/24')
    assert.deepEqual(
      (await listed(near)).e1?.filter((address) => !address.includes(':')),
      ['10.0.1.9'],
    )
  },
)

interfaces.rule(
  'a recreated interface has another index',
  ['interfaces', 'ipv6'],
  async ({ near }) => {
    const control = controls(near)
    const index = async (): Promise<number> => {
      const { e1 = [] } = await near.peer.networkInterfaces()
      return Math.max(...e1.map((entry) => (entry.family === 'IPv6' ? entry.scopeid : 0)))
    }
    const before = await index()
    await control.remove('e1')
    await control.add('e1')
    assert.ok((await index()) > before)
  },
)

for (const ip of families) {
  const { family, type, group, near: here, other: there } = ip
  const isIPv4 = family === 'IPv4'
  const needs: Need[] = [...ip.needs, 'interfaces']
  const e1 = here.e1.handle

  interfaces.rule(
    `over ${family}, an interface that is down carries nothing; up again, what was joined is heard`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const listener = await open(near, type, { port, join: [[group, e1]] })
      const speaker = await open(near, type, { via: e1 })
      const elsewhere = await open(other, type, { port, via: there.e1.handle })
      await open(other, type, { join: [[group, there.e1.handle]] })
      await control.down('e1')
      await assert.rejects(
        speaker.send('while down', port, group),
        refusal('send', 'ENETUNREACH', `${group}:${port}`),
      )
      await elsewhere.send('while down', port, group)
      await control.up('e1')
      await elsewhere.send('up again', port, group)
      assert.deepEqual(await listener.heard.until('up again'), ['up again'])
      await speaker.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
      assert.deepEqual(await elsewhere.heard.until('end'), ['while down', 'up again', 'end'])
      for (const socket of [listener, speaker]) assert.equal(socket.count('error'), 0)
    },
  )

  interfaces.rule(
    `over ${family}, what is joined on an interface that is down is heard once it is up`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      await control.down('e1')
      const listener = await open(near, type, { port, join: [[group, e1]] })
      await control.up('e1')
      const speaker = await open(other, type, { via: there.e1.handle })
      await speaker.send('hello', port, group)
      assert.equal((await listener.heard.next()).text, 'hello')
    },
  )

  interfaces.rule(
    `over ${family}, an interface that is down ${isIPv4 ? 'keeps' : 'loses'} its address`,
    needs,
    async ({ near, port }) => {
      const control = controls(near)
      await control.down('e1')
      const binding = open(near, type, { port, address: here.e1.address })
      if (!isIPv4) {
        const where = `${here.e1.address}:${port}`
        return assert.rejects(binding, refusal('bind', 'EADDRNOTAVAIL', where))
      }
      const bound = await binding
      const speaker = await open(near, type)
      await speaker.send('to itself', port, here.e1.address)
      assert.equal((await bound.heard.next()).remote.address, here.e1.address)
    },
  )

  interfaces.rule(
    `over ${family}, what is asked of an interface that was removed ${isIPv4 ? 'is refused' : 'is done on the default one'}`,
    needs,
    async ({ near, port }) => {
      const control = controls(near)
      const socket = await open(near, type, { port, via: e1 })
      await control.remove('e1')
      await assert.rejects(
        socket.send('x', port, group),
        refusal('send', 'ENETUNREACH', `${group}:${port}`),
      )
      if (isIPv4) {
        for (const [method, code, ...args] of [
          ['addMembership', 'ENODEV', group, e1],
          ['addSourceSpecificMembership', 'ENODEV', there.e1.address, group, e1],
          ['setMulticastInterface', 'EADDRNOTAVAIL', e1],
        ] as const) {
          await assert.rejects(socket.call(method, ...args), refusal(method, code))
        }
        return
      }
      await socket.call('addMembership', group, e1)
      await assert.rejects(
        socket.call('addMembership', group, here.e0.handle),
        refusal('addMembership', 'EADDRINUSE'),
      )
      await socket.call('setMulticastInterface', e1)
      await socket.send('through e0', port, group)
      assert.equal((await socket.heard.next()).remote.address, here.e0.address)
    },
  )

  interfaces.rule(
    `over ${family}, with a removed interface goes what was joined there, without an event`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const listener = await open(near, type, {
        port,
        join: [
          [group, here.e0.handle],
          [group, e1],
        ],
      })
      await control.remove('e1')
      await control.add('e1')
      const on0 = await open(other, type, { via: there.e0.handle })
      const on1 = await open(other, type, { via: there.e1.handle })
      await on1.send('not joined any more', port, group)
      await on0.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
      // What is left of it cannot be left.
      const absent = refusal('dropMembership', 'EADDRNOTAVAIL')
      await assert.rejects(listener.call('dropMembership', group, e1), absent)
      await listener.call('addMembership', group, e1)
      await on1.send('joined again', port, group)
      assert.equal((await listener.heard.next()).text, 'joined again')
      await listener.call('dropMembership', group, e1)
      await on1.send('left', port, group)
      await on0.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
      await assert.rejects(listener.call('dropMembership', group, e1), absent)
      for (const event of ['error', 'close']) assert.equal(listener.count(event), 0)
    },
  )

  interfaces.rule(
    `over ${family}, what was joined on a removed interface can be left while that is gone`,
    needs,
    async ({ near }) => {
      const control = controls(near)
      const socket = await open(near, type, { join: [[group, e1]] })
      await control.remove('e1')
      await socket.call('dropMembership', group, e1)
      await assert.rejects(
        socket.call('dropMembership', group, e1),
        refusal('dropMembership', 'EADDRNOTAVAIL'),
      )
    },
  )

  interfaces.rule(
    `over ${family}, a re-created interface has to be set again for sending`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const { heard } = await open(other, type, { port, join: [[group, there.e1.handle]] })
      const speaker = await open(near, type, { via: e1 })
      await control.remove('e1')
      await control.add('e1')
      await assert.rejects(
        speaker.send('stale', port, group),
        refusal('send', isIPv4 ? 'ENODEV' : 'ENETUNREACH', `${group}:${port}`),
      )
      await speaker.call('setMulticastInterface', e1)
      await speaker.send('end', port, group)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  interfaces.rule(
    `over ${family}, an address is removed and added, and what was joined by it is heard throughout`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const length = isIPv4 ? 24 : 64
      const [old, fresh] = [`${here.e1.address}/${length}`, isIPv4 ? '10.0.1.9/24' : 'fd01::9/64']
      const listener = await open(near, type, { port, join: [[group, e1]] })
      const speaker = await open(other, type, { via: there.e1.handle })
      await control.removeAddress('e1', old)
      await speaker.send('no address', port, group)
      await control.addAddress('e1', fresh)
      await speaker.send('another address', port, group)
      const by = isIPv4 ? '10.0.1.9' : e1
      await assert.rejects(
        listener.call('addMembership', group, by),
        refusal('addMembership', 'EADDRINUSE'),
      )
      await control.removeAddress('e1', fresh)
      await control.addAddress('e1', old)
      await speaker.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['no address', 'another address', 'end'])
      assert.equal(listener.count('error'), 0)
      await listener.call('dropMembership', group, e1)
    },
  )

  interfaces.rule(
    `over ${family}, without its address an interface ${isIPv4 ? 'is unknown' : 'is used with another'}`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const listener = await open(near, type, { port, join: [[group, e1]] })
      const speaker = await open(near, type, { via: e1 })
      await control.removeAddress('e1', `${here.e1.address}/${isIPv4 ? 24 : 64}`)
      await assert.rejects(open(near, type, { address: here.e1.address }), {
        code: 'EADDRNOTAVAIL',
      })
      if (isIPv4) {
        for (const [method, code, ...args] of [
          ['addMembership', 'ENODEV', '239.1.2.4', e1],
          ['setMulticastInterface', 'EADDRNOTAVAIL', e1],
        ] as const) {
          await assert.rejects(speaker.call(method, ...args), refusal(method, code))
        }
        await assert.rejects(
          speaker.send('x', port, group),
          refusal('send', 'ENETUNREACH', `${group}:${port}`),
        )
        // It can be left by the address that it was joined by.
        await listener.call('dropMembership', group, e1)
        return
      }
      const { heard } = await open(other, type, { port, join: [[group, there.e1.handle]] })
      await speaker.send('link-local', port, group)
      assert.equal((await heard.next()).remote.address, 'fe80::1%e1')
    },
  )
}

interfaces.rule(
  'over IPv4, what was joined on a removed interface counts among the 20 until the socket is closed',
  ['interfaces', 'limits'],
  async ({ near }) => {
    const control = controls(near)
    const socket = await open(near, 'udp4')
    for (let at = 0; at < 20; at += 1)
      await socket.call('addMembership', `239.2.0.${at}`, '10.0.1.1')
    const full = refusal('addMembership', 'ENOBUFS')
    await control.remove('e1')
    await assert.rejects(socket.call('addMembership', '239.1.2.3', '10.0.0.1'), full)
    await socket.call('dropMembership', '239.2.0.1', '10.0.1.1')
    await socket.call('addMembership', '239.1.2.3', '10.0.0.1')
    await control.add('e1')
    await assert.rejects(socket.call('addMembership', '239.2.0.5', '10.0.1.1'), full)
    await assert.rejects(
      socket.call('dropMembership', '239.2.0.5', '10.0.1.1'),
      refusal('dropMembership', 'EADDRNOTAVAIL'),
    )
  },
)

interfaces.rule(
  'over IPv6, a socket bound in the zone of a removed interface stays deaf when it is back',
  ['interfaces', 'ipv6'],
  async ({ near, other, port }) => {
    const control = controls(near)
    const group = 'ff02::1:3'
    const bound = await open(near, 'udp6', {
      port,
      address: `${group}%e1`,
      join: [[group, '::%e1']],
    })
    await control.remove('e1')
    await control.add('e1')
    await bound.call('addMembership', group, '::%e1')
    const another = await open(near, 'udp6', { port, address: `${group}%e1` })
    const speaker = await open(other, 'udp6')
    await speaker.send('hello', port, `${group}%e1`)
    assert.equal((await another.heard.next()).text, 'hello')
    assert.equal(bound.heard.size, 0)
    assert.equal(bound.count('error'), 0)
  },
)
