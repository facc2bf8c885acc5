import type { NetworkInterfaceInfo } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import createDebug from 'debug'
import { groupAddress, isMulticast, wildcard } from '../address.js'
import { gone, Sockets } from '../binding.js'
import { type DatagramSocket, lookup } from '../datagram.js'
import type { Chart } from '../endpoint.js'
import { errno } from '../errors.js'
import {
  foundInterface,
  type Interface,
  type NetworkInterfaces,
  outwardInterfaces,
} from '../interfaces.js'
import {
  addressesOf,
  allFilters,
  type Facts,
  isOfKernel,
  type Link,
  textOf,
  type UdpSocket,
} from './facts.js'
import { bad, doubtful, type Finding, good } from './finding.js'
import type { Subject } from './subject.js'

const debug = createDebug('typed-multicast:doctor')

/** Of Node's permission model. */
export const DENIED = 'ERR_ACCESS_DENIED'

/** What the passive look has found, for what comes after it. */
export interface Look {
  readonly subject: Subject
  readonly table: NetworkInterfaces
  readonly facts: Facts
  /** The interfaces that are asked for and can be used: to other machines where any can, else `lo`. */
  readonly usable: readonly Interface[]
}

export function lookAt(subject: Subject, table: NetworkInterfaces, facts: Facts): Look {
  const { group, interfaces } = subject
  const usable =
    typeof interfaces === 'string'
      ? outwardInterfaces(table, group)
      : interfaces.flatMap((one) => {
          // The name of one that has only an address that another has too is refused; the address is not.
          const by = addressFor(group.family, table, one) ?? one
          return foundInterface(table, group, one) ?? foundInterface(table, group, by) ?? []
        })
  return { subject, table, facts, usable }
}

export function isLoopback(table: NetworkInterfaces, name: string): boolean {
  return table[name]?.some(({ internal }) => internal) ?? name === 'lo'
}

/** The platform, containers, and what cannot be read. */
export function* system({ subject, facts }: Look): Iterable<Finding> {
  const { platform, version } = process
  const { isOfSystem, group } = subject
  if (!isOfSystem) {
    yield good('system', 'Another carrier than the system: only what it tells can be checked')
    return
  }
  const kernel = textOf('/proc/version') ?? ''
  const { KUBERNETES_SERVICE_HOST: kubernetes } = process.env
  const contains = ['/.dockerenv', '/run/.containerenv'].some((path) => textOf(path) !== undefined)
  const unread = Object.entries({
    'the interfaces that are down': facts.links,
    'who holds the port': facts.sockets,
    'who has joined': facts.joined,
    'the source filters': facts.filters,
  }).flatMap(([what, fact]) => (fact === undefined ? what : []))
  let isPlain = true
  if (/microsoft/i.test(kernel)) {
    isPlain = false
    yield doubtful(
      'system',
      'WSL: its usual network (NAT) lets no multicast in from other machines',
      'set networkingMode=mirrored in .wslconfig, or run on Windows itself',
    )
  }
  if (kubernetes !== undefined || contains) {
    isPlain = false
    yield doubtful(
      'system',
      `A container${kubernetes === undefined ? '' : ' in Kubernetes'}: a bridge of its own lets no multicast in from other machines`,
      kubernetes === undefined
        ? "run it in the host's network (docker run --network host)"
        : "run it in the host's network (hostNetwork: true), or with a network plugin that carries multicast",
    )
  }
  if (platform === 'linux' && unread.length > 0) {
    isPlain = false
    yield doubtful(
      'system',
      `/proc/net cannot be read here, so that it is not checked: ${unread.join(', ')}`,
      'permission' in process && process.permission
        ? 'start Node with --allow-fs-read=/proc'
        : 'run the doctor where /proc is mounted',
    )
  }
  if (!isPlain) return
  const limits =
    platform === 'linux'
      ? group.family === 'IPv4'
        ? ''
        : '. IPv6: by the passive look, the self-test and what arrives, not by counters'
      : '. Who holds the port, who has joined and where datagrams are dropped can be seen on Linux only'
  yield good('system', `${platform}, Node ${version}${limits}`)
}

