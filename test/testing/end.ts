/** The interfaces of a host that change while a program runs. */
import type {
  AddressDetails,
  ConformanceHost,
  ConformanceInterfaces,
} from '../../src/testing/conformance/network.js'

/** The hosts whose interfaces change. */
export type Changing = 'near' | 'other'

export const linkStates = ['up', 'down', 'removed'] as const
export type LinkState = (typeof linkStates)[number]

/** An address that is taken from an interface, or added to it. */
interface Movable {
  readonly on: 'e0' | 'e1'
  readonly address: string
  readonly details?: AddressDetails
  /** Whether the interface has it at first. */
  readonly isThere?: true
}

/** Not the first IPv4 address of a subnet that has more, with which Linux takes the others. */
export const movables: Readonly<Record<Changing, readonly Movable[]>> = {
  near: [
    { on: 'e1', address: '10.0.1.1/24', isThere: true },
    { on: 'e1', address: 'fd01::1/64', isThere: true },
    { on: 'e1', address: 'fe80::1/64', isThere: true },
    { on: 'e1', address: 'fd01::9/64' },
    { on: 'e1', address: '10.0.9.1/24', details: { label: 'e1:1' } },
    { on: 'e1', address: '169.254.7.1/16' },
    { on: 'e0', address: '169.254.8.1/24', details: { scope: 'link' } },
    { on: 'e0', address: '10.0.0.50/24' },
    // In the subnet of another interface.
    { on: 'e1', address: '10.0.0.9/25' },
    { on: 'e0', address: '10.0.1.8/24' },
    { on: 'e0', address: 'fd01::8/120' },
    { on: 'e0', address: '2001:db8::9/64' },
    // One address on two.
    { on: 'e0', address: '10.0.5.1/32' },
    { on: 'e1', address: '10.0.5.1/32' },
  ],
  other: [
    { on: 'e1', address: '10.0.1.3/24', isThere: true },
    { on: 'e1', address: 'fd01::2/64', isThere: true },
    { on: 'e1', address: 'fd01::3/64', isThere: true },
    { on: 'e1', address: 'fe80::2/64', isThere: true },
    { on: 'e1', address: '10.0.9.2/24', details: { scope: 'link' } },
  ],
}

/** The interfaces of a host, which know what state they are in. */
export class Ends {
  readonly #control: ConformanceInterfaces
  #state: LinkState = 'up'
  readonly #present: Set<Movable>

  constructor(name: Changing, { interfaces }: ConformanceHost) {
    this.#control = interfaces as ConformanceInterfaces
    this.#present = new Set(movables[name].filter(({ isThere }) => isThere))
  }

  /** Whether `e1` is there, up or down. */
  get hasE1(): boolean {
    return this.#state !== 'removed'
  }

  /** Takes `e1` up, down or away. */
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

  async toggle(movable: Movable): Promise<string> {
    const { on, address, details } = movable
    const isTaken = this.#present.delete(movable)
    if (isTaken) await this.#control.removeAddress(on, address)
    else {
      this.#present.add(movable)
      await this.#control.addAddress(on, address, details)
    }
    return `${isTaken ? 'loses' : 'gets'} ${address}`
  }
}
