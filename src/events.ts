import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import type * as typed from 'typed-emitter'
import type { MulticastError } from './errors.js'
import type { Membership } from './member-socket.js'

/** Whom a datagram came from: node:dgram's `RemoteInfo`, and where it came in, if that is known. */
export interface Remote extends RemoteInfo {
  /**
   * The name of the interface that it came in by. Known of what comes to a link-local IPv6 group, for which
   * there is a socket on each interface; else absent.
   */
  interface?: string
}

/** The events of a sender (whose messages are the replies) and of a receiver. */
export type MulticastEvents<Message> = {
  /**
   * The socket is bound and, in a receiver, has joined; where interfaces are followed, on what of that is there,
   * which may be nothing yet. Once.
   */
  listening: () => void
  /** A datagram came. `remote` is whom it is from: address, family, port and size in bytes. */
  message: (message: Message, remote: Remote) => void
  /** `timeout` ms passed without a message. Once, until traffic arms it again. */
  timeout: () => void
  /** A datagram came that the codec could not decode: `data` are its bytes. */
  malformed: (error: MulticastError, data: Buffer, remote: Remote) => void
  /** Opening failed, or the system reported an error on the open socket. */
  error: (error: MulticastError) => void
  /** The socket is gone. Once, and the last event. */
  close: () => void
} & EmitterEvents

/**
 * What happened to a membership: it was joined; left, by a call or because what was asked for is elsewhere now;
 * or lost by the system.
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
   * A membership was joined, left or lost after `listening`, by a call or because the network has changed.
   * An interface that was made anew is `'lost'`, then `'joined'`, and so is one that got another name. Not
   * for closing, nor where a membership is only reported to the network once more.
   */
  membership: (change: MembershipChange, membership: Membership) => void
}

/** An EventEmitter whose events are typed. */
export type MulticastEmitter<Message> = typed.default<MulticastEvents<Message>>

/** node:events' EventEmitter, seen through typed-emitter: what senders and receivers extend. */
export const Emitter: new <Events extends typed.EventMap>() => typed.default<Events> =
  EventEmitter as new <Events extends typed.EventMap>() => typed.default<Events>

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
