/**
 * Following the network: a receiver is started before its interface is there, hears once it is, and hears
 * again after it was unplugged and plugged in. It calls nothing for that; `membership` events tell of it.
 * The interface is that of a host in memory, so that it can come and go. With one of this machine
 * it is the same, some two seconds later: leave `...robot` out, and give its name.
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

// On the same host, and so by the same interface.
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
