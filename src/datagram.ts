import type { RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'

/**
 * The members of a `dgram.Socket` that this library uses. A `dgram.Socket` has them all; so does the socket of any
 * other carrier. Each works as node:dgram's, apart from what is said here.
 */
export interface DatagramSocket {
  /**
   * Must emit `listening` or `error`, or `close` if it is closed before. An error's `remedy`, where it has one, is
   * what the message says to try.
   */
  bind(options: { port: number; address: string; exclusive: boolean }): unknown
  /** Must call `callback` once, also when the socket is closed before the datagram went out. */
  send(
    data: Uint8Array,
    port: number,
    address: string,
    callback: (error: Error | null) => void,
  ): unknown
  /** Sends to what it is {@link connect}ed to. */
  send(data: Uint8Array, callback: (error: Error | null) => void): unknown
  /**
   * Must call `callback` once, on a later tick, with an error if there is no route there; nothing is sent. In the
   * callback `address()` is the address that the system sends from. From then on the socket hears only what comes
   * from there, so nothing from a group except what has come before.
   */
  connect(port: number, address: string, callback: (error?: Error) => void): unknown
  /**
   * Resolves once what the socket was asked for, to bind or to join, has taken effect wherever that is decided,
   * as at a server; rejects where it was refused. `ready()` and `join()` await it, so that they do not resolve
   * while it is still deaf. Left out where it all holds at once, as with node:dgram.
   */
  settled?(): Promise<void>
  /** Must emit `close` on a later tick. */
  close(): unknown
  /** What it is bound to. */
  address(): AddressInfo
  /** IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP. */
  addMembership(group: string, multicastInterface?: string): unknown
  /** IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP. */
  dropMembership(group: string, multicastInterface?: string): unknown
  /** IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP. */
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): unknown
  /** IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP. */
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): unknown
  /** IP_MULTICAST_IF, IPV6_MULTICAST_IF. */
  setMulticastInterface(multicastInterface: string): unknown
  /** IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP. */
  setMulticastLoopback(flag: boolean): unknown
  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS. */
  setMulticastTTL(ttl: number): unknown
  /** IP_TTL, IPV6_UNICAST_HOPS: the TTL of unicast, 1 to 255. */
  setTTL(ttl: number): unknown
  /** SO_RCVBUF. */
  setRecvBufferSize(size: number): unknown
  /** SO_SNDBUF. */
  setSendBufferSize(size: number): unknown
  /** SO_RCVBUF: the bytes that the kernel has granted, on Linux twice what was asked for. */
  getRecvBufferSize(): number
  /** SO_SNDBUF: the same for sending. */
  getSendBufferSize(): number
  /** The bytes that wait to be sent because the kernel has refused them so far. */
  getSendQueueSize(): number
  /** Keeps the process alive while it is bound. */
  ref(): unknown
  /** Lets the process end while it is bound. */
  unref(): unknown
  /** A datagram came. */
  on(event: 'message', listener: (data: Buffer, remote: RemoteInfo) => void): unknown
  /** Binding failed, or the system reported an error. */
  on(event: 'error', listener: (error: Error) => void): unknown
  /** It is bound, or closed. */
  once(event: 'listening' | 'close', listener: () => void): unknown
}

/** What {@link CreateSocket} is called with: a part of `dgram.SocketOptions`. */
export interface DatagramSocketOptions {
  /** The family: IPv4 or IPv6. */
  type: 'udp4' | 'udp6'
  /** SO_REUSEADDR. */
  reuseAddr: boolean
  /** IPV6_V6ONLY. Always true: an IPv6 socket that also took IPv4 would hear other groups. */
  ipv6Only: boolean
  /** Answers at once with the address that it is given, since all addresses are literals. */
  lookup: (
    hostname: string,
    options: unknown,
    callback: (error: null, address: string, family: number) => void,
  ) => void
}

/** Makes an unbound socket, as `dgram.createSocket` does. */
export type CreateSocket = (options: DatagramSocketOptions) => DatagramSocket

/**
 * node:dgram looks up every address it sends to, literals too, and answers a tick later. Here all
 * are literals, so the answer is the question.
 */
export const lookup: DatagramSocketOptions['lookup'] = (hostname, _options, callback) => {
  callback(null, hostname, hostname.includes(':') ? 6 : 4)
}
