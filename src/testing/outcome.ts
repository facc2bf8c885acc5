import type { SocketOutcome } from '../stack/outcome.js'

/** What became of a datagram at one socket. */
export type Outcome =
  | SocketOutcome
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
