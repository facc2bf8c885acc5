import { joining, notMade, OwnSockets, selfTest } from './active.js'
import { arrivals } from './arrivals.js'
import { gather } from './facts.js'
import type { Finding } from './finding.js'
import { type Look, lookAt } from './look.js'
import * as network from './network.js'
import { inTime } from './patience.js'
import * as programs from './programs.js'
import { type DiagnoseOptions, type Examinable, type Subject, subjectOf } from './subject.js'
import { system } from './system.js'

export type { Check, Finding } from './finding.js'
export type { DiagnoseOptions, Examinable } from './subject.js'

/**
 * Looks for what keeps the datagrams of a group from arriving, and yields what it finds, check by check.
 *
 * First it only looks. Then it opens sockets of its own, joins the group and, unless it is `quiet`, sends to it:
 * the text `typed-multicast doctor` and a few more characters, which every program hears that has joined. Leave
 * the loop to stop it.
 *
 * Over a carrier it examines that instead of the system: of `unicastCarrier()` the list of hosts, of `natsCarrier()`
 * the connection and the permissions, and of any other what it reports.
 *
 * @param subject A `group` and `port` (and other {@link DiagnoseOptions}), or a sender, receiver or peer. Of these
 * it examines the group, port, interfaces and carrier, and their `stats` and `kernelDrops()`.
 * @example
 * ```ts
 * import { diagnose } from 'typed-multicast/doctor'
 *
 * const advice = []
 * for await (const { verdict, seen, remedy } of diagnose({ group: '239.1.2.3', port: 10000 })) {
 *   if (verdict !== 'good') advice.push(`${seen}: ${remedy}`)
 * }
 * ```
 * @throws MulticastError at once if an option is wrong, or if the sender, receiver or peer has no port yet.
 */
export function diagnose(
  subject: DiagnoseOptions | Examinable,
): AsyncIterableIterator<Finding, undefined, undefined> {
  return findings(subjectOf(subject))
}

/** What has been found so far. */
interface Found {
  isBad: boolean
}

async function* findings(subject: Subject): AsyncGenerator<Finding, undefined, undefined> {
  const found: Found = { isBad: false }
  for await (const finding of examine(subject, found)) {
    if (finding.verdict === 'bad') found.isBad = true
    yield finding
  }
}

async function* examine(subject: Subject, found: Readonly<Found>): AsyncGenerator<Finding> {
  const table = subject.networkInterfaces()
  const look = lookAt(subject, table, await gather(subject, table))
  yield* system(look)
  const { examination } = subject
  if (examination === undefined) {
    if (yield* passive(look)) yield* active(look, found)
    return
  }
  const tryable = yield* examination.look()
  const isUsable = tryable !== 'nothing' && (yield* passive(look))
  if (tryable === 'nothing') {
    yield* programs.buffer(look)
    yield notMade('nothing can be heard over the carrier')
  }
  const quiet = subject.quiet || tryable === 'hearing'
  const heard = isUsable
    ? yield* active({ ...look, subject: { ...subject, quiet } }, found)
    : undefined
  yield* examination.end(heard)
}

/** Looks at what there is, without sockets that hear or send. Returns false where none can be opened. */
async function* passive(look: Look): AsyncGenerator<Finding, boolean> {
  yield* network.interfaces(look)
  yield* network.address(look)
  let isBindable: programs.Bindable
  // Another carrier has nothing to do with the system's routes, ports and memberships.
  if (look.subject.isOfSystem) {
    yield* network.route(look)
    isBindable = yield* programs.port(look)
    yield* programs.membership(look)
    yield* programs.source(look)
    yield* network.reversePath(look)
  }
  yield* programs.buffer(look)
  if (isBindable !== false && look.usable.length > 0) return true
  yield notMade(
    look.usable.length === 0 ? 'no interface can be used' : 'no socket can be bound to the port',
  )
  return false
}

/** Joins, sends and watches. Returns the addresses that something came from while it watched, if it did. */
async function* active(
  look: Look,
  found: Readonly<Found>,
): AsyncGenerator<Finding, ReadonlySet<string> | undefined> {
  const { quiet, watch } = look.subject
  const own = new OwnSockets(look)
  try {
    if (!(yield* joining(own, look))) return undefined
    const seen = await programs.unhidden(look)
    if (seen !== look) yield* programs.source(seen)
    if (!quiet) yield* selfTest(own, look)
    if (watch === undefined) return undefined
    // What is bad already explains silence.
    yield* arrivals(own, seen, watch, !found.isBad)
    return own.others
  } finally {
    // For a send that the carrier never answers they stay open.
    await inTime(own.close()).catch(() => own.unref())
  }
}
