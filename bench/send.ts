// Sends on either side, to a group that nobody has joined: nothing but the sending is measured. Its
// arguments are the interfaces to send on, if not the loopback interface.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { serve } from './program.js'
import { host, openSender, payload, type Sending, type Side } from './sides.js'

// Held without being read, so that no other program can have the port.
const reserved = createSocket('udp4')
reserved.bind(0, host)
await once(reserved, 'listening')
const { port } = reserved.address()

const interfaces = process.argv.slice(2)
const on = interfaces.length === 0 ? [host] : interfaces
const sides: Record<Side, Sending> = {
  ours: await openSender('ours', port, on),
  raw: await openSender('raw', port, on),
}

serve(async ({ side, window, count }: { side: Side; window: number; count: number }) => {
  const start = performance.now()
  if (window === 1) await oneByOne(sides[side], count)
  else await inFlight(sides[side], window, count)
  return { seconds: (performance.now() - start) / 1000 }
})

async function oneByOne(sending: Sending, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) await sending.send(payload)
}

async function inFlight(sending: Sending, window: number, count: number): Promise<void> {
  let left = count
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await sending.send(payload)
    }
  }
  await Promise.all(Array.from({ length: window }, lane))
}
