/** What the rules make of peers: their sockets on a port that others have too. */
import assert from 'node:assert/strict'
import { Chapter, open } from './chapter.js'
import { controls } from './interfaces.js'
import { families, type Need } from './network.js'
import type { PeerMulticastPeer } from './peer.js'

export const multicastPeer = new Chapter('endpoint')

/** Checks a `MulticastError`'s code, and that of its cause. */
function failure(code: string, cause?: string): (error: unknown) => true {
  return (error) => {
    const { cause: system, ...rest } = error as NodeJS.ErrnoException
    assert.deepEqual(
      [rest.code, (system as NodeJS.ErrnoException | undefined)?.code],
      [code, cause],
    )
    return true
  }
}

/** Asks again until the answer is yes: for what a look at the interfaces does, without an event. */
async function until(what: string, answer: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await answer()); ) {
    assert.ok(Date.now() < end, `not in 10 seconds: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const texts = (mails: readonly { text: string }[]): string[] => mails.map(({ text }) => text).sort()
const both = ['e0', 'e1']

for (const ip of families) {
  const { family, type, group, otherGroup, near: here, other: there } = ip
  // Over IPv6 the system sends from the newest one.
  const from = ({ e0, e1 }: typeof there): string[] =>
    [e0, e1].map(({ address, second }) => (type === 'udp4' ? address : second))
  const needs: Need[] = [...ip.needs, 'connected']

  multicastPeer.rule(
    `over ${family}, a peer hears and sends on each interface, from the port of the group`,
    needs,
    async ({ near, other, port }) => {
      const peer = await near.peer.multicastPeer({ group, port })
      assert.deepEqual(await peer.interfaces(), both)
      const joined = ['lo', ...both].map((name) => ({ interface: name }))
      assert.deepEqual(await peer.memberships(), joined)
      const facing = await other.peer.multicastPeer({ group, port, interfaces: both })
      assert.equal(await peer.send('hello'), 5)
      const mails = await facing.heard.take(2)
      const told = mails.map(({ remote }) => [remote.address, remote.port])
      assert.deepEqual(told.sort(), [
        [here.e0.address, port],
        [here.e1.address, port],
      ])
      await facing.send('hello too')
      const heard = await peer.heard.take(4)
      assert.deepEqual(texts(heard), ['hello', 'hello', 'hello too', 'hello too'])
      const addresses = heard.map(({ remote }) => remote.address).sort()
      const all = [here.e0.address, here.e1.address, ...from(there)]
      assert.deepEqual(addresses, all.sort())
      assert.equal(
        heard.every(({ remote }) => remote.interface === undefined),
        true,
      )
      const { sent, received } = await peer.stats()
      assert.deepEqual([sent, received], [2, 4])
    },
  )

  multicastPeer.rule(
    `over ${family}, peers, receivers and foreign sockets of a port hear each message once for each interface`,
    needs,
    async ({ near, other, port }) => {
      const options = { group, port, interfaces: both }
      const join = [here.e0, here.e1].map(({ handle }) => [group, handle] as const)
      const one = await near.peer.multicastPeer(options)
      const ofAny = await open(near, type, { port, join })
      const two = await near.peer.multicastPeer({ ...options, bindAddress: 'any' })
      const receiver = await near.peer.receiver(options)
      const ofGroup = await open(near, type, { port, address: group, join })
      const three = await near.peer.multicastPeer(options)
      const sender = await near.peer.sender(options)
      const facing = await other.peer.multicastPeer({ ...options, interfaces: 'e0' })
      for (const [text, peer] of Object.entries({ one, two, three, sender })) await peer.send(text)
      await facing.send('facing')
      const sent = ['facing', ...['one', 'two', 'three', 'sender'].flatMap((text) => [text, text])]
      const hearing = { one, two, three, receiver, ofAny, ofGroup }
      for (const [name, { heard }] of Object.entries(hearing)) {
        assert.deepEqual(texts(await heard.take(sent.length)), sent.sort(), name)
      }
      await facing.send('end')
      for (const [name, { heard }] of Object.entries(hearing)) {
        assert.deepEqual(await heard.until('end'), ['end'], name)
      }
      assert.deepEqual(texts(await facing.heard.take(6)), [...new Set(sent), 'end'].sort())
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer leaves its unicast to who has the port of every address`,
    needs,
    async ({ near, other, port }) => {
      for (const interfaces of [both, [here.e0.address, here.e1.address]]) {
        const holder = await open(near, type, { port })
        const peer = await near.peer.multicastPeer({ group, port, interfaces })
        const speaker = await open(other, type, { via: there.e0.handle })
        await speaker.send('unicast', port, here.e0.address)
        await speaker.send('end', port, group)
        assert.deepEqual(await holder.heard.until('end'), ['unicast', 'end'])
        assert.deepEqual(await peer.heard.until('end'), ['end'])
        await holder.close()
        await peer.close()
      }
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer that does not share its port sends from each interface, and no other has it`,
    needs,
    async ({ near, other, port }) => {
      const options = { group, port, interfaces: both }
      const alone = await near.peer.multicastPeer({ ...options, reuseAddr: false })
      const inUse = failure('ERR_MULTICAST_PORT_IN_USE', 'EADDRINUSE')
      for (const reuseAddr of [true, false]) {
        await assert.rejects(near.peer.multicastPeer({ ...options, reuseAddr }), inUse)
      }
      const { heard } = await other.peer.receiver(options)
      await alone.send('hello')
      const mails = await heard.take(2)
      assert.deepEqual(mails.map(({ remote }) => remote.address).sort(), [
        here.e0.address,
        here.e1.address,
      ])
      await alone.close()
      await alone.told('close')
      const holder = await near.peer.receiver({ group, port, bindAddress: 'any' })
      await assert.rejects(near.peer.multicastPeer({ ...options, reuseAddr: false }), inUse)
      await holder.close()
      await holder.told('close')
      await near.peer.multicastPeer({ ...options, reuseAddr: false })
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer of port 0 has one port for all, and hears no other group of that`,
    needs,
    async ({ near, other }) => {
      const peer = await near.peer.multicastPeer({ group, port: 0, interfaces: both })
      const { port } = await peer.address()
      const facing = await other.peer.multicastPeer({ group, port, interfaces: both })
      const another = await other.peer.multicastPeer({ group: otherGroup, port, interfaces: both })
      await another.send('of another group')
      await peer.send('hello')
      for (const { remote } of await facing.heard.take(2)) assert.equal(remote.port, port)
      assert.deepEqual(texts(await peer.heard.take(2)), ['hello', 'hello'])
    },
  )

  multicastPeer.rule(
    `over ${family}, the ttl of a peer is that of its replies too, where it is given and not 0`,
    [...needs, 'router'],
    async ({ near, far, port }) => {
      const behind = await far.peer.receiver({ group, port, interfaces: 'e0' })
      const remote = { address: ip.far.e0.address, port: port + 1 }
      const asker = await open(far, type, { port: port + 1 })
      for (const [ttl, reaches] of [
        [undefined, [false, true]],
        [0, [false, true]],
        [1, [false, false]],
        [2, [true, true]],
      ] as const) {
        const peer = await near.peer.multicastPeer({ group, port, interfaces: 'e0', ttl })
        await peer.send(`group ${ttl}`)
        await peer.reply(`reply ${ttl}`, remote)
        const end = await open(near, type, { via: here.e0.handle, ttl: 2 })
        await end.send('end', port, group)
        await end.send('end', port + 1, ip.far.e0.address)
        const heard = await behind.heard.until('end')
        assert.deepEqual(heard, reaches[0] ? [`group ${ttl}`, 'end'] : ['end'])
        const replied = await asker.heard.until('end')
        assert.deepEqual(replied, reaches[1] ? [`reply ${ttl}`, 'end'] : ['end'])
        await peer.close()
      }
    },
  )

  multicastPeer.rule(
    `over ${family}, without loopback a peer is heard by others alone`,
    needs,
    async ({ near, other, port }) => {
      const options = { group, port, interfaces: 'e0' }
      const quiet = await near.peer.multicastPeer({ ...options, loopback: false })
      const loud = await near.peer.multicastPeer(options)
      const { heard } = await other.peer.receiver(options)
      await quiet.send('quiet')
      await loud.send('end')
      assert.deepEqual(await heard.until('end'), ['quiet', 'end'])
      for (const peer of [quiet, loud]) assert.deepEqual(await peer.heard.until('end'), ['end'])
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer replies from the port of the group, later too, unless it is closed before`,
    needs,
    async ({ near, other, port }) => {
      const peer = await near.peer.multicastPeer({ group, port, interfaces: 'e0' })
      const sender = await other.peer.sender({ group, port, interfaces: 'e0' })
      await sender.send('question')
      const { remote } = await peer.heard.next()
      assert.equal(remote.address, from(there)[0])
      await peer.reply('at once', remote)
      await peer.reply('later', remote, { within: 20 })
      for (const { text, remote } of await sender.heard.take(2)) {
        assert.deepEqual([remote.address, remote.port], [here.e0.address, port], text)
      }
      const late = assert.rejects(
        peer.reply('late', remote, { within: 2 ** 31 - 1 }),
        failure('ERR_MULTICAST_CLOSED'),
      )
      await peer.close()
      await late
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer that has left its group still sends to it`,
    needs,
    async ({ near, other, port }) => {
      const peer = await near.peer.multicastPeer({ group, port, interfaces: both })
      const facing = await other.peer.multicastPeer({ group, port, interfaces: both })
      await peer.leave()
      await peer.send('left')
      await facing.heard.until('left')
      await peer.join({ interface: 'e1' })
      await facing.send('end')
      assert.deepEqual(await peer.heard.until('end'), ['end'])
      assert.deepEqual(await peer.memberships(), [{ interface: 'e1' }])
    },
  )

  multicastPeer.rule(
    `over ${family}, a peer sends again through an interface that was down or re-created`,
    [...needs, 'interfaces'],
    async ({ near, other, port }) => {
      const control = controls(near)
      const { heard } = await other.peer.receiver({ group, port })
      for (const reuseAddr of [true, false]) {
        const peer = await near.peer.multicastPeer({ group, port, interfaces: 'e1', reuseAddr })
        await control.down('e1')
        await assert.rejects(peer.send('down'), failure('ERR_MULTICAST_SEND', 'ENETUNREACH'))
        await control.up('e1')
        await peer.send('up')
        await control.remove('e1')
        await assert.rejects(peer.send('gone'), (error) => {
          assert.equal((error as NodeJS.ErrnoException).code, 'ERR_MULTICAST_SEND')
          return true
        })
        await control.add('e1')
        await peer.send('end')
        assert.deepEqual(await heard.until('end'), ['up', 'end'])
        await peer.close()
        await peer.told('close')
      }
    },
  )
}

const linkLocal = 'ff02::1:3'
const zoned: Need[] = ['ipv6', 'connected']

multicastPeer.rule(
  'over IPv6, a peer of a link-local group hears and sends on each interface, and tells by which',
  zoned,
  async ({ near, other, port }) => {
    const peer = await near.peer.multicastPeer({ group: linkLocal, port })
    const neighbour = await near.peer.multicastPeer({ group: linkLocal, port, interfaces: both })
    const facing: PeerMulticastPeer[] = []
    for (const name of both) {
      facing.push(await other.peer.multicastPeer({ group: `${linkLocal}%${name}`, port }))
    }
    await peer.send('hello')
    for (const [at, { heard }] of facing.entries()) {
      const { text, remote } = await heard.next()
      assert.deepEqual([text, remote.address, remote.port], ['hello', `fe80::1%e${at}`, port])
      assert.equal(remote.interface, `e${at}`)
    }
    for (const { heard } of [peer, neighbour]) {
      const mails = await heard.take(2)
      const told = mails.map(({ text, remote }) => [text, remote.interface, remote.address])
      assert.deepEqual(
        told.sort(),
        both.map((name) => ['hello', name, `fe80::1%${name}`]),
      )
    }
    for (const [at, one] of facing.entries()) {
      await one.send(`from ${at}`)
      const { text, remote } = await peer.heard.next()
      assert.deepEqual(
        [text, remote.address, remote.interface],
        [`from ${at}`, `fe80::2%e${at}`, `e${at}`],
      )
      assert.equal((await neighbour.heard.next()).text, `from ${at}`)
      // By the interface alone too, as when a remote was kept without its zone.
      const asker = await open(other, 'udp6', { port: port + 1 })
      const bare = { address: 'fe80::2', port: port + 1, interface: `e${at}` }
      await peer.reply('to you', bare)
      const reply = await asker.heard.next()
      assert.deepEqual([reply.text, reply.remote.address], ['to you', `fe80::1%e${at}`])
      await asker.close()
    }
  },
)

multicastPeer.rule(
  'a peer that follows sends and hears through a re-created interface, and through no other',
  [...zoned, 'interfaces'],
  async ({ near, other, port }) => {
    const control = controls(near)
    const groups = [...families.map(({ group }) => group), linkLocal]
    const options = { port, interfaces: both, followInterfaces: true }
    const peers = await Promise.all(
      groups.map((group) => near.peer.multicastPeer({ ...options, group })),
    )
    const facing = await Promise.all(
      groups.map((group) => other.peer.multicastPeer({ port, group, interfaces: 'e1' })),
    )
    await control.remove('e1')
    await until('e1 is given up', async () => {
      const names = await Promise.all(peers.map((peer) => peer.interfaces()))
      return names.every((names) => names.join() === 'e0')
    })
    await Promise.all(peers.map((peer) => peer.send('gone')))
    await control.add('e1')
    await until('e1 is back', async () => {
      const names = await Promise.all(peers.map((peer) => peer.interfaces()))
      const joined = await Promise.all(peers.map((peer) => peer.memberships()))
      return (
        names.every((names) => names.join() === both.join()) &&
        joined.every((memberships) => memberships.length === 2)
      )
    })
    for (const [at, peer] of peers.entries()) {
      await peer.send('back')
      await facing[at]?.send('end')
      assert.deepEqual(await facing[at]?.heard.until('end'), ['back', 'end'])
      assert.deepEqual(texts(await peer.heard.take(4)), ['back', 'back', 'end', 'gone'])
    }
  },
)
