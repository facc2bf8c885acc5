/** Which interface multicast goes out of, and with which address. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal, type Stage } from './chapter.js'
import { families } from './network.js'
import type { PeerSocket } from './peer.js'

export const outgoing = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, group, any, near: here, other: there } = ip

  /** Says something to the group; returns on which interface the other host heard it, from where. */
  const tracer = async ({ other, port }: Stage) => {
    const listeners = {
      e0: await open(other, type, { port, join: [[group, there.e0.handle]] }),
      e1: await open(other, type, { port: port + 1, join: [[group, there.e1.handle]] }),
    }
    let said = 0
    return async (speaker: PeerSocket): Promise<string> => {
      said += 1
      // Each port has been joined on one interface by its own socket, but any of the host's counts.
      await listeners.e1.call('dropMembership', group, there.e1.handle)
      await speaker.send(`${said}`, port, group)
      await listeners.e1.call('addMembership', group, there.e1.handle)
      await listeners.e0.call('dropMembership', group, there.e0.handle)
      await speaker.send(`${said}`, port + 1, group)
      await listeners.e0.call('addMembership', group, there.e0.handle)
      const marker = await open(other, type)
      await marker.send('end', port, there.e0.address)
      await marker.send('end', port + 1, there.e0.address)
      await marker.close()
      const heard: string[] = []
      for (const [name, { heard: inbox }] of Object.entries(listeners)) {
        for (;;) {
          const { text, remote } = await inbox.next()
          if (text === 'end') break
          heard.push(`${name} from ${remote.address}`)
        }
      }
      return heard.join(', ')
    }
  }

  outgoing.rule(
    `over ${family}, multicast goes out of the interface that is set, or else of the route's`,
    [...needs, 'arrival'],
    async (stage) => {
      const trace = await tracer(stage)
      const speaker = await open(stage.near, type)
      assert.equal(await trace(speaker), `e0 from ${here.e0.address}`)
      await speaker.call('setMulticastInterface', here.e1.handle)
      assert.equal(await trace(speaker), `e1 from ${here.e1.address}`)
      await speaker.call('setMulticastInterface', here.e0.handle)
      assert.equal(await trace(speaker), `e0 from ${here.e0.address}`)
      await speaker.call('setMulticastInterface', here.e1.handle)
      await speaker.call('setMulticastInterface', any)
      assert.equal(await trace(speaker), `e0 from ${here.e0.address}`)
    },
  )

  outgoing.rule(
    `over ${family}, the interface that is set holds for a socket bound to another's address`,
    [...needs, 'arrival'],
    async (stage) => {
      const trace = await tracer(stage)
      const speaker = await open(stage.near, type, {
        address: here.e0.address,
        via: here.e1.handle,
      })
      assert.equal(await trace(speaker), `e1 from ${here.e0.address}`)
    },
  )

  // IPv4 takes the interface of a bound address, IPv6 asks the route alone.
  outgoing.rule(
    `over ${family}, a bound address ${family === 'IPv4' ? 'picks' : 'does not pick'} the interface`,
    [...needs, 'arrival'],
    async (stage) => {
      const trace = await tracer(stage)
      const speaker = await open(stage.near, type, { address: here.e1.address })
      const end = family === 'IPv4' ? 'e1' : 'e0'
      assert.equal(await trace(speaker), `${end} from ${here.e1.address}`)
    },
  )
}

outgoing.rule(
  'over IPv4, an interface is set by any address of it, which is then the source',
  [],
  async ({ near, other, port }) => {
    const group = '239.1.2.3'
    const listener = await open(near, 'udp4', {
      port,
      join: [
        [group, '10.0.0.1'],
        [group, '10.0.1.1'],
      ],
    })
    const speaker = await open(other, 'udp4')
    for (const address of ['10.0.0.3', '10.0.1.3', '10.0.0.2', '10.0.1.2']) {
      await speaker.call('setMulticastInterface', address)
      await speaker.send('hello', port, group)
      assert.equal((await listener.heard.next()).remote.address, address)
    }
  },
)

outgoing.rule(
  'over IPv4, an interface that is not there is refused, and the one before stays',
  [],
  async ({ near, other, port }) => {
    const group = '239.1.2.3'
    const listener = await open(other, 'udp4', { port, join: [[group, '10.0.1.2']] })
    const speaker = await open(near, 'udp4', { via: '10.0.1.1' })
    for (const [address, code] of [
      ['10.9.9.9', 'EADDRNOTAVAIL'],
      ['10.0.0.2', 'EADDRNOTAVAIL'],
      ['e0', 'EINVAL'],
      ['', 'EINVAL'],
      ['::%e0', 'ENOPROTOOPT'],
      ['::%e9', 'ENOPROTOOPT'],
      ['fd00::1', 'ENOPROTOOPT'],
    ] as const) {
      await assert.rejects(
        speaker.call('setMulticastInterface', address),
        refusal('setMulticastInterface', code),
        address,
      )
    }
    await speaker.send('through e1', port, group)
    assert.equal((await listener.heard.next()).remote.address, '10.0.1.1')
  },
)

outgoing.rule(
  'over IPv6, an interface is set by its zone alone; an unknown one is the default',
  ['ipv6'],
  async ({ near, other, port }) => {
    const group = 'ff05::1:3'
    const listener = await open(other, 'udp6', {
      port,
      join: [
        [group, '::%e0'],
        [group, '::%e1'],
      ],
    })
    const speaker = await open(near, 'udp6')
    for (const [handle, from] of [
      ['::%e1', 'fd01::1'],
      ['::%e0', 'fd00::1'],
      ['fe80::1%e1', 'fd01::1'],
      // Not an interface's address.
      ['fd00::2%e1', 'fd01::1'],
      // Linux takes no numbers.
      ['::%3', 'fd00::1'],
      ['::%e1', 'fd01::1'],
      ['::%e9', 'fd00::1'],
      ['::%e1', 'fd01::1'],
      // An address without a zone is none.
      ['fd01::1', 'fd00::1'],
      ['::%e1', 'fd01::1'],
      ['::', 'fd00::1'],
    ] as const) {
      await speaker.call('setMulticastInterface', handle)
      await speaker.send(handle, port, group)
      const { text, remote } = await listener.heard.next()
      assert.deepEqual([text, remote.address], [handle, from])
    }
    for (const handle of ['10.9.9.9', '10.0.0.2']) {
      await assert.rejects(
        speaker.call('setMulticastInterface', handle),
        refusal('setMulticastInterface', 'EADDRNOTAVAIL'),
      )
    }
    for (const handle of ['e0', '']) {
      await assert.rejects(
        speaker.call('setMulticastInterface', handle),
        refusal('setMulticastInterface', 'EINVAL'),
      )
    }
  },
)
