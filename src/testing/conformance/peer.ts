/** Sockets, senders, receivers and peers elsewhere: in another process, or over another carrier. */
import { EventEmitter } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { MulticastStats } from '../../endpoint.js'
import type { Remote } from '../../events.js'
import type { NetworkInterfaces } from '../../interfaces.js'
import type { Membership } from '../../member-socket.js'
import type {
  Carrier,
  MembershipOptions,
  PeerOptions,
  ReceiverOptions,
  ReplyOptions,
  RequestOptions,
  SenderOptions,
} from '../../options.js'
import { Actor } from './actor.js'
import {
  afterSockets,
  type Channel,
  channel,
  type Failure,
  type News,
  type Order,
  type SocketChoice,
} from './channel.js'
import { BOUND, Inbox } from './inbox.js'
import type { Deed, Reading, Sequence } from './scenes.js'

/** Sends an order and awaits what comes of it. */
type Tell = (order: Unnumbered<Order>) => Promise<unknown>
type Unnumbered<O> = O extends Order ? Omit<O, 'id'> : never

// Taken before anybody puts a fake in its place.
const { setTimeout, clearTimeout } = globalThis

/**
 * A host as the cases use it. It gives orders to an {@link Actor}, which makes and uses the sockets, senders
 * and receivers. What fails there rejects here, with an error of the same `name`, `message`, `code`, `syscall`
 * and `cause`; `thrown` says whether the call itself threw. Every order has a time limit.
 *
 * @example
 * ```ts
 * import { MockNetwork } from 'typed-multicast/testing'
 * import { Peer } from 'typed-multicast/testing/conformance'
 *
 * const peer = Peer.over(new MockNetwork().host())
 * const socket = await peer.socket({ type: 'udp4' })
 * await socket.bind({ port: 10000 })
 * console.log(await socket.address()) // { address: '0.0.0.0', family: 'IPv4', port: 10000 }
 * await peer.reset()
 * ```
 */
export class Peer {
  readonly #channel: Channel<Order, News>
  readonly #pending = new Map<number, (news: Settled) => void>()
  readonly #held = new Map<number, PeerEmitter>()
  #orders = 0
  #made = 0
  #ended: string | undefined

