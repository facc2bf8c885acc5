import { MulticastError, shown } from '../errors.js'
import { integer, isString, optional, type Rules, resolve, rule, wrongValue } from '../rules.js'
import { Chance, type FaultSettings, type Faults, faultRules, judge } from './faults.js'
import { type Home, MockHost, type MockInterface } from './host.js'
import { type Expected, Journal, type JournalEntry } from './journal.js'
import { isLinkLocal, isMulticast, type Link, staysOnLink } from './link.js'
import type { Outcome, Packet } from './packet.js'
import { type Platform, platforms } from './platform.js'
import { Schedule } from './schedule.js'
import { Segments } from './segments.js'
import { mismatch, Stack, type Track } from './stack.js'

/** The options of a {@link MockNetwork}: its faults, and what they follow. */
export interface MockNetworkOptions extends Faults {
  /** Where chance begins, an integer. The same seed gives the same run. Default: 1. */
  seed?: number | undefined
  /** How many datagrams the journal keeps, the last ones; 0 keeps none. Default: 10,000. */
  journalLimit?: number | undefined
  /** What `host()` takes for `platform`. Default: the system that this runs on, or else Linux. */
  platform?: Platform | undefined
}

/** The options of a host. */
export interface MockHostOptions {
  /** The name by which the journal tells of it. Default: `'host1'`, `'host2'` and so on. */
  name?: string | undefined
  /** Its interfaces beside `lo`: by name, the segment, or more of it. Default: `{ eth0: 'lan' }`. */
  interfaces?: Readonly<Record<string, string | MockInterface>> | undefined
  /** Whose rules its sockets follow. Default: the network's. */
  platform?: Platform | undefined
}

const isPlatform = (value: unknown, option: string): Platform => {
  if (typeof value === 'string' && Object.hasOwn(platforms, value)) return value as Platform
  throw wrongValue('ERR_MULTICAST_OPTION', option, "'linux', 'darwin' or 'win32'", value)
}

type Interfaces = NonNullable<MockHostOptions['interfaces']>

const isInterfaces = (value: unknown, option: string): Interfaces => {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isRecord) {
    throw wrongValue('ERR_MULTICAST_OPTION', option, 'an object of interfaces by name', value)
  }
  for (const [name, one] of Object.entries(value)) {
    if (typeof one === 'string' || (typeof one === 'object' && one !== null)) continue
    const wanted = 'the name of a segment, or an object with segment and addresses'
    throw wrongValue('ERR_MULTICAST_OPTION', `${option}.${name}`, wanted, one)
  }
  return value as Interfaces
}

const networkRules = {
  ...faultRules,
  seed: rule({
    default: 1,
    check: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  }),
  journalLimit: rule({ default: 10_000, check: integer(0, Number.MAX_SAFE_INTEGER) }),
  platform: rule({
    default: Object.hasOwn(platforms, process.platform) ? process.platform : 'linux',
    check: isPlatform,
  }),
} satisfies Rules

const hostRules = {
  name: rule({ check: optional(isString) }),
  interfaces: rule({ default: { eth0: 'lan' }, check: isInterfaces }),
  platform: rule({ check: optional(isPlatform) }),
} satisfies Rules

const ignore: Track = () => () => {}

/**
 * A network in memory, whose hosts have sockets that follow the rules of Linux's, and whose faults
 * come when they are asked for. Networks do not see each other.
 *
 *     const network = new MockNetwork({ loss: 0.1 })
 *     const receiver = new MulticastReceiver({ group, port, ...network.host() })
 */
export class MockNetwork {
  readonly #schedule = new Schedule()
  readonly #segments = new Segments()
  readonly #journal: Journal
  readonly #chance: Chance
  readonly #platform: Platform
  readonly #stacks: Stack[] = []
  #faults: FaultSettings
  /** The part of the network that a host is in, while it is parted. */
  #parts = new Map<Stack, number>()
  readonly #hosts = new WeakMap<MockHost, Stack>()
  /** What the next datagram to a host is to overtake. */
  readonly #overtaken = new Map<Stack, (() => void)[]>()

  /** @throws MulticastError `ERR_MULTICAST_OPTION`, `ERR_MULTICAST_UNKNOWN_OPTION`. */
  constructor(options: MockNetworkOptions = {}) {
    const { seed, journalLimit, platform, ...faults } = resolve(networkRules, options)
    this.#journal = new Journal(journalLimit)
    this.#chance = new Chance(seed)
    this.#platform = platform
    this.#faults = faults
  }

