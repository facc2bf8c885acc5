import type { AsyncResource } from 'node:async_hooks'
import type { Link } from './link.js'
import type { Packet } from './packet.js'

/** Who is to hear a group's datagram. */
export interface Reach {
  /** Whether the sender's own host is. */
  readonly loopback: boolean
  /** Whether others are. */
  readonly leaves: boolean
}

/** What lies below one host's stack: a network that takes its datagrams, and says when news come. */
export interface Wire {
  /**
   * Takes a datagram that leaves by `link`, or answers with the name of the error by which it refuses. What comes
   * in it hands to the stack's `hear`.
   */
  send(link: Link, packet: Packet, reach: Reach): string | undefined
  /**
   * Runs `task` in a turn of its own, as the kernel's news come, and in the asynchronous context of `scope`.
   */
  soon(task: () => void, scope: AsyncResource): void
}
