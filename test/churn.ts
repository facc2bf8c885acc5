/** Random changes of the interfaces here, for tests of what follows them. */
import { writeFileSync } from 'node:fs'
import type { Host } from './lab.js'
import type { Pick } from './picks.js'

/** A cable whose two ends are here, of which one has addresses. */
interface Cable {
  readonly at: number
  /** The name that the end has now; undefined while there is no cable. */
  name: string | undefined
}

/** What may happen to one cable, and how often beside the others. */
const kinds = {
  delete: 2,
  'make anew': 3,
  'make anew with the same index': 3,
  'make anew twice': 1,
  'make anew with another address': 1,
  'take down': 1,
  'take down and up': 1,
  'take the far end down': 1,
  'take the far end down and up': 1,
  'take IPv4 away': 1,
  'take IPv6 away': 1,
  'change the addresses': 2,
  'add addresses': 1,
  'share an address': 1,
  'move an address': 1,
  rename: 2,
  'rename while it is down': 1,
  'swap names': 1,
  'switch IPv6 off': 1,
  'switch IPv6 off and on': 1,
  'move the route': 2,
  'take the route away': 1,
  restore: 6,
} as const

const weighted = Object.entries(kinds).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind as keyof typeof kinds),
)

/** Cables here that come, go and change. */
export class Churn {
  readonly #here: Host
  readonly #pick: Pick
  readonly #cables: readonly Cable[]
  /** The names that interfaces have had that have another now. */
  readonly renamed = new Set<string>()

  constructor(here: Host, pick: Pick, count: number) {
    this.#here = here
    this.#pick = pick
    // The far ends are to have nothing of IPv6, not even a route.
    switchIPv6('default', false)
    this.#cables = Array.from({ length: count }, (_, at) => ({ at, name: undefined }))
  }

  /** Makes one change, and tells which. */
  change(): string {
    const cable = this.#pick(...this.#cables)
    const kind = cable.name === undefined ? 'restore' : this.#pick(...weighted)
    this.#do(kind, cable)
    return `${kind} ${cable.at}`
  }

  /** Has every cable there, with its first name and addresses, and the route by the first. */
  restore(): void {
    for (const cable of this.#cables) this.#do('restore', cable)
    this.#here.ip('route replace default dev e0')
  }

  /** Has none there. */
  clear(): void {
    for (const cable of this.#cables) if (cable.name !== undefined) this.#do('delete', cable)
  }

  #do(kind: keyof typeof kinds, cable: Cable): void {
    const { at, name = '' } = cable
    const ip = (...commands: string[]): string => this.#here.ip(...commands)
    const other = this.#pick(2, 3, 4, 5)
    switch (kind) {
      case 'delete':
        cable.name = undefined
        ip(`link del dev ${name}`)
        return
      case 'make anew':
        ip(`link del dev ${name}`, ...made(at, name))
        this.#dress(cable)
        return
      case 'make anew with the same index': {
        const [, index] = /^(\d+):/.exec(ip(`link show dev ${name}`)) ?? []
        ip(`link del dev ${name}`, ...made(at, name, Number(index)))
        this.#dress(cable)
        return
      }
      case 'make anew twice':
        for (let times = 0; times < 2; times += 1) this.#do('make anew', cable)
        return
      case 'make anew with another address':
        ip(`link del dev ${name}`, ...made(at, name))
        this.#dress(cable, other)
        return
      case 'take down':
        ip(`link set dev ${name} down`)
        return
      case 'take down and up':
        ip(`link set dev ${name} down`)
        this.#dress(cable)
        return
      case 'take the far end down':
        ip(`link set dev p${at} down`)
        return
      case 'take the far end down and up':
        ip(`link set dev p${at} down`, `link set dev p${at} up`)
        return
      case 'take IPv4 away':
        ip(bare4(name))
        return
      case 'take IPv6 away':
        ip(bare6(name))
        return
      case 'change the addresses':
        ip(bare4(name), bare6(name))
        this.#dress(cable, other)
        return
      case 'add addresses':
        this.#dress(cable, other)
        return
      case 'share an address':
        ip(
          bare4(name),
          `addr replace 10.0.${this.#pick(...this.#cables).at}.1/24 dev ${name}`,
          `link set dev ${name} up`,
        )
        return
      case 'move an address': {
        const second = this.#pick(...this.#cables.filter((one) => one !== cable && one.name))
        if (second?.name === undefined) return
        ip(bare4(name), bare6(name), bare4(second.name), bare6(second.name))
        this.#dress({ at, name: second.name })
        return
      }
      case 'rename':
        this.#rename(cable, name.startsWith('e') ? `x${at}` : `e${at}`)
        return
      case 'rename while it is down':
        ip(`link set dev ${name} down`)
        this.#rename(cable, name.startsWith('e') ? `x${at}` : `e${at}`)
        this.#dress(cable)
        return
      case 'swap names': {
        const second = this.#pick(...this.#cables.filter((one) => one !== cable && one.name))
        if (second?.name === undefined) return
        cable.name = second.name
        second.name = name
        this.renamed.add(name).add(cable.name)
        ip(
          `link set dev ${name} name between`,
          `link set dev ${cable.name} name ${name}`,
          `link set dev between name ${cable.name}`,
        )
        return
      }
      case 'switch IPv6 off':
        switchIPv6(name, false)
        return
      case 'switch IPv6 off and on':
        switchIPv6(name, false)
        this.#dress(cable)
        return
      case 'move the route':
        ip(`link set dev ${name} up`, `route replace default dev ${name}`)
        return
      case 'take the route away':
        ip('route flush default')
        return
      case 'restore': {
        const own = `e${at}`
        const squatter = this.#cables.find((one) => one !== cable && one.name === own)
        if (squatter !== undefined) this.#rename(squatter, `y${squatter.at}`)
        if (cable.name === undefined) {
          ip(...made(at, own))
          cable.name = own
        } else {
          if (cable.name !== own) this.#rename(cable, own)
          ip(bare4(own), bare6(own))
        }
        this.#dress(cable)
      }
    }
  }

  #dress({ at, name = '' }: Cable, own = 1): void {
    switchIPv6(name, true)
    this.#here.ip(...dressed(at, name, own))
  }

  #rename(cable: Cable, to: string): void {
    if (this.#cables.some(({ name }) => name === to)) return
    this.#here.ip(`link set dev ${cable.name} name ${to}`)
    this.renamed.add(`${cable.name}`).add(to)
    cable.name = to
  }
}

function made(at: number, name: string, index?: number): string[] {
  const number = index === undefined ? '' : ` index ${index}`
  return [`link add dev ${name}${number} type veth peer name p${at}`]
}

function dressed(at: number, name: string, own = 1): string[] {
  return [
    `link set dev ${name} addrgenmode none`,
    `link set dev p${at} addrgenmode none`,
    `addr replace 10.0.${at}.${own}/24 dev ${name}`,
    `link set dev ${name} up`,
    `link set dev p${at} up`,
    `addr replace fd0${at}::${own}/64 dev ${name} nodad`,
    `addr replace fe80::${at}${own}/64 dev ${name} nodad`,
  ]
}

const bare4 = (name: string): string => `addr flush dev ${name} to 0.0.0.0/0`
const bare6 = (name: string): string => `addr flush dev ${name} to ::/0`

function switchIPv6(name: string, isOn: boolean): void {
  writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, isOn ? '0' : '1')
}
