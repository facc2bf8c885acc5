/**
 * The replicas of a deployment in Kubernetes, which hear each other although the cluster drops multicast: the list of
 * hosts is what the name of a headless service stands for, asked for again every few seconds. The manifest is in
 * docs/carriers.md.
 *
 *     npx tsx examples/headless.ts --service workers.default.svc.cluster.local
 *
 * Without a cluster it needs a DNS server that answers for the name (`--server 127.0.0.1:5300`), and an address for each
 * replica. The one at 127.0.0.2 prints, when one at 127.0.0.3 is added to the name:
 *
 *     peers: 127.0.0.2
 *     peers: 127.0.0.2, 127.0.0.3
 *     hello from 127.0.0.3
 */
import { Resolver } from 'node:dns/promises'
import { parseArgs } from 'node:util'
import { type MulticastError, MulticastPeer, text } from 'typed-multicast'
import { unicastCarrier } from 'typed-multicast/unicast'

const { values } = parseArgs({
  options: {
    service: { type: 'string', default: 'workers.default.svc.cluster.local' },
    /** This replica's, if the host has several: a pod has one. */
    address: { type: 'string' },
    /** The DNS server. Default: the system's. */
    server: { type: 'string' },
    /** For how many seconds a list of hosts holds. */
    every: { type: 'string', default: '5' },
  },
})

const carrier = unicastCarrier({ peers: [], address: values.address })
const resolver = new Resolver()
if (values.server !== undefined) resolver.setServers([values.server])

/** Takes over who is there by now. It lists this replica too, which the carrier passes over. */
async function look(): Promise<void> {
  try {
    const peers = (await resolver.resolve4(values.service)).sort()
    if (peers.join() === carrier.peers.join()) return
    carrier.peers = peers
    console.log(`peers: ${peers.join(', ')}`)
  } catch (error) {
    // The list of before is better than none.
    console.error(error instanceof Error ? error.message : error)
  }
}

const peer = new MulticastPeer({
  group: '239.255.29.71',
  port: 10007,
  codec: text,
  loopback: false,
  ...carrier,
})

const heard = new Set<string>()
peer.on('message', (message, { address }) => {
  if (heard.has(address)) return
  heard.add(address)
  console.log(`${message.replace(/\p{C}/gu, '?')} from ${address}`)
})

await peer.ready()
await look()
const looking = setInterval(look, Number(values.every) * 1000)
const greeting = setInterval(() => {
  peer.send('hello').catch(({ message }: MulticastError) => console.error(message))
}, 1000)

process.once('SIGTERM', stop)
process.once('SIGINT', stop)

function stop(): void {
  clearInterval(looking)
  clearInterval(greeting)
  peer.close()
}
