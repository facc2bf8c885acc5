/** What a socket keeps that nobody reads. */
import assert from 'node:assert/strict'
import { Chapter, open, type Stage } from './chapter.js'
import { families, type Need } from './network.js'
import type { PeerSocket } from './peer.js'

export const buffer = new Chapter('socket')

for (const ip of families) {
  const { family, type, group, near: here } = ip
  const needs: Need[] = [...ip.needs, 'buffers']

  /** The numbers of what is still heard of a burst to `listener` that is over. */
  const rest = async (
    listener: PeerSocket,
    speaker: PeerSocket,
    port: number,
  ): Promise<number[]> => {
    const numbers: number[] = []
    for (;;) {
      const { text } = await listener.heard.next()
      if (text === 'end') return numbers
      numbers.push(Number.parseInt(text, 10))
      // There may be no room for it until all is read: so the last one finds it.
      await speaker.send('end', port, group)
    }
  }

  /** How many of as many datagrams, sent in one tick to a socket beside, are heard. */
  const kept = async (
    { near, port }: Stage,
    count: number,
    size: number,
    bytes?: number,
  ): Promise<number> => {
    const listener = await open(near, type, { port, join: [[group, here.e0.handle]] })
    if (bytes !== undefined) await listener.call('setRecvBufferSize', bytes)
    const speaker = await open(near, type, { via: here.e0.handle })
    await speaker.burst(count, size, port, group)
    const numbers = await rest(listener, speaker, port)
    assert.deepEqual(numbers, [...numbers.keys()], 'the newest are lost, none in between')
    await near.peer.reset()
    return numbers.length
  }

  buffer.rule(
    `over ${family}, a socket that is not read loses the newest, beyond 212,992 bytes with overhead`,
    needs,
    async (stage) => {
      // Measured: 256, 166, 92 and about 15.
      for (const [size, least, most] of [
        [20, 200, 300],
        [500, 120, 250],
        [1400, 75, 152],
        [8000, 10, 26],
      ] as const) {
        const count = await kept(stage, 600, size)
        assert.ok(count >= least && count <= most, `${count} of ${size} bytes`)
      }
    },
  )

  buffer.rule(
    `over ${family}, a smaller or larger buffer keeps less or more`,
    needs,
    async (stage) => {
      // Measured: 19, 157 and 512.
      for (const [bytes, least, most] of [
        [8192, 14, 24],
        [65_536, 120, 190],
        [212_992, 400, 600],
      ] as const) {
        const count = await kept(stage, 700, 20, bytes)
        assert.ok(count >= least && count <= most, `${count} in ${bytes} bytes`)
      }
    },
  )

  buffer.rule(
    `over ${family}, the smallest buffer takes a datagram of any size, and only that one`,
    needs,
    async (stage) => {
      assert.equal(await kept(stage, 5, 60_000, 1), 1)
    },
  )

  buffer.rule(
    `over ${family}, a socket that is full takes nothing from another`,
    needs,
    async ({ near, port }) => {
      const full = await open(near, type, { port, join: [[group, here.e0.handle]] })
      await full.call('setRecvBufferSize', 1)
      const roomy = await open(near, type, { port })
      const speaker = await open(near, type, { via: here.e0.handle })
      await speaker.burst(100, 20, port, group)
      assert.equal((await roomy.heard.take(100)).length, 100)
      const { length } = await rest(full, speaker, port)
      assert.ok(length < 100, `${length}`)
    },
  )
}
