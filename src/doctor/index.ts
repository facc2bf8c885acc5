import { joining, notMade, OwnSockets, selfTest } from './active.js'
import { arrivals } from './arrivals.js'
import { gather } from './facts.js'
import type { Finding } from './finding.js'
import { lookAt } from './look.js'
import * as network from './network.js'
import * as programs from './programs.js'
import { type DiagnoseOptions, type Examinable, type Subject, subjectOf } from './subject.js'
import { system } from './system.js'

export type { Check, Finding } from './finding.js'
export type { DiagnoseOptions, Examinable } from './subject.js'

/**
 * Looks for what keeps the datagrams of a group from arriving, and yields what it finds, one check after
 * the other. First it only looks; then it opens sockets of its own, joins the group and, unless it is to be
 * `quiet`, sends to it: the text `typed-multicast doctor` and a few characters more, which every program
 * hears that has joined. Leaving the loop ends that.
 *
 * Given a sender, receiver or peer it examines its group, port, interfaces and carrier, with its `stats` and
 * `kernelDrops()`. Throws a `MulticastError` at once where an option is wrong, or the endpoint has no port
 * yet.
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
  yield* network.interfaces(look)
  yield* network.address(look)
  yield* network.route(look)
  const isBindable = yield* programs.port(look)
  yield* programs.membership(look)
  yield* programs.source(look)
  yield* network.reversePath(look)
  yield* programs.buffer(look)
  if (isBindable === false || look.usable.length === 0) {
    yield notMade(look)
    return
  }
  const own = new OwnSockets(look)
  try {
    if (!(yield* joining(own, look))) return
    const seen = await programs.unhidden(look)
    if (seen !== look) yield* programs.source(seen)
    if (!subject.quiet) yield* selfTest(own, look)
    // What is bad already explains silence.
    if (subject.watch !== undefined) yield* arrivals(own, seen, subject.watch, !found.isBad)
  } finally {
    await own.close()
  }
}
