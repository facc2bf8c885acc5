import { readdirSync, readFileSync } from 'node:fs'
import { endianness, type NetworkInterfaceInfo } from 'node:os'
import { type Group, parseGroup } from '../address.js'
import { gone } from '../binding.js'
import { lookup } from '../datagram.js'
import { ownSockets } from '../drops.js'
import { type Counted, joinedOn } from '../igmp.js'
import type { NetworkInterfaces } from '../interfaces.js'
import { inetNtop } from '../struct/inet.js'
import type { Subject } from './subject.js'

/** An interface as the system has it, though it may not be usable. */
export interface Link {
  readonly name: string
  /** Whether it is up; undefined where nothing tells. */
  readonly isUp: boolean | undefined
  /** Whether something is at the other end of its cable, or whatever stands for one. */
  readonly hasCarrier: boolean | undefined
}

/** A UDP socket of this host, whichever program's. */
export interface UdpSocket {
  readonly address: string
  readonly port: number
  readonly uid: number
  readonly inode: string
  /** The bytes that wait to be read. */
  readonly queued: number
  /** The datagrams that the kernel has dropped because nobody read them in time. */
  readonly drops: number
  /** Whether it is this process's. */
  readonly isOwn: boolean
}

/** A sender that the memberships of an interface let through, or keep out. */
export interface Filter {
  readonly on: string
  readonly source: string
  /** How many sockets ask for it; 0, if it is blocked. */
  readonly users: number
}

/** What /proc tells; each is undefined where that cannot be read. */
export interface Facts {
  readonly links: readonly Link[] | undefined
  readonly sockets: readonly UdpSocket[] | undefined
  /** The other ports on which sockets are bound to the group itself. */
  readonly elsewhere: readonly number[] | undefined
  readonly joined: readonly Counted[] | undefined
  readonly filters: readonly Filter[] | undefined
}

/** The text of a file, if it can be read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const unknown: Facts = {
  links: undefined,
  sockets: undefined,
  elsewhere: undefined,
  joined: undefined,
  filters: undefined,
}

/** Reads what is known of this host. Over another carrier than the system's sockets that is nothing, or its ports. */
export async function gather(subject: Subject, table: NetworkInterfaces): Promise<Facts> {
  const { group, port, createSocket, isOfSystem, examination } = subject
  const isOfHost = isOfSystem || examination?.excludes !== undefined
  if (!isOfHost || process.platform !== 'linux') return unknown
  const all = allSockets(await ownSockets().catch(() => new Set<string>()))
  if (!isOfSystem) return { ...unknown, sockets: all?.filter((socket) => socket.port === port) }
  const links = linksOf(subject, table)
  const joined = joinedOn(group, createSocket)
  const bound = all?.filter(({ address }) => address === group.address).map(({ port }) => port)
  return {
    links,
    sockets: all?.filter((socket) => socket.port === port),
    elsewhere: bound && [...new Set(bound)].filter((other) => other !== port),
    // Read as empty, it may be a file that stands in front of the kernel's.
    joined: links === undefined ? undefined : joined,
    filters: filtersOf(group, joinedOn(allHosts, createSocket) ?? []),
  }
}

/** The addresses of an interface, those with a label of their own too, which the table lists apart. */
export function addressesOf(table: NetworkInterfaces, name: string): NetworkInterfaceInfo[] {
  return Object.entries(table).flatMap(([label, infos = []]) =>
    label === name || label.startsWith(`${name}:`) ? infos : [],
  )
}

/** What the system itself joins on each interface that is up. */
const allHosts = parseGroup('224.0.0.1')
const allNodes = parseGroup('ff02::1')

/** The group on which every host of a network is, which no program has joined. */
export function isOfKernel({ address }: Group): boolean {
  return address === allHosts.address || address === allNodes.address || address === 'ff01::1'
}

function linksOf({ createSocket }: Subject, table: NetworkInterfaces): Link[] | undefined {
  const names = textOf('/proc/net/dev')
    ?.split('\n')
    .flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
  const up = joinedOn(allHosts, createSocket)
  if (names === undefined || names.length === 0) return undefined
  // What has an address, also while node:os leaves it out.
  const lines = `${textOf('/proc/net/route') ?? ''}\n${textOf('/proc/net/if_inet6') ?? ''}`
  const dressed = new Set(lines.split('\n').flatMap((line) => line.trim().split(/\s+/)))
  const carriers = carriersOf(names, up ?? [])
  return names.map((name) => {
    const isListed = addressesOf(table, name).length > 0
    const isUp = isListed || up?.some((one) => one.name === name)
    const isBare = isUp === true && !isListed && dressed.has(name)
    return { name, isUp, hasCarrier: isListed || (isBare ? false : carriers?.get(name)) }
  })
}

