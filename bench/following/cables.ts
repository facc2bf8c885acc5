import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

/** Virtual interfaces, each with one IPv4 address, of which two at a time are the ends of one cable. */
export class Cables {
  #count = 0
  #isRenewed = false

  constructor() {
    ip('link set lo up')
    // By default a socket may join on 20.
    writeFileSync('/proc/sys/net/ipv4/igmp_max_memberships', '1000')
  }

  /** Plugs in what is missing to so many interfaces, beside the loopback interface. */
  plug(count: number): void {
    for (; this.#count < count; this.#count += 2) make(`e${this.#count}`, `e${this.#count + 1}`)
    for (let at = 0; at < count; at += 1) ip(`address replace 10.71.${at}.1/24 dev e${at}`)
  }

  /** Makes one more interface, anew if there was one. Returns its address. */
  renew(): string {
    if (this.#isRenewed) ip('link del new')
    this.#isRenewed = true
    const address = '10.71.255.1'
    make('new', 'far')
    ip(`address add ${address}/24 dev new`)
    return address
  }
}

/** Without addresses of IPv6, which would come a while later. */
function make(...ends: [string, string]): void {
  const [one, other] = ends
  ip(`link add ${one} type veth peer name ${other}`)
  for (const end of ends) ip(`link set ${end} addrgenmode none`, `link set ${end} up`)
}

function ip(...lines: string[]): void {
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n'), stdio: ['pipe', 2, 2] })
}
