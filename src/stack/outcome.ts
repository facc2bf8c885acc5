/** What a socket of the host made of a datagram that came to it. */
export type SocketOutcome =
  /** The socket has read it, and emitted it unless its `receiveBlockList` has the sender. */
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
  /** The socket's receive buffer had no room. */
  | 'queue-full'
  /** The socket was closed before it could emit it. */
  | 'closed'

/** Learns what became of a datagram at one socket, and once more when that changes. */
export type Report = (outcome: SocketOutcome) => void
