import { maxPayload } from '../address.js'

/** The systems whose rules a host can have. */
export type Platform = 'linux' | 'darwin' | 'win32'

/** What differs between them. Linux's rules were measured, the others' reported and not tried. */
export interface PlatformRules {
  /** Whether a socket may be bound to a group. */
  readonly bindsToGroup: boolean
  /**
   * Whether a socket hears a group that it has not joined on an interface, once another socket of the
   * host has (IP_MULTICAST_ALL, which is on by default, on Linux alone).
   */
  readonly hearsUnjoined: boolean
  /** Whose IP_MULTICAST_LOOP counts. */
  readonly loopbackOf: 'sender' | 'receiver'
  /** Whether a group's datagram with TTL 0 leaves a host of which no socket has joined. */
  readonly leaksTtl0: boolean
  /** The largest payload in bytes, by family. */
  readonly maxPayload: { readonly IPv4: number; readonly IPv6: number }
  /** What stands behind the `%` of an IPv6 address. */
  readonly zone: 'name' | 'number'
}

const linux: PlatformRules = {
  bindsToGroup: true,
  hearsUnjoined: true,
  loopbackOf: 'sender',
  leaksTtl0: true,
  maxPayload,
  zone: 'name',
}

export const platforms: Readonly<Record<Platform, PlatformRules>> = {
  linux,
  // net.inet.udp.maxdgram.
  darwin: {
    ...linux,
    hearsUnjoined: false,
    leaksTtl0: false,
    maxPayload: { IPv4: 9216, IPv6: 9216 },
  },
  win32: {
    ...linux,
    bindsToGroup: false,
    hearsUnjoined: false,
    leaksTtl0: false,
    loopbackOf: 'receiver',
    zone: 'number',
  },
}
