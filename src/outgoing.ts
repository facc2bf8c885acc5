import { isIP } from 'node:net'
import type { Debugger } from 'debug'
import { type Group, groupAddress, splitZone, wildcard } from './address.js'
import type { Place, Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { errno, isOfChange, MulticastError, reasonOf, shown } from './errors.js'
import type { Hear } from './inbox.js'
import {
  addressOn,
  findInterface,
  foundInterface,
  type Interface,
  outwardInterfaces,
  wantedInterfaces,
} from './interfaces.js'
import { isSeveral, type SenderSettings } from './options.js'
import type { Way } from './outbox.js'
import type { Sight } from './watch.js'

/** A way through an interface, as it is now. */
interface OwnWay extends Way {
  readonly heal: () => Promise<OwnWay | string>
  /** The interface as it was looked up last. */
  readonly on: Interface
  /** What was asked for that it is: the name or the address that was given, or of `'all'` its name. */
  readonly asked: string
  /** What the socket is bound to, where that is an address of the interface. */
  readonly bound: Place | undefined
}

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
  #ways: readonly OwnWay[] = []
  /** The one way of `'default'`. */
  #default: Way | undefined
  /** What was named and is away: its socket waits, so that it keeps its port and what comes to that. */
  #parked: readonly OwnWay[] = []
  #isSeveral = false
  /** What is being looked up anew, by the way that has failed. */
  readonly #healing = new Map<OwnWay, Promise<OwnWay | string>>()
  /** What has taken the place of a way. */
  readonly #mended = new WeakMap<OwnWay, OwnWay>()
  /** Whether something that is there could not be opened. */
  #isUnsettled = false
  #isOpen = false
  /** Whether a look at the interfaces has found something that is not seen to yet. */
  #isNews = false
  /** Settles when it is. */
  #following: Promise<void> | undefined
  /** Why something is not sent through, as it was told last. */
  readonly #told = new Map<string, string>()

  constructor(settings: SenderSettings, debug: Debugger, sockets: Sockets, hear: Hear) {
    this.#settings = settings
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
  }

  /** Where a datagram to the group goes out, once it is open. */
  get ways(): readonly Way[] {
    return this.#default === undefined ? this.#ways : [this.#default]
  }

  /** The socket of the first one, if there is one. */
  get first(): DatagramSocket | undefined {
    return (this.ways[0] ?? this.#parked[0])?.socket
  }

  /** The names of the interfaces, `'default'` for the system's route. */
  get interfaces(): readonly string[] {
    return this.ways.map(({ name }) => name ?? 'default')
  }

  /** Opens all; of `'all'` those that can be, if that is any; where it is followed, those that are there. */
  async open(): Promise<void> {
    const { interfaces, followInterfaces } = this.#settings
    if (interfaces === 'default') {
      this.#default = await this.#openDefault()
      return
    }
    if (followInterfaces) return this.#openThere(interfaces)
    const wanted = this.#wanted(interfaces)
    this.#isSeveral = wanted.size > 1
    let failure: unknown
    for (const [asked, on] of wanted) {
      try {
        this.#ways = [...this.#ways, await this.#openOn(asked, on)]
      } catch (error) {
        failure ??= error
        this.#debug('not sending through %s: %s', on.name, reasonOf(error))
        if (interfaces !== 'all') throw error
      }
    }
    if (this.#ways.length === 0) throw failure
  }

  /** Opens what there is, and fails only where that is refused for a reason that does not pass. */
  async #openThere(interfaces: 'all' | readonly string[]): Promise<void> {
    this.#isSeveral = isSeveral(this.#settings)
    const failures = await this.#keep()
    const lasting = failures.filter(({ cause }) => !isOfChange(cause))
    if (lasting.length > 0 && (interfaces !== 'all' || this.#ways.length === 0)) throw lasting[0]
    this.#isOpen = true
    if (this.#isNews) this.#following = this.#caughtUp()
  }

  /** What is asked for and is to be there: by what was asked, once each. */
  #wanted(interfaces: 'all' | readonly string[]): ReadonlyMap<string, Interface> {
    const { group, networkInterfaces } = this.#settings
    if (interfaces === 'all') return new Map(this.#outward().map((on) => [on.name, on]))
    const on = wantedInterfaces({ group, networkInterfaces: networkInterfaces.again }, interfaces)
    return new Map(on.map((one) => [one.given ?? one.name, one]))
  }

  /** What of it is there now. */
  #there(): ReadonlyMap<string, Interface> {
    const { interfaces, group, networkInterfaces } = this.#settings
    const table = networkInterfaces()
    if (interfaces === 'all') {
      const on = outwardInterfaces(table, group)
      if (on.length === 0)
        this.#tellOf('all', `there is no interface with an ${group.family} address`)
      for (const name of this.#told.keys())
        if (on.length > 0 && !table[name]) this.#told.delete(name)
      return new Map(on.map((one) => [one.name, one]))
    }
    const there = new Map<string, Interface>()
    for (const asked of interfaces) {
      const on = foundInterface(table, group, asked)
      if (on === undefined) this.#tellOf(asked, lostInterface(asked, group))
      else if (![...there.values()].some(({ name }) => name === on.name)) there.set(asked, on)
    }
    return there
  }

  /** Sends through what is asked for and is there from now on, whatever has changed. */
  follow({ isNew }: Sight): void {
    if (this.#settings.interfaces === 'default' || !(isNew || this.#isUnsettled)) return
    this.#isNews = true
    if (this.#isOpen) this.#following ??= this.#caughtUp()
  }

  async #caughtUp(): Promise<void> {
    while (this.#isNews) {
      this.#isNews = false
      await this.#keep().catch((error) => this.#debug('not followed: %s', reasonOf(error)))
    }
    this.#following = undefined
  }

  /** Opens what has come, mends what has changed, and puts aside what has gone. Returns what was refused. */
  async #keep(): Promise<readonly MulticastError[]> {
    const there = this.#there()
    const failures: MulticastError[] = []
    for (const way of this.#ways.filter(({ asked }) => !there.has(asked))) this.#putAside(way)
    for (const [asked, on] of there) {
      try {
        const way = [...this.#ways, ...this.#parked].find((one) => one.asked === asked)
        if (way === undefined) this.#ways = [...this.#ways, await this.#openOn(asked, on)]
        else await this.#keptOn(way, on)
        this.#told.delete(asked)
      } catch (error) {
        failures.push(error as MulticastError)
        this.#tellOf(asked, reasonOf(error))
      }
    }
    const open = this.#ways
    this.#ways = [...there.keys()].flatMap((key) => open.find(({ asked }) => asked === key) ?? [])
    this.#isUnsettled = failures.length > 0
    return failures
  }

  /** What was named keeps its socket; of `'all'` it may never come again. */
  #putAside(way: OwnWay): void {
    this.#debug('not sending through %s any more: it is gone', way.name)
    this.#ways = this.#ways.filter((other) => other !== way)
    if (this.#settings.interfaces === 'all') this.#sockets.close(way.socket)
    else this.#parked = [...this.#parked, way]
  }

  /** Has a way go through its interface as that is now. */
  async #keptOn(way: OwnWay, on: Interface): Promise<void> {
    const isOther =
      way.bound !== undefined && (way.on.index !== on.index || !this.#isBoundTo(way, on))
    const address = this.#addressFor(on)
    let kept = way
    if (isOther) {
      const socket = await this.#setAnew(way.socket, on, address, way.bound)
      kept = this.#wayOn(way.asked, on, socket, address)
    } else if (on.name !== way.on.name) {
      // The address that was asked for is on another interface now.
      kept = this.#wayOn(way.asked, on, way.socket, address)
    }
    // It may be another interface of the same name: the system does not tell, and the socket keeps the old.
    kept.socket.setMulticastInterface(on.handle)
    const isUsed = this.#ways.includes(way)
    this.#parked = this.#parked.filter((other) => other !== way)
    this.#ways = isUsed
      ? this.#ways.map((other) => (other === way ? kept : other))
      : [...this.#ways, kept]
    if (kept !== way) this.#mended.set(way, kept)
    if (kept !== way || !isUsed) await this.#tell(on, address)
  }

  #isBoundTo({ bound }: OwnWay, on: Interface): boolean {
    return bound?.address === this.#addressFor(on)
  }

  /** Tells DEBUG once why something is not sent through. */
  #tellOf(asked: string, why: string): void {
    if (this.#told.get(asked) !== why) this.#debug('not sending through %s: %s', asked, why)
    this.#told.set(asked, why)
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

  async #openOn(asked: string, on: Interface): Promise<OwnWay> {
    const address = this.#addressFor(on)
    const socket = await this.#openSet(on, address, this.#settings.localPort)
    await this.#tell(on, address)
    return this.#wayOn(asked, on, socket, address)
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

  #wayOn(asked: string, on: Interface, socket: DatagramSocket, address: string): OwnWay {
    const { group, port } = this.#settings
    const isBound = address !== wildcard(group)
    // Asked now: once the interface is gone that a socket is bound on, the system does not tell it.
    const bound = isBound ? place(address, socket.address().port) : undefined
    const way: OwnWay = {
      asked,
      on,
      bound,
      socket,
      port,
      // To a zone the system would send although the socket is bound in one that is gone, deaf to replies:
      // without it a send is refused, and heals.
      address: isBound ? group.address : groupAddress(group, on),
      name: on.name,
      heal: () => {
        const healing = this.#healing.get(way) ?? this.#healed(way)
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
  async #healed(way: OwnWay): Promise<OwnWay | string> {
    const { on, bound } = way
    // A look at the interfaces may be mending it.
    await this.#following
    // Another send may have mended it meanwhile.
    let now = way
    for (let next = this.#mended.get(now); next; next = this.#mended.get(now)) now = next
    if (now !== way) return now
    let why = lostInterface(on.given ?? on.name, this.#settings.group)
    try {
      const { group, networkInterfaces } = this.#settings
      const found = findInterface(networkInterfaces(), group, on.given ?? on.name, 'interfaces')
      const address = this.#addressFor(found)
      if (bound !== undefined) why = lostAddress(address)
      const socket = await this.#setAnew(way.socket, found, address, bound)
      const healed = this.#wayOn(way.asked, found, socket, address)
      const replaced = (other: OwnWay): OwnWay => (other === way ? healed : other)
      this.#ways = this.#ways.map(replaced)
      this.#parked = this.#parked.map(replaced)
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
        ? await this.#sockets
            .sourceTo(port, groupAddress(group, on), on?.handle)
            .catch((error) => `no address: ${reasonOf(error)}`)
        : bound
    this.#debug('sending through %s from %s', on?.name ?? "the system's route", source)
  }
}

/** Without SO_REUSEADDR, or another program could take the port that the replies come to. */
function place(address: string, port: number): Place {
  return { address, port, reuseAddr: false }
}

function lostInterface(asked: string, { family }: Group): string {
  if (isIP(splitZone(asked)[0]) > 0) return lostAddress(asked)
  return `${asked} is down or gone, or has no ${family} address: sends go out again once that is over`
}

function lostAddress(address: string): string {
  return `${address} is no address of an interface that is up: sends go out again once it is one`
}
