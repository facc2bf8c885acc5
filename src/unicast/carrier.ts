import { networkInterfaces } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { CreateSocket } from '../datagram.js'
import { examined } from '../doctor/examination.js'
import type { NetworkInterfaces, WatchInterfaces } from '../interfaces.js'
import type { Carrier } from '../options.js'
import { OwnAddresses } from '../own-addresses.js'
import { isBoolean, optional, type Rules, resolve, rule } from '../rules.js'
import { parseHost } from '../stack/host-address.js'
import { createLink, describe, type Link } from '../stack/link.js'
import { isNear, type LinkAddress, parseAddresses } from '../stack/link-address.js'
import { linux, type PlatformRules } from '../stack/platform.js'
import { familyOf, isLinkLocal } from '../stack/scope.js'
import { StackSocket } from '../stack/socket.js'
import { Stack } from '../stack/stack.js'
import { headerSize } from './header.js'
import { Peers } from './peers.js'
import { type UnicastStats, UnicastWire } from './wire.js'

/** The options of {@link unicastCarrier}. `undefined` always means the default. */
export interface UnicastOptions {
  /**
   * The hosts to which each datagram to a group is copied, by their unicast addresses; names have to be looked up
   * first, and a link-local address of IPv6 needs its zone (`fe80::2%eth0`). This host may be among them, and is
   * passed over. A group whose family none of them has fails with ENETUNREACH. With no other host a send resolves, as
   * multicast does that nobody hears.
   */
  peers: readonly string[]
  /**
   * The address of this host that the real sockets are bound to, and that others know it by. Each carrier needs
   * one of its own where several processes of a host have the same port. Default: any address of the host.
   */
  address?: string | undefined
  /**
   * Whether whoever sends with the right header is heard. Default: false, only the addresses of `peers` are.
   */
  strangers?: boolean | undefined
}

const unicastRules = {
  // Read once more below, where it is known which of them are this host's.
  peers: rule({ check: (value) => new Peers(value, () => false).all }),
  address: rule({ check: optional(parseHost) }),
  strangers: rule({ default: false, check: isBoolean }),
} satisfies Rules

/** The rules of Linux, but for what only a kernel can do. */
export const rules: PlatformRules = {
  ...linux,
  leaksTtl0: false,
  maxPayload: {
    IPv4: linux.maxPayload.IPv4 - headerSize.IPv4,
    IPv6: linux.maxPayload.IPv6 - headerSize.IPv6,
  },
}

/**
 * A carrier that copies each datagram to a list of hosts, by unicast UDP. Spread it into the options of a sender, a
 * receiver or a peer.
 *
 * Only `createSocket`, `networkInterfaces`, `watchInterfaces` and `bindAddress` are its own properties, and so spread.
 */
export class UnicastCarrier implements Carrier {
  /** Makes a socket of this host, as node:dgram's `createSocket` does. */
  readonly createSocket: CreateSocket
  /** Lists `lo`, and `peers0` with the addresses by which the peers know this host. */
  readonly networkInterfaces: () => NetworkInterfaces
  /** Where the address is given nothing changes. Else there is none, and the interfaces are looked at. */
  readonly watchInterfaces: WatchInterfaces | undefined
  /** Its sockets can be bound to a group, on every system. */
  readonly bindAddress = 'group'
  readonly #wire: UnicastWire
  readonly #isOwn: (address: string) => boolean

