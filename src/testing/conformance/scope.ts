/** How far a datagram goes: the TTL, and the loopback flag of the sender. */
import assert from 'node:assert/strict'
import { Chapter, open } from './chapter.js'
import { families, type Need } from './network.js'

export const scope = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, group, localGroup, near: here, other: there } = ip
  const routed: Need[] = [...needs, 'router']

  scope.rule(
    `over ${family}, TTL 1 stays on the segment and is the default, 2 crosses the router`,
    routed,
    async ({ near, other, far, port }) => {
      const onSegment = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const behind = await open(far, type, { port, join: [[group, ip.far.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle })
      await speaker.send('default', port, group)
      for (const ttl of [1, 2, 3, 255]) {
        await speaker.call('setMulticastTTL', ttl)
        await speaker.send(`${ttl}`, port, group)
      }
      assert.deepEqual(await onSegment.heard.until('255'), ['default', '1', '2', '3', '255'])
      assert.deepEqual(await behind.heard.until('255'), ['2', '3', '255'])
    },
  )

  scope.rule(
    `over ${family}, what is sent to one host has a TTL of its own, 64 by default`,
    routed,
    async ({ near, far, port }) => {
      const behind = await open(far, type, { port, join: [[group, ip.far.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle })
      const to = ip.far.e0.address
      await speaker.send('default', port, to)
      await speaker.call('setTTL', 1)
      await speaker.send('1', port, to)
      await speaker.call('setMulticastTTL', 2)
      await speaker.send('1, the group has 2', port, to)
      await speaker.send('group 2, one host has 1', port, group)
      await speaker.call('setTTL', 2)
      await speaker.call('setMulticastTTL', 1)
      await speaker.send('2, the group has 1', port, to)
      await speaker.send('group 1, one host has 2', port, group)
      await speaker.send('end', port, to)
      assert.deepEqual(await behind.heard.until('end'), [
        ...['default', 'group 2, one host has 1', '2, the group has 1', 'end'],
      ])
    },
  )

  scope.rule(
    `over ${family}, what is heard behind a router comes from the sender, and is answered there`,
    routed,
    async ({ near, far, port }) => {
      const behind = await open(far, type, {
        port,
        address: group,
        join: [[group, ip.far.e0.handle]],
      })
      const speaker = await open(near, type, { via: here.e0.handle, ttl: 2 })
      await speaker.send('question', port, group)
      const { remote } = await behind.heard.next()
      assert.equal(remote.address, here.e0.address)
      await behind.send('answer', remote.port, remote.address)
      const answer = await speaker.heard.next()
      assert.deepEqual(
        [answer.text, answer.remote.address, answer.remote.port],
        ['answer', ip.far.e0.address, port],
      )
    },
  )

  scope.rule(
    `over ${family}, a router forwards nothing to a link-local group, whatever the TTL`,
    routed,
    async ({ near, other, far, port }) => {
      const onSegment = await open(other, type, { port, join: [[localGroup, there.e0.handle]] })
      const behind = await open(far, type, {
        port,
        join: [
          [localGroup, ip.far.e0.handle],
          [group, ip.far.e0.handle],
        ],
      })
      const speaker = await open(near, type, { via: here.e0.handle, ttl: 255 })
      await speaker.send('local', port, localGroup)
      await speaker.send('end', port, group)
      assert.equal((await onSegment.heard.next()).text, 'local')
      assert.deepEqual(await behind.heard.until('end'), ['end'])
    },
  )

  scope.rule(
    `over ${family}, TTL 0 stays on the host where that has joined`,
    needs,
    async ({ near, other, port }) => {
      const own = await open(near, type, { port, join: [[group, here.e0.handle]] })
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle, ttl: 0 })
      await speaker.send('stays', port, group)
      await speaker.call('setMulticastTTL', 1)
      await speaker.send('end', port, group)
      assert.deepEqual(await own.heard.until('end'), ['stays', 'end'])
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  // Only what loops back to the host passes the check of the TTL.
  scope.rule(
    `over ${family}, TTL 0 reaches the segment where no socket of the host has joined`,
    [...needs, 'ttl-leak'],
    async ({ near, other, port }) => {
      const own = await open(near, type, { port, join: [[group, here.e1.handle]] })
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle, ttl: 0 })
      await speaker.send('leaves', port, group)
      assert.equal((await heard.next()).text, 'leaves')
      await speaker.call('setMulticastInterface', here.e1.handle)
      await speaker.send('end', port, group)
      assert.deepEqual(await own.heard.until('end'), ['end'])
    },
  )

  scope.rule(
    `over ${family}, TTL 0 without loopback ${family === 'IPv4' ? 'goes nowhere' : 'reaches the segment'}`,
    family === 'IPv4' ? needs : [...needs, 'ttl-leak'],
    async ({ near, other, port }) => {
      const own = await open(near, type, { port, join: [[group, here.e0.handle]] })
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle, ttl: 0, loopback: false })
      await speaker.send('0', port, group)
      await speaker.call('setMulticastTTL', 1)
      await speaker.call('setMulticastLoopback', true)
      await speaker.send('end', port, group)
      assert.deepEqual(await own.heard.until('end'), ['end'])
      assert.deepEqual(await heard.until('end'), family === 'IPv4' ? ['end'] : ['0', 'end'])
    },
  )

  scope.rule(
    `over ${family}, the own host hears where it has joined, also the sending socket itself`,
    needs,
    async ({ near, port }) => {
      const join = [here.e0, here.e1].map(({ handle }) => [group, handle] as const)
      const own = await open(near, type, { port, join })
      const speaker = await open(near, type, { via: here.e0.handle })
      await speaker.send('through e0', port, group)
      await speaker.call('setMulticastInterface', here.e1.handle)
      await speaker.send('through e1', port, group)
      await own.call('setMulticastInterface', here.e1.handle)
      await own.send('itself', port, group)
      const heard = await own.heard.take(3)
      assert.deepEqual(
        heard.map(({ text, remote }) => [text, remote.address]),
        [
          ['through e0', here.e0.address],
          ['through e1', here.e1.address],
          ['itself', here.e1.address],
        ],
      )
      await own.call('dropMembership', group, here.e0.handle)
      await speaker.call('setMulticastInterface', here.e0.handle)
      await speaker.send('where nobody has joined', port, group)
      await own.send('end', port, group)
      assert.deepEqual(await own.heard.until('end'), ['end'])
    },
  )

  scope.rule(
    `over ${family}, without loopback the own host does not hear, others do`,
    needs,
    async ({ near, other, port }) => {
      const own = await open(near, type, { port, join: [[group, here.e0.handle]] })
      const { heard } = await open(other, type, { port, join: [[group, there.e0.handle]] })
      const speaker = await open(near, type, { via: here.e0.handle, loopback: false })
      await speaker.send('quiet', port, group)
      await speaker.call('setMulticastLoopback', true)
      await speaker.send('end', port, group)
      assert.deepEqual(await own.heard.until('end'), ['end'])
      assert.deepEqual(await heard.until('end'), ['quiet', 'end'])
    },
  )

  // The receiver's flag is not asked: on Windows it is the other way round.
  scope.rule(
    `over ${family}, the loopback flag of the receiving socket does not matter`,
    needs,
    async ({ near, port }) => {
      const join = [[group, here.e0.handle]] as const
      const own = await open(near, type, { port, join, loopback: false })
      const speaker = await open(near, type, { via: here.e0.handle })
      await speaker.send('heard', port, group)
      assert.equal((await own.heard.next()).text, 'heard')
    },
  )
}