  /** @param channel The way to an {@link Actor}. */
  constructor(channel: Channel<Order, News>) {
    this.#channel = channel
    channel.receive(
      afterSockets((news) => {
        if ('event' in news) this.#held.get(news.target)?.tell(news)
        else this.#pending.get(news.id)?.(news)
      }),
    )
    // What is ordered from now on would be sent in vain; what was answered before counts.
    const abandon = afterSockets((why: string) => {
      for (const settle of this.#pending.values()) settle(lost(why))
    })
    channel.ended?.((why) => {
      this.#ended = why
      abandon(why)
    })
  }

  /** A peer whose actor is in this process, over a carrier. Default: Node's own sockets. */
  static over(carrier: Carrier = {}): Peer {
    const [ours, theirs] = channel<Order, News>()
    new Actor(theirs, carrier)
    return new Peer(ours)
  }

  /** A raw socket, not bound yet. */
  async socket(choice: SocketChoice): Promise<PeerSocket> {
    const target = this.#hold((target) => new PeerSocket(target, this.#tell, choice.type))
    await this.#tell({ make: 'socket', target: target.target, options: choice })
    return target
  }

  /** A sender, once it is ready. */
  async sender(options: SenderOptions): Promise<PeerSender> {
    const sender = this.#hold((target) => new PeerSender(target, this.#tell))
    await this.#tell({ make: 'sender', target: sender.target, options })
    return sender
  }

  /** A receiver, once it is ready; it replies to each message with `answer` and the message. */
  async receiver(options: ReceiverOptions, answer?: string): Promise<PeerReceiver> {
    const receiver = this.#hold((target) => new PeerReceiver(target, this.#tell))
    await this.#tell({ make: 'receiver', target: receiver.target, options, answer })
    return receiver
  }

  /** A `MulticastPeer`, once it is ready. */
  async multicastPeer(options: PeerOptions): Promise<PeerMulticastPeer> {
    const peer = this.#hold((target) => new PeerMulticastPeer(target, this.#tell))
    await this.#tell({ make: 'peer', target: peer.target, options })
    return peer
  }

  /** What happens, in order, where its sockets do these deeds in one task: see {@link Deed}. */
  async sequence(how: Sequence, ...deeds: readonly Deed[]): Promise<string[]> {
    return (await this.#tell({ scene: 'sequence', args: [how, deeds] })) as string[]
  }

  /** Which of the three sockets of a {@link sequence} heard each of so many that were sent to all, in order. */
  async flood(how: Sequence, count: number): Promise<string[]> {
    return (await this.#tell({ scene: 'flood', args: [how, count] })) as string[]
  }

  /** What is told while sockets are read, where one's listener does something: see {@link Reading}. */
  async reading(how: Sequence, what: Reading): Promise<string[]> {
    return (await this.#tell({ scene: 'reading', args: [how, what] })) as string[]
  }

  /** Which of so many sockets of one port hear a message to a group, in order, counted from the one bound first. */
  async crowd(how: Sequence, group: string, handle: string, count: number): Promise<number[]> {
    return (await this.#tell({ scene: 'crowd', args: [how, group, handle, count] })) as number[]
  }

  /** What the host's `networkInterfaces()` lists. */
  async networkInterfaces(): Promise<NetworkInterfaces> {
    return (await this.#tell({ ask: 'interfaces' })) as NetworkInterfaces
  }

  /** Closes all that was made, and resolves when it is gone. */
  async reset(): Promise<void> {
    await this.#tell({ ask: 'reset' })
    this.#held.clear()
  }

  #hold<Made extends PeerEmitter>(make: (target: number) => Made): Made {
    const made = make(this.#made)
    this.#held.set(this.#made, made)
    this.#made += 1
    return made
  }

  readonly #tell: Tell = (order) => {
    this.#orders += 1
    const id = this.#orders
    const asked = new Error()
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => settle(lost(`no answer in ${2 * BOUND} ms`)), 2 * BOUND)
      const settle = (news: Settled): void => {
        clearTimeout(late)
        this.#pending.delete(id)
        if ('value' in news) resolve(news.value)
        else reject(revived(news.failure, asked))
      }
      this.#pending.set(id, settle)
      if (this.#ended === undefined) this.#channel.send({ ...order, id } as Order)
      else settle(lost(this.#ended))
    })
  }
}

type Settled = { readonly value: unknown } | { readonly failure: Failure }

/** Something in a peer; its events come along. */
class PeerEmitter extends EventEmitter {
  /** What it has heard from the beginning. */
  readonly heard = new Inbox(this)
  /** Its number in orders. */
  readonly target: number
  protected readonly order: Tell
  /** @internal */
  protected readonly events = new EventLog()

  constructor(target: number, order: Tell) {
    super()
    this.target = target
    this.order = order
  }

  /** @internal */
  tell(news: Extract<News, { event: string }>): void {
    const error = news.failure === undefined ? [] : [revived(news.failure)]
    this.events.push(news.event, [...error, ...news.args])
    // An error that nobody listens for is not this process's.
    if (news.event !== 'error' || this.listenerCount('error') > 0) {
      this.emit(news.event, ...error, ...news.args)
    }
  }

  /** Calls a method of it. */
  call(method: string, ...args: unknown[]): Promise<unknown> {
    return this.order({ call: method, target: this.target, args })
  }

  /** The arguments of the first event of that name, which may have come already. */
  async told(event: string): Promise<unknown[]> {
    const [first = []] = await this.events.take(event, 1)
    return first
  }

  /** How many events of that name have come. */
  count(event: string): number {
    return this.events.count(event)
  }

  /** Resolves when `close()` has been called, or is done. */
  close(): Promise<unknown> {
    return this.call('close')
  }

  /** What it is bound to. */
  async address(): Promise<AddressInfo> {
    return (await this.call('address')) as AddressInfo
  }

  protected routine(routine: string, ...args: unknown[]): Promise<unknown> {
    return this.order({ routine, target: this.target, args })
  }
}

/** A raw socket in a peer. */
export class PeerSocket extends PeerEmitter {
  readonly #any: string

  constructor(target: number, order: Tell, type: 'udp4' | 'udp6') {
    super(target, order)
    this.#any = type === 'udp4' ? '0.0.0.0' : '::'
  }

  /** Resolves when it is listening. Default: a free port of every address. */
  async bind({ port = 0, address = this.#any } = {}): Promise<this> {
    await this.routine('bind', port, address)
    return this
  }

  /** Resolves when the callback is called; a string is sent as UTF-8, anything else as it is. */
  async send(data: unknown, port: unknown, address: unknown): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    await this.routine('send', bytes, port, address)
  }

  /** Resolves when it is connected. */
  async connect(port: number, address: string): Promise<this> {
    await this.routine('connect', port, address)
    return this
  }

  /** Sends text to what it is connected to; resolves when the callback is called. */
  async sendConnected(text: string): Promise<void> {
    await this.routine('sendConnected', Buffer.from(text))
  }

  /** Calls methods within one tick: of each `'ok'`, or the code of its refusal. */
  async atOnce(...calls: readonly (readonly [string, ...unknown[]])[]): Promise<string[]> {
    return (await this.routine('atOnce', calls)) as string[]
  }

  /** Sends `count` datagrams of `size` bytes within one tick, which begin with their number. */
  async burst(count: number, size: number, port: number, address: string): Promise<void> {
    await this.routine('burst', count, size, port, address)
  }

  /** What happens around two datagrams that it sends to itself within one tick, in order. */
  async trace(port: number, address: string): Promise<string[]> {
    return (await this.routine('trace', port, address)) as string[]
  }

  /** Sends, and overwrites the memory once the callback is called. */
  async sendAndOverwrite(text: string, port: number, address: string): Promise<void> {
    await this.routine('sendAndOverwrite', text, port, address)
  }

  /** From now on overwrites the memory of each datagram that it hears. */
  async scribble(): Promise<void> {
    await this.routine('scribble')
  }
}

/** A `MulticastSender` in a peer. */
export class PeerSender extends PeerEmitter {
  /** Resolves with the bytes that were sent. */
  async send(message: string | Uint8Array): Promise<number> {
    return (await this.call('send', message)) as number
  }

  /** What it sends through now. */
  async interfaces(): Promise<string[]> {
    return (await this.order({ get: 'interfaces', target: this.target })) as string[]
  }

  /** The texts of the replies. */
  async request(message: string, options: RequestOptions): Promise<string[]> {
    return (await this.routine('request', message, options)) as string[]
  }
}

/** A `MulticastReceiver` in a peer. */
export class PeerReceiver extends PeerEmitter {
  /** As `MulticastReceiver#join`. */
  async join(membership?: MembershipOptions): Promise<void> {
    await this.call('join', membership)
  }

  /** As `MulticastReceiver#leave`. */
  async leave(membership?: MembershipOptions): Promise<void> {
    await this.call('leave', membership)
  }

  /** What its first `count` events `membership` have told, which may have come already: `'joined eth0'`. */
  async changes(count: number): Promise<string[]> {
    const events = await this.events.take('membership', count)
    return events.map(([change, membership]) => `${change} ${(membership as Membership).interface}`)
  }

  /** What is joined now. */
  async memberships(): Promise<Membership[]> {
    return (await this.order({ get: 'memberships', target: this.target })) as Membership[]
  }

  /** As `MulticastReceiver#reply`. */
  async reply(
    message: string | Uint8Array,
    remote: Pick<Remote, 'address' | 'port' | 'interface'>,
    options?: ReplyOptions,
  ): Promise<number> {
    return (await this.call('reply', message, remote, options)) as number
  }

  /** The counts up to now. */
  async stats(): Promise<MulticastStats> {
    return (await this.order({ get: 'stats', target: this.target })) as MulticastStats
  }
}

/** A `MulticastPeer` in a peer. */
export class PeerMulticastPeer extends PeerReceiver {
  /** Resolves with the bytes that were sent. */
  async send(message: string | Uint8Array): Promise<number> {
    return (await this.call('send', message)) as number
  }

  /** What it sends through now. */
  async interfaces(): Promise<string[]> {
    return (await this.order({ get: 'interfaces', target: this.target })) as string[]
  }
}

/** The events that have come, and who waits for one. */
class EventLog {
  readonly #events: { readonly name: string; readonly args: unknown[] }[] = []
  #came: (() => void)[] = []

  push(name: string, args: unknown[]): void {
    // Messages have an inbox of their own.
    if (name === 'message') return
    this.#events.push({ name, args })
    for (const came of this.#came.splice(0)) came()
  }

  count(name: string): number {
    return this.#events.filter((event) => event.name === name).length
  }

  /** The arguments of the first so many events of that name; fails if they do not come in time. */
  async take(name: string, count: number): Promise<unknown[][]> {
    const find = () => this.#events.filter((event) => event.name === name).map(({ args }) => args)
    for (const end = Date.now() + BOUND; find().length < count; ) {
      await new Promise<void>((resolve, reject) => {
        const why = `${find().length} ${name} events in ${BOUND} ms, not ${count}`
        const late = setTimeout(() => reject(new Error(why)), end - Date.now())
        this.#came.push(() => {
          clearTimeout(late)
          resolve()
        })
      })
    }
    return find()
  }
}

function lost(message: string): { failure: Failure } {
  const unknown = { code: undefined, syscall: undefined, thrown: false, cause: undefined }
  return { failure: { name: 'Error', message, ...unknown } }
}

/** An error as it was in the actor, with the stack of who gave the order. */
function revived(failure: Failure, asked?: Error): Error {
  const { message, cause, ...properties } = failure
  const error = new Error(message, cause && { cause: revived(cause) })
  Object.assign(error, properties)
  const [, ...stack] = asked?.stack?.split('\n') ?? []
  if (asked !== undefined) error.stack = [`${failure.name}: ${message}`, ...stack].join('\n')
  return error
}
