import { MulticastList } from './multicast-list.js'
import type { Report } from './outcome.js'
import type { Packet } from './packet.js'
import type { Family } from './scope.js'

/** A datagram that has come in. */
interface Received {
  readonly packet: Packet
  /** The sender's address, with its zone where it needs one. */
  readonly address: string
}

/** A datagram that waits to be read. */
interface Waiting extends Received {
  readonly report: Report
  /** The memory that it takes. */
  readonly memory: number
}

/** Linux's net.core.rmem_default and wmem_default, and its rmem_max and wmem_max, in bytes. */
const bufferDefault = 212_992
const bufferMax = 4_194_304

/** What the kernel keeps of one socket. */
export class InetSocket {
  readonly family: Family
  /** SO_REUSEADDR. */
  readonly reuseAddr: boolean
  /** SO_REUSEPORT. */
  readonly reusePort: boolean
  /** Whether it is an IPv6 socket whose port is taken for IPv4 too. */
  readonly isDual: boolean
  /** What it has joined. A socket of IPv6 can join groups of IPv4 as well. */
  readonly lists = { IPv4: new MulticastList('IPv4'), IPv6: new MulticastList('IPv6') } as const
  /** Whether it has the port that it is to be bound to: until then it hears nothing. */
  isBound = false
  /** What it is bound to, if it is, or is to be. */
  local: { readonly address: string; readonly port: number } | undefined
  /** How often the host's sockets had moved when this one was bound to its address: the greater hears unicast first. */
  binding = 0
  /** The address that it sends from, wherever that leads: it is bound to it, or got it as it connected. */
  source: string | undefined
  /** What it is connected to, if it is: the port is 0 where only senders of that address are heard. */
  remote: { readonly address: string; readonly port: number } | undefined
  /** What its user asked for as it was bound, if it is: maybe any address, or port 0, for which the system picks one. */
  chosen: { readonly address: string; readonly port: number } | undefined
  /** The index of the link that it is bound to by an IPv6 zone; 0 is any. */
  zone = 0
  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS. */
  multicastTtl = 1
  /** IP_TTL, IPV6_UNICAST_HOPS; net.ipv4.ip_default_ttl and net.ipv6.conf.all.hop_limit are 64. */
  unicastTtl = 64
  /** IP_MULTICAST_LOOP. */
  multicastLoopback = true
  /** SO_BROADCAST. */
  broadcast = false
  /** IP_MULTICAST_IF: a link's index, if there is one, and the address by which it was named. */
  outgoing: { readonly index: number | undefined; readonly address: string | undefined } | undefined
  /** SO_RCVBUF, as it is read back. */
  recvBufferSize = bufferDefault
  /** SO_SNDBUF, as it is read back. It never fills. */
  sendBufferSize = bufferDefault
  /** Called once for each datagram that can be read. */
  readonly #onReadable: () => void
  readonly #waiting: Waiting[] = []
  #used = 0

  constructor(
    family: Family,
    { reuseAddr, reusePort }: { readonly reuseAddr: boolean; readonly reusePort: boolean },
    isDual: boolean,
    onReadable: () => void,
  ) {
    this.family = family
    this.reuseAddr = reuseAddr
    this.reusePort = reusePort
    this.isDual = isDual
    this.#onReadable = onReadable
  }

  /** Takes a datagram in, if there is room. */
  receive(packet: Packet, address: string, report: Report): void {
    const memory = memoryOf(packet)
    // One that nothing else is before is taken, however large.
    if (this.#used > 0 && this.#used + memory > this.recvBufferSize) {
      report('queue-full')
      return
    }
    this.#used += memory
    this.#waiting.push({ packet, address, report, memory })
    this.#onReadable()
  }

  /** Whether a datagram waits. */
  get isReadable(): boolean {
    return this.#waiting.length > 0
  }

  /** Takes out the oldest datagram that waits. */
  read(): Received | undefined {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return undefined
    this.#used -= waiting.memory
    waiting.report('delivered')
    return waiting
  }

  /** Gives up what waits. */
  drain(): void {
    for (const { report } of this.#waiting.splice(0)) report('closed')
  }

  /** Linux doubles what is asked for, and grants no more than its limit. */
  setBufferSize(asked: number, isReceive: boolean): void {
    const granted = 2 * Math.min(asked, bufferMax)
    if (isReceive) this.recvBufferSize = Math.max(2304, granted)
    else this.sendBufferSize = Math.max(4608, granted)
  }
}

/**
 * The bytes of a receive buffer that Linux charges for a datagram: for each fragment in which it comes
 * through an MTU of 1500, with the UDP header in the first of them. Over IPv6 the first has room for a short second.
 */
function memoryOf({ family, data }: Packet): number {
  const isIPv4 = family === 'IPv4'
  const [fragment, small, medium] = isIPv4 ? [1480, 205, 653] : [1448, 192, 640]
  const size = data.byteLength + 8
  if (!isIPv4 && size > fragment && size <= 1664) return 2304
  let memory = 0
  for (let left = size; left > 0; left -= fragment) {
    memory += left <= small ? 832 : left <= medium ? 1280 : 2304
  }
  return memory
}