/** Which interfaces there are, and whether they are up. */
export function* interfaces(look: Look): Iterable<Finding> {
  const { subject, table, facts, usable } = look
  const { group, interfaces: wanted } = subject
  const out = usable.filter(({ name }) => !isLoopback(table, name))
  const links = facts.links ?? Object.keys(table).map(listed)
  if (typeof wanted !== 'string') {
    let isWhole = true
    for (const one of wanted) {
      const found = foundInterface(table, group, one)
      const link = links.find(({ name }) => name === one)
      if (found !== undefined) continue
      if (link === undefined) {
        isWhole = false
        const there = links.map(({ name }) => name).join(', ') || 'none'
        yield bad(
          'interfaces',
          `There is no interface ${one}; there are: ${there}`,
          'name one of these',
        )
      } else if (troubleOf(link) !== undefined) {
        isWhole = false
        yield bad('interfaces', `${one} ${troubleOf(link)}`, remedyOf(link))
      }
    }
    if (isWhole) yield good('interfaces', wanted.join(', '))
    return
  }
  const others = links.filter(
    ({ name }) => !isLoopback(table, name) && !out.some((one) => one.name === name),
  )
  const troubled = others.filter((link) => troubleOf(link) !== undefined)
  const unusable = troubled.map((link) => `${link.name} ${troubleOf(link)}`).join('; ')
  if (out.length > 0) {
    const names = out.map(
      ({ name, handle }) => `${name} (${addressFor(group.family, table, name) ?? handle})`,
    )
    const cut = troubled.filter(({ hasCarrier }) => hasCarrier === false)
    yield good('interfaces', `${names.join(', ')}${unusable && `. Not used: ${unusable}`}`)
    // Somebody has set it up, and so wants it.
    const meant = cut.filter(({ name }) => hasRoute(name))
    if (meant.length === 0) return
    const which = meant.map((link) => `${link.name} ${troubleOf(link)}`).join('; ')
    yield doubtful('interfaces', which, 'plug it in, if it is the one that you mean')
    return
  }
  if (others.length === troubled.length) {
    const seen =
      unusable ||
      (usable.length > 0
        ? 'There is only the loopback interface: nothing comes from other machines'
        : 'There is no interface that is up')
    const first = troubled[0]
    const remedy =
      first === undefined
        ? 'connect this machine, or the container, to a network (ip link, ip addr)'
        : remedyOf(first)
    yield bad('interfaces', seen, remedy)
    return
  }
  // They are up: what they lack is an address.
  yield good('interfaces', others.map(({ name }) => name).join(', '))
}

function listed(name: string): Link {
  return { name, isUp: true, hasCarrier: true }
}

function hasRoute(name: string): boolean {
  return (textOf('/proc/net/route') ?? '').split('\n').some((line) => line.startsWith(`${name}\t`))
}

/** Why an interface cannot be used, but for want of an address. */
function troubleOf({ isUp, hasCarrier }: Link): string | undefined {
  if (isUp === false) return 'is down'
  return hasCarrier === false ? 'is up, but has no carrier' : undefined
}

function remedyOf({ name, isUp }: Link): string {
  return isUp === false
    ? `take it up: ip link set ${name} up`
    : 'plug in its cable, or connect its Wi-Fi'
}

function addressFor(
  family: 'IPv4' | 'IPv6',
  table: NetworkInterfaces,
  name: string,
): string | undefined {
  return addressesOf(table, name).find((info) => info.family === family)?.address
}

/** The addresses of the group's family on the interfaces that are asked for. */
export function* address(look: Look): Iterable<Finding> {
  const { subject, table, facts, usable } = look
  const { group, interfaces: wanted } = subject
  const { family } = group
  const links = facts.links ?? Object.keys(table).map(listed)
  const asked = (name: string): boolean =>
    typeof wanted === 'string' ? !isLoopback(table, name) : wanted.includes(name)
  const able = links.filter((link) => asked(link.name) && troubleOf(link) === undefined)
  const bare = able.filter(({ name }) => addressFor(family, table, name) === undefined)
  const own = usable.filter(({ name }) => !isLoopback(table, name))
  if (bare.length > 0 && (typeof wanted !== 'string' || own.length === 0)) {
    const names = bare.map(({ name }) => name)
    const off = family === 'IPv6' && names.every((name) => settingOf('ipv6', name, 'disable_ipv6'))
    yield bad(
      'address',
      `${names.join(', ')}: no ${family} address${off ? ', IPv6 is switched off there' : ''}`,
      off
        ? `sysctl -w net.ipv6.conf.${names[0]}.disable_ipv6=0`
        : family === 'IPv4'
          ? 'give it one (DHCP, or ip addr add), or name another interface'
          : 'switch IPv6 on there, or take an IPv4 group',
    )
  }
  let isPlain = true
  for (const { name, others } of own) {
    const infos = addressesOf(table, name)
    const addresses = infos.filter((info) => info.family === family).map((info) => info.address)
    if (family === 'IPv4' && addresses.every((one) => one.startsWith('169.254.'))) {
      isPlain = false
      yield doubtful(
        'address',
        `${name} has only ${addresses.join(', ')}, which it has given itself: no DHCP server has answered`,
        'look after the cable and DHCP; hosts with another kind of address are not reached by it',
      )
    }
    if (others !== undefined) {
      isPlain = false
      yield doubtful(
        'address',
        `${[name, ...others].join(' and ')} have the same address ${addresses.join(', ')}: the system joins and sends on whichever it takes`,
        'give each an address of its own',
      )
    }
  }
  // One that shares its address with another stands for both.
  for (const [name, infos = []] of Object.entries(table)) {
    if (!isPlain || isLoopback(table, name) || !asked(name)) continue
    const shared = infos.find((info) => info.family === 'IPv4' && isShared(table, name, info))
    if (family !== 'IPv4' || shared === undefined) continue
    isPlain = false
    const names = Object.keys(table).filter((one) =>
      table[one]?.some((info) => info.address === shared.address),
    )
    yield doubtful(
      'address',
      `${names.join(' and ')} have the same address ${shared.address}: the system joins and sends on whichever it takes`,
      'give each an address of its own',
    )
  }
  if (isPlain && own.length > 0) {
    const list = own.flatMap(({ name }) => addressFor(family, table, name) ?? [])
    yield good('address', list.join(', '))
  }
}

