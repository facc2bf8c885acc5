import os, { networkInterfaces } from 'node:os'
import type { Debugger } from 'debug'
import { MulticastError, reasonOf, shown } from './errors.js'
import { type JoinedLook, lookAtJoined } from './igmp.js'
import {
  type Lister,
  type NetworkInterfaces,
  type WatchInterfaces,
  withoutLabel,
} from './interfaces.js'

/** What a look at the interfaces has found. */
export interface Sight {
  /** Whether there is something to do: the table is another than before, or was at the look before. */
  readonly isNew: boolean
  /** The interfaces whose memberships the carrier says are gone; undefined where nobody tells. */
  readonly lost: readonly string[] | undefined
  /** Whether the host's memberships were looked at with it, as {@link joinedOn} tells them. */
  readonly isCounted: boolean
  /** Whether they are others than before. */
  readonly isJoinedNew: boolean
  /** The interfaces on whose networks nobody may know any more what is joined. */
  readonly returned: readonly string[]
}

/** Told of each look, at once; what it returns is called when all have been told. */
export type Follower = (sight: Sight) => () => void

/** Where the interfaces are listed and watched. */
interface Watched {
  readonly networkInterfaces: Lister
  readonly watchInterfaces: WatchInterfaces | undefined
}

/**
 * Lets `follower` know of each look at the interfaces, or of each change where the carrier tells of them,
 * until what it returns is called. Throws a MulticastError where the carrier does not let itself be watched.
 * @internal
 */
export function watch(
  { networkInterfaces: lister, watchInterfaces }: Watched,
  debug: Debugger,
  follower: Follower,
): () => void {
  if (watchInterfaces === undefined) return lookOf(lister.list).follow(follower)
  const told = new Told(lister, follower)
  let stop: unknown
  try {
    stop = watchInterfaces((lost) => told.change(lost))
  } catch (cause) {
    told.end()
    const why = `The network interfaces could not be watched: ${reasonOf(cause)}`
    throw new MulticastError('ERR_MULTICAST_INTERFACE', why, { cause })
  }
  if (typeof stop !== 'function') {
    told.end()
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `watchInterfaces must return a function that ends it, but returned ${shown(stop)}`,
    )
  }
  return () => {
    told.end()
    try {
      stop()
    } catch (error) {
      debug('the watching of the interfaces could not be ended: %s', reasonOf(error))
    }
  }
}

/** Changes that are acted on at once; what is told beyond waits until the loop has turned. */
const AT_ONCE = 1000

/** The changes that a carrier tells of, which may do so whenever its table is read, and without an end. */
class Told {
  readonly #lister: Lister
  readonly #follower: Follower
  readonly #table: Table
  /** Since the loop has turned. */
  #changes = 0
  /** What is lost and not told yet; undefined if nobody knows. */
  #lost: readonly string[] | undefined = []
  #isOver = false

  constructor(lister: Lister, follower: Follower) {
    this.#lister = lister
    this.#follower = follower
    this.#table = new Table(lister)
  }

