import { performance } from 'node:perf_hooks'
import { splitZone } from './address.js'
import type { NetworkInterfaces } from './interfaces.js'

/** The addresses of this host, read again once they are a second old: to read them is dear. */
export class OwnAddresses {
  readonly #list: () => NetworkInterfaces
  #known: ReadonlySet<string> = new Set()
  #isLoopbackOwn = true
  #readAt = Number.NEGATIVE_INFINITY

  constructor(list: () => NetworkInterfaces) {
    this.#list = list
  }

  /** Whether an address, with a zone or without, is one of them, or a loopback address. */
  has(given: string): boolean {
    const [address] = splitZone(given)
    if (address === '::1') return true
    const now = performance.now()
    if (now - this.#readAt > 1000) {
      const entries = Object.values(this.#list()).flatMap((infos = []) => infos)
      this.#known = new Set(entries.map((info) => info.address))
      // A carrier may have a host at each of them.
      this.#isLoopbackOwn = !entries.some(
        ({ address, internal }) => address.startsWith('127.') && !internal,
      )
      this.#readAt = now
    }
    return this.#known.has(address) || (this.#isLoopbackOwn && address.startsWith('127.'))
  }
}
