// What an address tells of its family and of how far it reaches.

export type Family = 'IPv4' | 'IPv6'

export function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** Whether it is a unicast address that each link has of its own. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab].:/.test(address)
}

/** Whether the group's datagrams stay on their link, whatever their TTL (RFC 5771, RFC 4291). */
export function staysOnLink(group: string): boolean {
  return /^ff.[12]:|^224\.0\.0\./.test(group)
}

/** Whether the group's datagrams stay on their host: interface-local scope (RFC 4291, section 2.7). */
export function staysOnHost(group: string): boolean {
  return /^ff.[01]:/.test(group)
}

/** Whether no host hears the group: its scope is the reserved one (RFC 4291, section 2.7). */
export function isReserved(group: string): boolean {
  return /^ff.0:/.test(group)
}

/** The groups that every host has joined on every link, without any socket having done so. */
export const allHosts: ReadonlySet<string> = new Set(['224.0.0.1', 'ff01::1', 'ff02::1'])

/** Whether an IPv6 address means something only together with a link. */
export function needsZone(address: string): boolean {
  return isLinkLocal(address) || /^ff.[12]:/.test(address)
}

/** Whether it stands for an address of IPv4 (RFC 4291, section 2.5.5.2). */
export function isMapped(address: string): boolean {
  return address.startsWith('::ffff:') && address.includes('.')
}

/** Whether it is no address but stands for any. */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}
