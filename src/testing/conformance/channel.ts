/** What a peer and its actor say to each other, and the way it takes. */

import type { PeerOptions, ReceiverOptions, SenderOptions } from '../../options.js'
import { heldTurn } from '../../stack/turns.js'

/** How to make a raw socket: the part of `dgram.SocketOptions` that a case chooses. */
export interface SocketChoice {
  /** Its family: IPv4 or IPv6. */
  readonly type: 'udp4' | 'udp6'
  /** SO_REUSEADDR. Default: false. */
  readonly reuseAddr?: boolean
  /** IPV6_V6ONLY. Default: true, as in the library itself. */
  readonly ipv6Only?: boolean
  /** Whether it gets a lookup that answers at once, as the library's sockets do. Default: true. */
  readonly hasLookup?: boolean
}

/** What an actor is to do, as data: no function can travel between processes. */
export type Order = { readonly id: number } & (
  | { readonly make: 'socket'; readonly target: number; readonly options: SocketChoice }
  | { readonly make: 'sender'; readonly target: number; readonly options: SenderOptions }
  | {
      readonly make: 'receiver'
      readonly target: number
      readonly options: ReceiverOptions
      /** Reply to each message with this and the message. */
      readonly answer: string | undefined
    }
  | { readonly make: 'peer'; readonly target: number; readonly options: PeerOptions }
  /** A method of what was made, or one of the actor's routines for it. */
  | { readonly call: string; readonly target: number; readonly args: readonly unknown[] }
  | { readonly routine: string; readonly target: number; readonly args: readonly unknown[] }
  | { readonly get: string; readonly target: number }
  /** One of the actor's scenes, which are about several sockets of its own. */
  | { readonly scene: string; readonly args: readonly unknown[] }
  | { readonly ask: 'interfaces' | 'reset' }
)

/** An error, in a form that can travel. */
export interface Failure {
  /** The error's `name`. */
  readonly name: string
  /** The error's `message`. */
  readonly message: string
  /** The error's `code`, if it has one. */
  readonly code: unknown
  /** The error's `syscall`, if it has one. */
  readonly syscall: unknown
  /** Whether the call itself threw, and not its callback that got the error. */
  readonly thrown: boolean
  /** The error's `cause`, if it has one. */
  readonly cause: Failure | undefined
}

/** The answer to an order, or an event of something that was made. */
export type News =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure }
  | {
      readonly target: number
      readonly event: string
      /** The first argument, where it is an error. */
      readonly failure?: Failure
      readonly args: readonly unknown[]
    }

/**
 * One end of the way between a peer and its actor. What is sent comes out at the other end on a
 * later tick, in order, and with its Buffers as Buffers. The peer and the actor act on it when the event loop has
 * turned twice, so that datagrams that came before it are read first.
 */
export interface Channel<Sent, Received> {
  /** Sends a message to the other end. */
  send(message: Sent): void
  /** Called once, before anything can come. */
  receive(listener: (message: Received) => void): void
  /** Called with the reason when nothing will come any more. Left out where that cannot be. */
  ended?(listener: (why: string) => void): void
}

// Taken before anybody puts a fake in its place.
const { setImmediate } = globalThis

/**
 * Hands on what comes only after the loop has polled once more, so that datagrams that came before it are read first:
 * of a socket 32 in each round. A process that was busy might else take an order, or an answer, before them. For epoll
 * tells first of what it has told of last time, and a pipe is read up to what has come since epoll told of it.
 */
export function afterSockets<Message>(
  listener: (message: Message) => void,
): (message: Message) => void {
  return (message) => void setImmediate(() => setImmediate(listener, message))
}

/** The two ends of a channel within one process. */
export function channel<One, Other>(): [Channel<One, Other>, Channel<Other, One>] {
  const there = lane<One>()
  const back = lane<Other>()
  return [
    { send: there.send, receive: back.receive },
    { send: back.send, receive: there.receive },
  ]
}

function lane<Message>() {
  let listen: (message: Message) => void = () => {}
  return {
    // In a turn of its own, so that whoever asks again and again lets the world go on.
    send: (message: Message): void => heldTurn(() => void listen(message)),
    receive: (listener: (message: Message) => void): void => {
      listen = listener
    },
  }
}
