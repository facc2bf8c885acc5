import os, { networkInterfaces } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Debugger } from 'debug'
import { MulticastError, reasonOf, shown } from './errors.js'
import { interfaceNumbers } from './igmp.js'
import type { Lister, NetworkInterfaces } from './interfaces.js'

/** Calls back at each change of the interfaces, and returns what ends that. */
export type WatchInterfaces = (onChange: (lost: readonly string[]) => void) => () => void

/** What a look at the interfaces has found. */
export interface Sight {
  /** Whether there is something to do: the table is another than before, or was at the look before. */
  readonly isNew: boolean
  /** The interfaces whose memberships the carrier says are gone; undefined where nobody tells. */
  readonly lost: readonly string[] | undefined
  /** Whether the host's memberships were read with it, as {@link joinedOn} tells them. */
  readonly isCounted: boolean
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
  const table = new Table(lister)
  const onChange = (lost: unknown): void => {
    // A carrier that tells of a change when its table is read would be asked for it without an end.
    if (lister.isReading) return
    const { returned } = table.read()
    const names = Array.isArray(lost) ? lost.map(String) : undefined
    follower({ isNew: true, lost: names, isCounted: false, returned })()
  }
  let stop: unknown
  try {
    stop = watchInterfaces(onChange)
  } catch (cause) {
    const why = `The network interfaces could not be watched: ${reasonOf(cause)}`
    throw new MulticastError('ERR_MULTICAST_INTERFACE', why, { cause })
  }
  if (typeof stop !== 'function') {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `watchInterfaces must return a function that ends the watching, but returned ${shown(stop)}`,
    )
  }
  return () => {
    try {
      stop()
    } catch (error) {
      debug('the watching of the interfaces could not be ended: %s', reasonOf(error))
    }
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
    return () => {
      this.#followers.delete(follower)
      if (this.#followers.size === 0) looks.delete(this.#list)
    }
  }

  /** By a clock that no test can have faked, and that does not keep the process alive. */
  #arm(): void {
    AbortSignal.timeout(PERIOD).addEventListener('abort', () => {
      // Its successor looks in its place.
      if (looks.get(this.#list) !== this) return
      this.#arm()
      this.#look()
    })
  }

  #look(): void {
    const { isNew, returned, names } = this.#table.read()
    const ahead = clockAhead()
    const hasSlept = ahead - this.#ahead >= SLEPT
    this.#ahead = ahead
    const sight: Sight = {
      // A change is not the end of it: an address needs a moment until it can be used.
      isNew: isNew || this.#wasNew,
      lost: undefined,
      isCounted: this.#list === networkInterfaces,
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
    return os.uptime() * 1000 - performance.now()
  } catch {
    // Not every sandbox lets it be asked.
    return 0
  }
}

/** The table of interfaces as it was read last, to compare it with. */
class Table {
  readonly #list: () => NetworkInterfaces
  #text: string | undefined
  #names: ReadonlySet<string> = new Set()

  constructor(list: () => NetworkInterfaces) {
    this.#list = list
    this.read()
  }

  read(): { isNew: boolean; returned: readonly string[]; names: readonly string[] } {
    let table: NetworkInterfaces
    try {
      table = this.#list()
    } catch {
      // Whoever looks something up in it is told why.
      return { isNew: false, returned: [], names: [] }
    }
    const lines = Object.entries(table).map(([name, infos = []]) =>
      [
        name,
        ...infos.map((info) => `${info.address} ${'scopeid' in info ? info.scopeid : ''}`),
      ].join(),
    )
    // An interface that was made anew may have the name and the addresses of the old.
    const numbers = this.#list === networkInterfaces ? interfaceNumbers() : ''
    const text = [...lines, numbers].join('\n')
    const isNew = this.#text !== undefined && text !== this.#text
    this.#text = text
    const names = Object.keys(table)
    const returned = names.filter((name) => !this.#names.has(name))
    this.#names = new Set(names)
    return { isNew, returned, names }
  }
}
