/**
 * Following the network: a receiver starts before its interface exists, hears once it does, and hears again
 * after the interface was unplugged and plugged in. It need not call anything for that; `membership` events
 * report it. The interface is in memory, so that it can come and go. With one of this machine it works the
 * same, about two seconds later: remove `...robot`, and give the interface's name.
 *
 * It prints:
 *
 *     waiting, joined on nothing
 *     joined on eth0
 *     heard plugged in
 *     lost on eth0
 *     not sent: ERR_MULTICAST_SEND
 *     joined on eth0
 *     heard plugged in again
 */
import { MulticastError, MulticastReceiver, MulticastSender, text } from 'typed-multicast'
import { MockNetwork } from 'typed-multicast/testing'

const network = new MockNetwork()
const robot = network.host({ interfaces: {} })
const where = {
  group: '239.255.29.71',
  port: 10006,
  codec: text,
  interfaces: 'eth0',
  followInterfaces: true,
}

const receiver = new MulticastReceiver({ ...where, ...robot })
receiver.on('message', (message) => console.log(`heard ${message}`))
receiver.on('membership', (change, membership) => {
  console.log(`${change} on ${membership.interface}`)
})
await receiver.ready()
const joined = receiver.memberships.map((membership) => membership.interface)
console.log(`waiting, joined on ${joined.join(', ') || 'nothing'}`)

// On the same host, and so through the same interface.
const sender = new MulticastSender({ ...where, ...robot })
await sender.ready()

robot.add('eth0')
await network.settled()
await sender.send('plugged in')
await network.settled()

robot.remove('eth0')
await network.settled()
await sender.send('unplugged').catch((error) => {
  if (error instanceof MulticastError) console.log(`not sent: ${error.code}`)
})

robot.add('eth0')
await network.settled()
await sender.send('plugged in again')
await network.settled()

await Promise.all([sender.close(), receiver.close()])
