import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastPeer } from 'typed-multicast'

/**
 * The library; node:dgram with a socket that hears and for each interface one that is connected to the group,
 * as the library has it; or node:dgram with the sockets that hear alone, which then send as well.
 */
export const kinds = ['ours', 'connected', 'unconnected'] as const
export type Kind = (typeof kinds)[number]

/** An interface: its name, and what node:dgram takes for it. */
export interface On {
  readonly name: string
  readonly handle: string
}

/** What a peer does on either side. */
export interface Peering {
  readonly port: number
  /** Sends out of each of the interfaces. */
  send(data: Buffer): Promise<number>
  onMessage(listener: (message: Buffer, remote: RemoteInfo) => void): void
}

/** Opens one that does not hear itself, so that sending costs nothing but that. */
export async function openPeer(
  kind: Kind,
  group: string,
  port: number,
  interfaces: readonly On[],
): Promise<Peering> {
  if (kind === 'ours') {
    const names = interfaces.map(({ name }) => name)
    const peer = new MulticastPeer({ group, port, interfaces: names, loopback: false })
    await peer.ready()
    return {
      port: peer.address().port,
      send: (data) => peer.send(data),
      onMessage: (listener) => peer.on('message', listener),
    }
  }
  const isZoned = group.startsWith('ff02')
  const groupOn = ({ name }: On): string => (isZoned ? `${group}%${name}` : group)
  const hearing: Socket[] = []
  for (const on of isZoned ? interfaces : interfaces.slice(0, 1)) {
    hearing.push(await bound(hearing[0]?.address().port ?? port, groupOn(on)))
  }
  for (const [at, on] of interfaces.entries()) {
    const socket = hearing[isZoned ? at : 0]
    socket?.addMembership(group, on.handle)
    if (kind === 'unconnected') socket?.setMulticastInterface(on.handle)
  }
  const own = hearing[0]?.address().port ?? port
  const sends: ((data: Buffer) => Promise<number>)[] = []
  for (const [at, on] of interfaces.entries()) {
    if (kind === 'unconnected') {
      const socket = hearing[at]
      // Without the zone that it is bound in, which would be looked up for each.
      if (socket !== undefined) sends.push((data) => sendTo(socket, data, own, group))
      continue
    }
    const socket = await bound(own, groupOn(on))
    socket.setMulticastInterface(on.handle)
    const connected = once(socket, 'connect')
    socket.connect(own, groupOn(on))
    await connected
    sends.push((data) => sendOn(socket, data))
  }
  const [first] = sends
  return {
    port: own,
    send:
      first !== undefined && sends.length === 1
        ? first
        : async (data) => {
            await Promise.all(sends.map((send) => send(data)))
            return data.length
          },
    onMessage: (listener) => {
      for (const socket of hearing) socket.on('message', listener)
    },
  }
}

async function bound(port: number, address: string): Promise<Socket> {
  const type = address.includes(':') ? 'udp6' : 'udp4'
  const socket = createSocket({ type, reuseAddr: true, lookup: literal })
  const listening = once(socket, 'listening')
  socket.bind(port, address)
  await listening
  socket.setMulticastLoopback(false)
  return socket
}

function sendOn(socket: Socket, data: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.send(data, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
}

function sendTo(socket: Socket, data: Buffer, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.send(data, port, address, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
}

/** As the library has it: literals are not looked up. */
function literal(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, address.includes(':') ? 6 : 4)
}
