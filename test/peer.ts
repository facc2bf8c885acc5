/** Peers in a process of their own, which may be on another host of the lab. */
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Peer } from '../src/testing/conformance/peer.js'

/** What the process of a peer runs. */
export const peerProgram = fileURLToPath(new URL('peer-program.js', import.meta.url))

/** How it is started. Standard output belongs to the test runner. */
export const peerOptions: SpawnOptions = {
  stdio: ['ignore', 2, 2, 'ipc'],
  serialization: 'advanced',
}

/** The peer in a process that was just started; resolves once it takes orders. */
export async function startedPeer(child: ChildProcess): Promise<Peer> {
  await once(child, 'message')
  return new Peer({
    send: (order) => void child.send(order),
    receive: (listener) => void child.on('message', listener),
    ended: (listener) =>
      void child.on('exit', (code, signal) => listener(`the peer has exited: ${code ?? signal}`)),
  })
}
