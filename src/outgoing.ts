import { isIP } from 'node:net'
import type { Debugger } from 'debug'
import { type Group, groupAddress, splitZone, wildcard } from './address.js'
import { connected, type Place, type Port, type Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import { errno, hint, isOfChange, MulticastError, reasonOf, shown } from './errors.js'
import type { Hear } from './inbox.js'
import {
  findInterface,
  foundInterface,
  type Interface,
  type Lister,
  outwardInterfaces,
} from './interfaces.js'
import type { Way } from './outbox.js'
import { DEFAULT, type Wanted, wantedInterfaces, whyNotFound } from './wanted.js'
import type { Sight } from './watch.js'

/** What it is to send through, and where to. */
interface OutgoingSettings {
  readonly group: Group
  readonly interfaces: Wanted
  readonly followInterfaces: boolean
  readonly networkInterfaces: Lister
}

/** How its sockets are opened. */
export interface Manner {
  /**
   * What a socket is bound to that sends through the interface, or by the system's route. `isSeveral`:
   * there are others beside it, now or later.
   */
  place(on: Interface | undefined, isSeveral: boolean): Place
  /** Whether they are connected to the group, and so hear nothing: not even what they have sent. */
  readonly isConnected: boolean
  /** Whether looks at the interfaces keep them true to what was asked for. */
  readonly isFollowed: boolean
}

/** A way through an interface, as it is now. */
interface OwnWay extends Way {
  readonly isConnected: boolean
  readonly heal?: () => Promise<OwnWay | string>
  /** The interface as it was looked up last, if it is not left to the system's route. */
  readonly on: Interface | undefined
  /** What was asked for that it is: the name or the address that was given, or of `'all'` its name. */
  readonly asked: string
  /** What the socket is bound to, with the port that it has got. */
  readonly bound: Omit<Place, 'reuseAddr'>
  /** Whether only another socket can be set to what the interface has become. */
  readonly isFixed: boolean
  /** What it is sent from, where the system has chosen that and the socket keeps to it. */
  readonly source: string | undefined
}

/**
 * What a sender or a peer sends through: a socket for each interface, since the outgoing interface of one
 * cannot be changed safely between sends.
 */
export class Outgoing {
  readonly #settings: OutgoingSettings
  readonly #port: Port
  readonly #manner: Manner
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  /** In the order of the interfaces. */
  #ways: readonly OwnWay[] = []
  /** What was named and is away: its socket waits, so that it keeps its port and what comes to that. */
  #parked: readonly OwnWay[] = []
  #isSeveral = false
  /** What is being looked up anew, by the way that has failed. */
  readonly #healing = new Map<OwnWay, Promise<OwnWay | string>>()
  /** Whether something that is there could not be opened. */
  #isUnsettled = false
  /** Settles when what a look at the interfaces has found is seen to. */
  #keeping: Promise<unknown> = Promise.resolve()
  /** Why something is not sent through, as it was told last. */
  readonly #told = new Map<string, string>()

  constructor(
    settings: OutgoingSettings,
    port: Port,
    manner: Manner,
    debug: Debugger,
    sockets: Sockets,
    hear: Hear,
  ) {
    this.#settings = settings
    this.#port = port
    this.#manner = manner
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
  }

  /** Where a datagram to the group goes out, once it is open. */
  get ways(): readonly Way[] {
    return this.#ways
  }

  /** The socket of the first one, if there is one. */
  get first(): DatagramSocket | undefined {
    return (this.#ways[0] ?? this.#parked[0])?.socket
  }

  /** The names of the interfaces, `'default'` for the system's route. */
  get interfaces(): readonly string[] {
    return this.#ways.map(({ asked, on }) => (asked === DEFAULT ? DEFAULT : (on?.name ?? asked)))
  }

  /** Opens all; of `'all'` those that can be, if that is any; where it is followed, those that are there. */
  async open(): Promise<void> {
    if (this.#manner.isFollowed) return this.#openThere()
    const { interfaces } = this.#settings
    const wanted = await this.#wanted()
    this.#isSeveral = wanted.size > 1
    let failure: unknown
    for (const [asked, on] of wanted) {
      try {
        const way = await this.#openOn(asked, on)
        this.#ways = [...this.#ways, way]
      } catch (error) {
        failure ??= error
        this.#debug('not sending through %s: %s', asked, reasonOf(error))
        if (interfaces !== 'all') throw error
      }
    }
    if (this.#ways.length === 0) throw failure
  }

  /** Opens what there is, and fails only where that is refused for a reason that does not pass. */
  async #openThere(): Promise<void> {
    const { interfaces } = this.#settings
    this.#isSeveral =
      interfaces === 'all' || (typeof interfaces !== 'string' && interfaces.length > 1)
    const failures = await this.#keep()
    const lasting = failures.filter(({ cause }) => !isOfChange(cause))
    if (lasting.length > 0 && (interfaces !== 'all' || this.#ways.length === 0)) throw lasting[0]
  }

  /** What is asked for and is to be there: by what was asked, once each. */
  async #wanted(): Promise<ReadonlyMap<string, Interface | undefined>> {
    const { interfaces, group, networkInterfaces } = this.#settings
    if (interfaces === DEFAULT) {
      // What is not connected is sent by the route of the moment.
      return new Map([[DEFAULT, this.#manner.isConnected ? await this.#routed() : undefined]])
    }
    if (interfaces === 'all') return new Map(this.#outward().map((on) => [on.name, on]))
    const on = wantedInterfaces({ group, networkInterfaces: networkInterfaces.again }, interfaces)
    return new Map(on.map((one) => [one.given ?? one.name, one]))
  }

  /** What of it is there now. */
  async #there(): Promise<ReadonlyMap<string, Interface | undefined>> {
    const { interfaces, group, networkInterfaces, followInterfaces } = this.#settings
    const table = networkInterfaces()
    const there = new Map<string, Interface | undefined>()
    if (interfaces === 'all') {
      for (const on of outwardInterfaces(table, group)) there.set(on.name, on)
      if (there.size === 0)
        this.#tellOf('all', `there is no interface with an ${group.family} address`)
      // What is gone may never come again.
      else for (const name of this.#told.keys()) if (!there.has(name)) this.#told.delete(name)
      return there
    }
    for (const asked of interfaces === DEFAULT ? [DEFAULT] : interfaces) {
      const on = asked === DEFAULT ? await this.#routed() : foundInterface(table, group, asked)
      // Once, although what there is instead may change.
      if (on === undefined && !this.#told.has(asked)) {
        const isRoute = asked === DEFAULT
        this.#tellOf(
          asked,
          isRoute ? lostInterface(asked, group) : whyNotFound(table, group, asked),
        )
      }
      // Without a route it sends all the same, not connected: there may be one at any time.
      if (on === undefined && followInterfaces) continue
      if (![...there.values()].some((other) => other?.name === on?.name)) there.set(asked, on)
    }
    return there
  }

  /** Whether {@link follow} has something to do after a look. */
  mustFollow({ isNew }: Sight): boolean {
    // A change of the route is seen by asking for it.
    const isRouted = this.#settings.interfaces === DEFAULT
    return isNew || this.#isUnsettled || isRouted
  }

  /** Sends through what is asked for and is there from now on, whatever has changed. */
  async follow(): Promise<void> {
    const healing = Promise.allSettled(this.#healing.values())
    const keeping = healing.then(() => this.#keep())
    this.#keeping = keeping.catch(() => {})
    await keeping
  }

  /** Opens what has come, mends what has changed, and puts aside what has gone. Returns what was refused. */
  async #keep(): Promise<readonly MulticastError[]> {
    // Until it is known, or what could not be listed now would not be looked for again.
    this.#isUnsettled = true
    const there = await this.#there()
    const failures: MulticastError[] = []
    for (const way of this.#ways.filter(({ asked }) => !there.has(asked))) this.#putAside(way)
    for (const [asked, on] of there) {
      try {
        const way = [...this.#ways, ...this.#parked].find((one) => one.asked === asked)
        if (way !== undefined) await this.#keptOn(way, on)
        else {
          const opened = await this.#openOn(asked, on)
          this.#ways = [...this.#ways, opened]
        }
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
    this.#debug('not sending through %s any more: it is gone', way.asked)
    if (this.#settings.interfaces === 'all') this.#sockets.close(way.socket)
    else this.#parked = [...this.#parked, way]
  }

  /** Has a way go through its interface as that is now. */
  async #keptOn(way: OwnWay, on: Interface | undefined): Promise<void> {
    const { bound, isFixed } = way
    const place = this.#placeFor(on)
    const source = await this.#sourceOn(on, place)
    const isOther =
      // There is a route now, or none, or an address is on another interface.
      way.on?.name !== on?.name ||
      (isFixed &&
        (way.on?.index !== on?.index ||
          way.on?.handle !== on?.handle ||
          bound.address !== place.address ||
          (source !== undefined && source !== way.source)))
    let kept = way
    if (isOther) kept = await this.#renewed(way, on, place, source)
    // It may be another interface of the same name: the system does not tell, and the socket keeps the old.
    else setTo(way.socket, on)
    const isUsed = this.#ways.includes(way)
    this.#parked = this.#parked.filter((other) => other !== way)
    this.#ways = isUsed
      ? this.#ways.map((other) => (other === way ? kept : other))
      : [...this.#ways, kept]
    if (kept !== way || !isUsed) await this.#tell(on, place)
  }

  /** Without a route there is nothing to connect to. */
  #mustConnect(on: Interface | undefined): boolean {
    return this.#manner.isConnected && on !== undefined
  }

  /** Tells DEBUG once why something is not sent through. */
  #tellOf(asked: string, why: string): void {
    if (this.#told.get(asked) !== why) this.#debug('not sending through %s: %s', asked, why)
    this.#told.set(asked, why)
  }

  /** The interface that the system's route leads through, if there is one. */
  async #routed(): Promise<Interface | undefined> {
    const { group, networkInterfaces } = this.#settings
    const address = await this.#sockets.route()
    const found = address && foundInterface(networkInterfaces(), group, address)
    if (!found) return undefined
    // Nobody has asked for that very address.
    const { given: _, ...on } = found
    return on
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

  async #openOn(asked: string, on: Interface | undefined): Promise<OwnWay> {
    const place = this.#placeFor(on)
    // Before the socket: what changes meanwhile is then seen later.
    const source = await this.#sourceOn(on, place)
    const socket = await this.#openSet(on, place)
    await this.#tell(on, place)
    return this.#wayOn(asked, on, socket, place, source)
  }

  /** Opens a socket that sends through the interface, or none. */
  async #openSet(on: Interface | undefined, place: Place): Promise<DatagramSocket> {
    const socket = await this.#sockets.open(place)
    const { group } = this.#settings
    // With port 0 the first one picks it, and all others that are to share it follow.
    if (this.#port.number === 0) this.#port.number = socket.address().port
    if (!this.#manner.isConnected) this.#hear(socket, () => true)
    if (on === undefined) return socket
    try {
      socket.setMulticastInterface(on.handle)
      // Only then, or it would keep to the route's interface.
      if (this.#manner.isConnected) {
        await connected(socket, this.#port.number, groupAddress(group, on))
      }
      return socket
    } catch (cause) {
      await this.#sockets.close(socket)
      throw new MulticastError(
        'ERR_MULTICAST_SOCKET',
        `The system refused to send through ${on.name}, ${shown(on.handle)}: ${reasonOf(cause)} (${hint('send', cause, group.address)})`,
        { cause },
      )
    }
  }

  #placeFor(on: Interface | undefined): Place {
    return this.#manner.place(on, this.#isSeveral)
  }

  #wayOn(
    asked: string,
    on: Interface | undefined,
    socket: DatagramSocket,
    { address, port }: Place,
    source: string | undefined,
  ): OwnWay {
    const { group } = this.#settings
    const isConnected = this.#mustConnect(on)
    const isBound = address !== wildcard(group)
    const way: OwnWay = {
      asked,
      on,
      // Asked now: once the interface is gone that a socket is bound on, the system does not tell it.
      bound: { address, port: port || socket.address().port },
      isFixed: isBound || isConnected,
      source,
      socket,
      port: this.#port.number,
      // To a zone the system would send although the socket is bound in one that is gone, deaf to replies:
      // without it a send is refused, and heals.
      address: isBound ? group.address : groupAddress(group, on),
      isConnected,
      ...(on === undefined ? {} : { name: on.name }),
      ...(on === undefined && !this.#manner.isConnected
        ? {}
        : {
            heal: () => {
              const healing = this.#healing.get(way) ?? this.#healed(way)
              this.#healing.set(way, healing)
              return healing.finally(() => this.#healing.delete(way))
            },
          }),
    }
    return way
  }

  /**
   * Looks the interface up anew, which may have got another address or have been made anew. Resolves with
   * the way that takes the place of this one, or with what keeps it from being mended.
   */
  async #healed(way: OwnWay): Promise<OwnWay | string> {
    const { asked } = way
    // A look at the interfaces may be mending it.
    await this.#keeping
    const { group, networkInterfaces } = this.#settings
    let why = lostInterface(asked, group)
    // Another send may have mended it, or it was closed as its interface went, which may be there again.
    const now = this.#ways.find((other) => other.asked === asked)
    if (now !== way) return now ?? why
    try {
      const found =
        asked === DEFAULT
          ? await this.#routed()
          : findInterface(networkInterfaces(), group, asked, 'interfaces')
      const place = this.#placeFor(found)
      const source = await this.#sourceOn(found, place)
      const healed = await this.#renewed(way, found, place, source).catch((error) => {
        if (errno(error.cause) === 'EADDRNOTAVAIL') why = lostAddress(place.address)
        throw error
      })
      this.#ways = this.#ways.map((other) => (other === way ? healed : other))
      await this.#tell(found, place)
      return healed
    } catch (error) {
      this.#debug('not sending through %s: %s', asked, reasonOf(error))
      return why
    }
  }

  /** A way in the place of another, set to its interface again: by the same socket if that can be. */
  async #renewed(
    way: OwnWay,
    on: Interface | undefined,
    place: Place,
    source: string | undefined,
  ): Promise<OwnWay> {
    const { bound, socket: before } = way
    let socket = before
    if (way.isFixed || this.#mustConnect(on)) {
      // What hears nothing needs to keep no port that was picked for it.
      const at = this.#manner.isConnected ? place : { ...place, port: bound.port }
      try {
        socket = await this.#openSet(on, at)
        // Only now, so that there is one at every moment.
        await this.#sockets.close(before)
      } catch (error) {
        // By the socket itself.
        const isOurs =
          place.address === bound.address && errno(error) === 'ERR_MULTICAST_PORT_IN_USE'
        if (!isOurs) throw error
        // It is still the right one, unless it is connected: that keeps to what the interface was.
        if (this.#manner.isConnected) {
          await this.#sockets.close(before)
          socket = await this.#openSet(on, at)
        } else setTo(before, on)
      }
    } else setTo(before, on)
    return this.#wayOn(way.asked, on, socket, place, source)
  }

  /**
   * What the system would send from now, where that is its choice. A connected socket keeps to what was
   * chosen: over IPv6 it even goes on from an address that is gone, without an error.
   */
  async #sourceOn(on: Interface | undefined, { address }: Place): Promise<string | undefined> {
    const { group } = this.#settings
    const to = groupAddress(group, on)
    const isChosen = group.family === 'IPv6' && [to, wildcard(group)].includes(address)
    if (!this.#manner.isConnected || !isChosen) return undefined
    // Any port will do.
    return this.#sockets.sourceTo(9, to, on?.handle).catch(() => undefined)
  }

  /** Tells DEBUG what it sends through and from, which a connected socket tells without sending. */
  async #tell(on: Interface | undefined, { address }: Place): Promise<void> {
    if (!this.#debug.enabled) return
    const { group } = this.#settings
    const isOwn = address !== wildcard(group) && !this.#manner.isConnected
    const source = isOwn
      ? address
      : await this.#sockets
          .sourceTo(this.#port.number, groupAddress(group, on), on?.handle)
          .catch((error) => `no address: ${reasonOf(error)}`)
    this.#debug('sending through %s from %s', on?.name ?? "the system's route", source)
  }
}

/** By the system's route nothing is to be set. */
function setTo(socket: DatagramSocket, on: Interface | undefined): void {
  if (on !== undefined) socket.setMulticastInterface(on.handle)
}

function lostInterface(asked: string, { family, address }: Group): string {
  if (asked === DEFAULT) return `there is no route to ${address}: add one, or name an interface`
  if (isIP(splitZone(asked)[0]) > 0) return lostAddress(asked)
  return `${asked} is down or gone, or has no ${family} address: sends go out again once it is back`
}

function lostAddress(address: string): string {
  return `no interface that is up has the address ${address}: sends go out again once one has it`
}
