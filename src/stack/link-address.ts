import { isIP } from 'node:net'
import { canonicalIPv6, isMulticast } from '../address.js'
import { MulticastError, shown } from '../errors.js'
import { isString, optional, type Rules, resolve, rule, wrongValue } from '../rules.js'
import { inetNtop, inetPton } from '../struct/inet.js'
import { type Family, familyOf, isLinkLocal } from './scope.js'

/** An IPv4 address of an interface, with details that a string cannot give. */
export interface AddressOptions {
  /** The address, with or without a prefix length (`'10.0.0.1/24'`). Without, it is 24 bits. */
  address: string
  /**
   * The name that `networkInterfaces()` lists it under, as Linux does for an address that was added with a
   * label such as `'eth0:1'`. Default: the name of the interface.
   */
  label?: string | undefined
  /**
   * Its scope, as on Linux. An address of link scope is listed before the global ones, and is a source only
   * if it is named. Default: `'link'` for 169.254.0.0/16, as the programs that assign such addresses add
   * them, otherwise `'global'`.
   */
  scope?: 'global' | 'link' | undefined
}

/** One address of a link. */
export interface LinkAddress {
  readonly address: string
  readonly family: Family
  /** The length of the prefix that it shares with its neighbours, in bits. */
  readonly prefix: number
  /** The address of all its neighbours; only IPv4 has one. */
  readonly broadcast: string | undefined
  /** The address and the mask of its prefix, packed. */
  readonly packed: Uint8Array
  readonly mask: Uint8Array
  /** What it is listed under in place of the link's name. */
  readonly label: string | undefined
  readonly scope: 'global' | 'link'
  /** Whether another address of the link was the first of the same subnet, which counts over IPv4 alone. */
  readonly isSecondary: boolean
  /** Greater than that of any address that was added before, on any link. */
  readonly added: number
  /** When the route to its neighbours was made, told as `added` is. */
  readonly routed: number
}

const isScope = (value: unknown, option: string): 'global' | 'link' => {
  if (value === 'global' || value === 'link') return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, "'global' or 'link'", value)
}

const isLabel = (value: unknown, option: string): string => {
  if (typeof value === 'string' && value !== '') return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, "a name such as 'eth0:1'", value)
}

const addressRules = {
  address: rule({ check: isString }),
  label: rule({ check: optional(isLabel) }),
  scope: rule({ check: optional(isScope) }),
} satisfies Rules

/** Counts addresses as they are added, and routes as they are made. */
let made = 0

/**
 * The addresses of a link, parsed, in the order in which Linux lists them. Those that are among `before`
 * are not new.
 */
export function parseAddresses(
  values: readonly unknown[],
  before: readonly LinkAddress[] = [],
): readonly LinkAddress[] {
  const parsed: LinkAddress[] = []
  for (const value of values) {
    const address = parseLinkAddress(value)
    const same = before.find((one) => one.address === address.address)
    made += 1
    const { added, routed } = same ?? { added: made, routed: made }
    const isSecondary = parsed.some((first) => isSameSubnet(first, address))
    parsed.push({ ...address, isSecondary, added, routed })
  }
  const ipv4 = parsed.filter(({ family }) => family === 'IPv4')
  const ipv6 = parsed.filter(({ family }) => family === 'IPv6').reverse()
  return [
    // The first of each subnet, the narrower scope first; then all others.
    ...ipv4.filter(({ isSecondary, scope }) => !isSecondary && scope === 'link'),
    ...ipv4.filter(({ isSecondary, scope }) => !isSecondary && scope === 'global'),
    ...ipv4.filter(({ isSecondary }) => isSecondary),
    // The widest scope first, and in each the last one added.
    ...ipv6.filter(({ address }) => !isLinkLocal(address)),
    ...ipv6.filter(({ address }) => isLinkLocal(address)),
  ]
}

/** The addresses of a link that is taken up again: all routes are new, and of IPv6 the addresses too. */
export function renewed(addresses: readonly LinkAddress[]): readonly LinkAddress[] {
  return addresses.map((own) => {
    made += 1
    return { ...own, added: own.family === 'IPv6' ? made : own.added, routed: made }
  })
}

/** `'10.0.0.1/24'`, or more of it; without a prefix length, 24 bits of IPv4 and 64 of IPv6. */
function parseLinkAddress(value: unknown): Omit<LinkAddress, 'isSecondary' | 'added' | 'routed'> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  const more = isRecord ? resolve(addressRules, value) : undefined
  const text = more?.address ?? value
  const [, given = '', length] =
    (typeof text === 'string' && /^([^/%]+)(?:\/(\d+))?$/.exec(text)) || []
  const version = isIP(given)
  const family = version === 4 ? 'IPv4' : 'IPv6'
  const prefix = length === undefined ? (version === 4 ? 24 : 64) : Number(length)
  const address = version === 6 ? canonicalIPv6(given) : given
  const isPrefix = prefix > 0 && prefix <= (version === 4 ? 32 : 128)
  const isUnicast = !isMulticast(address) && !notOne.includes(address)
  if (version === 0 || !isPrefix || !isUnicast) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `An interface's address must be one such as '10.0.0.1/24' or 'fe80::1/64', but is ${shown(text)}`,
    )
  }
  if (version === 6 && (more?.label ?? more?.scope) !== undefined) {
    const wanted = 'of IPv4 where it has a label or a scope'
    throw wrongValue('ERR_MULTICAST_OPTION', "An interface's address", wanted, text)
  }
  const packed = inetPton(family, address)
  const mask = maskOf(family, prefix)
  const broadcast = packed.map((byte, at) => byte | (255 - (mask[at] ?? 0)))
  return {
    address,
    family,
    prefix,
    packed,
    mask,
    // A subnet of one or two has none.
    broadcast: version === 4 && prefix < 31 ? inetNtop('IPv4', broadcast) : undefined,
    label: more?.label,
    scope: more?.scope ?? (address.startsWith('169.254.') ? 'link' : 'global'),
  }
}

/** Addresses that mean any host, or all of them. */
const notOne: readonly string[] = ['0.0.0.0', '255.255.255.255', '::']

/** The bytes of a mask of `prefix` bits. */
function maskOf(family: Family, prefix: number): Uint8Array {
  return Uint8Array.from({ length: family === 'IPv4' ? 4 : 16 }, (_, at) => {
    const ones = Math.min(8, Math.max(0, prefix - at * 8))
    return 256 - 2 ** (8 - ones)
  })
}

type Subnet = Pick<LinkAddress, 'family' | 'prefix' | 'packed' | 'mask'>

/** How many bits from the first on two addresses of one family have in common. */
export function bitsInCommon(one: Uint8Array, other: Uint8Array): number {
  for (const [at, byte] of one.entries()) {
    const difference = byte ^ (other[at] ?? 0)
    if (difference !== 0) return 8 * at + Math.clz32(difference) - 24
  }
  return 8 * one.length
}

/** Whether an address is in the subnet of one of a link's, and so that of a neighbour. */
export function isNear(subnet: Subnet, address: string): boolean {
  return familyOf(address) === subnet.family && holds(subnet, inetPton(subnet.family, address))
}

function isSameSubnet(one: Subnet, other: Subnet): boolean {
  const isAlike = one.family === other.family && one.prefix === other.prefix
  return isAlike && holds(one, other.packed)
}

function holds({ packed, mask }: Subnet, other: Uint8Array): boolean {
  return mask.every((bits, at) => (((packed[at] ?? 0) ^ (other[at] ?? 0)) & bits) === 0)
}
