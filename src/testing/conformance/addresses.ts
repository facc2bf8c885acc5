/** Several addresses of one interface, their labels and scopes, and one address of two interfaces. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal, type Stage } from './chapter.js'
import { controls, listed } from './interfaces.js'
import { families } from './network.js'
import type { PeerSocket } from './peer.js'

export const addresses = new Chapter('socket')

const group = '239.1.2.3'

/** What the near host lists over IPv4. */
async function listedIPv4({ near }: Stage): Promise<Record<string, string[]>> {
  const table = Object.entries(await listed(near)).map(
    ([name, all]) => [name, all.filter((address) => !address.includes(':'))] as const,
  )
  return Object.fromEntries(table.filter(([, all]) => all.length > 0))
}

/** Tells from which address the other host hears a socket of the near one, and on which interface. */
async function ears({ other, port }: Stage) {
  const heard = {
    e0: await open(other, 'udp4', { port, join: [[group, '10.0.0.2']] }),
    e1: await open(other, 'udp4', { port: port + 1, join: [[group, '10.0.1.2']] }),
  }
  // Any socket of the host hears what another has joined, so only one has at a time.
  await heard.e1.call('dropMembership', group, '10.0.1.2')
  const marker = await open(other, 'udp4')
  const on = async (name: 'e0' | 'e1', speaker: PeerSocket): Promise<string[]> => {
    const { heard: inbox } = heard[name]
    const at = name === 'e0' ? port : port + 1
    await speaker.send('hello', at, group)
    await marker.send('end', at, '10.0.0.2')
    const from: string[] = []
    for (;;) {
      const { text, remote } = await inbox.next()
      if (text === 'end') return from
      from.push(`${name} from ${remote.address}`)
    }
  }
  return async (speaker: PeerSocket): Promise<string> => {
    const first = await on('e0', speaker)
    await heard.e0.call('dropMembership', group, '10.0.0.2')
    await heard.e1.call('addMembership', group, '10.0.1.2')
    const second = await on('e1', speaker)
    await heard.e1.call('dropMembership', group, '10.0.1.2')
    await heard.e0.call('addMembership', group, '10.0.0.2')
    return [...first, ...second].join(', ')
  }
}

addresses.rule(
  'over IPv4, networkInterfaces() lists an address with a label as another interface',
  ['interfaces'],
  async (stage) => {
    const control = controls(stage.near)
    await control.addAddress('e1', '10.0.9.1/24', { label: 'e1:1' })
    await control.addAddress('e1', '10.0.1.9/24', { label: 'e1:1' })
    await control.addAddress('e1', '10.0.8.1/24')
    const table = await listed(stage.near)
    assert.deepEqual(Object.entries(await listedIPv4(stage)), [
      ['lo', ['127.0.0.1']],
      ['e0', ['10.0.0.1']],
      ['e1', ['10.0.1.1', '10.0.8.1']],
      ['e1:1', ['10.0.9.1', '10.0.1.9']],
    ])
    assert.ok(!table['e1:1']?.some((address) => address.includes(':')))
    const { e1 = [], 'e1:1': labelled = [] } = await stage.near.peer.networkInterfaces()
    assert.equal(labelled[0]?.mac, e1[0]?.mac)
    await control.down('e1')
    assert.deepEqual(Object.keys(await listedIPv4(stage)), ['lo', 'e0'])
  },
)

addresses.rule(
  'over IPv4, an interface whose only address has a label is listed by that, and used by the address',
  ['interfaces'],
  async (stage) => {
    const { near, other, port } = stage
    const control = controls(near)
    for (const address of (await listed(near)).e1 ?? []) {
      await control.removeAddress('e1', `${address}/${address.includes(':') ? 64 : 24}`)
    }
    assert.deepEqual(Object.keys(await listed(near)), ['lo', 'e0'])
    await control.addAddress('e1', '10.0.1.9/24', { label: 'e1:1' })
    assert.deepEqual(Object.keys(await listed(near)), ['lo', 'e0', 'e1:1'])
    const listener = await open(near, 'udp4', { port: port + 2, join: [[group, '10.0.1.9']] })
    const elsewhere = await open(other, 'udp4', { via: '10.0.1.2' })
    await elsewhere.send('hello', port + 2, group)
    assert.equal((await listener.heard.next()).text, 'hello')
    await listener.call('dropMembership', group, '10.0.1.9')
    const speaker = await open(near, 'udp4', { via: '10.0.1.9' })
    assert.equal(await (await ears(stage))(speaker), 'e1 from 10.0.1.9')
  },
)

