import { setTimeout as delay } from 'node:timers/promises'
import { groupAddress, isMulticast, wildcard } from '../address.js'
import { gone } from '../binding.js'
import { type DatagramSocket, lookup } from '../datagram.js'
import type { Chart } from '../endpoint.js'
import { errno } from '../errors.js'
import type { NetworkInterfaces } from '../interfaces.js'
import { allFilters, isOfKernel, type UdpSocket } from './facts.js'
import { bad, doubtful, type Finding, good } from './finding.js'
import { DENIED, isLoopback, type Look } from './look.js'
import type { Subject } from './subject.js'

/** The sockets on the port that can hear the group, and those that cannot. A carrier's are this process's. */
export function holders({ subject, facts }: Pick<Look, 'subject' | 'facts'>): {
  readonly hearing: readonly UdpSocket[]
  readonly deaf: readonly UdpSocket[]
} {
  const { group, isOfSystem } = subject
  const all = facts.sockets ?? []
  if (!isOfSystem) return { hearing: all.filter(({ isOwn }) => isOwn), deaf: [] }
  // One on :: may take IPv4 too.
  const hears = ({ address }: UdpSocket): boolean =>
    [group.address, wildcard(group), '::'].includes(address)
  // What is bound to another group has no part in it.
  const deaf = all.filter((socket) => !hears(socket) && !isMulticast(socket.address))
  return { hearing: all.filter(hears), deaf }
}

export function named({ address, uid, isOwn }: UdpSocket): string {
  return `${address} (${isOwn ? `this process, ${process.pid}` : `uid ${uid}`})`
}

/** Who may keep a carrier from the port. */
export function claimants({
  subject,
  facts,
}: Pick<Look, 'subject' | 'facts'>): readonly UdpSocket[] {
  return (facts.sockets ?? []).filter(({ address }) => subject.examination?.excludes?.(address))
}

/** Whether the port can be bound beside the programs that hold it: false, if it is held unshared. */
export type Bindable = boolean | undefined

/** Who holds the port, and whether it can be shared, by a bind to the group that is undone at once. */
export async function* port(look: Look): AsyncGenerator<Finding, Bindable> {
  const { subject, facts } = look
  const { group, isAsked, endpoint } = subject
  const { hearing, deaf } = holders(look)
  const list = [...hearing, ...deaf].map(named).join(', ')
  const at = `port ${subject.port}`
  const refusal = process.platform === 'linux' ? await refusedBind(look) : undefined
  if (refusal === 'EADDRINUSE') {
    yield bad(
      'port',
      `${at} is held by a program that does not share it${list && `, bound to ${list}`}`,
      'end that program, or have it set SO_REUSEADDR (reuseAddr), or take another port',
    )
    return false
  }
  // The route has told that.
  if (refusal === DENIED) return false
  if (refusal === 'EACCES') {
    yield doubtful('port', `${at} cannot be bound without privileges`, 'run the doctor as root')
    return false
  }
  if (facts.sockets === undefined || !isAsked || endpoint?.noun === 'sender') return undefined
  const joined = facts.joined ?? []
  if (hearing.length > 0) {
    const bound = [...new Set(hearing.map(named))].join(', ')
    yield good('port', `${at} can be shared with what holds it, bound to ${bound}`)
    return true
  }
  const held = deaf.length > 0 ? `. ${list} can hear no multicast` : ''
  const { elsewhere = [] } = facts
  const others =
    elsewhere.length > 0 ? `. Sockets bound to the group hold port ${elsewhere.join(', ')}` : ''
  if (joined.length > 0 && !isOfKernel(group)) {
    yield bad(
      'port',
      `${group.address} is joined on this host, but no socket on ${at} can hear it: what arrives is thrown away${held}${others}`,
      `bind the program to ${at} of 0.0.0.0 or of the group, or look for the port that the sender sends to`,
    )
  } else if (deaf.length > 0) {
    yield bad(
      'port',
      `${at} is bound to ${list}, where no multicast is heard`,
      'bind to the group or to 0.0.0.0',
    )
  } else {
    yield doubtful(
      'port',
      `No program holds ${at}`,
      'start the program that should hear, then run the doctor again',
    )
  }
  return true
}

/** How the system refuses a socket on the group and port that would share it. */
async function refusedBind({ subject, usable }: Look): Promise<string | undefined> {
  const { group, port, createSocket } = subject
  const [on] = usable
  if (group.scoped && on === undefined) return undefined
  const type = group.family === 'IPv4' ? 'udp4' : 'udp6'
  let socket: DatagramSocket | undefined
  try {
    const made = createSocket({ type, reuseAddr: true, ipv6Only: type === 'udp6', lookup })
    socket = made
    await new Promise<void>((resolve, reject) => {
      made.on('error', reject)
      made.once('listening', resolve)
      made.bind({ port, address: groupAddress(group, on), exclusive: true })
    })
    return undefined
  } catch (error) {
    return errno(error) ?? 'unknown'
  } finally {
    if (socket !== undefined) await gone(socket)
  }
}

