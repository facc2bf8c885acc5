import type { Joined } from './member-socket.js'
import type { Wanted } from './wanted.js'

/** One thing that is to be joined wherever it is. */
export interface Ask {
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
  readonly source: string | undefined
}

/** What a receiver is kept true to: what its options and its calls of `join` ask for, without what was left. */
export class Asks {
  #all: readonly Ask[] = []
  #exceptions: readonly Exception[] = []

  get all(): readonly Ask[] {
    return this.#all
  }

  /** Asks for that too, as far as it is new, and again for what of it was left. `nameOf` looks an interface up. */
  add(
    wanted: Wanted,
    sources: readonly (string | undefined)[] = [undefined],
    nameOf: (wanted: string) => string | undefined,
  ): void {
    const names = typeof wanted === 'string' ? [wanted] : wanted
    const asked = names.flatMap((name) =>
      sources.map((source) => ({ wanted: name, source, told: new Map() })),
    )
    const isNew = ({ wanted, source }: Ask) =>
      !this.#all.some((ask) => ask.wanted === wanted && ask.source === source)
    this.#all = [...this.#all, ...asked.filter(isNew)]
    this.#exceptions = this.#exceptions.filter(
      ({ name, source }) =>
        !asked.some(
          (ask) =>
            (ask.wanted === 'all' || ask.wanted === name || nameOf(ask.wanted) === name) &&
            ask.source === source,
        ),
    )
  }

  /** Asks for these no more. */
  withdraw(these: readonly Ask[]): void {
    this.#all = this.#all.filter((ask) => !these.includes(ask))
  }

  /** From now on `'all'` does not mean that: for the source, or where none is given for any of its own. */
  except(name: string, source: string | undefined): void {
    const left = this.#all.filter(
      (ask) =>
        ask.wanted === 'all' &&
        (source === undefined || ask.source === source) &&
        !this.isExcepted(ask, name),
    )
    this.#exceptions = [...this.#exceptions, ...left.map((ask) => ({ name, source: ask.source }))]
  }

  /** Whether that was left by hand, and is asked for only together with all others. */
  isExcepted({ wanted, source }: Ask, name: string): boolean {
    const isOf = (one: Exception): boolean => one.name === name && one.source === source
    return wanted === 'all' && this.#exceptions.some(isOf)
  }
}
