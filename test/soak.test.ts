/**
 * Months of a network that moves, in a minute: random changes under senders and receivers of all kinds.
 * In the end everything hears what it should, once, and nothing is left over.
 *
 *     npm run soak            # ten minutes; MINUTES=60 npm run soak
 *
 * MINUTES and SEED in the environment make it longer, and another one.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type SenderOptions,
  text,
} from '../src/index.js'
import { Churn } from './churn.js'
import { scenario } from './lab.js'
import { picks } from './picks.js'
import { openSockets } from './told.js'

// So that what is garbage does not count.
setFlagsFromString('--expose-gc')

const minutes = Number(process.env.MINUTES ?? 1)
const seed = Number(process.env.SEED ?? 8)

/** Milliseconds in which the last change has to be followed. */
const BOUND = 15_000

const receivers: Omit<ReceiverOptions, 'port'>[] = [
  { group: '239.2.0.1' },
  { group: '239.2.0.1', interfaces: 'default' },
  { group: '239.2.0.1', interfaces: 'e0' },
  { group: '239.2.0.1', interfaces: ['e0', 'e1', 'e2'] },
  { group: '239.2.0.1', interfaces: '10.0.1.1' },
  { group: '239.2.0.1', sources: ['10.0.0.1', '10.0.1.1'] },
  { group: '239.2.0.2', sources: ['10.0.0.1'], interfaces: 'e0' },
  { group: '239.2.0.2', interfaces: 'e1' },
  { group: 'ff05::1' },
  { group: 'ff05::1', interfaces: 'default' },
  { group: 'ff05::1', interfaces: ['e1', 'e2'] },
  { group: 'ff05::1', interfaces: 'fd00::1' },
  { group: 'ff05::2', sources: ['fd00::1', 'fd01::1'], interfaces: ['e0', 'e1'] },
  { group: 'ff02::3' },
  { group: 'ff02::3', interfaces: ['e0', 'e2'] },
  { group: 'ff02::3%e1' },
]

const senders: Omit<SenderOptions, 'port'>[] = [
  { group: '239.2.0.1', interfaces: 'all' },
  { group: '239.2.0.1', interfaces: '10.0.1.1' },
  { group: '239.2.0.1', interfaces: 'default' },
  { group: '239.2.0.2', interfaces: ['e0', 'e1'], localPort: 20_000 },
  { group: 'ff05::1', interfaces: 'all' },
  { group: 'ff05::1', interfaces: 'e1' },
  { group: 'ff05::2', interfaces: ['fd00::1', 'fd01::1'] },
  { group: 'ff02::3', interfaces: 'all' },
  { group: 'ff02::3%e1', localPort: 20_001, interfaces: 'e1' },
]

/** One port for all of one group, as of many programs of one host. */
const portOf = (group: string): number => 30_000 + (parseInt(group.replace(/\D/g, ''), 10) % 1000)

/** The interfaces that there are once all is restored, and what they have. */
const here = ['e0', 'e1', 'e2']
const addresses = (name: string): readonly string[] => [
  `10.0.${name.slice(1)}.1`,
  `fd0${name.slice(1)}::1`,
]

/** A receiver, and what it has heard of the last rounds. */
class Ear {
  readonly options: Omit<ReceiverOptions, 'port'>
  readonly group: string
  readonly receiver: MulticastReceiver<string, string>
  /** How often each message was heard. */
  readonly heard = new Map<string, number>()

  constructor(options: Omit<ReceiverOptions, 'port'>, fail: (error: Error) => void) {
    this.options = options
    this.group = options.group.replace(/%.*/, '')
    const port = portOf(this.group)
    this.receiver = new MulticastReceiver({ followInterfaces: true, port, codec: text, ...options })
    this.receiver.on('error', fail)
    this.receiver.on('message', (message) => {
      this.heard.set(message, (this.heard.get(message) ?? 0) + 1)
    })
  }

  get joined(): readonly string[] {
    return [...new Set(this.receiver.memberships.map((membership) => membership.interface))].sort()
  }

  /** How often it hears what is sent once out of each of these, where others of the host have joined. */
  hears(on: readonly string[], others: ReadonlySet<string>): number {
    const { sources } = this.options
    const isBoundToZone = this.group.startsWith('ff02')
    const joined = isBoundToZone ? new Set(this.joined) : others
    return on.filter(
      (name) =>
        joined.has(name) &&
        (sources === undefined || addresses(name).some((address) => sources.includes(address))),
    ).length
  }
}

/** A sender. */
class Mouth {
  readonly group: string
  readonly sender: MulticastSender<string, string>
  /** The copies of a message that it sends at most. */
  readonly most: number
  readonly wanted: readonly string[]

  constructor(options: Omit<SenderOptions, 'port'>, fail: (error: Error) => void) {
    this.group = options.group.replace(/%.*/, '')
    this.wanted = expected(options)
    this.most = this.wanted.length
    const port = portOf(this.group)
    this.sender = new MulticastSender({ followInterfaces: true, port, codec: text, ...options })
    this.sender.on('error', fail)
  }

  get on(): readonly string[] {
    return this.sender.interfaces.map((name) => (name === 'default' ? 'e0' : name))
  }

  /** Sends one message, which may be refused while the network moves. */
  async speak(message: string): Promise<void> {
    await this.sender.send(message).catch((error: { code?: string }) => {
      if (error.code !== 'ERR_MULTICAST_SEND') throw error
    })
  }
}

const collect = runInNewContext('gc', undefined) as () => void

