import { MulticastError } from '../errors.js'
import type { Link } from '../stack/link.js'

/** The segments of a network, and the routers between them. */
export class Segments {
  /** How many interfaces each has been given addresses for. */
  readonly #interfaces = new Map<string, number>()
  /** The segment that each link is plugged into; loopback interfaces have none. */
  readonly #plugged = new WeakMap<Link, string | undefined>()
  readonly #routers: (readonly string[])[] = []
  /** From a segment to each that routers lead to, with their number on the shortest way. */
  readonly #reach = new Map<string, ReadonlyMap<string, number>>()

  /** Addresses for the next interface of a segment: unlike those of all others. */
  addressesOn(segment: string): readonly string[] {
    const interfaces = (this.#interfaces.get(segment) ?? 0) + 1
    this.#interfaces.set(segment, interfaces)
    const net = [...this.#interfaces.keys()].indexOf(segment)
    if (net > 255 || interfaces > 65_534) {
      throw new MulticastError(
        'ERR_MULTICAST_OPTION',
        'Automatic addresses suffice for 256 segments of 65,534 interfaces each: give further interfaces addresses',
      )
    }
    const [high, low, hex] = [interfaces >> 8, interfaces & 255, interfaces.toString(16)]
    return [`10.${net}.${high}.${low}/16`, `fd00:${net.toString(16)}::${hex}/64`, `fe80::${hex}/64`]
  }

  /** Plugs a link into a segment, or into none. */
  plug(link: Link, segment: string | undefined): void {
    this.#plugged.set(link, segment)
  }

  /** The segment that a link is plugged into. */
  of(link: Link): string | undefined {
    return this.#plugged.get(link)
  }

  /** Puts a router between segments. */
  connect(segments: readonly string[]): void {
    this.#routers.push(segments)
    this.#reach.clear()
  }

  /** The segments that are reached from one, that one included, with the routers on the way. */
  from(segment: string): ReadonlyMap<string, number> {
    const known = this.#reach.get(segment)
    if (known !== undefined) return known
    const reach = new Map([[segment, 0]])
    // A map goes on with what is added meanwhile, so the nearest come first.
    for (const [near, routers] of reach) {
      for (const far of this.#routers.filter((router) => router.includes(near)).flat()) {
        if (!reach.has(far)) reach.set(far, routers + 1)
      }
    }
    this.#reach.set(segment, reach)
    return reach
  }
}
