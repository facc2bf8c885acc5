/**
 * The network of the conformance cases, of carriers that copy to each other. All hosts are in the lab's own network:
 * each address of theirs is one of its interfaces', and each host has real sockets at its own addresses alone.
 */
import type { Carrier } from '../../src/index.js'
import { describe, type Link } from '../../src/stack/link.js'
import { parseAddresses } from '../../src/stack/link-address.js'
import type { Packet } from '../../src/stack/packet.js'
import { type Family, familyOf, isLinkLocal } from '../../src/stack/scope.js'
import { StackSocket } from '../../src/stack/socket.js'
import { Stack } from '../../src/stack/stack.js'
import type { Answer, Claimed, Reach, Wire } from '../../src/stack/wire.js'
import type {
  ConformanceHost,
  ConformanceNetwork,
  Need,
} from '../../src/testing/conformance/network.js'
import { topology } from '../../src/testing/conformance/network.js'
import { Peer } from '../../src/testing/conformance/peer.js'
import { rules } from '../../src/unicast/carrier.js'
import { Peers } from '../../src/unicast/peers.js'
import { UnicastWire } from '../../src/unicast/wire.js'
import type { Lab } from '../lab.js'

type Name = keyof typeof topology

/** What the carrier lacks, for the reasons that docs/carriers.md gives. */
export const lackedByUnicast: readonly Need[] = [
  ...(['router', 'interfaces', 'arrival', 'full-size', 'ttl-leak'] as const),
]

/** Builds it. */
export async function unicastNetwork(lab: Lab): Promise<ConformanceNetwork> {
  const plugs = Object.values(topology).flatMap((interfaces) => Object.values(interfaces))
  const sink = lab.host()
  for (const segment of ['red', 'blue', 'green']) {
    const own = plugs.flatMap((plug) => (plug.segment === segment ? plug.addresses : []))
    await lab.cable([lab.here, segment, ...new Set(own)], [sink, segment])
  }
  // What is sent to nobody goes nowhere, without an error.
  lab.here.ip('route add default dev red', 'route add ::/0 dev red')
  const host = (name: Name): ConformanceHost => ({ peer: Peer.over(carrierOf(name)) })
  return { near: host('near'), other: host('other'), far: host('far') }
}

/** A real wire for each address, since the interfaces of one host are several here. */
class Bundle implements Wire {
  readonly wires: { readonly link: Link; readonly address: string; readonly wire: UnicastWire }[] =
    []
  readonly #peersOf: (link: Link, source: string) => readonly string[]

  constructor(peersOf: (link: Link, source: string) => readonly string[]) {
    this.#peersOf = peersOf
  }

  readonly soon: Wire['soon'] = (task, scope) => this.wires[0]?.wire.soon(task, scope)

  claim(family: Family, port: number, answer: (claimed: Claimed) => void, tried = 0): void {
    const wires = this.#of(family)
    const claim = (at: number, own: number): void => {
      const next = wires[at]
      if (next === undefined) answer({ port: own })
      else {
        next.claim(family, own, (claimed) => {
          if ('port' in claimed) return claim(at + 1, claimed.port)
          for (const taken of wires.slice(0, at)) taken.release(family, own)
          // Of the ports by chance another may be free at all addresses.
          if (port === 0 && tried < 50) this.claim(family, 0, answer, tried + 1)
          else answer(claimed)
        })
      }
    }
    claim(0, port)
  }

  release(family: Family, port: number): void {
    for (const wire of this.#of(family)) wire.release(family, port)
  }

  send(link: Link, packet: Packet, reach: Reach, answer: Answer): void {
    const from = this.wires.filter(({ address }) => address === packet.source)
    const one =
      from.find((wire) => wire.link === link) ??
      from[0] ??
      this.wires.find(({ address }) => familyOf(address) === packet.family)
    if (one === undefined) throw new Error(`nothing sends from ${packet.source}`)
    // It may be sent through another interface than the one whose address it has.
    one.wire.peers = new Peers(this.#peersOf(link, packet.source), () => false)
    one.wire.send(link, packet, reach, answer)
  }

  #of(family: Family): UnicastWire[] {
    return this.wires.flatMap(({ address, wire }) => (familyOf(address) === family ? wire : []))
  }
}

function carrierOf(name: Name): Carrier {
  const bundle = new Bundle((link, source) => {
    const segment = topology[name][link.name]?.segment
    return segment === undefined ? [] : peersOf(name, segment, source)
  })
  const stack: Stack = new Stack(name, rules, bundle)
  const add = (name: string, addresses: readonly string[]): Link => {
    const index = stack.routing.links.size + 1
    const parsed = parseAddresses(addresses)
    const link = { name, index, isLoopback: name === 'lo', addresses: parsed, isUp: true }
    stack.routing.links.set(name, link)
    return link
  }
  add('lo', ['127.0.0.1/8', '::1/128'])
  for (const [device, { segment, addresses }] of Object.entries(topology[name])) {
    const link = add(device, addresses)
    for (const address of addresses.map(bare)) {
      const peers = new Peers([], () => false)
      // Each host speaks from several addresses, of which one is copied to.
      const options = { address: zoned(address, segment), link, strangers: true, peers }
      bundle.wires.push({ link, address, wire: new UnicastWire(options, () => stack) })
    }
  }
  return {
    createSocket: (options) => new StackSocket(stack, options),
    networkInterfaces: () => describe(stack.routing.links.values(), 1),
    bindAddress: 'group',
  }
}

/** The first address like it of each other host on the segment. */
function peersOf(name: Name, segment: string, address: string): string[] {
  const others = Object.entries(topology).filter(([other]) => other !== name)
  return others.flatMap(([, plugs]) =>
    Object.values(plugs)
      .filter((plug) => plug.segment === segment)
      .flatMap(({ addresses }) => {
        const like = addresses.map(bare).find((one) => kind(one) === kind(address))
        return like === undefined ? [] : zoned(like, segment)
      }),
  )
}

const bare = (address: string): string => address.replace(/\/.*/, '')
const kind = (address: string): string => `${familyOf(address)} ${isLinkLocal(address)}`
const zoned = (address: string, zone: string): string =>
  isLinkLocal(address) ? `${address}%${zone}` : address