/** Where this host has joined the group. */
export function* membership(look: Look): Iterable<Finding> {
  const { subject, facts, usable, table } = look
  const { group, interfaces: wanted, isAsked, endpoint } = subject
  const { joined } = facts
  if (joined === undefined || !isAsked || endpoint?.noun === 'sender' || isOfKernel(group)) return
  const { hearing } = holders(look)
  if (joined.length === 0) {
    const seen = `No program on this host has joined ${group.address}`
    if (hearing.length > 0) {
      yield bad(
        'membership',
        `${seen}, not even the one that holds the port, bound to ${hearing.map(named).join(', ')}`,
        'have the program join the group (IP_ADD_MEMBERSHIP), on the interface where it arrives',
      )
    } else
      yield doubtful(
        'membership',
        seen,
        'start the program that should hear, then run the doctor again',
      )
    return
  }
  const names = joined.map(({ name }) => name)
  const list = joined
    .map(({ name, users }) => (users === 1 ? name : `${name} (${users} times)`))
    .join(', ')
  const missing = usable.map(({ name }) => name).filter((name) => !names.includes(name))
  const isShort = missing.length > 0 && wanted !== 'default' && !isLoneLoopback(missing, table)
  if (!isShort) {
    yield good('membership', `${group.address} is joined on ${list}`)
    return
  }
  const seen = `${group.address} is joined on ${list}, but not on ${missing.join(', ')}: what arrives there is not heard`
  const remedy = 'join there too (the option interfaces)'
  const isNowhere = usable.every(({ name }) => !names.includes(name))
  // With 'all' it may come in by one of the others.
  yield isNowhere ? bad('membership', seen, remedy) : doubtful('membership', seen, remedy)
}

function isLoneLoopback(names: readonly string[], table: NetworkInterfaces): boolean {
  return names.every((name) => isLoopback(table, name))
}

/** Which senders the memberships let through. */
export function* source({ subject, facts }: Look): Iterable<Finding> {
  const { group, isAsked, endpoint } = subject
  const { filters = [] } = facts
  if (!isAsked || endpoint?.noun === 'sender') return
  for (const on of new Set(filters.map((filter) => filter.on))) {
    const here = filters.filter((filter) => filter.on === on)
    const asked = here.filter(({ users }) => users > 0).map(({ source }) => source)
    const seen =
      asked.length > 0
        ? `On ${on} the memberships of ${group.address} name these senders: ${asked.join(', ')}. A program that joined that way hears no others`
        : `On ${on} these senders to ${group.address} are blocked: ${here.map(({ source }) => source).join(', ')}`
    yield doubtful('source', seen, 'add the sender to the sources, or join without any')
  }
}

/** Milliseconds within which the system has reported twice what was joined or left: RFC 3376, 8.1 and 8.11. */
const REPORTED = 2500

/** The same, with the sources that the kernel has hidden from the passive look, if there are any. */
export async function unhidden(look: Look): Promise<Look> {
  const { subject, facts } = look
  const isConcerned = subject.isAsked && subject.endpoint?.noun !== 'sender'
  if (!isConcerned || facts.filters === undefined || facts.filters.length > 0) return look
  const { filters, isReported } = await allFilters(subject)
  // What the loopback interface reports would be counted while it watches.
  if (isReported && subject.watch !== undefined) await delay(REPORTED)
  if (filters === undefined || filters.length === 0) return look
  return { ...look, facts: { ...facts, filters } }
}

/** What to do where a socket has lost datagrams. A carrier's asks for as much as the system grants. */
export function largerFor({ isOfSystem }: Subject): string {
  return isOfSystem
    ? 'read faster, or ask for a larger recvBufferSize (up to net.core.rmem_max)'
    : 'read faster, or raise net.core.rmem_max'
}

/** Whether what is heard is read in time. */
export async function* buffer(look: Look): AsyncIterable<Finding> {
  const { subject, facts } = look
  const { endpoint, isAsked } = subject
  const larger = largerFor(subject)
  if (endpoint !== undefined) {
    yield* counts(endpoint)
    const drops = (await endpoint.kernelDrops()) ?? 0
    const isTold = holders(look).hearing.some(({ isOwn, drops }) => isOwn && drops > 0)
    if (drops > 0 && !isTold) {
      yield doubtful(
        'buffer',
        `The ${endpoint.noun}'s sockets have lost ${drops} datagrams because nobody read them in time`,
        larger,
      )
    }
  }
  if (facts.sockets === undefined || !isAsked) return
  for (const socket of holders(look).hearing) {
    if (socket.drops === 0) continue
    const seen = `The socket on ${named(socket)} has lost ${socket.drops} datagrams because nobody read them in time`
    if (socket.queued > 0) {
      yield bad(
        'buffer',
        `${seen}, and has ${socket.queued} bytes waiting: its program does not read`,
        `find out what keeps the program from reading; ${larger}`,
      )
    } else yield doubtful('buffer', seen, larger)
  }
}

/** What a sender, receiver or peer has counted. */
function* counts(endpoint: Chart): Iterable<Finding> {
  const { noun, state, stats } = endpoint
  const told = Object.entries(stats).map(([name, count]) => `${name} ${count}`)
  yield state === 'listening'
    ? good('arrival', `The ${noun} has counted: ${told.join(', ')}`)
    : doubtful(
        'arrival',
        `The ${noun} is ${state}, and has counted: ${told.join(', ')}`,
        'await its ready()',
      )
  if (stats.malformed > 0) {
    const seen = `${stats.malformed} of ${stats.received} datagrams could not be decoded by its codec`
    yield doubtful('arrival', seen, "listen to 'malformed', and see what others send")
  }
  if (stats.unheard > 0) {
    const seen = `${stats.unheard} messages came while nobody listened`
    yield doubtful('arrival', seen, "listen to 'message', or iterate, from the start")
  }
  if (stats.dropped > 0) {
    const seen = `${stats.dropped} datagrams or messages were dropped: no membership asked for them, accept() refused them, or a loop was slow`
    yield doubtful('arrival', seen, 'look at sources, accept, queueLimit and queueBytes')
  }
  if (stats.failed > 0) {
    const seen = `${stats.failed} datagrams were refused by the network`
    yield doubtful(
      'self-test',
      seen,
      "await send(), whose rejection says why, or set DEBUG='typed-multicast:*'",
    )
  }
}
