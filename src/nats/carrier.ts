import { randomBytes } from 'node:crypto'
import type { CreateSocket } from '../datagram.js'
import { examined } from '../doctor/examination.js'
import type { NetworkInterfaces, WatchInterfaces } from '../interfaces.js'
import type { Carrier } from '../options.js'
import { optional, type Rules, resolve, rule } from '../rules.js'
import { parseHost } from '../stack/host-address.js'
import { createLink, describe } from '../stack/link.js'
import { parseAddresses } from '../stack/link-address.js'
import { linux, type PlatformRules } from '../stack/platform.js'
import { StackSocket } from '../stack/socket.js'
import { Stack } from '../stack/stack.js'
import { inetNtop } from '../struct/inet.js'
import type { NatsConnection } from './connection.js'
import { parseConnection } from './session.js'
import { parsePrefix } from './subject.js'
import { type NatsStats, NatsWire } from './wire.js'

/** The options of {@link natsCarrier}. `undefined` always means the default. */
export interface NatsOptions {
  /**
   * What all subjects begin with: who has the same one is on the same network. Default: `'multicast'`.
   */
  prefix?: string | undefined
  /**
   * The unicast address that others know this program by, and that replies come to: the only one that it has then, so
   * that it speaks that family alone. Default: one of each family by chance, in 100.64.0.0/10 and fd00::/8.
   */
  address?: string | undefined
}

const natsRules = {
  prefix: rule({ default: 'multicast', check: parsePrefix }),
  address: rule({ check: optional(parseHost) }),
} satisfies Rules

/** The rules of Linux, but for what only a kernel can do. */
export const rules: PlatformRules = { ...linux, leaksTtl0: false }

/**
 * A carrier that goes by the subjects of a NATS server. Spread it into the options of a sender, a receiver or a peer.
 *
 * Only `createSocket`, `networkInterfaces`, `watchInterfaces` and `bindAddress` are its own properties, and so spread.
 */
export class NatsCarrier implements Carrier {
  /** Makes a socket of this program, as node:dgram's `createSocket` does. */
  readonly createSocket: CreateSocket
  /** Lists `lo`, and while the server is there `nats0` with the addresses by which others know this program. */
  readonly networkInterfaces: () => NetworkInterfaces
  /** Tells when the server is lost, and when it is back. */
  readonly watchInterfaces: WatchInterfaces
  /** Its sockets can be bound to a group, on every system. */
  readonly bindAddress = 'group'
  readonly #wire: NatsWire

  /** @internal */
  constructor(connection: NatsConnection, options: NatsOptions) {
    const { prefix, address } = resolve(natsRules, options)
    const own = address === undefined ? byChance() : [alone(address)]
    const link = createLink('nats0', 2, parseAddresses(own))
    const wire = new NatsWire(
      { connection: parseConnection(connection), prefix, link },
      () => stack,
    )
    const stack: Stack = new Stack('this program', rules, wire)
    const { links } = stack.routing
    links.set('lo', createLink('lo', 1, parseAddresses(['127.0.0.1/8', '::1/128'])))
    links.set('nats0', link)
    this.#wire = wire
    this.createSocket = examined(
      (options) => new StackSocket(stack, options),
      (question) => wire.examine(question),
    )
    this.networkInterfaces = () => describe(links.values(), 1)
    this.watchInterfaces = (onChange) => wire.watch(onChange)
  }

  /** The counts up to now, in an object of their own. */
  get stats(): NatsStats {
    return this.#wire.stats
  }
}

/**
 * A carrier for where the network drops multicast, by a NATS server: each datagram to a group is published once, and
 * the server sends it to those who have joined. The connection is one of the official client, which stays yours: keep
 * it open for as long as the carrier is used, and close it afterwards.
 *
 * @example
 * ```ts
 * // connection: await connect({ servers: 'nats.example:4222', maxReconnectAttempts: -1 })
 * const carrier = natsCarrier(connection)
 * new MulticastReceiver({ group: '239.1.2.3', port: 10000, codec: text, ...carrier })
 * ```
 * @throws MulticastError `ERR_MULTICAST_OPTION` if the connection is none or closed, the prefix is no subject, or the
 * address is none of one host; `ERR_MULTICAST_UNKNOWN_OPTION`.
 */
export function natsCarrier(connection: NatsConnection, options: NatsOptions = {}): NatsCarrier {
  return new NatsCarrier(connection, options)
}

/** An address without neighbours. */
function alone(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`
}

/** Addresses that nobody else has, as far as chance goes: 22 bits of IPv4, and 120 of IPv6. */
function byChance(): string[] {
  const [one = 0, ...rest] = randomBytes(3)
  const ipv4 = inetNtop('IPv4', Uint8Array.of(100, 64 + (one & 63), ...rest))
  const ipv6 = inetNtop('IPv6', Uint8Array.of(0xfd, ...randomBytes(15)))
  return [alone(ipv4), alone(ipv6)]
}
