import type * as node from 'node:dgram'
import { type MessageListener, StackSocket } from './socket.js'
import type { StackSocketOptions } from './socket-options.js'
import type { Stack } from './stack.js'

/** What stands in the place of node:dgram, with the sockets of a host in memory. */
export type Dgram = Pick<typeof node, 'createSocket' | 'Socket'>

/** Makes a socket of a host, as node:dgram's `createSocket` does. */
export type CreateStackSocket = (
  options: StackSocketOptions | 'udp4' | 'udp6',
  listener?: MessageListener,
) => StackSocket

/** The class of the sockets of that host, and what makes them. */
export function dgramOn(stack: Stack): { createSocket: CreateStackSocket; dgram: Dgram } {
  class Socket extends StackSocket {
    // None is optional: `length` is 2, as with node:dgram.
    constructor(
      options: StackSocketOptions | 'udp4' | 'udp6',
      listener: MessageListener | undefined,
    ) {
      super(stack, options, listener)
    }
  }
  // Its own: who lists or wraps the members of a prototype does not follow its chain.
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(StackSocket.prototype)
  Object.defineProperties(Socket.prototype, members)
  const createSocket: CreateStackSocket = (options, listener) => new Socket(options, listener)
  const dgram = Object.freeze({ createSocket, Socket: Socket as unknown as typeof node.Socket })
  return { createSocket, dgram }
}
