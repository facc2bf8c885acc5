/** The interface of a host that changes while a program runs. */
import type {
  ConformanceHost,
  ConformanceInterfaces,
} from '../../src/testing/conformance/network.js'

/** The hosts whose interfaces change. */
export type Changing = 'near' | 'other'

export const linkStates = ['up', 'down', 'removed'] as const
export type LinkState = (typeof linkStates)[number]

/** What is taken from `e1`, or added. Not a first IPv4 address, with which Linux takes the others. */
export const addresses = {
  near: { has: ['10.0.1.1/24', 'fd01::1/64', 'fe80::1/64'], lacks: ['10.0.9.1/24', 'fd01::9/64'] },
  other: { has: ['10.0.1.3/24', 'fd01::2/64', 'fd01::3/64', 'fe80::2/64'], lacks: ['10.0.9.2/24'] },
}

/** The interface `e1` of a host, which knows what state it is in. */
export class End {
  readonly #control: ConformanceInterfaces
  #state: LinkState = 'up'
  readonly #lacking: Set<string>

  constructor(name: Changing, { interfaces }: ConformanceHost) {
    this.#control = interfaces as ConformanceInterfaces
    this.#lacking = new Set(addresses[name].lacks)
  }

  /** Whether the interface is there, up or down. */
  get isThere(): boolean {
    return this.#state !== 'removed'
  }

  async take(to: LinkState): Promise<string> {
    const from = this.#state
    // One that is removed cannot be taken down.
    if (from === to || (from === 'removed' && to === 'down')) return `is ${from}`
    if (to === 'down') await this.#control.down('e1')
    else if (to === 'removed') await this.#control.remove('e1')
    else await (from === 'down' ? this.#control.up('e1') : this.#control.add('e1'))
    this.#state = to
    return to
  }

  async toggle(address: string): Promise<string> {
    const isAdded = this.#lacking.delete(address)
    if (isAdded) await this.#control.addAddress('e1', address)
    else {
      this.#lacking.add(address)
      await this.#control.removeAddress('e1', address)
    }
    return `${isAdded ? 'gets' : 'loses'} ${address}`
  }
}