scope.rule(
  'over IPv4, on lo a datagram is heard also without loopback and with TTL 0, and by nobody else',
  [],
  async ({ near, other, port }) => {
    const group = '239.1.2.3'
    const own = await open(near, 'udp4', { port, join: [[group, '127.0.0.1']] })
    const elsewhere = await open(other, 'udp4', {
      port,
      join: [
        [group, '127.0.0.1'],
        [group, '10.0.0.2'],
      ],
    })
    const speaker = await open(near, 'udp4', { via: '127.0.0.1', loopback: false, ttl: 0 })
    await speaker.send('lo', port, group)
    const { text, remote } = await own.heard.next()
    assert.deepEqual([text, remote.address], ['lo', '127.0.0.1'])
    await speaker.call('setMulticastInterface', '10.0.0.1')
    await speaker.call('setMulticastTTL', 1)
    await speaker.send('end', port, group)
    assert.deepEqual(await elsewhere.heard.until('end'), ['end'])
  },
)

scope.rule(
  'over IPv6, a group can be joined on lo, but nothing can be sent there',
  ['ipv6'],
  async ({ near, port }) => {
    const group = 'ff05::1:3'
    const speaker = await open(near, 'udp6', { port, join: [[group, '::%lo']], via: '::%lo' })
    await assert.rejects(speaker.send('lo', port, group), {
      code: 'ENETUNREACH',
      syscall: 'send',
      message: `send ENETUNREACH ${group}:${port}`,
    })
  },
)

scope.rule(
  'over IPv6, an interface-local group is heard on its host alone',
  ['ipv6'],
  async ({ near, other, port }) => {
    const join = [
      ['ff01::1:3', '::%e0'],
      ['ff05::1:3', '::%e0'],
    ] as const
    const { heard } = await open(near, 'udp6', { port, join })
    const { heard: heardThere } = await open(other, 'udp6', { port, join })
    const speaker = await open(near, 'udp6', { via: '::%e0', ttl: 9 })
    await speaker.send('inside', port, 'ff01::1:3%e0')
    await speaker.send('end', port, 'ff05::1:3')
    assert.deepEqual(await heard.until('end'), ['inside', 'end'])
    assert.deepEqual(await heardThere.until('end'), ['end'])
  },
)
