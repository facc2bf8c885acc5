/** What the rules make of senders and receivers. */
import assert from 'node:assert/strict'
import { Chapter, open, type Stage } from './chapter.js'
import { families, type Need } from './network.js'

export const endpoint = new Chapter('endpoint')

/** Checks a `MulticastError`'s code, and that of its cause. */
export function failure(code: string, cause?: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof Error)
    const { name, cause: system, ...rest } = error as NodeJS.ErrnoException
    assert.deepEqual([name, rest.code], ['MulticastError', code], error.message)
    assert.equal((system as NodeJS.ErrnoException | undefined)?.code, cause)
    return true
  }
}

const patient = { limit: 1, timeout: 10_000 }

for (const ip of families) {
  const { family, type, needs, group, otherGroup, near: here, other: there } = ip
  const isIPv4 = family === 'IPv4'

  endpoint.rule(
    `over ${family}, a request is heard on each interface, and its reply comes from the port`,
    needs,
    async ({ near, other, port }) => {
      const receiver = await near.peer.receiver({ group, port }, 'heard: ')
      const all = ['lo', 'e0', 'e1'].map((name) => ({ interface: name }))
      assert.deepEqual(await receiver.memberships(), all)
      for (const { name } of [here.e0, here.e1]) {
        const sender = await other.peer.sender({ group, port, interfaces: name })
        assert.deepEqual(await sender.request(`on ${name}`, patient), [`heard: on ${name}`])
        const { remote } = await sender.heard.next()
        assert.deepEqual([remote.address, remote.port], [here[name as 'e0'].address, port])
      }
      const { received, sent, dropped } = await receiver.stats()
      assert.deepEqual([received, sent, dropped], [2, 2, 0])
    },
  )

  endpoint.rule(
    `over ${family}, a receiver does not hear another group that its host has joined`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await near.peer.receiver({ group, port })
      const neighbour = await near.peer.receiver({ group: otherGroup, port })
      const options = { port, interfaces: 'e0' }
      const one = await other.peer.sender({ ...options, group })
      const two = await other.peer.sender({ ...options, group: otherGroup })
      await two.send('other')
      await one.send('end')
      await two.send('end')
      assert.deepEqual(await heard.until('end'), ['end'])
      assert.deepEqual(await neighbour.heard.until('end'), ['other', 'end'])
    },
  )

  endpoint.rule(
    `over ${family}, an interface is left and joined again, by its name or an address`,
    [...needs, 'arrival'],
    async ({ near, other, port }) => {
      const interfaces = ['e0', here.e1.address]
      const receiver = await near.peer.receiver({ group, port, interfaces })
      const joined = [{ interface: 'e0' }, { interface: 'e1' }]
      assert.deepEqual(await receiver.memberships(), joined)
      const on0 = await other.peer.sender({ group, port, interfaces: 'e0' })
      const on1 = await other.peer.sender({ group, port, interfaces: there.e1.address })
      await receiver.leave({ interface: here.e0.address })
      await on0.send('left')
      await on1.send('on e1')
      assert.deepEqual(await receiver.heard.until('on e1'), ['on e1'])
      await receiver.join({ interface: 'e0' })
      await receiver.join({ interface: 'e0' })
      await on0.send('end')
      assert.deepEqual(await receiver.heard.until('end'), ['end'])
      await assert.rejects(receiver.leave({ interface: 'lo' }), failure('ERR_MULTICAST_LEAVE'))
    },
  )

  // Over IPv4 the kernel lets foreign sources through where a neighbour has joined: the receiver
  // drops and counts them.
  endpoint.rule(
    `over ${family}, only the sources that are asked for are heard, also beside a neighbour`,
    [...needs, 'arrival'],
    async ({ near, other, port }) => {
      const interfaces = ['e0']
      const sources = [there.e0.address]
      const receiver = await near.peer.receiver({ group, port, interfaces, sources })
      await open(near, type, {
        join: [
          [group, here.e0.handle],
          [group, here.e1.handle],
        ],
      })
      for (const [name, localAddress] of [
        ['e0', there.e0.second],
        ['e1', there.e1.address],
      ] as const) {
        const foreign = await other.peer.sender({ group, port, interfaces: name, localAddress })
        await foreign.send('foreign')
      }
      const localAddress = there.e0.address
      const sender = await other.peer.sender({ group, port, interfaces: 'e0', localAddress })
      await sender.send('wanted')
      assert.deepEqual(await receiver.heard.until('wanted'), ['wanted'])
      const { received, dropped } = await receiver.stats()
      assert.deepEqual([received, dropped], [1, isIPv4 ? 1 : 0])
      await receiver.join({ interface: 'e0', source: there.e0.second })
      await receiver.leave({ source: there.e0.address })
      await sender.send('not wanted any more')
      const second = await other.peer.sender({
        group,
        port,
        interfaces: 'e0',
        localAddress: there.e0.second,
      })
      await second.send('end')
      assert.deepEqual(await receiver.heard.until('end'), ['end'])
    },
  )

  endpoint.rule(
    `over ${family}, after its last leave a receiver hears nothing, whatever others have joined`,
    needs,
    async ({ near, other, port }) => {
      const receiver = await near.peer.receiver({ group, port })
      const neighbour = await near.peer.receiver({ group, port })
      await receiver.leave()
      assert.deepEqual(await receiver.memberships(), [])
      const sender = await other.peer.sender({ group, port, interfaces: 'e0' })
      await sender.send('left')
      // What is dropped has no event: a second receiver of the port tells that it has come.
      assert.equal((await neighbour.heard.next()).text, 'left')
      for (let asked = 0; (await receiver.stats()).dropped === 0; asked += 1) {
        assert.ok(asked < 1000, 'it was delivered to the receiver too, and not counted')
        await new Promise((resolve) => setImmediate(resolve))
      }
      await receiver.join()
      await sender.send('end')
      assert.deepEqual(await receiver.heard.until('end'), ['end'])
    },
  )

  endpoint.rule(
    `over ${family}, too many sources are refused, and none is joined`,
    [...needs, 'limits'],
    async ({ near, port }) => {
      const most = isIPv4 ? 10 : 64
      const sources = Array.from({ length: most + 1 }, (_, at) =>
        isIPv4 ? `10.9.0.${at + 1}` : `fd09::${at + 1}`,
      )
      const options = { group, port, interfaces: ['e0'] }
      await assert.rejects(
        near.peer.receiver({ ...options, sources }),
        failure('ERR_MULTICAST_MEMBERSHIP_LIMIT', 'ENOBUFS'),
      )
      const receiver = await near.peer.receiver({ ...options, sources: sources.slice(1) })
      await assert.rejects(
        receiver.join({ interface: 'e0', source: `${sources[0]}` }),
        failure('ERR_MULTICAST_MEMBERSHIP_LIMIT', 'ENOBUFS'),
      )
      assert.equal((await receiver.memberships()).length, most)
    },
  )

  endpoint.rule(
    `over ${family}, a port that is not shared is in use`,
    needs,
    async ({ near, port }) => {
      await near.peer.receiver({ group, port, reuseAddr: false })
      for (const options of [
        { group, port },
        { group, port, bindAddress: 'any' },
      ]) {
        await assert.rejects(
          near.peer.receiver(options),
          failure('ERR_MULTICAST_PORT_IN_USE', 'EADDRINUSE'),
        )
      }
      await near.peer.receiver({ group: otherGroup, port })
      await near.peer.sender({ group, port, localPort: port + 1 })
      await assert.rejects(
        near.peer.sender({ group, port, localPort: port + 1 }),
        failure('ERR_MULTICAST_PORT_IN_USE', 'EADDRINUSE'),
      )
      await assert.rejects(
        near.peer.receiver({ group, port, bindAddress: there.e0.address }),
        failure('ERR_MULTICAST_BIND', 'EADDRNOTAVAIL'),
      )
    },
  )

  endpoint.rule(
    `over ${family}, a message that is too large is refused, the largest is heard`,
    [...needs, 'full-size'],
    async ({ near, port }) => {
      const largest = isIPv4 ? 65_507 : 65_527
      const { heard } = await near.peer.receiver({ group, port, interfaces: ['e0'] })
      const sender = await near.peer.sender({ group, port, interfaces: 'e0' })
      assert.equal(await sender.send(new Uint8Array(largest)), largest)
      assert.equal((await heard.next()).data.length, largest)
      await assert.rejects(sender.send(new Uint8Array(largest + 1)), (error) => {
        assert.equal((error as NodeJS.ErrnoException).code, 'ERR_MULTICAST_MESSAGE_SIZE')
        return true
      })
      assert.equal(await sender.send(''), 0)
      assert.equal((await heard.next()).data.length, 0)
    },
  )

  endpoint.rule(
    `over ${family}, an interface that is not there is refused`,
    needs,
    async ({ near, port }) => {
      const unknown = failure('ERR_MULTICAST_INTERFACE')
      await assert.rejects(near.peer.receiver({ group, port, interfaces: ['e7'] }), unknown)
      await assert.rejects(near.peer.sender({ group, port, interfaces: 'e7' }), unknown)
      await assert.rejects(near.peer.sender({ group, port, interfaces: there.e0.address }), unknown)
      const receiver = await near.peer.receiver({ group, port })
      await assert.rejects(receiver.join({ interface: 'e7' }), unknown)
    },
  )

  endpoint.rule(
    `over ${family}, the options loopback and ttl are set in the kernel`,
    [...needs, 'router'],
    async (stage) => {
      const { near, port } = stage
      const hosts = ['near', 'other', 'far'] as const
      const receivers = []
      for (const host of hosts) {
        receivers.push(await stage[host].peer.receiver({ group, port, interfaces: ['e0'] }))
      }
      const options = { group, port, interfaces: 'e0' }
      for (const [text, settings] of [
        ['default', {}],
        ['quiet', { loopback: false }],
        ['0', { ttl: 0 }],
        ['2', { ttl: 2 }],
        ['quiet 2', { ttl: 2, loopback: false }],
        ['end', { ttl: 3 }],
      ] as const) {
        await (await near.peer.sender({ ...options, ...settings })).send(text)
      }
      const heard = await Promise.all(receivers.map(({ heard }) => heard.until('end')))
      assert.deepEqual(heard, [
        ['default', '0', '2', 'end'],
        ['default', 'quiet', '2', 'quiet 2', 'end'],
        ['2', 'quiet 2', 'end'],
      ])
    },
  )

  endpoint.rule(
    `over ${family}, a request through the router is replied to through it`,
    [...needs, 'router'],
    async ({ near, far, port }) => {
      await far.peer.receiver({ group, port }, 'from afar: ')
      const sender = await near.peer.sender({ group, port, interfaces: 'e0', ttl: 2 })
      assert.deepEqual(await sender.request('hello', patient), ['from afar: hello'])
      const { remote } = await sender.heard.next()
      assert.deepEqual([remote.address, remote.port], [ip.far.e0.address, port])
    },
  )

  endpoint.rule(
    `over ${family}, without an interface a sender's goes to that of the route, 'default' is it too`,
    needs,
    async ({ near, other, port }) => {
      const receiver = await near.peer.receiver({ group, port, interfaces: 'default' })
      assert.deepEqual(await receiver.memberships(), [{ interface: 'default' }])
      const on1 = await other.peer.sender({ group, port, interfaces: 'e1' })
      const onRoute = await other.peer.sender({ group, port })
      await on1.send('on e1')
      await onRoute.send('end')
      assert.deepEqual(await receiver.heard.until('end'), ['end'])
      await receiver.leave({ interface: 'default' })
      assert.deepEqual(await receiver.memberships(), [])
    },
  )

  endpoint.rule(
    `over ${family}, only a receiver bound to more than the group hears unicast`,
    needs,
    async ({ near, other, port }) => {
      const bound = await near.peer.receiver({ group, port })
      const any = await near.peer.receiver({ group, port, bindAddress: 'any' })
      const speaker = await open(other, type, { via: there.e0.handle })
      await speaker.send('unicast', port, here.e0.address)
      await speaker.send('end', port, group)
      assert.deepEqual(await any.heard.until('end'), ['unicast', 'end'])
      assert.deepEqual(await bound.heard.until('end'), ['end'])
    },
  )

  endpoint.rule(
    `over ${family}, a sender hears replies to its own port and address alone`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await other.peer.receiver({ group, port })
      const localAddress = here.e0.address
      const options = { group, port, interfaces: 'e0', localAddress, localPort: port + 1 }
      const sender = await near.peer.sender(options)
      assert.deepEqual(await sender.address(), { address: localAddress, family, port: port + 1 })
      await sender.send('hello')
      const { remote } = await heard.next()
      assert.deepEqual([remote.address, remote.port], [localAddress, port + 1])
      const replier = await open(other, type)
      await replier.send('elsewhere', port + 1, here.e1.address)
      await replier.send('end', port + 1, localAddress)
      assert.deepEqual(await sender.heard.until('end'), ['end'])
    },
  )

  endpoint.rule(
    `over ${family}, silence is reported once, and ends a request`,
    needs,
    async ({ near, port }) => {
      const receiver = await near.peer.receiver({ group, port, timeout: 20 })
      await receiver.told('timeout')
      const sender = await near.peer.sender({ group, port, interfaces: 'e0', timeout: 20 })
      await sender.send('hello')
      assert.equal((await receiver.heard.next()).text, 'hello')
      await sender.told('timeout')
      assert.equal(sender.count('timeout'), 1)
      assert.deepEqual(await sender.request('nobody replies', {}), [])
    },
  )

  endpoint.rule(
    `over ${family}, what is closed sends nothing more, and its port is free`,
    needs,
    async ({ near, other, port }) => {
      const receiver = await near.peer.receiver({ group, port, reuseAddr: false })
      const sender = await other.peer.sender({ group, port, interfaces: 'e0' })
      for (const closing of [receiver, sender]) {
        await closing.close()
        await closing.told('close')
      }
      await assert.rejects(sender.send('late'), failure('ERR_MULTICAST_CLOSED'))
      await assert.rejects(receiver.join(), failure('ERR_MULTICAST_CLOSED'))
      await near.peer.receiver({ group, port, reuseAddr: false })
    },
  )

  endpoint.rule(
    `over ${family}, without a route a send fails, and goes again when the interface is up`,
    [...needs, 'interfaces'],
    async ({ near, other, port }) => {
      const { heard } = await other.peer.receiver({ group, port })
      const sender = await near.peer.sender({ group, port, interfaces: 'e1' })
      await near.interfaces?.down('e1')
      await assert.rejects(sender.send('down'), failure('ERR_MULTICAST_SEND', 'ENETUNREACH'))
      await near.interfaces?.up('e1')
      await sender.send('end')
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  endpoint.rule(
    `over ${family}, join() renews what a removed and recreated interface took away`,
    [...needs, 'interfaces'],
    async ({ near, other, port }) => {
      for (const sources of [undefined, [there.e1.address, there.e0.address]]) {
        const options = { group, port, sources, followInterfaces: false }
        const receiver = await near.peer.receiver(options)
        const joined = await receiver.memberships()
        const [on0, on1] = await Promise.all(
          [there.e0, there.e1].map(({ name, address }) =>
            other.peer.sender({ group, port, interfaces: name, localAddress: address }),
          ),
        )
        await near.interfaces?.remove('e1')
        await near.interfaces?.add('e1')
        await on1?.send('lost')
        await on0?.send('end')
        assert.deepEqual(await receiver.heard.until('end'), ['end'])
        await receiver.join()
        assert.deepEqual(await receiver.memberships(), joined)
        await on1?.send('renewed')
        assert.deepEqual(await receiver.heard.until('renewed'), ['renewed'])
        await receiver.close()
      }
    },
  )
}

const linkLocal = 'ff02::1:3'
const ipv6: Need[] = ['ipv6']

endpoint.rule(
  'a link-local group without a zone is heard and replied to on each interface',
  ipv6,
  async ({ near, other, port }) => {
    const receiver = await near.peer.receiver({ group: linkLocal, port }, 'heard: ')
    const all = ['lo', 'e0', 'e1'].map((name) => ({ interface: name }))
    assert.deepEqual(await receiver.memberships(), all)
    for (const name of ['e0', 'e1']) {
      const sender = await other.peer.sender({ group: `${linkLocal}%${name}`, port })
      assert.deepEqual(await sender.request(`on ${name}`, patient), [`heard: on ${name}`])
      assert.equal((await sender.heard.next()).remote.address, `fe80::1%${name}`)
      assert.equal((await receiver.heard.next()).remote.address, `fe80::2%${name}`)
    }
    await receiver.leave({ interface: 'e0' })
    const [on0, on1] = await Promise.all(
      ['e0', 'e1'].map((name) => other.peer.sender({ group: `${linkLocal}%${name}`, port })),
    )
    await on0?.send('left')
    await on1?.send('end')
    assert.deepEqual(await receiver.heard.until('end'), ['end'])
  },
)

endpoint.rule(
  'a link-local group with a zone is heard there alone',
  ipv6,
  async ({ near, other, port }) => {
    const { heard } = await near.peer.receiver({ group: `${linkLocal}%e0`, port })
    await near.peer.receiver({ group: linkLocal, port })
    const [on0, on1] = await Promise.all(
      ['e0', 'e1'].map((name) => other.peer.sender({ group: `${linkLocal}%${name}`, port })),
    )
    await on1?.send('on e1')
    await on0?.send('end')
    assert.deepEqual(await heard.until('end'), ['end'])
  },
)

endpoint.rule('over IPv6 nothing can be sent through lo', ipv6, async ({ near, port }: Stage) => {
  const sender = await near.peer.sender({ group: 'ff05::1:3', port, interfaces: 'lo' })
  await assert.rejects(sender.send('x'), failure('ERR_MULTICAST_SEND', 'ENETUNREACH'))
})
