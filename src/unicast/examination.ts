import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import { splitZone } from '../address.js'
import { lookup } from '../datagram.js'
import type { Examination, Question, Tryable } from '../doctor/examination.js'
import { bad, doubtful, type Finding, good } from '../doctor/finding.js'
import { newId, written } from '../doctor/probe.js'
import { errno } from '../errors.js'
import type { Link } from '../stack/link.js'
import { type Family, familyOf } from '../stack/scope.js'
import { withHeader } from './header.js'
import type { Peers } from './peers.js'

/** Milliseconds that a host has at least to answer that nobody has the port. */
const PATIENCE = 500

/** So many hosts are asked at most, each by a socket. */
const MOST = 100

/** What is examined. */
interface Examined {
  readonly peers: Peers
  readonly address: string | undefined
  readonly link: Link
  readonly strangers: boolean
  readonly stats: () => Readonly<
    Record<'failed' | 'malformed' | 'overflowed' | 'strangers', number>
  >
}

/** What the doctor finds out of a list of hosts. */
export class UnicastExamination implements Examination {
  readonly isOfHost = true
  readonly #of: Examined
  readonly #question: Question
  readonly #family: Family
  /** The others of the group's family. */
  readonly #others: readonly string[]
  #knocks: readonly Knock[] = []
  #knockedAt = 0

  constructor(of: Examined, question: Question) {
    this.#of = of
    this.#question = question
    this.#family = question.group.family
    this.#others = of.peers.of(this.#family)
  }

  get remedy(): string {
    const own = this.#of.link.addresses.filter(({ family }) => family === this.#family)
    const as = own.map(({ address }) => address).join(' or ')
    return `look whether a host of the list sends, has this one (${as}) on its own list, and whether UDP to port ${this.#question.port} is let through between them`
  }

  async *look(): AsyncGenerator<Finding, Tryable> {
    const { port, isAsked, maySend } = this.#question
    const { peers, address, link, strangers } = this.#of
    // The addresses tell that there is none.
    if (!link.addresses.some(({ family }) => family === this.#family)) return 'hearing'
    const others = this.#others
    const own = peers.all.filter(
      (peer) => familyOf(peer) === this.#family && !others.includes(peer),
    )
    const skipped = own.length > 0 ? `${listed(own)} is this host itself, and is skipped` : ''
    if (others.length > 0) {
      yield good('hosts', `Copies go to ${listed(others)}${skipped && `. ${skipped}`}`)
      // Nobody has the doctor's own port.
      if (maySend && isAsked) {
        this.#knocks = others.slice(0, MOST).map((peer) => new Knock(peer, port, address))
        this.#knockedAt = performance.now()
      }
      return 'all'
    }
    if (peers.all.length > 0 && own.length === 0) {
      const seen = `No host of the list has an ${this.#family} address, so that every send fails`
      yield bad('hosts', seen, 'add such addresses to peers, or take a group of the other family')
      return 'hearing'
    }
    const isAlone = peers.of('IPv4').length + peers.of('IPv6').length === 0
    const where = isAlone ? 'is on the list' : `of the list has an ${this.#family} address`
    const seen =
      own.length > 0 ? `No other host ${where}: ${skipped}` : 'The list of hosts is empty'
    const tell = strangers ? doubtful : bad
    yield tell('hosts', seen, 'add the other hosts to peers')
    return 'all'
  }

  async *end(heard: ReadonlySet<string> = new Set()): AsyncIterable<Finding> {
    const left = this.#knockedAt + PATIENCE - performance.now()
    if (this.#knocks.length > 0 && left > 0) await delay(left)
    const silent = this.#others.filter((peer) => !heard.has(splitZone(peer)[0]))
    const failed = this.#knocks.filter(
      ({ peer, failure }) => failure !== undefined && silent.includes(peer),
    )
    const refused = failed.filter(({ isRefused }) => isRefused).map(({ peer }) => peer)
    if (refused.length > 0) {
      const seen = `No program has port ${this.#question.port} there, by the answer of ${listed(refused)}`
      yield doubtful('hosts', seen, 'start the program there, with the same port, if it is to hear')
    }
    const unreached = failed.filter(({ isRefused }) => !isRefused)
    if (unreached.length > 0) {
      const each = unreached.map(({ peer, failure }) => `${peer} (${failure})`)
      const tell = unreached.length === this.#others.length ? bad : doubtful
      const remedy = "look at the address, the route there, and this host's firewall"
      yield tell('hosts', `These cannot be reached: ${listed(each)}`, remedy)
    }
    const known = failed.map(({ peer }) => peer)
    const rest = silent.filter((peer) => !known.includes(peer))
    // Where none was heard, the arrivals have told.
    if (heard.size > 0 && rest.length > 0) {
      yield doubtful('hosts', `Nothing came from ${listed(rest)}`, this.remedy)
    }
    if (this.#others.length > 0 && silent.length === 0) {
      yield good('hosts', 'Something came from each host of the list')
    }
    const { strangers, malformed, overflowed, failed: copies } = this.#of.stats()
    if (strangers > 0) {
      const seen = `${strangers} datagrams came from hosts that are not on the list, and were ignored`
      yield doubtful('hosts', seen, 'add these hosts to peers, or set strangers to true')
    }
    if (overflowed > 0) {
      const seen = `${overflowed} datagrams were dropped because their program was too slow`
      yield doubtful('buffer', seen, 'read faster, or ask for a larger recvBufferSize')
    }
    if (malformed > 0) {
      const seen = `${malformed} datagrams came without the carrier's header, and were ignored`
      yield doubtful('arrival', seen, 'have the senders use the same carrier')
    }
    if (copies > 0) {
      const seen = `${copies} copies were refused by the system`
      yield doubtful('hosts', seen, "look at the addresses, the routes, and this host's firewall")
    }
  }

  close(): void {
    for (const knock of this.#knocks) knock.close()
  }
}

/** The first of them. */
function listed(hosts: readonly string[]): string {
  const more = hosts.length > 8 ? ` and ${hosts.length - 8} others` : ''
  return `${hosts.slice(0, 8).join(', ')}${more}`
}

/**
 * Sends one datagram to a host by a socket that is connected, since such a one alone is told where the host refuses
 * it. It is to the host itself, not to a group, and so goes to no socket that is bound to one.
 */
class Knock {
  readonly peer: string
  /** How it was refused, if so. */
  failure: string | undefined
  readonly #socket

  constructor(peer: string, port: number, address: string | undefined) {
    this.peer = peer
    const family = familyOf(peer)
    const [destination] = splitZone(peer)
    const data = Buffer.from(written({ id: newId(), by: 0, heard: [] }))
    const bytes = withHeader(family, { kind: 'host', destination, data })
    const fail = (error?: Error | null): void => {
      if (error) this.failure ??= errno(error) ?? 'EIO'
    }
    const socket = createSocket({ type: family === 'IPv4' ? 'udp4' : 'udp6', lookup })
    this.#socket = socket
    socket.on('error', fail)
    // The types do not say that it is told of an error.
    const connected = (error?: Error): void => (error ? fail(error) : socket.send(bytes, fail))
    const own = address === undefined ? {} : { address }
    try {
      socket.bind({ port: 0, exclusive: true, ...own }, () => socket.connect(port, peer, connected))
    } catch (error) {
      fail(error as Error)
    }
  }

  /** Whether the host itself has refused it: Windows calls that otherwise. */
  get isRefused(): boolean {
    return this.failure === 'ECONNREFUSED' || this.failure === 'ECONNRESET'
  }

  close(): void {
    this.#socket.close()
  }
}
