import { AsyncResource } from 'node:async_hooks'
import type { RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { isMulticast } from '../address.js'
import { parseAddress } from './arguments.js'
import { InetSocket } from './inet-socket.js'
import { type Lookup, lookupOn, type Resolved } from './lookup.js'
import type { MulticastList, Place } from './multicast-list.js'
import { familyOf, isLinkLocal } from './scope.js'
import type { StackSocketOptions } from './socket-options.js'
import type { Stack } from './stack.js'
import { libraryError } from './system-error.js'
import { throwUncaught } from './ticks.js'
import { Hold } from './turns.js'
import type { Answer } from './wire.js'

/** The calls that change from which senders it hears. */
type SourceChange = 'addSourceSpecificMembership' | 'dropSourceSpecificMembership'

/** What a call does to what is joined. */
type Change = (list: MulticastList, group: string, place: Place) => string | undefined

/**
 * What lies between a socket and the system, as libuv does: it reads addresses, makes the socket of the
 * system when it is needed, and refuses some things by itself. A refusal is answered with the name of the error.
 */
export class Handle {
  readonly #stack: Stack
  readonly #scope = new AsyncResource('STACKUDP')
  readonly #inet: InetSocket
  readonly #lookup: Lookup
  readonly #onMessage: (data: Buffer, remote: RemoteInfo) => void
  /** Whether it is an IPv4 socket that is to be IPv6 only. */
  readonly #isMisfit: boolean
  #isReading = false
  readonly #hold = new Hold()
  #wantsHold = true

  constructor(
    stack: Stack,
    options: StackSocketOptions,
    onMessage: (data: Buffer, remote: RemoteInfo) => void,
  ) {
    const { type, reuseAddr, reusePort, ipv6Only, lookup } = options
    this.#stack = stack
    this.#onMessage = onMessage
    this.#lookup = (lookup as Lookup | undefined) ?? lookupOn(stack)
    this.#isMisfit = type === 'udp4' && Boolean(ipv6Only)
    const sharing = { reuseAddr: Boolean(reuseAddr), reusePort: Boolean(reusePort) }
    const isDual = type === 'udp6' && !ipv6Only
    this.#inet = new InetSocket(type === 'udp4' ? 'IPv4' : 'IPv6', sharing, isDual, () => {
      if (this.#isReading) stack.poll.notice(this)
    })
  }

  /** How it settles, if that takes its time. */
  get settling(): (() => Promise<void>) | undefined {
    return this.#stack.settling(this.#inet)
  }

  /** Finds the address of a name; nothing stands for this host. */
  lookup(name: string, callback: Resolved): void {
    const isIPv4 = this.#inet.family === 'IPv4'
    this.#lookup(name || (isIPv4 ? '127.0.0.1' : '::1'), isIPv4 ? 4 : 6, callback)
  }

  bind(asked: string, port: unknown, answer: Answer): void {
    const [address, zone] = parseAddress(asked)
    // libuv binds no socket of the one family to be of the other alone.
    const isFit =
      address !== undefined && familyOf(address) === this.#inet.family && !this.#isMisfit
    // As C sees it: 16 bits of what is a number somehow. A BigInt is none.
    const number = +(port as number) & 0xffff
    if (isFit) this.#stack.bind(this.#inet, address, zone, number, answer)
    else answer('EINVAL')
  }

  /** Reads from now on, and keeps the process alive. */
  recvStart(): void {
    this.#isReading = true
    this.#stack.poll.watch(this)
    this.#holdProcess()
  }

  /** Whether a datagram waits. */
  get isReadable(): boolean {
    return this.#inet.isReadable
  }

  /** Takes out the datagram that has waited for longest, and tells of it in the context that the socket was made in. */
  read(): void {
    const read = this.#inet.read()
    if (read === undefined) return
    const { packet, address } = read
    const { sourcePort: port, family, data } = packet
    // Memory of its own for each who hears it: its ArrayBuffer holds nothing else, as that of node:dgram's.
    const own = Buffer.allocUnsafeSlow(data.byteLength)
    own.set(data)
    this.#scope.runInAsyncScope(() => {
      try {
        this.#onMessage(own, { address, family, port, size: data.byteLength })
      } catch (error) {
        throwUncaught(error)
      }
    })
  }

  connect(asked: string, port: number, answer: Answer): void {
    const [address, zone] = parseAddress(asked)
    const isFit = address !== undefined && familyOf(address) === this.#inet.family
    if (isFit) this.#stack.connect(this.#inet, address, zone, port, answer)
    else answer('EINVAL')
  }

  disconnect(): void {
    this.#stack.disconnect(this.#inet)
  }

  send(data: Buffer, asked: string, port: number, answer: Answer): void {
    const { remote, family } = this.#inet
    const [address, zone] = parseAddress(asked)
    const isFit = address !== undefined && familyOf(address) === family
    if (!isFit) answer('EINVAL')
    // The address may have been given before it was connected, and looked up until now.
    else if (remote !== undefined && remote.port !== 0) answer('EISCONN')
    else this.#stack.send(this.#inet, data, address, zone, port, answer)
  }

  /** Sends to what it is connected to, as it has to be. */
  sendConnected(data: Buffer, answer: Answer): void {
    const { address, port } = this.#remote
    this.#stack.send(this.#inet, data, address, undefined, port, answer)
  }

  close(): void {
    this.#isReading = false
    this.#stack.close(this.#inet)
    this.#holdProcess()
  }

  /** What it is bound to, or the name of an error. */
  getsockname(): AddressInfo | string {
    const { local, family } = this.#inet
    if (!this.#exists) return 'EBADF'
    return this.#told(local?.address ?? this.#wildcard, family, local?.port ?? 0)
  }

  /** What it is connected to, as it has to be. */
  getpeername(): AddressInfo {
    const { address, port } = this.#remote
    return this.#told(address, this.#inet.family, port)
  }

  setBroadcast(flag: boolean): string | undefined {
    if (!this.#exists) return 'EBADF'
    this.#inet.broadcast = flag
    return undefined
  }

  setTTL(ttl: number): string | undefined {
    return this.#setTtl('unicastTtl', ttl, 1)
  }

  setMulticastTTL(ttl: number): string | undefined {
    return this.#setTtl('multicastTtl', ttl, 0)
  }

  setMulticastLoopback(flag: boolean): string | undefined {
    if (!this.#exists) return 'EBADF'
    if (this.#isFamilyKnown) this.#inet.multicastLoopback = flag
    return undefined
  }

  setMulticastInterface(asked: string): string | undefined {
    const [address, zone] = parseAddress(asked)
    if (address === undefined) return 'EINVAL'
    if (!this.#exists) return 'EBADF'
    const { family, zone: bound } = this.#inet
    if (familyOf(address) === 'IPv6') {
      if (family === 'IPv4') return 'ENOPROTOOPT'
      const index = this.#stack.routing.indexOf(zone)
      if (index !== undefined && bound > 0 && index !== bound) return 'EINVAL'
      this.#inet.outgoing = { index, address: undefined }
      return undefined
    }
    const link = this.#stack.routing.ownerOf(address)
    if (link === undefined && address !== '0.0.0.0') return 'EADDRNOTAVAIL'
    if (link !== undefined && bound !== 0 && link.index !== bound) return 'EINVAL'
    // An IPv6 socket takes it too, for an IPv4 that it does not have here.
    if (family === 'IPv6') return undefined
    this.#inet.outgoing = link === undefined ? undefined : { index: link.index, address }
    return undefined
  }

  addMembership(group: string, on: unknown): string | undefined {
    return this.#change(group, on, (list, address, place) => list.join(address, place))
  }

  dropMembership(group: string, on: unknown): string | undefined {
    const leave: Change = (list, address, place) => list.leave(address, place)
    return this.#change(group, on, leave, true)
  }

  changeSource(call: SourceChange, given: string, group: string, on: unknown): string | undefined {
    const [source] = parseAddress(given)
    const isFit = source !== undefined && familyOf(source) === familyOf(group)
    if (!isFit) return 'EINVAL'
    return this.#change(group, on, (list, address, place) =>
      call === 'addSourceSpecificMembership'
        ? list.joinSource(source, address, place)
        : list.leaveSource(source, address, place),
    )
  }

  /** The size of a buffer, which is set before unless `size` is 0; or the name of an error. */
  bufferSize(isReceive: boolean, size = 0): number | 'EBADF' | 'EINVAL' {
    if (!this.#exists) return 'EBADF'
    if (size >= 2 ** 31) return 'EINVAL'
    if (size > 0) this.#inet.setBufferSize(size, isReceive)
    return isReceive ? this.#inet.recvBufferSize : this.#inet.sendBufferSize
  }

  /** The bytes that wait to be taken. */
  getSendQueueSize(): number {
    return this.#stack.queued(this.#inet)
  }

  getSendQueueCount(): number {
    return 0
  }

  ref(): void {
    this.#wantsHold = true
    this.#holdProcess()
  }

  unref(): void {
    this.#wantsHold = false
    this.#holdProcess()
  }

  #setTtl(option: 'multicastTtl' | 'unicastTtl', ttl: number, least: number): string | undefined {
    // As C sees it: a fraction is cut off, and NaN is 0.
    const whole = ttl | 0
    // libuv looks at the value before it asks the kernel.
    if (whole < least || whole > 255) return 'EINVAL'
    if (!this.#exists) return 'EBADF'
    if (this.#isFamilyKnown) this.#inet[option] = whole
    return undefined
  }

  #change(given: string, on: unknown, change: Change, isLeft = false): string | undefined {
    // A zone of the group itself is ignored.
    const [group] = parseAddress(given)
    if (group === undefined) return 'EINVAL'
    const family = familyOf(group)
    // For the kernel to have the socket libuv binds it, without an event.
    if (!this.#exists) this.#stack.bind(this.#inet, this.#wildcard, undefined, 0, () => {})
    const [address, zone] = parseAddress(on)
    const isFit = address !== undefined && familyOf(address) === family
    if (on !== undefined && on !== null && !isFit) return 'EINVAL'
    if (family === 'IPv6' && this.#inet.family === 'IPv4') return 'ENOPROTOOPT'
    // Of what is to be left IPv4 only looks whether it is joined.
    if (!isMulticast(group) && !(isLeft && family === 'IPv4')) return 'EINVAL'
    const by = address === '0.0.0.0' ? undefined : address
    const place = this.#stack.routing.place(family, by, zone)
    const refusal = change(this.#inet.lists[family], group, place)
    if (refusal === undefined) this.#stack.changed()
    return refusal
  }

  #holdProcess(): void {
    this.#hold.set(this.#wantsHold && this.#isReading)
  }

  /** What it is connected to, as it has to be. */
  get #remote(): NonNullable<InetSocket['remote']> {
    return this.#inet.remote as NonNullable<InetSocket['remote']>
  }

  /** Whether the system has made it. */
  get #exists(): boolean {
    return this.#stack.has(this.#inet)
  }

  /**
   * libuv learns from a bind that a socket is of IPv6: before, after one that failed, it sets options
   * of IPv4, which mean nothing there.
   */
  get #isFamilyKnown(): boolean {
    return this.#inet.family === 'IPv4' || this.#inet.local !== undefined
  }

  get #wildcard(): string {
    return this.#inet.family === 'IPv4' ? '0.0.0.0' : '::'
  }

  /** An address as the socket tells it: with the zone that it is bound to, where it needs one. */
  #told(address: string, family: string, port: number): AddressInfo {
    const { zone } = this.#inet
    // Disconnected it is bound to no zone any more, but still to the address.
    if (!isLinkLocal(address) || zone === 0) return { address, family, port }
    const link = this.#stack.routing.linkOf(zone)
    if (link === undefined) throw libraryError('uv_if_indextoiid', 'ENXIO')
    return { address: this.#stack.routing.zoned(address, link), family, port }
  }
}
