import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isMulticast, splitZone, wildcard } from '../address.js'
import { lookup } from '../datagram.js'
import type { Examination, Question } from '../doctor/examination.js'
import { kernelDrops } from '../drops.js'
import { errno } from '../errors.js'
import { isBroadcast, type Link } from '../stack/link.js'
import type { Report } from '../stack/outcome.js'
import type { Packet } from '../stack/packet.js'
import { type Family, familyOf, isLinkLocal, staysOnHost } from '../stack/scope.js'
import type { Stack, Track } from '../stack/stack.js'
import { turnIn } from '../stack/turns.js'
import type { Answer, Claimed, Reach, Wire } from '../stack/wire.js'
import { UnicastExamination } from './examination.js'
import { parseHeader, withHeader } from './header.js'
import type { Peers } from './peers.js'

/** What a carrier has counted since it was made. */
export interface UnicastStats {
  /** Copies that the system has taken: one for each peer of a datagram to a group, replies included. */
  readonly sent: number
  /** Copies that the system has refused, at once or later, as where a peer's host says that nobody listens. */
  readonly failed: number
  /** Datagrams that came from peers. */
  readonly received: number
  /** Datagrams that came from others, and were passed over. */
  readonly strangers: number
  /** Datagrams that came without the header, or with one that makes no sense, and were passed over. */
  readonly malformed: number
  /** Datagrams that a socket had no room for, because its program was too slow to read it. */
  readonly overflowed: number
}

/** What differs from one wire to the next. */
interface UnicastWireOptions {
  /** The address that its sockets are bound to; any, where there is none. */
  readonly address: string | undefined
  /** The link that leads to the peers. */
  readonly link: Link
  /** Whether others than the peers are heard. */
  readonly strangers: boolean
  readonly peers: Peers
}

/** The real socket of a port. */
interface Real {
  readonly socket: Socket
  /** The copies that the system has not taken yet. */
  underWay: number
  /** Whether nobody has the port any more, and it waits for those alone. */
  isReleased: boolean
}

/** The bytes of receive buffer that are asked for: one socket has what several would have. */
const bufferSize = 2 ** 22

/** The first of the ports that nobody registers. */
const firstOfNobody = 49_152

/** What to try, by how the system refuses a real socket. */
const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'a program of this host has it, and none shares it with another: end that one, or give each carrier an address of its own (address), such as 127.0.0.2 and 127.0.0.3',
  EADDRNOTAVAIL: "this host does not have the carrier's address: name one that it has (address)",
}

