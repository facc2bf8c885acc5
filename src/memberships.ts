import type { Debugger } from 'debug'
import type { Group } from './address.js'
import { type Ask, Asks } from './asks.js'
import type { Port, Sockets } from './binding.js'
import { errno, isOfChange, MulticastError, reasonOf, shown } from './errors.js'
import type { MembershipChange } from './events.js'
import { joinedOn } from './igmp.js'
import type { Hear } from './inbox.js'
import {
  findInterface,
  foundInterface,
  type Interface,
  listInterfaces,
  type NetworkInterfaces,
  readOnce,
} from './interfaces.js'
import { type Joined, type Membership, type Target, toMembership } from './member-socket.js'
import { isByCarrier, MemberSockets, type Tell } from './member-sockets.js'
import type { ReceiverSettings } from './options.js'
import { DEFAULT, type Wanted, wantedInterfaces, whyNotFound } from './wanted.js'
import type { Sight } from './watch.js'

/** Joins and leaves what is asked for, and keeps that true as the network changes: by which sockets is theirs to know. */
export class Memberships {
  readonly #settings: ReceiverSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  /** What it is joined by. */
  readonly members: MemberSockets
  readonly #onChange: (change: MembershipChange, membership: Membership) => void
  readonly #asks = new Asks()
  /** Whether something that is asked for could not be joined, or was lost. */
  #isUnsettled = false
  /** What is being joined by hand, which is told of once all of it is. */
  #untold: ReadonlySet<Joined> | undefined
  #hasToldAlone = false

