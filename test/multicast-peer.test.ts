import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import type { TestContext } from 'node:test'
import {
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  type PeerOptions,
} from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets } from './told.js'

const port = 10000

/** Plugs the cable of an interface here in, with addresses that end in `own`. */
function plug(lab: Lab, host: Host, at = 0, own = 1): Promise<void> {
  return lab.cable(
    [lab.here, `e${at}`, `10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${own}/64`],
    [host, 'far', `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
  )
}

/** Here with two interfaces, `e0` and `e1`, and a host behind each, whose interface is `far`. */
async function fork(lab: Lab): Promise<[Host, Host]> {
  const hosts: [Host, Host] = [lab.host(), lab.host()]
  await Promise.all(hosts.map((host, at) => plug(lab, host, at)))
  return hosts
}

/** Also where the test fails, so that no port is taken for the next. */
function closeAfter(t: TestContext, ...endpoints: readonly { close(): Promise<void> }[]): void {
  t.after(() => Promise.all(endpoints.map((endpoint) => endpoint.close())))
}

const families = [
  {
    family: 'IPv4',
    type: 'udp4' as const,
    any: '0.0.0.0',
    group: '239.1.2.3',
    far: '239.1.2.3',
    /** Of this host on an interface, as a host behind it sees it, and as this one does. */
    seen: (at: number, own = 1) => `10.0.${at}.${own}`,
    own: (at: number) => `10.0.${at}.1`,
    /** Of the host behind an interface. */
    other: (at: number) => `10.0.${at}.2`,
    handle: (at: number) => `10.0.${at}.1`,
    hearing: 1,
  },
  {
    family: 'IPv6',
    type: 'udp6' as const,
    any: '::',
    group: 'ff05::1:3',
    far: 'ff05::1:3',
    seen: (at: number, own = 1) => `fd0${at}::${own}`,
    own: (at: number) => `fd0${at}::1`,
    other: (at: number) => `fd0${at}::2`,
    handle: (at: number) => `::%e${at}`,
    hearing: 1,
  },
  {
    family: 'link-local IPv6',
    type: 'udp6' as const,
    any: '::',
    group: 'ff02::1:3',
    far: 'ff02::1:3%far',
    seen: (_at: number, own = 1) => `fe80::${own}%far`,
    own: (at: number) => `fe80::1%e${at}`,
    other: (at: number) => `fe80::2%e${at}`,
    handle: (at: number) => `::%e${at}`,
    hearing: 2,
  },
]
const isLinkLocal = (group: string): boolean => group.startsWith('ff02')

/** Closes a socket that may be closed already; resolves when it is gone. */
async function closed(socket: Socket): Promise<void> {
  const gone = once(socket, 'close')
  try {
    socket.close()
  } catch {
    return
  }
  await gone
}

/** A plain socket of node:dgram, bound with SO_REUSEADDR unless told otherwise, closed after the test. */
async function plain(
  t: TestContext,
  type: 'udp4' | 'udp6',
  address: string,
  { joins = [], reuseAddr = true }: { joins?: [string, string][]; reuseAddr?: boolean } = {},
): Promise<Socket> {
  const socket = createSocket({ type, reuseAddr, ipv6Only: type === 'udp6' })
  t.after(() => closed(socket))
  socket.bind(port, address)
  await once(socket, 'listening').catch(async (error) => {
    await closed(socket)
    throw error
  })
  for (const [group, on] of joins) socket.addMembership(group, on)
  return socket
}

for (const { family, group, far, seen, own, other, hearing } of families) {
  scenario(
    `over ${family}, a peer hears and sends on each interface, from the group's port`,
    [],
    async (lab) => {
      const hosts = await fork(lab)
      const others = await Promise.all(hosts.map((host) => host.peer()))
      const heard = await Promise.all(
        others.map((one) => one.receiver({ group: far, port, interfaces: 'far' })),
      )
      const senders = await Promise.all(
        others.map((one) => one.sender({ group: far, port, interfaces: 'far' })),
      )
      for (const interfaces of ['all', ['e0', 'e1'], ['e1', 'e0', 'e1']] as const) {
        const before = openSockets()
        {
          await using peer = new MulticastPeer({ group, port, interfaces })
          const inbox = new Inbox(peer)
          assert.deepEqual([peer.interfaces, peer.memberships], [[], []])
          assert.equal(await peer.send('hello'), 5)
          const names = interfaces === 'all' ? ['e0', 'e1'] : [...new Set(interfaces)]
          assert.deepEqual(peer.interfaces, names)
          // Joined on lo as well, it sends nothing there.
          const joined = interfaces === 'all' ? ['lo', ...names] : names
          assert.deepEqual(
            peer.memberships,
            joined.map((name) => ({ interface: name })),
          )
          const members = isLinkLocal(group) ? joined.length : hearing
          assert.equal(openSockets(), before + members + names.length)
          assert.equal(peer.address().port, port)
          for (const [at, listener] of heard.entries()) {
            const { text, remote } = await listener.heard.next()
            assert.deepEqual([text, remote.address, remote.port], ['hello', seen(at), port])
          }
          // It hears itself, once on each interface.
          const itself = await inbox.take(2)
          const told = itself.map(({ text, remote }) => [text, remote.address, remote.port])
          assert.deepEqual(told.sort(), [
            ['hello', own(0), port],
            ['hello', own(1), port],
          ])
          for (const [at, sender] of senders.entries()) {
            await sender.send(`from ${at}`)
            const { text, remote } = await inbox.next()
            assert.deepEqual([text, remote.address], [`from ${at}`, other(at)])
            assert.equal(remote.interface, isLinkLocal(group) ? `e${at}` : undefined)
            assert.equal(await peer.reply(`to ${at}`, remote), 4)
            const reply = await sender.heard.next()
            assert.deepEqual(
              [reply.text, reply.remote.address, reply.remote.port],
              [`to ${at}`, seen(at), port],
            )
          }
          await peer.send('end')
          assert.deepEqual(
            (await inbox.take(2)).map(({ text }) => text),
            ['end', 'end'],
          )
          for (const listener of heard) assert.equal((await listener.heard.take(2))[1]?.text, 'end')
          assert.deepEqual(peer.stats, {
            ...{ sent: 6, bytesSent: 2 * 5 + 2 * 4 + 2 * 3 },
            ...{ received: 6, bytesReceived: 2 * 5 + 2 * 6 + 2 * 3 },
            ...{ malformed: 0, dropped: 0, failed: 0, unheard: 0 },
          })
        }
        assert.equal(openSockets(), before)
      }
    },
  )
}

/** Sockets whose datagrams are taken as one's. */
function together(sockets: readonly Socket[]): Inbox {
  const heard = new EventEmitter()
  for (const socket of sockets) socket.on('message', (...mail) => heard.emit('message', ...mail))
  return new Inbox(heard)
}

const texts = (mails: readonly { text: string }[]): string[] => mails.map(({ text }) => text).sort()

for (const { family, type, any, group, far, seen, own, handle } of families) {
  const joins = [0, 1].map((at): [string, string] => [group, handle(at)])
  /** A socket that is bound in a zone hears that alone: there is one for each. */
  const groups = isLinkLocal(group) ? [`${group}%e0`, `${group}%e1`] : [group]

  scenario(
    `over ${family}, peers, receivers, senders and foreign sockets hear all once for each interface`,
    [],
    async (lab, t) => {
      const hosts = await fork(lab)
      const [elsewhere, behind] = [await lab.here.peer(), await hosts[0].peer()]
      const options = { group, port, interfaces: ['e0', 'e1'] }
      const heard = new Map<string, Inbox>()
      const speaking = new Map<string, { send(message: string): Promise<unknown> }>()
      const peer = async (name: string, more: Partial<PeerOptions> = {}): Promise<void> => {
        const peer = new MulticastPeer({ ...options, ...more })
        closeAfter(t, peer)
        heard.set(name, new Inbox(peer))
        speaking.set(name, await peer.ready())
      }
      await peer('the first peer')
      heard.set('a socket of any address', new Inbox(await plain(t, type, any, { joins })))
      const receiver = new MulticastReceiver(options)
      closeAfter(t, receiver)
      heard.set('a receiver', new Inbox(await receiver.ready()))
      await peer('the second peer', { interfaces: 'all' })
      const sockets = groups.map((address) => plain(t, type, address, { joins }))
      heard.set('sockets of the group', together(await Promise.all(sockets)))
      await peer('a peer of any address', { bindAddress: 'any' })
      for (const name of ['a peer of another process', 'a second one']) {
        const peer = await elsewhere.multicastPeer(options)
        heard.set(name, peer.heard)
        speaking.set(name, peer)
      }
      heard.set('a receiver of another process', (await elsewhere.receiver(options)).heard)
      const sender = new MulticastSender(options)
      closeAfter(t, sender)
      speaking.set('a sender', sender)
      const there = [
        await behind.multicastPeer({ group: far, port, interfaces: 'far' }),
        await behind.multicastPeer({ group: far, port, interfaces: 'far' }),
      ]

      for (const [name, one] of speaking) await one.send(name)
      await there[0]?.send('from behind e0')
      const once = [...speaking.keys(), 'from behind e0'].sort()
      const all = [...speaking.keys(), ...once].sort()
      for (const [name, inbox] of heard) {
        assert.deepEqual(texts(await inbox.take(all.length)), all, name)
      }
      for (const { heard } of there) assert.deepEqual(texts(await heard.take(once.length)), once)
      // Whatever was delivered again has come before that.
      await sender.send('end')
      for (const [name, inbox] of heard) {
        assert.deepEqual(texts(await inbox.take(2)), ['end', 'end'], name)
        assert.equal(inbox.size, 0, name)
      }
      for (const { heard } of there) assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  scenario(
    `over ${family}, a peer leaves its unicast to a program that has the port of every address`,
    [],
    async (lab, t) => {
      const [host] = await fork(lab)
      const behind = await host.peer()
      const caller = await behind.sender({ group: far, port, interfaces: 'far' })
      const asker = await behind.socket({ type })
      await asker.bind()
      for (const [order, interfaces] of [
        ['before', ['e0', 'e1']],
        ['after', ['e0', 'e1']],
        ['after', [own(0), own(1)]],
      ] as const) {
        const options = { group, port, interfaces }
        const early = order === 'before' ? await plain(t, type, any, { joins }) : undefined
        await using peer = await new MulticastPeer(options).ready()
        const holder = early ?? (await plain(t, type, any, { joins }))
        const [heard, held] = [new Inbox(peer), new Inbox(holder)]
        await caller.send('to the group')
        assert.equal((await held.next()).text, 'to the group')
        await peer.send('of the peer')
        assert.deepEqual(texts(await held.take(2)), ['of the peer', 'of the peer'], order)
        await asker.send('to the host', port, seen(0))
        await asker.send('end', port, seen(0))
        assert.deepEqual(await held.until('end'), ['to the host', 'end'], order)
        await caller.send('end')
        assert.deepEqual(
          await heard.until('end'),
          ['to the group', 'of the peer', 'of the peer', 'end'],
          order,
        )
        await closed(holder)
      }
    },
  )

  scenario(`over ${family}, a port that is not shared is in use`, [], async (lab, t) => {
    await fork(lab)
    const options = { group, port, interfaces: ['e0', 'e1'] }
    const before = openSockets()
    const inUse = { code: 'ERR_MULTICAST_PORT_IN_USE', message: /reuseAddr, SO_REUSEADDR/ }
    const refused = async (more: Partial<PeerOptions>): Promise<void> => {
      const now = openSockets()
      const peer = new MulticastPeer({ ...options, ...more })
      const told = once(peer, 'error')
      // Not `once`, which an error would reject.
      const gone = new Promise<void>((resolve) => peer.once('close', resolve))
      await assert.rejects(peer.send('x'), inUse)
      assert.equal((await told)[0].code, 'ERR_MULTICAST_PORT_IN_USE')
      await gone
      assert.equal(openSockets(), now)
    }
    const exclusive = await plain(t, type, any, { reuseAddr: false })
    await refused({})
    await refused({ reuseAddr: false })
    await closed(exclusive)
    for (const address of [any, ...groups]) {
      const holder = await plain(t, type, address)
      await refused({ reuseAddr: false })
      await closed(holder)
    }

    // By itself it sends from the addresses of its interfaces.
    const peer = new MulticastPeer({ ...options, reuseAddr: false })
    closeAfter(t, peer)
    const heard = new Inbox(await peer.ready())
    await refused({})
    await assert.rejects(plain(t, type, any), { code: 'EADDRINUSE' })
    await peer.send('hello')
    assert.deepEqual(texts(await heard.take(2)), ['hello', 'hello'])
    await peer.close()
    assert.equal(openSockets(), before)
  })
}

for (const { family, group, far, other } of families) {
  scenario(
    `over ${family}, a reply carries the ttl that a peer is given, and else the system's`,
    ['python3'],
    async (lab) => {
      const [host] = await fork(lab)
      const cases = [
        { ttl: undefined, sent: [1], replied: 64 },
        { ttl: 0, sent: [], replied: 64 },
        { ttl: 1, sent: [1], replied: 1 },
        { ttl: 5, sent: [5], replied: 5 },
        { ttl: 255, sent: [255], replied: 255 },
      ]
      const expected = cases.flatMap(({ sent, replied }) => [...sent, replied])
      const [bare] = far.split('%')
      const count = expected.length + 1
      const program = host.python<{ hops: number }>(
        'hops',
        bare ?? '',
        port,
        'far',
        '--count',
        count,
      )
      await program.next()
      const to = { address: other(0), port }
      for (const { ttl } of cases) {
        await using peer = new MulticastPeer({ group, port, interfaces: 'e0', ttl })
        await peer.send('to the group')
        await peer.reply('to one', to)
      }
      await using receiver = new MulticastReceiver({ group, port, interfaces: 'e0' })
      await receiver.ready()
      await receiver.reply('to one', to)
      const hops = (await program.rest()).map(({ hops }) => hops)
      assert.deepEqual(hops, [...expected, 64])
    },
  )

  scenario(
    `over ${family}, without loopback others hear a peer, and this host does not`,
    [],
    async (lab) => {
      const [host] = await fork(lab)
      const behind = await host.peer()
      const there = await behind.multicastPeer({ group: far, port, interfaces: 'far' })
      const options = { group, port, interfaces: 'e0' }
      await using quiet = new MulticastPeer({ ...options, loopback: false })
      await using loud = new MulticastPeer(options)
      const heard = [quiet, loud].map((peer) => new Inbox(peer))
      await Promise.all([quiet.ready(), loud.ready()])
      await quiet.send('quiet')
      await loud.send('loud')
      assert.deepEqual(await there.heard.until('loud'), ['quiet', 'loud'])
      for (const inbox of heard) assert.deepEqual(await inbox.until('loud'), ['loud'])
    },
  )

  scenario(
    `over ${family}, a peer of certain sources hears these alone, and not itself`,
    [],
    async (lab) => {
      const hosts = await fork(lab)
      const [one, two] = await Promise.all(
        hosts.map(async (host) => {
          const behind = await host.peer()
          return behind.multicastPeer({ group: far, port, interfaces: 'far' })
        }),
      )
      const interfaces = isLinkLocal(group) ? ['e0'] : ['e0', 'e1']
      const sources = [other(0).replace(/%.*/, '')]
      await using peer = new MulticastPeer({ group, port, interfaces, sources })
      await using neighbour = new MulticastPeer({ group, port, interfaces: ['e0', 'e1'] })
      const heard = [peer, neighbour].map((peer) => new Inbox(peer))
      await Promise.all([peer.ready(), neighbour.ready()])
      await peer.send('itself')
      await two?.send('another')
      await heard[1]?.until('another')
      await one?.send('asked for')
      assert.deepEqual(await heard[0]?.until('asked for'), ['asked for'])
      assert.deepEqual(
        peer.memberships,
        interfaces.map((name) => ({ interface: name, source: other(0).replace(/%.*/, '') })),
      )
    },
  )
}

scenario(
  'over IPv6 a peer cannot send through the loopback interface, and is told so',
  [],
  async () => {
    for (const group of ['ff05::1:3', 'ff02::1:3', 'ff02::1:3%lo']) {
      const peer = new MulticastPeer({ group, port, interfaces: 'lo' })
      await assert.rejects(peer.ready(), {
        code: 'ERR_MULTICAST_SOCKET',
        message:
          /^The system refused to send through lo, '::%lo': connect ENETUNREACH .*does not work on the loopback interface\)$/,
      })
      // One that follows waits for a way, and hears meanwhile.
      await using waiting = new MulticastPeer({
        group,
        port,
        interfaces: 'lo',
        followInterfaces: true,
      })
      await waiting.ready()
      assert.deepEqual([waiting.interfaces, waiting.memberships], [[], [{ interface: 'lo' }]])
      await assert.rejects(waiting.send('x'), { code: 'ERR_MULTICAST_SEND' })
    }
  },
)

scenario('an address that is given is what a peer sends from', [], async (lab) => {
  const host = lab.host()
  await lab.cable(
    [
      ...[lab.here, 'e0', '10.7.0.1/24', '10.7.0.50/24'],
      ...['fd01::1/64', 'fd01::50/64', 'fe80::1/64', 'fe80::50/64'],
    ] as Parameters<typeof lab.cable>[0],
    [host, 'far', '10.7.0.2/24', 'fd01::2/64', 'fe80::2/64'],
  )
  const behind = await host.peer()
  for (const [group, far, interfaces, seen] of [
    ['239.1.2.3', '239.1.2.3', '10.7.0.1', '10.7.0.1'],
    ['239.1.2.3', '239.1.2.3', '10.7.0.50', '10.7.0.50'],
    ['ff05::1:3', 'ff05::1:3', 'fd01::1', 'fd01::1'],
    ['ff05::1:3', 'ff05::1:3', 'FD01:0::50', 'fd01::50'],
    ['ff02::1:3', 'ff02::1:3%far', 'fe80::1', 'fe80::1%far'],
    ['ff02::1:3', 'ff02::1:3%far', 'fe80::50%e0', 'fe80::50%far'],
  ] as const) {
    for (const followInterfaces of [false, true]) {
      const { heard } = await behind.receiver({ group: far, port, interfaces: 'far' })
      await using peer = new MulticastPeer({ group, port, interfaces, followInterfaces })
      await peer.send('hello')
      const { remote } = await heard.next()
      assert.deepEqual([remote.address, remote.port], [seen, port], interfaces)
    }
  }
})
