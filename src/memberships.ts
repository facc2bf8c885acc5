import type { Debugger } from 'debug'
import { type Group, groupAddress, wildcard } from './address.js'
import { connected, type Port, type Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import {
  errno,
  isOfChange,
  MulticastError,
  type MulticastErrorCode,
  reasonOf,
  shown,
} from './errors.js'
import type { MembershipChange, Remote } from './events.js'
import { type Counted, joinedOn } from './igmp.js'
import type { Hear } from './inbox.js'
import {
  findInterface,
  foundInterface,
  handlesOf,
  type Interface,
  listInterfaces,
  type NetworkInterfaces,
  type Wanted,
  wantedInterfaces,
  whyNotFound,
} from './interfaces.js'
import {
  DEFAULT,
  type Joined,
  MemberSocket,
  type Membership,
  SpentError,
  type Target,
  toMembership,
} from './member-socket.js'
import type { ReceiverSettings } from './options.js'
import type { Recipient, Way } from './outbox.js'
import type { Sight } from './watch.js'

/** One thing that is to be joined wherever it is. */
interface Ask {
  readonly wanted: 'all' | 'default' | (string & {})
  readonly source: string | undefined
  /** What it is joined as, where that is one membership. */
  joined?: Joined | undefined
  /** Why it is not joined somewhere, as it was told last, by the interface's name. */
  readonly told: Map<string, string>
}

/** What `'all'` does not mean any more, since it was left by hand. */
interface Exception {
  readonly name: string
  /** Every source, where there is none. */
  readonly source: string | undefined
}

/** What is joined: it plans what to join and to leave, and keeps the sockets that it is joined by. */
export class Memberships {
  readonly #settings: ReceiverSettings
  readonly #debug: Debugger
  readonly #sockets: Sockets
  readonly #hear: Hear
  readonly #onChange: (change: MembershipChange, membership: Membership) => void
  /** One socket, or one for each zone of the group. */
  #members: readonly MemberSocket[] = []
  /** What it is kept true to, and what of that it is not. */
  #asks: readonly Ask[] = []
  #exceptions: readonly Exception[] = []
  /** Whether something that is asked for could not be joined. */
  #isUnsettled = false
  #hasToldAlone = false
  /** The group's port; with port 0 the first socket picks it, and the others follow. */
  readonly #port: Port
  /** Settles when no socket is being replaced. */
  #replacing: Promise<unknown> = Promise.resolve()

  constructor(
    settings: ReceiverSettings,
    port: Port,
    debug: Debugger,
    sockets: Sockets,
    hear: Hear,
    onChange: (change: MembershipChange, membership: Membership) => void,
  ) {
    this.#settings = settings
    this.#port = port
    this.#debug = debug
    this.#sockets = sockets
    this.#hear = hear
    this.#onChange = onChange
  }

  /** What is joined now. */
  get all(): readonly Membership[] {
    return this.#members.flatMap(({ memberships }) => memberships)
  }

  /** The port that it is bound to, once it is. */
  get port(): number {
    return this.#port.number
  }

  /** The socket that was opened first, if there is one. */
  get first(): DatagramSocket | undefined {
    return this.#members[0]?.socket
  }

  /** The way to send to somebody else than the group. */
  waysTo(to: Recipient): readonly Way[] {
    // A socket that is bound in a zone reaches no other.
    const inZone = this.#members.find(
      ({ bound }) => bound !== undefined && to.address.endsWith(`%${bound.zone}`),
    )
    const socket = inZone?.socket ?? this.first
    if (socket === undefined) return []
    const heal = async (): Promise<Way | undefined> => {
      await this.#replacing
      const [now] = this.waysTo(to)
      return now?.socket === socket ? undefined : now
    }
    return [{ socket, port: to.port, address: to.address, heal }]
  }

  /** The address to reply to, with the zone that the message came in, which the address may not tell. */
  addressOf(remote: Pick<Remote, 'address' | 'interface'>): string {
    const isZoned = !this.#hasZones || remote.address.includes('%')
    const by = isZoned
      ? undefined
      : this.#members.find(({ bound }) => bound?.name === remote.interface)
    return by?.bound === undefined ? remote.address : `${remote.address}%${by.bound.zone}`
  }

  /** Joins what the options ask for; where it is followed, what of that is there. */
  async open(): Promise<void> {
    const { interfaces, sources, followInterfaces } = this.#settings
    if (!followInterfaces) return this.join(interfaces, sources)
    this.#ask(interfaces, sources)
    const failures = (await this.#keep()).filter((error) => !this.#isPassing(error))
    if (failures.length > 0 && (interfaces !== 'all' || this.all.length === 0)) throw failures[0]
    if (interfaces === 'all' && this.all.length > 0) this.#tellIfAlone()
  }

  /** Joins all of it, or nothing; of `'all'` what can be joined, if that is anything. */
  async join(
    wanted: Wanted,
    sources: readonly (string | undefined)[] = [undefined],
  ): Promise<void> {
    if (this.#members.length > 0) await this.#renew()
    const targets = await this.#targets(wanted)
    const planned = targets.flatMap((target) => sources.map((source) => ({ target, source })))
    this.#checkSources(
      [...this.all, ...planned.map(({ target, source }) => toMembership(target.name, source))],
      'ERR_MULTICAST_JOIN',
    )
    const added: Joined[] = []
    let count = 0
    let failure: unknown
    for (const { target, source } of planned) {
      try {
        const { how, joined } = await this.#joinOne(target, source)
        if (how === 'renewed') this.#tell('lost', joined)
        if (how === 'renewed') this.#tell('joined', joined)
        if (how === 'new') added.push(joined)
        count += 1
      } catch (error) {
        failure ??= error
        this.#debug('not joined: %s', reasonOf(error))
        if (wanted === 'all') continue
        await this.#drop(added)
        throw error
      }
    }
    this.#learn()
    this.#closeUnused()
    if (count === 0) throw failure ?? noInterface(this.#settings.group)
    if (this.#settings.followInterfaces) this.#ask(wanted, sources)
    for (const joined of added) this.#tell('joined', joined)
    if (wanted === 'all') this.#tellIfAlone()
  }

  /** Leaves what is joined on an interface, for a source, or both; with neither all of it. */
  async leave(name: string | undefined, source: string | undefined): Promise<void> {
    const on = name === undefined ? undefined : this.#nameOf(name)
    const isMeant = (membership: Membership): boolean =>
      (on === undefined || membership.interface === on) &&
      (source === undefined || membership.source === source)
    const joined = this.#joined
    const leaving = joined.filter(({ membership }) => isMeant(membership))
    const staying = joined.filter(({ membership }) => !isMeant(membership))
    const isWaiting = this.#asks.some((ask) => this.#isOf(ask, name, on, source))
    if (leaving.length === 0 && !isWaiting && (name !== undefined || source !== undefined)) {
      throw new MulticastError(
        'ERR_MULTICAST_LEAVE',
        `Nothing joined is like ${shown({ interface: name, source })}: the memberships are ${JSON.stringify(this.all)}`,
      )
    }
    this.#checkSources(
      staying.map(({ membership }) => membership),
      'ERR_MULTICAST_LEAVE',
    )
    this.#asks = this.#asks.filter((ask) => !this.#isOf(ask, name, on, source))
    if (on !== undefined && this.#asks.some(({ wanted }) => wanted === 'all')) {
      this.#exceptions = [...this.#exceptions, { name: on, source }]
    }
    for (const { membership } of leaving) this.#debug('leaving %o', membership)
    await this.#drop(leaving)
    for (const one of leaving) this.#tell('left', one)
    // It has left all the same, where what stays cannot be renewed.
    await this.#renew().catch((error) => this.#debug('not renewed: %s', reasonOf(error)))
    this.#closeUnused()
  }

  /**
   * Strikes out what the system has lost, and lets the networks know anew of what is joined where that may
   * have been missed. Returns what is to be called when every endpoint has done so.
   */
  notice({ lost, returned, isNew, isCounted, isJoinedNew }: Sight): () => void {
    const { group, createSocket } = this.#settings
    const counted = isCounted ? joinedOn(group, createSocket, 'last') : undefined
    if (lost !== undefined || isNew || isJoinedNew) this.#strike(counted, lost)
    if (returned.length === 0) return () => {}
    const table = this.#listed()
    const again = this.#members.map((member) =>
      member.retell(returned, (on) => handlesOf(table, group, on).own[0]),
    )
    return () => {
      const gone = again.flatMap((join) => join())
      for (const joined of gone) this.#tell('lost', joined)
      if (gone.length > 0) this.#isUnsettled = true
    }
  }

  /** Whether {@link follow} has something to do after a look. */
  mustFollow({ isNew }: Sight): boolean {
    return isNew || this.#isUnsettled || this.#asks.some(({ wanted }) => wanted === 'default')
  }

  /** Joins what is asked for and is there now, and leaves what has moved elsewhere. */
  async follow(): Promise<void> {
    await this.#keep()
    this.#closeUnused()
  }

  get #joined(): readonly Joined[] {
    return this.#members.flatMap(({ joined }) => joined)
  }

  /** From now on that is kept true. */
  #ask(wanted: Wanted, sources: readonly (string | undefined)[] = [undefined]): void {
    const names = typeof wanted === 'string' ? [wanted] : wanted
    const asked = names.flatMap((name) =>
      sources.map((source) => ({ wanted: name, source, told: new Map() })),
    )
    const isNew = ({ wanted, source }: Ask) =>
      !this.#asks.some((ask) => ask.wanted === wanted && ask.source === source)
    this.#asks = [...this.#asks, ...asked.filter(isNew)]
    const table = this.#finder()
    for (const ask of this.#joined.length > 0 ? this.#asks : []) {
      if (ask.wanted === 'all' || this.#isHeld(ask.joined)) continue
      const name = ask.wanted === 'default' ? undefined : table.named(ask.wanted)
      ask.joined = this.#joined.find(
        ({ on, membership }) =>
          membership.source === ask.source &&
          (name === undefined ? membership.interface === ask.wanted : on?.name === name),
      )
    }
    this.#exceptions = this.#exceptions.filter(
      ({ name, source }) =>
        !asked.some(
          (ask) =>
            (ask.wanted === 'all' || ask.wanted === name || table.named(ask.wanted) === name) &&
            (source === undefined || ask.source === source),
        ),
    )
  }

  #isHeld(joined: Joined | undefined): joined is Joined {
    return joined !== undefined && this.#joined.includes(joined)
  }

  /** Whether leaving that withdraws what was asked for. */
  #isOf(
    { wanted, source: own, joined }: Ask,
    name: string | undefined,
    on: string | undefined,
    source: string | undefined,
  ): boolean {
    if (source !== undefined && own !== source) return false
    if (name === undefined) return true
    const joinedOn = this.#isHeld(joined) ? joined.membership.interface : undefined
    return wanted !== 'all' && [wanted, joinedOn].includes(on ?? name)
  }

  /** Joins what is asked for and is there, leaves what is elsewhere now. Returns what was refused. */
  async #keep(): Promise<readonly unknown[]> {
    const failures: unknown[] = []
    const list = this.#settings.networkInterfaces
    // Until it is known, or what could not be listed now would not be looked for again.
    this.#isUnsettled = true
    const table = this.#members.length === 0 ? list.again() : list()
    const plan: { readonly ask: Ask; readonly targets: readonly Target[] }[] = []
    for (const ask of this.#asks) plan.push({ ask, targets: await this.#where(ask.wanted, table) })
    const planned = plan.flatMap(({ ask, targets }) =>
      targets.flatMap(({ name }) =>
        this.#isExcepted(ask, name) ? [] : toMembership(name, ask.source),
      ),
    )
    for (const { ask, targets } of plan) {
      try {
        const held = ask.joined
        // Once, although what there is instead may change.
        if (targets.length > 0) ask.told.delete('')
        else if (!ask.told.has('')) this.#tellOf(ask, '', this.#whyNot(ask, table))
        for (const name of ask.told.keys())
          if (targets.length > 0 && !targets.some((target) => target.name === name))
            ask.told.delete(name)
        for (const target of targets) await this.#keepOn(ask, target, planned, failures)
        if (held !== undefined && ask.joined !== held) await this.#moved(held)
      } catch (error) {
        failures.push(error)
        this.#tellOf(ask, '', reasonOf(error))
      }
    }
    // The limit is lifted by nothing that a further look could find.
    this.#isUnsettled = failures.some((error) => errno(error) !== 'ERR_MULTICAST_MEMBERSHIP_LIMIT')
    this.#learn()
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
    if (this.#isExcepted(ask, target.name)) return
    for (const member of this.#members) {
      const held = member.find(target, source)
      if (held === undefined) continue
      member.note(held, target.on)
      if (isOne) ask.joined = held
      return
    }
    try {
      // With the other sources that are joined next, there and where it is joined already.
      const names = new Set([target.name, ...this.all.map((one) => one.interface)])
      const next = planned.filter((one) => names.has(one.interface))
      this.#checkSources([...this.all, ...next], 'ERR_MULTICAST_JOIN')
      const { joined } = await this.#joinOne(target, source)
      if (isOne) ask.joined = joined
      ask.told.delete(target.name)
      this.#tell('joined', joined)
    } catch (error) {
      failures.push(error)
      this.#tellOf(ask, target.name, reasonOf(error))
    }
  }

  /** Leaves what was asked for elsewhere, unless something else asks for it there. */
  async #moved(joined: Joined): Promise<void> {
    if (!this.#isHeld(joined) || this.#asks.some((ask) => ask.joined === joined)) return
    this.#debug('leaving %o, which is elsewhere now', joined.membership)
    await this.#drop([joined])
    this.#tell('left', joined)
  }

  /** Whether that was left by hand, and is asked for only together with all others. */
  #isExcepted({ wanted, source }: Ask, name: string): boolean {
    const isOf = (one: Exception): boolean =>
      one.name === name && (one.source === undefined || one.source === source)
    return wanted === 'all' && this.#exceptions.some(isOf)
  }

  /** Where that is to be joined now. */
  async #where(wanted: Ask['wanted'], table: NetworkInterfaces): Promise<readonly Target[]> {
    const { group } = this.#settings
    if (wanted === 'all') return listInterfaces(table, group).map(named)
    const at = wanted === 'default' ? await this.#sockets.route() : wanted
    const on = at && foundInterface(table, group, at)
    if (!on) return []
    return [wanted === 'default' ? { on, name: DEFAULT } : named(on)]
  }

  /** Why that is nowhere to be joined now. */
  #whyNot({ wanted }: Ask, table: NetworkInterfaces): string {
    const { group } = this.#settings
    if (wanted === 'all') return noInterface(group).message
    if (wanted === 'default') return `there is no route to ${group.address}`
    return whyNotFound(table, group, wanted)
  }

  /** Tells DEBUG once why that is not joined there. */
  #tellOf({ told }: Ask, name: string, why: string): void {
    if (told.get(name) !== why) this.#debug('not joined, and waiting: %s', why)
    told.set(name, why)
  }

  #tell(change: MembershipChange, { membership }: Joined): void {
    this.#onChange(change, membership)
  }

  /** Joins by the socket that it takes, or by a new one where only that can. */
  async #joinOne(
    target: Target,
    source: string | undefined,
  ): Promise<ReturnType<MemberSocket['join']>> {
    // What was joined where the system's route led before is left first: it bears the same name.
    const moved = this.#joined.filter(
      ({ on, membership }) =>
        target.name === DEFAULT &&
        membership.interface === DEFAULT &&
        membership.source === source &&
        on?.name !== target.on?.name,
    )
    if (moved.length > 0) await this.#drop(moved)
    for (const joined of moved) this.#tell('left', joined)
    this.#debug('joining on %s, source %s', target.on?.name ?? target.name, source ?? 'any')
    const member = await this.#socketFor(target.on)
    checkMix(this.#settings.group, member.memberships, toMembership(target.name, source))
    try {
      const result = member.join(target, source)
      // It was bound on an interface that is another one now, whose datagrams do not reach it.
      if (result.how === 'renewed' && this.#hasZones) {
        ;(await this.#replace(member)).join(target, source)
      }
      return result
    } catch (error) {
      if (!(error instanceof SpentError)) throw error
      return (await this.#replace(member)).join(target, source)
    }
  }

  /** Strikes out what the system has lost, and returns it. */
  #strike(counted: readonly Counted[] | undefined, lost?: readonly string[]): readonly Joined[] {
    const { group } = this.#settings
    const before = this.#joined.map((joined) => ({ joined, membership: joined.membership }))
    let table: NetworkInterfaces | undefined
    const isOwn = ({ on, by }: Joined): boolean => {
      table ??= this.#listed()
      const name = by && foundInterface(table, group, by)?.name
      // A zone that is not there would mean any interface to Linux.
      return name === on?.name || (name === undefined && group.family === 'IPv4')
    }
    const find = this.#finder()
    const gone = this.#members.flatMap((member) => member.sweep(find.same, isOwn, counted, lost))
    for (const { membership } of gone) this.#debug('lost by the system: %o', membership)
    const renamed = before.filter(({ joined, membership }) => joined.membership !== membership)
    for (const { joined, membership } of before) {
      if (gone.includes(joined) || joined.membership !== membership) {
        this.#onChange('lost', membership)
      }
    }
    // Only then, since interfaces can have swapped their names.
    for (const { joined } of renamed) if (!gone.includes(joined)) this.#tell('joined', joined)
    if (gone.length > 0) this.#isUnsettled = true
    return gone
  }

  /** The interfaces, or none where they cannot be listed. */
  #listed(): NetworkInterfaces {
    try {
      return this.#settings.networkInterfaces()
    } catch {
      // Whoever looks something up in them is told why.
      return {}
    }
  }

  /** Renews what the system has lost, as far as the interfaces are there, and strikes out the rest. */
  async #renew(): Promise<void> {
    const { group, createSocket } = this.#settings
    const gone = this.#strike(joinedOn(group, createSocket))
    const find = this.#finder()
    for (const { on, membership } of gone) {
      const now = on && find(on)
      if (now === undefined) continue
      try {
        const name = membership.interface === DEFAULT ? DEFAULT : now.name
        const { how, joined } = await this.#joinOne({ on: now, name }, membership.source)
        if (how === 'renewed') this.#tell('lost', joined)
        if (how !== 'joined') this.#tell('joined', joined)
      } catch (error) {
        this.#debug('not renewed: %s', reasonOf(error))
      }
    }
    this.#learn()
  }

  /** Finds what there is now of an interface, if that can be told; the table is read at the first call. */
  #finder(): ((on: Interface) => Interface | undefined) & {
    /** By its name, where an address was asked for that it may not have any more. */
    same(joined: Joined): Interface | undefined
    named(wanted: string): string | undefined
  } {
    const { group, networkInterfaces } = this.#settings
    let table: NetworkInterfaces | undefined
    const find = (wanted: string): Interface | undefined => {
      try {
        table ??= networkInterfaces()
      } catch {
        // Who needs it lists them again, and is told why that fails.
        return undefined
      }
      return foundInterface(table, group, wanted)
    }
    return Object.assign((on: Interface) => find(on.given ?? on.name), {
      same: ({ on }: Joined) => on && find(on.name),
      named: (wanted: string) => find(wanted)?.name,
    })
  }

  /** Notes which interfaces the new memberships are on, as the system numbers them. */
  #learn(): void {
    const members = this.#members.filter(({ isUnlearned }) => isUnlearned)
    if (members.length === 0) return
    const counted = joinedOn(this.#settings.group, this.#settings.createSocket) ?? []
    for (const member of members) member.learn(counted)
  }

  /** Leaves these, and closes what they alone have needed. */
  async #drop(leaving: readonly Joined[]): Promise<void> {
    const { group, createSocket } = this.#settings
    const counted = joinedOn(group, createSocket)
    const table = this.#listed()
    for (const member of this.#members) {
      let isLeft = true
      const all = [...member.joined]
      for (const joined of all.filter((one) => leaving.includes(one))) {
        const there = counted?.find(({ index }) => index === joined.index)
        const handles = waysToLeave(joined, all, there, group, table)
        if (!member.leave(joined, handles) && there !== undefined) isLeft = false
      }
      if (isLeft) continue
      // Closed, it has left everything.
      await this.#replace(member).catch((error) => this.#debug('not left: %s', reasonOf(error)))
    }
    this.#closeUnused()
  }

  /** Closes the sockets of zones in which nothing is joined; the last one tells the address, and stays. */
  #closeUnused(): void {
    if (!this.#hasZones) return
    for (const member of this.#members) {
      if (member.memberships.length > 0 || this.#members.length === 1) continue
      this.#members = this.#members.filter((other) => other !== member)
      this.#sockets.close(member.socket)
    }
  }

  /** Once, since it is what keeps most first programs from hearing anything. */
  #tellIfAlone(): void {
    const { group, networkInterfaces } = this.#settings
    if (this.#hasToldAlone || !this.#debug.enabled) return
    const table = networkInterfaces()
    const isLoopback = ({ interface: name }: Membership) =>
      table[name]?.every(({ internal }) => internal)
    if (!this.all.every(isLoopback)) return
    this.#hasToldAlone = true
    this.#debug(
      '%s is joined on the loopback interface alone: there is no other (docs/troubleshooting.md)',
      group.address,
    )
  }

  /**
   * Puts a new socket in the place of one that cannot hear or join any more. The old one is made deaf by
   * connecting it, and read for a while longer, so that nothing is lost and nothing is heard twice.
   */
  #replace(old: MemberSocket): Promise<MemberSocket> {
    const replacing = this.#replaced(old)
    this.#replacing = replacing.catch(() => {})
    return replacing
  }

  async #replaced(old: MemberSocket): Promise<MemberSocket> {
    const { reuseAddr, group, bindAddress } = this.#settings
    const { bound } = old
    const address = bindAddress ?? groupAddress(group, bound)
    this.#debug('replacing the socket on %s', address)
    // Until there is another, which may fail.
    old.isDeaf = true
    if (!reuseAddr) await this.#sockets.close(old.socket)
    // In one turn, so that neither hears for as short as can be.
    const deafening = reuseAddr ? deafened(old, this.#port.number, address) : Promise.resolve(false)
    const opening = this.#sockets.open({ address, port: this.#port.number, reuseAddr })
    const isDeafened = await deafening
    if (reuseAddr && !isDeafened) await this.#sockets.close(old.socket)
    const socket = await opening
    const member = this.#member(socket, bound, old)
    const find = this.#finder()
    for (const joined of [...old.joined]) {
      const { on } = joined
      try {
        // The same one, whatever has got its address.
        member.adopt(joined, on && (find.same(joined) ?? on))
      } catch (error) {
        this.#debug('not joined again: %s', reasonOf(error))
        this.#isUnsettled = true
        this.#tell('lost', joined)
      }
    }
    this.#learn()
    if (isDeafened) afterReading(old.socket, () => this.#sockets.close(old.socket))
    return member
  }

  /** Where to join; by what the system picks it is found out only where that is followed. */
  async #targets(wanted: Wanted): Promise<readonly Target[]> {
    const { group, networkInterfaces: list, followInterfaces } = this.#settings
    if (wanted === 'default') {
      if (!followInterfaces) return [{ on: undefined, name: DEFAULT }]
      const targets = await this.#where('default', list())
      if (targets.length > 0) return targets
      const why = `There is no route to ${group.address}, which 'default' would join by: add one, or name an interface`
      throw new MulticastError('ERR_MULTICAST_INTERFACE', why)
    }
    const networkInterfaces = this.#members.length === 0 ? list.again : list
    const on =
      wanted === 'all'
        ? listInterfaces(networkInterfaces(), group)
        : wantedInterfaces({ group, networkInterfaces }, wanted)
    return on.map(named)
  }

  /** Whether that is how joining is refused while the network changes, and not for ever. */
  #isPassing(error: unknown): boolean {
    const { code, cause } = error as MulticastError
    if (code === 'ERR_MULTICAST_INTERFACE') return true
    // No system comes to bind to a group that does not. An address may come, and is waited for where something
    // was named that is: with 'all' nobody has asked for it.
    const { bindAddress, interfaces } = this.#settings
    const isForGood = bindAddress === undefined ? !this.#hasZones : interfaces === 'all'
    return isOfChange(cause) && !(code === 'ERR_MULTICAST_BIND' && isForGood)
  }

  /** Whether there is a socket for each interface: the group is bound, and only with a zone. */
  get #hasZones(): boolean {
    return this.#settings.group.scoped && this.#settings.bindAddress === undefined
  }

  /** The socket that joins on that interface, opened if it is not yet. */
  async #socketFor(on: Interface | undefined): Promise<MemberSocket> {
    const { group, bindAddress, reuseAddr } = this.#settings
    const bound = this.#hasZones ? on : undefined
    const open = this.#members.find((member) => member.bound?.name === bound?.name)
    if (open?.isDeaf) return this.#replace(open)
    if (open !== undefined) return open
    const address = bindAddress ?? groupAddress(group, on)
    const socket = await this.#sockets.open({ address, port: this.#port.number, reuseAddr })
    if (process.platform === 'linux' && ![undefined, wildcard(group)].includes(bindAddress)) {
      this.#debug("bound to %s it hears no group on Linux: set bindAddress to 'any'", address)
    }
    this.#port.number = socket.address().port
    return this.#member(socket, bound && { name: bound.name, zone: bound.zone })
  }

  /** Has a socket's datagrams heard, which may take the place of another's. */
  #member(socket: DatagramSocket, bound: MemberSocket['bound'], old?: MemberSocket): MemberSocket {
    const member = new MemberSocket(socket, this.#settings, bound)
    this.#members =
      old === undefined
        ? [...this.#members, member]
        : this.#members.map((other) => (other === old ? member : other))
    this.#hear(socket, (remote) => {
      if (member.bound !== undefined) remote.interface = member.bound.name
      return member.admits(remote)
    })
    return member
  }

  /**
   * Linux filters an IPv6 group by the sources of its last join, whatever the interface: other sources
   * elsewhere would be refused without a word.
   */
  #checkSources(memberships: readonly Membership[], code: MulticastErrorCode): void {
    if (this.#settings.group.family === 'IPv4' || this.#hasZones) return
    const sources = new Map<string, Set<string>>()
    for (const { interface: name, source = 'any' } of memberships) {
      sources.set(name, (sources.get(name) ?? new Set()).add(source))
    }
    const distinct = new Set([...sources.values()].map((some) => [...some].sort().join()))
    if (distinct.size < 2) return
    throw new MulticastError(
      code,
      `An IPv6 group must have the same sources on each interface, and would have ${JSON.stringify(memberships)}: use a receiver for each interface`,
    )
  }

  #nameOf(wanted: string): string {
    const isKnown = this.all.some((membership) => membership.interface === wanted)
    if (isKnown || this.#asks.some((ask) => ask.wanted === wanted)) {
      const joined = this.#asks.find((ask) => ask.wanted === wanted)?.joined
      return this.#isHeld(joined) ? joined.membership.interface : wanted
    }
    if (wanted === 'default') return wanted
    // By an address that interfaces share, the system has joined on whichever it found.
    const by = this.#joined.find(({ on }) => on?.handle === wanted)
    if (by !== undefined) return by.membership.interface
    const { networkInterfaces, group } = this.#settings
    return findInterface(networkInterfaces(), group, wanted, 'interface').name
  }
}

