import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { splitZone } from '../address.js'
import { errno, hint, isOfChange, type MulticastError, reasonOf } from '../errors.js'
import type { Interface } from '../interfaces.js'
import { OwnAddresses } from '../own-addresses.js'
import { MulticastReceiver } from '../receiver.js'
import { MulticastSender } from '../sender.js'
import { bad, doubtful, type Finding, good } from './finding.js'
import { DENIED, isLoopback, type Look } from './look.js'
import { inTime } from './patience.js'
import { newId, parsed, written } from './probe.js'
import { claimants, named } from './programs.js'

/** The receive buffer that the doctor asks for. */
const BUFFER = 2 ** 20

/** Another doctor. */
export interface Peer {
  readonly address: string
  /** Whether its multicast is heard here. */
  isHeard: boolean
  /** Whether it says that it hears this one. */
  hears: boolean
  /** How often this one had sent when it learned of it. */
  readonly since: number
}

/** A way that the doctor sends by. */
interface Voice {
  readonly name: string
  readonly sender: MulticastSender
}

/** The doctor's own sockets: one that hears the group, and one to send by for each interface. */
export class OwnSockets {
  /** The interfaces from which an own datagram came back, by their places. */
  readonly back = new Set<number>()
  /** The datagrams of others, by whom they are from, but for those of doctors. */
  readonly strangers = new Map<string, number>()
  /** The datagrams of other doctors. */
  probes = 0
  /** Datagrams of other programs of this host. */
  local = 0
  /** How many own ones came back, and went out. */
  heard = 0
  sent = 0
  /** How often it has sent through all of its interfaces. */
  rounds = 0
  readonly peers = new Map<string, Peer>()
  readonly receiver: MulticastReceiver
  /** The interfaces that it could not join on, by their places. */
  readonly deaf = new Set<number>()
  readonly #id = newId()
  readonly #voices: Voice[] = []
  readonly #voice: (name: string) => Voice
  readonly #ways: readonly string[]
  readonly #addresses: OwnAddresses
  /** When each doctor was answered last. */
  readonly #answered = new Map<string, number>()
  #isWatching = false
  #dropsBefore = 0

  constructor(look: Look) {
    const { subject, usable } = look
    const { group, port, interfaces, ttl, quiet, carrier } = subject
    this.#addresses = new OwnAddresses(subject.networkInterfaces)
    const to = {
      group: group.zone === undefined ? group.address : `${group.address}%${group.zone}`,
      port,
      followInterfaces: false,
      ...carrier,
    }
    this.receiver = new MulticastReceiver({
      ...to,
      // The rest is joined one by one, so that one that refuses does not spoil the others. Not the
      // loopback interface beside others: its own reports would come in again, and be counted.
      interfaces: interfaces === 'default' ? interfaces : usable.slice(0, 1).map(nameOf),
      recvBufferSize: BUFFER,
    })
    this.receiver.on('error', () => {})
    this.receiver.on('message', (data, remote) => {
      this.#hear(data, remote)
      const probe = this.#isWatching && !quiet ? parsed(data) : undefined
      if (probe !== undefined && this.peers.has(probe.id)) this.#answer(probe.id, remote)
    })
    const ways = interfaces === 'default' ? ['default'] : usable.map(nameOf)
    this.#ways = quiet ? [] : ways
    this.#voice = (name) => {
      const sender = new MulticastSender({ ...to, interfaces: name, ttl })
      sender.on('error', () => {})
      // Answers, which other doctors send to it alone.
      sender.on('message', (data, { address }) => this.#learn(data, address, false))
      return { name, sender }
    }
  }

