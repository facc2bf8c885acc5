/** Ports that are free at several addresses, for programs that have to know one beforehand. */
import { createSocket, type Socket } from 'node:dgram'

/** A UDP port that no socket has at any of the addresses, which are of one family. */
export async function freePort(addresses: readonly string[]): Promise<number> {
  for (let tried = 0; tried < 100; tried += 1) {
    const sockets: Socket[] = []
    try {
      let port = 0
      for (const address of addresses) {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
        sockets.push(socket)
        port = await bound(socket, address, port)
      }
      return port
    } catch {
      // Somebody has it at another address.
    } finally {
      for (const socket of sockets) socket.close()
    }
  }
  throw new Error('no port is free')
}

function bound(socket: Socket, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port, address, exclusive: true }, () => resolve(socket.address().port))
  })
}
