/** What lives beside the sockets and does with them what a `Peer` orders. */
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { gone } from '../../binding.js'
import {
  type CreateSocket,
  type DatagramSocket,
  type DatagramSocketOptions,
  lookup,
} from '../../datagram.js'
import { errno } from '../../errors.js'
import type { MulticastEmitter } from '../../events.js'
import type { NetworkInterfaces, WatchInterfaces } from '../../interfaces.js'
import type { Carrier, RequestOptions } from '../../options.js'
import { MulticastPeer } from '../../peer.js'
import { MulticastReceiver } from '../../receiver.js'
import { MulticastSender } from '../../sender.js'
import { afterSockets, type Channel, type Failure, type News, type Order } from './channel.js'
import { scenes } from './scenes.js'

type Endpoint = MulticastSender | MulticastReceiver

/** What a socket can do that is connected, beside what the library uses. */
interface ConnectedSocket {
  send(data: Uint8Array, callback: (error: Error | null) => void): unknown
}

/** Something that was made for a peer. */
interface Held {
  readonly subject: DatagramSocket | Endpoint
  close(): Promise<void>
}

/**
 * Does what a {@link Peer} orders through a channel, and reports the results and events: on a host that is another
 * process.
 *
 * @example
 * ```ts
 * import { Actor } from 'typed-multicast/testing/conformance'
 *
 * // In a process that was forked with `{ serialization: 'advanced' }`.
 * new Actor({
 *   send: (news) => process.send?.(news),
 *   receive: (listener) => process.on('message', listener),
 * })
 * ```
 */
export class Actor {
  readonly #channel: Channel<News, Order>
  readonly #createSocket: CreateSocket
  readonly #networkInterfaces: () => NetworkInterfaces
  readonly #watchInterfaces: WatchInterfaces | undefined
  readonly #bindAddress: string | undefined
  readonly #held = new Map<number, Held>()

  /** @param carrier Makes the sockets and lists the interfaces. Default: node:dgram and node:os. */
  constructor(channel: Channel<News, Order>, carrier: Carrier = {}) {
    this.#channel = channel
    this.#createSocket = carrier.createSocket ?? createSocket
    this.#networkInterfaces = carrier.networkInterfaces ?? networkInterfaces
    this.#watchInterfaces = carrier.watchInterfaces
    this.#bindAddress = carrier.bindAddress
    channel.receive(
      afterSockets((order) => {
        this.#obey(order).then(
          (value) => channel.send({ id: order.id, value }),
          (error: unknown) => channel.send({ id: order.id, failure: failure(error) }),
        )
      }),
    )
  }

  async #obey(order: Order): Promise<unknown> {
    if ('ask' in order) {
      return order.ask === 'reset' ? this.#reset() : this.#networkInterfaces()
    }
    if ('make' in order) return this.#make(order)
    if ('scene' in order) {
      const scene = scenes[order.scene]
      if (scene === undefined) throw new Error(`there is no scene ${order.scene}`)
      return scene(this.#createSocket, ...(order.args as never[]))
    }
    const subject = this.#held.get(order.target)?.subject
    if (subject === undefined) throw new Error(`there is nothing number ${order.target}`)
    if ('get' in order) return Reflect.get(subject, order.get)
    if ('routine' in order) {
      const routine = routines[order.routine]
      if (routine === undefined) throw new Error(`there is no routine ${order.routine}`)
      const result = await routine(subject as never, ...(order.args as never[]))
      await settled(subject)
      return result
    }
    const method: (...args: unknown[]) => unknown = Reflect.get(subject, order.call)
    const result = await method.apply(subject, [...order.args])
    await settled(subject)
    // Many return themselves, which cannot travel.
    return result === subject ? undefined : result
  }

  async #make(order: Extract<Order, { make: unknown }>): Promise<void> {
    const { target } = order
    const tell = (event: string, ...args: unknown[]): void => {
      const [error, ...others] = args
      if (error instanceof Error) {
        this.#channel.send({ target, event, failure: failure(error), args: others })
      } else this.#channel.send({ target, event, args })
    }
    if (order.make === 'socket') {
      const {
        type,
        reuseAddr = false,
        ipv6Only = type === 'udp6',
        hasLookup = true,
      } = order.options
      const options = { type, reuseAddr, ipv6Only, ...(hasLookup ? { lookup } : {}) }
      const socket = this.#createSocket(options as DatagramSocketOptions)
      this.#held.set(target, { subject: socket, close: () => gone(socket) })
      socket.on('message', (...args) => tell('message', ...args))
      socket.on('error', (error) => tell('error', error))
      socket.once('listening', () => tell('listening'))
      socket.once('close', () => tell('close'))
      return
    }
    // Only these, because a carrier may have more to it than a sender's options know.
    const carrier = {
      createSocket: this.#createSocket,
      networkInterfaces: this.#networkInterfaces,
      watchInterfaces: this.#watchInterfaces,
      ...(this.#bindAddress === undefined ? {} : { bindAddress: this.#bindAddress }),
    }
    const endpoint = madeEndpoint(order, carrier)
    this.#held.set(target, { subject: endpoint, close: () => endpoint.close() })
    if (order.make === 'receiver' && order.answer !== undefined) {
      const { answer } = order
      const receiver = endpoint as MulticastReceiver
      receiver.on('message', (message, remote) => void receiver.reply(answer + message, remote))
    }
    const emitter: MulticastEmitter<Buffer> = endpoint
    emitter.on('message', (...args) => tell('message', ...args))
    emitter.on('error', (error) => tell('error', error))
    emitter.on('malformed', (...args) => tell('malformed', ...args))
    emitter.on('timeout', () => tell('timeout'))
    if (endpoint instanceof MulticastReceiver) {
      endpoint.on('membership', (...args) => tell('membership', ...args))
    }
    emitter.on('close', () => tell('close'))
    await endpoint.ready()
  }

  async #reset(): Promise<void> {
    const held = [...this.#held.values()]
    this.#held.clear()
    await Promise.all(held.map(({ close }) => close()))
  }
}

