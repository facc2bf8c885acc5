import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import type * as typed from 'typed-emitter'
import type { MulticastError } from './errors.js'
import type { Membership } from './member-socket.js'

/** The sender of a datagram: node:dgram's `RemoteInfo`, and the interface it came through, if that is known. */
export interface Remote extends RemoteInfo {
  /**
   * The name of the interface that it came through. Known for link-local IPv6 groups, which have a socket on
   * each interface; otherwise absent.
   */
  interface?: string
}

/** The events of a sender (whose messages are the replies) and of a receiver. */
export type MulticastEvents<Message> = {
  /**
   * The socket is bound, and a receiver has joined: with `followInterfaces` on the interfaces that exist, which
   * may be none yet. Once.
   */
  listening: () => void
  /** A message came. `remote` is its sender: address, family, port and size in bytes. */
  message: (message: Message, remote: Remote) => void
  /** `timeout` ms passed without a message. Once, until the next message or send starts the clock again. */
  timeout: () => void
  /** A datagram came that the codec could not decode. `data` is its bytes. */
  malformed: (error: MulticastError, data: Buffer, remote: Remote) => void
  /** Opening failed, or the system reported an error on the open socket. */
  error: (error: MulticastError) => void
  /** The socket is gone. Once, and the last event. */
  close: () => void
} & EmitterEvents

/**
 * What happened to a membership. It was joined; it was left, by a call or because the system's route has moved;
 * or the system lost it.
 */
export type MembershipChange = 'joined' | 'left' | 'lost'

/** What node:events' EventEmitter emits of its own accord. */
type EmitterEvents = Record<
  'newListener' | 'removeListener',
  (event: string | symbol, listener: (...args: unknown[]) => void) => void
>

/** The events of a receiver. */
export type MulticastReceiverEvents<Message> = MulticastEvents<Message> & {
  /**
   * A membership was joined, left or lost after `listening`, by a call or because the network changed. An
   * interface that was re-created or renamed is `'lost'`, then `'joined'`. Not emitted on closing, nor when a
   * membership is only reported to the network again.
   */
  membership: (change: MembershipChange, membership: Membership) => void
}

/** An EventEmitter whose events are typed. */
export type MulticastEmitter<Message> = typed.default<MulticastEvents<Message>>

/** typed-emitter's type, with what an editor shows of its methods. */
export interface Emitting<Events extends typed.EventMap> extends typed.default<Events> {
  /**
   * Calls `listener` at each event of this name:
   *
   * - `message` (message, remote): a message came; at a sender, a reply
   * - `malformed` (error, data, remote): the codec could not decode a datagram
   * - `timeout`: `timeout` ms passed without a message
   * - `membership` (change, membership): a receiver or peer has `'joined'`, `'left'` or `'lost'` one
   * - `listening`: it has opened
   * - `error` (error): opening failed, or the system reported an error. Ends the process if nobody listens
   * - `close`: it has closed
   */
  on<Event extends keyof Events>(event: Event, listener: Events[Event]): this
  /** As {@link on}, for the next event of this name alone. */
  once<Event extends keyof Events>(event: Event, listener: Events[Event]): this
}

/** node:events' EventEmitter, seen through typed-emitter: what senders, receivers and peers extend. */
export const Emitter: new <Events extends typed.EventMap>() => Emitting<Events> =
  EventEmitter as new <Events extends typed.EventMap>() => Emitting<Events>

/**
 * Emits for a class that is itself generic in `Message`. It cannot call typed-emitter's `emit`:
 * TypeScript leaves `Parameters<MulticastEvents<Message>['message']>` unresolved there. Returns whether anybody listens.
 */
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'listening' | 'timeout' | 'close',
): boolean
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'message',
  message: Message,
  remote: Remote,
): boolean
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'malformed',
  error: MulticastError,
  data: Buffer,
  remote: Remote,
): boolean
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'error',
  error: MulticastError,
): boolean
export function emit<Message>(
  emitter: typed.default<MulticastReceiverEvents<Message>>,
  event: 'membership',
  change: MembershipChange,
  membership: Membership,
): boolean
export function emit(emitter: unknown, event: string, ...args: unknown[]): boolean {
  return (emitter as EventEmitter).emit(event, ...args)
}

// Taken before anybody puts a fake in its place.
const { queueMicrotask } = globalThis

/** Emits from inside a promise: what a listener throws is uncaught there too, not a rejection. */
export function raise(emission: () => unknown): void {
  try {
    emission()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
