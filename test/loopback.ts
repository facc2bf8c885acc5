/** Senders, receivers and peers on 127.0.0.1, closed after each test. */
import { createSocket, type Socket } from 'node:dgram'
import { afterEach } from 'node:test'
import {
  type CreateSocket,
  type MulticastEmitter,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  type PeerOptions,
  type ReceiverOptions,
  type SenderOptions,
  text,
} from '../src/index.js'

/** A group of this process alone: test files run at the same time. */
export const group = `239.255.${(process.pid >> 8) & 255}.${process.pid & 255}`
const opened: { close(): Promise<void> }[] = []

/** Has it closed after the test. */
export function keep<Closable extends { close(): Promise<void> }>(endpoint: Closable): Closable {
  opened.push(endpoint)
  return endpoint
}

/** Closes all that is open so far. */
export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()))
}

afterEach(closeAll)

export function makeReceiver(
  options: Partial<ReceiverOptions> = {},
): MulticastReceiver<string, string> {
  const receiver = new MulticastReceiver({
    group,
    port: 0,
    interfaces: ['127.0.0.1'],
    codec: text,
    ...options,
  })
  opened.push(receiver)
  return receiver
}

export function makeSender(
  port: number,
  options: Partial<SenderOptions> = {},
): MulticastSender<string, string> {
  const sender = new MulticastSender({
    group,
    port,
    interfaces: '127.0.0.1',
    codec: text,
    ...options,
  })
  opened.push(sender)
  return sender
}

export function makePeer(
  options: Partial<PeerOptions> = {},
): MulticastPeer<string, string, string> {
  return keep(
    new MulticastPeer({ group, port: 0, interfaces: '127.0.0.1', codec: text, ...options }),
  )
}

/** A receiver that listens, and a sender to its port. */
export async function makePair(
  forReceiver: Partial<ReceiverOptions> = {},
  forSender: Partial<SenderOptions> = {},
): Promise<{
  receiver: MulticastReceiver<string, string>
  sender: MulticastSender<string, string>
}> {
  const receiver = await makeReceiver(forReceiver).ready()
  const sender = await makeSender(receiver.address().port, forSender).ready()
  return { receiver, sender }
}

/** Each kind, for what they have in common. */
export const kinds = {
  sender: (options: Partial<SenderOptions> = {}) => makeSender(9, options),
  receiver: (options: Partial<ReceiverOptions> = {}) => makeReceiver(options),
  peer: (options: Partial<PeerOptions> = {}) => makePeer(options),
}

/** node:dgram's sockets as they are made, to see them and to make them fail. */
export function spied(): { sockets: Socket[]; createSocket: CreateSocket } {
  const sockets: Socket[] = []
  return {
    sockets,
    createSocket(options) {
      const socket = createSocket(options)
      sockets.push(socket)
      return socket
    },
  }
}

/** The events of an endpoint by name, in their order. */
export function record(endpoint: MulticastEmitter<string>): string[] {
  const events: string[] = []
  for (const name of ['listening', 'message', 'timeout', 'malformed', 'error', 'close'] as const) {
    endpoint.on(name, () => events.push(name))
  }
  return events
}