addresses.rule(
  'over IPv4, addresses of link scope are listed first, then the first of each subnet, then all others',
  ['interfaces'],
  async (stage) => {
    const control = controls(stage.near)
    for (const [address, scope] of [
      ['10.0.1.50/24', 'global'],
      ['169.254.7.1/16', 'global'],
      ['169.254.7.2/24', 'link'],
      ['192.168.44.9/24', 'global'],
      // In the subnet of another.
      ['169.254.7.3/24', 'link'],
      ['192.168.44.10/24', 'global'],
      ['10.0.1.51/24', 'global'],
      // With another prefix length it is another subnet.
      ['192.168.44.11/25', 'global'],
      ['10.0.8.1/24', 'link'],
    ] as const) {
      await control.addAddress('e1', address, { scope })
    }
    assert.deepEqual((await listedIPv4(stage)).e1, [
      ...['169.254.7.2', '10.0.8.1'],
      ...['10.0.1.1', '169.254.7.1', '192.168.44.9', '192.168.44.11'],
      ...['10.0.1.50', '169.254.7.3', '192.168.44.10', '10.0.1.51'],
    ])
  },
)

addresses.rule(
  'over IPv4, an address of link scope is the source where it is set or bound, but not by the route',
  ['interfaces'],
  async (stage) => {
    const { near } = stage
    await controls(near).addAddress('e0', '169.254.7.1/16', { scope: 'link' })
    assert.deepEqual((await listedIPv4(stage)).e0, ['169.254.7.1', '10.0.0.1'])
    const hear = await ears(stage)
    const speaker = await open(near, 'udp4')
    assert.equal(await hear(speaker), 'e0 from 10.0.0.1')
    await speaker.call('setMulticastInterface', '169.254.7.1')
    assert.equal(await hear(speaker), 'e0 from 169.254.7.1')
    const bound = await open(near, 'udp4', { address: '169.254.7.1' })
    assert.equal(await hear(bound), 'e0 from 169.254.7.1')
  },
)

addresses.rule(
  'over IPv4, each address of an interface is the source where it is set',
  ['interfaces'],
  async (stage) => {
    const { near } = stage
    const control = controls(near)
    const added = ['10.0.1.50/24', '169.254.7.1/16', '192.168.44.9/24']
    for (const address of added) await control.addAddress('e1', address)
    await control.addAddress('e1', '10.0.9.1/24', { label: 'e1:1' })
    const hear = await ears(stage)
    const speaker = await open(near, 'udp4')
    for (const address of ['10.0.1.1', '10.0.1.50', '169.254.7.1', '192.168.44.9', '10.0.9.1']) {
      await speaker.call('setMulticastInterface', address)
      assert.equal(await hear(speaker), `e1 from ${address}`)
    }
  },
)

addresses.rule(
  'over IPv4, from an address that was removed nothing is sent until another is set, or it is back',
  ['interfaces'],
  async (stage) => {
    const { near, port } = stage
    const control = controls(near)
    await control.addAddress('e1', '10.0.1.50/24')
    const hear = await ears(stage)
    const speaker = await open(near, 'udp4', { via: '10.0.1.50' })
    await control.removeAddress('e1', '10.0.1.50/24')
    const refused = refusal('send', 'ENETUNREACH', `${group}:${port}`)
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(speaker.send('x', port, group), refused)
    }
    await control.addAddress('e1', '10.0.1.50/24')
    assert.equal(await hear(speaker), 'e1 from 10.0.1.50')
    await control.removeAddress('e1', '10.0.1.50/24')
    await speaker.call('setMulticastInterface', '10.0.1.1')
    assert.equal(await hear(speaker), 'e1 from 10.0.1.1')
  },
)

for (const ip of families) {
  const { family, type, near: here, group } = ip
  const isIPv4 = family === 'IPv4'

  addresses.rule(
    `over ${family}, a socket bound to an address that was removed ${isIPv4 ? 'sends nothing, whatever is set' : 'goes on sending from it'}`,
    [...ip.needs, 'interfaces'],
    async ({ near, other, port }) => {
      const control = controls(near)
      const listener = await open(other, type, { port, join: [[group, ip.other.e1.handle]] })
      const [address, length] = isIPv4 ? ['10.0.1.50', 24] : ['fd01::50', 64]
      await control.addAddress('e1', `${address}/${length}`)
      const speaker = await open(near, type, { address, via: here.e1.handle })
      await control.removeAddress('e1', `${address}/${length}`)
      if (isIPv4) {
        const refused = refusal('send', 'ENETUNREACH', `${group}:${port}`)
        await assert.rejects(speaker.send('x', port, group), refused)
        await speaker.call('setMulticastInterface', here.e1.address)
        await assert.rejects(speaker.send('x', port, group), refused)
        return
      }
      await speaker.send('hello', port, group)
      assert.equal((await listener.heard.next()).remote.address, address)
    },
  )
}