/** Copies what its host sends to each peer, by a real socket for each port. */
export class UnicastWire implements Wire {
  peers: Peers
  readonly #options: UnicastWireOptions
  readonly #stack: () => Stack
  /** By family and port; none where this host has no address of the family, and so only hears itself. */
  readonly #sockets = new Map<string, Real | undefined>()
  readonly #counts = {
    sent: 0,
    failed: 0,
    received: 0,
    strangers: 0,
    malformed: 0,
    overflowed: 0,
  }

  /** `stack` is asked for the stack above once something comes. */
  constructor(options: UnicastWireOptions, stack: () => Stack) {
    this.#options = options
    this.peers = options.peers
    this.#stack = stack
  }

  /** What the doctor finds out of it. */
  examine(question: Question): Examination {
    const { peers } = this
    const stats = (): UnicastStats => this.stats
    return new UnicastExamination({ ...this.#options, peers, stats }, question)
  }

  get stats(): UnicastStats {
    return { ...this.#counts }
  }

  /** What the kernel has dropped at the real sockets, if the system tells. */
  kernelDrops(): Promise<number | undefined> {
    const real = [...this.#sockets.values()].flatMap((one) => one?.socket.address() ?? [])
    return kernelDrops(real)
  }

  readonly soon: Wire['soon'] = (task, scope) => turnIn(scope, task)

  claim(family: Family, port: number, answer: (claimed: Claimed) => void): void {
    const { address = wildcard({ family }) } = this.#options
    if (familyOf(address) !== family) {
      const own = port || this.#portOfNobody(family)
      this.#sockets.set(`${family} ${own}`, undefined)
      answer({ port: own })
      return
    }
    const before = this.#sockets.get(`${family} ${port}`)
    if (before !== undefined) {
      before.isReleased = false
      answer({ port })
      return
    }
    const type = family === 'IPv4' ? 'udp4' : 'udp6'
    // Not shared: of two sockets that have the same port by SO_REUSEADDR, the last one gets all.
    const socket = createSocket({ type, reuseAddr: false, ipv6Only: type === 'udp6', lookup })
    // The sockets of the stack hold the process.
    socket.unref()
    const refuse = (error: Error): void => {
      socket.close()
      const code = errno(error) ?? 'EIO'
      const remedy = remedies[code]
      answer(remedy === undefined ? { code } : { code, remedy })
    }
    socket.once('error', refuse)
    socket.once('listening', () => {
      socket.off('error', refuse)
      // As where a peer's host has answered that nobody has the port.
      socket.on('error', () => {
        this.#counts.failed += 1
      })
      enlarge(socket)
      const { port: bound } = socket.address()
      socket.on('message', (data, remote) => this.#hear(family, bound, data, remote))
      this.#sockets.set(`${family} ${bound}`, { socket, underWay: 0, isReleased: false })
      answer({ port: bound })
    })
    try {
      socket.bind({ port, address, exclusive: true })
    } catch (error) {
      // Real sockets may be refused, as in tests. But once it is bound a listener of the stack's has thrown.
      if (![...this.#sockets.values()].some((real) => real?.socket === socket)) socket.close()
      throw error
    }
  }

  release(family: Family, port: number): void {
    const real = this.#sockets.get(`${family} ${port}`)
    if (real !== undefined) real.isReleased = true
    this.#closeUnused(family, port)
  }

  queued(family: Family, port: number): number {
    return this.#sockets.get(`${family} ${port}`)?.socket.getSendQueueSize() ?? 0
  }

  send(link: Link, packet: Packet, reach: Reach, answer: Answer): void {
    const { family, sourcePort, destination, port, data } = packet
    const isForAll = isMulticast(destination) || isBroadcast(link, destination)
    if (isForAll && !link.isLoopback && reach.leaves && !this.peers.mayHear(family)) {
      answer('ENETUNREACH')
      return
    }
    const leaves = this.#stack().hearOwn(link, packet, reach, this.#track)
    const real = this.#sockets.get(`${family} ${sourcePort}`)
    const targets = isForAll ? this.peers.of(family) : [this.#zoned(destination)]
    if (!leaves || targets.length === 0) {
      answer()
      return
    }
    if (real === undefined) {
      answer('ENETUNREACH')
      return
    }
    const bytes = withHeader(family, { kind: isForAll ? 'group' : 'host', destination, data })
    let left = targets.length
    real.underWay += left
    let isTaken = false
    const done = (error: Error | null): void => {
      left -= 1
      real.underWay -= 1
      this.#counts[error === null ? 'sent' : 'failed'] += 1
      // One is enough, as where several interfaces are sent through.
      const isFirst = error === null && !isTaken
      if (error === null) isTaken = true
      if (isFirst) answer()
      else if (left === 0 && !isTaken) answer(errno(error) ?? 'EIO')
      if (real.isReleased) this.#closeUnused(family, sourcePort)
    }
    for (const target of targets) real.socket.send(bytes, port, target, done)
  }

  /** Closes a socket whose port nobody has, once its copies are out: the first of a send is all that is waited for. */
  #closeUnused(family: Family, port: number): void {
    const real = this.#sockets.get(`${family} ${port}`)
    if (real !== undefined && real.underWay > 0) return
    real?.socket.close()
    this.#sockets.delete(`${family} ${port}`)
  }

  #hear(family: Family, port: number, bytes: Buffer, remote: RemoteInfo): void {
    const { strangers, link } = this.#options
    if (!strangers && !this.peers.has(remote.address)) {
      this.#counts.strangers += 1
      return
    }
    const headed = parseHeader(family, bytes)
    const destination = headed && this.#localOf(family, headed.kind, headed.destination)
    if (headed === undefined || destination === undefined) {
      this.#counts.malformed += 1
      return
    }
    this.#counts.received += 1
    const [source] = splitZone(remote.address)
    const { data } = headed
    // Where nothing routes it any further, its TTL has no meaning.
    const packet = { family, source, sourcePort: remote.port, destination, port, ttl: 1, data }
    this.#stack().hear(link, packet, false, this.#track)
  }

  readonly #track: Track = () => this.#report

  readonly #report: Report = (outcome) => {
    if (outcome === 'queue-full') this.#counts.overflowed += 1
  }

  /** What a datagram is to, on this host. Whoever sent it may have written anything. */
  #localOf(family: Family, kind: 'host' | 'group', destination: string): string | undefined {
    const { link } = this.#options
    if (kind === 'group') {
      const isForAll = isMulticast(destination) || isBroadcast(link, destination)
      return isForAll && !staysOnHost(destination) ? destination : undefined
    }
    // On its way it may have been sent on to another.
    const own = link.addresses.filter((address) => address.family === family)
    return (own.find(({ address }) => address === destination) ?? own[0])?.address
  }

  /** The address of a host, in the zone that leads there if it needs one. */
  #zoned(address: string): string {
    if (!isLinkLocal(address)) return address
    const [, zone] = splitZone(this.#options.address ?? '')
    return this.peers.zoned(address) ?? (zone === undefined ? address : `${address}%${zone}`)
  }

  /** One that no socket here has, as nobody else can. */
  #portOfNobody(family: Family): number {
    let port = firstOfNobody
    while (this.#sockets.has(`${family} ${port}`) && port < 65_535) port += 1
    return port
  }
}

/** Asks for a larger buffer, of which the system grants what it likes. */
function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(bufferSize)
  } catch {
    // Not every system cuts it down to what it allows.
  }
}
