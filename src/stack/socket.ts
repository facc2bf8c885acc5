import { type createSocket, type RemoteInfo, Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { type AddressInfo, type BlockList, type IPVersion, isIP } from 'node:net'
import type { DatagramSocket } from '../datagram.js'
import {
  type BindOptions,
  bindArguments,
  checkBufferSize,
  checkLiteral,
  checkNumber,
  checkPort,
  checkString,
  connectArguments,
  isCallback,
  type Sending,
  sendArguments,
} from './arguments.js'
import { Backlog, callOnceBound } from './backlog.js'
import { Handle } from './handle.js'
import type { Resolved } from './lookup.js'
import {
  alreadyBound,
  alreadyConnected,
  blocked,
  invalidType,
  missing,
  notConnected,
  notRunning,
} from './node-error.js'
import { adapt } from './running-node.js'
import { readOptions, type StackSocketOptions } from './socket-options.js'
import type { Stack } from './stack.js'
import { addressError, bufferSizeError, systemError } from './system-error.js'
import { tick } from './ticks.js'
import type { Answer } from './wire.js'

type Data = string | NodeJS.ArrayBufferView
type SendCallback = (error: Error | null, bytes: number) => void
type ConnectCallback = (error?: Error) => void
/** Hears the datagrams of a socket: a listener of `message`. */
export type MessageListener = NonNullable<Parameters<typeof createSocket>[1]>

/**
 * node:dgram's class as a type alone: its constructor would open a socket of the system's. That
 * `instanceof` holds is seen to below.
 */
const Base: new () => Socket = EventEmitter as unknown as new () => Socket

/**
 * A socket of a host in memory. It does and refuses what a `dgram.Socket` does, without the system.
 *
 * @example
 * ```ts
 * import { MockNetwork } from 'typed-multicast/testing'
 *
 * const network = new MockNetwork()
 * const socket = network.host().createSocket({ type: 'udp4' })
 * socket.on('message', (data) => console.log(`${data}`)) // hello
 * socket.bind(10000, () => {
 *   socket.addMembership('239.1.2.3')
 *   socket.send('hello', 10000, '239.1.2.3')
 * })
 * await network.settled()
 * await network.close()
 * ```
 */
export class StackSocket extends Base implements DatagramSocket {
  /** The type that it was made of. */
  readonly type: 'udp4' | 'udp6'
  /** Resolves once what it was asked for has taken effect; there is none where it does at once, as in memory. */
  declare readonly settled?: () => Promise<void>
  readonly #stack: Stack
  readonly #options: StackSocketOptions
  /** None once it is closed; who does not look for that stumbles, as with node:dgram. */
  #handle: Handle | null
  /** What `bind` has come to. Before it is bound nothing is read. */
  #binding: 'unbound' | 'binding' | 'bound' = 'unbound'
  /** What `connect` has come to. */
  #connection: 'none' | 'connecting' | 'connected' = 'none'
  /** What waits for it to be bound. */
  readonly #backlog: Backlog = new Backlog(this)

  /** @internal */
  constructor(
    stack: Stack,
    options: StackSocketOptions | 'udp4' | 'udp6',
    listener?: MessageListener,
  ) {
    super()
    this.#options = readOptions(options)
    const { type, signal } = this.#options
    this.type = type
    this.#stack = stack
    this.#handle = new Handle(stack, this.#options, (data, remote) => this.#hear(data, remote))
    stack.clients.add(this)
    const { settling } = this.#handle
    if (settling !== undefined) this.settled = settling
    if (typeof listener === 'function') this.on('message', listener)
    if (signal !== undefined) this.#closeBy(signal)
  }

  /**
   * Emits `listening`, which calls `callback`, or `error` with the system's code: at once if its `lookup` answers at
   * once, else later.
   */
  override bind(options: BindOptions, callback?: () => void): this
  override bind(port?: number, address?: string, callback?: () => void): this
  override bind(port?: number, callback?: () => void): this
  override bind(callback?: () => void): this
  override bind(...given: unknown[]): this {
    this.#checkUnbound()
    this.#binding = 'binding'
    const last = given.at(-1)
    if (isCallback(last)) callOnceBound(this, last)
    const { port, address } = bindArguments(given)
    this.#lookUp(address || this.#wildcard, (error, ip) => {
      if (error) this.#bound(error)
      else {
        this.#open.bind(ip, port, (code, remedy) => {
          this.#bound(refused('bind', code, ip, port, remedy))
        })
      }
    })
    return this
  }

  /** Binds at once to a literal address, and tells which it is; `listening` comes on the next tick. Node has it from 24.21 on. */
  bindSync(options: { port?: number; address?: string } = {}): AddressInfo {
    this.#checkOpen()
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw invalidType('options', 'of type object', options)
    }
    this.#checkUnbound()
    const port = checkPort(options.port ?? 0, 'options.port', 0)
    const address = checkLiteral(options.address || this.#wildcard, 'options.address', 'bindSync')
    // Unless it is answered at once.
    let code: string | undefined = 'ENOTSUP'
    this.#open.bind(address, port, (refusal) => {
      code = refusal
    })
    if (code !== undefined) throw addressError('bind', code, address, port)
    this.#listen()
    tick(() => this.#handle !== null && this.emit('listening'))
    return this.address()
  }

  /**
   * `callback`, or the event `connect` or `error`, tells later whether there is a way. Without an address
   * it is this host's.
   */
  override connect(port: number, address?: string, callback?: ConnectCallback): void
  override connect(port: number, callback: ConnectCallback): void
  override connect(...given: unknown[]): void {
    const { port, address, callback } = connectArguments(given)
    if (this.#connection !== 'none') throw alreadyConnected()
    this.#connection = 'connecting'
    if (this.#binding === 'unbound') this.bind()
    const connect = (): void => {
      if (callback !== undefined) this.once('connect', callback)
      this.#lookUp(address, (error, ip) => {
        const refusal = error ?? this.#blocked(ip)
        if (refusal) this.#connected(refusal, callback)
        else {
          this.#open.connect(ip, port, (code) => {
            this.#connected(refused('connect', code, address, port), callback)
          })
        }
      })
    }
    if (this.#binding === 'bound') connect()
    else this.#backlog.add(connect)
  }

  /** Connects at once to a literal address; `connect` comes on the next tick. Node has it from 24.21 on. */
  connectSync(port: number, address?: string): void {
    this.#checkOpen()
    const to = checkPort(port)
    if (this.#connection !== 'none') throw alreadyConnected()
    const own = this.type === 'udp4' ? '127.0.0.1' : '::1'
    const at = checkLiteral((address ?? '') === '' ? own : address, 'address', 'connectSync')
    if (this.#binding === 'unbound') this.bindSync()
    else if (this.#binding !== 'bound') throw alreadyBound()
    const refusal = this.#blocked(at)
    if (refusal) throw refusal
    let code: string | undefined = 'ENOTSUP'
    this.#open.connect(at, to, (refusal) => {
      code = refusal
    })
    if (code !== undefined) throw addressError('connect', code, at, to)
    this.#connection = 'connected'
    tick(() => this.#handle !== null && this.emit('connect'))
  }

  /** Undoes {@link connect}, and gives up a port that the system has picked. */
  override disconnect(): void {
    if (this.#connection !== 'connected') throw notConnected()
    this.#open.disconnect()
    this.#connection = 'none'
  }

  /** What it is connected to. Throws if it is not. */
  override remoteAddress(): AddressInfo {
    this.#checkOpen()
    if (this.#connection !== 'connected') throw notConnected()
    return this.#open.getpeername()
  }

  /** {@link send} of earlier times: all but the callback has to be given. */
  sendto(
    data: Data,
    offset: number,
    length: number,
    port: number,
    address: string,
    callback?: SendCallback,
  ): void {
    checkNumber(offset, 'offset')
    checkNumber(length, 'length')
    checkNumber(port, 'port')
    checkString(address, 'address')
    this.send(data, offset, length, port, address, callback)
  }

  /**
   * Sends bytes, text as UTF-8, or several of these as one datagram: to an address, to this host where only a port is
   * given, or to what the socket is connected to. `callback` learns of the system's refusal, or how many bytes were
   * sent. Without one a refusal vanishes, and a name that is not found is an `error`.
   */
  override send(
    data: Data | readonly unknown[],
    port?: number,
    address?: string,
    callback?: SendCallback,
  ): void
  override send(data: Data | readonly unknown[], port?: number, callback?: SendCallback): void
  override send(data: Data | readonly unknown[], callback?: SendCallback): void
  override send(
    data: Data,
    offset: number,
    length: number,
    port?: number,
    address?: string,
    callback?: SendCallback,
  ): void
  override send(
    data: Data,
    offset: number,
    length: number,
    port?: number,
    callback?: SendCallback,
  ): void
  override send(data: Data, offset: number, length: number, callback?: SendCallback): void
  override send(...given: unknown[]): void {
    const isConnected = this.#connection === 'connected'
    const sending = sendArguments(given, isConnected)
    this.#checkOpen()
    if (this.#binding === 'unbound') this.bind()
    if (this.#binding !== 'bound') {
      const { list, port, address, callback } = sending
      // It may have been connected by then, and takes no address any more.
      this.#backlog.add(() => this.send(list, port, address, callback))
    } else if (isConnected) this.#transmit(sending, null, '')
    else this.#lookUp(sending.address, (error, ip) => this.#transmit(sending, error, ip))
  }

  /** Leaves all that is joined and frees the port; emits `close` on the next tick. Throws if it is closed. */
  override close(callback?: () => void): this {
    if (isCallback(callback)) this.on('close', callback)
    if (this.#backlog.isThere) {
      this.#backlog.add(() => this.close())
      return this
    }
    this.#checkOpen()
    this.#open.close()
    this.#handle = null
    this.#stack.clients.delete(this)
    tick(() => this.emit('close'))
    return this
  }

  /** `await using`: closes it, if it is not closed, and resolves when it is. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.#handle !== null) await new Promise<void>((resolve) => this.close(resolve))
  }

  /** What it is bound to. Throws `EBADF` before that. */
  override address(): AddressInfo {
    this.#checkOpen()
    const told = this.#open.getsockname()
    if (typeof told === 'string') throw systemError('getsockname', told)
    return told
  }

  /** IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP: the interface by IPv4 address, or as `::%eth0`. */
  override addMembership(group: string, multicastInterface?: string): void {
    this.#checkGroup(group)
    check('addMembership', this.#open.addMembership(group, multicastInterface))
  }

  /** IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP. */
  override dropMembership(group: string, multicastInterface?: string): void {
    this.#checkGroup(group)
    check('dropMembership', this.#open.dropMembership(group, multicastInterface))
  }

  /** IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP. */
  override addSourceSpecificMembership(
    source: string,
    group: string,
    multicastInterface?: string,
  ): void {
    this.#changeSource('addSourceSpecificMembership', source, group, multicastInterface)
  }

  /** IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP. */
  override dropSourceSpecificMembership(
    source: string,
    group: string,
    multicastInterface?: string,
  ): void {
    this.#changeSource('dropSourceSpecificMembership', source, group, multicastInterface)
  }

  /** SO_BROADCAST: whether it may send to the broadcast address of a subnet, and to 255.255.255.255. Default: false. */
  override setBroadcast(flag: boolean): void {
    check('setBroadcast', this.#open.setBroadcast(Boolean(flag)))
  }

  /** IP_MULTICAST_IF, IPV6_MULTICAST_IF: by IPv4 address, or as `::%eth0`. Default: the route's. */
  override setMulticastInterface(multicastInterface: string): void {
    this.#checkOpen()
    checkString(multicastInterface, 'interfaceAddress')
    check('setMulticastInterface', this.#open.setMulticastInterface(multicastInterface))
  }

  /** IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP. Default: true. */
  override setMulticastLoopback(flag: boolean): boolean {
    check('setMulticastLoopback', this.#open.setMulticastLoopback(Boolean(flag)))
    return flag
  }

  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 0 to 255. Default: 1. */
  override setMulticastTTL(ttl: number): number {
    checkNumber(ttl, 'ttl')
    check('setMulticastTTL', this.#open.setMulticastTTL(ttl))
    return ttl
  }

  /** IP_TTL, IPV6_UNICAST_HOPS, 1 to 255: the TTL of unicast. Default: 64. */
  override setTTL(ttl: number): number {
    checkNumber(ttl, 'ttl')
    check('setTTL', this.#open.setTTL(ttl))
    return ttl
  }

  /** SO_RCVBUF in bytes: what does not fit while it waits to be read is dropped. Default: 212,992. */
  override setRecvBufferSize(size: number): void {
    this.#bufferSize(true, checkBufferSize(size))
  }

  /** SO_SNDBUF in bytes. It never fills here. */
  override setSendBufferSize(size: number): void {
    this.#bufferSize(false, checkBufferSize(size))
  }

  /** SO_RCVBUF as Linux reports it: twice what was set. */
  override getRecvBufferSize(): number {
    return this.#bufferSize(true)
  }

  /** SO_SNDBUF as Linux reports it: twice what was set. */
  override getSendBufferSize(): number {
    return this.#bufferSize(false)
  }

  /** The bytes that wait to be taken: in memory none, as the network takes each datagram at once. */
  override getSendQueueSize(): number {
    return this.#open.getSendQueueSize()
  }

  /** Always 0: what waits is counted in bytes, by {@link getSendQueueSize}. */
  override getSendQueueCount(): number {
    return this.#open.getSendQueueCount()
  }

  /** Lets it keep the process alive while it is bound, as it does by default. */
  override ref(): this {
    this.#handle?.ref()
    return this
  }

  /** Lets the process end although it is bound. */
  override unref(): this {
    this.#handle?.unref()
    return this
  }

  /** The handle; as with node:dgram, what is called on that of a closed socket is a TypeError. */
  get #open(): Handle {
    return this.#handle as Handle
  }

  /** Goes on when the name has been looked up, unless the socket is closed by then. */
  #lookUp(name: unknown, proceed: Resolved): void {
    this.#open.lookup(name as string, (error, ip) => {
      if (this.#handle !== null || error) proceed(error, ip)
    })
  }

  /** The system has answered to a bind. */
  #bound(error: Error | undefined): void {
    if (this.#handle === null) return
    if (error) {
      this.#binding = 'unbound'
      this.emit('error', error)
      return
    }
    this.#listen()
    this.emit('listening')
  }

  #listen(): void {
    const { recvBufferSize, sendBufferSize } = this.#options
    this.#open.recvStart()
    this.#binding = 'bound'
    this.#bufferSize(true, recvBufferSize)
    this.#bufferSize(false, sendBufferSize)
  }

  /** The system has answered to a connect. */
  #connected(error: Error | undefined, callback: ConnectCallback | undefined): void {
    if (this.#handle === null) return
    this.#connection = error ? 'none' : 'connected'
    tick(() => {
      if (!error) this.emit('connect')
      else if (callback === undefined) this.emit('error', error)
      else {
        this.removeListener('connect', callback)
        callback(error)
      }
    })
  }

  /** Sends to an address, or, where it is given none, to what it is connected to. */
  #transmit({ list, port, address, callback }: Sending, error: Error | null, ip: string): void {
    if (error) {
      tick(() => (callback === undefined ? this.emit('error', error) : callback(error)))
      return
    }
    // The kernel has a copy: what was sent is the caller's again.
    const data = Buffer.concat(list.map(bytesOf))
    const sent = (refusal: Error | undefined): void => {
      if (callback === undefined) return
      tick(() => (refusal ? callback(refusal) : callback(null, data.byteLength)))
    }
    const answer: Answer = (code, remedy) => sent(refused('send', code, address, port, remedy))
    const refusal = port === undefined ? undefined : this.#blocked(ip)
    if (refusal) sent(refusal)
    else if (list.length > mostParts) answer('EMSGSIZE')
    else if (port === undefined) this.#open.sendConnected(data, answer)
    else this.#open.send(data, ip, port, answer)
  }

  #hear(data: Buffer, remote: RemoteInfo): void {
    if (!isOn(this.#options.receiveBlockList, remote.address)) this.emit('message', data, remote)
  }

  /** Why nothing is sent to the address, if it is blocked. */
  #blocked(ip: string): Error | undefined {
    return isOn(this.#options.sendBlockList, ip) ? blocked(ip) : undefined
  }

  #closeBy(signal: AbortSignal): void {
    const abort = (): void => {
      if (this.#handle !== null) this.close()
    }
    if (signal.aborted) abort()
    else {
      signal.addEventListener('abort', abort)
      this.once('close', () => signal.removeEventListener('abort', abort))
    }
  }

  #changeSource(
    call: 'addSourceSpecificMembership' | 'dropSourceSpecificMembership',
    source: string,
    group: string,
    on: string | undefined,
  ): void {
    this.#checkOpen()
    checkString(source, 'sourceAddress')
    checkString(group, 'groupAddress')
    check(call, this.#open.changeSource(call, source, group, on))
  }

  #bufferSize(isReceive: boolean, size?: number): number {
    const granted = this.#open.bufferSize(isReceive, size)
    if (typeof granted === 'number') return granted
    throw bufferSizeError(granted, isReceive)
  }

  #checkGroup(group: unknown): void {
    this.#checkOpen()
    if (!group) throw missing('multicastAddress')
  }

  #checkOpen(): void {
    if (this.#handle === null) throw notRunning()
  }

  #checkUnbound(): void {
    this.#checkOpen()
    if (this.#binding !== 'unbound') throw alreadyBound()
  }

  get #wildcard(): string {
    return this.type === 'udp4' ? '0.0.0.0' : '::'
  }
}

// Set behind the compiler's back: a class that extends it would have to call its constructor.
Object.setPrototypeOf(StackSocket.prototype, Socket.prototype)
adapt(StackSocket.prototype, ['bindSync', 'connectSync', Symbol.asyncDispose])

/** How many parts Linux takes of one datagram: UIO_MAXIOV. */
const mostParts = 1024

/** Throws what the system refuses with. */
function check(call: string, code: string | undefined): void {
  if (code !== undefined) throw systemError(call, code)
}

/** The error of a call with an address that the system has answered, if it has refused. */
function refused(
  call: string,
  code: string | undefined,
  ...where: [address: unknown, port: unknown, remedy?: string]
): Error | undefined {
  return code === undefined ? undefined : addressError(call, code, ...where)
}

function isOn(list: BlockList | undefined, ip: string): boolean | undefined {
  return list?.check(ip, `ipv${isIP(ip)}` as IPVersion)
}

/** None of what has been given away with its memory, as by `structuredClone`. */
function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.ArrayBufferView): Uint8Array {
  return byteLength === 0 ? new Uint8Array() : new Uint8Array(buffer, byteOffset, byteLength)
}
