import type { Debugger } from 'debug'
import { groupAddress } from './address.js'
import type { Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { MulticastError, reasonOf, shown } from './errors.js'
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

/** What a sender sends through: a socket for each interface, since one serves several without error only by luck. */
export class Outgoing {
  readonly #settings: SenderSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  /** In the order of the interfaces. */
  #ways: readonly Way[] = []
  /** What is being looked up anew, by the way that has failed. */
  readonly #healing = new Map<Way, Promise<Way | string>>()

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
    const { interfaces } = this.#settings
    if (interfaces === 'default') {
      this.#ways = [await this.#openDefault()]
      return
    }
    const on = interfaces === 'all' ? this.#outward() : wantedInterfaces(this.#settings, interfaces)
    const ways: Way[] = []
    let failure: unknown
    for (const one of on) {
      try {
        ways.push(await this.#openOn(one, on.length > 1))
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
    const on = outwardInterfaces(networkInterfaces(), group)
    if (on.length > 0) return on
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `There is no interface with an ${group.family} address to send through: bring one up, or set interfaces to 'default'`,
    )
  }

  async #openDefault(): Promise<Way> {
    const { group, port, localAddress, localPort } = this.#settings
    // Without SO_REUSEADDR, or another program could take the port that the replies come to.
    const place = { address: localAddress, port: localPort, reuseAddr: false }
    const socket = await this.#sockets.open(place)
    this.#hear(socket, () => true)
    await this.#tell(undefined)
    return { socket, port, address: group.address }
  }

  async #openOn(on: Interface, isOneOfSeveral: boolean): Promise<Way> {
    const { group, localAddress, localPort, networkInterfaces } = this.#settings
    // IP_MULTICAST_IF fixes the source address of IPv4; IPv6 sends from a given one if it is bound to it.
    const isGiven = on.given !== undefined && group.family === 'IPv6'
    const isBound = isGiven || (isOneOfSeveral && localPort !== 0)
    const address = isBound ? addressOn(networkInterfaces(), group, on) : localAddress
    const socket = await this.#sockets.open({ address, port: localPort, reuseAddr: false })
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
    await this.#tell(on)
    return this.#wayOn(on, socket, isBound)
  }

  #wayOn(on: Interface, socket: DatagramSocket, isBound: boolean): Way {
    const { group, port } = this.#settings
    const way: Way = {
      socket,
      port,
      address: groupAddress(group, on),
      name: on.name,
      heal: () => {
        const healing = this.#healing.get(way) ?? this.#heal(way, on, isBound)
        this.#healing.set(way, healing)
        return healing.finally(() => this.#healing.delete(way))
      },
    }
    return way
  }

  /** Looks the interface up anew, which may have got another address or have been made anew. */
  async #heal(way: Way, on: Interface, isBound: boolean): Promise<Way | string> {
    const { group, networkInterfaces } = this.#settings
    // Another send may have healed it meanwhile.
    const now = this.#ways.find(({ name }) => name === way.name)
    if (now !== undefined && now !== way) return now
    try {
      const table = networkInterfaces()
      const found = findInterface(table, group, on.given ?? on.name, 'interfaces')
      let { socket } = way
      if (isBound) {
        const { port } = socket.address()
        await this.#sockets.close(socket)
        const place = { address: addressOn(table, group, found), port, reuseAddr: false }
        socket = await this.#sockets.open(place)
        this.#hear(socket, () => true)
      }
      socket.setMulticastInterface(found.handle)
      const healed = this.#wayOn(found, socket, isBound)
      this.#ways = this.#ways.map((other) => (other === way ? healed : other))
      this.#debug('sending through %s again', found.name)
      await this.#tell(found)
      return healed
    } catch (error) {
      this.#debug('not sending through %s: %s', on.name, reasonOf(error))
      return on.given === undefined
        ? `${on.name} is not there now, or has no ${group.family} address: sends go out again once it has`
        : `${on.given} is no address of this host now: sends go out again once it is`
    }
  }

  /** Tells DEBUG what it sends through and from, which a connected socket tells without sending. */
  async #tell(on: Interface | undefined): Promise<void> {
    if (!this.#debug.enabled) return
    const { group } = this.#settings
    const source = await this.#sockets.sourceTo(
      this.#settings.port,
      groupAddress(group, on),
      on?.handle,
    )
    this.#debug('sending through %s from %s', on?.name ?? "the system's route", source)
  }
}
