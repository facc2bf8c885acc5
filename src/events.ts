import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import type * as typed from 'typed-emitter'
import type { MulticastError } from './errors.js'

/** The events of a sender (whose messages are the replies) and of a receiver. */
export type MulticastEvents<Message> = {
  /** The socket is bound and, in a receiver, has joined. Once. */
  listening: () => void
  /** A datagram came. `remote` is node:dgram's: address, family, port and size in bytes. */
  message: (message: Message, remote: RemoteInfo) => void
  /** `timeout` ms passed without a message. Once, until traffic arms it again. */
  timeout: () => void
  /** A datagram came that the codec could not decode: `data` are its bytes. */
  malformed: (error: MulticastError, data: Buffer, remote: RemoteInfo) => void
  /** Opening failed, or the system reported an error on the open socket. */
  error: (error: MulticastError) => void
  /** The socket is gone. Once, and the last event. */
  close: () => void
}

/** An EventEmitter whose events are typed. */
export type MulticastEmitter<Message> = typed.default<MulticastEvents<Message>>

/** node:events' EventEmitter, seen through typed-emitter: what senders and receivers extend. */
export const Emitter: new <Message>() => MulticastEmitter<Message> = EventEmitter as new <
  Message,
>() => MulticastEmitter<Message>

/**
 * Emits for a class that is itself generic in `Message`. It cannot call typed-emitter's `emit`:
 * TypeScript leaves `Parameters<MulticastEvents<Message>['message']>` unresolved there.
 */
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'listening' | 'timeout' | 'close',
): void
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'message',
  message: Message,
  remote: RemoteInfo,
): void
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'malformed',
  error: MulticastError,
  data: Buffer,
  remote: RemoteInfo,
): void
export function emit<Message>(
  emitter: MulticastEmitter<Message>,
  event: 'error',
  error: MulticastError,
): void
export function emit(emitter: unknown, event: string, ...args: unknown[]): void {
  ;(emitter as EventEmitter).emit(event, ...args)
}