scenario(
  `${minutes} minutes of a network that moves leave nothing deaf and nothing over`,
  [],
  async (lab, t) => {
    const pick = picks(seed)
    const churn = new Churn(lab.here, pick, here.length)
    const errors: Error[] = []
    const fail = (error: Error): void => {
      errors.push(error)
    }
    const before = census()
    const end = Date.now() + minutes * 60_000 - BOUND
    const ears = receivers.map((options) => new Ear(options, fail))
    const mouths = senders.map((options) => new Mouth(options, fail))
    const endpoints = [
      ...ears.map(({ receiver }) => receiver),
      ...mouths.map(({ sender }) => sender),
    ]
    try {
      await Promise.all(endpoints.map((endpoint) => endpoint.ready()))
      churn.restore()
      let round = 0
      round = await settled(ears, mouths, round, undefined)
      const joined = ears.map((ear) => `${ear.joined}`)
      const open = openSockets()
      const memory = { first: 0, last: 0 }
      const program: string[] = []
      while (Date.now() < end) {
        for (let at = pick(1, 1, 1, 2, 4); at > 0; at -= 1) program.push(churn.change())
        await Promise.all(mouths.map((mouth, number) => mouth.speak(`${round} ${number}`)))
        await delay(pick(50, 100, 500, 1000, 1500, 2500))
        forget(ears, mouths, round - 20)
        round += 1
        if (round === 12) memory.first = heap()
      }
      churn.restore()
      round = await settled(ears, mouths, round, joined)
      memory.last = heap()
      await until(`${open} sockets are open again`, () => openSockets() === open)
      t.diagnostic(
        `seed ${seed}: ${program.length} changes, ${round} rounds, of the heap ${show(memory)}`,
      )
      assert.deepEqual(errors, [])
      assert.ok(memory.last - memory.first < 3 * 2 ** 20, `the heap has grown: ${show(memory)}`)
    } finally {
      await Promise.all(endpoints.map((endpoint) => endpoint.close()))
      churn.clear()
    }
    await until('all is closed', () => census() === before)
  },
  minutes * 60_000 + 60_000,
)

const show = ({ first, last }: { first: number; last: number }): string =>
  `${Math.round(first / 1024)} kB, then ${Math.round(last / 1024)} kB`

function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** What would be left over by a leak. */
function census(): string {
  const resources = process.getActiveResourcesInfo().filter((one) => /UDP|Message/.test(one))
  return `${openSockets()} sockets, handles: ${resources}`
}

async function until(what: string, answer: () => boolean): Promise<void> {
  for (const end = Date.now() + BOUND; !answer(); await delay(50)) {
    assert.ok(Date.now() < end, `not within ${BOUND} ms: ${what}, but ${census()}`)
  }
}

/** Fails if anything was heard more often than it can have been sent; forgets what is as old as that. */
function forget(ears: readonly Ear[], mouths: readonly Mouth[], last: number): void {
  for (const { heard, options } of ears) {
    for (const [message, times] of heard) {
      const [round, number] = message.split(' ').map(Number)
      const most = mouths[number ?? 0]?.most ?? 0
      const what = `${JSON.stringify(options)} has heard ${message} ${times} times`
      assert.ok(times <= most, `${what}, which was sent at most ${most} times`)
      if (Number(round) <= last) heard.delete(message)
    }
  }
}

/** Resolves when everything is joined and hears what it should; returns the next round. */
async function settled(
  ears: readonly Ear[],
  mouths: readonly Mouth[],
  first: number,
  joined: readonly string[] | undefined,
): Promise<number> {
  const end = Date.now() + BOUND
  for (let round = first; ; round += 1) {
    const amiss = await amissOf(ears, mouths, round, joined)
    forget(ears, mouths, round)
    if (amiss === undefined) return round + 1
    if (Date.now() > end) assert.fail(`not within ${BOUND} ms: ${amiss}`)
    await delay(500)
  }
}

async function amissOf(
  ears: readonly Ear[],
  mouths: readonly Mouth[],
  round: number,
  joined: readonly string[] | undefined,
): Promise<string | undefined> {
  for (const [at, ear] of ears.entries()) {
    const wanted = joined?.[at] ?? `${expected(ear.options)}`
    const now = ear.joined.filter((name) => name !== 'lo' || joined !== undefined)
    if (`${now}` !== wanted)
      return `${JSON.stringify(ear.options)} has joined ${now}, not ${wanted}`
  }
  for (const [number, mouth] of mouths.entries()) {
    if (`${[...mouth.sender.interfaces].sort()}` !== `${mouth.wanted}`) {
      return `${mouth.group} is sent through ${mouth.sender.interfaces}, not ${mouth.wanted}`
    }
    await mouth.speak(`${round} ${number}`)
  }
  await delay(200)
  for (const ear of ears) {
    const others = new Set(
      ears
        .filter(({ group }) => group === ear.group)
        .flatMap((other) => other.joined.map((name) => (name === 'default' ? 'e0' : name))),
    )
    for (const [number, { group, on }] of mouths.entries()) {
      if (group !== ear.group) continue
      const times = ear.heard.get(`${round} ${number}`) ?? 0
      const wanted = ear.hears(on, others)
      if (times === wanted) continue
      return `${JSON.stringify(ear.options)} has heard ${times} times, not ${wanted}, what was sent to ${group} through ${on}`
    }
  }
  return undefined
}

/** The names that these options come to once all is restored. */
function expected({
  group,
  interfaces = 'all',
}: Pick<ReceiverOptions, 'group' | 'interfaces'>): readonly string[] {
  const [, zone] = group.split('%')
  if (zone !== undefined) return [zone]
  if (interfaces === 'all') return here
  return [interfaces].flat().map((one) => here.find((name) => addresses(name).includes(one)) ?? one)
}
