import { AsyncResource } from 'node:async_hooks'
import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isMulticast } from '../address.js'
import type { DatagramSocket } from '../datagram.js'
import { shown } from '../errors.js'
import {
  type BindOptions,
  bindArguments,
  bytesOf,
  checkBufferSize,
  checkPort,
  checkString,
  parseAddress,
} from './arguments.js'
import { InetSocket } from './inet-socket.js'
import type { MulticastList, Place } from './multicast-list.js'
import { familyOf, isLinkLocal } from './scope.js'
import type { Stack } from './stack.js'
import { nodeError, systemError } from './system-error.js'
import { hold, release } from './turns.js'
import type { Answer } from './wire.js'

/** What `createSocket` of a host in memory takes: the options of node:dgram's that count there. */
export interface StackSocketOptions {
  type: 'udp4' | 'udp6'
  /** SO_REUSEADDR. Default: false. */
  reuseAddr?: boolean | undefined
  /**
   * IPV6_V6ONLY. Default: false, and then the port is taken for IPv4 too. But an IPv6 socket in memory
   * never hears IPv4.
   */
  ipv6Only?: boolean | undefined
  /**
   * Not called, as there are no names. But as with node:dgram a socket without one binds and
   * sends only when the calling code has run, because it looks up every address first.
   */
  lookup?: unknown
}

/** The events of a socket: node:dgram's. */
type SocketEvents = {
  listening: []
  connect: []
  message: [data: Buffer, remote: RemoteInfo]
  error: [error: Error]
  close: []
}

type SendCallback = (error: Error | null) => void
type ConnectCallback = (error?: Error) => void

/** A socket of a host in memory: node:dgram's in what it does and refuses, with its stack behind it. */
export class StackSocket extends EventEmitter<SocketEvents> implements DatagramSocket {
  /** Resolves once what it was asked for has taken effect; there is none where it does at once, as in memory. */
  readonly settled?: () => Promise<void>
  readonly #stack: Stack
  readonly #scope = new AsyncResource('STACKUDP')
  readonly #inet: InetSocket
  /** Whether it is an IPv4 socket that is to be IPv6 only. */
  readonly #isMisfit: boolean
  /** Whether an address is looked up at once. */
  readonly #isPrompt: boolean
  /** What `bind` has come to. Before it is bound nothing is read. */
  #state: 'unbound' | 'binding' | 'bound' = 'unbound'
  /** What `connect` has come to. */
  #connection: 'none' | 'connecting' | 'connected' = 'none'
  /** What waits for it to be bound. */
  #waiting: (() => void)[] = []
  #isClosed = false
  #isHeld = false
  #wantsHold = true