addresses.rule(
  'over IPv4, an address of two interfaces stands for the one that got it last, to join and to send',
  ['interfaces'],
  async (stage) => {
    const { near, other, port } = stage
    const control = controls(near)
    const shared = '10.0.5.1'
    const speakers = {
      e0: await open(other, 'udp4', { via: '10.0.0.2' }),
      e1: await open(other, 'udp4', { via: '10.0.1.2' }),
    }
    const hear = await ears(stage)
    /** On which interface it is joined by the address, as a socket of its own finds out. */
    const joined = async (): Promise<string[]> => {
      const listener = await open(near, 'udp4', { port: port + 2, join: [[group, shared]] })
      for (const [name, speaker] of Object.entries(speakers)) {
        await speaker.send(name, port + 2, group)
      }
      await speakers.e0.send('end', port + 2, '10.0.0.1')
      const [...names] = await listener.heard.until('end')
      await listener.close()
      return names
    }
    const sent = async (): Promise<string> => {
      const set = await open(near, 'udp4', { via: shared })
      const bound = await open(near, 'udp4', { address: shared })
      const from = [await hear(set), await hear(bound)]
      await Promise.all([set.close(), bound.close()])
      return from.join(', ')
    }
    for (const name of ['e0', 'e1']) await control.addAddress(name, `${shared}/32`)
    assert.deepEqual(await joined(), ['e1', 'end'])
    assert.equal(await sent(), `e1 from ${shared}, e1 from ${shared}`)
    // It is the one interface, by whichever of its addresses.
    const listener = await open(near, 'udp4', { join: [[group, shared]] })
    await assert.rejects(
      listener.call('addMembership', group, '10.0.1.1'),
      refusal('addMembership', 'EADDRINUSE'),
    )
    await listener.call('addMembership', group, '10.0.0.1')
    await listener.close()
    await control.removeAddress('e0', `${shared}/32`)
    await control.addAddress('e0', `${shared}/32`)
    assert.deepEqual(await joined(), ['e0', 'end'])
    assert.equal(await sent(), `e0 from ${shared}, e0 from ${shared}`)
    await control.removeAddress('e0', `${shared}/32`)
    assert.deepEqual(await joined(), ['e1', 'end'])
    assert.equal(await sent(), `e1 from ${shared}, e1 from ${shared}`)
  },
)

addresses.rule(
  'over IPv4, an address that one of two interfaces has lost is left and sent from by the other',
  ['interfaces'],
  async (stage) => {
    const { near } = stage
    const control = controls(near)
    for (const name of ['e0', 'e1']) await control.addAddress(name, '10.0.5.1/32')
    const socket = await open(near, 'udp4', { via: '10.0.5.1', join: [[group, '10.0.5.1']] })
    const hear = await ears(stage)
    await control.removeAddress('e1', '10.0.5.1/32')
    // The interface is what was set, and the address is still one of the host's.
    assert.equal(await hear(socket), 'e1 from 10.0.5.1')
    await socket.call('addMembership', group, '10.0.5.1')
    await assert.rejects(
      socket.call('addMembership', group, '10.0.1.1'),
      refusal('addMembership', 'EADDRINUSE'),
    )
    await socket.call('dropMembership', group, '10.0.5.1')
    await socket.call('addMembership', group, '10.0.0.1')
    await socket.call('setMulticastInterface', '10.0.5.1')
    assert.equal(await hear(socket), 'e0 from 10.0.5.1')
  },
)

addresses.rule(
  'over IPv4, a broadcast address is there while an interface that is up has a subnet of it',
  ['interfaces'],
  async ({ near, other, port }) => {
    const control = controls(near)
    const outcome = async (address: string): Promise<string> => {
      const socket = await near.peer.socket({ type: 'udp4' })
      const bound = socket.bind({ port, address }).then(
        () => 'bound',
        ({ code }: NodeJS.ErrnoException) => `${code}`,
      )
      return bound.finally(() => socket.close())
    }
    const before = await open(near, 'udp4', { port: port + 1, address: '10.0.1.255' })
    for (const address of ['10.0.7.50/25', '10.0.8.1/31', '10.0.9.1/32', '10.0.6.9/30']) {
      await control.addAddress('e1', address)
    }
    assert.equal(await outcome('10.0.7.127'), 'bound')
    assert.equal(await outcome('10.0.7.255'), 'EADDRNOTAVAIL')
    assert.equal(await outcome('10.0.8.0'), 'EADDRNOTAVAIL')
    assert.equal(await outcome('10.0.9.255'), 'EADDRNOTAVAIL')
    assert.equal(await outcome('10.0.6.11'), 'bound')
    await control.removeAddress('e1', '10.0.7.50/25')
    assert.equal(await outcome('10.0.7.127'), 'EADDRNOTAVAIL')
    await control.down('e1')
    assert.equal(await outcome('10.0.1.255'), 'EADDRNOTAVAIL')
    assert.equal(await outcome('10.0.1.1'), 'bound')
    assert.equal(await outcome('255.255.255.255'), 'bound')
    // One that has it keeps it, and sends by what is there.
    const { heard } = await open(other, 'udp4', { port })
    await before.send('hello', port, '10.0.0.2')
    assert.equal((await heard.next()).remote.address, '10.0.0.1')
  },
)

