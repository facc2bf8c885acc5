import type { Group } from '../address.js'
import type { CreateSocket } from '../datagram.js'
import { doubtful, type Finding } from './finding.js'

/** What a carrier is asked about. */
export interface Question {
  readonly group: Group
  readonly port: number
  /** Whether a group was given, or it is the doctor's own, which no program has. */
  readonly isAsked: boolean
  /** What the endpoint is that is examined, if it is one: a sender has no need to hear, nor a receiver to send. */
  readonly noun: string | undefined
  /** The senders alone that it hears, if it is a receiver or peer that names some. */
  readonly sources: readonly string[] | undefined
  /** Whether something may be sent to others. */
  readonly maySend: boolean
}

/** What can be tried over a carrier: to hear and to send, to hear alone, or nothing. */
export type Tryable = 'all' | 'hearing' | 'nothing'

/** A carrier's own part of an examination, in place of what is known of the system's routes and rules. */
export interface Examination {
  /**
   * Whether a socket of this host that is bound to that address keeps the carrier from its port. Absent where its ports
   * are not this host's.
   */
  excludes?(address: string): boolean
  /** What to do where nothing arrives, though nothing is found. */
  readonly remedy: string
  /** Looks at what it goes by, before the doctor opens sockets. */
  look(): AsyncGenerator<Finding, Tryable>
  /** What came of it. `heard`: the addresses that something came from, if the doctor has watched. */
  end(heard: ReadonlySet<string> | undefined): AsyncIterable<Finding>
}

/** That the sockets of a carrier had no room for so many datagrams. */
export function tooSlow(overflowed: number): Finding {
  const seen = `${overflowed} datagrams were dropped because their program was too slow`
  return doubtful('buffer', seen, 'read faster, or ask for a larger recvBufferSize')
}

type Examine = (question: Question) => Examination

/** The same for every copy of the package. */
const key = Symbol.for('typed-multicast.examine')

/**
 * Lets the doctor ask a carrier. It is found by the carrier's `createSocket`, which is spread into options, so that
 * the doctor knows no carrier, and none has to load it.
 */
export function examined(createSocket: CreateSocket, examine: Examine): CreateSocket {
  return Object.defineProperty(createSocket, key, { value: examine })
}

/** How to ask the carrier of these sockets, if it can be asked. */
export function examineOf(createSocket: CreateSocket): Examine | undefined {
  return (createSocket as { readonly [key]?: Examine })[key]
}
