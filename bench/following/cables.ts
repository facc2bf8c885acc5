import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

const ip = (...lines: string[]) =>
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n'), stdio: ['pipe', 2, 2] })

/** Virtual interfaces with one IPv4 address each, whose other ends are here too and have none. */
export class Cables {
  #count = 0
  #isRenewed = false

  constructor() {
    ip('link set lo up')
    // By default a socket may join on 20.
    writeFileSync('/proc/sys/net/ipv4/igmp_max_memberships', '1000')
  }

  /** Plugs in what is missing to so many. */
  plug(count: number): void {
    for (; this.#count < count; this.#count += 1) make(`near${this.#count}`, this.#count)
  }

  /** Makes one more interface, anew if there was one. Returns its address. */
  renew(): string {
    if (this.#isRenewed) ip('link del new')
    this.#isRenewed = true
    return make('new', 255)
  }
}

function make(name: string, number: number): string {
  const address = `10.71.${number}.1`
  ip(
    `link add ${name} type veth peer name far${number}`,
    // No addresses of IPv6, which would come a while later.
    `link set ${name} addrgenmode none`,
    `link set far${number} addrgenmode none`,
    `address add ${address}/24 dev ${name}`,
    `link set ${name} up`,
    `link set far${number} up`,
  )
  return address
}
