import { printable } from '../errors.js'

/** The checks. docs/doctor.md says what each one shows. */
export type Check =
  /** The platform, whether it is a container, and what the doctor may read. */
  | 'system'
  /** The server that a carrier goes by, and the connection to it. */
  | 'connection'
  /** What that server lets this program do. */
  | 'permission'
  /** The list of hosts that a carrier copies to. */
  | 'hosts'
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
  /** Whether a datagram of the doctor's own comes back. */
  | 'self-test'
  /** What arrived while it watched. */
  | 'arrival'
  /** Whether another doctor is heard, and hears this one. */
  | 'peers'

/** One finding. All of it is plain text on one line; whatever strangers wrote is escaped. */
export interface Finding {
  /** The check that it comes from: a short, stable name. */
  readonly check: Check
  /** `'bad'` is proven, `'doubtful'` is not. What could not be checked is doubtful, and `seen` says so. */
  readonly verdict: 'good' | 'doubtful' | 'bad'
  /** What was seen. */
  readonly seen: string
  /** What to do. Absent if the verdict is `'good'`. */
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