/** Resolves when what a socket was told has taken effect, where that takes a while. */
async function settled(subject: Held['subject']): Promise<void> {
  if ('settled' in subject) await subject.settled?.()
}

function madeEndpoint(
  order: Exclude<Extract<Order, { make: unknown }>, { make: 'socket' }>,
  carrier: Carrier,
): Endpoint {
  if (order.make === 'sender') return new MulticastSender({ ...order.options, ...carrier })
  // Its bindAddress is a default, and so before what was ordered.
  if (order.make === 'peer') return new MulticastPeer({ ...carrier, ...order.options })
  return new MulticastReceiver({ ...carrier, ...order.options })
}

/** What takes more than one call, or has to happen without a pause. */
const routines: Record<string, (subject: never, ...args: never[]) => unknown> = {
  bind: (socket: DatagramSocket, port: number, address: string) =>
    new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.once('listening', resolve)
      socket.bind({ port, address, exclusive: true })
    }),

  send,

  connect: (socket: DatagramSocket, port: number, address: string) =>
    new Promise<void>((resolve, reject) => {
      socket.connect(port, address, (error) => (error ? reject(new Told(error)) : resolve()))
    }),

  /** Sends to what the socket is connected to. */
  sendConnected: (socket: ConnectedSocket, data: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      socket.send(data, (error) => (error ? reject(new Told(error)) : resolve()))
    }),

  /** Calls methods one after the other within one tick: of each `'ok'`, or the code of its refusal. */
  atOnce: (socket: DatagramSocket, calls: readonly (readonly [string, ...unknown[]])[]) =>
    calls.map(([method, ...args]) => {
      try {
        const call: (...args: unknown[]) => unknown = Reflect.get(socket, method)
        call.apply(socket, args)
        return 'ok'
      } catch (error) {
        return errno(error) ?? `${error}`
      }
    }),

  /** Sends as many datagrams within one tick, each of which begins with its number. */
  burst: (socket: DatagramSocket, count: number, size: number, port: number, address: string) =>
    Promise.all(
      Array.from({ length: count }, (_, at) =>
        send(socket, Buffer.from(`${at} `.padEnd(size, '.').slice(0, size)), port, address),
      ),
    ).then(() => undefined),

  /** What happens, in which order, around two datagrams that a socket sends to itself in one tick. */
  trace: (socket: DatagramSocket, port: number, address: string) =>
    new Promise<string[]>((resolve, reject) => {
      const told: string[] = []
      const tell = (what: string): void => {
        told.push(what)
        if (told.length === 10) resolve(told)
      }
      socket.on('message', (data) => {
        tell(`heard ${data}`)
        queueMicrotask(() => tell(`microtask after ${data}`))
      })
      for (const text of ['one', 'two']) {
        socket.send(Buffer.from(text), port, address, (error) => {
          if (error === null) tell(`sent ${text}`)
          else reject(error)
        })
        tell(`returned ${text}`)
        if (text === 'two') queueMicrotask(() => tell('microtask after both'))
        else tell('same tick')
      }
    }),

  /** Sends, and fills the memory with something else as soon as the callback allows it. */
  sendAndOverwrite: async (
    socket: DatagramSocket,
    text: string,
    port: number,
    address: string,
  ): Promise<void> => {
    const data = Buffer.from(text)
    await send(socket, data, port, address)
    data.fill('x')
  },

  /** Overwrites whatever the socket hears from now on. */
  scribble: (socket: DatagramSocket): void => {
    socket.on('message', (data) => void data.fill('x'))
  },

  /** The texts of the replies to a request. */
  request: async (
    sender: MulticastSender,
    message: string,
    options: RequestOptions,
  ): Promise<string[]> => {
    const replies: string[] = []
    for await (const reply of sender.request(message, options)) {
      replies.push(reply.message.toString())
    }
    return replies
  },
}

function send(
  socket: DatagramSocket,
  data: Uint8Array,
  port: number,
  address: string,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    try {
      socket.send(data, port, address, (error) => (error ? reject(new Told(error)) : resolve()))
    } catch (error) {
      reject(error)
    }
  })
}

/** Wraps what was told to a callback, to tell it from what was thrown. */
class Told {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

function failure(error: unknown): Failure {
  if (error instanceof Told) return { ...failure(error.error), thrown: false }
  const { name, message, code, syscall, cause } = error as Partial<NodeJS.ErrnoException>
  return {
    name: `${name}`,
    message: `${message}`,
    code,
    syscall,
    thrown: true,
    cause: cause === undefined ? undefined : failure(cause),
  }
}
