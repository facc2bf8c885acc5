/**
 * Several interfaces: a receiver joins on those that the command line names, prints what it has
 * joined, leaves one and joins it again. Without an argument it uses the loopback interface; `all`
 * is every interface, and then the routers behind each hear of it. A sender sends one message through
 * the same interfaces, so the receiver hears it once for each. With TTL 0 it stays on this machine.
 *
 * Without an argument it prints:
 *
 *     joined on lo
 *     heard hello from 127.0.0.1
 *     left lo, still joined on nothing
 *     joined on lo
 */
import { MulticastReceiver, MulticastSender, text } from 'typed-multicast'

const names = process.argv.length > 2 ? process.argv.slice(2) : ['127.0.0.1']
const network = { group: '239.255.29.71', port: 10003, codec: text }

const interfaces = names[0] === 'all' ? 'all' : names
const receiver = new MulticastReceiver({ ...network, interfaces, timeout: 2000 })
receiver.on('timeout', () => receiver.close())
await receiver.ready()

const joined = () => receiver.memberships.map((membership) => membership.interface)
console.log(`joined on ${joined().join(', ')}`)

const messages = receiver[Symbol.asyncIterator]()
const sender = new MulticastSender({ ...network, interfaces: joined(), ttl: 0 })
await sender.send('hello')
for (const _ of sender.interfaces) {
  const { value } = await messages.next()
  console.log(`heard ${value?.message} from ${value?.remote.address}`)
}
await sender.close()

const [first = ''] = joined()
await receiver.leave({ interface: first })
console.log(`left ${first}, still joined on ${joined().join(', ') || 'nothing'}`)
await receiver.join({ interface: first })
console.log(`joined on ${joined().join(', ')}`)

await receiver.close()
