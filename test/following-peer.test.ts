/** Peers while interfaces come, go, change address and are made anew. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastPeer, type PeerOptions } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import type { PeerReceiver, PeerSender } from '../src/testing/conformance/peer.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets } from './told.js'
import { BOUND, until } from './until.js'

const port = 10000

const families = [
  { family: 'IPv4', group: '239.1.2.3', far: '239.1.2.3', seen: (own: number) => `10.0.0.${own}` },
  { family: 'IPv6', group: 'ff05::1:3', far: 'ff05::1:3', seen: (own: number) => `fd00::${own}` },
  {
    family: 'link-local IPv6',
    group: 'ff02::1:3',
    far: 'ff02::1:3%far',
    seen: (own: number) => `fe80::${own}%far`,
  },
]

/** Plugs the cable of an interface here in, with addresses that end in `own`. */
function plug(lab: Lab, host: Host, at = 0, own = 1): Promise<void> {
  return lab.cable(
    [lab.here, `e${at}`, `10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${own}/64`],
    [host, at === 0 ? 'far' : `far${at}`, `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
  )
}

function readdress(lab: Lab, before: number, after: number): void {
  lab.here.ip(
    ...[`10.0.0.${before}/24`, `fd00::${before}/64`, `fe80::${before}/64`].map(
      (address) => `addr del ${address} dev e0`,
    ),
    `addr add 10.0.0.${after}/24 dev e0`,
    `addr add fd00::${after}/64 dev e0 nodad`,
    `addr add fe80::${after}/64 dev e0 nodad`,
  )
}

/** Also where the test fails, so that no port is taken for the next. */
function closeAfter(t: TestContext, peers: readonly MulticastPeer[]): void {
  t.after(() => Promise.all(peers.map((peer) => peer.close())))
}

let programs = 0

/** What is on the other side of the interface now: the far ends go with it. */
async function behind(host: Host, far: string): Promise<[PeerReceiver, PeerSender]> {
  programs += 1
  const peer = await host.peer()
  const options = { group: far, port, interfaces: 'far' }
  return [await peer.receiver(options), await peer.sender(options)]
}

const unreachable = (error: unknown): true => {
  const { code, cause } = error as Error & { code?: string; cause?: { code?: string } }
  assert.deepEqual([code, cause?.code], ['ERR_MULTICAST_SEND', 'ENETUNREACH'])
  return true
}

/** One peer of a group, and all that it has sent and heard. */
class Subject {
  readonly peer: MulticastPeer
  readonly heard: Inbox
  readonly #family: (typeof families)[number]
  #sent = 0

  constructor(family: (typeof families)[number], options: Partial<PeerOptions>) {
    this.#family = family
    this.peer = new MulticastPeer({ group: family.group, port, followInterfaces: true, ...options })
    this.heard = new Inbox(this.peer)
  }

  async isNowhere(): Promise<void> {
    await until('nothing is sent through', () => this.peer.interfaces.length === 0)
    await assert.rejects(this.peer.send('nowhere'), unreachable)
  }

  /** Sends until that comes from the address, and then hears what comes from there, once. */
  async isThere(host: Host, own: number): Promise<void> {
    const { family, far, seen } = this.#family
    const [receiver, sender] = await behind(host, far)
    const { heard } = receiver
    let from: string | undefined
    for (const end = Date.now() + BOUND; from !== seen(own); await delay(50)) {
      assert.ok(Date.now() < end, `over ${family} it comes from ${from}, not from ${seen(own)}`)
      this.#sent += 1
      await this.peer.send(`probe ${this.#sent}`).catch(unreachable)
      from = (await heard.take(heard.size)).at(-1)?.remote.address ?? from
    }
    // What was joined before is still listed until the next look.
    const told: string[] = []
    for (const end = Date.now() + BOUND; !told.some((text) => text.startsWith('end')); ) {
      assert.ok(Date.now() < end, `over ${family} nothing is heard from behind e0`)
      this.#sent += 1
      await sender.send(`end ${this.#sent}`)
      await delay(50)
      told.push(...(await this.heard.take(this.heard.size)).map(({ text }) => text))
    }
    assert.deepEqual([...new Set(told)], told, `over ${family} it has heard something twice`)
    assert.deepEqual(this.peer.interfaces, ['e0'])
  }
}

scenario(
  'a peer sends and hears through what appears, changes address, is made anew and goes',
  [],
  async (lab, t) => {
    const host = lab.host()
    const before = openSockets() - programs
    const subjects = families.map((family) => new Subject(family, { interfaces: 'e0' }))
    // What there is of 'all' is lo at first, through which IPv6 sends nothing.
    const all = new Subject(families[0] as (typeof families)[number], {
      interfaces: 'all',
      group: '239.1.2.4',
    })
    closeAfter(
      t,
      [...subjects, all].map(({ peer }) => peer),
    )
    for (const { peer } of [...subjects, all]) await peer.ready()
    assert.deepEqual(all.peer.interfaces, ['lo'])
    for (const subject of subjects) {
      await subject.isNowhere()
      assert.throws(() => subject.peer.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
    }

    const changes: [own: number, change: () => unknown][] = [
      [1, () => plug(lab, host)],
      [7, () => readdress(lab, 1, 7)],
      [8, () => readdress(lab, 7, 8)],
      [
        8,
        () => {
          lab.here.unplug('e0')
          return plug(lab, host, 0, 8)
        },
      ],
      [
        9,
        () => {
          lab.here.unplug('e0')
          return plug(lab, host, 0, 9)
        },
      ],
    ]
    for (const [own, change] of changes) {
      await change()
      await Promise.all(subjects.map((subject) => subject.isThere(host, own)))
      await until("'all' sends through e0", () => all.peer.interfaces.join() === 'e0')
    }
    lab.here.unplug('e0')
    await Promise.all(subjects.map((subject) => subject.isNowhere()))
    await until("'all' is lo again", () => all.peer.interfaces.join() === 'lo')
    await plug(lab, host)
    await Promise.all(subjects.map((subject) => subject.isThere(host, 1)))

    for (const { peer } of [...subjects, all]) await peer.close()
    // Each program of another host has one, for the orders that it takes.
    assert.equal(openSockets(), before + programs)
  },
  180_000,
)

scenario('a peer of port 0 has one port for all when an interface appears', [], async (lab, t) => {
  const host = lab.host()
  const options = { port: 0, interfaces: ['e0', 'e1'], followInterfaces: true }
  const peers = families.map(({ group }) => new MulticastPeer({ ...options, group }))
  closeAfter(t, peers)
  for (const peer of peers) await peer.ready()
  await Promise.all([plug(lab, host), plug(lab, host, 1)])
  for (const peer of peers) {
    const heard = new Inbox(peer)
    await until('both are sent through', () => peer.interfaces.length === 2)
    await until('both are joined', () => peer.memberships.length === 2)
    await peer.send('hello')
    const { port } = peer.address()
    for (const { text, remote } of await heard.take(2)) {
      assert.deepEqual([text, remote.port], ['hello', port])
    }
    await peer.close()
  }
})

scenario('a peer goes on through an interface while another is away', [], async (lab, t) => {
  const hosts = [lab.host(), lab.host()] as const
  await Promise.all(hosts.map((host, at) => plug(lab, host, at)))
  const options = { port, interfaces: ['e0', 'e1'] }
  const peers = families.flatMap(({ group }) => [
    new MulticastPeer({ ...options, group, followInterfaces: true }),
    new MulticastPeer({ ...options, group }),
  ])
  closeAfter(t, peers)
  const heard = peers.map((peer) => new Inbox(peer))
  for (const peer of peers) {
    await peer.ready()
    assert.deepEqual(peer.interfaces, ['e0', 'e1'])
  }
  lab.here.unplug('e0')
  for (const [at, peer] of peers.entries()) {
    assert.equal(await peer.send(`while away ${at}`), 12)
    const isFollowing = at % 2 === 0
    if (isFollowing) await until('e0 is gone', () => peer.interfaces.join() === 'e1')
    else assert.deepEqual(peer.interfaces, ['e0', 'e1'])
    // Two peers hear it, each by the one interface that is left.
    const same = heard.slice(at - (at % 2), at - (at % 2) + 2)
    for (const inbox of same) assert.equal((await inbox.next()).text, `while away ${at}`)
  }
  lab.here.unplug('e1')
  await Promise.all(
    peers.map(async (peer, at) => {
      if (at % 2 === 0) await until('all is gone', () => peer.interfaces.length === 0)
      await assert.rejects(peer.send('nowhere'), { code: 'ERR_MULTICAST_SEND' })
    }),
  )
  for (const inbox of heard) assert.equal(inbox.size, 0)
})

const changes = [
  // Over IPv6 the system goes on sending from an address that is gone.
  { change: 'has another address', own: 7, only: 'IPv4', make: (lab: Lab) => readdress(lab, 1, 7) },
  ...[1, 7].map((own) => ({
    change: own === 1 ? 'was made anew' : 'was made anew with another address',
    own,
    only: '',
    make: async (lab: Lab, host: Host) => {
      lab.here.unplug('e0')
      await plug(lab, host, 0, own)
    },
  })),
]
for (const { change, own, only, make } of changes) {
  scenario(
    `without being followed, sends heal where an interface ${change}`,
    [],
    async (lab, t) => {
      const hosts = [lab.host(), lab.host()] as const
      await Promise.all(hosts.map((host, at) => plug(lab, host, at)))
      const subjects = families.filter(({ family }) => only === '' || family === only)
      const peers = subjects.flatMap(({ group }) =>
        [true, false].map(
          (reuseAddr, at) =>
            new MulticastPeer({
              ...{ group, port: port + 10 * at, interfaces: ['e0', 'e1'] },
              reuseAddr,
            }),
        ),
      )
      closeAfter(t, peers)
      for (const peer of peers) await peer.send('before')
      await make(lab, hosts[0])
      const elsewhere = await hosts[0].peer()
      const before = openSockets()
      for (const [at, peer] of peers.entries()) {
        const { far, seen, family } = subjects[Math.floor(at / 2)] as (typeof families)[number]
        const options = { group: far, port: port + 10 * (at % 2), interfaces: 'far' }
        const { heard } = await elsewhere.receiver(options)
        const { sent } = peer.stats
        const messages = Array.from({ length: 10 }, (_, number) => `${number}`)
        await Promise.all(messages.map((message) => peer.send(message)))
        // Each way settles by itself.
        await until('both ways have taken all', () => peer.stats.sent === sent + 20)
        const mails = await heard.take(10)
        assert.deepEqual(mails.map(({ text }) => text).sort(), messages, family)
        for (const { remote } of mails) {
          assert.deepEqual([remote.address, remote.port], [seen(own), options.port], family)
        }
      }
      assert.equal(openSockets(), before)
    },
  )
}

for (const { family, group, far, seen } of families.slice(0, 2)) {
  scenario(
    `over ${family}, a peer of the system's route sends and hears where that leads`,
    [],
    async (lab, t) => {
      const hosts = [lab.host(), lab.host()] as const
      await Promise.all(hosts.map((host, at) => plug(lab, host, at)))
      const isIPv4 = family === 'IPv4'
      const leads = (at: number): void => {
        const to = isIPv4 ? 'default' : `${group}/128 table local`
        lab.here.ip(`route replace ${to} dev e${at}`)
      }
      // IPv6 has a route for multicast with every interface.
      if (isIPv4) {
        await using unrouted = new MulticastPeer({ group, port, interfaces: 'default' })
        await assert.rejects(unrouted.ready(), { message: /add a route to the group/ })
      }
      const peer = new MulticastPeer({
        ...{ group, port, interfaces: 'default' },
        followInterfaces: true,
      })
      closeAfter(t, [peer])
      await peer.ready()
      if (isIPv4) await assert.rejects(peer.send('nowhere'), unreachable)
      const heard = new Inbox(peer)
      const members = await Promise.all(
        hosts.map(async (host, at) => {
          const interfaces = at === 0 ? 'far' : 'far1'
          return (await host.peer()).multicastPeer({ group: far, port, interfaces })
        }),
      )
      for (const at of [0, 1, 0]) {
        leads(at)
        const [there, elsewhere] = at === 0 ? members : [...members].reverse()
        assert.ok(there && elsewhere)
        for (let n = 0, end = Date.now() + BOUND; there.heard.size === 0; n += 1) {
          assert.ok(Date.now() < end, `nothing is sent through e${at}`)
          await peer.send(`probe ${n}`).catch(unreachable)
          await delay(50)
        }
        const { remote } = await there.heard.next()
        assert.equal(remote.address, seen(1).replace(/^(10\.0\.|fd0)0/, `$1${at}`))
        assert.deepEqual(peer.interfaces, ['default'])
        for (let end = Date.now() + BOUND, told = ''; told !== `from ${at}`; ) {
          assert.ok(Date.now() < end, `nothing is heard through e${at}`)
          await there.send(`from ${at}`)
          await delay(50)
          for (const { text } of await heard.take(heard.size)) {
            if (text.startsWith('from')) told = text
          }
        }
        assert.deepEqual(peer.memberships, [{ interface: 'default' }])
        // What was heard on the way.
        for (const { heard } of members) await heard.take(heard.size)
      }
      // Through the other nothing was sent any more.
      await peer.send('end')
      assert.deepEqual(await members[0]?.heard.until('end').then((texts) => texts.at(-1)), 'end')
      assert.equal(members[1]?.heard.size, 0)
    },
    120_000,
  )
}
