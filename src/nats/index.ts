/** Multicast where the network drops it, by a NATS server. */
export { type NatsCarrier, type NatsOptions, natsCarrier } from './carrier.js'
export type {
  NatsConnection,
  NatsMessage,
  NatsStatus,
  NatsSubscription,
} from './connection.js'
export type { NatsStats } from './wire.js'
