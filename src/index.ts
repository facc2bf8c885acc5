export { bytes, type Codec, json, type Schema, text } from './codec.js'
export type { CreateSocket, DatagramSocket, DatagramSocketOptions } from './datagram.js'
export type { MulticastStats } from './endpoint.js'
export { MulticastError, type MulticastErrorCode } from './errors.js'
export type {
  MembershipChange,
  MulticastEmitter,
  MulticastEvents,
  MulticastReceiverEvents,
  Remote,
} from './events.js'
export type { Received } from './inbox.js'
export type { NetworkInterfaces } from './interfaces.js'
export type { Membership } from './member-socket.js'
export type {
  Carrier,
  MembershipOptions,
  MulticastOptions,
  PeerOptions,
  ReceiverOptions,
  ReplyOptions,
  RequestOptions,
  SenderOptions,
} from './options.js'
export { MulticastPeer } from './peer.js'
export { MulticastReceiver } from './receiver.js'
export { MulticastSender } from './sender.js'
export * from './struct/index.js'
export type { WatchInterfaces } from './watch.js'
