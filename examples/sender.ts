/**
 * The sender that every multicast tutorial shows: one message to the group, then the replies, until
 * none has come for two seconds. Start receiver.ts first, in another terminal, once or several times.
 *
 * It prints, with a line of replies for each receiver:
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
  timeout: 2000,
  interface: '127.0.0.1', // Stays on this machine. Without this line it goes to the network.
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