const named = (on: Interface): Target => ({ on, name: on.name })

/** By what that can be left, and nothing else than that. */
function waysToLeave(
  joined: Joined,
  all: readonly Joined[],
  there: Counted | undefined,
  group: Group,
  table: NetworkInterfaces,
): readonly (string | undefined)[] {
  const { on, by } = joined
  if (on === undefined) return [undefined]
  // An interface that is down is not in the table.
  if (group.family === 'IPv6' && there !== undefined) return [`::%${there.name}`]
  const { own, shared, former } = handlesOf(table, group, on, by)
  // By an address that interfaces share, another one could be left that is joined on.
  const isAlone = all.every(
    (other) =>
      other.on === undefined ||
      other.on.name === on.name ||
      !handlesOf(table, group, other.on).shared.some((one) => shared.includes(one)),
  )
  // By one that no interface has any more, Linux forgets what the socket has joined first by it, and not that
  // the host has, which goes on reporting it.
  const isBy = (handle: string): boolean =>
    all.some((other) => other.by === handle && other.on?.name !== on.name)
  const gone = there === undefined ? former.filter((handle) => !isBy(handle)) : []
  return [...own, ...(isAlone ? shared : []), ...gone]
}

/**
 * Connected to its own group and port, a socket is delivered nothing more; what it holds is still read.
 * Tells whether that could be done: without a route to the group it takes an interface to be there.
 */
