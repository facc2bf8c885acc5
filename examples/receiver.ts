/**
 * The receiver of every multicast tutorial: it joins the group, prints each message and replies to its sender. It
 * ends after ten seconds without a message, or at Ctrl-C.
 *
 * When sender.ts runs beside it, it prints:
 *
 *     waiting for messages to 224.3.29.71:10000
 *     received 群發的消息,你不必回 from 127.0.0.1:48213
 *     replied 組播消息已經收到
 *     timed out
 *     closed
 */
import { MulticastReceiver, text } from 'typed-multicast'

const answer = '組播消息已經收到'
const group = '224.3.29.71'
const port = 10000

const receiver = new MulticastReceiver({
  group,
  port,
  timeout: 10_000,
  interfaces: '127.0.0.1', // Hears this machine. Without this line it joins on every interface.
  codec: text,
})

receiver.on('listening', () => console.log(`waiting for messages to ${group}:${port}`))

receiver.on('message', (message, remote) => {
  console.log(`received ${message} from ${remote.address}:${remote.port}`)
  receiver.reply(answer, remote).then(() => console.log(`replied ${answer}`), console.error)
})

receiver.on('timeout', () => {
  console.log('timed out')
  receiver.close()
})

receiver.on('close', () => console.log('closed'))
process.once('SIGINT', () => receiver.close())
