import { AssertionError } from 'node:assert'
import { MulticastError, shown } from '../errors.js'
import { integer, isString, optional, type Rules, resolve, rule, wrongValue } from '../rules.js'
import type { Stack } from '../stack/stack.js'
import { type Faults, faultRules } from './faults.js'
import { type Home, isInterfaces, MockHost, type MockInterface } from './host.js'
import { type Expected, Journal, type JournalEntry } from './journal.js'
import { type Platform, platforms } from './platform.js'
import { Schedule } from './schedule.js'
import { Segments } from './segments.js'
import { Transport } from './transport.js'

/** The options of a {@link MockNetwork}: its faults, and what they depend on. */
export interface MockNetworkOptions extends Faults {
  /**
   * The seed of its random numbers, an integer. With the same seed, the n-th datagram from a host to an
   * interface of another meets the same fate. Default: 1.
   */
  seed?: number | undefined
  /** How many datagrams the journal keeps: the last ones. 0 keeps none. Default: 10,000. */
  journalLimit?: number | undefined
  /** The default of a host's `platform`. Default: the system that this runs on, or Linux if it is another one. */
  platform?: Platform | undefined
}

/** The options of {@link MockNetwork.host}. */
export interface MockHostOptions {
  /** Its name in the journal. Default: `'host1'`, `'host2'` and so on. */
  name?: string | undefined
  /** Its interfaces besides `lo`: for each name its segment, or a {@link MockInterface}. Default: `{ eth0: 'lan' }`. */
  interfaces?: Readonly<Record<string, string | MockInterface>> | undefined
  /** The system whose rules its sockets follow. Default: the network's `platform`. */
  platform?: Platform | undefined
}