  /** @internal */
  constructor(stack: Stack, options: StackSocketOptions) {
    super()
    const { type, reuseAddr, ipv6Only, lookup } = options
    if (type !== 'udp4' && type !== 'udp6') {
      throw nodeError(
        TypeError,
        'ERR_SOCKET_BAD_TYPE',
        'Bad socket type specified. Valid types are: udp4, udp6',
      )
    }
    this.#isPrompt = typeof lookup === 'function'
    this.#stack = stack
    stack.clients.add(this)
    const { settled } = stack
    if (settled !== undefined) this.settled = settled
    this.#isMisfit = type === 'udp4' && ipv6Only === true
    const isDual = type === 'udp6' && ipv6Only !== true
    const family = type === 'udp4' ? 'IPv4' : 'IPv6'
    this.#inet = new InetSocket(family, reuseAddr === true, isDual, () => {
      if (this.#state === 'bound') this.#soon(() => this.#read())
    })
  }

  /** As node:dgram's: emits `listening`, or `error` with the system's code. */
  bind(options: BindOptions, callback?: () => void): this
  bind(port?: number, address?: string, callback?: () => void): this
  bind(port?: number, callback?: () => void): this
  bind(callback?: () => void): this
  bind(...given: unknown[]): this {
    this.#checkOpen()
    if (this.#state !== 'unbound') {
      throw nodeError(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
    }
    const { port, address, callback } = bindArguments(given)
    if (callback !== undefined) this.once('listening', callback)
    this.#state = 'binding'
    this.#lookUp(() => this.#bindTo(port, address || this.#wildcard))
    return this
  }

  /**
   * As node:dgram's: `callback`, or the event `connect` or `error`, tells later whether there is a way.
   * Without an address it is this host's.
   */
  connect(port: number, address: string, callback?: ConnectCallback): void
  connect(port: number, callback?: ConnectCallback): void
  connect(givenPort: number, ...given: unknown[]): void {
    const port = checkPort(givenPort)
    const isBare = typeof given[0] === 'function'
    const address = isBare || given[0] === undefined ? '' : given[0]
    const callback = (isBare ? given[0] : given[1]) as ConnectCallback | undefined
    checkString(address, 'address')
    if (this.#connection !== 'none') throw alreadyConnected()
    this.#connection = 'connecting'
    if (this.#state === 'unbound') this.bind()
    const proceed = (): void => {
      if (callback !== undefined) this.once('connect', callback)
      this.#checkHandle('lookup')
      this.#lookUp(() => this.#connectTo(port, address as string, callback))
    }
    if (this.#state === 'bound') proceed()
    else if (this.#state === 'binding') this.#waiting.push(proceed)
  }

  /** Ends what {@link connect} began; gives up a port that the system has picked. */
  disconnect(): void {
    if (this.#connection !== 'connected') throw notConnected()
    this.#checkHandle('disconnect')
    this.#stack.disconnect(this.#inet)
    this.#connection = 'none'
  }

  /** What it is connected to. Throws if it is not. */
  remoteAddress(): AddressInfo {
    this.#checkOpen()
    const { remote, family } = this.#inet
    if (this.#connection !== 'connected' || remote === undefined) throw notConnected()
    return { address: this.#zoned(remote.address), family, port: remote.port }
  }

  /**
   * Sends bytes, or text as UTF-8, to an address, or without one to what the socket is connected to;
   * `callback` learns of the system's refusal.
   */
  send(data: Uint8Array | string, port: number, address: string, callback?: SendCallback): void
  send(data: Uint8Array | string, callback?: SendCallback): void
  send(data: Uint8Array | string, ...given: unknown[]): void {
    const isConnected = this.#connection === 'connected'
    const [first, second, third] = given
    // As with node:dgram: what is connected takes the callback first, and then no more.
    if (isConnected && third) throw alreadyConnected()
    const last = isConnected ? first : third
    const callback = typeof last === 'function' ? (last as SendCallback) : undefined
    if (!ArrayBuffer.isView(data) && typeof data !== 'string') {
      const message = `The "buffer" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${shown(data)}`
      throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
    }
    if (isConnected) {
      this.#checkOpen()
      this.#transmit(bytesOf(data), undefined, undefined, callback)
      return
    }
    const port = checkPort(first)
    const address = this.#checkAddress(second)
    this.#checkOpen()
    const transmit = (): void =>
      this.#lookUp(() => this.#transmit(bytesOf(data), port, address, callback))
    if (this.#state === 'unbound') this.bind()
    if (this.#state === 'bound') transmit()
    // As with node:dgram: what waits for a bind that fails is never heard of again.
    else if (this.#state === 'binding') this.#waiting.push(transmit)
  }

  /** Leaves all that is joined and frees the port; emits `close`. Throws if it is closed. */
  close(callback?: () => void): this {
    if (callback !== undefined) this.once('close', callback)
    if (this.#waiting.length > 0) {
      this.#waiting.push(() => this.close())
      return this
    }
    this.#checkOpen()
    this.#isClosed = true
    this.#stack.clients.delete(this)
    this.#stack.close(this.#inet)
    this.#holdProcess()
    this.#soon(() => this.emit('close'))
    return this
  }

  /** What it is bound to. Throws `EBADF` before that. */
  address(): AddressInfo {
    this.#checkOpen()
    const { local, family } = this.#inet
    if (!this.#stack.has(this.#inet)) throw systemError('getsockname', 'EBADF')
    if (local === undefined) return { address: this.#wildcard, family, port: 0 }
    const { address, port } = local
    return { address: this.#zoned(address), family, port }
  }

  /** IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP: the interface by IPv4 address, or as `::%eth0`. */
  addMembership(group: string, multicastInterface?: string): void {
    this.#change('addMembership', group, multicastInterface, (list, address, place) =>
      list.join(address, place),
    )
  }

  /** IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP. */
  dropMembership(group: string, multicastInterface?: string): void {
    this.#change('dropMembership', group, multicastInterface, (list, address, place) =>
      list.leave(address, place),
    )
  }

  /** IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP. */
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): void {
    this.#changeSource('addSourceSpecificMembership', source, group, multicastInterface)
  }

  /** IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP. */
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): void {
    this.#changeSource('dropSourceSpecificMembership', source, group, multicastInterface)
  }

  /** IP_MULTICAST_IF, IPV6_MULTICAST_IF: by IPv4 address, or as `::%eth0`. Default: the route's. */
  setMulticastInterface(multicastInterface: string): void {
    this.#checkOpen()
    const call = 'setMulticastInterface'
    checkString(multicastInterface, 'interfaceAddress')
    const [address, zone] = parseAddress(multicastInterface)
    if (address === undefined) throw systemError(call, 'EINVAL')
    this.#checkExists(call)
    const family = familyOf(address)
    if (family === 'IPv6') {
      if (this.#inet.family === 'IPv4') throw systemError(call, 'ENOPROTOOPT')
      const index = this.#stack.routing.indexOf(zone)
      if (index > 0 && this.#inet.zone > 0 && index !== this.#inet.zone) {
        throw systemError(call, 'EINVAL')
      }
      this.#inet.outgoing = index === 0 ? undefined : { index, address: undefined }
      return
    }
    const link = address === '0.0.0.0' ? undefined : this.#stack.routing.ownerOf(address)
    if (link === undefined && address !== '0.0.0.0') throw systemError(call, 'EADDRNOTAVAIL')
    const { zone: bound } = this.#inet
    if (link !== undefined && bound > 0 && link.index !== bound) throw systemError(call, 'EINVAL')
    // An IPv6 socket takes it too, for an IPv4 that it does not have here.
    if (this.#inet.family === 'IPv6') return
    this.#inet.outgoing = link === undefined ? undefined : { index: link.index, address }
  }

  /** IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP. Default: true. */
  setMulticastLoopback(flag: boolean): boolean {
    this.#checkHandle('setMulticastLoopback')
    this.#checkExists('setMulticastLoopback')
    if (this.#isFamilyKnown) this.#inet.loopback = Boolean(flag)
    return flag
  }

  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 0 to 255. Default: 1. */
  setMulticastTTL(ttl: number): number {
    if (typeof ttl !== 'number') {
      const message = `The "ttl" argument must be of type number. Received ${shown(ttl)}`
      throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
    }
    this.#checkHandle('setMulticastTTL')
    // As C sees it: a fraction is cut off, and NaN is 0.
    const whole = ttl | 0
    // libuv looks at the value before it asks the kernel.
    if (whole < 0 || whole > 255) throw systemError('setMulticastTTL', 'EINVAL')
    this.#checkExists('setMulticastTTL')
    if (this.#isFamilyKnown) this.#inet.ttl = whole
    return ttl
  }

  /** IP_TTL, IPV6_UNICAST_HOPS, 1 to 255: of what is sent to one host. Default: 64. */
  setTTL(ttl: number): number {
    if (typeof ttl !== 'number') {
      const message = `The "ttl" argument must be of type number. Received ${shown(ttl)}`
      throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
    }
    this.#checkHandle('setTTL')
    const whole = ttl | 0
    if (whole < 1 || whole > 255) throw systemError('setTTL', 'EINVAL')
    this.#checkExists('setTTL')
    if (this.#isFamilyKnown) this.#inet.unicastTtl = whole
    return ttl
  }

  /** SO_RCVBUF in bytes: what has not been read beyond it is dropped. Default: 212,992. */
  setRecvBufferSize(size: number): void {
    this.#checkBuffer('uv_recv_buffer_size', checkBufferSize(size))
    this.#inet.setRecvBufferSize(size)
  }

  /** SO_SNDBUF in bytes. It never fills here. */
  setSendBufferSize(size: number): void {
    this.#checkBuffer('uv_send_buffer_size', checkBufferSize(size))
    this.#inet.setSendBufferSize(size)
  }

  /** SO_RCVBUF as Linux tells it, twice what was set. */
  getRecvBufferSize(): number {
    this.#checkBuffer('uv_recv_buffer_size', 0)
    return this.#inet.recvBufferSize
  }

  /** SO_SNDBUF as Linux tells it, twice what was set. */
  getSendBufferSize(): number {
    this.#checkBuffer('uv_send_buffer_size', 0)
    return this.#inet.sendBufferSize
  }

  /** The bytes that wait to be taken: in memory none, as the network takes each datagram at once. */
  getSendQueueSize(): number {
    this.#checkHandle('getSendQueueSize')
    return this.#stack.queued(this.#inet)
  }

  /** Lets it keep the process alive while it is bound, as it does by default. */
  ref(): this {
    this.#wantsHold = true
    this.#holdProcess()
    return this
  }

  /** Lets the process end although it is bound. */
  unref(): this {
    this.#wantsHold = false
    this.#holdProcess()
    return this
  }

  /** Goes on when the address has been looked up, unless the socket is closed by then. */
  #lookUp(proceed: () => void): void {
    if (this.#isPrompt) proceed()
    else void Promise.resolve().then(() => this.#isClosed || proceed())
  }

  #bindTo(port: number, asked: string): void {
    const [address, zone] = parseAddress(asked)
    // libuv binds no socket of the one family to be of the other alone.
    const isFit =
      address !== undefined && familyOf(address) === this.#inet.family && !this.#isMisfit
    const bound: Answer = (code, remedy) => {
      this.#state = code === undefined ? 'bound' : 'unbound'
      this.#holdProcess()
      this.#soon(() => {
        if (code !== undefined) this.emit('error', systemError('bind', code, asked, port, remedy))
        else if (!this.#isClosed) this.emit('listening')
      })
      for (const proceed of this.#waiting.splice(0)) if (code === undefined) proceed()
    }
    if (isFit) this.#stack.bind(this.#inet, address, zone, port, bound)
    else bound('EINVAL')
  }

  #connectTo(port: number, given: string, callback: ConnectCallback | undefined): void {
    const [address, zone] = parseAddress(given || this.#own)
    const isFit = address !== undefined && familyOf(address) === this.#inet.family
    const connected: Answer = (code) => {
      this.#connection = code === undefined ? 'connected' : 'none'
      this.#soon(() => {
        if (code === undefined) {
          this.emit('connect')
          return
        }
        const error = systemError('connect', code, given, port)
        if (callback === undefined) {
          this.emit('error', error)
          return
        }
        this.removeListener('connect', callback)
        callback(error)
      })
    }
    if (isFit) this.#stack.connect(this.#inet, address, zone, port, connected)
    else connected('EINVAL')
  }

  /** Sends to an address, or, where it is given none, to what it is connected to. */
  #transmit(
    data: Buffer,
    givenPort: number | undefined,
    given: string | undefined,
    callback: SendCallback | undefined,
  ): void {
    let outcome: { readonly code: string | undefined } | undefined
    let isLate = false
    const tell = (): void => {
      if (outcome === undefined) isLate = true
      else if (outcome.code === undefined) callback?.(null)
      else callback?.(systemError('send', outcome.code, given, givenPort))
    }
    // In its own turn before the datagram is heard, as node:dgram calls back before it reads.
    this.#soon(tell)
    const sent: Answer = (code) => {
      outcome = { code }
      if (isLate) this.#soon(tell)
    }
    const { remote } = this.#inet
    const isConnected = this.#connection === 'connected'
    const [address, zone] = given === undefined ? [remote?.address] : parseAddress(given)
    const port = givenPort ?? remote?.port ?? 0
    const isFit = address !== undefined && familyOf(address) === this.#inet.family
    // An address may have been given before it was connected, and looked up until now.
    const refusal = given !== undefined && isConnected ? 'EISCONN' : undefined
    if (refusal !== undefined || !isFit) sent(refusal ?? 'EINVAL')
    else this.#stack.send(this.#inet, data, address, zone, port, sent)
  }

  #read(): void {
    const read = this.#inet.read()
    if (read === undefined) return
    const { packet, address } = read
    const { sourcePort: port, family, data } = packet
    // Memory of its own for each who hears it.
    this.emit('message', Buffer.from(data), { address, family, port, size: data.byteLength })
  }

  #change(
    call: string,
    given: string,
    on: string | undefined,
    change: (list: MulticastList, group: string, place: Place) => string | undefined,
  ): void {
    this.#checkOpen()
    if (!given) {
      const message = 'The "multicastAddress" argument must be specified'
      throw nodeError(TypeError, 'ERR_MISSING_ARGS', message)
    }
    // A zone of the group itself is ignored.
    const [group] = parseAddress(given)
    if (group === undefined) throw systemError(call, 'EINVAL')
    const family = familyOf(group)
    // For the kernel to have the socket libuv binds it, without an event.
    if (!this.#stack.has(this.#inet)) {
      this.#stack.bind(this.#inet, this.#wildcard, undefined, 0, () => {})
    }
    const [address, zone] = on === undefined || on === null ? [] : parseAddress(on)
    const isFit = address !== undefined && familyOf(address) === family
    if (on !== undefined && on !== null && !isFit) throw systemError(call, 'EINVAL')
    const isForeign = family === 'IPv6' && this.#inet.family === 'IPv4'
    if (isForeign) throw systemError(call, 'ENOPROTOOPT')
    // Of what is to be left IPv4 only looks whether it is joined.
    const isLookedUp = family === 'IPv4' && call === 'dropMembership'
    if (!isMulticast(group) && !isLookedUp) throw systemError(call, 'EINVAL')
    const by = address === '0.0.0.0' ? undefined : address
    const place = this.#stack.routing.place(family, by, zone)
    const code = change(this.#inet.lists[family], group, place)
    if (code !== undefined) throw systemError(call, code)
    this.#stack.changed()
  }

  #changeSource(
    call: 'addSourceSpecificMembership' | 'dropSourceSpecificMembership',
    given: string,
    group: string,
    on: string | undefined,
  ): void {
    this.#checkOpen()
    checkString(given, 'sourceAddress')
    checkString(group, 'groupAddress')
    const [source] = parseAddress(given)
    const isFit = source !== undefined && familyOf(source) === familyOf(group)
    if (!isFit) throw systemError(call, 'EINVAL')
    this.#change(call, group, on, (list, address, place) =>
      call === 'addSourceSpecificMembership'
        ? list.joinSource(source, address, place)
        : list.leaveSource(source, address, place),
    )
  }

  /** Does it in a turn of its own, in the asynchronous context that the socket was made in. */
  #soon(task: () => void): void {
    this.#stack.soon(task, this.#scope)
  }

  #holdProcess(): void {
    const holds = this.#wantsHold && !this.#isClosed && this.#state === 'bound'
    if (holds === this.#isHeld) return
    this.#isHeld = holds
    if (holds) hold()
    else release()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
  }

  /** Some methods of node:dgram do not look whether the socket is closed, and stumble. */
  #checkHandle(method: string): void {
    if (this.#isClosed) {
      throw new TypeError(`Cannot read properties of null (reading '${method}')`)
    }
  }

  #checkExists(call: string): void {
    if (!this.#stack.has(this.#inet)) throw systemError(call, 'EBADF')
  }

  /**
   * libuv learns from a bind that a socket is of IPv6: before, after one that failed, it sets options
   * of IPv4, which mean nothing there.
   */
  get #isFamilyKnown(): boolean {
    return this.#inet.family === 'IPv4' || this.#inet.local !== undefined
  }

  #checkBuffer(call: string, size: number): void {
    this.#checkHandle('bufferSize')
    const exists = this.#stack.has(this.#inet)
    if (exists && size < 2 ** 31) return
    const why = exists ? 'EINVAL (invalid argument)' : 'EBADF (bad file descriptor)'
    const message = `Could not get or set buffer size: ${call} returned ${why}`
    const error = nodeError(Error, 'ERR_SOCKET_BUFFER_SIZE', message)
    throw Object.defineProperty(error, 'name', { value: 'SystemError', configurable: true })
  }

  get #wildcard(): string {
    return this.#inet.family === 'IPv4' ? '0.0.0.0' : '::'
  }

  /** What stands for this host where no address is given. */
  get #own(): string {
    return this.#inet.family === 'IPv4' ? '127.0.0.1' : '::1'
  }

  /** The address as the socket tells it: with the zone that it is bound to, where it needs one. */
  #zoned(address: string): string {
    const { zone } = this.#inet
    // Disconnected it is bound to no zone any more, but still to the address.
    if (!isLinkLocal(address) || zone === 0) return address
    const link = this.#stack.routing.linkOf(zone)
    if (link === undefined) throw systemError('uv_if_indextoiid', 'ENXIO')
    return this.#stack.routing.zoned(address, link)
  }

  /** The address to send to: where there is none, this host. */
  #checkAddress(given: unknown): string {
    if (given !== undefined && given !== null) checkString(given, 'address')
    return (given as string) || this.#own
  }
}

function alreadyConnected(): Error {
  return nodeError(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
}

function notConnected(): Error {
  return nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
}
