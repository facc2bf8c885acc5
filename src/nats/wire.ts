import { randomBytes, randomInt } from 'node:crypto'
import { isMulticast, maxPayload } from '../address.js'
import type { Examination, Question } from '../doctor/examination.js'
import type { InetSocket } from '../stack/inet-socket.js'
import type { Link } from '../stack/link.js'
import type { Report } from '../stack/outcome.js'
import type { Packet } from '../stack/packet.js'
import { allHosts, type Family, familyOf, staysOnHost } from '../stack/scope.js'
import type { Stack, Track } from '../stack/stack.js'
import { turnIn } from '../stack/turns.js'
import type { Answer, Claimed, Reach, Wire } from '../stack/wire.js'
import type { NatsConnection, NatsMessage } from './connection.js'
import { NatsExamination } from './examination.js'
import { headerSize, idSize, parseHeader, withHeader } from './header.js'
import { Interest } from './interest.js'
import { Session } from './session.js'
import { kindOf, parseSubject, type Subject, subjectOf } from './subject.js'
import { Window } from './window.js'

/** What a carrier has counted since it was made. */
export interface NatsStats {
  /** Datagrams that were given to the client, replies included. */
  readonly sent: number
  /** Datagrams that were refused: the server is away, forbids them, or takes none so large. */
  readonly failed: number
  /** Datagrams of others. */
  readonly received: number
  /** Messages on the subjects without the header, or that make no sense, and were passed over. */
  readonly malformed: number
  /** Datagrams that a socket had no room for, because its program was too slow to read it. */
  readonly overflowed: number
  /**
   * Times that the server has refused a publication or a subscription: while what is joined is forbidden, it is asked
   * for and counted again every two seconds.
   */
  readonly denied: number
  /** Times that the server was lost. It also lets go of a client that does not read for too long. */
  readonly disconnects: number
}

/** What differs from one wire to the next. */
interface NatsWireOptions {
  readonly connection: NatsConnection
  /** What all its subjects begin with. */
  readonly prefix: string
  /** The link that leads to the server. */
  readonly link: Link
}

/** The ports that nobody registers. */
const freePorts = { first: 49_152, last: 65_535 } as const

/** The subjects that a refusal is kept of until something is sent there again. */
const deniedLimit = 1000

