/** Memberships for single sources. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal, type Stage } from './chapter.js'
import { families } from './network.js'
import type { PeerSocket } from './peer.js'

export const source = new Chapter('socket')

const add = 'addSourceSpecificMembership'
const drop = 'dropSourceSpecificMembership'

for (const ip of families) {
  const { family, type, needs, group, otherGroup, near: here, other: there } = ip
  const isIPv4 = family === 'IPv4'

  /** Lets all four addresses of the other host say their names; returns which a listener hears. */
  const roll = async (
    { other, port }: Pick<Stage, 'other' | 'port'>,
    { heard }: PeerSocket,
  ): Promise<string[]> => {
    for (const { name, address, second, handle } of [there.e0, there.e1]) {
      for (const from of [address, second]) {
        const speaker = await open(other, type, { address: from, via: handle })
        await speaker.send(from === address ? name : `${name} second`, port, group)
        await speaker.close()
      }
    }
    // Unicast, which no membership keeps away.
    const marker = await open(other, type)
    await marker.send('end', port, here.e0.address)
    await marker.close()
    return (await heard.until('end')).slice(0, -1)
  }

  source.rule(
    `over ${family}, only the sources that are joined are heard, until each is dropped`,
    needs,
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      await listener.call(add, there.e0.address, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0'])
      await listener.call(add, there.e0.second, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0', 'e0 second'])
      await listener.call(drop, there.e0.address, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0 second'])
      await listener.call(drop, there.e0.second, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), [])
      // With its last source the group is left: there is nothing to drop a source of.
      await assert.rejects(
        listener.call(drop, there.e0.second, group, here.e0.handle),
        refusal(drop, 'EINVAL'),
      )
      await listener.call('addMembership', group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0', 'e0 second'])
    },
  )

  source.rule(
    `over ${family}, a membership for every source becomes one for a source that is joined after`,
    needs,
    async (stage) => {
      const join = [[group, here.e0.handle]] as const
      const listener = await open(stage.near, type, { port: stage.port, join })
      assert.deepEqual(await roll(stage, listener), ['e0', 'e0 second'])
      // Every source is joined, but no single one can be dropped.
      await assert.rejects(
        listener.call(drop, there.e0.address, group, here.e0.handle),
        refusal(drop, 'EADDRNOTAVAIL'),
      )
      await listener.call(add, there.e0.address, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0'])
      await assert.rejects(
        listener.call('addMembership', group, here.e0.handle),
        refusal('addMembership', 'EADDRINUSE'),
      )
      await listener.call('dropMembership', group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), [])
    },
  )

  source.rule(
    `over ${family}, leaving a group drops all its sources on the interface`,
    needs,
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      await listener.call(add, there.e0.address, group, here.e0.handle)
      await listener.call(add, there.e0.second, group, here.e0.handle)
      await listener.call('dropMembership', group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), [])
      await listener.call(add, there.e0.second, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0 second'])
    },
  )

  source.rule(
    `over ${family}, what cannot be joined or dropped by source is refused`,
    needs,
    async ({ near }) => {
      const socket = await open(near, type)
      const on = here.e0.handle
      await socket.call(add, there.e0.address, group, on)
      for (const [args, method, code] of [
        [[there.e0.address, group, on], add, 'EADDRNOTAVAIL'],
        [[there.e0.second, group, on], drop, 'EADDRNOTAVAIL'],
        [[there.e0.address, otherGroup, on], drop, 'EINVAL'],
        [[there.e0.address, group, here.e1.handle], drop, 'EINVAL'],
        [['nonsense', group, on], add, 'EINVAL'],
        [[there.e0.address, 'nonsense', on], add, 'EINVAL'],
        [[there.e0.address, there.e0.address, on], add, 'EINVAL'],
        [[there.e0.address, group, 'e0'], add, 'EINVAL'],
        [[isIPv4 ? 'fd00::2' : '10.0.0.2', group, on], add, 'EINVAL'],
        [[there.e0.address, isIPv4 ? 'ff05::1:3' : '239.1.2.3', on], add, 'EINVAL'],
        [[isIPv4 ? 'fd00::2' : '10.0.0.2', isIPv4 ? 'ff05::1:3' : '239.1.2.3', on], add, 'EINVAL'],
      ] as const) {
        await assert.rejects(socket.call(method, ...args), refusal(method, code), `${args}`)
      }
      for (const args of [[], [5, group], [there.e0.address], [there.e0.address, 5]]) {
        for (const method of [add, drop]) {
          await assert.rejects(socket.call(method, ...args), {
            name: 'TypeError',
            code: 'ERR_INVALID_ARG_TYPE',
            message: new RegExp(
              `^The "${typeof args[0] === 'string' ? 'group' : 'source'}Address"`,
            ),
          })
        }
      }
    },
  )

  source.rule(
    `over ${family}, two sockets each hear the sources of their own`,
    needs,
    async ({ near, other, port }) => {
      const [one, two] = [
        await open(near, type, { port, address: group }),
        await open(near, type, { port, address: group }),
      ]
      await one.call(add, there.e0.address, group, here.e0.handle)
      await two.call(add, there.e0.second, group, here.e0.handle)
      const say = async (text: string, address: string): Promise<void> => {
        const speaker = await open(other, type, { address, via: there.e0.handle })
        await speaker.send(text, port, group)
      }
      await say('for two', there.e0.second)
      await say('for one', there.e0.address)
      await say('for two again', there.e0.second)
      assert.deepEqual(await one.heard.until('for one'), ['for one'])
      assert.deepEqual(await two.heard.until('for two again'), ['for two', 'for two again'])
    },
  )

  source.rule(
    `over ${family}, a socket that has joined nothing hears the sources that others have joined`,
    needs,
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      const neighbour = await open(stage.near, type)
      await neighbour.call(add, there.e0.second, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0 second'])
      await neighbour.call(drop, there.e0.second, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), [])
    },
  )

  // IPv4 filters on the interface of the membership alone, IPv6 on all of them.
  source.rule(
    `over ${family}, a source holds on its interface, and ${isIPv4 ? 'not' : 'also'} on others where a neighbour has joined`,
    [...needs, 'arrival'],
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      await listener.call(add, there.e0.address, group, here.e0.handle)
      await open(stage.near, type, {
        join: [
          [group, here.e0.handle],
          [group, here.e1.handle],
        ],
      })
      assert.deepEqual(await roll(stage, listener), isIPv4 ? ['e0', 'e1', 'e1 second'] : ['e0'])
      await listener.call(drop, there.e0.address, group, here.e0.handle)
      assert.deepEqual(await roll(stage, listener), ['e0', 'e0 second', 'e1', 'e1 second'])
    },
  )

  // IPv6 asks the socket's latest membership of the group, whatever its interface.
  source.rule(
    `over ${family}, ${isIPv4 ? 'each interface has sources of its own' : 'the sources of the last join are those of all interfaces'}`,
    [...needs, 'arrival'],
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      await listener.call(add, there.e0.address, group, here.e0.handle)
      await listener.call(add, there.e1.second, group, here.e1.handle)
      assert.deepEqual(await roll(stage, listener), isIPv4 ? ['e0', 'e1 second'] : ['e1 second'])
      await listener.call(drop, there.e1.second, group, here.e1.handle)
      assert.deepEqual(await roll(stage, listener), ['e0'])
    },
  )

  source.rule(
    `over ${family}, every source on one interface and a source on another`,
    [...needs, 'arrival'],
    async (stage) => {
      const listener = await open(stage.near, type, { port: stage.port })
      await listener.call('addMembership', group, here.e0.handle)
      await listener.call(add, there.e1.address, group, here.e1.handle)
      assert.deepEqual(await roll(stage, listener), isIPv4 ? ['e0', 'e0 second', 'e1'] : ['e1'])
      await listener.call('dropMembership', group, here.e0.handle)
      await listener.call('addMembership', group, here.e0.handle)
      // Now the one for every source is the last, and the interface still filters for the host.
      assert.deepEqual(await roll(stage, listener), ['e0', 'e0 second', 'e1'])
    },
  )

  source.rule(
    `over ${family}, the own host is a source like any other`,
    needs,
    async ({ near, port }) => {
      const listener = await open(near, type, { port })
      const speaker = await open(near, type, { via: here.e0.handle })
      await listener.call(add, there.e0.address, group, here.e0.handle)
      await speaker.send('not joined', port, group)
      await listener.call(add, here.e0.address, group, here.e0.handle)
      await speaker.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
    },
  )
}

source.rule(
  'over IPv6, a link-local source is joined with or without its zone, as one',
  ['ipv6'],
  async ({ near, other, port }) => {
    const group = 'ff02::1:3'
    const listener = await open(near, 'udp6', { port, address: `${group}%e0` })
    await listener.call(add, 'fe80::2', group, '::%e0')
    const foreign = await open(other, 'udp6', { address: 'fd00::2' })
    const speaker = await open(other, 'udp6')
    await foreign.send('foreign', port, `${group}%e0`)
    await speaker.send('end', port, `${group}%e0`)
    assert.deepEqual(await listener.heard.until('end'), ['end'])
    await assert.rejects(listener.call(add, 'fe80::2%e0', group, '::%e0'), {
      code: 'EADDRNOTAVAIL',
    })
    await listener.call(drop, 'fe80::2%e0', group, '::%e0')
  },
)