for (const { family, type, needs, longer, there } of [
  {
    family: 'IPv4',
    type: 'udp4',
    needs: [],
    longer: [
      ['10.0.0.9/25', '10.0.0.200', '10.0.0.1'],
      ['10.0.1.9/25', '10.0.1.2', '10.0.1.9'],
      ['10.0.1.9/23', '10.0.1.2', '10.0.1.1'],
    ],
    there: '10.0.0.2',
  },
  {
    family: 'IPv6',
    type: 'udp6',
    needs: ['ipv6'],
    longer: [
      ['fd00::9/120', 'fd00::1:2', 'fd00::1'],
      ['fd01::9/120', 'fd01::2', 'fd01::9'],
      ['fd01::9/48', 'fd01::2', 'fd01::1'],
    ],
    there: 'fd00::2',
  },
] as const) {
  addresses.rule(
    `over ${family}, of two subnets that hold an address the one of the longer prefix leads there`,
    ['interfaces', ...needs],
    async ({ near, port }) => {
      const control = controls(near)
      const from = async (to: string): Promise<string> => {
        const socket = await open(near, type)
        await socket.connect(port, to)
        const { address } = await socket.address()
        await socket.close()
        return address
      }
      // Although e0 comes before e1.
      const [[own, beyond, first]] = longer
      assert.equal(await from(there), first)
      await control.addAddress('e1', own)
      assert.equal(await from(there), own.split('/')[0])
      assert.equal(await from(beyond), first)
      for (const [added, to, source] of longer.slice(1)) {
        await control.addAddress('e1', added)
        assert.equal(await from(to), source)
        await control.removeAddress('e1', added)
      }
    },
  )
}

addresses.rule(
  'over IPv4, of two interfaces on a subnet the one leads there that got it first',
  ['interfaces'],
  async ({ near, port }) => {
    const control = controls(near)
    await control.addAddress('e0', '10.0.1.9/24')
    const socket = await open(near, 'udp4')
    await socket.connect(port, '10.0.1.2')
    assert.equal((await socket.address()).address, '10.0.1.1')
  },
)

addresses.rule(
  'over IPv6, the source is of the same kind as the destination, and then has the most bits in common',
  ['interfaces', 'ipv6'],
  async ({ near, port }) => {
    const control = controls(near)
    for (const address of ['2001:db8::9/64', 'fd07::9/64', 'fd00:0:0:7::9/64']) {
      await control.addAddress('e0', address)
    }
    for (const [to, from] of [
      // By the default route, which leads through e0.
      ['fd00:0:0:6::2', 'fd00:0:0:7::9'],
      ['fd06::2', 'fd07::9'],
      ['2001:db8:1::2', '2001:db8::9'],
      ['ff05::1:3', '2001:db8::9'],
      ['fd00::2', 'fd00::1'],
    ] as const) {
      const socket = await open(near, 'udp6')
      await socket.connect(port, to)
      assert.equal((await socket.address()).address, from, to)
    }
  },
)

addresses.rule(
  'over IPv4, a neighbour is reached by the address of another of its interfaces, over IPv6 it is not',
  ['interfaces', 'ipv6'],
  async ({ near, other, port }) => {
    const control = controls(near)
    await control.remove('e1')
    await control.addAddress('e0', '10.0.1.9/24')
    await control.addAddress('e0', 'fd01::9/64')
    for (const isUp of [true, false]) {
      if (!isUp) await controls(other).down('e1')
      const bound = isUp ? '10.0.1.2' : '0.0.0.0'
      const listener = await open(other, 'udp4', { port, address: bound })
      const speaker = await open(near, 'udp4')
      await speaker.send('hello', port, '10.0.1.2')
      const { text, remote } = await listener.heard.next()
      assert.deepEqual([text, remote.address], ['hello', '10.0.1.9'])
      await listener.close()
      await speaker.close()
    }
    await controls(other).restore()
    const listener = await open(other, 'udp6', { port: port + 1 })
    const speaker = await open(near, 'udp6')
    await speaker.send('to e1', port + 1, 'fd01::2')
    await speaker.send('to e0', port + 1, 'fd00::2')
    assert.deepEqual(await listener.heard.until('to e0'), ['to e0'])
  },
)
