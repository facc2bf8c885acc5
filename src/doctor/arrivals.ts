import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { splitZone } from '../address.js'
import { groupsOn } from '../igmp.js'
import type { OwnSockets } from './active.js'
import { type Counters, readCounters, rise } from './counters.js'
import { gather, isOfKernel } from './facts.js'
import { bad, doubtful, type Finding, good } from './finding.js'
import type { Look } from './look.js'
import { holders, largerFor } from './programs.js'
import { type Layer, layerOf } from './verdict.js'

/** Milliseconds between two datagrams of the doctor through one interface. */
const PERIOD = 1000

/**
 * Watches what arrives: its own socket first, since that is sure; where that hears nothing the counters
 * tell how far the datagrams came. `isSound`: nothing was found yet that explains silence.
 */
export async function* arrivals(
  own: OwnSockets,
  look: Look,
  ms: number,
  isSound: boolean,
): AsyncIterable<Finding> {
  const { subject, usable } = look
  const { group, isOfSystem, quiet } = subject
  const names = usable.map(({ name }) => name)
  const isCounted = isOfSystem && process.platform === 'linux' && group.family === 'IPv4'
  const before = isCounted ? readCounters(names) : undefined
  own.reset()
  const end = performance.now() + ms
  for (let left = ms; left > 0; left = end - performance.now()) {
    if (!quiet) await own.send()
    await delay(Math.min(PERIOD, left))
  }
  // What was sent last has come back, if it does, once the socket has been read.
  for (let waited = 0; waited < 200 && own.heard < own.sent; waited += 5) await delay(5)
  await turn()
  const after = isCounted ? readCounters(names) : undefined

  yield* lost(own, look)
  if (own.strangers.size > 0) {
    yield heard(own, ms)
    yield* unheardOf(own, look)
  } else if (own.probes > 0) {
    yield good('arrival', `In ${ms} ms only ${own.probes} datagrams from other doctors arrived`)
  } else if (own.local > 0) {
    yield doubtful(
      'arrival',
      `In ${ms} ms ${own.local} datagrams arrived, all of them from this host`,
      `send from another machine${isOfSystem ? ', with a TTL of 2 or more if a router is between' : ''}`,
    )
  } else if (!isSound) {
    yield doubtful(
      'arrival',
      `In ${ms} ms nothing arrived from other machines. That proves nothing until the findings above are fixed`,
      'fix the findings above, then run the doctor again',
    )
  } else {
    const risen = before && after && rise(before, after)
    yield silence(own, look, ms, risen)
  }
  if (!quiet) yield* peers(own, look)
}

function heard({ strangers }: OwnSockets, ms: number): Finding {
  const total = [...strangers.values()].reduce((sum, count) => sum + count, 0)
  const list = [...strangers].slice(0, 5).map(([address, count]) => `${address} (${count})`)
  const more = strangers.size > 5 ? ` and ${strangers.size - 5} others` : ''
  return good('arrival', `In ${ms} ms ${total} datagrams came, from ${list.join(', ')}${more}`)
}

/** The senders that the memberships of this host's programs do not let through, though the doctor hears them. */
function* unheardOf({ strangers }: OwnSockets, { facts }: Look): Iterable<Finding> {
  const { filters = [], joined = [] } = facts
  const asked = filters.filter(({ users }) => users > 0)
  const sources = asked.map(({ source }) => source)
  const foreign = [...strangers.keys()].filter((from) => !sources.includes(splitZone(from)[0]))
  if (asked.length === 0 || foreign.length === 0) return
  const seen = `${foreign.slice(0, 5).join(', ')} sends here, but memberships of this host ask for ${sources.join(', ')}`
  const remedy = 'add that sender to the sources, or join without any'
  // A program that has joined without sources is one more than those that name some.
  const isHeard = joined.some(({ name, users }) => {
    const here = asked.filter(({ on }) => on === name)
    return users > here.reduce((sum, filter) => sum + filter.users, 0)
  })
  yield isHeard
    ? doubtful('source', `${seen}; others ask for every sender`, remedy)
    : bad('source', `${seen} alone`, remedy)
}

