import { textOf } from './facts.js'

/** What the kernel has counted of this network namespace, since it is there. */
export interface Counters {
  /** Packets that came in by the given interfaces (/proc/net/dev). A looped back datagram is none. */
  readonly arrived: number
  /** Packets that came in by the loopback interface: this host's own, its IGMP reports there too. */
  readonly looped: number
  /** Ip InReceives: IPv4 packets, looped back ones too. */
  readonly received: number
  /** TcpExt IPReversePathFilter: those that the source was wrong for. */
  readonly filtered: number
  /** IpExt InMcastPkts: those for a group that is joined where they came in. */
  readonly multicast: number
  /** Ip InDelivers: those that were let through to a protocol. */
  readonly delivered: number
  /** Udp IgnoredMulti: datagrams to a group that no socket was bound for. */
  readonly ignored: number
}

/** Reads them all at one moment; undefined where one of them cannot be read. */
export function readCounters(interfaces: readonly string[]): Counters | undefined {
  const texts = ['dev', 'snmp', 'netstat'].map((name) => textOf(`/proc/net/${name}`))
  const [devices, snmp, netstat] = texts
  if (devices === undefined || snmp === undefined || netstat === undefined) return undefined
  const named = new Map([...namedCounters(snmp), ...namedCounters(netstat)])
  const counters = {
    arrived: arrivedBy(devices, interfaces),
    looped: arrivedBy(devices, ['lo']),
    received: named.get('Ip InReceives'),
    filtered: named.get('TcpExt IPReversePathFilter'),
    multicast: named.get('IpExt InMcastPkts'),
    delivered: named.get('Ip InDelivers'),
    ignored: named.get('Udp IgnoredMulti'),
  }
  const isWhole = Object.values(counters).every((count) => Number.isFinite(count))
  return isWhole ? (counters as Counters) : undefined
}

/** By how much each has risen. */
export function rise(before: Counters, after: Counters): Counters {
  const of = (name: keyof Counters): number => after[name] - before[name]
  return {
    arrived: of('arrived'),
    looped: of('looped'),
    received: of('received'),
    filtered: of('filtered'),
    multicast: of('multicast'),
    delivered: of('delivered'),
    ignored: of('ignored'),
  }
}

/** The kernel writes a line of names, then one of numbers. */
function namedCounters(text: string): [string, number][] {
  const lines = text.split('\n')
  return lines.flatMap((line, at): [string, number][] => {
    const [group = '', ...names] = line.split(/\s+/)
    const [same, ...numbers] = (lines[at + 1] ?? '').split(/\s+/)
    if (group === '' || group !== same || /^-?\d+$/.test(names[0] ?? '')) return []
    return names.map((name, place) => [`${group.slice(0, -1)} ${name}`, Number(numbers[place])])
  })
}

function arrivedBy(text: string, interfaces: readonly string[]): number {
  let packets = 0
  for (const line of text.split('\n')) {
    const [, name = '', received] = /^\s*([^\s:]+):\s*\d+\s+(\d+)/.exec(line) ?? []
    if (interfaces.includes(name)) packets += Number(received)
  }
  return packets
}
