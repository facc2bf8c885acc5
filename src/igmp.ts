import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'
import type { Group } from './address.js'
import type { CreateSocket } from './datagram.js'
import { inetNtop } from './struct/inet.js'

/** An interface on which the host has joined a group, whichever of its sockets did. */
export interface Counted {
  readonly name: string
  /** The system's number of the interface, which a new one of the same name does not have. */
  readonly index: number
  /** How many sockets have joined. */
  readonly users: number
}

/**
 * Where the host has joined a group, by /proc/net/igmp and igmp6: read now, or as it was read last.
 * Undefined where that does not tell: on other systems than Linux, and over other sockets than node:dgram's.
 */
export function joinedOn(
  group: Group,
  by: CreateSocket,
  read: 'now' | 'last' = 'now',
): readonly Counted[] | undefined {
  if (process.platform !== 'linux' || by !== createSocket) return undefined
  const table = tables[group.family]
  if (read === 'now') table.read()
  return table.groups?.get(group.address) ?? (table.groups && [])
}

/** What {@link lookAtJoined} has found. */
export interface JoinedLook {
  /** The numbers of the interfaces that there are, with their names. */
  readonly numbers: string
  /** How often what the host has joined, or where, has changed. */
  readonly version: number
}

/** Reads both tables; where that is dear only now and then, unless it `must`. */
export function lookAtJoined(must: boolean): JoinedLook {
  if (process.platform !== 'linux') return { numbers: '', version: 0 }
  const { IPv4, IPv6 } = tables
  if (must || process.uptime() >= rest.until) {
    const before = process.cpuUsage()
    IPv6.read()
    IPv4.read()
    const { user, system } = process.cpuUsage(before)
    const cost = (user + system) / 1e6
    // The first takes longer, and any may for a reason of its own.
    rest.until = process.uptime() + Math.min(cost, rest.cost) * SHARE
    rest.cost = cost
  }
  return { numbers: IPv4.numbers, version: IPv4.version + IPv6.version }
}

/**
 * One part in so many of a core is what looking may cost. The kernel writes the tables page by page, each time
 * from their beginning: ten thousand memberships take as long as fifty looks at a few.
 */
const SHARE = 500

/**
 * Until when the tables are not looked at, by a clock that no test can have faked, and what looking has cost
 * last: both in seconds.
 */
const rest = { until: 0, cost: 0 }

/** The IPv4 groups that the host has joined on these interfaces. */
export function groupsOn(names: readonly string[]): readonly string[] {
  tables.IPv4.read()
  return [...(tables.IPv4.groups ?? [])].flatMap(([address, counted]) =>
    counted.some(({ name }) => names.includes(name)) ? address : [],
  )
}

/** The groups that the host has joined, of one family. */
class Table {
  /** By the group's address; undefined where the system does not tell. */
  groups: ReadonlyMap<string, readonly Counted[]> | undefined
  /** The numbers of the interfaces, with their names. */
  numbers = ''
  /** How often it has changed. */
  version = 0
  #text = ''
  readonly #file: string
  readonly #parse: (text: string) => Iterable<Omit<Counted, 'users'> & Joined>

  constructor(file: string, parse: (text: string) => Iterable<Omit<Counted, 'users'> & Joined>) {
    this.#file = file
    this.#parse = parse
  }

  read(): void {
    try {
      const text = readFileSync(this.#file, 'utf8')
      if (text === this.#text) return
      this.version += 1
      const groups = new Map<string, Counted[]>()
      const numbers = new Set<string>()
      for (const { address, name, index, users } of this.#parse(text)) {
        numbers.add(`${index} ${name}`)
        const counted = groups.get(address)
        if (counted === undefined) groups.set(address, [{ name, index, users }])
        else counted.push({ name, index, users })
      }
      this.groups = groups
      this.#text = text
      this.numbers = [...numbers].join()
    } catch {
      this.groups = undefined
      this.#text = ''
    }
  }
}

/** One group on one interface. */
interface Joined {
  readonly address: string
  readonly users: number
}

const tables = {
  IPv4: new Table('/proc/net/igmp', function* (text) {
    let device = { name: '', index: 0 }
    for (const line of text.split('\n')) {
      // The groups of an interface stand behind it, indented, each as the kernel's integer in hex.
      const [, index, name] = /^(\d+)\t([^\s:]+)/.exec(line) ?? []
      if (index !== undefined && name !== undefined) device = { name, index: Number(index) }
      const [, hex = '', users] = /^\s+([0-9A-F]{8})\s+(\d+)/.exec(line) ?? []
      if (users === undefined) continue
      const bytes = Buffer.from(hex, 'hex')
      if (endianness() === 'LE') bytes.reverse()
      yield { ...device, address: inetNtop(4, bytes), users: Number(users) }
    }
  }),
  IPv6: new Table('/proc/net/igmp6', function* (text) {
    for (const line of text.split('\n')) {
      const [, index, name = '', hex = '', users] =
        /^(\d+)\s+(\S+)\s+(\w{32})\s+(\d+)/.exec(line) ?? []
      if (hex === '') continue
      const address = inetNtop(6, Buffer.from(hex, 'hex'))
      yield { name, index: Number(index), address, users: Number(users) }
    }
  }),
} as const
