export type { MockAddress } from '../stack/link-address.js'
export type {
  StackSocket as MockSocket,
  StackSocketOptions as MockSocketOptions,
} from '../stack/socket.js'
export type { Fate, Faults, Transit } from './faults.js'
export type { MockHost, MockInterface } from './host.js'
export type { Delivery, Expected, JournalEntry } from './journal.js'
export { type MockHostOptions, MockNetwork, type MockNetworkOptions } from './network.js'
export type { Outcome } from './outcome.js'
export type { Platform } from './platform.js'
export { refuseRealSockets } from './real-sockets.js'