function isShared(table: NetworkInterfaces, name: string, info: NetworkInterfaceInfo): boolean {
  return Object.entries(table).some(
    ([other, infos = []]) => other !== name && infos.some((one) => one.address === info.address),
  )
}

/** A number that /proc/sys/net holds of an interface. */
function settingOf(family: 'ipv4' | 'ipv6', name: string, setting: string): number {
  return Number(textOf(`/proc/sys/net/${family}/conf/${name}/${setting}`) ?? 0)
}

/** The system's route to the group, with the interface and address that a sender would use. */
export async function* route(look: Look): AsyncIterable<Finding> {
  const { subject, table, usable } = look
  const { group, interfaces: wanted, createSocket } = subject
  if (group.scoped) {
    yield good(
      'route',
      `${group.address} is another group on each link, and leaves by the one that is named`,
    )
    return
  }
  const sockets = new Sockets({
    group,
    createSocket,
    operation: 'bind',
    configure: () => {},
    debug,
    mayBeNone: false,
    onLost: () => {},
    onError: () => {},
  })
  let source: string
  try {
    // Any port will do.
    source = await sockets.sourceTo(9, group.address, undefined)
  } catch (error) {
    if (errno((error as Error).cause) === DENIED) {
      yield bad('system', 'Node may open no socket', 'start Node with --allow-net')
      return
    }
    yield doubtful(
      'route',
      `The system has no route to ${group.address}: a sender that names no interface fails`,
      `name an interface in the option interfaces, or add a route: ip route add ${group.address}${group.family === 'IPv4' ? '/32' : '/128'} dev NAME`,
    )
    return
  }
  const label = Object.keys(table).find((one) =>
    table[one]?.some((info) => info.address === source.replace(/%.*/, '')),
  )
  const name = process.platform === 'linux' ? label?.replace(/:.*/, '') : label
  const by = `${name ?? 'an interface that is not listed'}, from ${source}`
  const names = usable.map((one) => one.name)
  const isElsewhere = name !== undefined && names.length > 0 && !names.includes(name)
  const standard = group.family === 'IPv4' ? standardRoute() : undefined
  const isApart = standard !== undefined && name !== standard && names.includes(standard)
  if (wanted !== 'default' && (isElsewhere || isApart)) {
    const other = isElsewhere ? names.join(', ') : standard
    yield doubtful(
      'route',
      `The system's route to ${group.address} leaves by ${by}, not by ${other}: a sender that names no interface sends there`,
      `name the interface in the sender's option interfaces, or move the route: ip route replace ${group.address} dev ${isElsewhere ? names[0] : standard}`,
    )
    return
  }
  const rest = names.filter((one) => one !== name)
  const more =
    rest.length > 0 ? `; ${rest.join(', ')} only if a sender names it in its option interfaces` : ''
  yield good('route', `${group.address} leaves by ${by}${more}`)
}

/** The interface of the system's default route. */
function standardRoute(): string | undefined {
  const lines = (textOf('/proc/net/route') ?? '').split('\n').map((line) => line.split('\t'))
  return lines.find(([, to, , , , , , mask]) => to === '00000000' && mask === '00000000')?.[0]
}

/** The sockets on the port that can hear the group, and those that cannot. */
export function holders({ subject, facts }: Pick<Look, 'subject' | 'facts'>): {
  readonly hearing: readonly UdpSocket[]
  readonly deaf: readonly UdpSocket[]
} {
  const { group } = subject
  const all = facts.sockets ?? []
  // One on :: may take IPv4 too.
  const hears = ({ address }: UdpSocket): boolean =>
    [group.address, wildcard(group), '::'].includes(address)
  // What is bound to another group has no part in it.
  const deaf = all.filter((socket) => !hears(socket) && !isMulticast(socket.address))
  return { hearing: all.filter(hears), deaf }
}

