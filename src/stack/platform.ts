import { maxPayload } from '../address.js'

/** What differs between the stacks of systems. */
export interface PlatformRules {
  /** Whether a socket may be bound to a group. */
  readonly bindsToGroup: boolean
  /**
   * Whether a socket hears a group that it has not joined on an interface, once another socket of the
   * host has (IP_MULTICAST_ALL, which is on by default, on Linux alone).
   */
  readonly hearsUnjoined: boolean
  /** Whether the receiver's IP_MULTICAST_LOOP counts, and not the sender's. */
  readonly loopbackOfReceiver: boolean
  /** Whether a group's datagram with TTL 0 leaves a host of which no socket has joined. */
  readonly leaksTtl0: boolean
  /** The largest payload in bytes, by family. */
  readonly maxPayload: { readonly IPv4: number; readonly IPv6: number }
  /** Which ports the system picks from (net.ipv4.ip_local_port_range). */
  readonly freePorts: { readonly first: number; readonly last: number }
  /** What stands behind the `%` of an IPv6 address. */
  readonly zone: 'name' | 'number'
}

/** As measured. */
export const linux: PlatformRules = {
  bindsToGroup: true,
  hearsUnjoined: true,
  loopbackOfReceiver: false,
  leaksTtl0: true,
  maxPayload,
  freePorts: { first: 32_768, last: 60_999 },
  zone: 'name',
}