  /** @internal */
  constructor(options: UnicastOptions) {
    const { peers, address, strangers } = resolve(unicastRules, options)
    const own = new OwnAddresses(listed)
    this.#isOwn =
      address === undefined ? (peer) => own.has(peer) : (peer: string) => peer === address
    const link = new PeersLink(address)
    const wire = new UnicastWire(
      { address, link, strangers, peers: new Peers(peers, this.#isOwn) },
      () => stack,
    )
    const stack: Stack = new Stack('this host', rules, wire)
    const addresses = parseAddresses(loopbackBeside(address))
    stack.routing.links.set('lo', createLink('lo', 1, addresses))
    stack.routing.links.set('peers0', link)
    this.#wire = wire
    this.createSocket = examined(
      (options) => new StackSocket(stack, options),
      (question) => wire.examine(question),
    )
    this.networkInterfaces = () => {
      link.look()
      return describe(stack.routing.links.values(), 1)
    }
    this.watchInterfaces = address === undefined ? undefined : () => () => {}
  }

  /**
   * The hosts that each datagram to a group is copied to, this one included if it was given. A list that is set
   * takes the place of the one before, from the next datagram on.
   *
   * @throws MulticastError `ERR_MULTICAST_OPTION` if one of them is no address of one host.
   */
  get peers(): readonly string[] {
    return this.#wire.peers.all
  }

  set peers(list: readonly string[]) {
    this.#wire.peers = new Peers(list, this.#isOwn)
  }

  /** The counts up to now, in an object of their own: what came from strangers, too. */
  get stats(): UnicastStats {
    return this.#wire.stats
  }

  /**
   * How many datagrams the kernel has dropped because this process read too late, at the real sockets of this carrier
   * that are open now. On Linux, from /proc/net/udp; otherwise `undefined`. A larger net.core.rmem_max makes room: the
   * carrier asks for 4 MiB.
   */
  kernelDrops(): Promise<number | undefined> {
    return this.#wire.kernelDrops()
  }
}

/**
 * A carrier for where the network drops multicast, without a server: each datagram to a group is copied to each peer,
 * at the group's port. All sockets of one carrier that share a port share one real socket, and are told apart here.
 * Another process on the same address and port is refused with `ERR_MULTICAST_PORT_IN_USE`.
 *
 * @example
 * ```ts
 * const carrier = unicastCarrier({ peers: ['10.0.0.2', '10.0.0.3'] })
 * new MulticastReceiver({ group: '239.1.2.3', port: 10000, codec: text, ...carrier })
 * ```
 * @throws MulticastError `ERR_MULTICAST_OPTION` if an address is none of one host, or an option is wrong;
 * `ERR_MULTICAST_UNKNOWN_OPTION`.
 */
export function unicastCarrier(options: UnicastOptions): UnicastCarrier {
  return new UnicastCarrier(options)
}

/** The interface that leads to the peers. Unless one is given, its addresses are those that the host has by now. */
class PeersLink implements Link {
  readonly name = 'peers0'
  readonly index = 2
  readonly isLoopback = false
  readonly isUp = true
  readonly #given: string | undefined
  #addresses: readonly LinkAddress[]
  #readAt = performance.now()

  constructor(given: string | undefined) {
    this.#given = given
    this.#addresses = addressesOf(given)
  }

  /** Read again once they are a second old: to read them is dear, and each datagram asks for them. */
  get addresses(): readonly LinkAddress[] {
    if (performance.now() - this.#readAt > 1000) this.look()
    return this.#addresses
  }

  /** Reads them again. */
  look(): void {
    if (this.#given === undefined) this.#addresses = addressesOf(undefined, this.#addresses)
    this.#readAt = performance.now()
  }
}

let lastListed: NetworkInterfaces = {}

/**
 * The interfaces of this host; those of before where the system does not tell, as where no file descriptor is left.
 * Whatever comes in asks for them, and is not to end the process.
 */
function listed(): NetworkInterfaces {
  try {
    lastListed = networkInterfaces()
  } catch {
    // It is asked again soon.
  }
  return lastListed
}

/** The loopback interface's addresses; of 127.0.0.0/8 it has one only where others of it are hosts. */
function loopbackBeside(address = ''): string[] {
  const ipv4 = address.startsWith('127.') ? '127.0.0.1/32' : '127.0.0.1/8'
  return [ipv4, '::1/128'].filter((own) => own.replace(/\/.*/, '') !== address)
}

/**
 * The addresses that the peers know this host by: the given one, or all that reach further than their link. Those of
 * IPv6 that do not are the host's only where it has no other.
 */
function addressesOf(
  given: string | undefined,
  before: readonly LinkAddress[] = [],
): readonly LinkAddress[] {
  const infos = Object.values(listed()).flatMap((some = []) => some)
  const prefixed = (list: typeof infos): string[] =>
    list.flatMap(({ cidr }) => (cidr === null || cidr.endsWith('/0') ? [] : cidr))
  if (given === undefined) {
    const outer = infos.filter(({ internal }) => !internal)
    const wide = outer.filter(({ address }) => !isLinkLocal(address))
    const hasWideIPv6 = wide.some(({ family }) => family === 'IPv6')
    return parseAddresses([...new Set(prefixed(hasWideIPv6 ? wide : outer))], before)
  }
  const [address = given] = given.split('%')
  const near = parseAddresses([...new Set(prefixed(infos))]).find((own) => isNear(own, address))
  const alone = familyOf(address) === 'IPv4' ? 32 : 128
  return parseAddresses([`${address}/${near?.prefix ?? alone}`])
}