/** Publishes what its host sends, and asks the server for what its host has joined. */
export class NatsWire implements Wire {
  readonly #options: NatsWireOptions
  readonly #stack: () => Stack
  readonly #session: Session
  readonly #interest: Interest
  readonly #window: Window
  /** Nobody else has it, so that what comes back is known. */
  readonly #id = randomBytes(idSize)
  readonly #ports = new Set<string>()
  /** Whether what is joined, or bound, is not what the server was last asked for. */
  #hasChanged = false
  /** What the server has refused to publish, and whose sender has not been told. */
  readonly #denied = new Set<string>()
  readonly #watchers = new Set<{ readonly onChange: (lost: readonly string[]) => void }>()
  readonly #counts = {
    sent: 0,
    failed: 0,
    received: 0,
    malformed: 0,
    overflowed: 0,
    denied: 0,
    disconnects: 0,
  }

  /** `stack` is asked for the stack above once something comes. */
  constructor(options: NatsWireOptions, stack: () => Stack) {
    this.#options = options
    this.#stack = stack
    const { connection, link } = options
    this.#session = new Session(connection, {
      onChange: () => this.#turn(),
      onEnd: (cause) => this.#end(cause),
      onError: (error) => this.#refuse(error),
    })
    this.#interest = new Interest(this.#session, (message) => this.#hear(message))
    this.#window = new Window(this.#session)
    link.isUp = this.#session.isUp
  }

  get stats(): NatsStats {
    return { ...this.#counts }
  }

  /** What the doctor finds out of it. */
  examine(question: Question): Examination {
    const [session, id, denied] = [this.#session, this.#id, this.#denied]
    const stats = (): NatsStats => this.stats
    return new NatsExamination({ ...this.#options, session, id, denied, stats }, question)
  }

  /** Calls it whenever the server is lost, or back, until what it returns is called. */
  watch(onChange: (lost: readonly string[]) => void): () => void {
    const watcher = { onChange }
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  readonly soon: Wire['soon'] = (task, scope) => turnIn(scope, task)

  claim(family: Family, wanted: number, answer: (claimed: Claimed) => void): void {
    let port = wanted || randomInt(freePorts.first, freePorts.last + 1)
    // From one by chance on, the next that is free.
    for (let tried = 0; wanted === 0 && this.#ports.has(`${family} ${port}`); tried += 1) {
      if (tried > freePorts.last - freePorts.first) {
        answer({ code: 'EADDRINUSE' })
        return
      }
      port = port === freePorts.last ? freePorts.first : port + 1
    }
    this.#ports.add(`${family} ${port}`)
    answer({ port })
  }

  release(family: Family, port: number): void {
    this.#ports.delete(`${family} ${port}`)
  }

  changed(): void {
    if (this.#hasChanged) return
    this.#hasChanged = true
    // What is left and joined in one turn, to have routers hear of it again, is asked for all the time.
    void Promise.resolve().then(() => this.#ask())
  }

  #ask(): void {
    if (!this.#hasChanged) return
    this.#hasChanged = false
    this.#interest.want(new Set(this.#subjects()))
  }

  async settled(socket: InetSocket): Promise<void> {
    const { end } = this.#session
    if (end !== undefined) throw end
    this.#ask()
    this.#interest.retry(this.#subjects(socket))
    await this.#session.up()
    if (!(await this.#session.flushed())) return this.settled(socket)
    const refusal = this.#interest.refusal(this.#subjects(socket))
    if (refusal !== undefined) throw refusal
  }

  queued(): number {
    return this.#window.queued
  }

  send(link: Link, packet: Packet, reach: Reach, answer: Answer): void {
    const { prefix } = this.#options
    const { source, destination } = packet
    const subject = subjectOf(prefix, { kind: kindOf(link, destination), destination, source })
    const refusal = this.#refusal(link, packet, reach, subject)
    if (refusal !== undefined) {
      this.#counts.failed += 1
      answer(...refusal)
      return
    }
    if (!this.#stack().hearOwn(link, packet, reach, this.#track)) {
      answer()
      return
    }
    const bytes = withHeader({ id: this.#id, ...packet })
    try {
      this.#options.connection.publish(subject, bytes)
    } catch {
      // It is about to be closed.
      this.#counts.failed += 1
      answer('ENETUNREACH')
      return
    }
    this.#counts.sent += 1
    this.#window.take(bytes.byteLength, answer)
  }

  /** Why a datagram cannot go out, and what to try. */
  #refusal(
    link: Link,
    { destination, data }: Packet,
    { leaves }: Reach,
    subject: string,
  ): Parameters<Answer> | undefined {
    // To a group not even within the program: of all interfaces there may be the loopback one alone now.
    const isGroup = isMulticast(destination)
    if (!this.#session.isUp && (isGroup || !link.isLoopback)) {
      return ['ENETUNREACH', 'the NATS server is away: sends go out again once it is back']
    }
    if (link.isLoopback || !leaves) return undefined
    const largest = this.#options.connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    if (data.byteLength + headerSize > largest) {
      return [
        'EMSGSIZE',
        `split it to at most ${largest - headerSize} bytes, or raise the server's max_payload (${largest})`,
      ]
    }
    // As a kernel tells of what came back from the network: by the next send, which is not sent.
    if (this.#denied.delete(subject)) {
      return ['EACCES', `the NATS server does not let this program publish to ${subject}`]
    }
    return undefined
  }

  /** What the server is to send here, for one socket or for all. */
  *#subjects(only?: InetSocket): Iterable<string> {
    const { prefix, link } = this.#options
    const stack = this.#stack()
    const subject = (kind: Subject['kind'], destination: string, source = '*'): string =>
      subjectOf(prefix, { kind, destination, source })
    const families = new Set(only ? [only.family] : stack.sockets.map(({ family }) => family))
    if (families.size > 0) yield subject('all', '*')
    for (const { address, family } of link.addresses) {
      if (families.has(family)) yield subject('host', address)
    }
    const isOnly = (group: string): boolean =>
      only === undefined || only.lists[familyOf(group)].joined.some((one) => one.group === group)
    for (const { group, link: on, sources } of stack.asked) {
      if (on !== link || staysOnHost(group) || allHosts.has(group) || !isOnly(group)) continue
      if (sources === undefined) yield subject('group', group)
      else for (const source of sources) yield subject('group', group, source)
    }
  }

  #hear({ subject, data: bytes }: NatsMessage): void {
    const { prefix, link } = this.#options
    const to = parseSubject(prefix, subject)
    const headed = parseHeader(bytes)
    if (to === undefined || headed === undefined || !isSense(link, to, headed.data)) {
      this.#counts.malformed += 1
      return
    }
    const { id, ...rest } = headed
    // This host has heard it as it was sent.
    if (id.equals(this.#id)) return
    this.#counts.received += 1
    const { source, destination } = to
    const family = familyOf(source)
    // Where nothing routes it any further, its TTL has no meaning.
    const packet = { family, source, destination, ttl: 1, ...rest }
    this.#stack().hear(link, packet, false, this.#track)
  }

  readonly #track: Track = () => this.#report

  readonly #report: Report = (outcome) => {
    if (outcome === 'queue-full') this.#counts.overflowed += 1
  }

  /** The server is lost, or back. */
  #turn(): void {
    const { isUp } = this.#session
    this.#options.link.isUp = isUp
    if (isUp) this.#interest.retry()
    else {
      this.#counts.disconnects += 1
      this.#denied.clear()
    }
    // What was joined is kept.
    for (const { onChange } of [...this.#watchers]) onChange([])
  }

  /** The server has refused something. */
  #refuse(error: unknown): void {
    const { operation, subject } = Object(error) as { operation?: unknown; subject?: unknown }
    const { prefix } = this.#options
    // Others may use the same connection.
    if (typeof subject !== 'string' || !subject.startsWith(`${prefix}.`)) return
    this.#counts.denied += 1
    if (operation !== 'publish') return
    if (this.#denied.size >= deniedLimit) this.#denied.clear()
    this.#denied.add(subject)
  }

  #end(cause: Error): void {
    const wasUp = this.#options.link.isUp
    this.#options.link.isUp = false
    if (wasUp) this.#counts.disconnects += 1
    this.#stack().fail(cause)
  }
}

/** Whether a message can be a datagram to where its subject says. */
function isSense(link: Link, { kind, destination }: Subject, { byteLength }: Buffer): boolean {
  return kind === kindOf(link, destination) && byteLength <= maxPayload[familyOf(destination)]
}
