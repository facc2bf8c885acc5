/**
 * A network that changes under endpoints which follow it: this host, another one, and the cables between.
 *
 * Every change is made within one tick, so that no look at the interfaces comes in between: what is slow
 * waits for an event in its middle.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver, type ReceiverOptions, text } from '../src/index.js'
import { afterSockets } from '../src/testing/conformance/channel.js'
import { type Host, type Lab, scenario } from './lab.js'
import { hasten } from './looks.js'
import { openSockets } from './told.js'
import { BOUND, until } from './until.js'

export const port = 10000

/** What the other host runs: it sends to groups, or listens to them, on cables that it looks up anew. */
const far = `
  const { createSocket } = require('node:dgram')
  const isIPv4 = (address) => !address.includes(':')
  const opened = (type, port) => new Promise((resolve) => {
    const socket = createSocket({ type, reuseAddr: true })
    socket.on('error', () => {})
    socket.bind(port, () => resolve(socket))
  })
  const handle = (group, { name, address }) => (isIPv4(group) ? address : '::%' + name)
  const tried = (task) => { try { task() } catch {} }
  let ears = []
  let heard = []
  const orders = {
    async speak({ cables, groups, port }) {
      for (const cable of cables) {
        for (const type of ['udp4', 'udp6']) {
          const own = groups.filter((group) => isIPv4(group) === (type === 'udp4'))
          const socket = await opened(type, 0)
          tried(() => socket.setMulticastInterface(handle(own[0], cable)))
          const sent = (group) => new Promise((done) => socket.send(cable.text, port, group, done))
          await Promise.all(own.map(sent))
          socket.close()
        }
      }
    },
    async listen({ cables, groups, port }) {
      ears = [await opened('udp4', port), await opened('udp6', port)]
      for (const socket of ears)
        socket.on('message', (data, { address, port }) =>
          heard.push({ text: String(data), from: address.replace(/%.*/, ''), port }))
      for (const group of groups)
        for (const cable of cables)
          tried(() => ears[isIPv4(group) ? 0 : 1].addMembership(group, handle(group, cable)))
    },
    async stop() {
      // What waits in them is read first.
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const socket of ears) socket.close()
      return heard.splice(0)
    },
  }
  process.on('message', async ({ order, ...options }) => process.send((await orders[order](options)) ?? []))
`

/** A cable between the two hosts, by its number: `e0` here is `far0` there. */
export interface Cable {
  /** What the interface here is called. Default: `e` and the number. */
  readonly name?: string
  /** The end of its addresses here. Default: 1. */
  readonly own?: number
  /** The system's number of the interface here. Default: the next one. */
  readonly index?: number
}

/** What the other host has heard. */
export interface Heard {
  readonly text: string
  /** The address, without a zone, and the port that it came from. */
  readonly from: string
  readonly port: number
}

/** The addresses of a cable's end here. */
export function addresses(at: number, own = 1): string[] {
  return [`10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${100 * at + own}/64`]
}

/** The two hosts. */
export class Moving {
  readonly here: Host
  readonly #there: Host
  readonly #netns: string
  readonly #program: ChildProcess
  /** By the number of the cable. */
  readonly #cables = new Set<number>()
  readonly #endpoints: { close(): Promise<unknown> }[] = []
  #round = 0

