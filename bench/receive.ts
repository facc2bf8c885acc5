// Receives on one side, and tells what that cost this process.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { serve } from './program.js'
import { host, openReceiver, type Side } from './sides.js'

const [side, batch, acknowledge, timeout] = process.argv.slice(2)

const acknowledging = createSocket('udp4')
acknowledging.connect(Number(acknowledge), host)
await once(acknowledging, 'connect')
const acknowledgement = Buffer.alloc(1)

const receiving = await openReceiver(side as Side, 0, Number(timeout) || undefined)
const perBatch = Number(batch)
let received = 0
receiving.onMessage(() => {
  received += 1
  if (received % perBatch === 0) acknowledging.send(acknowledgement)
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
