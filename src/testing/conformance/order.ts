/** When things happen, in which order, and whose the memory is. */
import assert from 'node:assert/strict'
import { Chapter, open } from './chapter.js'
import { families } from './network.js'

export const order = new Chapter('socket')

for (const ip of families) {
  const { family, type, needs, group, near: here, other: there } = ip
  const join = [[group, here.e0.handle]] as const

  order.rule(
    `over ${family}, the datagrams of a sender come in the order in which they were sent`,
    needs,
    async ({ near, other, port }) => {
      const listeners = [await open(near, type, { port, join }), await open(near, type, { port })]
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.burst(50, 20, port, group)
      for (const { heard } of listeners) {
        const numbers = (await heard.take(50)).map(({ text }) => Number.parseInt(text, 10))
        assert.deepEqual(numbers, [...numbers.keys()])
      }
    },
  )

  order.rule(
    `over ${family}, a send calls back later, then messages come, each in a task of its own`,
    needs,
    async ({ near, port }) => {
      const socket = await open(near, type, { port, join, via: here.e0.handle })
      const told = await socket.trace(port, group)
      assert.deepEqual(told.slice(0, 3), ['returned one', 'same tick', 'returned two'])
      const before = (one: string, other: string): void =>
        assert.ok(told.indexOf(one) < told.indexOf(other), `${one} before ${other}: ${told}`)
      before('sent one', 'sent two')
      before('returned two', 'sent one')
      before('heard one', 'microtask after one')
      before('microtask after one', 'heard two')
      before('heard two', 'microtask after two')
      assert.equal(told.length, 10)
    },
  )

  order.rule(
    `over ${family}, after its callback a sender may change the memory that it has sent`,
    needs,
    async ({ near, port }) => {
      const { heard } = await open(near, type, { port, join })
      const speaker = await open(near, type, { via: here.e0.handle })
      for (const text of ['first', 'second']) await speaker.sendAndOverwrite(text, port, group)
      assert.deepEqual(await heard.until('second'), ['first', 'second'])
    },
  )

  order.rule(
    `over ${family}, each receiver has memory of its own`,
    needs,
    async ({ near, port }) => {
      const scribbler = await open(near, type, { port, join })
      const listeners = [await open(near, type, { port, join }), await open(near, type, { port })]
      const another = await open(near, type, { port, join })
      await scribbler.scribble()
      await another.scribble()
      const speaker = await open(near, type, { via: here.e0.handle })
      for (const text of ['first', 'second']) await speaker.send(text, port, group)
      for (const { heard } of listeners) {
        assert.deepEqual(await heard.until('second'), ['first', 'second'])
      }
    },
  )

  order.rule(
    `over ${family}, a socket that is closed hears no more, and closes once`,
    needs,
    async ({ near, port }) => {
      const socket = await open(near, type, { port, join })
      const neighbour = await open(near, type, { port, join })
      const speaker = await open(near, type, { via: here.e0.handle })
      await speaker.send('before', port, group)
      assert.equal((await socket.heard.next()).text, 'before')
      await socket.close()
      await socket.told('close')
      await speaker.send('after', port, group)
      assert.deepEqual(await neighbour.heard.until('after'), ['before', 'after'])
      assert.equal(socket.heard.size, 0)
      assert.equal(socket.count('close'), 1)
    },
  )
}
