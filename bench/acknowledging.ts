import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { serve } from './program.js'
import { host, type Receiving } from './sides.js'

/** Counts what comes, acknowledges it in batches, and tells what that cost this process. */
export async function acknowledge(
  receiving: Pick<Receiving, 'port' | 'onMessage'>,
  batch: number,
  port: number,
): Promise<void> {
  const acknowledging = createSocket('udp4')
  acknowledging.connect(port, host)
  await once(acknowledging, 'connect')
  const acknowledgement = Buffer.alloc(1)
  let received = 0
  receiving.onMessage(() => {
    received += 1
    if (received % batch === 0) acknowledging.send(acknowledgement)
  })

  let before = process.cpuUsage()
  serve(async (question: 'start' | 'stop') => {
    if (question === 'start') {
      received = 0
      before = process.cpuUsage()
      return { port: receiving.port }
    }
    const { user, system } = process.cpuUsage(before)
    return { received, cpu: user + system }
  })
}
