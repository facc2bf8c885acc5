/** The network that the conformance cases run on. */
import type { Peer } from './peer.js'

/** An interface, as the cases expect it: the first IPv4 address is the primary one. */
interface Plug {
  readonly segment: string
  readonly addresses: readonly string[]
}

/**
 * The three hosts with their interfaces, in order, and the segments that these are plugged into. `lo`, with
 * 127.0.0.1/8 and ::1/128, comes before them.
 */
export const topology: Readonly<Record<'near' | 'other' | 'far', Readonly<Record<string, Plug>>>> =
  {
    near: {
      e0: { segment: 'red', addresses: ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'] },
      e1: { segment: 'blue', addresses: ['10.0.1.1/24', 'fd01::1/64', 'fe80::1/64'] },
    },
    other: {
      e0: {
        segment: 'red',
        addresses: ['10.0.0.2/24', '10.0.0.3/24', 'fd00::2/64', 'fd00::3/64', 'fe80::2/64'],
      },
      e1: {
        segment: 'blue',
        addresses: ['10.0.1.2/24', '10.0.1.3/24', 'fd01::2/64', 'fd01::3/64', 'fe80::2/64'],
      },
    },
    far: {
      e0: { segment: 'green', addresses: ['10.0.2.2/24', 'fd02::2/64', 'fe80::2/64'] },
    },
  }

/**
 * The hosts of {@link topology}. Their interfaces are numbered in order.
 *
 * Between red and green is a router: 10.0.0.254, fd00::fe and fe80::fe on red, 10.0.2.254, fd02::fe
 * and fe80::fe on green. It forwards unicast both ways, and what is sent to {@link routedGroups} from red to
 * green, as far as the TTL allows. It is the default route of each host, through its e0, for multicast too.
 */
export interface ConformanceNetwork {
  /** On red and blue. Most cases begin here. */
  readonly near: ConformanceHost
  /** On red and blue too, with two addresses on each. */
  readonly other: ConformanceHost
  /** On green, behind the router. */
  readonly far: ConformanceHost
}

/** One host of the network. */
export interface ConformanceHost {
  /** Has the sockets of this host. */
  readonly peer: Peer
  /** Changes its interfaces. Leave it out if the carrier cannot: it then lacks the need `'interfaces'`. */
  readonly interfaces?: ConformanceInterfaces
}

/** Changes the interfaces of one host. Each promise resolves once the change has taken effect. */
export interface ConformanceInterfaces {
  /** `ip link set down`: the interface is there but carries nothing. */
  down(name: string): Promise<void>
  /** `ip link set up`, with the addresses that it had. */
  up(name: string): Promise<void>
  /** `ip link del`. */
  remove(name: string): Promise<void>
  /** Creates it again, with the addresses and the segment that it had, as a new interface. */
  add(name: string): Promise<void>
  /** `ip addr del`: `address` has a prefix length, `10.0.1.1/24`. */
  removeAddress(name: string, address: string): Promise<void>
  /** `ip addr add`, as the last of its family. An IPv4 address has global scope and no label by default. */
  addAddress(name: string, address: string, more?: AddressDetails): Promise<void>
  /** Puts all interfaces of the host back as they were at first, whatever was done to them. */
  restore(): Promise<void>
}

/** Details of an IPv4 address for `ip addr add`. */
export interface AddressDetails {
  /** Its label, such as `'e0:1'`. Default: none. */
  readonly label?: string
  /** Its scope. Default: `'global'`. */
  readonly scope?: 'global' | 'link'
}

/** What a carrier or its network may lack. */
export type Need =
  /**
   * The router and what is behind it, and all else that depends on the TTL in a datagram: Linux lets one with TTL 0 out
   * if no socket of the host has joined.
   */
  | 'router'
  /** {@link ConformanceHost.interfaces}. */
  | 'interfaces'
  /** IPv6. */
  | 'ipv6'
  /** Linux's limits: 20 memberships of a socket, 10 IPv4 sources of a membership. */
  | 'limits'
  /**
   * What node:dgram's connected sockets can do beside `connect`: `send(data)`, which peers need, `disconnect` and
   * `remoteAddress`.
   */
  | 'connected'
  /** Receive buffers of a bounded size, 212,992 bytes by default. */
  | 'buffers'
  /** A `send` that has resolved has arrived at the other hosts, whatever is told to these next. */
  | 'arrival'
  /** Messages as large as a UDP datagram can be: 65,507 bytes over IPv4, 65,527 over IPv6. */
  | 'full-size'
  /**
   * `bind` and `connect` that have happened once the lookup has answered, as the kernel's have. A carrier that asks a
   * server first cannot have it.
   */
  | 'sync-bind'
  /** What a `dgram.Socket` has beyond the `DatagramSocket` that the library uses. */
  | 'dgram'

/** The groups that the router forwards. */
export const routedGroups: readonly string[] = ['239.1.2.3', 'ff05::1:3']

/** An interface of a host, seen from one family. */
export interface End {
  readonly name: string
  readonly address: string
  /** What node:dgram takes for the interface. */
  readonly handle: string
}

/** What the cases that are the same over IPv4 and IPv6 are told of each. */
export interface Family {
  readonly family: 'IPv4' | 'IPv6'
  readonly type: 'udp4' | 'udp6'
  readonly needs: readonly Need[]
  /** The wildcard address, and the one of lo. */
  readonly any: string
  readonly loopback: string
  /** One that the router forwards, and another. */
  readonly group: string
  readonly otherGroup: string
  /** One that never crosses a router, as it is sent to through e0. */
  readonly localGroup: string
  readonly near: { readonly e0: End; readonly e1: End }
  /** `second` is the interface's second address. */
  readonly other: { readonly e0: End & { second: string }; readonly e1: End & { second: string } }
  readonly far: { readonly e0: End }
}

/** IPv4 on the network. */
export const ipv4: Family = {
  family: 'IPv4',
  type: 'udp4',
  needs: [],
  any: '0.0.0.0',
  loopback: '127.0.0.1',
  group: '239.1.2.3',
  otherGroup: '239.1.2.4',
  localGroup: '224.0.0.200',
  near: {
    e0: { name: 'e0', address: '10.0.0.1', handle: '10.0.0.1' },
    e1: { name: 'e1', address: '10.0.1.1', handle: '10.0.1.1' },
  },
  other: {
    e0: { name: 'e0', address: '10.0.0.2', handle: '10.0.0.2', second: '10.0.0.3' },
    e1: { name: 'e1', address: '10.0.1.2', handle: '10.0.1.2', second: '10.0.1.3' },
  },
  far: { e0: { name: 'e0', address: '10.0.2.2', handle: '10.0.2.2' } },
}

/** IPv6 on the network. */
export const ipv6: Family = {
  family: 'IPv6',
  type: 'udp6',
  needs: ['ipv6'],
  any: '::',
  loopback: '::1',
  group: 'ff05::1:3',
  otherGroup: 'ff05::1:4',
  localGroup: 'ff02::1:3',
  near: {
    e0: { name: 'e0', address: 'fd00::1', handle: '::%e0' },
    e1: { name: 'e1', address: 'fd01::1', handle: '::%e1' },
  },
  other: {
    e0: { name: 'e0', address: 'fd00::2', handle: '::%e0', second: 'fd00::3' },
    e1: { name: 'e1', address: 'fd01::2', handle: '::%e1', second: 'fd01::3' },
  },
  far: { e0: { name: 'e0', address: 'fd02::2', handle: '::%e0' } },
}

/** Both. */
export const families: readonly Family[] = [ipv4, ipv6]
