import type { RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'

/**
 * The members of a `dgram.Socket` that this library uses. A `dgram.Socket` is one as it is; so is
 * any other carrier of datagrams with these members.
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
   * Must call `callback` once, on a later tick, with the error if there is no way there; nothing is sent.
   * In it `address()` is the one that the system sends from. From then on the socket hears what comes
   * from there alone: of a group it hears nothing any more, but what has come before.
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
  address(): AddressInfo
  addMembership(group: string, multicastInterface?: string): unknown
  dropMembership(group: string, multicastInterface?: string): unknown
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): unknown
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): unknown
  setMulticastInterface(multicastInterface: string): unknown
  setMulticastLoopback(flag: boolean): unknown
  setMulticastTTL(ttl: number): unknown
  /** The TTL of what is sent to one host, 1 to 255. */
  setTTL(ttl: number): unknown
  setRecvBufferSize(size: number): unknown
  setSendBufferSize(size: number): unknown
  /** The bytes that the kernel has granted: on Linux twice what was asked for. */
  getRecvBufferSize(): number
  getSendBufferSize(): number
  /** The bytes that the kernel has refused so far and that wait to be sent. */
  getSendQueueSize(): number
  ref(): unknown
  unref(): unknown
  on(event: 'message', listener: (data: Buffer, remote: RemoteInfo) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'listening' | 'close', listener: () => void): unknown
}

/** What {@link CreateSocket} is called with: a part of `dgram.SocketOptions`. */
export interface DatagramSocketOptions {
  type: 'udp4' | 'udp6'
  reuseAddr: boolean
  /** True: an IPv6 socket that also took IPv4 would hear other groups. No effect on `udp4`. */
  ipv6Only: boolean
  /** Answers at once with the address it is given: only literal addresses are ever looked up. */
  lookup: (
    hostname: string,
    options: unknown,
    callback: (error: null, address: string, family: number) => void,
  ) => void
}

/** Makes a socket that is not bound yet, as `dgram.createSocket` does. */
export type CreateSocket = (options: DatagramSocketOptions) => DatagramSocket

/**
 * node:dgram looks up every address it sends to, literals too, and answers a tick later. Here all
 * are literals, so the answer is the question.
 */
export const lookup: DatagramSocketOptions['lookup'] = (hostname, _options, callback) => {
  callback(null, hostname, hostname.includes(':') ? 6 : 4)
}
