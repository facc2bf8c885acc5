/** What a socket hears because of what it, and others of its host, have joined. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { families } from './network.js'

export const membership = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, group, otherGroup, near: here, other: there } = ip
  const both = [here.e0, here.e1].map(({ handle }) => [group, handle] as const)

  membership.rule(
    `over ${family}, a group is heard where it is joined, until it is left`,
    [...needs, 'arrival'],
    async ({ near, other, port }) => {
      const listener = await open(near, type, { port })
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('before', port, group)
      await listener.call('addMembership', group, here.e0.handle)
      await speaker.send('joined', port, group)
      await listener.call('dropMembership', group, here.e0.handle)
      await speaker.send('left', port, group)
      await listener.call('addMembership', group, here.e0.handle)
      await speaker.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['joined', 'end'])
    },
  )

  membership.rule(
    `over ${family}, a datagram is heard with its sender, size and family`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port, join: [[group, here.e0.handle]] })
      const speaker = await open(other, type, {
        address: there.e0.address,
        port: port + 1,
        via: there.e0.handle,
      })
      await speaker.send('hello', port, group)
      const { data, remote } = await heard.next()
      assert.ok(Buffer.isBuffer(data))
      assert.equal(data.toString(), 'hello')
      assert.deepEqual(remote, { address: there.e0.address, family, port: port + 1, size: 5 })
    },
  )

  membership.rule(
    `over ${family}, a group is not heard on an interface where no socket has joined it`,
    needs,
    async ({ near, other, port }) => {
      for (const address of [ip.any, group]) {
        const listener = await open(near, type, { port, address, join: both.slice(0, 1) })
        const wrong = await open(other, type, { via: there.e1.handle })
        const right = await open(other, type, { via: there.e0.handle })
        await wrong.send('on e1', port, group)
        await right.send('on e0', port, group)
        assert.deepEqual(await listener.heard.until('on e0'), ['on e0'])
      }
    },
  )

  membership.rule(
    `over ${family}, another group and another port are not heard`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port, join: both.slice(0, 1) })
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('another group', port, otherGroup)
      await speaker.send('another port', port + 1, group)
      await speaker.send('end', port, group)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  membership.rule(
    `over ${family}, a socket that has joined on two interfaces hears both, and leaves each`,
    needs,
    async ({ near, other, port }) => {
      const listener = await open(near, type, { port, join: both })
      const on0 = await open(other, type, { via: there.e0.handle })
      const on1 = await open(other, type, { via: there.e1.handle })
      await on0.send('on e0', port, group)
      assert.equal((await listener.heard.next()).text, 'on e0')
      await on1.send('on e1', port, group)
      assert.equal((await listener.heard.next()).text, 'on e1')
      await listener.call('dropMembership', group, here.e0.handle)
      await on0.send('on e0, left', port, group)
      await on1.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
    },
  )

  membership.rule(
    `over ${family}, a socket bound to every address hears each group that its host has joined`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port })
      const neighbour = await open(near, type, { join: [[group, here.e0.handle]] })
      await open(near, type, { join: [[otherGroup, here.e1.handle]] })
      const on0 = await open(other, type, { via: there.e0.handle })
      const on1 = await open(other, type, { via: there.e1.handle })
      await on0.send('the one on e0', port, group)
      assert.equal((await heard.next()).text, 'the one on e0')
      await on1.send('the other on e1', port, otherGroup)
      assert.equal((await heard.next()).text, 'the other on e1')
      await on0.send('the other on e0', port, otherGroup)
      await on1.send('the one on e1', port, group)
      await neighbour.call('dropMembership', group, here.e0.handle)
      await on0.send('the one, left', port, group)
      await on1.send('end', port, otherGroup)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  membership.rule(
    `over ${family}, a socket bound to a group hears that alone, wherever its host has joined it`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port, address: group, join: both.slice(0, 1) })
      await open(near, type, {
        join: [
          [otherGroup, here.e0.handle],
          [group, here.e1.handle],
        ],
      })
      const on0 = await open(other, type, { via: there.e0.handle })
      const on1 = await open(other, type, { via: there.e1.handle })
      await on0.send('another group', port, otherGroup)
      await on1.send('where a neighbour has joined', port, group)
      assert.equal((await heard.next()).text, 'where a neighbour has joined')
      await on0.send('end', port, group)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  membership.rule(
    `over ${family}, after its last leave a socket hears on what another of its host has joined`,
    [...needs, 'arrival'],
    async ({ near, other, port }) => {
      for (const address of [ip.any, group]) {
        const listener = await open(near, type, { port, address, join: both.slice(0, 1) })
        const neighbour = await open(near, type, { join: both.slice(0, 1) })
        const speaker = await open(other, type, { via: there.e0.handle })
        await listener.call('dropMembership', group, here.e0.handle)
        await speaker.send('neighbour', port, group)
        await neighbour.close()
        await speaker.send('nobody', port, group)
        await listener.call('addMembership', group, here.e0.handle)
        await speaker.send('end', port, group)
        assert.deepEqual(await listener.heard.until('end'), ['neighbour', 'end'])
        await listener.close()
      }
    },
  )

  membership.rule(
    `over ${family}, closing a socket leaves what it has joined, and nothing of others`,
    [...needs, 'arrival'],
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port })
      const [one, two] = [
        await open(near, type, { join: both.slice(0, 1) }),
        await open(near, type, { join: both.slice(0, 1) }),
      ]
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('two', port, group)
      await one.close()
      await speaker.send('one', port, group)
      await two.close()
      await speaker.send('none', port, group)
      await open(near, type, { join: both.slice(0, 1) })
      await speaker.send('end', port, group)
      assert.deepEqual(await heard.until('end'), ['two', 'one', 'end'])
    },
  )

  membership.rule(
    `over ${family}, each socket of a port hears every message`,
    needs,
    async ({ near, other, port }) => {
      const listeners = [
        await open(near, type, { port, join: both.slice(0, 1) }),
        await open(near, type, { port, join: both.slice(0, 1) }),
        await open(near, type, { port, address: group, join: both.slice(0, 1) }),
      ]
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('one', port, group)
      await speaker.send('two', port, group)
      for (const { heard } of listeners) assert.deepEqual(await heard.until('two'), ['one', 'two'])
    },
  )

  membership.rule(
    `over ${family}, the group of all hosts is heard without joining, on each interface`,
    needs,
    async ({ near, other, far, port }) => {
      const all = family === 'IPv4' ? '224.0.0.1' : 'ff02::1'
      const listeners = [await open(near, type, { port }), await open(other, type, { port })]
      const behind = await open(far, type, { port, join: [[group, ip.far.e0.handle]] })
      const speaker = await open(near, type, { ttl: 9 })
      for (const { name, handle } of [here.e0, here.e1]) {
        await speaker.call('setMulticastInterface', handle)
        await speaker.send(`on ${name}`, port, all)
        for (const { heard } of listeners) assert.equal((await heard.next()).text, `on ${name}`)
      }
      assert.equal(behind.heard.size, 0)
    },
  )

  membership.rule(
    `over ${family}, a join without an interface is on that of the route`,
    needs,
    async ({ near, other, port }) => {
      const listener = await open(near, type, { port })
      await listener.call('addMembership', group)
      const on0 = await open(other, type, { via: there.e0.handle })
      const on1 = await open(other, type, { via: there.e1.handle })
      await on1.send('on e1', port, group)
      await on0.send('on e0', port, group)
      assert.deepEqual(await listener.heard.until('on e0'), ['on e0'])
      // It is the membership of that interface, by any name.
      await assert.rejects(listener.call('addMembership', group, here.e0.handle), {
        code: 'EADDRINUSE',
      })
      await listener.call('dropMembership', group, here.e0.handle)
      await assert.rejects(listener.call('dropMembership', group), { code: 'EADDRNOTAVAIL' })
    },
  )

  // IPv4 asks the route, IPv6 takes the one that was joined last.
  membership.rule(
    `over ${family}, a leave without an interface is from that of the ${family === 'IPv4' ? 'route' : 'last join'}`,
    needs,
    async ({ near }) => {
      const listener = await open(near, type, { join: [[group, here.e1.handle]] })
      if (family === 'IPv4') {
        const refused = refusal('dropMembership', 'EADDRNOTAVAIL')
        await assert.rejects(listener.call('dropMembership', group), refused)
      } else await listener.call('dropMembership', group)
      for (const [on, last] of [
        [here.e0, here.e1],
        [here.e1, here.e0],
      ] as const) {
        const socket = await open(near, type, {
          join: [on, last].map(({ handle }) => [group, handle] as const),
        })
        await socket.call('dropMembership', group)
        const [left, kept] =
          family === 'IPv4'
            ? [here.e0, here.e1]
            : last === here.e0
              ? [here.e0, here.e1]
              : [here.e1, here.e0]
        await assert.rejects(socket.call('dropMembership', group, left.handle), {
          code: 'EADDRNOTAVAIL',
        })
        await socket.call('dropMembership', group, kept.handle)
      }
    },
  )
}
