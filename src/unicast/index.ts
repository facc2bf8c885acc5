/** Multicast where the network drops it, without a server: each datagram is copied to a list of hosts. */
export { type UnicastCarrier, type UnicastOptions, unicastCarrier } from './carrier.js'
export type { UnicastStats } from './wire.js'
