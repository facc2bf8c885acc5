/**
 * The rules of the kernel's multicast, each as a case that runs on any network of the topology that
 * {@link ConformanceNetwork} describes: on real sockets, on the mock, and on a carrier of your own.
 */
import { addresses } from './addresses.js'
import { binding } from './binding.js'
import { buffer } from './buffer.js'
import { type ConformanceCase, casesOf } from './chapter.js'
import { connect } from './connect.js'
import { dgram } from './dgram.js'
import { endpoint } from './endpoint.js'
import { following } from './following.js'
import { interfaces } from './interfaces.js'
import { limits } from './limits.js'
import { membership } from './membership.js'
import { misuse } from './misuse.js'
import { multicastPeer } from './multicast-peer.js'
import { order } from './order.js'
import { outgoing } from './outgoing.js'
import { scope } from './scope.js'
import { source } from './source.js'
import { unicast } from './unicast.js'
import { zone } from './zone.js'

export { Actor } from './actor.js'
export type { Channel, Failure, News, Order, SocketChoice } from './channel.js'
export type { ConformanceCase } from './chapter.js'
export {
  type AddressDetails,
  type ConformanceHost,
  type ConformanceInterfaces,
  type ConformanceNetwork,
  type Need,
  routedGroups,
  topology,
} from './network.js'
export {
  Peer,
  type PeerMulticastPeer,
  type PeerReceiver,
  type PeerSender,
  type PeerSocket,
} from './peer.js'

export type { Deed, Sequence } from './scenes.js'

/** All the cases. Run them one after another where they share a network. */
export const conformance: readonly ConformanceCase[] = casesOf([
  membership,
  source,
  scope,
  outgoing,
  unicast,
  binding,
  zone,
  misuse,
  limits,
  order,
  buffer,
  interfaces,
  addresses,
  connect,
  dgram,
  endpoint,
  following,
  multicastPeer,
])
