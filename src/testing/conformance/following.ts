/** Senders and receivers that follow the interfaces as they come, go and change. */
import assert from 'node:assert/strict'
import type { ReceiverOptions } from '../../options.js'
import { Chapter, type Stage } from './chapter.js'
import { failure } from './endpoint.js'
import { BOUND } from './inbox.js'
import { controls } from './interfaces.js'
import { families, type Need } from './network.js'
import type { PeerReceiver, PeerSender } from './peer.js'

export const following = new Chapter('endpoint')

// Taken before anybody puts a fake in its place.
const { setTimeout } = globalThis

/** Waits until a sender goes through these interfaces. */
async function goesThrough(sender: PeerSender, ...expected: string[]): Promise<void> {
  const isSo = async () => `${await sender.interfaces()}` === `${expected}`
  for (const end = Date.now() + BOUND; !(await isSo()) && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual(await sender.interfaces(), expected)
}

/** A receiver, and the group that it alone has joined: another one's membership would let it hear, too. */
interface Ear {
  readonly receiver: PeerReceiver
  readonly group: string
}

for (const { family, needs: own, near: here, other: there } of families) {
  const isIPv4 = family === 'IPv4'
  const needs: Need[] = [...own, 'interfaces']
  const followInterfaces = true
  const groupOf = (number: number) => (isIPv4 ? `239.7.0.${number}` : `ff05::7:${number}`)

  type Options = Omit<ReceiverOptions, 'group' | 'port'>
  const asked: Options[] = [
    { interfaces: 'all' },
    { interfaces: 'e1', followInterfaces },
    { interfaces: here.e1.address, followInterfaces },
    { interfaces: 'e1', sources: [there.e1.address], followInterfaces },
  ]

  /** Receivers on the near host that ask for all of that. */
  const ears = async ({ near, port }: Stage): Promise<Ear[]> => {
    const groups = asked.map((options, at) => ({ group: groupOf(at), options }))
    if (!isIPv4) {
      groups.push({ group: 'ff02::7:1', options: { interfaces: 'all' } })
      groups.push({ group: 'ff02::7:2%e1', options: { followInterfaces } })
    }
    return Promise.all(
      groups.map(async ({ group, options }) => {
        const receiver = await near.peer.receiver({ group, port, ...options })
        return { receiver, group: group.replace(/%.*/, '') }
      }),
    )
  }

  /** Checks that each hears what comes on e1, and once. */
  const hear = async ({ other, port }: Stage, text: string, ears: readonly Ear[]) => {
    for (const { receiver, group } of ears) {
      // By its address, which is the source that is asked for; a group of link scope is sent to from another.
      const interfaces = group.startsWith('ff02') ? 'e1' : there.e1.address
      const sender = await other.peer.sender({ group, port, interfaces })
      await sender.send(text)
      await sender.send(`after ${text}`)
      await sender.close()
      assert.deepEqual(await receiver.heard.until(`after ${text}`), [text, `after ${text}`])
    }
  }

  following.rule(
    `over ${family}, what is joined on an interface is heard there after it is re-created, without a call`,
    needs,
    async (stage) => {
      const { near, port } = stage
      const control = controls(near)
      const joined = await ears(stage)
      const group = groupOf(10)
      const byHand = await near.peer.receiver({ group, port, interfaces: 'e0', followInterfaces })
      await byHand.join({ interface: 'e1' })
      const left = await near.peer.receiver({ group: groupOf(11), port })
      await left.leave({ interface: 'e1' })
      const all = [...joined, { receiver: byHand, group }]
      for (const times of [1, 2]) {
        await control.remove('e1')
        await control.add('e1')
        for (const { receiver } of joined) {
          assert.deepEqual(
            await receiver.changes(2 * times),
            Array(times).fill(['lost e1', 'joined e1']).flat(),
          )
        }
        await byHand.changes(2 * times + 1)
        await hear(stage, `made anew ${times}`, all)
      }
      assert.deepEqual(await byHand.changes(5), [
        'joined e1',
        ...['lost e1', 'joined e1'],
        ...['lost e1', 'joined e1'],
      ])
      assert.deepEqual(await left.memberships(), [{ interface: 'lo' }, { interface: 'e0' }])
      assert.deepEqual(await left.changes(1), ['left e1'])
    },
  )

  following.rule(
    `over ${family}, an interface that is not there yet is joined when it is`,
    needs,
    async (stage) => {
      const control = controls(stage.near)
      await control.remove('e1')
      const waiting = await ears(stage)
      for (const { receiver } of waiting) {
        const joined = await receiver.memberships()
        assert.ok(joined.every((membership) => membership.interface !== 'e1'))
      }
      await control.add('e1')
      for (const { receiver } of waiting) {
        assert.deepEqual(await receiver.changes(1), ['joined e1'])
      }
      await hear(stage, 'hello', waiting)
    },
  )

  following.rule(
    `over ${family}, an interface that is down, or has another address, is joined all the time`,
    needs,
    async (stage) => {
      const control = controls(stage.near)
      const joined = await ears(stage)
      await control.down('e1')
      await control.up('e1')
      await hear(stage, 'up again', joined)
      const [old, fresh] = isIPv4 ? ['10.0.1.1/24', '10.0.1.9/24'] : ['fd01::1/64', 'fd01::9/64']
      await control.removeAddress('e1', old)
      await hear(stage, 'without its address', joined)
      await control.addAddress('e1', fresh)
      await hear(stage, 'with another address', joined)
      // What is told then is the first thing that is.
      await control.remove('e1')
      await control.add('e1')
      for (const { receiver } of joined) {
        assert.deepEqual(await receiver.changes(2), ['lost e1', 'joined e1'])
      }
    },
  )

  following.rule(
    `over ${family}, a sender goes through what is there of what it was asked for`,
    needs,
    async ({ near, other, port }) => {
      const control = controls(near)
      const listen = (number: number) =>
        other.peer.receiver({ group: groupOf(number), port, interfaces: ['e0', 'e1'] })
      const [toAll, toNamed, toPort] = [await listen(1), await listen(2), await listen(3)]
      const all = await near.peer.sender({ group: groupOf(1), port, interfaces: 'all' })
      const options = { port, interfaces: 'e1', followInterfaces }
      const named = await near.peer.sender({ group: groupOf(2), ...options })
      const localPort = port + 1
      const ofPort = await near.peer.sender({ group: groupOf(3), localPort, ...options })
      const { port: before } = await named.address()
      const { e0, e1 } = here
      const heardFrom = async (receiver: PeerReceiver, ...addresses: string[]) => {
        const heard = await receiver.heard.take(addresses.length)
        assert.deepEqual(heard.map(({ remote }) => remote.address).sort(), addresses)
        return heard.map(({ remote }) => remote.port)
      }
      await all.send('both')
      await heardFrom(toAll, e0.address, e1.address)
      await control.remove('e1')
      await goesThrough(all, 'e0')
      await all.send('one')
      await heardFrom(toAll, e0.address)
      for (const sender of [named, ofPort]) {
        await goesThrough(sender)
        await assert.rejects(sender.send('x'), failure('ERR_MULTICAST_SEND', 'ENETUNREACH'))
      }
      await control.add('e1')
      await goesThrough(all, 'e0', 'e1')
      await all.send('both again')
      await heardFrom(toAll, e0.address, e1.address)
      for (const [sender, receiver, expected] of [
        [named, toNamed, before],
        [ofPort, toPort, localPort],
      ] as const) {
        await goesThrough(sender, 'e1')
        await sender.send('one')
        assert.deepEqual(await heardFrom(receiver, e1.address), [expected])
      }
      assert.deepEqual(
        [toAll, toNamed, toPort].map(({ heard }) => heard.size),
        [0, 0, 0],
      )
    },
  )
}