  constructor(lab: Lab) {
    this.here = lab.here
    this.#there = lab.host()
    this.#netns = this.#there.netns.trim()
    this.#program = this.#there.spawn([process.execPath, '-e', far], {
      stdio: ['ignore', 2, 2, 'ipc'],
    })
  }

  /** Plugs a cable in; the way to the groups leads through the first one. */
  plug(at: number, { name = `e${at}`, own = 1, index }: Cable = {}): void {
    const numbered = index === undefined ? '' : ` index ${index}`
    this.here.ip(
      `link add dev ${name}${numbered} type veth peer name far${at} ${this.#netns}`,
      `link set dev ${name} addrgenmode none`,
    )
    this.#there.ip(
      `link set dev far${at} addrgenmode none`,
      ...dressing(`far${at}`, addresses(at, 2)),
      `link set dev far${at} up`,
    )
    this.here.ip(
      `link set dev ${name} up`,
      ...dressing(name, addresses(at, own)),
      ...(at === 0 ? routes(name) : []),
    )
    this.#cables.add(at)
  }

  unplug(at: number, name = `e${at}`): void {
    this.here.ip(`link del dev ${name}`)
    this.#cables.delete(at)
  }

  /** Deletes a cable and plugs it in again, `as` something else or under the name that it had. */
  replug(at: number, { as, ...cable }: Cable & { readonly as?: string } = {}): void {
    this.unplug(at, cable.name)
    this.plug(at, as === undefined ? cable : { ...cable, name: as })
  }

  /** Has an interface go to the other host and come back, which costs it its addresses. */
  away(name: string): void {
    this.here.ip(`link set dev ${name} ${this.#netns}`)
    this.#there.ip(`link set dev ${name} netns ${process.pid}`)
    this.here.ip(`link set dev ${name} addrgenmode none`, `link set dev ${name} up`)
  }

  /** Has the way to the groups lead through that interface. */
  route(name: string): void {
    this.here.ip(...routes(name))
  }

  /** Gives an interface addresses, those of IPv6 too, which go when it is down. */
  address(name: string, ...added: string[]): void {
    this.here.ip(...dressing(name, added))
  }

  rename(from: string, to: string, at: number): void {
    this.here.ip(
      `link set dev ${from} down`,
      `link set dev ${from} name ${to}`,
      `link set dev ${to} up`,
      ...dressing(to, addresses(at)),
      ...(at === 0 ? routes(to) : []),
    )
  }

  /** The numbers of the cables that are plugged in. */
  get cables(): readonly number[] {
    return [...this.#cables].sort()
  }

  /** Has the other host send to the groups through each cable, and resolves with the number of the round. */
  async speak(groups: readonly string[]): Promise<number> {
    this.#round += 1
    await this.#order('speak', groups, this.#round)
    return this.#round
  }

  /** What the other host hears of the groups, through these cables, that is sent meanwhile. */
  async listen(
    groups: readonly string[],
    task: () => Promise<unknown>,
    through = this.cables,
  ): Promise<readonly Heard[]> {
    await this.#order('listen', groups, 0, through)
    await task()
    return (await this.#order('stop', [])) as readonly Heard[]
  }

  /** Has an endpoint closed when the scenario ends. */
  keep<Kept extends { close(): Promise<unknown> }>(endpoint: Kept): Kept {
    this.#endpoints.push(endpoint)
    return endpoint
  }

  async closeEndpoints(): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()))
  }

  /** Undoes what was done to this host. */
  async close(): Promise<void> {
    this.here.ip('link set lo up')
    const links = this.here.ip('link show type veth')
    for (const [, name] of links.matchAll(/^\d+: ([^@:]+)[@:]/gm))
      this.here.ip(`link del dev ${name}`)
  }

  async #order(
    order: string,
    groups: readonly string[],
    round = 0,
    through = this.cables,
  ): Promise<unknown> {
    const cables = through.map((at) => ({
      name: `far${at}`,
      address: `10.0.${at}.2`,
      text: `${round} through ${at}`,
    }))
    const answer = once(this.#program, 'message')
    this.#program.send({ order, cables, groups, port })
    const [answered] = await answer
    // What was sent before it is read first.
    return new Promise((resolve) => afterSockets(resolve)(answered))
  }
}

function dressing(name: string, addresses: readonly string[]): string[] {
  return addresses.map(
    (address) => `addr replace ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`,
  )
}

/** The ways to the groups, which lead nowhere else. */
function routes(name: string): string[] {
  return [
    `route replace 239.0.0.0/8 dev ${name}`,
    `route replace multicast ff05::/16 dev ${name} table local metric 1`,
  ]
}

/** What an ear asks for: the kinds that the same becomes of. */
export type Kind = 'all' | 'default' | 'named' | 'address'

export interface Asked {
  readonly kind: Kind
  readonly options: Omit<ReceiverOptions, 'port' | 'group'>
  /** In which it is not allowed: a group of link scope has no default. */
  readonly group: (number: number) => string
}

const followed = { followInterfaces: true }
export const ipv4 = (number: number) => `239.1.0.${number}`
export const ipv6 = (number: number) => `ff05::1:${number}`
export const local = (number: number) => `ff02::1:${number}`

