/** The network of the conformance cases, by a NATS server: each segment is a prefix, each host has a connection. */
import type { Carrier } from '../../src/index.js'
import { rules } from '../../src/nats/carrier.js'
import type { NatsConnection } from '../../src/nats/connection.js'
import { NatsWire } from '../../src/nats/wire.js'
import type { InetSocket } from '../../src/stack/inet-socket.js'
import { createLink, describe, type Link } from '../../src/stack/link.js'
import { parseAddresses } from '../../src/stack/link-address.js'
import type { Packet } from '../../src/stack/packet.js'
import type { Family } from '../../src/stack/scope.js'
import { StackSocket } from '../../src/stack/socket.js'
import { Stack } from '../../src/stack/stack.js'
import type { Answer, Claimed, Reach, Wire } from '../../src/stack/wire.js'
import {
  type ConformanceHost,
  type ConformanceNetwork,
  type Need,
  topology,
} from '../../src/testing/conformance/network.js'
import { Peer } from '../../src/testing/conformance/peer.js'
import type { Lab } from '../lab.js'
import { NatsServer } from '../nats.js'

/** What the carrier lacks, for the reasons that docs/carriers.md gives. */
export const lackedByNats: readonly Need[] = ['router', 'interfaces', 'arrival']

type Name = keyof typeof topology

/** Builds it. */
export async function natsNetwork({
  here,
}: Lab): Promise<{ network: ConformanceNetwork; close: () => Promise<void> }> {
  const server = await NatsServer.start(here, 4222)
  const host = async (name: Name): Promise<ConformanceHost> => ({
    peer: Peer.over(carrierOf(name, await server.connect())),
  })
  const network = { near: await host('near'), other: await host('other'), far: await host('far') }
  return { network, close: () => server.release() }
}

/** A wire for each interface, since one host has several here. */
class Bundle implements Wire {
  readonly wires = new Map<Link, NatsWire>()

  get #all(): readonly NatsWire[] {
    return [...this.wires.values()]
  }

  readonly soon: Wire['soon'] = (task, scope) => this.#all[0]?.soon(task, scope)

  claim(family: Family, port: number, answer: (claimed: Claimed) => void): void {
    this.#all[0]?.claim(family, port, answer)
  }

  release(family: Family, port: number): void {
    this.#all[0]?.release(family, port)
  }

  changed(): void {
    for (const wire of this.#all) wire.changed()
  }

  async settled(socket: InetSocket): Promise<void> {
    for (const wire of this.#all) await wire.settled(socket)
  }

  queued(): number {
    return Math.max(...this.#all.map((wire) => wire.queued()))
  }

  send(link: Link, packet: Packet, reach: Reach, answer: Answer): void {
    // By the loopback one any will do.
    const wire = this.wires.get(link) ?? this.#all[0]
    wire?.send(link, packet, reach, answer)
  }
}

function carrierOf(name: Name, connection: NatsConnection): Carrier {
  const bundle = new Bundle()
  const stack: Stack = new Stack(name, rules, bundle)
  const { links } = stack.routing
  links.set('lo', createLink('lo', 1, parseAddresses(['127.0.0.1/8', '::1/128'])))
  for (const [device, { segment, addresses }] of Object.entries(topology[name])) {
    const link = createLink(device, links.size + 1, parseAddresses(addresses))
    links.set(device, link)
    bundle.wires.set(link, new NatsWire({ connection, prefix: segment, link }, () => stack))
  }
  return {
    createSocket: (options) => new StackSocket(stack, options),
    networkInterfaces: () => describe(links.values(), 1),
    bindAddress: 'group',
  }
}
