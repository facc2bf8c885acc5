import type { AsyncResource } from 'node:async_hooks'
import type { InetSocket } from './inet-socket.js'
import type { Link } from './link.js'
import type { Packet } from './packet.js'
import type { Family } from './scope.js'
import type { Task } from './turns.js'

/** Who is to hear a group's datagram. */
export interface Reach {
  /** Whether the sender's own host is. */
  readonly loopback: boolean
  /** Whether others are. */
  readonly leaves: boolean
}

/**
 * Told once what has become of something that was asked for: nothing, or the name of the error by which it was
 * refused, and what to try where that is something else than the system would say.
 */
export type Answer = (code?: string, remedy?: string) => void

/** A port that was taken, or how it was refused. */
export type Claimed =
  | { readonly port: number }
  | { readonly code: string; readonly remedy?: string }

/**
 * What lies below one host's stack: a network that takes its datagrams, and says when news come. Only the first two
 * members are needed where everything holds at once, as in memory. Answers may come at once or later.
 */
export interface Wire {
  /**
   * Takes a datagram that leaves by `link`, which may be down: a socket that is bound to its address sends by it all the
   * same, and the wire loses or refuses that. What comes in it hands to the stack's `hear`.
   */
  send(link: Link, packet: Packet, reach: Reach, answer: Answer): void
  /**
   * Runs `task` in a turn of its own, as the kernel's news come, and in the asynchronous context of `scope`; again as
   * long as it returns true: see {@link Task}.
   */
  soon(task: Task, scope: AsyncResource): void
  /**
   * Takes a port for the host's sockets, all of which share it; 0 is one by chance. Default: each port is the
   * host's, and the stack counts them up.
   */
  claim?(family: Family, port: number, answer: (claimed: Claimed) => void): void
  /** None of the host's sockets has the port any more. */
  release?(family: Family, port: number): void
  /** What the host has joined, or which ports it has, is not what it was: see the stack's `asked` and `sockets`. */
  changed?(): void
  /** Resolves once what the socket was told so far has taken effect; rejects where that was refused. */
  settled?(socket: InetSocket): Promise<void>
  /** The bytes sent from the port that wait to be taken. Default: none ever do. */
  queued?(family: Family, port: number): number
}