  /** Joins; rejects where that cannot be. */
  async open(): Promise<void> {
    await inTime(this.receiver.ready())
    // One by one, so that those are closed that were made before one whose interface has gone.
    for (const name of this.#ways) this.#voices.push(this.#voice(name))
    this.#dropsBefore = (await this.receiver.kernelDrops()) ?? 0
  }

  /** The datagrams that were lost since. Those of an endpoint on the same address and port are among them. */
  async drops(): Promise<number> {
    return ((await this.receiver.kernelDrops()) ?? 0) - this.#dropsBefore
  }

  get names(): readonly string[] {
    return this.#voices.map(({ name }) => name)
  }

  /** The addresses of other hosts that were heard. */
  get others(): ReadonlySet<string> {
    const doctors = [...this.peers.values()].map(({ address }) => address)
    return new Set([...this.strangers.keys(), ...doctors].map((address) => splitZone(address)[0]))
  }

  /** Sends through each interface, or those at these places. Returns why the first could not, by place. */
  async send(places?: readonly number[]): Promise<ReadonlyMap<number, unknown>> {
    const failures = new Map<number, unknown>()
    this.rounds += 1
    const heard = [...this.peers].flatMap(([id, { isHeard }]) => (isHeard ? id : []))
    await Promise.all(
      this.#voices.map(async ({ sender }, by) => {
        if (places !== undefined && !places.includes(by)) return
        try {
          await inTime(sender.send(written({ id: this.#id, by, heard })))
          this.sent += 1
        } catch (error) {
          failures.set(by, error)
        }
      }),
    )
    return failures
  }

  /** Counts anew, from now on. */
  reset(): void {
    this.strangers.clear()
    this.probes = 0
    this.local = 0
    this.heard = 0
    this.sent = 0
    this.#isWatching = true
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.close()))
  }

  /** Lets the process end though they are open. */
  unref(): void {
    for (const one of this.#all) one.unref()
  }

  get #all(): readonly (MulticastReceiver | MulticastSender)[] {
    return [this.receiver, ...this.#voices.map(({ sender }) => sender)]
  }

  #hear(data: Buffer, { address }: Pick<AddressInfo, 'address'>): void {
    const probe = parsed(data)
    if (probe?.id === this.#id) {
      this.heard += 1
      this.back.add(probe.by)
    } else if (this.#addresses.has(address)) this.local += 1
    else if (probe !== undefined) {
      this.probes += 1
      this.#learn(data, address, true)
    } else if (this.strangers.has(address) || this.strangers.size < 1024) {
      // Whoever forges many addresses does not fill the memory.
      this.strangers.set(address, (this.strangers.get(address) ?? 0) + 1)
    }
  }

  #learn(data: Buffer, address: string, isHeard: boolean): void {
    const probe = parsed(data)
    if (probe === undefined || probe.id === this.#id || this.#addresses.has(address)) return
    const peer = this.peers.get(probe.id) ?? {
      address,
      isHeard: false,
      hears: false,
      since: this.rounds,
    }
    if (this.peers.size >= 64 && !this.peers.has(probe.id)) return
    peer.isHeard ||= isHeard
    peer.hears ||= probe.heard.includes(this.#id)
    this.peers.set(probe.id, peer)
  }

  /** Tells another doctor by unicast that it is heard, at most once a second: it may not hear the group. */
  #answer(id: string, remote: { address: string; port: number }): void {
    const now = performance.now()
    if (now - (this.#answered.get(id) ?? Number.NEGATIVE_INFINITY) < 900) return
    this.#answered.set(id, now)
    const heard = [id, ...this.peers.keys()]
    // Whether it gets there is seen by the other.
    this.receiver.reply(written({ id: this.#id, by: 0, heard }), remote).catch(() => {})
  }
}

function nameOf(on: Interface): string {
  // An address that several have cannot be named otherwise.
  return on.given ?? (on.others === undefined ? on.name : on.handle)
}

/** Opens the doctor's own sockets and joins. Returns false if that cannot be. */
export async function* joining(own: OwnSockets, look: Look): AsyncGenerator<Finding, boolean> {
  const { group, port, isAsked, isOfSystem, examination, interfaces } = look.subject
  const { receiver } = own
  try {
    await own.open()
  } catch (error) {
    yield refused(error as MulticastError, look)
    return false
  }
  for (const [place, on] of look.usable.entries()) {
    if (interfaces === 'default' || place === 0) continue
    try {
      await inTime(receiver.join({ interface: nameOf(on) }))
    } catch (error) {
      own.deaf.add(place)
      yield doubtful(
        'membership',
        `The doctor could not join on ${on.name}: ${reasonOf(error)}`,
        isOfSystem ? 'ip maddr shows what is joined there' : 'leave other groups there first',
      )
    }
  }
  const names = receiver.memberships.map((membership) => membership.interface)
  const others =
    isAsked && isOfSystem
      ? '. Meanwhile other programs on this host may hear what they have not joined themselves'
      : ''
  yield good('membership', `The doctor has joined ${group.address} on ${names.join(', ')}${others}`)
  const hasPort = look.usable.some(({ name }) => !isLoopback(look.table, name))
  if (examination?.excludes !== undefined && hasPort)
    yield good('port', `port ${port} is this program's`)
  if (!isOfSystem) return true
  const granted = receiver.recvBufferSize
  const cut = granted < BUFFER ? ' (limited by net.core.rmem_max)' : ''
  yield good(
    'buffer',
    `The doctor asked for a receive buffer of ${BUFFER} bytes, and got ${granted}${cut}`,
  )
  return true
}

/** Why the doctor could not join. */
function refused(error: MulticastError, look: Look): Finding {
  const { subject } = look
  if (error.code === 'ERR_MULTICAST_PORT_IN_USE') {
    const who = claimants(look).map(named).join(', ')
    const seen = `port ${subject.port} is in use${who && `, bound to ${who}`}`
    return bad('port', seen, hint('bind', error.cause))
  }
  if (errno(error.cause) === 'EADDRNOTAVAIL' && subject.examination?.excludes !== undefined) {
    return bad('address', reasonOf(error), hint('bind', error.cause))
  }
  if (errno(error.cause) === DENIED) {
    return bad('system', 'Node is not allowed to open sockets', 'start Node with --allow-net')
  }
  if (error.code === 'ERR_MULTICAST_MEMBERSHIP_LIMIT' && subject.isOfSystem) {
    return bad('membership', reasonOf(error), 'raise net.ipv4.igmp_max_memberships')
  }
  return doubtful(
    'self-test',
    `Not made: the doctor could not join ${subject.group.address}: ${reasonOf(error)}`,
    'fix the findings above, then run the doctor again',
  )
}

/**
 * Sends through each interface, and looks whether it comes back: nothing but this host's own rules can keep
 * it from that.
 */
export async function* selfTest(own: OwnSockets, look: Look): AsyncIterable<Finding> {
  const { subject } = look
  const { group, ttl, isOfSystem } = subject
  const { names } = own
  let failures: ReadonlyMap<number, unknown> = new Map()
  const silent = (): number[] =>
    [...names.keys()].filter(
      (place) => !own.back.has(place) && !failures.has(place) && !own.deaf.has(place),
    )
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const places = silent()
    if (places.length === 0) break
    failures = new Map([...failures, ...(await own.send(places))])
    for (let waited = 0; waited < 300 && silent().length > 0; waited += 5) await delay(5)
  }
  for (const [place, error] of failures) yield unsent(error, names[place] ?? '', look)
  const lost = silent().map((place) => names[place])
  const heard = names.filter((_, place) => own.back.has(place))
  if (heard.length > 0) {
    const by = heard.join(', ')
    yield good('self-test', `Datagrams sent through ${by} (TTL ${ttl}) came back to this host`)
  }
  if (lost.length > 0) {
    const seen = `Datagrams sent through ${lost.join(', ')} went out, but did not come back to a socket here that has joined ${group.address}`
    if ((await own.drops()) > 0) {
      yield doubtful(
        'buffer',
        `${seen}: so much arrives that they may have been lost`,
        'run the doctor again when less is sent',
      )
    } else if (isOfSystem && process.platform === 'linux') {
      yield bad(
        'firewall',
        `${seen}: this host's rules drop them`,
        `let UDP to port ${subject.port} in: nft list ruleset, or iptables -S INPUT, shows what drops it`,
      )
    } else if (isOfSystem) yield bad('self-test', seen, "look at this host's firewall")
    else yield bad('self-test', seen, 'the carrier has to bring back what is sent (loopback)')
  }
}

/** Why an own datagram could not be sent. */
function unsent(error: unknown, name: string, { subject, table, usable }: Look): Finding {
  const seen = `The doctor could not send through ${name}: ${reasonOf(error)}`
  const { cause } = error as Error
  const code = errno(cause)
  if (!subject.isOfSystem) {
    const remedy =
      cause === undefined
        ? 'look at the network or server that the carrier goes by'
        : hint('send', cause)
    return (isOfChange(cause) ? doubtful : bad)('self-test', seen, remedy)
  }
  if (code === 'EPERM' || code === 'EACCES') {
    return bad('firewall', seen, 'let UDP to the group out: iptables -S OUTPUT, nft list ruleset')
  }
  const remedy = 'ip link, ip addr and ip route show what is wrong with the interface'
  if (usable.every((on) => isLoopback(table, on.name))) return doubtful('self-test', seen, remedy)
  if (subject.interfaces === 'default')
    return bad('route', seen, 'add a route, or name an interface')
  if (isOfChange(cause)) return doubtful('self-test', seen, remedy)
  return bad('self-test', seen, remedy)
}

/** What to say where nothing can be sent or joined. */
export function notMade(why: string): Finding {
  return doubtful(
    'self-test',
    `Not made: ${why}`,
    'fix the findings above, then run the doctor again',
  )
}