function named({ address, uid, isOwn }: UdpSocket): string {
  return `${address} (${isOwn ? `this process, ${process.pid}` : `uid ${uid}`})`
}

/** Whether the port can be bound beside the programs that hold it: false, if it is held unshared. */
export type Bindable = boolean | undefined

/** Who holds the port, and whether it can be shared, by a bind to the group that is undone at once. */
export async function* port(look: Look): AsyncGenerator<Finding, Bindable> {
  const { subject, facts } = look
  const { group, isOfSystem, isAsked, endpoint } = subject
  const { hearing, deaf } = holders(look)
  const list = [...hearing, ...deaf].map(named).join(', ')
  const at = `port ${subject.port}`
  const refusal = isOfSystem && process.platform === 'linux' ? await refusedBind(look) : undefined
  if (refusal === 'EADDRINUSE') {
    yield bad(
      'port',
      `${at} is held by a program that does not share it${list && `: ${list}`}`,
      'end that program, or have it set SO_REUSEADDR (reuseAddr), or take another port',
    )
    return false
  }
  // The route has told that.
  if (refusal === DENIED) return false
  if (refusal === 'EACCES') {
    yield doubtful('port', `${at} cannot be bound without a privilege`, 'run the doctor as root')
    return false
  }
  if (facts.sockets === undefined || !isAsked || endpoint?.noun === 'sender') return undefined
  const joined = facts.joined ?? []
  if (hearing.length > 0) {
    yield good('port', `${at} is shared by ${hearing.map(named).join(', ')}`)
    return true
  }
  const held = deaf.length > 0 ? `. ${list} can hear no multicast` : ''
  if (joined.length > 0 && !isOfKernel(group)) {
    yield bad(
      'port',
      `${group.address} is joined on this host, but no socket on ${at} can hear it: what comes is thrown away${held}`,
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
      'start the one that is to hear, and look again',
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
    const seen = `No program of this host has joined ${group.address}`
    if (hearing.length > 0) {
      yield bad(
        'membership',
        `${seen}, not even one that holds the port: ${hearing.map(named).join(', ')}`,
        'have the program join the group (IP_ADD_MEMBERSHIP), on the interface that it comes in by',
      )
    } else yield doubtful('membership', seen, 'start the program that is to hear, and look again')
    return
  }
  const names = joined.map(({ name }) => name)
  const list = joined.map(({ name, users }) => `${name} (${users})`).join(', ')
  const missing = usable.map(({ name }) => name).filter((name) => !names.includes(name))
  const isShort = missing.length > 0 && wanted !== 'default' && !isLoneLoopback(missing, table)
  if (!isShort) {
    yield good('membership', `${group.address} is joined on ${list}`)
    return
  }
  const seen = `${group.address} is joined on ${list}, but not on ${missing.join(', ')}: what comes in there is not heard`
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
        ? `On ${on} the memberships of ${group.address} name these senders: ${asked.join(', ')}. A program that has joined so hears no other`
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

/** Whether senders are dropped that the system has no route back to (strict rp_filter). */
export function* reversePath({ subject, usable, table, facts }: Look): Iterable<Finding> {
  const { isOfSystem, group, endpoint } = subject
  if (!isOfSystem || facts.links === undefined || group.family === 'IPv6') return
  if (endpoint?.noun === 'sender') return
  const names = usable.map(({ name }) => name).filter((name) => !isLoopback(table, name))
  const strict = names.filter((name) => isStrict(name) && name !== standardRoute())
  if (strict.length > 0) {
    yield doubtful(
      'rp-filter',
      `rp_filter is strict on ${strict.join(', ')}: senders are dropped there whose address this host routes elsewhere, or nowhere`,
      `add a route back to the sender by ${strict[0]}, or sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${strict[0]}.rp_filter=2`,
    )
  } else if (names.length > 0) yield good('rp-filter', 'drops no sender by its route back')
}

/** The larger of the two holds: 1 is strict. */
export function isStrict(name: string): boolean {
  return Math.max(...['all', name].map((one) => settingOf('ipv4', one, 'rp_filter'))) === 1
}

/** Whether what is heard is read in time. */
export async function* buffer(look: Look): AsyncIterable<Finding> {
  const { subject, facts } = look
  const { endpoint, isAsked } = subject
  const larger = 'read faster, or ask for a larger recvBufferSize (up to net.core.rmem_max)'
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
      "await send(), whose rejection tells why, or set DEBUG='typed-multicast:*'",
    )
  }
}
