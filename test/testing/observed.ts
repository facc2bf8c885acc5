/** What is seen of sockets on the kernel and on the mock, in words that both have in common. */
import type { Mail } from '../../src/testing/conformance/inbox.js'
import type { ConformanceHost, ConformanceNetwork } from '../../src/testing/conformance/network.js'

/** A network for one program. */
export interface Stage extends ConformanceNetwork {
  /** Resolves when what was sent has been heard. */
  settled(): Promise<void>
}

/** `ok`, or the codes of an error and of its cause. */
export function outcomeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'ok',
    ({ code, name, cause }) => [code ?? name, cause?.code].filter(Boolean).join(' by '),
  )
}

/** A datagram as it was heard, in short. */
export function mailed({ text, remote }: Mail): string {
  const { address, port, size } = remote
  return `${JSON.stringify(text.replace(/\.+$/, ''))} (${size}) from ${address} ${shownPort(port)}`
}

/** A port, but for one that the system has picked by chance. */
export function shownPort(port: number): string {
  return port >= 32_768 ? 'free' : `${port}`
}

const fencePort = 10_009

/** The hosts' own addresses, on the ways that all datagrams between them take. */
const fences = {
  udp4: { near: '10.0.0.1', other: '10.0.0.2', far: '10.0.2.2' },
  udp6: { near: 'fd00::1', other: 'fd00::2', far: 'fd02::2' },
}

/** All that was sent before has been heard when each host has heard the others' last words. */
export async function fence(stage: Stage, type: keyof typeof fences): Promise<void> {
  const ends = Object.entries(fences[type]).map(([host, address]) => ({ host, address }))
  const opened = ends.map(async ({ host, address }) => {
    const { peer }: ConformanceHost = stage[host as keyof ConformanceNetwork]
    const socket = await peer.socket({ type, reuseAddr: false })
    return socket.bind({ port: fencePort, address })
  })
  const sockets = await Promise.all(opened)
  const sends = sockets.map(async (socket, from) => {
    for (const { address } of ends.filter((_, to) => to !== from)) {
      await socket.send('', fencePort, address)
    }
  })
  await Promise.all(sends)
  await Promise.all(sockets.map(({ heard }) => heard.take(ends.length - 1)))
  await Promise.all(sockets.map((socket) => socket.close()))
  await stage.settled()
}

/** What a peer has read before has been told before it answers. */
export async function reported({ near, other, far }: ConformanceNetwork): Promise<void> {
  await Promise.all([near, other, far].map(({ peer }) => peer.networkInterfaces()))
}