  /**
   * Adds a host, with a loopback interface `lo` and by default one interface `eth0` on the segment `lan`.
   * Its default route leads through the first of its interfaces that is up.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION`, `ERR_MULTICAST_UNKNOWN_OPTION`.
   */
  host(options: MockHostOptions = {}): MockHost {
    const { name, interfaces, platform } = resolve(hostRules, options)
    const number = this.#stacks.length + 1
    const stack = new Stack(name ?? `host${number}`, platforms[platform ?? this.#platform], {
      multicast: (...sent) => this.#multicast(...sent),
      unicast: (...sent) => this.#unicast(...sent),
    })
    const home: Home = {
      stack,
      number,
      schedule: this.#schedule,
      addressesOn: (segment) => this.#segments.addressesOn(segment),
    }
    const host = new MockHost(home, interfaces)
    this.#stacks.push(stack)
    this.#hosts.set(host, stack)
    return host
  }

  /**
   * Adds a router between segments. It lowers the TTL, forwards every group to each of them, but for the
   * link-local ones, and finds the way for replies.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` for fewer than two segments.
   */
  router(...segments: [string, string, ...string[]]): void {
    const names = segments.filter((name) => typeof name === 'string')
    if (names.length < 2 || names.length < segments.length) {
      throw wrongValue(
        'ERR_MULTICAST_OPTION',
        'A router',
        'between at least two segments',
        segments,
      )
    }
    this.#segments.connect(segments)
  }

  /** Changes faults from now on; those that are left out stay as they are. Throws as the constructor. */
  setFaults(faults: Faults): void {
    const given = Object.entries(faults).filter(([, value]) => value !== undefined)
    this.#faults = resolve(faultRules, { ...this.#faults, ...Object.fromEntries(given) })
  }

  /**
   * Parts the network: hosts of different parts do not hear each other from now on. One that is in no
   * part hears all. It takes the place of the partition before.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` if a host is not of this network, or in two parts.
   */
  partition(...parts: readonly (readonly MockHost[])[]): void {
    const partOf = new Map<Stack, number>()
    for (const [part, hosts] of parts.entries()) {
      for (const host of hosts) {
        const stack = this.#hosts.get(host)
        if (stack === undefined || partOf.has(stack)) {
          const why =
            stack === undefined
              ? `${shown(host)} is no host of this network`
              : `${stack.name} is in two parts`
          throw new MulticastError('ERR_MULTICAST_OPTION', `A partition is of hosts, but ${why}`)
        }
        partOf.set(stack, part)
      }
    }
    this.#parts = partOf
  }

  /** Ends a partition. */
  heal(): void {
    this.#parts = new Map()
  }

  /**
   * Resolves when nothing is in flight any more: sockets have opened or closed, datagrams have arrived
   * and been heard, and so have the answers that they led to. What is delayed comes by the timers of the
   * moment: let fake ones pass first.
   */
  settled(): Promise<void> {
    return this.#schedule.settled()
  }

  /** The datagrams that were sent, the oldest first, each with what became of it at each socket. */
  get journal(): readonly JournalEntry[] {
    return this.#journal.entries
  }

  /**
   * Throws an AssertionError that shows each datagram of the journal that none of `expected` describes.
   * With none, nothing may have been sent.
   */
  assertNothingUnexpected(...expected: readonly Expected[]): void {
    this.#journal.assertNothingUnexpected(expected)
  }

