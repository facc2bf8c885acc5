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
  /** The socket is bound to another address or group, or another socket on the port got it. */
  | 'address'
  /** The socket is connected to an address or port other than the sender's. */
  | 'connected'
  /** The socket is bound to another interface (the zone of an IPv6 address). */
  | 'interface'
  /** No socket of the host (except on Linux: not this socket) has joined the group on the interface. */
  | 'not-joined'
  /** The socket has joined for other sources. */
  | 'source'
  /** `loopback` is off at the sender, or, on Windows, at the receiver. */
  | 'loopback-off'
  /** Its TTL is too low to reach the host. */
  | 'ttl'
  /** Its scope ends before the host: link-local at a router, interface-local at the sender's host. */
  | 'scope'
  /** No segment or router leads to the host. */
  | 'unreachable'
  /** `partition` keeps the two hosts apart. */
  | 'partition'
  /** The interface of the host is down. */
  | 'interface-down'
  /** It was lost by chance: `loss`. */
  | 'loss'
  /** `rule` made it lost. */
  | 'rule'
  /** The socket's receive buffer had no room. */
  | 'queue-full'
  /** The socket was closed before it could emit it. */
  | 'closed'