const isPlatform = (value: unknown, option: string): Platform => {
  if (typeof value === 'string' && Object.hasOwn(platforms, value)) return value as Platform
  throw wrongValue('ERR_MULTICAST_OPTION', option, "'linux', 'darwin' or 'win32'", value)
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

/**
 * A network in memory, for tests. The sockets of its hosts follow the rules of Linux's kernel, and it has the
 * faults that you ask for. Networks do not see each other.
 *
 * @example
 * ```ts
 * import { MulticastReceiver, MulticastSender, text } from 'typed-multicast'
 * import { MockNetwork } from 'typed-multicast/testing'
 *
 * const network = new MockNetwork()
 * const where = { group: '239.1.2.3', port: 10000, codec: text }
 * const receiver = new MulticastReceiver({ ...where, ...network.host() })
 * const sender = new MulticastSender({ ...where, ...network.host() })
 * receiver.on('message', (message) => console.log(message)) // hello
 * await receiver.ready()
 * await sender.send('hello')
 * await network.settled()
 * await network.close()
 * ```
 */
export class MockNetwork {
  readonly #schedule = new Schedule()
  readonly #segments = new Segments()
  readonly #journal: Journal
  readonly #transport: Transport
  readonly #platform: Platform
  readonly #stacks = new WeakMap<MockHost, Stack>()

  /**
   * Adds a host, with a loopback interface `lo` and, by default, one interface `eth0` on the segment `lan`.
   * Its default route leads through the first of its interfaces that is up.
   *
   * @example
   * ```ts
   * import { MockNetwork } from 'typed-multicast/testing'
   *
   * const host = new MockNetwork().host({ name: 'box', interfaces: { eth0: 'lan', eth1: 'dmz' } })
   * console.log(Object.keys(host.networkInterfaces())) // [ 'lo', 'eth0', 'eth1' ]
   * ```
   * @throws MulticastError `ERR_MULTICAST_OPTION`, `ERR_MULTICAST_UNKNOWN_OPTION`.
   */
  readonly host: (options?: MockHostOptions) => MockHost

  /**
   * Makes a network without hosts; {@link host} adds them.
   *
   * @param options The faults (`loss`, `latency` and others), the `seed` of their random numbers, the
   * `journalLimit` and the `platform` of the hosts. Default: a network without faults.
   * @example
   * ```ts
   * new MockNetwork({ seed: 1, loss: 0.1, latency: 5 })
   * ```
   * @throws MulticastError `ERR_MULTICAST_OPTION`, `ERR_MULTICAST_UNKNOWN_OPTION`.
   */
  constructor(options: MockNetworkOptions = {}) {
    const { seed, journalLimit, platform, ...faults } = resolve(networkRules, options)
    this.#journal = new Journal(journalLimit)
    this.#platform = platform
    this.#transport = new Transport(faults, {
      segments: this.#segments,
      seed,
      schedule: this.#schedule,
      journal: this.#journal,
    })
    this.host = (options = {}) => this.#host(options)
    // Spread in place of a host, the network or this function would leave a sender on the real network.
    // So both have something to spread, which no sender or receiver takes.
    Object.defineProperty(this.host, 'host', { value: this.host, enumerable: true })
  }

  #host(options: MockHostOptions): MockHost {
    const { name, interfaces, platform } = resolve(hostRules, options)
    const { hosts } = this.#transport
    const number = hosts.length + 1
    const unique = name ?? `host${number}`
    if (hosts.some((host) => host.name === unique)) {
      throw wrongValue('ERR_MULTICAST_OPTION', 'name', 'one that no other host has', unique)
    }
    const stack = this.#transport.attach(unique, platforms[platform ?? this.#platform])
    const home: Home = {
      stack,
      number,
      segments: this.#segments,
      transport: this.#transport,
    }
    const host = new MockHost(home, interfaces)
    this.#stacks.set(host, stack)
    return host
  }

  /**
   * Adds a router between segments. It lowers the TTL, forwards every group to each of them except the
   * link-local ones, and routes replies.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` for fewer than two segments, or the same one twice.
   */
  router(...segments: [string, string, ...string[]]): void {
    const names = new Set(segments.filter((name) => typeof name === 'string'))
    if (names.size < 2 || names.size < segments.length) {
      throw wrongValue('ERR_MULTICAST_OPTION', 'A router', 'between two segments or more', segments)
    }
    this.#segments.connect(segments)
  }

  /**
   * Changes the faults that are given, from now on; `undefined` is the default. Throws as the constructor does.
   */
  setFaults(faults: Faults): void {
    resolve(faultRules, faults)
    this.#transport.faults = resolve(faultRules, { ...this.#transport.faults, ...faults })
  }

  /**
   * Splits the network: from now on hosts in different parts do not hear each other. A host that is in no part
   * hears all of them. It replaces the previous partition.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` if a host is not of this network, or in two parts.
   */
  partition(...parts: readonly (readonly MockHost[])[]): void {
    const partOf = new Map<Stack, number>()
    for (const [part, hosts] of parts.entries()) {
      if (!Array.isArray(hosts)) {
        throw wrongValue('ERR_MULTICAST_OPTION', 'A part', 'a list of hosts', hosts)
      }
      for (const host of hosts) {
        const stack = this.#stacks.get(host)
        if (stack === undefined || partOf.has(stack)) {
          const wrong =
            stack === undefined
              ? `A part must consist of hosts of this network, but ${host instanceof MockHost ? `${host.name} of another one` : shown(host)} is not`
              : `A host can be in one part only, but ${stack.name} is in two parts`
          throw new MulticastError('ERR_MULTICAST_OPTION', wrong)
        }
        partOf.set(stack, part)
      }
    }
    this.#transport.parts = partOf
  }

  /** Ends the {@link partition}. */
  heal(): void {
    this.#transport.parts = new Map()
  }

  /**
   * Resolves when nothing is in flight any more: sockets have opened or closed, and datagrams, and the answers
   * to them, have arrived and been heard. What is delayed waits for whatever timers were in place: move fake ones
   * on meanwhile, or see {@link idle}.
   */
  settled(): Promise<void> {
    return this.#schedule.settled()
  }

  /**
   * Resolves when nothing more happens until time passes. Like {@link settled}, but what is delayed may
   * still be in flight: for fake timers that the test moves on itself.
   */
  idle(): Promise<void> {
    return this.#schedule.idle()
  }

  /**
   * Closes every socket on the hosts of this network, and with them the senders, receivers and peers that use
   * them, and drops what is delayed. Resolves when they are gone. For the end of a test, which may have failed
   * before it closed them.
   */
  async close(): Promise<void> {
    this.#schedule.cancel()
    // What has just been made has no socket yet, and what is closed may lead to another.
    for (let pass = 0; pass < 2; pass += 1) {
      await this.idle()
      for (const { clients } of this.#transport.hosts) {
        for (const client of clients) client.close()
      }
    }
    await this.idle()
    this.#schedule.cancel()
  }

  /** `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The datagrams that were sent, the oldest first, each with what became of it at each socket. */
  get journal(): readonly JournalEntry[] {
    return this.#journal.entries
  }

  /**
   * Throws an AssertionError that shows each datagram of the journal that matches none of `expected`.
   * Without arguments nothing may have been sent.
   */
  assertNothingUnexpected(...expected: readonly Expected[]): void {
    const message = this.#journal.complaint(expected)
    if (message === undefined) return
    throw new AssertionError({ message, stackStartFn: this.assertNothingUnexpected })
  }
}