/** Every kind over every family, those with sources too: each of a group of its own. */
export const asked: readonly Asked[] = [
  { kind: 'all', group: ipv4, options: {} },
  { kind: 'all', group: ipv6, options: {} },
  { kind: 'all', group: local, options: {} },
  { kind: 'all', group: ipv4, options: { sources: ['10.0.0.2'] } },
  { kind: 'all', group: ipv6, options: { sources: ['fd00::2'] } },
  { kind: 'default', group: ipv4, options: { interfaces: 'default', ...followed } },
  { kind: 'default', group: ipv6, options: { interfaces: 'default', ...followed } },
  { kind: 'named', group: ipv4, options: { interfaces: 'e0', ...followed } },
  { kind: 'named', group: ipv6, options: { interfaces: ['e0'], ...followed } },
  { kind: 'named', group: local, options: { interfaces: 'e0', ...followed } },
  { kind: 'named', group: (number) => `${local(number)}%e0`, options: followed },
  { kind: 'named', group: ipv4, options: { interfaces: 'e0', sources: ['10.0.0.2'], ...followed } },
  { kind: 'named', group: ipv6, options: { interfaces: 'e0', sources: ['fd00::2'], ...followed } },
  { kind: 'named', group: local, options: { interfaces: 'e0', sources: ['fe80::2'], ...followed } },
  { kind: 'address', group: ipv4, options: { interfaces: '10.0.0.1', ...followed } },
  { kind: 'address', group: ipv6, options: { interfaces: 'fd00::1', ...followed } },
  { kind: 'address', group: local, options: { interfaces: 'fe80::1', ...followed } },
]

/** A receiver, what it has told and what it has heard. */
export class Ear {
  readonly kind: Kind
  readonly name: string
  readonly group: string
  readonly source: string | undefined
  readonly receiver: MulticastReceiver<string, string>
  /** Since they were taken last. */
  readonly events: string[] = []
  readonly heard: string[] = []
  /** What its events say that is joined. */
  readonly #replayed = new Set<string>()

