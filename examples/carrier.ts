/**
 * What carries the datagrams of an example, by the environment: nothing set, the system's multicast. Where the network
 * drops that, as in clouds and in Kubernetes, a list of hosts to copy to, or a NATS server:
 *
 *     MULTICAST_PEERS=10.0.0.2,10.0.0.3 npx tsx examples/discovery.ts --interface peers0
 *     MULTICAST_NATS=10.0.0.9:4222 npx tsx examples/discovery.ts --interface nats0
 *
 * Of a list of hosts, several on one machine need an address each, in MULTICAST_ADDRESS: 127.0.0.2, 127.0.0.3 and so on.
 */
import type { Carrier } from 'typed-multicast'

const { MULTICAST_PEERS: peers, MULTICAST_NATS: servers, MULTICAST_ADDRESS: address } = process.env

async function chosen(): Promise<Carrier> {
  // Loaded only where it is needed.
  if (peers !== undefined) {
    const { unicastCarrier } = await import('typed-multicast/unicast')
    return unicastCarrier({ peers: peers.split(','), address })
  }
  if (servers !== undefined) {
    const { connect } = await import('@nats-io/transport-node')
    const { natsCarrier } = await import('typed-multicast/nats')
    const connection = await connect({ servers: servers.split(','), maxReconnectAttempts: -1 })
    // It keeps the process alive, and has to outlast the last words of whoever uses it.
    process.once('SIGINT', () => setTimeout(() => connection.drain(), 200))
    return natsCarrier(connection, { address })
  }
  return {}
}

export const carrier = await chosen()
