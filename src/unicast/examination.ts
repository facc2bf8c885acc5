import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import { splitZone, wildcard } from '../address.js'
import { lookup } from '../datagram.js'
import { type Examination, type Question, type Tryable, tooSlow } from '../doctor/examination.js'
import { bad, doubtful, type Finding, good } from '../doctor/finding.js'
import { newId, written } from '../doctor/probe.js'
import { errno } from '../errors.js'
import type { Link } from '../stack/link.js'
import { type Family, familyOf, isWildcard } from '../stack/scope.js'
import { withHeader } from './header.js'
import type { Peers } from './peers.js'

/** Milliseconds that a host has to answer that nobody has the port. */
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
  readonly #of: Examined
  readonly #question: Question
  readonly #family: Family
  /** The others of the group's family. */
  readonly #others: readonly string[]

  constructor(of: Examined, question: Question) {
    this.#of = of
    this.#question = question
    this.#family = question.group.family
    this.#others = of.peers.of(this.#family)
  }

  /** Another address of the host has ports of its own; one that is bound to :: may take IPv4 too. */
  excludes(address: string): boolean {
    const [own] = splitZone(this.#of.address ?? wildcard({ family: this.#family }))
    if (address === '::') return true
    if (familyOf(address) !== familyOf(own)) return false
    return isWildcard(address) || isWildcard(own) || address === own
  }

  get remedy(): string {
    const as = this.#own.join(' or ')
    return `look whether a host of the list sends, has this one (${as}) on its own list, and whether UDP to port ${this.#question.port} is let through between them`
  }

  /** The addresses of the group's family by which others know this host. */
  get #own(): readonly string[] {
    const own = this.#of.link.addresses.filter(({ family }) => family === this.#family)
    return own.map(({ address }) => address)
  }

  async *look(): AsyncGenerator<Finding, Tryable> {
    const { peers, strangers } = this.#of
    // The addresses tell that there is none.
    if (this.#own.length === 0) return 'hearing'
    const others = this.#others
    const own = peers.all.filter(
      (peer) => familyOf(peer) === this.#family && !others.includes(peer),
    )
    const skipped = own.length > 0 ? `${listed(own)} is this host itself, and is skipped` : ''
    if (others.length > 0) {
      yield good('hosts', `Copies go to ${listed(others)}${skipped && `. ${skipped}`}`)
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
    const silent = this.#others.filter((peer) => !heard.has(splitZone(peer)[0]))
    const { port, isAsked, maySend } = this.#question
    // Nobody has the doctor's own port.
    const asked = maySend && isAsked && this.#own.length > 0 ? silent.slice(0, MOST) : []
    const failures = await failuresOf(asked, port, this.#of.address)
    const failed = (isRefused: boolean): string[] =>
      asked.filter((peer) => failures.has(peer) && isRefusal(failures.get(peer)) === isRefused)
    const [refused, unreached] = [failed(true), failed(false)]
    if (refused.length > 0) {
      const seen = `No program has port ${port} there, by the answer of ${listed(refused)}`
      yield doubtful('hosts', seen, 'start the program there, with the same port, if it is to hear')
    }
    if (unreached.length > 0) {
      const each = unreached.map((peer) => `${peer} (${failures.get(peer)})`)
      const tell = unreached.length === this.#others.length ? bad : doubtful
      const remedy = "look at the address, the route there, and this host's firewall"
      yield tell('hosts', `These cannot be reached: ${listed(each)}`, remedy)
    }
    const rest = silent.filter((peer) => !failures.has(peer))
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
    if (overflowed > 0) yield tooSlow(overflowed)
    if (malformed > 0) {
      const seen = `${malformed} datagrams came without the carrier's header, and were ignored`
      yield doubtful('arrival', seen, 'have the senders use the same carrier')
    }
    if (copies > 0) {
      const seen = `${copies} copies were refused by the system`
      yield doubtful('hosts', seen, "look at the addresses, the routes, and this host's firewall")
    }
  }
}

/** The first of them. */
function listed(hosts: readonly string[]): string {
  const more = hosts.length > 8 ? ` and ${hosts.length - 8} others` : ''
  return `${hosts.slice(0, 8).join(', ')}${more}`
}

/** Whether the host itself has refused it: Windows calls that otherwise. */
function isRefusal(code: string | undefined): boolean {
  return code === 'ECONNREFUSED' || code === 'ECONNRESET'
}

/**
 * Sends one datagram to each of these hosts, and waits for how it fails, by host. Each goes by a socket of its own that
 * is connected, since such a one alone is told. They are to the hosts themselves, not to a group, and so go to no socket
 * that is bound to one.
 */
async function failuresOf(
  hosts: readonly string[],
  port: number,
  address: string | undefined,
): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>()
  const sockets = hosts.map((host) => {
    const family = familyOf(host)
    const [destination] = splitZone(host)
    const data = Buffer.from(written({ id: newId(), by: 0, heard: [] }))
    const bytes = withHeader(family, { kind: 'host', destination, data })
    const socket = createSocket({ type: family === 'IPv4' ? 'udp4' : 'udp6', lookup })
    let isBound = false
    const fail = (error?: Error | null): void => {
      // That this host grants no socket says nothing of the other.
      if (error && isBound && !failures.has(host)) failures.set(host, errno(error) ?? 'EIO')
    }
    socket.on('error', fail)
    // The types do not say that it is told of an error.
    const connected = (error?: Error): void => (error ? fail(error) : socket.send(bytes, fail))
    const own = address === undefined ? {} : { address }
    try {
      socket.bind({ port: 0, exclusive: true, ...own }, () => {
        isBound = true
        socket.connect(port, host, connected)
      })
    } catch {
      // As where Node is not allowed to, of which the doctor has told.
    }
    return socket
  })
  if (sockets.length > 0) await delay(PATIENCE)
  for (const socket of sockets) socket.close()
  return failures
}
