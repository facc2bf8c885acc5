import { isIP } from 'node:net'
import { canonicalIPv6, isMulticast, splitZone } from '../address.js'
import { MulticastError, shown } from '../errors.js'
import { isLinkLocal, isWildcard } from './scope.js'

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