  #multicast(sender: Stack, link: Link, packet: Packet, loopback: boolean, leaves: boolean): void {
    const entry = this.#journal.open(sender.name, link, packet)
    if (link.segment === undefined) {
      this.#carry(sender, sender, link, packet, 0, entry, false)
      return
    }
    if (loopback) this.#carry(sender, sender, link, packet, 0, entry, true)
    else miss(sender, link, packet, 'loopback-off', entry)
    const reach = this.#segments.from(link.segment)
    for (const host of this.#stacks) {
      if (host === sender) continue
      for (const [on, refusal] of this.#arrivals(sender, host, packet, leaves, reach)) {
        if (typeof refusal === 'number') {
          this.#carry(sender, host, on, packet, refusal, entry, false)
        } else miss(host, on, packet, refusal, entry)
      }
    }
  }

  /** By which links a group's datagram comes to a host, over how many routers, or why it does not. */
  #arrivals(
    sender: Stack,
    host: Stack,
    { destination, ttl }: Packet,
    leaves: boolean,
    reach: ReadonlyMap<string, number>,
  ): [Link, number | Outcome][] {
    const arrivals: [Link, number | Outcome][] = []
    for (const link of host.links.values()) {
      if (link.segment === undefined) continue
      const routers = reach.get(link.segment)
      const refusal =
        routers === undefined
          ? 'unreachable'
          : routers > 0 && staysOnLink(destination)
            ? 'scope'
            : !leaves || (routers > 0 && ttl <= routers)
              ? 'ttl'
              : this.#isParted(sender, host)
                ? 'partition'
                : link.isUp
                  ? routers
                  : 'interface-down'
      arrivals.push([link, refusal])
    }
    // Of a link that no way leads to it says something only where that holds for all of them.
    const reached = arrivals.filter(([, refusal]) => refusal !== 'unreachable')
    return reached.length > 0 ? reached : arrivals.slice(0, 1)
  }

  #unicast(sender: Stack, link: Link, packet: Packet): void {
    const { destination } = packet
    const entry = this.#journal.open(sender.name, link, packet)
    if (sender.isOwn(destination, link)) {
      this.#carry(sender, sender, link, packet, 0, entry, false)
      return
    }
    if (link.segment === undefined) return
    const reach = this.#segments.from(link.segment)
    for (const host of this.#stacks) {
      if (host === sender) continue
      for (const on of host.links.values()) {
        const routers = on.segment === undefined ? undefined : reach.get(on.segment)
        const isThere = on.addresses.some(({ address }) => address === destination)
        if (!isThere || routers === undefined || (routers > 0 && isLinkLocal(destination))) continue
        const refusal = this.#isParted(sender, host)
          ? 'partition'
          : on.isUp
            ? undefined
            : 'interface-down'
        if (refusal === undefined) this.#carry(sender, host, on, packet, routers, entry, false)
        else miss(host, on, packet, refusal, entry)
        return
      }
    }
  }

  #isParted(one: Stack, other: Stack): boolean {
    const [part, another] = [this.#parts.get(one), this.#parts.get(other)]
    return part !== undefined && another !== undefined && part !== another
  }

  /** Takes a datagram to a host that it reaches, through the faults of the moment. */
  #carry(
    sender: Stack,
    host: Stack,
    link: Link,
    sent: Packet,
    routers: number,
    entry: JournalEntry | undefined,
    isOwn: boolean,
  ): void {
    const packet = routers === 0 ? sent : { ...sent, ttl: sent.ttl - routers }
    const { delays, overtaken, lostBy } = judge(this.#faults, this.#chance, () => ({
      data: Buffer.from(packet.data),
      from: { host: sender.name, address: packet.source, port: packet.sourcePort },
      to: { host: host.name, address: packet.destination, port: packet.port },
      ttl: packet.ttl,
    }))
    if (delays.length === 0) miss(host, link, packet, lostBy, entry)
    const arrive = (): void => arriveAt(host, link, packet, isOwn, entry)
    for (const delay of delays) {
      if (delay === 0) this.#hand(host, arrive, overtaken)
      else this.#schedule.after(delay, () => this.#hand(host, arrive, overtaken))
    }
  }

  /** Lets it arrive, before what it overtakes and after what overtakes it. */
  #hand(host: Stack, arrive: () => void, overtaken: boolean): void {
    const waiting = this.#overtaken.get(host) ?? []
    if (!overtaken) {
      arrive()
      this.#overtaken.delete(host)
      for (const late of waiting) late()
      return
    }
    this.#overtaken.set(host, [...waiting, arrive])
    // In the first turn its sender learns that it has gone, and may send what overtakes it.
    this.#schedule.soon(() =>
      this.#schedule.soon(() => {
        const left = this.#overtaken.get(host)
        if (!left?.includes(arrive)) return
        this.#overtaken.set(
          host,
          left.filter((one) => one !== arrive),
        )
        arrive()
      }),
    )
  }
}

/** The datagram is there: the host's stack looks for whom it is. */
function arriveAt(
  host: Stack,
  link: Link,
  packet: Packet,
  isOwn: boolean,
  entry: JournalEntry | undefined,
): void {
  // It may have been on its way for long.
  if (!link.isUp || host.links.get(link.name) !== link) {
    miss(host, link, packet, 'interface-down', entry)
    return
  }
  const track: Track =
    entry === undefined ? ignore : (socket) => entry.note(host.name, link, socket, 'in-flight')
  if (isMulticast(packet.destination)) host.hearGroup(link, packet, isOwn, track)
  else host.hear(link, packet, track)
}

/** Notes why none of a host's sockets hears it. */
function miss(
  host: Stack,
  link: Link,
  packet: Packet,
  outcome: Outcome,
  entry: JournalEntry | undefined,
): void {
  if (entry === undefined) return
  for (const socket of host.sockets) {
    if (socket.family !== packet.family) continue
    entry.note(host.name, link, socket, mismatch(socket, packet) ?? outcome)
  }
}
