/**
 * The sender of every multicast tutorial: it sends one message to the group, then prints the replies until none has
 * come for 1.5 seconds. First start receiver.ts in one or more other terminals.
 *
 * It prints, with a line for each receiver's reply:
 *
 *     sending 群發的消息,你不必回 to 224.3.29.71:10000
 *     received 組播消息已經收到 from 127.0.0.1:10000
 *     timed out, no more replies
 *     closed
 */
import { MulticastSender, text } from 'typed-multicast'

const message = '群發的消息,你不必回'
const group = '224.3.29.71'
const port = 10000

const sender = new MulticastSender({
  group,
  port,
  ttl: 1,
  timeout: 1500,
  interfaces: '127.0.0.1', // Stays on this machine. Without this line it goes to the network.
  codec: text,
})

sender.on('message', (reply, remote) => {
  console.log(`received ${reply} from ${remote.address}:${remote.port}`)
})

sender.on('timeout', () => {
  console.log('timed out, no more replies')
  sender.close()
})

sender.on('close', () => console.log('closed'))

console.log(`sending ${message} to ${group}:${port}`)
await sender.send(message)
