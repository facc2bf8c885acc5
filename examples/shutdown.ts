/**
 * Graceful shutdown. SIGTERM aborts the receiver, which ends its loop. `await using` closes the sender at the end of
 * its block; closing first waits for the sends that were accepted before it.
 *
 * Node 20 and 22 cannot parse `await using`, so they need a compiler, here tsx. Without one, call
 * `await sender.close()` in a `finally` block.
 *
 * It prints:
 *
 *     received work
 *     SIGTERM: the loop has ended
 *     closed: sent 2 messages, received 1
 */
import { MulticastReceiver, MulticastSender, text } from 'typed-multicast'

const network = { group: '239.255.29.71', port: 10004, interfaces: '127.0.0.1', codec: text }

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

const receiver = new MulticastReceiver({ ...network, signal: stop.signal })
const sender = new MulticastSender(network)
{
  await using open = sender
  await receiver.ready()

  open.send('work').catch(console.error)
  for await (const { message } of receiver) {
    console.log(`received ${message}`)
    process.kill(process.pid, 'SIGTERM') // Here the program does it; elsewhere the system would.
  }
  console.log('SIGTERM: the loop has ended')

  open.send('goodbye').catch(console.error) // Not awaited: closing waits for it.
}
console.log(`closed: sent ${sender.stats.sent} messages, received ${receiver.stats.received}`)
