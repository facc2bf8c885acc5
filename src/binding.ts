import { type DatagramSocket, lookup } from './datagram.js'
import { errno, MulticastError, reasonOf, shown } from './errors.js'
import { applySettings, type ReceiverSettings, type SenderSettings } from './options.js'

/**
 * Makes a socket, binds it and sets its options. Where one of these fails it is gone again, and the
 * error says which.
 */
export async function boundSocket(
  kind: 'sender' | 'receiver',
  settings: SenderSettings | ReceiverSettings,
  port: number,
  address: string,
  reuseAddr: boolean,
): Promise<DatagramSocket> {
  const socket = madeSocket(settings, reuseAddr)
  try {
    await new Promise<void>((resolve, reject) => {
      // Events, because the callback of bind() does not tell of every failure on Node 20 and 22. Once
      // it is bound rejecting does nothing, so these listeners may stay.
      socket.on('error', reject)
      socket.once('listening', resolve)
      // Somebody else may close it meanwhile, as who owns the carrier can.
      socket.once('close', () => reject(new Error('the socket was closed by somebody else')))
      // Exclusive, because the workers of a cluster would otherwise share one socket's datagrams.
      socket.bind({ port, address, exclusive: true })
    }).catch((cause: unknown) => {
      throw bindError(kind, cause, port, address)
    })
    applySettings(kind, socket, settings)
  } catch (error) {
    await gone(socket)
    throw error
  }
  return socket
}

/** Closes the socket; resolves when it is gone, also if somebody else has closed it. */
export function gone(socket: DatagramSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', resolve)
    try {
      socket.close()
    } catch {
      resolve()
    }
  })
}

function madeSocket(
  { createSocket, group }: SenderSettings | ReceiverSettings,
  reuseAddr: boolean,
): DatagramSocket {
  const isIPv4 = group.family === 'IPv4'
  try {
    const type = isIPv4 ? 'udp4' : 'udp6'
    const socket = createSocket({ type, reuseAddr, ipv6Only: !isIPv4, lookup })
    if (typeof socket?.bind === 'function') return socket
    throw new TypeError(`it must return a socket, but returned ${shown(socket)}`)
  } catch (cause) {
    const why = `createSocket failed: ${reasonOf(cause)}`
    throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
  }
}

function bindError(
  kind: 'sender' | 'receiver',
  cause: unknown,
  port: number,
  address: string,
): MulticastError {
  const code = errno(cause)
  if (code === 'EADDRINUSE') {
    const remedy =
      kind === 'sender'
        ? 'take another localPort, or leave it out for a free one'
        : 'end that program, or have both sides share the port (reuseAddr, SO_REUSEADDR), or take another'
    return new MulticastError(
      'ERR_MULTICAST_PORT_IN_USE',
      `Port ${port} on ${address} is in use by another socket: ${remedy}`,
      { cause },
    )
  }
  const hint =
    code === 'EACCES'
      ? 'ports below 1024 need a privilege'
      : code === 'EADDRNOTAVAIL'
        ? 'it is no address of this host'
        : 'see the cause'
  return new MulticastError(
    'ERR_MULTICAST_BIND',
    `Could not bind to ${address} port ${port}: ${reasonOf(cause)} (${hint})`,
    { cause },
  )
}
