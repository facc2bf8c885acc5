/**
 * Binary messages: a codec is any object with `encode` and `decode`. This one carries a sensor's
 * reading in six bytes, a 16-bit number and a 32-bit float. What it cannot decode is `malformed`.
 *
 * It prints:
 *
 *     sent 6 bytes
 *     sensor 7 measured 21.5 degrees
 *     malformed: 3 bytes are no reading
 */
import { type Codec, MulticastReceiver, MulticastSender } from 'typed-multicast'

interface Reading {
  sensor: number
  degrees: number
}

const reading: Codec<Reading> = {
  encode({ sensor, degrees }) {
    const data = Buffer.alloc(6)
    data.writeUInt16BE(sensor, 0)
    data.writeFloatBE(degrees, 2)
    return data
  },
  decode(data) {
    if (data.length !== 6) throw new RangeError(`${data.length} bytes are no reading`)
    return { sensor: data.readUInt16BE(0), degrees: data.readFloatBE(2) }
  },
}

const network = { group: '239.255.29.71', port: 10002, interfaces: '127.0.0.1' }
const sender = new MulticastSender({ ...network, codec: reading })
const stranger = new MulticastSender(network)
const receiver = new MulticastReceiver({ ...network, codec: reading })

receiver.on('message', ({ sensor, degrees }) => {
  console.log(`sensor ${sensor} measured ${degrees} degrees`)
  stranger.send(Uint8Array.of(1, 2, 3)).catch(console.error)
})

receiver.on('malformed', (error) => {
  console.log(`malformed: ${(error.cause as Error).message}`)
  for (const endpoint of [sender, stranger, receiver]) endpoint.close()
})

await receiver.ready()
console.log(`sent ${await sender.send({ sensor: 7, degrees: 21.5 })} bytes`)
