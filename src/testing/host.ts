import { MulticastError, shown } from '../errors.js'
import type { NetworkInterfaces, WatchInterfaces } from '../interfaces.js'
import { integer, optional, type Rules, resolve, rule, wrongValue } from '../rules.js'
import { type CreateStackSocket, type Dgram, dgramOn } from '../stack/dgram.js'
import { createLink, describe, type Link } from '../stack/link.js'
import { type AddressOptions, parseAddresses, renewed } from '../stack/link-address.js'
import type { Stack } from '../stack/stack.js'
import { isErrno } from '../stack/system-error.js'
import type { Segments } from './segments.js'
import type { Transport } from './transport.js'

/** One network interface of a mock host. */
export interface MockInterface {
  /** The segment that it is plugged into. Default: `'lan'`. */
  segment?: string | undefined
  /**
   * Its addresses, with or without a prefix length (by default 24 bits for IPv4, 64 for IPv6). Default: an IPv4
   * address, a global and a link-local IPv6 address, different for each interface. They are listed in the
   * order in which Linux lists them when they are added in this order.
   */
  addresses?: readonly (string | AddressOptions)[] | undefined
}

const checkCount = integer(0, Number.MAX_SAFE_INTEGER)

// None are addresses too: an interface can lose them all.
const isAddresses = (value: unknown, option: string): readonly unknown[] => {
  if (!Array.isArray(value)) {
    throw wrongValue('ERR_MULTICAST_OPTION', option, 'a list of addresses', value)
  }
  parseAddresses(value)
  return value
}

const interfaceRules = {
  segment: rule({ check: optional(isName) }),
  addresses: rule({ check: optional(isAddresses) }),
} satisfies Rules

function isName(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'a name', value)
}

/** The interfaces of a new host, checked as a whole, before any of them takes addresses. */
export function isInterfaces(
  value: unknown,
  option: string,
): Readonly<Record<string, MockInterface>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongValue('ERR_MULTICAST_OPTION', option, 'an object of interfaces by name', value)
  }
  const interfaces: Record<string, MockInterface> = {}
  for (const [name, given] of Object.entries(value)) {
    isName(name, `A name in ${option}`)
    if (name === 'lo') {
      throw wrongValue(
        'ERR_MULTICAST_OPTION',
        `A name in ${option}`,
        "other than 'lo', which every host has",
        name,
      )
    }
    if (typeof given !== 'string' && (typeof given !== 'object' || given === null)) {
      const wanted = 'the name of a segment, or an object with segment and addresses'
      throw wrongValue('ERR_MULTICAST_OPTION', `${option}.${name}`, wanted, given)
    }
    interfaces[name] =
      typeof given === 'string' ? { segment: isName(given, `${option}.${name}`) } : given
    resolve(interfaceRules, interfaces[name])
  }
  return interfaces
}

/** What a host needs of its network. */
export interface Home {
  readonly stack: Stack
  /** The number of the host in its network, from 1. */
  readonly number: number
  readonly segments: Segments
  readonly transport: Transport
}

/**
 * A host of a {@link MockNetwork}. Spread it into the options of a sender, receiver or peer, which then
 * runs on it. Only `createSocket`, `networkInterfaces` and `watchInterfaces` are its own properties, and so
 * only these are spread.
 *
 * @example
 * ```ts
 * import { MulticastReceiver } from 'typed-multicast'
 * import { MockNetwork } from 'typed-multicast/testing'
 *
 * const network = new MockNetwork()
 * const host = network.host({ name: 'laptop' })
 * const receiver = new MulticastReceiver({ group: '239.1.2.3', port: 10000, ...host })
 * await receiver.ready()
 * host.down('eth0')
 * await network.close()
 * ```
 */
export class MockHost {
  /** Makes a socket on this host, as node:dgram's `createSocket` does. */
  readonly createSocket: CreateStackSocket
  /** Lists the host's interfaces that are up, as node:os does. */
  readonly networkInterfaces: () => NetworkInterfaces
  /** Reports at once each change made by {@link down}, {@link up} and the methods below. */
  readonly watchInterfaces: WatchInterfaces

  readonly #watchers = new Set<{ readonly onChange: (lost: readonly string[]) => void }>()
  readonly #home: Home
  readonly #dgram: Dgram
  #links = 0
  /** What each interface is like, or was when it was removed. */
  readonly #plugs = new Map<
    string,
    { segment: string | undefined; addresses: readonly unknown[] }
  >()

  /** @internal */
  constructor(home: Home, interfaces: Readonly<Record<string, MockInterface>>) {
    this.#home = home
    const { stack, number } = home
    const { createSocket, dgram } = dgramOn(stack)
    this.createSocket = createSocket
    this.#dgram = dgram
    this.networkInterfaces = () => describe(stack.routing.links.values(), number)
    this.watchInterfaces = (onChange) => {
      const watcher = { onChange }
      this.#watchers.add(watcher)
      return () => this.#watchers.delete(watcher)
    }
    this.#plug('lo', undefined, ['127.0.0.1/8', '::1/128'])
    for (const [name, options] of Object.entries(interfaces)) this.add(name, options)
  }

  /**
   * What stands in the place of `node:dgram` on this host: `createSocket` and `Socket`. For code that takes the
   * module as an argument, or gets it from a test framework that replaces modules.
   */
  get dgram(): Dgram {
    return this.#dgram
  }

