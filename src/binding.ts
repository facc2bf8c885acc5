import type { AddressInfo } from 'node:net'
import { MessageChannel } from 'node:worker_threads'
import type { Debugger } from 'debug'
import { type Group, wildcard } from './address.js'
import { type CreateSocket, type DatagramSocket, lookup } from './datagram.js'
import {
  errno,
  hint,
  MulticastError,
  type Operation,
  type Reason,
  reasonOf,
  shown,
} from './errors.js'

/** What a socket is bound to, and how. */
export interface Place {
  readonly address: string
  readonly port: number
  readonly reuseAddr: boolean
}

/** A port that may be 0 until a socket has picked one, which the others then share. */
export interface Port {
  number: number
}

/** What is the same for all the sockets of an endpoint. */
interface Common {
  readonly group: Group
  readonly createSocket: CreateSocket
  /** What binding is called in the table of hints. */
  readonly operation: Operation & ('bind' | 'bind for replies')
  /** Sets the options on a socket that has just been bound; throws a MulticastError. */
  readonly configure: (socket: DatagramSocket) => void
  readonly debug: Debugger
  /** Whether the endpoint lives on while none is open. */
  readonly mayBeNone: boolean
  /** A socket that is open was closed by somebody else, as who owns the carrier can. */
  readonly onLost: () => void
  /** The system reported an error on an open socket. */
  readonly onError: (cause: Error) => void
}

/** The open sockets of an endpoint, which are closed all together. */
export class Sockets {
  readonly #common: Common
  readonly #open = new Set<DatagramSocket>()
  /** Settles when the sockets are there, or gone, that are being opened. */
  #opening: Promise<unknown> = Promise.resolve()
  /** Why no further one may be left open. */
  #sealed: Reason | undefined
  #held = true
  #isOpened = false
  #isOver = false
  /** Those who wait for a socket to settle. */
  readonly #unsettled = new Set<() => void>()
  /** What holds the process while none is open: a handle that no fake clock touches. */
  #hold: MessageChannel | undefined

  constructor(common: Common) {
    this.#common = common
  }

  /** Opens one more, which is held and closed with the others from then on. */
  async open(place: Place): Promise<DatagramSocket> {
    const before = this.#opening
    let isDone = (): void => {}
    const done = new Promise<void>((resolve) => {
      isDone = resolve
    })
    // Not nested, or every socket that was ever opened would stay reachable. Nor is it of the promise that
    // the caller awaits: one with two reactions leaves the caller out of the stack of an error.
    this.#opening = done.then(() => before)
    try {
      return await this.#openOne(place)
    } finally {
      isDone()
    }
  }

