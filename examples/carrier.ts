/**
 * What carries the datagrams of an example, by the environment: nothing set, the system's multicast. Where the network
 * drops that, as in clouds and in Kubernetes, a list of hosts to copy to:
 *
 *     MULTICAST_PEERS=10.0.0.2,10.0.0.3 npx tsx examples/discovery.ts --interface peers0
 *
 * Several on one machine need an address each, in MULTICAST_ADDRESS: 127.0.0.2, 127.0.0.3 and so on.
 */
import type { Carrier } from 'typed-multicast'

const { MULTICAST_PEERS: peers, MULTICAST_ADDRESS: address } = process.env

async function chosen(): Promise<Carrier> {
  if (peers === undefined) return {}
  // Loaded only where it is needed.
  const { unicastCarrier } = await import('typed-multicast/unicast')
  return unicastCarrier({ peers: peers.split(','), address })
}

export const carrier = await chosen()