  constructor(
    settings: ReceiverSettings,
    port: Port,
    debug: Debugger,
    sockets: Sockets,
    hear: Hear,
    onChange: (change: MembershipChange, membership: Membership) => void,
  ) {
    this.#settings = settings
    this.#debug = debug
    this.#sockets = sockets
    this.members = new MemberSockets(settings, port, debug, sockets, hear, this.#tell)
    this.#onChange = onChange
  }

  /** What is joined now. */
  get all(): readonly Membership[] {
    return this.members.memberships
  }

  /** Joins what the options ask for; where it is followed, what of that is there. */
  async open(): Promise<void> {
    const { interfaces, sources, followInterfaces } = this.#settings
    if (!followInterfaces) return this.join(interfaces, sources)
    this.#ask(interfaces, sources)
    const failures = (await this.#keep()).filter((error) => !this.#isPassing(error))
    const isNothing = interfaces !== 'all' || this.all.length === 0
    const failure = isNothing ? failures[0] : failures.find(isByCarrier)
    if (failure !== undefined) throw failure
    if (interfaces === 'all' && this.all.length > 0) this.#tellIfAlone()
  }

  /** Joins all of it, or nothing; of `'all'` what can be joined, if that is anything. */
  async join(
    wanted: Wanted,
    sources: readonly (string | undefined)[] = [undefined],
  ): Promise<void> {
    if (this.members.first !== undefined) await this.members.renew()
    const targets = await this.#targets(wanted)
    const planned = targets.flatMap((target) => sources.map((source) => ({ target, source })))
    this.members.check(
      [...this.all, ...planned.map(({ target, source }) => toMembership(target.name, source))],
      'ERR_MULTICAST_JOIN',
    )
    const added = new Set<Joined>()
    this.#untold = added
    let isAny = false
    let failure: unknown
    for (const { target, source } of planned) {
      try {
        const { how, joined } = await this.members.join(target, source)
        if (how === 'new') added.add(joined)
        isAny = true
      } catch (error) {
        failure ??= error
        this.#debug('not joined: %s', reasonOf(error))
        if (wanted === 'all' && !isByCarrier(error)) {
          this.#isUnsettled = true
          continue
        }
        await this.members.leave([...added])
        throw error
      }
    }
    this.members.learn()
    this.members.closeUnused()
    if (!isAny) throw failure ?? noInterface(this.#settings.group)
    if (this.#settings.followInterfaces) this.#ask(wanted, sources)
    this.#untold = undefined
    // What was lost meanwhile was never told of, and is not joined.
    for (const joined of added) if (this.#isHeld(joined)) this.#tell('joined', joined)
    if (wanted === 'all') this.#tellIfAlone()
  }

  /** Leaves what is joined on an interface, for a source, or both; with neither all of it. */
  async leave(name: string | undefined, source: string | undefined): Promise<void> {
    const on = name === undefined ? undefined : this.#nameOf(name)
    const isMeant = (membership: Membership): boolean =>
      (on === undefined || membership.interface === on) &&
      (source === undefined || membership.source === source)
    const joined = this.members.joined
    const leaving = joined.filter(({ membership }) => isMeant(membership))
    const staying = joined.filter(({ membership }) => !isMeant(membership))
    const asks = this.#asks.all.filter((ask) => this.#isOf(ask, on, source))
    if (leaving.length + asks.length === 0 && (name !== undefined || source !== undefined)) {
      throw new MulticastError(
        'ERR_MULTICAST_LEAVE',
        `There is no membership like ${shown({ interface: name, source })}: the memberships are ${JSON.stringify(this.all)}`,
      )
    }
    this.members.check(
      staying.map(({ membership }) => membership),
      'ERR_MULTICAST_LEAVE',
    )
    this.#asks.withdraw(asks)
    if (on !== undefined) this.#asks.except(on, source)
    for (const { membership } of leaving) this.#debug('leaving %o', membership)
    await this.members.leave(leaving)
    for (const one of leaving) this.#tell('left', one)
    await this.members.renew()
    this.members.closeUnused()
  }

  /**
   * Strikes out what the system has lost, and lets the networks know anew of what is joined where that may
   * have been missed. Returns what is to be called when every endpoint has done so.
   */
  notice({ lost, returned, isNew, isCounted, isJoinedNew }: Sight): () => void {
    const { group, createSocket } = this.#settings
    const counted = isCounted ? joinedOn(group, createSocket, 'last') : undefined
    if (isNew || isJoinedNew) this.members.strike(counted, lost)
    return this.members.retell(returned)
  }

  /** Whether {@link follow} has something to do after a look. */
  mustFollow({ isNew }: Sight): boolean {
    return isNew || this.#isUnsettled || this.#asks.all.some(({ wanted }) => wanted === DEFAULT)
  }

  /** Joins what is asked for and is there now, and leaves what has moved elsewhere. */
  async follow(): Promise<void> {
    await this.#keep()
  }

  /** From now on that is kept true. */
  #ask(wanted: Wanted, sources?: readonly (string | undefined)[]): void {
    const { group, networkInterfaces } = this.#settings
    const table = readOnce(networkInterfaces)
    const nameOf = (name: string) => foundInterface(table(), group, name)?.name
    this.#asks.add(wanted, sources, nameOf)
    for (const ask of this.#asks.all) {
      if (this.#isHeld(ask.joined)) continue
      ask.joined = this.members.joined.find(
        ({ on, membership }) => membership.source === ask.source && on?.name === nameOf(ask.wanted),
      )
    }
  }

  #isHeld(joined: Joined | undefined): joined is Joined {
    return this.members.joined.some((one) => one === joined)
  }

  /** Whether leaving that withdraws what was asked for. */
  #isOf(
    { wanted, source: own, joined }: Ask,
    on: string | undefined,
    source: string | undefined,
  ): boolean {
    const joinedOn = this.#isHeld(joined) ? joined.membership.interface : undefined
    const isThere = on === undefined || [wanted, joinedOn].includes(on)
    return isThere && (source === undefined || own === source)
  }

  /** Joins what is asked for and is there, leaves what is elsewhere now. Returns what was refused. */
  async #keep(): Promise<readonly unknown[]> {
    const failures: unknown[] = []
    // Until it is known, or what could not be listed now would not be looked for again.
    this.#isUnsettled = true
    const table = this.#settings.networkInterfaces.again()
    const plan: { readonly ask: Ask; readonly targets: readonly Target[] }[] = []
    for (const ask of this.#asks.all)
      plan.push({ ask, targets: await this.#where(ask.wanted, table) })
    const planned = plan.flatMap(({ ask, targets }) =>
      targets.map(({ name }) => toMembership(name, ask.source)),
    )
    this.#isUnsettled = false
    for (const { ask, targets } of plan) {
      const before = ask.joined
      const names = targets.map(({ name }) => name)
      if (names.length > 0) {
        for (const name of ask.told.keys()) if (!names.includes(name)) ask.told.delete(name)
      }
      // Once, although what there is instead may change.
      else if (!ask.told.has('')) this.#tellOf(ask, '', this.#whyNot(ask, table))
      for (const target of targets) await this.#keepOn(ask, target, planned, failures)
      await this.#moved(before)
    }
    // The limit is lifted by nothing that a further look could find.
    const mayPass = (error: unknown) => errno(error) !== 'ERR_MULTICAST_MEMBERSHIP_LIMIT'
    // Nor is it forgotten what was lost meanwhile.
    if (failures.some(mayPass)) this.#isUnsettled = true
    this.members.learn()
    this.members.closeUnused()
    return failures
  }

  async #keepOn(
    ask: Ask,
    target: Target,
    planned: readonly Membership[],
    failures: unknown[],
  ): Promise<void> {
    const { source } = ask
    const isOne = ask.wanted !== 'all'
    if (this.#asks.isExcepted(ask, target.name)) return
    const held = this.members.held(target, source)
    if (held !== undefined) {
      if (isOne) ask.joined = held
      return
    }
    try {
      // With the other sources that are joined next, there and where it is joined already.
      const names = new Set([target.name, ...this.all.map((one) => one.interface)])
      const next = planned.filter((one) => names.has(one.interface))
      this.members.check([...this.all, ...next], 'ERR_MULTICAST_JOIN')
      const { joined } = await this.members.join(target, source)
      if (isOne) ask.joined = joined
      ask.told.delete(target.name)
      this.#tell('joined', joined)
    } catch (error) {
      failures.push(error)
      this.#tellOf(ask, target.name, reasonOf(error))
    }
  }

  /** Leaves what was asked for elsewhere, unless something else asks for it there. */
  async #moved(joined: Joined | undefined): Promise<void> {
    if (!this.#isHeld(joined)) return
    const { interface: name, source } = joined.membership
    const isAsked = (ask: Ask): boolean =>
      ask.joined === joined ||
      (ask.wanted === 'all' && ask.source === source && !this.#asks.isExcepted(ask, name))
    if (this.#asks.all.some(isAsked)) return
    this.#debug('leaving %o, which is elsewhere now', joined.membership)
    await this.members.leave([joined])
    this.#tell('left', joined)
  }

  /** Where that is to be joined now. */
  async #where(wanted: Ask['wanted'], table: NetworkInterfaces): Promise<readonly Target[]> {
    const { group } = this.#settings
    if (wanted === 'all') return listInterfaces(table, group).map(named)
    const at = wanted === DEFAULT ? await this.#sockets.route() : wanted
    const on = at && foundInterface(table, group, at)
    if (!on) return []
    return [wanted === DEFAULT ? { on, name: DEFAULT } : named(on)]
  }

  /** Why that is nowhere to be joined now. */
  #whyNot({ wanted }: Ask, table: NetworkInterfaces): string {
    const { group } = this.#settings
    if (wanted === 'all') return noInterface(group).message
    if (wanted === DEFAULT) return `there is no route to ${group.address}`
    return whyNotFound(table, group, wanted)
  }

  /** Tells DEBUG once why that is not joined there. */
  #tellOf({ told }: Ask, name: string, why: string): void {
    if (told.get(name) !== why) this.#debug('not joined, and waiting: %s', why)
    told.set(name, why)
  }

  readonly #tell: Tell = (change, joined, membership = joined.membership) => {
    // What is lost is looked for again by the next look.
    if (change === 'lost') this.#isUnsettled = true
    if (this.#untold?.has(joined)) return
    this.#onChange(change, membership)
  }

  /** Once, since it is what keeps most first programs from hearing anything. */
  #tellIfAlone(): void {
    const { group, networkInterfaces } = this.#settings
    if (this.#hasToldAlone || !this.#debug.enabled) return
    const table = readOnce(networkInterfaces)()
    const isLoopback = ({ interface: name }: Membership) =>
      table[name]?.every(({ internal }) => internal)
    if (!this.all.every(isLoopback)) return
    this.#hasToldAlone = true
    this.#debug(
      '%s is joined on the loopback interface alone: there is no other (docs/troubleshooting.md)',
      group.address,
    )
  }

  /** Where to join; by what the system picks it is found out only where that is followed. */
  async #targets(wanted: Wanted): Promise<readonly Target[]> {
    const { group, networkInterfaces: list, followInterfaces } = this.#settings
    if (wanted === DEFAULT) {
      if (!followInterfaces) return [{ on: undefined, name: DEFAULT }]
      const targets = await this.#where(DEFAULT, list())
      if (targets.length > 0) return targets
      const why = `There is no route to ${group.address}, which 'default' needs: add one, or name an interface`
      throw new MulticastError('ERR_MULTICAST_INTERFACE', why)
    }
    const networkInterfaces = this.members.first === undefined ? list.again : list
    const on =
      wanted === 'all'
        ? listInterfaces(networkInterfaces(), group)
        : wantedInterfaces({ group, networkInterfaces }, wanted)
    return on.map(named)
  }

  /** Whether that is how joining is refused while the network changes, and not for ever. */
  #isPassing(error: unknown): boolean {
    const { code, cause } = error as MulticastError
    // No system comes to bind to a group that does not. An address may come, and is waited for where something
    // was named that is: with 'all' nobody has asked for it.
    const { bindAddress, interfaces } = this.#settings
    const isForGood = bindAddress === undefined ? !this.members.hasZones : interfaces === 'all'
    return isOfChange(cause) && !(code === 'ERR_MULTICAST_BIND' && isForGood)
  }

  #nameOf(wanted: string): string {
    const isKnown = this.all.some((membership) => membership.interface === wanted)
    if (isKnown || this.#asks.all.some((ask) => ask.wanted === wanted)) {
      const joined = this.#asks.all.find((ask) => ask.wanted === wanted)?.joined
      return this.#isHeld(joined) ? joined.membership.interface : wanted
    }
    if (wanted === DEFAULT) return wanted
    // By an address that interfaces share, the system has joined on whichever it found.
    const by = this.members.joined.find(({ on }) => on?.handle === wanted)
    if (by !== undefined) return by.membership.interface
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
}

const named = (on: Interface): Target => ({ on, name: on.name })

function noInterface({ family }: Group): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `There is no interface with an ${family} address to join on: bring one up, or set interfaces to 'default'`,
  )
}
