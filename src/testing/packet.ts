import type { Family } from './scope.js'

/** A datagram on its way. */
export interface Packet {
  readonly family: Family
  /** Without a zone. */
  readonly source: string
  readonly sourcePort: number
  /** Without a zone. */
  readonly destination: string
  readonly port: number
  /** How many networks it may still cross. */
  readonly ttl: number
  readonly data: Buffer
}

/** What became of a datagram at one socket. */
export type Outcome =
  /** It is on its way, or waits in the socket's receive buffer. */
  | 'in-flight'
  /** The socket has emitted it. */
  | 'delivered'
  /** The socket is bound to another port. */
  | 'port'
  /** The socket is bound to another address or group, or another socket of the port has it. */
  | 'address'
  /** The socket is connected to another address or port than the sender's. */
  | 'connected'
  /** The socket is bound to another interface (the zone of an IPv6 address). */
  | 'interface'
  /** No socket of the host has joined the group on the interface, or, not on Linux, this one has not. */
  | 'not-joined'
  /** The socket has joined for other sources. */
  | 'source'
  /** The sender, on Windows the receiver, does not want its own host to hear it. */
  | 'loopback-off'
  /** It may not cross so many networks, or TTL 0 keeps it on its host. */
  | 'ttl'
  /** Its scope ends before: a link-local one at the router on the way, an interface-local one at its host. */
  | 'scope'
  /** No segment or router leads to the host. */
  | 'unreachable'
  /** `partition` has cut the way. */
  | 'partition'
  /** The interface of the host is down. */
  | 'interface-down'
  /** Chance took it: `loss`. */
  | 'loss'
  /** `rule` took it. */
  | 'rule'
  /** The socket's receive buffer had no room. */
  | 'queue-full'
  /** The socket was closed before it could emit it. */
  | 'closed'
