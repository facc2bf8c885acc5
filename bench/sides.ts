import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastError, MulticastReceiver, MulticastSender } from 'typed-multicast'

/** The library, or node:dgram as one would write it by hand. */
export const sides = ['ours', 'raw'] as const
export type Side = (typeof sides)[number]

/** Nothing leaves the machine: every socket is pinned to the loopback interface. */
export const host = '127.0.0.1'
export const group = '239.255.71.29'
export const payload = Buffer.alloc(64, 'multicast ')

type Listener = (message: Buffer, remote: RemoteInfo) => void

/** What a sender does on either side. */
export interface Sending {
  send(data: Buffer): Promise<number>
  onMessage(listener: Listener): void
  close(): Promise<void>
}

/** What a receiver does on either side. */
export interface Receiving {
  readonly port: number
  reply(data: Buffer, remote: RemoteInfo): Promise<number>
  onMessage(listener: Listener): void
  close(): Promise<void>
}

/** Sends one datagram out of each of the interfaces; node:dgram needs a socket for each. */
export async function openSender(
  side: Side,
  port: number,
  interfaces: readonly string[] = [host],
): Promise<Sending> {
  if (side === 'ours') {
    const sender = senderOn(port, interfaces)
    await sender.ready()
    return {
      send: (data) => sender.send(data),
      onMessage: (listener) => sender.on('message', listener),
      close: () => sender.close(),
    }
  }
  const sockets = await Promise.all(interfaces.map(() => bound(0)))
  for (const [index, socket] of sockets.entries()) {
    socket.setMulticastInterface(interfaces[index] ?? host)
  }
  const [first] = sockets
  return {
    send:
      first !== undefined && sockets.length === 1
        ? (data) => sendTo(first, data, port, group)
        : async (data) => {
            await Promise.all(sockets.map((socket) => sendTo(socket, data, port, group)))
            return data.length
          },
    onMessage: (listener) => {
      for (const socket of sockets) socket.on('message', listener)
    },
    close: async () => {
      await Promise.all(sockets.map(closed))
    },
  }
}

export async function openReceiver(side: Side, port: number, timeout?: number): Promise<Receiving> {
  if (side === 'ours') {
    const receiver = new MulticastReceiver({ group, port, interfaces: [host], timeout })
    await receiver.ready()
    return {
      port: receiver.address().port,
      reply: (data, remote) => receiver.reply(data, remote),
      onMessage: (listener) => receiver.on('message', listener),
      close: () => receiver.close(),
    }
  }
  // As ours: bound to the group where the system lets one.
  const socket = await bound(port, process.platform === 'linux' ? group : undefined)
  socket.addMembership(group, host)
  socket.setMulticastInterface(host)
  return {
    port: socket.address().port,
    reply: (data, remote) => sendTo(socket, data, remote.port, remote.address),
    onMessage: (listener) => socket.on('message', listener),
    close: () => closed(socket),
  }
}

/** A sender of any revision: once its option was `interface`, for one. */
export function senderOn(port: number, interfaces: readonly string[]): MulticastSender {
  const options = { group, port }
  try {
    return new MulticastSender({ ...options, ...({ interfaces } as object) })
  } catch (error) {
    const isUnknown =
      error instanceof MulticastError && error.code === 'ERR_MULTICAST_UNKNOWN_OPTION'
    if (!isUnknown || interfaces.length > 1) throw error
    return new MulticastSender({ ...options, ...({ interface: interfaces[0] } as object) })
  }
}

async function closed(socket: Socket): Promise<void> {
  const close = once(socket, 'close')
  socket.close()
  await close
}

async function bound(port: number, address?: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: address !== undefined })
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

function sendTo(socket: Socket, data: Buffer, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.send(data, port, address, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
}
