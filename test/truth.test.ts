/**
 * What receivers that follow the interfaces say they have joined, compared with what the kernel says and
 * with what they hear, after each step of a random program of changes and calls.
 *
 * RUNS and SEED in the environment make it longer, and another one.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Membership,
  type MembershipOptions,
  MulticastReceiver,
  type ReceiverOptions,
  text,
} from '../src/index.js'
import { Churn } from './churn.js'
import { scenario } from './lab.js'
import { type Pick, picks } from './picks.js'

/** Of each receiver its own: one that shares it with nobody is among them. */
const firstPort = 10000
const steps = Number(process.env.RUNS ?? 30)
const seed = Number(process.env.SEED ?? 11)

/** Milliseconds until all has to be as it should. */
const BOUND = 15_000

/** One receiver of each kind, each of a group of its own, by which the kernel tells of it alone. */
const receivers: Omit<ReceiverOptions, 'port'>[] = [
  { group: '239.1.0.1' },
  { group: '239.1.0.2', interfaces: 'default' },
  { group: '239.1.0.3', interfaces: 'e0' },
  { group: '239.1.0.4', interfaces: ['e0', 'e1'] },
  { group: '239.1.0.5', interfaces: '10.0.1.1' },
  { group: '239.1.0.6', sources: ['10.0.0.1', '10.0.1.1'] },
  { group: '239.1.0.7', sources: ['10.0.0.1'], interfaces: 'e0' },
  { group: '239.1.0.8', bindAddress: 'any' },
  { group: '239.1.0.9', reuseAddr: false },
  { group: 'ff05::1' },
  { group: 'ff05::2', interfaces: 'default' },
  { group: 'ff05::3', interfaces: 'e1' },
  { group: 'ff05::4', interfaces: 'fd00::1' },
  { group: 'ff05::5', sources: ['fd00::1', 'fd01::1'] },
  { group: 'ff02::6' },
  { group: 'ff02::7%e0' },
  { group: 'ff02::8', interfaces: ['e0', 'e2'] },
]

/** What is asked of a receiver, by hand or by its options. */
interface Ask {
  readonly wanted: string
  readonly source: string | undefined
}

/** One interface with its addresses of one family. */
interface Listed {
  readonly name: string
  readonly addresses: readonly string[]
}

function listed(family: string): readonly Listed[] {
  const addresses = new Map<string, string[]>()
  for (const [label, infos = []] of Object.entries(networkInterfaces())) {
    // The second address of one that was renamed is listed as `e0:2`.
    const [name = ''] = label.split(':')
    const own = infos.filter((info) => info.family === family).map(({ address }) => address)
    addresses.set(name, [...(addresses.get(name) ?? []), ...own])
  }
  return [...addresses].map(([name, addresses]) => ({ name, addresses }))
}

/** The interfaces on which the host has joined a group, as the kernel tells. */
function joinedOn(address: string): readonly string[] {
  if (isIPv6(address)) {
    const [head = '', tail = ''] = address.split('::')
    const hex = head.padEnd(32 - tail.length, '0') + tail
    const lines = readFileSync('/proc/net/igmp6', 'utf8').split('\n')
    return lines.flatMap((line) => {
      const [, name, group] = line.trim().split(/\s+/)
      return group === hex && name !== undefined ? [name] : []
    })
  }
  const hex = Buffer.from(address.split('.').map(Number).reverse()).toString('hex').toUpperCase()
  let device = ''
  return readFileSync('/proc/net/igmp', 'utf8')
    .split('\n')
    .flatMap((line) => {
      device = /^\d+\s+([^\s:]+)/.exec(line)?.[1] ?? device
      return line.trim().startsWith(hex) ? [device] : []
    })
}