/** What /sys tells of carriers, if that is of this network: it belongs to the mount, not to the process. */
function carriersOf(
  names: readonly string[],
  counted: readonly Counted[],
): ReadonlyMap<string, boolean> | undefined {
  const at = '/sys/class/net'
  try {
    const isSame = readdirSync(at).filter((name) => names.includes(name)).length === names.length
    const agrees = counted.every(
      ({ name, index }) => Number(textOf(`${at}/${name}/ifindex`)) === index,
    )
    if (!isSame || !agrees) return undefined
  } catch {
    return undefined
  }
  return new Map(
    names.flatMap((name): [string, boolean][] => {
      // Of what is down it cannot be read.
      const carrier = textOf(`${at}/${name}/carrier`)?.trim()
      return carrier === undefined ? [] : [[name, carrier === '1']]
    }),
  )
}

/** The sockets of this host, by /proc/net/udp and udp6. */
function allSockets(own: ReadonlySet<string>): UdpSocket[] | undefined {
  const texts = ['/proc/net/udp', '/proc/net/udp6'].map(textOf)
  // Each begins with a line of headings.
  if (!texts.some((text) => text?.includes('local_address'))) return undefined
  return udpSockets(texts.join('\n'), own)
}

/** Reads lines of /proc/net/udp and udp6. */
export function udpSockets(text: string, own: ReadonlySet<string>): UdpSocket[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(fields[1] ?? '') ?? []
    const inode = fields[9]
    if (hex === undefined || port === undefined || inode === undefined) return []
    return {
      address: addressOf(hex),
      port: Number.parseInt(port, 16),
      uid: Number(fields[7]),
      inode,
      queued: Number.parseInt(fields[4]?.split(':')[1] ?? '0', 16),
      drops: Number(fields[12] ?? 0),
      isOwn: own.has(inode),
    }
  })
}

/** An address as the kernel writes it there: 32 bits at a time, in its own order. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  return inetNtop(bytes.length === 4 ? 4 : 6, bytes)
}

/**
 * The sources that the group's memberships name, all of them. The kernel's list leaves out what comes before
 * the first interface whose first group, the one that was joined there last, has sources. So for a moment one that
 * has is joined on the loopback interface, which is the first of all: the group of all hosts, of which
 * nothing is reported, or where that is not the first one of the doctor's own.
 */
export async function allFilters(
  subject: Subject,
): Promise<{ filters: readonly Filter[] | undefined; isReported: boolean }> {
  const { group, createSocket } = subject
  const isIPv4 = group.family === 'IPv4'
  const type = isIPv4 ? 'udp4' : 'udp6'
  const [own, on] = isIPv4 ? ['127.0.0.1', '127.0.0.1'] : ['::1', '::%lo']
  let isReported = false
  const socket = createSocket({ type, reuseAddr: false, ipv6Only: !isIPv4, lookup })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.once('listening', resolve)
      socket.bind({ port: 0, address: own, exclusive: true })
    })
    const everybody = isIPv4 ? allHosts : allNodes
    socket.addSourceSpecificMembership(own, everybody.address, on)
    if (filtersOf(everybody, [])?.length === 0) {
      isReported = true
      socket.addSourceSpecificMembership(own, isIPv4 ? '232.255.29.29' : 'ff31::1d1d', on)
    }
  } catch {
    // Without a loopback interface the list is as it is.
  }
  const filters = filtersOf(group, joinedOn(allHosts, createSocket) ?? [])
  await gone(socket)
  return { filters, isReported }
}

/** The sources that the group's memberships name. The names there are cut short, the numbers are not. */
function filtersOf(group: Group, counted: readonly Counted[]): Filter[] | undefined {
  const isIPv4 = group.family === 'IPv4'
  const text = textOf(isIPv4 ? '/proc/net/mcfilter' : '/proc/net/mcfilter6')
  return text?.split('\n').flatMap((line) => {
    const [, index, short, of, from, included] =
      /^\s*(\d+)\s+(\S+)\s+(?:0x)?([0-9a-f]+)\s+(?:0x)?([0-9a-f]+)\s+(\d+)\s+\d+/.exec(line) ?? []
    if (index === undefined || short === undefined || of === undefined || from === undefined) {
      return []
    }
    const written = (hex: string): string => inetNtop(isIPv4 ? 4 : 6, Buffer.from(hex, 'hex'))
    if (written(of) !== group.address) return []
    const on = counted.find((one) => one.index === Number(index))?.name ?? short
    return { on, source: written(from), users: Number(included) }
  })
}