function deafened(
  { socket, joined }: MemberSocket,
  port: number,
  address: string,
): Promise<boolean> {
  for (const { on } of joined) {
    try {
      if (on !== undefined) socket.setMulticastInterface(on.handle)
    } catch {
      // Another one will do.
    }
  }
  // It fails where the socket is connected already, or closed: it was replaced in vain before.
  return connected(socket, port, address).then(
    () => true,
    () => false,
  )
}

/** Milliseconds in which a loop that is not blocked reads what waits in a socket. */
const READING = 20

/**
 * Calls back once what waits in a socket that is delivered nothing more has been read. By a clock that no
 * test can have faked, and that does not keep the process alive.
 */
function afterReading(socket: DatagramSocket, done: () => void): void {
  // A timer that was late because the loop was blocked fires before the sockets are read: so it takes two,
  // and one more after each in which something came.
  let rounds = 2
  socket.on('message', () => {
    rounds ||= 1
  })
  const round = (): void => {
    if (rounds > 0) AbortSignal.timeout(READING).addEventListener('abort', round)
    else done()
    rounds -= 1
  }
  round()
}

/** Refuses what a socket cannot have joined beside what it has. */
function checkMix(
  { address }: Group,
  joined: readonly Membership[],
  { interface: name, source }: Membership,
): void {
  // Asked for a source, Linux would turn a membership for every sender into one for that source.
  const [same] = joined.filter((membership) => membership.interface === name)
  if (same !== undefined && (same.source === undefined) !== (source === undefined)) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is joined on ${name} already, and cannot be both for every sender and for one: leave ${JSON.stringify(same)} first`,
    )
  }
  // Left by default, Linux takes the membership on the route's interface for the one that is meant,
  // over IPv6 the last one of the group on any.
  const other = joined.find(
    (membership) => (membership.interface === 'default') !== (name === 'default'),
  )
  if (other !== undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_JOIN',
      `${address} is joined on ${other.interface} already, and the system could not tell 'default' from an interface that is named: leave the one first, or name all`,
    )
  }
}

function noInterface({ family }: Group): MulticastError {
  return new MulticastError(
    'ERR_MULTICAST_INTERFACE',
    `There is no interface with an ${family} address to join on: bring one up, or set interfaces to 'default'`,
  )
}