/** The interface that the kernel's route to a group leads through, if an own address tells. */
async function routed(group: string): Promise<string | undefined> {
  const isIPv4 = !isIPv6(group)
  const socket = createSocket(isIPv4 ? 'udp4' : 'udp6')
  try {
    socket.connect(9, group)
    await once(socket, 'connect')
    const { address } = socket.address()
    const own = listed(isIPv4 ? 'IPv4' : 'IPv6').filter((on) => on.addresses.includes(address))
    return own.length === 1 ? own[0]?.name : undefined
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

const keyOf = ({ interface: name, source }: Membership): string =>
  `${name}${source === undefined ? '' : ` from ${source}`}`

/** A receiver, and what it ought to have joined. */
class Witness {
  readonly options: Omit<ReceiverOptions, 'port'>
  readonly receiver: MulticastReceiver<string, string>
  readonly address: string
  readonly isIPv4: boolean
  /** What has been wrong with its events, for good. */
  readonly wrong: string[] = []
  /** How often each message was heard. */
  readonly heard = new Map<string, number>()
  /** What its events say that it has joined. */
  #replayed = new Set<string>()
  #asks: readonly Ask[]
  #left: readonly Ask[] = []
  /** What may be asked for still. */
  #maybe: readonly Ask[] = []
  readonly #unsure = new Set<string>()

  readonly port: number

  constructor(options: Omit<ReceiverOptions, 'port'>, port: number) {
    this.options = options
    this.port = port
    const [address = ''] = options.group.split('%')
    this.address = address
    this.isIPv4 = !isIPv6(address)
    this.receiver = new MulticastReceiver({
      followInterfaces: true,
      port,
      codec: text,
      ...options,
    })
    this.#asks = this.#asked()
    this.receiver.on('error', (error) => this.wrong.push(`error: ${error.message}`))
    this.receiver.on('message', (message) =>
      this.heard.set(message, (this.heard.get(message) ?? 0) + 1),
    )
    this.receiver.on('listening', () => {
      this.#replayed = new Set(this.receiver.memberships.map(keyOf))
    })
    this.receiver.on('membership', (change, membership) => {
      const key = keyOf(membership)
      const isHeld = this.#replayed.has(key)
      if (isHeld === (change === 'joined')) this.wrong.push(`${change} ${key} out of order`)
      if (change === 'joined') this.#replayed.add(key)
      else this.#replayed.delete(key)
    })
  }

  /** What these options of join(), or those of the receiver, ask for. */
  #asked(given: MembershipOptions = {}): readonly Ask[] {
    const { interfaces = 'all', sources = [undefined] } = this.options
    const [, zone] = this.options.group.split('%')
    const named = given.interface ?? interfaces
    const names = named === 'all' ? (zone ?? named) : named
    const from = given.source === undefined ? sources : [given.source]
    return [names].flat().flatMap((wanted) => from.map((source) => ({ wanted, source })))
  }

  /** Joins or leaves through hand, which may be refused. */
  async call(call: 'join' | 'leave', given: MembershipOptions): Promise<string> {
    const before = this.receiver.memberships.map((membership) => membership.interface)
    const name = this.#nameOf(given.interface)
    try {
      await this.receiver[call](given)
    } catch (error) {
      return (error as Error).message
    }
    if (call === 'join') {
      const asked = this.#asked(given)
      this.#asks = [...this.#asks, ...asked]
      const isAsked = (one: Ask) =>
        asked.some(
          ({ wanted, source }) =>
            (wanted === 'all' || wanted === one.wanted) &&
            (one.source === undefined || source === one.source),
        )
      this.#left = this.#left.filter((one) => !isAsked(one))
      return 'done'
    }
    const { source } = given
    const isMeant = (one: { source?: string | undefined }) =>
      source === undefined || one.source === source
    if (name === undefined) {
      this.#asks = this.#asks.filter((ask) => !isMeant(ask))
      this.#maybe = this.#maybe.filter((ask) => !isMeant(ask))
      return 'done'
    }
    if (this.#asks.some(({ wanted }) => wanted === 'all')) {
      this.#left = [...this.#left, { wanted: name, source }]
    }
    // What else asked for it, by an address or by a name that it had, is not known here.
    const isNamed = ({ wanted }: Ask): boolean => ['all', 'default', ...before].includes(wanted)
    const meant = this.#asks.filter(isMeant)
    const gone = meant.filter(({ wanted }) => wanted === name)
    this.#maybe = [...this.#maybe, ...meant.filter((ask) => !gone.includes(ask) && !isNamed(ask))]
    this.#asks = this.#asks.filter((ask) => !gone.includes(ask) && !this.#maybe.includes(ask))
    return 'done'
  }

  /** The interface that has the address, or that is called so. */
  #nameOf(wanted: string | undefined): string | undefined {
    const table = [...listed('IPv4'), ...listed('IPv6')]
    return table.find(({ addresses }) => addresses.includes(`${wanted}`))?.name ?? wanted
  }

  /** Forgets what was left by names that other interfaces have now: it may or may not be joined. */
  renamed(names: ReadonlySet<string>): void {
    const isOf = ({ wanted }: Ask) => names.has(wanted)
    for (const { wanted } of this.#left.filter(isOf)) this.#unsure.add(wanted)
    this.#left = this.#left.filter((one) => !isOf(one))
  }

  #isLeft(name: string, source: string | undefined): boolean {
    return this.#left.some(
      (one) => one.wanted === name && (one.source === undefined || one.source === source),
    )
  }

  /** What of it is not as it should be now, if anything. */
  async amiss(): Promise<string | undefined> {
    if (this.wrong.length > 0) return this.wrong.join()
    const { memberships } = this.receiver
    const keys = memberships.map(keyOf).sort()
    if (new Set(keys).size !== keys.length) return `joined twice: ${keys}`
    const replayed = [...this.#replayed].sort()
    if (`${replayed}` !== `${keys}`) return `joined is ${keys}, by its events ${replayed}`

    const kernel = [...joinedOn(this.address)].sort()
    const names = [...new Set(memberships.map((one) => one.interface))].sort()
    if (names.includes('default')) {
      const isOne = names.length === 1 && kernel.length === 1
      if (!isOne) return `joined is ${keys}, by the kernel ${kernel}`
    } else if (`${names}` !== `${kernel}`) return `joined is ${keys}, by the kernel ${kernel}`

    const table = listed(this.isIPv4 ? 'IPv4' : 'IPv6')
    const own = table.flatMap(({ name, addresses }) => {
      const others = table.filter((one) => one.name !== name)
      const isOwn = (address: string) => !others.some((one) => one.addresses.includes(address))
      return { name, addresses: addresses.filter((address) => !this.isIPv4 || isOwn(address)) }
    })
    const there = own.filter(
      ({ name, addresses }) => addresses.length > 0 && !this.#unsure.has(name),
    )
    const isOnly = (name: string, addresses: readonly string[], address: string): boolean =>
      addresses.includes(address) &&
      !table.some((other) => other.name !== name && other.addresses.includes(address))
    for (const { wanted, source } of this.#asks) {
      const route = wanted === 'default' ? await routed(this.address) : undefined
      if (wanted === 'default' && route !== undefined && `${kernel}` !== route) {
        return `the route is by ${route}, joined ${kernel}`
      }
      const must =
        wanted === 'default'
          ? route === undefined
            ? []
            : ['default']
          : wanted === 'all'
            ? there.filter(({ name }) => !this.#isLeft(name, source)).map(({ name }) => name)
            : there
                .filter(({ name, addresses }) => name === wanted || isOnly(name, addresses, wanted))
                .map(({ name }) => name)
      const missing = must.find(
        (name) => !memberships.some((one) => one.interface === name && one.source === source),
      )
      if (missing !== undefined) return `not joined on ${missing} from ${source}, joined ${keys}`
    }
    const asks = [...this.#asks, ...this.#maybe]
    const isFor = (membership: Membership): boolean =>
      asks.some(
        ({ wanted, source }) =>
          source === membership.source &&
          (wanted !== 'all' || !this.#isLeft(membership.interface, source)),
      )
    const stray = memberships.find((membership) => !isFor(membership))
    if (stray !== undefined) return `nobody asked for ${keyOf(stray)}`
    if (!asks.some(({ wanted }) => wanted === 'all') && keys.length > asks.length) {
      return `joined is ${keys}, and asked for ${JSON.stringify(asks)}`
    }
    return undefined
  }

  /** The messages of these that it has to hear. */
  hears(spoken: readonly Spoken[]): readonly string[] {
    const { memberships } = this.receiver
    const [kernel] = joinedOn(this.address)
    return spoken
      .filter(({ group, on, from }) => {
        const isHere = memberships.filter(
          ({ interface: name }) => (name === 'default' ? kernel : name) === on,
        )
        return (
          group === this.address &&
          isHere.some(({ source }) => source === undefined || source === from)
        )
      })
      .map(({ message }) => message)
  }
}

/** A message that was sent to a group out of an interface. */
interface Spoken {
  readonly group: string
  readonly on: string
  readonly from: string
  readonly message: string
}

/** Sends to each of these groups from each address here that one interface alone has. */
async function speak(to: readonly Witness[], round: string): Promise<readonly Spoken[]> {
  const spoken: Spoken[] = []
  for (const family of ['IPv4', 'IPv6'] as const) {
    const table = listed(family).filter(({ name }) => name !== 'lo')
    const isIPv4 = family === 'IPv4'
    for (const { name, addresses } of table) {
      const own = addresses.filter(
        (address) =>
          !address.startsWith('fe80') &&
          !table.some((other) => other.name !== name && other.addresses.includes(address)),
      )
      const [from] = own
      if (from === undefined) continue
      const socket = createSocket(isIPv4 ? 'udp4' : 'udp6')
      try {
        socket.bind(0, from)
        await once(socket, 'listening')
        socket.setMulticastInterface(isIPv4 ? from : `::%${name}`)
        const mine = to.filter((witness) => witness.isIPv4 === isIPv4)
        for (const { address: group, port } of mine) {
          const message = `${round} ${group} ${name}`
          const isSent = await new Promise<boolean>((resolve) => {
            const to = group.startsWith('ff02') ? `${group}%${name}` : group
            socket.send(message, port, to, (error) => resolve(!error))
          })
          // It may be going down, and still be listed.
          if (!isSent) continue
          spoken.push({ group, on: name, from, message })
        }
      } finally {
        socket.close()
      }
    }
  }
  return spoken
}

/** A call that somebody may make, which does not contradict what is asked for already. */
function anyCall(
  pick: Pick,
  { options: { interfaces, sources }, isIPv4, receiver }: Witness,
): ['join' | 'leave', MembershipOptions] {
  const other = isIPv4 ? '10.0.2.1' : 'fd02::1'
  const source = sources && pick(undefined, undefined, sources[0], other)
  const call = pick('join', 'leave')
  const joined = receiver.memberships.map((membership) => membership.interface)
  const names = call === 'leave' ? [...joined, 'e9'] : ['e0', 'e1', 'e2', 'x0', 'x1', 'all']
  const named = pick(...names, ...(call === 'join' ? ['10.0.1.1', 'fd00::1'] : []))
  const name = pick(undefined, interfaces === 'default' ? 'default' : named)
  return [call, { interface: name, source }]
}

scenario(
  `memberships are true through ${steps} random changes`,
  [],
  async (lab) => {
    const pick = picks(seed)
    const churn = new Churn(lab.here, pick, 4)
    const program: string[] = []
    const witnesses = receivers.map((options, at) => new Witness(options, firstPort + at))
    try {
      await Promise.all(witnesses.map(({ receiver }) => receiver.ready()))
      for (let step = 0; step < steps; step += 1) {
        const changes = step === 0 ? 0 : pick(1, 1, 1, 2, 3)
        if (step === 0) churn.restore()
        for (let at = 0; at < changes; at += 1) program.push(churn.change())
        for (const witness of witnesses) witness.renamed(churn.renamed)
        churn.renamed.clear()
        const calls = pick(0, 0, 1, 3)
        for (let at = 0; at < calls; at += 1) {
          const witness = pick(...witnesses)
          const [call, given] = anyCall(pick, witness)
          const outcome = await witness.call(call, given)
          program.push(`${witness.options.group} ${call} ${JSON.stringify(given)}: ${outcome}`)
        }
        await settled(witnesses, step)
        program.push('settled')
      }
      for (const { heard, options } of witnesses) {
        const twice = [...heard].filter(([, times]) => times > 1)
        assert.deepEqual(twice, [], `${options.group} heard twice`)
      }
    } catch (error) {
      const told = program.map((line) => `    ${line}`).join('\n')
      throw new Error(`${reasonOf(error)}\nprogram of seed ${seed}:\n${told}`)
    } finally {
      await Promise.all(witnesses.map(({ receiver }) => receiver.close()))
      churn.clear()
    }
  },
  30_000 + 5000 * steps,
)

const reasonOf = (error: unknown): string => (error as Error).stack ?? String(error)

/** Resolves when each says what is true and hears what it says. */
async function settled(witnesses: readonly Witness[], step: number): Promise<void> {
  const end = Date.now() + BOUND
  for (let round = 0; ; round += 1) {
    const amiss = await firstAmiss(witnesses, `${step}.${round}`)
    if (amiss === undefined) return
    if (Date.now() > end) assert.fail(`not within ${BOUND} ms: ${amiss}`)
    await delay(200)
  }
}

async function firstAmiss(
  witnesses: readonly Witness[],
  round: string,
): Promise<string | undefined> {
  for (const witness of witnesses) {
    const amiss = await witness.amiss()
    if (amiss !== undefined) return `${JSON.stringify(witness.options)}: ${amiss}`
  }
  const expected = await speak(witnesses, round)
  // What the kernel has delivered is read in the next turns of the loop.
  await delay(100)
  for (const witness of witnesses) {
    const deaf = witness.hears(expected).find((message) => !witness.heard.has(message))
    if (deaf !== undefined) return `${JSON.stringify(witness.options)} has not heard ${deaf}`
  }
  return undefined
}
