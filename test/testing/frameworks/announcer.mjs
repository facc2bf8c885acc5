// A module of a user's own that takes its sockets from node:dgram, for own.*.test.mjs.
import dgram, { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver, text } from 'typed-multicast'

const [group, port] = ['239.1.2.3', 10000]

export function announce(message) {
  const named = createSocket('udp4')
  named.send(message, port, group, () => {
    named.close()
    const socket = dgram.createSocket('udp4')
    socket.send(`${message} again`, port, group, () => socket.close())
  })
}

/** What a host hears of the announcement that another one makes. */
export async function heard(host, announce) {
  const receiver = await new MulticastReceiver({ group, port, codec: text, ...host }).ready()
  const heard = []
  receiver.on('message', (message, { address }) => heard.push(`${message} from ${address}`))
  announce('hello')
  while (heard.length < 2) await once(receiver, 'message')
  await receiver.close()
  return heard
}

export const expected = ['hello from 10.0.0.2', 'hello again from 10.0.0.2']
