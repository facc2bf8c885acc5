import type { Socket } from 'node:dgram'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { MulticastError } from '../errors.js'

/** Where Node tells of each socket that is made. Those of a mock host are none of its own. */
const made = 'udp.socket'

/** The calls that take a socket onto the network. Not every line of Node has all of them. */
const refused = [
  'bind',
  'bindSync',
  'connect',
  'connectSync',
  'send',
  'addMembership',
  'addSourceSpecificMembership',
  // They bind it to a port before they fail.
  'dropMembership',
  'dropSourceSpecificMembership',
]

/** What has been asked for and not ended. */
const held = new Set<Disposable>()

/**
 * Keeps tests off the real network. From now on every new socket of node:dgram in this thread, those of other
 * libraries too, refuses `bind`, `bindSync`, `connect`, `connectSync`, `send`, and to join or leave a group, for one
 * source or for all: the call throws a MulticastError `ERR_MULTICAST_REAL_SOCKET`. So a sender, receiver or peer
 * that was given no mock host fails to open, and has that error as the `cause`.
 *
 * Sockets of mock hosts are not refused. A socket stays as it was made: one from before goes on, and one that
 * is refused is refused for good, so that what a test has left behind does not reach the network later.
 *
 * `using`, or `[Symbol.dispose]()`, ends it. Asked for more than once, it holds until each was ended.
 *
 * @example
 * ```ts
 * import { createSocket } from 'node:dgram'
 * import { MulticastError } from 'typed-multicast'
 * import { refuseRealSockets } from 'typed-multicast/testing'
 *
 * const refusal = refuseRealSockets()
 * const socket = createSocket('udp4')
 * try {
 *   socket.bind(10000)
 * } catch (error) {
 *   if (error instanceof MulticastError) console.log(error.code) // ERR_MULTICAST_REAL_SOCKET
 * }
 * socket.close()
 * refusal[Symbol.dispose]()
 * ```
 */
export function refuseRealSockets(): Disposable {
  const refusal: Disposable = {
    [Symbol.dispose]() {
      if (held.delete(refusal) && held.size === 0) unsubscribe(made, refuse)
    },
  }
  if (held.size === 0) subscribe(made, refuse)
  held.add(refusal)
  return refusal
}

function refuse(message: unknown): void {
  const { socket } = message as { socket: Socket }
  for (const call of refused.filter((name) => name in socket)) {
    const value = (): never => {
      const error = new MulticastError(
        'ERR_MULTICAST_REAL_SOCKET',
        `refuseRealSockets() forbids ${call}() on a real socket: use a socket of a mock host, such as network.host() makes`,
      )
      // The first line of its stack is then who called.
      Error.captureStackTrace(error, value)
      throw error
    }
    Object.defineProperty(socket, call, { value, writable: true })
  }
}
