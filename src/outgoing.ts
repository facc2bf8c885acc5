import type { Debugger } from 'debug'
import { type Group, groupAddress, wildcard } from './address.js'
import type { Place, Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { errno, MulticastError, reasonOf, shown } from './errors.js'
import type { Hear } from './inbox.js'
import {
  addressOn,
  findInterface,
  type Interface,
  outwardInterfaces,
  wantedInterfaces,
} from './interfaces.js'
import type { SenderSettings } from './options.js'
import type { Way } from './outbox.js'

/**
 * What a sender sends through: a socket for each interface, since the outgoing interface of one cannot be
 * changed safely between sends.
 */
export class Outgoing {
  readonly #settings: SenderSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  /** In the order of the interfaces. */
  #ways: readonly Way[] = []
  #isSeveral = false
  /** What is being looked up anew, by the way that has failed. */
  readonly #healing = new Map<Way, Promise<Way | string>>()
  /** What has taken the place of a way. */
  readonly #mended = new WeakMap<Way, Way>()

  constructor(settings: SenderSettings, debug: Debugger, sockets: Sockets, hear: Hear) {
    this.#settings = settings
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
  }

  /** Where a datagram to the group goes out, once it is open. */
  get ways(): readonly Way[] {
    return this.#ways
  }

  /** The names of the interfaces, `'default'` for the system's route. */
  get interfaces(): readonly string[] {
    return this.#ways.map(({ name }) => name ?? 'default')
  }

  /** Opens all; of `'all'` those that can be, if that is any. */
  async open(): Promise<void> {
    const { interfaces, group, networkInterfaces } = this.#settings
    if (interfaces === 'default') {
      this.#ways = [await this.#openDefault()]
      return
    }
    const on =
      interfaces === 'all'
        ? this.#outward()
        : wantedInterfaces({ group, networkInterfaces: networkInterfaces.again }, interfaces)
    this.#isSeveral = on.length > 1
    const ways: Way[] = []
    let failure: unknown
    for (const one of on) {
      try {
        ways.push(await this.#openOn(one))
      } catch (error) {
        failure ??= error
        this.#debug('not sending through %s: %s', one.name, reasonOf(error))
        if (interfaces !== 'all') throw error
      }
    }
    if (ways.length === 0) throw failure
    this.#ways = ways
  }

  #outward(): readonly Interface[] {
    const { group, networkInterfaces } = this.#settings
    const on = outwardInterfaces(networkInterfaces.again(), group)
    if (on.length > 0) return on
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `There is no interface with an ${group.family} address to send through: bring one up, or set interfaces to 'default'`,
    )
  }

  async #openDefault(): Promise<Way> {
    const { group, port, localAddress, localPort } = this.#settings
    const socket = await this.#sockets.open(place(localAddress, localPort))
    this.#hear(socket, () => true)
    await this.#tell(undefined, localAddress)
    return { socket, port, address: group.address }
  }

  async #openOn(on: Interface): Promise<Way> {
    const address = this.#addressFor(on)
    const socket = await this.#openSet(on, address, this.#settings.localPort)
    await this.#tell(on, address)
    return this.#wayOn(on, socket, address)
  }

  /** Opens a socket that sends through the interface, or none. */
  async #openSet(on: Interface, address: string, port: number): Promise<DatagramSocket> {
    const socket = await this.#sockets.open(place(address, port))
    try {
      socket.setMulticastInterface(on.handle)
    } catch (cause) {
      await this.#sockets.close(socket)
      throw new MulticastError(
        'ERR_MULTICAST_SOCKET',
        `The system refused to send through ${on.name}, ${shown(on.handle)}: ${reasonOf(cause)}`,
        { cause },
      )
    }
    this.#hear(socket, () => true)
    return socket
  }

  /** The address that a socket is bound to which sends through the interface. */
  #addressFor(on: Interface): string {
    const { group, localAddress, localPort, networkInterfaces } = this.#settings
    // IP_MULTICAST_IF fixes the source address of IPv4; IPv6 sends from a given one if it is bound to it.
    const isGiven = on.given !== undefined && group.family === 'IPv6'
    const isShared = this.#isSeveral && localPort !== 0
    if (localAddress !== wildcard(group) || !(isGiven || isShared)) return localAddress
    return addressOn(networkInterfaces(), group, on)
  }

  #wayOn(on: Interface, socket: DatagramSocket, address: string): Way {
    const { group, port } = this.#settings
    const isBound = address !== wildcard(group)
    // Asked now: once the interface is gone that a socket is bound on, the system does not tell it.
    const bound = isBound ? place(address, socket.address().port) : undefined
    const way: Way = {
      socket,
      port,
      // To a zone the system would send although the socket is bound in one that is gone, deaf to replies:
      // without it a send is refused, and heals.
      address: isBound ? group.address : groupAddress(group, on),
      name: on.name,
      heal: () => {
        const healing = this.#healing.get(way) ?? this.#healed(way, on, bound)
        this.#healing.set(way, healing)
        return healing.finally(() => this.#healing.delete(way))
      },
    }
    return way
  }

  /**
   * Looks the interface up anew, which may have got another address or have been made anew. Resolves with
   * the way that takes the place of this one, or with what keeps it from being mended.
   */
  async #healed(way: Way, on: Interface, bound: Place | undefined): Promise<Way | string> {
    // Another send may have mended it meanwhile.
    let now = way
    for (let next = this.#mended.get(now); next; next = this.#mended.get(now)) now = next
    if (now !== way) return now
    let why = lostInterface(on, this.#settings.group)
    try {
      const { group, networkInterfaces } = this.#settings
      const found = findInterface(networkInterfaces(), group, on.given ?? on.name, 'interfaces')
      const address = this.#addressFor(found)
      if (bound !== undefined) why = lostAddress(address)
      const socket = await this.#setAnew(way.socket, found, address, bound)
      const healed = this.#wayOn(found, socket, address)
      this.#ways = this.#ways.map((other) => (other === way ? healed : other))
      this.#mended.set(way, healed)
      await this.#tell(found, address)
      return healed
    } catch (error) {
      this.#debug('not sending through %s: %s', on.name, reasonOf(error))
      return why
    }
  }

  /** Sets a socket to an interface again; one that is bound to an address only another can replace. */
  async #setAnew(
    socket: DatagramSocket,
    on: Interface,
    address: string,
    bound: Place | undefined,
  ): Promise<DatagramSocket> {
    if (bound !== undefined) {
      try {
        const other = await this.#openSet(on, address, bound.port)
        // Only now, so that there is one at every moment.
        await this.#sockets.close(socket)
        return other
      } catch (error) {
        // By the socket itself, which then is still the right one.
        const isOurs = address === bound.address && errno(error) === 'ERR_MULTICAST_PORT_IN_USE'
        if (!isOurs) throw error
      }
    }
    socket.setMulticastInterface(on.handle)
    return socket
  }

  /** Tells DEBUG what it sends through and from, which a connected socket tells without sending. */
  async #tell(on: Interface | undefined, bound: string): Promise<void> {
    if (!this.#debug.enabled) return
    const { group, port } = this.#settings
    const source =
      bound === wildcard(group)
        ? await this.#sockets.sourceTo(port, groupAddress(group, on), on?.handle)
        : bound
    this.#debug('sending through %s from %s', on?.name ?? "the system's route", source)
  }
}

/** Without SO_REUSEADDR, or another program could take the port that the replies come to. */
function place(address: string, port: number): Place {
  return { address, port, reuseAddr: false }
}

function lostInterface({ name, given }: Interface, { family }: Group): string {
  if (given !== undefined) return lostAddress(given)
  return `${name} is down or gone, or has no ${family} address: sends go out again once that is over`
}

function lostAddress(address: string): string {
  return `${address} is no address of an interface that is up: sends go out again once it is one`
}