  change(lost: unknown): void {
    if (this.#isOver || this.#lister.isReading) return
    const names = Array.isArray(lost) ? lost.filter((name) => typeof name === 'string') : undefined
    this.#lost = names && this.#lost && [...new Set([...this.#lost, ...names])]
    this.#changes += 1
    if (this.#changes === 1) this.#arm()
    if (this.#changes <= AT_ONCE) this.#act()
  }

  end(): void {
    this.#isOver = true
  }

  /** By a clock that no test can have faked. */
  #arm(): void {
    AbortSignal.timeout(0).addEventListener('abort', () => {
      const isLate = this.#changes > AT_ONCE
      this.#changes = 0
      if (isLate && !this.#isOver) this.#act()
    })
  }

  #act(): void {
    const lost = this.#lost
    this.#lost = []
    const { returned } = this.#table.read()
    this.#follower({ isNew: true, lost, isCounted: false, isJoinedNew: false, returned })()
  }
}

/** Milliseconds between two looks. */
const PERIOD = 2000

/** Milliseconds by which the machine's clock is ahead of the process's if it has slept. */
const SLEPT = 10_000

/** The looks that somebody follows, by what is looked at: one for all that are over node:dgram. */
const looks = new Map<() => NetworkInterfaces, Look>()

function lookOf(list: () => NetworkInterfaces): Look {
  const look = looks.get(list) ?? new Look(list)
  looks.set(list, look)
  return look
}

/** Looks at the interfaces again and again while somebody follows. */
class Look {
  readonly #list: () => NetworkInterfaces
  readonly #table: Table
  readonly #followers = new Set<Follower>()
  #wasNew = false
  #ahead = clockAhead()

  constructor(list: () => NetworkInterfaces) {
    this.#list = list
    this.#table = new Table(list)
    this.#arm()
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** By a clock that no test can have faked, and that does not keep the process alive. */
  #arm(): void {
    AbortSignal.timeout(PERIOD).addEventListener('abort', () => {
      if (this.#followers.size === 0) {
        looks.delete(this.#list)
        return
      }
      this.#arm()
      this.#look()
    })
  }

  #look(): void {
    const { isNew, isJoinedNew, returned, names } = this.#table.read()
    const ahead = clockAhead()
    const hasSlept = ahead - this.#ahead >= SLEPT
    this.#ahead = ahead
    const sight: Sight = {
      // A change is not the end of it: an address needs a moment until it can be used.
      isNew: isNew || this.#wasNew,
      lost: undefined,
      isCounted: this.#list === networkInterfaces,
      isJoinedNew,
      returned: hasSlept ? names : returned,
    }
    this.#wasNew = isNew
    const rest = [...this.#followers].map((follower) => follower(sight))
    for (const finish of rest) finish()
  }
}

/** By how much the machine has been up for longer than the process's clock has run, which stands in sleep. */
function clockAhead(): number {
  try {
    return (os.uptime() - process.uptime()) * 1000
  } catch {
    // Not every sandbox lets it be asked.
    return 0
  }
}

/** The table of interfaces as it was read last, to compare it with. */
class Table {
  readonly #list: () => NetworkInterfaces
  #text: string | undefined
  #joined: JoinedLook = { numbers: '', version: 0 }
  /** What each interface was, and the families that it had an address of. */
  #hardware: ReadonlySet<string> = new Set()

  constructor(list: () => NetworkInterfaces) {
    this.#list = list
    this.read()
  }

  read(): Pick<Sight, 'isNew' | 'isJoinedNew' | 'returned'> & { names: readonly string[] } {
    let table: NetworkInterfaces
    try {
      table = this.#list()
    } catch {
      // Whoever looks something up in it is told why.
      return { isNew: false, isJoinedNew: false, returned: [], names: [] }
    }
    const lines = Object.entries(table).map(([name, infos = []]) =>
      [
        name,
        ...infos.map(
          (info) => `${info.address} ${info.mac} ${'scopeid' in info ? info.scopeid : ''}`,
        ),
      ].join(),
    )
    const text = lines.join('\n')
    const isOther = this.#text !== undefined && text !== this.#text
    this.#text = text
    // An interface that was made anew may have the name and the addresses of the old.
    const joined = this.#joined
    if (this.#list === networkInterfaces) this.#joined = lookAtJoined(isOther)
    const isNew = isOther || this.#joined.numbers !== joined.numbers
    const isJoinedNew = this.#joined.version !== joined.version
    // By family, since one can be switched off alone: Linux may forget then for which sources it is joined.
    // By hardware too, since an interface that was made anew may have the number of the old: then what one
    // socket has joined again hides that others have not.
    const before = this.#hardware
    const now = Object.entries(table).flatMap(([label, infos = []]) => {
      const name = withoutLabel(label)
      return infos.map(({ family, mac }) => ({ name, key: `${family} ${name} ${mac}` }))
    })
    this.#hardware = new Set(now.map(({ key }) => key))
    const returned = [...new Set(now.flatMap(({ name, key }) => (before.has(key) ? [] : name)))]
    const names = [...new Set(now.map(({ name }) => name))]
    return { isNew, isJoinedNew, returned, names }
  }
}
