import { printable } from '../errors.js'

/** What is looked at. docs/doctor.md says what each tells. */
export type Check =
  /** The platform, containers, what the doctor may read. */
  | 'system'
  /** Which interfaces there are, and whether they are up. */
  | 'interfaces'
  /** Their addresses of the group's family. */
  | 'address'
  /** The system's route to the group. */
  | 'route'
  /** Who holds the port. */
  | 'port'
  /** Where this host has joined the group. */
  | 'membership'
  /** Which senders its memberships let through. */
  | 'source'
  /** Whether the system drops senders that it has no route back to. */
  | 'rp-filter'
  /** Whether something on this host drops the datagrams. */
  | 'firewall'
  /** Whether they are read in time. */
  | 'buffer'
  /** Whether an own datagram comes back. */
  | 'self-test'
  /** What came while it watched. */
  | 'arrival'
  /** Whether another doctor is heard, and hears this one. */
  | 'peers'

/** One thing that was found. All of it is plain text on one line: what strangers wrote is escaped. */
export interface Finding {
  /** What was looked at: a stable short name. */
  readonly check: Check
  /** `'bad'` is proven, `'doubtful'` is not; what could not be checked is doubtful, and says so. */
  readonly verdict: 'good' | 'doubtful' | 'bad'
  /** What was seen. */
  readonly seen: string
  /** What to do. Absent where it is good. */
  readonly remedy?: string
}

/** That is as it should be. */
export function good(check: Check, seen: string): Finding {
  return { check, verdict: 'good', seen: printable(seen) }
}

/** That may be why nothing arrives, or could not be found out. */
export function doubtful(check: Check, seen: string, remedy: string): Finding {
  return { check, verdict: 'doubtful', seen: printable(seen), remedy: printable(remedy) }
}

/** With that nothing arrives, or not all. */
export function bad(check: Check, seen: string, remedy: string): Finding {
  return { check, verdict: 'bad', seen: printable(seen), remedy: printable(remedy) }
}
