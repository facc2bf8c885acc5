import { isIP } from 'node:net'
import { canonicalIPv6, isMulticast, splitZone } from '../address.js'
import { MulticastError, shown } from '../errors.js'
import { type Family, familyOf, isLinkLocal, isWildcard } from '../stack/scope.js'

/** The address of one host, in its canonical form; `option` says in the error what it is. */
export function parseHost(value: unknown, option: string): string {
  const [given, zone] = typeof value === 'string' ? splitZone(value) : ['']
  const version = isIP(given)
  const address = version === 6 ? canonicalIPv6(given) : given
  const isZoned = zone !== undefined
  const isRefused =
    version === 0 ||
    isMulticast(address) ||
    isWildcard(address) ||
    address === '255.255.255.255' ||
    // A socket of IPv6 alone reaches none of them.
    address.startsWith('::ffff:') ||
    (isZoned && (version === 4 || zone === '')) ||
    // It is another host on each link.
    (isLinkLocal(address) && !isZoned)
  if (!isRefused) return isZoned ? `${address}%${zone}` : address
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    `${option} must be the unicast address of one host, such as '10.0.0.2', 'fd00::2' or 'fe80::2%eth0', but is ${shown(value)}: look names up first`,
  )
}

/** The hosts to which each datagram to a group is copied. */
export class Peers {
  /** As they were given, in their canonical form, once each. */
  readonly all: readonly string[]
  readonly #known: ReadonlySet<string>
  readonly #isOwn: (address: string) => boolean

  /** Throws a MulticastError where they are no list of addresses. */
  constructor(list: unknown, isOwn: (address: string) => boolean) {
    if (!Array.isArray(list)) {
      throw new MulticastError(
        'ERR_MULTICAST_OPTION',
        `peers must be a list of addresses, but is ${shown(list)}`,
      )
    }
    this.#known = new Set(list.map((peer) => parseHost(peer, 'A peer')))
    this.all = Object.freeze([...this.#known])
    this.#isOwn = isOwn
  }

  /** Whether it is one of them, and not this host. */
  has(address: string): boolean {
    return this.#known.has(address) && !this.#isOwn(address)
  }

  /** Those of that family but this host. */
  of(family: Family): readonly string[] {
    return this.all.filter((peer) => familyOf(peer) === family && !this.#isOwn(peer))
  }

  /** Whether a group of that family may be heard by one of them; with none at all, by those that will come. */
  mayHear(family: Family): boolean {
    return this.all.length === 0 || this.all.some((peer) => familyOf(peer) === family)
  }

  /** The peer of that address, with its zone if it has one. */
  zoned(address: string): string | undefined {
    return this.all.find((peer) => splitZone(peer)[0] === address)
  }
}
