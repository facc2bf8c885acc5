/** When things happen, in which order, and whose the memory is. */
import assert from 'node:assert/strict'
import { Chapter, open } from './chapter.js'
import { families } from './network.js'
import type { Deed, Reading } from './scenes.js'

export const order = new Chapter('socket')

const deeds: readonly Deed[] = [
  ...(['tick', 'promise', 'immediate', 'bind', 'misbind', 'queue', 'send', 'close'] as const),
  ...(['drop', 'tick', 'promise', 'immediate'] as const),
]

const listening = ['listening', 'bound', 'listening, asked after bind()']
const toAll = (text: string) => ['late', 'early', 'earlier'].map((name) => `${text} to ${name}`)
const sent = toAll('sent')
const queued = [...toAll('queued'), ...toAll('queued again')]
const closed = ['closed', 'closed, as called back']
const dropped = ['dropped', 'dropped, as called back']
/** The one that could be read first comes first, the new one last; each is read as a whole. */
const heardByEarly = (...texts: string[]) =>
  ['early', 'earlier'].flatMap((name) => heardBy(name, ...texts))
const heardBy = (name: string, ...texts: string[]) => texts.map((text) => `${name} heard ${text}`)

/** Deeds in their order and the other way round; and what is told during them, after them, and once sockets are read. */
const sequences = {
  there: {
    deeds,
    told: {
      prompt: {
        during: [
          ...['listening', 'bound', 'EADDRNOTAVAIL', 'sender listening'],
          ...['dropped one listening', 'dropped one bound'],
        ],
        after: ['tick', ...queued, ...sent, ...closed, ...dropped, 'tick'],
        read: [
          ...heardByEarly('queued', 'queued again', 'sent'),
          ...heardBy('late', 'queued', 'queued again', 'sent'),
        ],
      },
      late: {
        during: [],
        after: [
          ...['tick', ...listening, 'EADDRNOTAVAIL', 'sender listening', ...closed, ...dropped],
          ...['tick', ...sent, ...queued],
        ],
        read: [
          ...heardByEarly('sent', 'queued', 'queued again'),
          ...heardBy('late', 'sent', 'queued', 'queued again'),
        ],
      },
    },
  },
  back: {
    deeds: deeds.toReversed(),
    told: {
      prompt: {
        during: [
          ...['dropped one listening', 'dropped one bound', 'sender listening'],
          ...['EADDRNOTAVAIL', 'listening', 'bound'],
        ],
        after: ['tick', ...dropped, ...closed, ...sent, ...queued, 'tick'],
        // What was sent before the other was bound is lost.
        read: heardByEarly('sent', 'queued', 'queued again'),
      },
      late: {
        during: [],
        after: [
          ...['tick', ...dropped, ...closed, 'sender listening', 'EADDRNOTAVAIL', ...listening],
          ...['tick', ...sent, ...queued],
        ],
        read: [
          ...heardByEarly('sent', 'queued', 'queued again'),
          ...heardBy('late', 'queued', 'queued again'),
        ],
      },
    },
  },
} as const

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

  for (const hasLookup of [true, false]) {
    const lookup = `a lookup that answers ${hasLookup ? 'at once' : 'later'}`
    order.rule(
      `over ${family}, with ${lookup} what is begun in one task completes in that order`,
      [...needs, 'sync-bind'],
      async ({ near, port }) => {
        const { address } = here.e0
        for (const [at, { deeds, told }] of Object.values(sequences).entries()) {
          for (const start of ['task', 'job', 'news'] as const) {
            const how = { type, address, nowhere: there.e0.address, port: port + 4 * at, hasLookup }
            const { during, after, read } = hasLookup ? told.prompt : told.late
            const [promises, immediates] = [Array(2).fill('promise'), Array(2).fill('immediate')]
            assert.deepEqual(await near.peer.sequence({ ...how, start }, ...deeds), [
              ...during,
              'returned',
              // A module begins in a promise's job: those of other promises come before all ticks.
              ...(start === 'job' ? [...promises, ...after] : [...after, ...promises]),
              // What is sent as news are told of is news of the next round, and immediates come before that.
              ...(start === 'news' ? [...immediates, ...read] : [...read, ...immediates]),
            ])
          }
        }
      },
    )
  }

  order.rule(
    `over ${family}, of several sockets 32 datagrams of one are read, then as many of the next`,
    [...needs, 'sync-bind'],
    async ({ near, port }) => {
      const nowhere = there.e0.address
      const how = { type, address: here.e0.address, nowhere, port, hasLookup: true } as const
      const heard = await near.peer.flood({ ...how, start: 'task' }, 40)
      const rows = (length: number) =>
        ['early', 'earlier', 'late'].flatMap((name) => Array(length).fill(name))
      assert.deepEqual(heard, [...rows(32), ...rows(8)])
    },
  )

  order.rule(
    `over ${family}, a round of the event loop reads those that can be read, each until it is empty, or 32 times`,
    [...needs, 'sync-bind'],
    async ({ near, port }) => {
      const nowhere = there.e0.address
      const how = { type, address: here.e0.address, nowhere, port, hasLookup: true } as const
      const read = (what: Reading) => near.peer.reading({ ...how, start: 'task' }, what)
      const early = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, at) => `early heard ${from + at}`)
      assert.deepEqual(await read('itself'), [
        ...['early heard 0', 'early heard again', 'immediate after 2'],
      ])
      assert.deepEqual(await read('another'), [
        ...['early heard 0', 'earlier heard 0', 'earlier heard more', 'immediate after 1'],
      ])
      assert.deepEqual(await read('answer'), [
        ...['early heard 0', 'immediate after 1', 'earlier heard more'],
      ])
      // Who was read in the last round comes before who could be read earlier.
      assert.deepEqual(await read('later'), [
        ...['early heard 0', 'immediate after 1', 'early heard again', 'earlier heard more'],
      ])
      assert.deepEqual(await read('most'), [
        ...[...early(0, 32), 'immediate after 32', 'early heard 32', 'earlier heard more'],
        'immediate after 33',
      ])
      assert.deepEqual(await read('burst'), [
        ...[...early(0, 32), 'immediate after 32', ...early(32, 64), 'immediate after 64'],
        ...[...early(64, 96), 'immediate after 96', ...early(96, 100), 'immediate after 100'],
      ])
    },
  )

  order.rule(
    `over ${family}, of the sockets of a port the last that was bound hears a group last, the others before it, backwards`,
    [...needs, 'sync-bind'],
    async ({ near, port }) => {
      const nowhere = there.e0.address
      const how = { type, address: here.e0.address, nowhere, port, hasLookup: true } as const
      const told = await near.peer.crowd({ ...how, start: 'task' }, group, here.e0.handle, 4)
      assert.deepEqual(told, [2, 1, 0, 3])
    },
  )
}
