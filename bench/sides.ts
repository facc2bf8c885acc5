import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver, MulticastSender } from 'typed-multicast'

/** The library, or node:dgram as one would write it by hand. */
export type Side = 'ours' | 'raw'

/** Nothing leaves the machine: every socket is pinned to the loopback interface. */
export const host = '127.0.0.1'
export const group = '239.255.71.29'
export const payload = Buffer.alloc(64, 'multicast ')

type Listener = (message: Buffer, remote: RemoteInfo) => void

/** What a sender does on either side. */
export interface Sending {
  send(data: Buffer): Promise<number>
  onMessage(listener: Listener): void
}

/** What a receiver does on either side. */
export interface Receiving {
  readonly port: number
  reply(data: Buffer, remote: RemoteInfo): Promise<number>
  onMessage(listener: Listener): void
}

export async function openSender(side: Side, port: number): Promise<Sending> {
  if (side === 'ours') {
    const sender = new MulticastSender({ group, port, interfaces: host })
    await sender.ready()
    return {
      send: (data) => sender.send(data),
      onMessage: (listener) => sender.on('message', listener),
    }
  }
  const socket = await bound(0)
  socket.setMulticastInterface(host)
  return {
    send: (data) => sendTo(socket, data, port, group),
    onMessage: (listener) => socket.on('message', listener),
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
  }
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
