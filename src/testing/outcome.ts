import type { SocketOutcome } from '../stack/outcome.js'

/** What became of a datagram at one socket. */
export type Outcome =
  | SocketOutcome
  /** It is on its way, or waits in the socket's receive buffer. */
  | 'in-flight'
  /** Its TTL is too low to reach the host. */
  | 'ttl'
  /**
   * Its scope ends before the host: link-local at a router, interface-local at the sender's host, and
   * the reserved one (ff00::) everywhere.
   */
  | 'scope'
  /** No segment or router leads to the host, or its address is one of the sender's subnet and it is behind a router. */
  | 'unreachable'
  /** `partition` keeps the two hosts apart. */
  | 'partition'
  /** The interface of the host is down. */
  | 'interface-down'
  /** It was lost by chance: `loss`. */
  | 'loss'
  /** `rule` made it lost. */
  | 'rule'
