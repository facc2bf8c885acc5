import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Program } from './program.js'
import { group, host, payload } from './sides.js'

/** Datagrams that a receiver acknowledges together, a divisor of what it is sent. */
export const batch = 50

/** A socket that floods are sent from, and that hears the acknowledgements. */
export async function openSource(): Promise<Socket> {
  const source = createSocket({ type: 'udp4', lookup: literal })
  const listening = once(source, 'listening')
  source.bind(0, host)
  await listening
  source.setMulticastInterface(host)
  return source
}

/** The CPU time that a receiving program takes for a datagram, in µs; `undefined` if any was lost. */
export async function costOfReceiving(
  program: Program,
  source: Socket,
  count: number,
): Promise<number | undefined> {
  const { port } = await program.ask<{ port: number }>('start')
  await flood(source, port, count)
  const { received, cpu } = await program.ask<{ received: number; cpu: number }>('stop')
  return received === count ? cpu / count : undefined
}

/** Sends at most two batches ahead of the acknowledgements, so that no buffer overflows. */
async function flood(source: Socket, port: number, count: number): Promise<void> {
  let acknowledged = 0
  let stalled = false
  let proceed = (): void => {}
  const onAcknowledged = (): void => {
    acknowledged += batch
    proceed()
  }
  source.on('message', onAcknowledged)
  // Without a sign of life for a second it gives up: what was received will tell.
  let before = 0
  const watch = setInterval(() => {
    stalled = acknowledged === before
    before = acknowledged
    if (stalled) proceed()
  }, 1000)
  for (let sent = 0; sent < count && !stalled; ) {
    for (const end = sent + batch; sent < end; sent += 1) source.send(payload, port, group)
    const needed = sent === count ? count : sent - batch
    while (acknowledged < needed && !stalled) {
      await new Promise<void>((resolve) => {
        proceed = resolve
      })
    }
  }
  clearInterval(watch)
  source.off('message', onAcknowledged)
}

function literal(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, 4)
}
