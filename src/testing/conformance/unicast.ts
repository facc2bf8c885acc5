/** Datagrams to single hosts, as replies are. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { families, type Need } from './network.js'

export const unicast = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, group, any, loopback, near: here, other: there } = ip
  const routed: Need[] = [...needs, 'router']

  unicast.rule(
    `over ${family}, unicast reaches the socket bound to the address, or else that bound to all`,
    needs,
    async ({ near, other, port }) => {
      const wild = await open(near, type, { port })
      const specific = await open(near, type, { port, address: here.e0.address })
      const speaker = await open(other, type)
      await speaker.send('to e0', port, here.e0.address)
      await speaker.send('to e1', port, here.e1.address)
      assert.equal((await specific.heard.next()).text, 'to e0')
      assert.equal((await wild.heard.next()).text, 'to e1')
      await specific.close()
      await speaker.send('to e0 again', port, here.e0.address)
      assert.deepEqual(await wild.heard.until('to e0 again'), ['to e0 again'])
    },
  )

  unicast.rule(
    `over ${family}, of two sockets of a port the one that was bound last hears unicast`,
    needs,
    async ({ near, other, port }) => {
      for (const address of [any, here.e0.address]) {
        const first = await open(near, type, { port, address })
        const second = await open(near, type, { port, address })
        const speaker = await open(other, type)
        await speaker.send('for the second', port, here.e0.address)
        assert.equal((await second.heard.next()).text, 'for the second')
        await second.close()
        await speaker.send('for the first', port, here.e0.address)
        assert.deepEqual(await first.heard.until('for the first'), ['for the first'])
        await first.close()
      }
    },
  )

  unicast.rule(
    `over ${family}, a socket bound to a group is deaf to unicast, one bound to an address to groups`,
    needs,
    async ({ near, other, port }) => {
      const join = [[group, here.e0.handle]] as const
      const bound = await open(near, type, { port, address: group, join })
      const specific = await open(near, type, { port, address: here.e0.address, join })
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('unicast', port, here.e0.address)
      await speaker.send('group', port, group)
      await speaker.send('end', port, here.e0.address)
      assert.deepEqual(await specific.heard.until('end'), ['unicast', 'end'])
      assert.deepEqual(await bound.heard.until('group'), ['group'])
    },
  )

  unicast.rule(
    `over ${family}, what a socket bound to a group sends has the interface's address and its port`,
    needs,
    async ({ near, other, port }) => {
      const bound = await open(near, type, { port, address: group })
      const listener = await open(other, type, { port: port + 1, join: [[group, there.e0.handle]] })
      for (const [to, from] of [
        [there.e0.address, here.e0.address],
        [there.e0.second, here.e0.address],
        [there.e1.address, here.e1.address],
        [group, here.e0.address],
      ] as const) {
        await bound.send('hello', port + 1, to)
        const { remote } = await listener.heard.next()
        assert.deepEqual([remote.address, remote.port], [from, port])
      }
    },
  )

  unicast.rule(
    `over ${family}, a question is answered to where it came from`,
    needs,
    async ({ near, other, port }) => {
      const join = [[group, there.e1.handle]] as const
      const answerer = await open(other, type, { port, address: group, join })
      const asker = await open(near, type, { via: here.e1.handle })
      await asker.send('question', port, group)
      const { remote } = await answerer.heard.next()
      assert.deepEqual(
        [remote.address, remote.port],
        [here.e1.address, (await asker.address()).port],
      )
      await answerer.send('answer', remote.port, remote.address)
      const answer = await asker.heard.next()
      assert.deepEqual([answer.text, answer.remote.port], ['answer', port])
    },
  )

  unicast.rule(
    `over ${family}, the own host is reached by each of its addresses, from that address`,
    needs,
    async ({ near, port }) => {
      const listener = await open(near, type, { port })
      const speaker = await open(near, type)
      for (const to of [loopback, here.e0.address, here.e1.address]) {
        await speaker.send(to, port, to)
        const { text, remote } = await listener.heard.next()
        assert.deepEqual([text, remote.address], [to, to])
      }
      // The wildcard address is the own host too: by the loopback address.
      await speaker.send('any', port, any)
      const { remote } = await listener.heard.next()
      assert.equal(remote.address, loopback)
      const bound = await open(near, type, { port, address: loopback })
      await speaker.send('any', port, any)
      assert.equal((await bound.heard.next()).text, 'any')
    },
  )

  unicast.rule(
    `over ${family}, what goes to nobody is no error`,
    needs,
    async ({ near, other, port }) => {
      const speaker = await open(near, type)
      const { heard } = await open(other, type, { port })
      const nobody = family === 'IPv4' ? '10.0.0.77' : 'fd00::77'
      for (const to of [nobody, there.e0.address, here.e0.address, loopback]) {
        await speaker.send('to nobody', port + 1, to)
      }
      await speaker.send('end', port, there.e0.address)
      assert.deepEqual(await heard.until('end'), ['end'])
      assert.equal(speaker.count('error'), 0)
    },
  )

  unicast.rule(
    `over ${family}, unicast crosses the router`,
    routed,
    async ({ near, far, port }) => {
      const listener = await open(far, type, { port })
      const speaker = await open(near, type)
      await speaker.send('hello', port, ip.far.e0.address)
      const { remote } = await listener.heard.next()
      assert.equal(remote.address, here.e0.address)
      await listener.send('answer', remote.port, remote.address)
      assert.equal((await speaker.heard.next()).remote.address, ip.far.e0.address)
    },
  )

  unicast.rule(
    `over ${family}, a socket bound to lo is reached from its own host alone, and reaches no other`,
    needs,
    async ({ near, other, port }) => {
      const bound = await open(near, type, { port, address: loopback })
      const elsewhere = await open(other, type, { port })
      const speaker = await open(other, type)
      const own = await open(near, type)
      await speaker.send('to e0', port, here.e0.address)
      await own.send('to the own e0', port, here.e0.address)
      await own.send('to lo', port, loopback)
      assert.deepEqual(await bound.heard.until('to lo'), ['to lo'])
      if (family === 'IPv4') {
        await assert.rejects(
          bound.send('from lo', port, there.e0.address),
          refusal('send', 'EINVAL', `${there.e0.address}:${port}`),
        )
      } else await bound.send('from lo', port, there.e0.address)
      await own.send('end', port, there.e0.address)
      assert.deepEqual(await elsewhere.heard.until('end'), ['end'])
    },
  )
}

unicast.rule(
  'over IPv6, of two addresses the last one is what unicast comes from, over IPv4 the first',
  ['ipv6'],
  async ({ near, other, port }) => {
    for (const { type, near: here, family, other: there } of families) {
      const listener = await open(near, type, { port })
      const speaker = await open(other, type)
      for (const end of ['e0', 'e1'] as const) {
        await speaker.send('hello', port, here[end].address)
        const { remote } = await listener.heard.next()
        assert.equal(remote.address, there[end][family === 'IPv4' ? 'address' : 'second'])
      }
      await listener.close()
    }
  },
)