  constructor({ kind, group, options }: Asked, number: number) {
    this.kind = kind
    this.group = group(number)
    this.source = options.sources?.[0]
    this.receiver = new MulticastReceiver({ group: this.group, port, ...options, codec: text })
    this.name = `${kind} ${this.group} ${this.source ?? ''}`
    this.receiver.on('message', (message) => this.heard.push(message))
    this.receiver.once('listening', () => {
      for (const membership of this.receiver.memberships)
        this.#replayed.add(JSON.stringify(membership))
    })
    this.receiver.on('membership', (change, membership) => {
      const key = JSON.stringify(membership)
      assert.equal(membership.source, this.source)
      if (change === 'joined')
        assert.ok(!this.#replayed.has(key), `${this.name}: joined ${key} twice`)
      else
        assert.ok(this.#replayed.has(key), `${this.name}: ${change} ${key}, which was not joined`)
      if (change === 'joined') this.#replayed.add(key)
      else this.#replayed.delete(key)
      if (membership.interface !== SIGHT) this.events.push(`${change} ${membership.interface}`)
    })
  }

  /** That its events tell what its memberships are. */
  check(): void {
    const joined = this.receiver.memberships.map((membership) => JSON.stringify(membership))
    assert.deepEqual(joined.sort(), [...this.#replayed].sort(), this.name)
  }
}

/** An interface that comes for a look to be seen. */
const SIGHT = 'sight'

/** What is expected of the kinds of ears; of those that are left out, nothing. */
export type Expected<What> = Partial<Record<Kind, readonly What[]>>

/** Receivers of all kinds on a network that moves. */
export class Ears {
  readonly network: Moving
  readonly all: readonly Ear[]

  constructor(network: Moving, which: readonly Asked[] = asked) {
    this.network = network
    this.all = which.map((one, at) => new Ear(one, at + 1))
    for (const { receiver } of this.all) network.keep(receiver)
  }

  async ready(): Promise<this> {
    await Promise.all(this.all.map(({ receiver }) => receiver.ready()))
    return this
  }

  of(kind: Kind): readonly Ear[] {
    return this.all.filter((ear) => ear.kind === kind)
  }

  /** Waits for these `membership` events, and that there are no others since the last time. */
  async tell(expected: Expected<string>): Promise<void> {
    const isTold = () =>
      this.all.every(({ kind, events }) => events.length >= (expected[kind]?.length ?? 0))
    for (const end = Date.now() + BOUND; !isTold() && Date.now() < end; ) await delay(20)
    this.#compare(
      ({ events }) => events.splice(0),
      ({ kind }) => expected[kind] ?? [],
    )
    for (const ear of this.all) ear.check()
  }

  /** Waits until each hears what is sent through these cables and nothing else, and each message once. */
  async hear(expected: Expected<number>): Promise<void> {
    const groups = this.all.map(({ group }) => group.replace(/%.*/, ''))
    const wanted = ({ kind, source }: Ear, round: number): string[] =>
      (expected[kind] ?? [])
        // Only of the first cable's other end.
        .filter((at) => source === undefined || at === 0)
        .map((at) => `${round} through ${at}`)
    const ofRound = ({ heard }: Ear, round: number) =>
      heard.filter((message) => message.startsWith(`${round} `)).sort()
    for (const ear of this.all) ear.heard.splice(0)
    const end = Date.now() + BOUND
    for (let round = await this.network.speak(groups); ; ) {
      const next = await this.network.speak(groups)
      // What was sent before has come by then.
      const isHeard = () =>
        this.all.every((ear) => `${ofRound(ear, next)}` === `${wanted(ear, next)}`)
      for (const late = Date.now() + 250; !isHeard() && Date.now() < late; ) await delay(10)
      const wasHeard = this.all.every((ear) => `${ofRound(ear, round)}` === `${wanted(ear, round)}`)
      if ((wasHeard && isHeard()) || Date.now() > end) {
        this.#compare(
          (ear) => ofRound(ear, round),
          (ear) => wanted(ear, round),
        )
        break
      }
      round = next
    }
    this.#compare(
      ({ heard }) => heard.filter((one, at) => heard.indexOf(one) < at),
      () => [],
    )
  }

  /** Waits until a look at the interfaces has been seen to, and one more if it was of a change. */
  async looked(): Promise<void> {
    await using sentinel = new MulticastReceiver({
      group: '239.2.0.1',
      port,
      interfaces: SIGHT,
      followInterfaces: true,
    })
    await sentinel.ready()
    const seen = once(sentinel, 'membership')
    this.network.here.ip(
      `link add dev ${SIGHT} type veth peer name light`,
      `link set dev ${SIGHT} addrgenmode none`,
      'link set dev light addrgenmode none',
      `addr add 10.9.0.1/24 dev ${SIGHT}`,
      'link set dev light up',
      `link set dev ${SIGHT} up`,
    )
    await seen
    this.network.here.ip(`link del dev ${SIGHT}`)
  }

  #compare<What>(told: (ear: Ear) => What, wanted: (ear: Ear) => What): void {
    const table = (of: (ear: Ear) => What) =>
      Object.fromEntries(this.all.map((ear) => [ear.name, of(ear)]))
    assert.deepEqual(table(told), table(wanted))
  }
}

/**
 * A scenario on a network that moves, after which nothing may be left open of what was opened. Looks at the
 * interfaces come ten times as often as else, unless it is to be at their own `pace`.
 */
export function moving(
  name: string,
  body: (network: Moving, t: TestContext) => Promise<void>,
  pace: 'real' | 'fast' = 'fast',
): void {
  scenario(name, [], async (lab, t) => {
    if (pace === 'fast') hasten(t)
    const network = new Moving(lab)
    try {
      // The program of the scenario before may not be gone yet.
      await until('it is gone', () => children() <= 1)
      const before = held()
      try {
        await body(network, t)
      } finally {
        await network.closeEndpoints()
      }
      for (const end = Date.now() + BOUND; held() !== before && Date.now() < end; ) await delay(20)
      assert.equal(held(), before)
    } finally {
      await network.close()
    }
  })
}

/** How many processes this one has started that still run. */
function children(): number {
  return process.getActiveResourcesInfo().filter((one) => one === 'ProcessWrap').length
}

/** The sockets and handles of this process: a timer is the test's own. */
export function held(): string {
  const passing = ['Timeout', 'Immediate', 'CloseReq']
  const handles = process.getActiveResourcesInfo().filter((one) => !passing.includes(one))
  return `${openSockets()} sockets, ${handles.sort()}`
}
