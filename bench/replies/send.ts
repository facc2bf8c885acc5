// Sends in each of the ways that are compared, to a group that nobody has joined.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastSender } from 'typed-multicast'
import { serve } from '../program.js'
import { group, host, openSender, payload } from '../sides.js'

// Held without being read, so that no other program can have the port.
const reserved = createSocket('udp4')
reserved.bind(0, host)
await once(reserved, 'listening')
const { port } = reserved.address()

const ways: Record<string, (data: Buffer) => Promise<unknown>> = {}
const hears = await openSender('ours', port)
ways.hears = (data) => hears.send(data)

const deaf = await new MulticastSender({ group, port, interfaces: host, replies: false }).ready()
ways.deaf = (data) => deaf.send(data)

const connected = createSocket('udp4')
connected.bind(0)
await once(connected, 'listening')
connected.setMulticastInterface(host)
connected.connect(port, group)
await once(connected, 'connect')
ways.connected = (data) =>
  new Promise((resolve, reject) => {
    connected.send(data, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })

serve(async ({ way, count }: { way: string; count: number }) => {
  const send = ways[way]
  if (send === undefined) throw new Error(`there is no way '${way}'`)
  const start = performance.now()
  for (let sent = 0; sent < count; sent += 1) await send(payload)
  return { perSecond: (count * 1000) / (performance.now() - start) }
})