/** What was lost meanwhile because nobody read it in time. */
async function* lost(own: OwnSockets, look: Look): AsyncIterable<Finding> {
  const larger = largerFor(look.subject)
  const drops = await own.drops()
  if (drops > 0) {
    yield doubtful(
      'buffer',
      `The doctor's own socket has lost ${drops} datagrams: they come in bursts`,
      larger,
    )
  }
  const facts = await gather(look.subject, look.table)
  const earlier = new Map(look.facts.sockets?.map((socket) => [socket.inode, socket]))
  for (const { inode, address, uid, drops, queued } of holders({ ...look, facts }).hearing) {
    const before = earlier.get(inode)
    if (before === undefined) continue
    const who = `The socket on ${address} (uid ${uid})`
    const more = drops - before.drops
    if (more > 0) {
      yield bad('buffer', `${who} has lost ${more} datagrams while the doctor watched`, larger)
    } else if (before.queued > 0 && queued >= before.queued) {
      yield doubtful(
        'buffer',
        `${who} has ${queued} bytes waiting, which nobody has read while the doctor watched`,
        'find out what keeps its program from reading',
      )
    }
  }
}

/** Why nothing has come, as far as the counters tell. */
function silence(own: OwnSockets, look: Look, ms: number, risen: Counters | undefined): Finding {
  const { subject, usable } = look
  const names = usable.map(({ name }) => name)
  const nothing = `In ${ms} ms nothing arrived from other machines`
  if (!subject.isOfSystem) {
    const remedy =
      subject.examination?.remedy ?? 'look whether another host sends to the group and port'
    return doubtful('arrival', nothing, remedy)
  }
  if (risen === undefined) {
    return doubtful('arrival', `${nothing}; no counters here show where it stops`, remedies.arrival)
  }
  const others = groupsOn(names).filter((group) => group !== subject.group.address)
  const isSole = others.every((address) => isOfKernel({ ...subject.group, address }))
  const { check, or } = layerOf(risen, own, isSole)
  if (or === undefined) {
    const isStill = risen.arrived === 0
    const why = isStill ? `no packet at all came in through ${names.join(', ')}` : reasons[check]
    return bad(check, `${nothing}: ${why}`, remedies[check])
  }
  const may = [check, ...or]
  return doubtful(
    check,
    `${nothing}. The counters do not show which: ${may.map((one) => `${reasons[one]} (${one})`).join(', or ')}`,
    may.map((one) => remedies[one]).join('; or '),
  )
}

const reasons: Record<Layer['check'], string> = {
  arrival: 'none of what came in was for the group',
  'rp-filter': 'what came in was dropped because no route leads back to its source (rp_filter)',
  firewall: 'what came in for the group was dropped before it got to a socket',
  port: 'what came in for the group was for another port, on which nothing listens',
}

const remedies: Record<Layer['check'], string> = {
  arrival:
    'look whether the sender sends (tcpdump there), through the right interface, with enough TTL; whether the switch has a querier for IGMP snooping; whether Wi-Fi, VPN or cloud carry multicast',
  'rp-filter':
    'add a route back to the sender by that interface, or set rp_filter to 2 or 0 there and in all',
  firewall: 'nft list ruleset, or iptables -S INPUT, shows what drops it',
  port: 'tcpdump shows the port that the sender sends to',
}

/** Which doctors hear each other. */
function* peers({ peers, strangers, rounds }: OwnSockets, { subject }: Look): Iterable<Finding> {
  const { isOfSystem } = subject
  if (peers.size === 0) {
    // Without another one it was not asked.
    if (strangers.size > 0) return
    yield doubtful(
      'peers',
      'No contact in either direction: no other doctor was heard, and none has said that it hears this one',
      `run the doctor on the other machine at the same time, with the same group, port and ${isOfSystem ? '--watch' : 'carrier, and watch'}`,
    )
    return
  }
  for (const [id, { address, isHeard, hears, since }] of peers) {
    const who = `${address} (${id.slice(0, 4)})`
    if (isHeard && hears) {
      yield good('peers', `Both ways: the doctor on ${who} is heard, and hears this one`)
    } else if (rounds - since < 2) {
      yield doubtful(
        'peers',
        `The doctor on ${who} was there only at the end, too briefly to tell whether both hear each other`,
        'start both within a second or two, or watch for longer',
      )
    } else if (isHeard) {
      yield bad(
        'peers',
        `One way: the doctor on ${who} is heard, but does not hear this one`,
        `look at the findings of the doctor there, and at ${isOfSystem ? 'the route and TTL' : 'the carrier'} here`,
      )
    } else {
      yield bad(
        'peers',
        `One way: the doctor on ${who} hears this one, but is not heard here`,
        `look at the other findings here, and at ${isOfSystem ? 'the route and TTL' : 'the carrier'} there`,
      )
    }
  }
}