  /**
   * The address that a datagram to there would come from, which a connected socket tells without
   * sending. Rejects where there is no way. `handle` is the interface to send through, if not the route's.
   */
  async sourceTo(port: number, address: string, handle: string | undefined): Promise<string> {
    const place = { address: wildcard(this.#common.group), port: 0, reuseAddr: false }
    const socket = await boundSocket({ ...this.#common, configure: () => {} }, place)
    try {
      if (handle !== undefined) socket.setMulticastInterface(handle)
      await connected(socket, port, address)
      return socket.address().address
    } finally {
      await gone(socket)
    }
  }

  /** The address that the system would send to the group from, if there is a route. */
  route(): Promise<string | undefined> {
    const { address, scoped } = this.#common.group
    // The group of a wider scope has the same route, and needs no zone. Any port will do.
    const routed = scoped ? address.replace(/^(ff.)[12]:/, '$1e:') : address
    return this.sourceTo(9, routed, undefined).catch(() => undefined)
  }

  /**
   * Resolves when what the socket was asked for has taken effect, or when nobody needs that any more; rejects
   * where it was refused.
   */
  async settled(socket: DatagramSocket): Promise<void> {
    if (socket.settled === undefined || this.#isOver) return
    const settling = socket.settled()
    let stop = (): void => {}
    const waiting = new Promise<void>((resolve, reject) => {
      stop = resolve
      settling.then(resolve, reject)
    })
    this.#unsettled.add(stop)
    await waiting.finally(() => this.#unsettled.delete(stop))
  }

  /** The endpoint is open: what is opened from now on settles while it is in use. */
  opened(): void {
    this.#isOpened = true
  }

  /** From now on nobody waits for a socket to settle: it is to be closed, and a server may be away. */
  end(): void {
    this.#isOver = true
    for (const stop of this.#unsettled) stop()
  }

  /** Closes one; resolves when it is gone. */
  close(socket: DatagramSocket): Promise<void> {
    this.#open.delete(socket)
    this.holdEmpty()
    return gone(socket)
  }

  /** Holds the process although none is open, where the endpoint lives on so. */
  holdEmpty(): void {
    const { mayBeNone } = this.#common
    const isHeld = mayBeNone && this.#held && this.#open.size === 0 && this.#sealed === undefined
    if (isHeld === (this.#hold !== undefined)) return
    this.#hold?.port1.close()
    this.#hold = isHeld ? new MessageChannel() : undefined
    this.#hold?.port1.ref()
  }

  /** Closes all, and whatever is being opened, which fails with `reason`. Resolves when they are gone. */
  async closeAll(reason: Reason): Promise<void> {
    this.#sealed = reason
    this.holdEmpty()
    await this.#opening
    await Promise.all([...this.#open].map(gone))
  }

  /** What each is bound to. */
  get bound(): readonly AddressInfo[] {
    return [...this.#open].flatMap((socket) => {
      try {
        return socket.address()
      } catch {
        // Of one that is bound on an interface that is gone.
        return []
      }
    })
  }

  /** The bytes of buffer that were granted to the one that has the least, in the unit that is asked for. */
  granted(buffer: 'recvBufferSize' | 'sendBufferSize'): number | undefined {
    const sizes = [...this.#open].map((socket) => grantedTo(socket, buffer))
    return sizes.length === 0 ? undefined : Math.min(...sizes)
  }

  /** Whether they keep the process alive. */
  hold(held: boolean): void {
    this.#held = held
    for (const socket of this.#open) held ? socket.ref() : socket.unref()
    this.holdEmpty()
  }

  async #openOne(place: Place): Promise<DatagramSocket> {
    const { debug, onLost, onError } = this.#common
    const sealed = this.#sealed
    if (sealed !== undefined) throw sealed()
    debug('opening a socket on %s port %d', place.address, place.port)
    const socket = await boundSocket(this.#common, place)
    if (this.#isOpened) {
      // A send may wait for this socket, which is refused rather than late.
      this.settled(socket).catch((cause) => {
        // It may have been closed meanwhile, as its interface went.
        if (!this.#open.has(socket)) return
        onError(cause)
        onLost()
      })
    } else if (socket.settled !== undefined) {
      await this.settled(socket).catch(async (cause) => {
        await gone(socket)
        const why = `The carrier refused a socket on ${place.address}: ${reasonOf(cause)}`
        throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
      })
    }
    if (this.#sealed) {
      await gone(socket)
      throw this.#sealed()
    }
    if (!this.#held) socket.unref()
    this.#open.add(socket)
    this.holdEmpty()
    socket.on('error', onError)
    socket.once('close', () => {
      if (this.#open.delete(socket) && !this.#sealed) onLost()
    })
    return socket
  }
}

/**
 * Makes a socket, binds it and sets its options. Where one of these fails it is gone again, and the
 * error says which.
 */
async function boundSocket(common: Common, place: Place): Promise<DatagramSocket> {
  const socket = madeSocket(common, place)
  try {
    await new Promise<void>((resolve, reject) => {
      // Events, because the callback of bind() does not tell of every failure on Node 20 and 22. Once
      // it is bound rejecting does nothing, so these listeners may stay.
      socket.on('error', reject)
      socket.once('listening', resolve)
      // Somebody else may close it meanwhile, as who owns the carrier can.
      socket.once('close', () => reject(new Error('the socket was closed by somebody else')))
      // Exclusive, because the workers of a cluster would otherwise share one socket's datagrams.
      const { port, address } = place
      socket.bind(bare({ port, address, exclusive: true }))
    }).catch((cause: unknown) => {
      throw bindError(common, cause, place)
    })
    common.configure(socket)
  } catch (error) {
    await gone(socket)
    throw error
  }
  return socket
}

/** The bytes of buffer that a socket was granted. Linux tells twice that, for what it needs itself. */
export function grantedTo(
  socket: DatagramSocket,
  buffer: 'recvBufferSize' | 'sendBufferSize',
): number {
  const told = buffer === 'recvBufferSize' ? socket.getRecvBufferSize() : socket.getSendBufferSize()
  return process.platform === 'linux' ? told / 2 : told
}

/** Connects a socket; rejects if there is no way. */
export function connected(socket: DatagramSocket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, address, (error) => (error ? reject(error) : resolve()))
  })
}

/** Closes the socket; resolves when it is gone, also if somebody else has closed it. */
export function gone(socket: DatagramSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', resolve)
    try {
      socket.close()
    } catch {
      resolve()
    }
  })
}

/** Options without a prototype: node:dgram takes others too, and would find them in a polluted one. */
function bare<Options extends object>(options: Options): Options {
  return Object.assign(Object.create(null), options)
}

function madeSocket({ createSocket, group }: Common, { reuseAddr }: Place): DatagramSocket {
  const isIPv4 = group.family === 'IPv4'
  try {
    const type = isIPv4 ? 'udp4' : 'udp6'
    const socket = createSocket(bare({ type, reuseAddr, ipv6Only: !isIPv4, lookup }))
    if (typeof socket?.bind === 'function') return socket
    throw new TypeError(`it must return a socket, but returned ${shown(socket)}`)
  } catch (cause) {
    const why = `createSocket failed: ${reasonOf(cause)}`
    throw new MulticastError('ERR_MULTICAST_SOCKET', why, { cause })
  }
}

function bindError(
  { operation }: Common,
  cause: unknown,
  { address, port }: Place,
): MulticastError {
  const remedy = hint(operation, cause)
  if (errno(cause) === 'EADDRINUSE') {
    return new MulticastError(
      'ERR_MULTICAST_PORT_IN_USE',
      `Port ${port} on ${address} is in use by another socket: ${remedy}`,
      { cause },
    )
  }
  return new MulticastError(
    'ERR_MULTICAST_BIND',
    `Could not bind to ${address} port ${port}: ${reasonOf(cause)} (${remedy})`,
    { cause },
  )
}
