import type { NetworkInterfaceInfo } from 'node:os'
import type { NetworkInterfaces } from '../interfaces.js'
import { inetNtop } from '../struct/inet.js'
import { isNear, type LinkAddress } from './link-address.js'
import { isLinkLocal } from './scope.js'

/** A network interface of a host: what holds for it while it exists. */
export interface Link {
  readonly name: string
  /** Another each time it is created, so that what was joined on a deleted one is not on its successor. */
  readonly index: number
  readonly isLoopback: boolean
  addresses: readonly LinkAddress[]
  isUp: boolean
}

/** A link that is up; the loopback one is `lo`. */
export function createLink(name: string, index: number, addresses: readonly LinkAddress[]): Link {
  return { name, index, isLoopback: name === 'lo', addresses, isUp: true }
}

/** What `os.networkInterfaces()` lists on the host with that number: of all links, first their IPv4. */
export function describe(links: Iterable<Link>, number: number): NetworkInterfaces {
  const table: Record<string, NetworkInterfaceInfo[]> = {}
  const up = [...links].filter(({ isUp }) => isUp)
  for (const family of ['IPv4', 'IPv6']) {
    for (const link of up) {
      for (const address of link.addresses) {
        if (address.family !== family) continue
        const name = address.label ?? link.name
        table[name] ??= []
        table[name].push(entryOf(address, link, number))
      }
    }
  }
  return table
}

function entryOf(own: LinkAddress, link: Link, number: number): NetworkInterfaceInfo {
  const { address, family, prefix, mask } = own
  const { isLoopback: internal } = link
  const mac = internal ? '00:00:00:00:00:00' : macOf(number, link.index)
  const netmask = inetNtop(family, mask)
  const shared = { address, netmask, mac, internal, cidr: `${address}/${prefix}` }
  if (family === 'IPv4') return { ...shared, family }
  return { ...shared, family, scopeid: isLinkLocal(address) ? link.index : 0 }
}

/** A locally administered address of the host with that number. */
function macOf(host: number, index: number): string {
  const bytes = [0x02, 0, host >> 8, host & 255, index >> 8, index & 255]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Whether the address is in the subnet of one of the link's. */
export function isOnLink(link: Link, address: string): boolean {
  return link.addresses.some((own) => isNear(own, address))
}

/** Whether the address is that of everybody on the link. */
export function isBroadcast(link: Link, address: string): boolean {
  const isSubnets = link.addresses.some(({ broadcast }) => broadcast === address)
  return isSubnets || address === '255.255.255.255'
}
