/**
 * The program behind a peer: an actor that takes its orders over IPC, over the system's sockets, or by a list of hosts
 * where it is given the options of a unicast carrier.
 */
import { Actor } from '../src/testing/conformance/actor.js'
import { unicastCarrier } from '../src/unicast/index.js'

const [, , unicast] = process.argv

new Actor(
  {
    send: (news) => {
      if (process.connected) process.send?.(news)
    },
    receive: (listener) => void process.on('message', listener),
  },
  unicast === undefined ? {} : unicastCarrier(JSON.parse(unicast)),
)
process.on('disconnect', () => process.exit())
process.send?.('started')