  /** Its name in the journal. */
  get name(): string {
    return this.#home.stack.name
  }

  /**
   * The address that other hosts see, as a test needs it for `sources`: its first IPv4 address other than
   * 127.0.0.1 and those of link scope, or, if it has none, its first such IPv6 address.
   *
   * @throws MulticastError `ERR_MULTICAST_INTERFACE` if it has none.
   */
  get address(): string {
    const links = [...this.#home.stack.routing.links.values()].filter(
      ({ isLoopback }) => !isLoopback,
    )
    const addresses = links.flatMap((link) => link.addresses)
    const ipv4 = addresses.filter(({ family }) => family === 'IPv4')
    const { address } = ipv4.find(({ scope }) => scope === 'global') ?? addresses[0] ?? {}
    if (address !== undefined) return address
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `${this.name} has no address: add an interface`,
    )
  }

  /**
   * Takes an interface down, as `ip link set down` does: it is not listed and carries nothing, but
   * memberships on it are kept.
   *
   * @throws MulticastError `ERR_MULTICAST_INTERFACE` if there is no interface of that name.
   */
  down(name: string): void {
    this.#link(name).isUp = false
    this.#changed()
  }

  /** Brings an interface up again. Throws as {@link down} does. */
  up(name: string): void {
    const link = this.#link(name)
    if (!link.isUp) link.addresses = renewed(link.addresses)
    link.isUp = true
    this.#changed()
  }

  /**
   * Removes an interface, as when an adapter is unplugged or a container's network goes away: memberships on
   * it are lost, and the kernel does not report it. Throws as {@link down} does, and for `lo`, which no system
   * removes.
   */
  remove(name: string): void {
    const link = this.#link(name)
    if (link.isLoopback) {
      throw new MulticastError(
        'ERR_MULTICAST_INTERFACE',
        `${shown(name)} is the loopback interface, which cannot be removed: take it down instead`,
      )
    }
    this.#home.stack.routing.links.delete(name)
    this.#changed(name)
  }

  /**
   * Adds an interface. One that was removed gets back its segment and addresses by default, but it is a new
   * interface: nothing is joined on it.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` if there already is one of that name, or an address is wrong;
   * `ERR_MULTICAST_UNKNOWN_OPTION`.
   */
  add(name: string, options: MockInterface = {}): void {
    if (this.#home.stack.routing.links.has(name)) {
      throw new MulticastError(
        'ERR_MULTICAST_OPTION',
        `${this.name} has an interface ${shown(name)} already: remove it first`,
      )
    }
    const given = resolve(interfaceRules, options)
    isName(name, 'name')
    const before = this.#plugs.get(name)
    const segment = given.segment ?? before?.segment ?? 'lan'
    // An address belongs to its segment: plugged in elsewhere it gets others.
    const kept = segment === before?.segment ? before.addresses : undefined
    this.#plug(name, segment, given.addresses ?? kept ?? this.#home.segments.addressesOn(segment))
    this.#changed()
  }

  /**
   * Gives an interface other addresses, as DHCP may. It stays the same interface, and memberships on it are
   * kept. Throws as {@link down} and {@link add} do.
   */
  readdress(name: string, addresses: readonly (string | AddressOptions)[]): void {
    const link = this.#link(name)
    link.addresses = parseAddresses(isAddresses(addresses, 'addresses'), link.addresses)
    this.#plugs.set(name, { segment: this.#home.segments.of(link), addresses: [...addresses] })
    this.#changed()
  }

  /**
   * Makes the next sends from this host fail, as a firewall or a network that has just changed would.
   *
   * @param code The system's error: `'EPERM'`, `'EHOSTUNREACH'`, `'ENOBUFS'`.
   * @param count How many sends fail. Default: all from now on. 0: no more.
   * @throws MulticastError `ERR_MULTICAST_OPTION` if the system has no error of that name, or `count` is
   * not an integer of 0 or more.
   */
  failSends(code: string, count = Number.POSITIVE_INFINITY): void {
    if (!isErrno(code)) {
      throw new MulticastError(
        'ERR_MULTICAST_OPTION',
        `code must be the name of a system error, such as 'EHOSTUNREACH', but is ${shown(code)}`,
      )
    }
    if (count !== Number.POSITIVE_INFINITY) checkCount(count, 'count')
    this.#home.transport.fail(this.#home.stack, code, count)
  }

  /** Tells who watches; `lost` are the interfaces with which what was joined on them has gone. */
  #changed(...lost: string[]): void {
    for (const { onChange } of [...this.#watchers]) onChange(lost)
  }

  #plug(name: string, segment: string | undefined, addresses: readonly unknown[]): void {
    const parsed = parseAddresses(addresses)
    this.#plugs.set(name, { segment, addresses: [...addresses] })
    this.#links += 1
    const link = createLink(name, this.#links, parsed)
    this.#home.segments.plug(link, segment)
    this.#home.stack.routing.links.set(name, link)
  }

  #link(name: string): Link {
    const { links } = this.#home.stack.routing
    const link = links.get(name)
    if (link !== undefined) return link
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `${this.name} has no interface ${shown(name)}. There are: ${[...links.keys()].join(', ')}`,
    )
  }
}
