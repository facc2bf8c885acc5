import { inspect } from 'node:util'
import { type Rules, resolve, rule } from '../rules.js'
import type { InetSocket } from '../stack/inet-socket.js'
import type { Link } from '../stack/link.js'
import type { Packet } from '../stack/packet.js'
import type { Stack } from '../stack/stack.js'
import type { Outcome } from './outcome.js'

/** What became of a datagram at one socket. */
export interface Delivery {
  /** The name of the socket's host. */
  readonly host: string
  /** The interface that it arrived on, or would have. */
  readonly interface: string
  /** What the socket is bound to: `'239.1.2.3:10000'`, `'[ff02::1%eth0]:10000'`. */
  readonly socket: string
  /** Whether the socket has emitted it, or why not. */
  readonly outcome: Outcome
}

/**
 * One datagram that was sent, and what became of it. As a string it shows everything except the sockets on
 * other ports.
 *
 * @example
 * ```ts
 * import { MulticastSender } from 'typed-multicast'
 * import { MockNetwork } from 'typed-multicast/testing'
 *
 * const network = new MockNetwork()
 * const sender = new MulticastSender({ group: '239.1.2.3', port: 10000, ...network.host() })
 * await sender.send('hello')
 * const [entry] = network.journal
 * console.log(entry?.to, entry?.text) // 239.1.2.3:10000 hello
 * await network.close()
 * ```
 */
export class JournalEntry {
  /** The name of the host that sent it. */
  readonly host: string
  /** The interface that it left by. */
  readonly interface: string
  /** The address and port that it was sent from, as in `'10.0.0.1:32768'`. */
  readonly from: string
  /** The address and port that it was sent to. */
  readonly to: string
  /** The TTL, or hop limit, that it was sent with. */
  readonly ttl: number
  /** Its payload in bytes. */
  readonly size: number
  /** Its payload as text if that is printable, otherwise in hexadecimal. Cut off after 200 characters. */
  readonly text: string
  /** One for each socket that was open on the hosts it could reach, and one for each further copy. */
  readonly deliveries: readonly Delivery[] = []
  readonly #data: Buffer

  /** @internal */
  constructor(host: string, link: Link, packet: Packet) {
    this.host = host
    this.interface = link.name
    this.from = joined(packet.source, packet.sourcePort)
    this.to = joined(packet.destination, packet.port)
    this.ttl = packet.ttl
    this.size = packet.data.byteLength
    this.text = readable(packet.data)
    this.#data = packet.data
  }

  /** A copy of its payload. */
  get data(): Buffer {
    return Buffer.from(this.#data)
  }

  /**
   * Notes what became of it at a bound socket. What this returns notes what became of it there in the end.
   *
   * @internal
   */
  note(host: Stack, link: Link, socket: InetSocket, outcome: Outcome): (outcome: Outcome) => void {
    const { address, port } = socket.local as NonNullable<InetSocket['local']>
    const zone = host.routing.linkOf(socket.zone)
    const bound = joined(zone === undefined ? address : `${address}%${zone.name}`, port)
    const delivery = { host: host.name, interface: link.name, socket: bound, outcome }
    ;(this.deliveries as Delivery[]).push(delivery)
    return (outcome) => {
      delivery.outcome = outcome
    }
  }

  /** @internal */
  withdraw(noted: readonly Delivery[]): void {
    for (const delivery of noted) {
      const deliveries = this.deliveries as Delivery[]
      deliveries.splice(deliveries.indexOf(delivery), 1)
    }
  }

  /** One line for the datagram, and one for each socket of its port. */
  toString(): string {
    const text = this.text.replaceAll('\n', '\\n').replaceAll('\t', '\\t')
    const what = `${this.host} ${this.interface} ${this.from} -> ${this.to} ttl ${this.ttl}, ${this.size} bytes: ${text}`
    const concerned = this.deliveries.filter(({ outcome }) => outcome !== 'port')
    const lines = concerned.map(
      (delivery) =>
        `    ${delivery.host} ${delivery.interface} ${delivery.socket} ${delivery.outcome}`,
    )
    const nobody = '    no socket of that port on any host that it could reach'
    return [what, ...(lines.length > 0 ? lines : [nobody])].join('\n')
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString()
  }
}

/** An expected datagram: the properties that its entry must have, or a function that tests the entry. */
export type Expected =
  | Partial<Pick<JournalEntry, 'host' | 'interface' | 'from' | 'to' | 'ttl' | 'size' | 'text'>>
  | ((entry: JournalEntry) => boolean)

const anything = rule({ check: (value) => value })

const expectedRules = {
  host: anything,
  interface: anything,
  from: anything,
  to: anything,
  ttl: anything,
  size: anything,
  text: anything,
} satisfies Rules

/** How many entries a complaint shows. */
const most = 20

/** The last datagrams that were sent, up to a limit. */
export class Journal {
  readonly #limit: number
  #entries: JournalEntry[] = []
  #hasForgotten = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Notes a datagram that leaves a host, unless nothing is to be kept. */
  open(host: string, link: Link, packet: Packet): JournalEntry | undefined {
    if (this.#limit === 0) return undefined
    const entry = new JournalEntry(host, link, packet)
    this.#entries.push(entry)
    // Many at a time, because each cut moves all that is left.
    if (this.#entries.length >= 1.1 * this.#limit + 1) this.#cut()
    return entry
  }

  get entries(): readonly JournalEntry[] {
    this.#cut()
    return [...this.#entries]
  }

  /** What is wrong with the entries that none of `expected` describes, if there are any. */
  complaint(expected: readonly Expected[]): string | undefined {
    this.#cut()
    const tests = expected.map(testOf)
    const unexpected = this.#entries.filter((entry) => !tests.some((test) => test(entry)))
    if (unexpected.length > 0) {
      const count = `${unexpected.length} of ${this.#entries.length} datagrams`
      const more = unexpected.length > most ? `\nand ${unexpected.length - most} more` : ''
      const were = expected.map((one) => inspect(one, { breakLength: Number.POSITIVE_INFINITY }))
      return `${count} were not expected:\n${unexpected.slice(0, most).join('\n')}${more}\nexpected: ${were.join(', ') || 'none'}`
    }
    if (!this.#hasForgotten && this.#limit > 0) return undefined
    return `The journal keeps ${this.#limit} datagrams and no others, of which nothing can be said: raise journalLimit`
  }

  #cut(): void {
    const over = this.#entries.length - this.#limit
    if (over <= 0) return
    this.#entries = this.#entries.slice(over)
    this.#hasForgotten = true
  }
}

/** The test that an expectation is. */
function testOf(expected: Expected): (entry: JournalEntry) => boolean {
  if (typeof expected === 'function') return expected
  const members = Object.entries(resolve(expectedRules, expected))
  return (entry) =>
    members.every(
      ([name, value]) => value === undefined || entry[name as keyof typeof expectedRules] === value,
    )
}

function joined(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function readable(data: Buffer): string {
  const text = data.toString('utf8', 0, 800)
  const isPrintable = !/(?![\n\t])[\p{C}\ufffd]/u.test(text)
  const shown = isPrintable ? text : data.toString('hex', 0, 101)
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}
