import { connected } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import type { MemberSocket } from './member-socket.js'

/**
 * Connected to its own group and port, a socket is delivered nothing more; what it holds is still read.
 * Tells whether that could be done: without a route to the group it takes an interface to be there.
 */
export function deafened(
  { socket, joined }: MemberSocket,
  port: number,
  address: string,
): Promise<boolean> {
  for (const { on } of joined) {
    try {
      if (on !== undefined) socket.setMulticastInterface(on.handle)
    } catch {
      // Another one will do.
    }
  }
  // It fails where the socket is connected already, or closed: it was replaced in vain before.
  return connected(socket, port, address).then(
    () => true,
    () => false,
  )
}

/** Milliseconds in which a loop that is not blocked reads what waits in a socket. */
const READING = 20

/**
 * Calls back once what waits in a socket that is delivered nothing more has been read. By a clock that no
 * test can have faked, and that does not keep the process alive.
 */
export function afterReading(socket: DatagramSocket, done: () => void): void {
  // A timer that was late because the loop was blocked fires before the sockets are read: so it takes two,
  // and one more after each in which something came.
  let rounds = 2
  socket.on('message', () => {
    rounds ||= 1
  })
  const round = (): void => {
    if (rounds > 0) AbortSignal.timeout(READING).addEventListener('abort', round)
    else done()
    rounds -= 1
  }
  round()
}
