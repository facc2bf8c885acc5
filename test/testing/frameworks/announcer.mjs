// A module of a user's own that takes its sockets from node:dgram, for own.*.test.mjs.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver, text } from 'typed-multicast'

const [group, port] = ['239.1.2.3', 10000]

export function announce(message) {
  const socket = createSocket('udp4')
  socket.send(message, port, group, () => socket.close())
}

/** What a host hears of the announcement that another one makes. */
export async function heard(host, announce) {
  const receiver = await new MulticastReceiver({ group, port, codec: text, ...host }).ready()
  const message = once(receiver, 'message')
  announce('hello')
  const [received, { address }] = await message
  await receiver.close()
  return { received, address }
}

export const expected = { received: 'hello', address: '10.0.0.2' }
