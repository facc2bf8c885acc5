// Some of the receivers, each on a host of its own, which acknowledge a message once all of them have heard it. Its
// arguments are the carrier, the number of the first host, how many there are here and in all, and the port for
// acknowledgements.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver } from 'typed-multicast'
import { serve } from '../program.js'
import { sample } from '../sample.js'
import { host } from '../sides.js'
import { isAcknowledged, numberOf, written } from './acknowledgement.js'
import { type CarrierName, hostOf } from './host.js'

const [carrier, ...numbers] = process.argv.slice(2)
const [first = 0, here = 0, all = 0, port = 0] = numbers.map(Number)

const acknowledging = createSocket('udp4')
acknowledging.connect(port, host)
await once(acknowledging, 'connect')

let gaps = 0
/** How many have heard a message that not all have heard. */
const heard = new Map<number, number>()

for (let at = first; at < first + here; at += 1) {
  const { options } = await hostOf(carrier as CarrierName, at, all)
  const receiver = new MulticastReceiver(options)
  let next = 0
  receiver.on('message', (message) => {
    const number = numberOf(message)
    if (number !== next) gaps += 1
    next = number + 1
    if (!isAcknowledged(message)) return
    const by = (heard.get(number) ?? 0) + 1
    heard.set(number, by)
    if (by < here) return
    heard.delete(number)
    acknowledging.send(written({ number, gaps, at: process.hrtime.bigint() }))
  })
  await receiver.ready()
}

serve(async (question: 'ready' | 'sample') => (question === 'sample' ? sample() : true))
