import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { parseGroup, parseSource, parseUnicast, wildcard } from './address.js'
import { bytes, type Codec } from './codec.js'
import type { CreateSocket, DatagramSocket } from './datagram.js'
import { MulticastError, reasonOf, shown } from './errors.js'
import type { Remote } from './events.js'
import {
  interfaceLister,
  type Lookup,
  type NetworkInterfaces,
  type WatchInterfaces,
} from './interfaces.js'
import {
  integer,
  isBoolean,
  isFunction,
  isList,
  isSignal,
  isString,
  milliseconds,
  optional,
  type Rules,
  resolve,
  rule,
  type Settings,
  wrongValue,
} from './rules.js'
import { parseInterfaces, wantedInterfaces } from './wanted.js'

/**
 * What makes the sockets and lists the interfaces. Let a function that makes senders or receivers take one from its
 * caller: a test can then pass a mock host, which is one.
 */
export interface Carrier {
  /** Makes the sockets. Default: node:dgram's `createSocket`. */
  createSocket?: CreateSocket | undefined
  /** Lists the interfaces. Default: node:os's `networkInterfaces`. Only together with `createSocket`. */
  networkInterfaces?: (() => NetworkInterfaces) | undefined
  /**
   * Reports changes of the interfaces to those that follow them. It is given a function to call after each
   * change, with the names of the interfaces whose memberships are lost because they were removed or re-created,
   * and returns a function that ends it. Default: the interfaces are looked at every two seconds. Only together
   * with `createSocket`.
   */
  watchInterfaces?: WatchInterfaces | undefined
  /**
   * What a receiver's and a peer's `bindAddress` is on this carrier: one whose sockets can be bound to a group
   * on every system says `'group'`. A sender passes over it. Default: the system's, see `ReceiverOptions`. Only
   * together with `createSocket`.
   */
  // The intersection lets an editor offer the two words beside any other string.
  bindAddress?: 'group' | 'any' | (string & {}) | undefined
}

/** The options that senders, receivers and peers share. `undefined` always means the default. */
export interface MulticastOptions extends Carrier {
  /**
   * The group: 224.0.0.0 to 239.255.255.255, or IPv6 ff00::/8. A zone (`ff02::1%eth0`) names the
   * interface to use.
   */
  group: string
  /** The group's UDP port. */
  port: number
  /**
   * How many milliseconds without a message it takes until `timeout` is emitted: above 0, at most 2147483647.
   * Default: none, it waits forever. Python's `socket.settimeout`, which counts seconds.
   */
  timeout?: number | undefined
  /** SO_RCVBUF in bytes. Default: the system's. Linux grants no more than `net.core.rmem_max`. */
  recvBufferSize?: number | undefined
  /** SO_SNDBUF in bytes. Default: the system's. Linux grants no more than `net.core.wmem_max`. */
  sendBufferSize?: number | undefined
  /**
   * How many bytes may wait to be sent before a send rejects. It bounds what the kernel has refused so far, and
   * separately what waits for `listening` or as a reply `within` some time, each message with 256 bytes more.
   * Default: 1 MiB, because node:dgram's own queue has no limit.
   */
  maxQueuedBytes?: number | undefined
  /**
   * How many messages an async iterator or a request holds for a slow loop before it drops the oldest. An
   * iterator that you abandon without calling its `return()` holds them until `close()`. Default: 1024.
   */
  queueLimit?: number | undefined
  /**
   * How many bytes an async iterator or a request holds, counted as they were received; one message is held
   * however large. Default: 1 MiB. A message parsed from JSON can take 20 times as much memory.
   */
  queueBytes?: number | undefined
  /**
   * Decides by its sender whether a datagram is accepted, before it is decoded; replies to a sender too. What it
   * refuses is counted in `stats.dropped`. An error it throws is uncaught, as in a listener. Default: everyone is
   * accepted.
   */
  accept?: ((remote: Remote) => boolean) | undefined
  /** When it aborts, everything closes, and what is pending rejects with its reason. Default: none. */
  signal?: AbortSignal | undefined
  /**
   * Whether it follows its `interfaces` as they come, go, change their address or are re-created. A new one is
   * joined, or sent through, within about two seconds. One that does not exist yet is waited for instead of
   * refused. Default: true if `interfaces` is `'all'`, otherwise false.
   */
  followInterfaces?: boolean | undefined
}

/** The options of a sender, besides its codecs. */
export interface SenderOptions extends MulticastOptions {
  /**
   * IP_MULTICAST_TTL, for IPv6 IPV6_MULTICAST_HOPS: how many networks a message may cross, 0 to 255.
   * Default: 1, so that nothing leaves the local network unless you ask for it. With 0 a message stays on the
   * host if a socket there has joined the group on the outgoing interface; otherwise Linux lets it out.
   */
  ttl?: number | undefined
  /**
   * IP_MULTICAST_LOOP: whether receivers on this host hear the messages too. Default: true. On the loopback
   * interface Linux delivers them in any case. On Windows the receiver's setting counts.
   */
  loopback?: boolean | undefined
  /**
   * IP_MULTICAST_IF: where to send. A name (`'eth0'`), an address, which is then also the source, or a list of
   * these; `'default'`, the system's route to the group; or `'all'`, every interface with an address of the
   * group's family, except the loopback interface unless there is no other. One datagram goes out through each.
   * Default: `'default'`.
   */
  interfaces?: 'all' | 'default' | (string & {}) | readonly string[] | undefined
  /**
   * The address to bind to, where replies arrive. Default: any. Refused with several interfaces, since each has
   * its own.
   */
  localAddress?: string | undefined
  /**
   * The port to bind to, where replies arrive. Default: 0, a free one. With several interfaces and another value,
   * each socket is bound to its interface's address and this port.
   */
  localPort?: number | undefined
  /**
   * Whether it hears replies. If not, its socket is connected to the group, which makes sending faster;
   * `request` and `gather` throw, and `timeout` is refused. Default: true.
   */
  replies?: boolean | undefined
}

/** The options of a receiver, besides its codecs. Its `port` may be 0, a free one: see `address()`. */
export interface ReceiverOptions extends MulticastOptions {
  /**
   * Where to join: `'all'`, every interface with an address of the group's family; `'default'`, the one that the
   * system picks (Python's `INADDR_ANY`); or a name (`'eth0'`), an address, or a list of these. Default: `'all'`.
   */
  // The intersection lets an editor offer the two words beside any other string.
  interfaces?: 'all' | 'default' | (string & {}) | readonly string[] | undefined
  /**
   * IP_ADD_SOURCE_MEMBERSHIP: the addresses of the only senders to hear. Default: every sender
   * (IP_ADD_MEMBERSHIP).
   */
  sources?: readonly string[] | undefined
  /**
   * The address to bind to: `'group'`, `'any'` or an address of this host. Default on Linux: `'group'`, because
   * a socket bound to any address hears every group there that a process of the host has joined, on this port.
   * Elsewhere: `'any'`. A socket bound to the group hears no unicast.
   */
  // The intersection lets an editor offer the two words beside any other string.
  bindAddress?: 'group' | 'any' | (string & {}) | undefined
  /**
   * SO_REUSEADDR: whether other sockets of this host may bind the port too. Each of them then hears every
   * message. Default: true.
   */
  reuseAddr?: boolean | undefined
}

/** The options of a peer, besides its codecs: a receiver's, and a sender's `ttl` and `loopback`. */
export interface PeerOptions extends ReceiverOptions, Pick<SenderOptions, 'ttl' | 'loopback'> {
  /**
   * IP_MULTICAST_TTL, for IPv6 IPV6_MULTICAST_HOPS: how many networks a message may cross, 0 to 255. If you
   * give one of 1 or more, it applies to replies too (IP_TTL, IPV6_UNICAST_HOPS). Default: 1, and for replies
   * the system's, usually 64.
   */
  ttl?: number | undefined
}

const group = rule({ check: (value) => parseGroup(value) })

/** The rules of a {@link Carrier}. */
export const carrierRules = {
  createSocket: rule({ default: createSocket, check: isFunction<CreateSocket> }),
  networkInterfaces: rule({ default: networkInterfaces, check: interfaceLister }),
  watchInterfaces: rule({ check: optional(isFunction<WatchInterfaces>) }),
  bindAddress: rule({ check: optional(isString) }),
} satisfies Rules

const shared = {
  timeout: rule({ check: optional(milliseconds) }),
  codec: rule({ default: bytes, check: isCodec }),
  replyCodec: rule({ check: optional(isCodec) }),
  recvBufferSize: rule({
    check: optional(integer(1, 2 ** 31 - 1)),
    set: (socket, size: number) => socket.setRecvBufferSize(size),
  }),
  sendBufferSize: rule({
    check: optional(integer(1, 2 ** 31 - 1)),
    set: (socket, size: number) => socket.setSendBufferSize(size),
  }),
  maxQueuedBytes: rule({ default: 2 ** 20, check: integer(1, Number.MAX_SAFE_INTEGER) }),
  queueLimit: rule({ default: 1024, check: integer(1, Number.MAX_SAFE_INTEGER) }),
  queueBytes: rule({ default: 2 ** 20, check: integer(1, Number.MAX_SAFE_INTEGER) }),
  accept: rule({ check: optional(isFunction<(remote: Remote) => boolean>) }),
  signal: rule({ check: optional(isSignal) }),
  ...carrierRules,
} satisfies Rules

/** What to use, and whether to stay true to it. */
function following(fallback: 'all' | 'default') {
  return {
    // What was given, if it was: what it is else depends on `interfaces` (see {@link followed}).
    followInterfaces: rule({ check: optional(isBoolean) }),
    interfaces: rule({
      default: fallback,
      check: (value, option, settled: Lookup & { followInterfaces: boolean | undefined }) =>
        parseInterfaces(value, option, settled, settled.followInterfaces === true),
    }),
  } satisfies Rules
}

const senderRules = {
  group,
  port: rule({ check: integer(1, 65535, 'ERR_MULTICAST_PORT') }),
  ...shared,
  localAddress: rule({
    check: (value, option, { group }: Lookup) =>
      value === undefined ? wildcard(group) : parseUnicast(value, group, option),
  }),
  localPort: rule({ default: 0, check: integer(0, 65535, 'ERR_MULTICAST_PORT') }),
  ttl: rule({
    default: 1,
    check: integer(0, 255, 'ERR_MULTICAST_TTL'),
    set: (socket, ttl) => socket.setMulticastTTL(ttl),
  }),
  loopback: rule({
    default: true,
    check: isBoolean,
    set: (socket, loopback) => socket.setMulticastLoopback(loopback),
  }),
  ...following('default'),
  replies: rule({ default: true, check: isBoolean }),
} satisfies Rules

const receiverRules = {
  group,
  port: rule({ check: integer(0, 65535, 'ERR_MULTICAST_PORT') }),
  ...shared,
  ...following('all'),
  sources: rule({
    check: optional((value, option, { group }: Lookup) => {
      const sources = isList(
        value,
        option,
        'a list with at least one address',
        'ERR_MULTICAST_SOURCE',
      )
      return [...new Set(sources.map((source) => parseSource(source, group)))]
    }),
  }),
  bindAddress: rule({
    default: process.platform === 'linux' ? 'group' : 'any',
    check: (value, option, { group }: Lookup) => {
      if (value === 'group') return undefined
      return value === 'any' ? wildcard(group) : parseUnicast(value, group, option)
    },
  }),
  reuseAddr: rule({ default: true, check: isBoolean }),
} satisfies Rules

const peerRules = {
  ...receiverRules,
  loopback: senderRules.loopback,
  ttl: rule({
    check: optional(integer(0, 255, 'ERR_MULTICAST_TTL')),
    set: (socket, ttl: number) => {
      socket.setMulticastTTL(ttl)
      // None can be sent to a single host with 0.
      if (ttl > 0) socket.setTTL(ttl)
    },
  }),
} satisfies Rules

export type PeerSettings = Followed<Settings<typeof peerRules>>
export type SenderSettings = Followed<Settings<typeof senderRules>>
export type ReceiverSettings = Followed<Settings<typeof receiverRules>>

type Followed<Checked> = Omit<Checked, 'followInterfaces'> & { readonly followInterfaces: boolean }

/** Where it was not said whether the interfaces are followed, they are if it is all of them. */
function followed<Checked extends { readonly followInterfaces: boolean | undefined }>(
  settings: Checked,
  options: unknown,
  fallback: 'all' | 'default',
): Followed<Checked> {
  // As it was given: with a zone all of them are the one of the zone.
  const interfaces = own(options, 'interfaces') ?? fallback
  const followInterfaces = settings.followInterfaces ?? interfaces === 'all'
  return Object.freeze({ ...settings, followInterfaces })
}

export function senderSettings(options: unknown): SenderSettings {
  const settings = followed(
    resolve(senderRules, options, { MulticastReceiver: receiverRules }),
    options,
    'default',
  )
  checkCarrier(options)
  checkNotBound(options)
  const { interfaces, localAddress, group, replies, timeout } = settings
  if (!replies && timeout !== undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `timeout is ${timeout}, but replies is false, so there is nothing to wait for: leave one of the two out`,
    )
  }
  if (localAddress === wildcard(group) || interfaces === 'default') return settings
  if (isSeveral(settings)) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `localAddress is ${shown(localAddress)}, but interfaces asks for several, each of which has its own address: leave localAddress out`,
    )
  }
  return settings
}

export function receiverSettings(options: unknown): ReceiverSettings {
  const checked = resolve(receiverRules, options, { MulticastSender: senderRules })
  return checkBound(followed(checked, options, 'all'), options)
}

export function peerSettings(options: unknown): PeerSettings {
  const checked = resolve(peerRules, options, { MulticastSender: senderRules })
  const settings = checkBound(followed(checked, options, 'all'), options)
  if (settings.reuseAddr || settings.bindAddress === undefined) return settings
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    `reuseAddr is false, but bindAddress is ${shown(settings.bindAddress)}: a peer also sends from other sockets on the same port. Leave one of the two out`,
  )
}

function checkBound<Checked extends ReceiverSettings>(
  settings: Checked,
  options: unknown,
): Checked {
  checkCarrier(options)
  const { interfaces, group, bindAddress } = settings
  if (interfaces === 'default' && group.scoped && bindAddress === undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_INTERFACE',
      `${group.address} is a different group on each link, and binding to it takes an interface: name one after the group (%eth0) or in interfaces, or set bindAddress to 'any'`,
    )
  }
  return settings
}

/** An option as it was given. */
function own(options: unknown, name: string): unknown {
  return Object.hasOwn(options as object, name)
    ? (options as Record<string, unknown>)[name]
    : undefined
}

/** Whether a sender is to send through several interfaces, now or later. */
function isSeveral(settings: SenderSettings): boolean {
  const { interfaces, followInterfaces } = settings
  if (interfaces === 'default') return false
  if (interfaces === 'all') return true
  return (followInterfaces ? interfaces : wantedInterfaces(settings, interfaces)).length > 1
}

/** Other interfaces than the system's are those of other sockets than node:dgram's. */
export function checkCarrier(options: unknown): void {
  if (own(options, 'createSocket') !== undefined) return
  const given = ['networkInterfaces', 'watchInterfaces'].find(
    (name) => own(options, name) !== undefined,
  )
  if (given === undefined) return
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    `${given} is given without createSocket, but node:dgram's sockets know only the system's interfaces: give both, or neither`,
  )
}

/** What binds a receiver is passed over elsewhere where a carrier brings it, and else a mistake. */
export function checkNotBound(options: unknown): void {
  const bindAddress = own(options, 'bindAddress')
  if (bindAddress === undefined || own(options, 'createSocket') !== undefined) return
  throw new MulticastError(
    'ERR_MULTICAST_UNKNOWN_OPTION',
    `There is no option 'bindAddress' here: it is one of a MulticastReceiver, and ${shown(bindAddress)} was given without a carrier. Leave it out`,
  )
}

/** Sets on an open socket what the settings ask for; the kernel's refusal names the option. */
export function applySettings(
  kind: 'sender' | 'receiver' | 'peer',
  socket: DatagramSocket,
  settings: SenderSettings | ReceiverSettings | PeerSettings,
): void {
  const rules: Rules = { sender: senderRules, receiver: receiverRules, peer: peerRules }[kind]
  for (const [option, value] of Object.entries(settings)) {
    if (value === undefined) continue
    try {
      rules[option]?.set?.(socket, value)
    } catch (cause) {
      throw new MulticastError(
        'ERR_MULTICAST_SOCKET',
        `The system refused the option ${option} (${shown(value)}): ${reasonOf(cause)}`,
        { cause },
      )
    }
  }
}

/** The options of one request. At least one of them has to end it, or the sender's `timeout`. */
export interface RequestOptions {
  /**
   * How many ms of silence, after the send or the last reply, end it: above 0, at most 2147483647. Default: the
   * sender's `timeout`.
   */
  timeout?: number | undefined
  /** How many replies end it: 1 or more. Those that a slow loop has lost do not count. Default: no limit. */
  limit?: number | undefined
  /** When it aborts, the request throws its reason. Default: none. */
  signal?: AbortSignal | undefined
}

/** Refuses to ask where no replies are heard. */
export function checkReplies(replies: boolean): void {
  if (replies) return
  throw new MulticastError(
    'ERR_MULTICAST_OPTION',
    'The sender has replies: false, so it hears none: ask with another sender',
  )
}

const requestRules = {
  timeout: rule({ check: optional(milliseconds) }),
  limit: rule({ check: optional(integer(1, Number.MAX_SAFE_INTEGER)) }),
  signal: rule({ check: optional(isSignal) }),
} satisfies Rules

export function requestSettings(
  options: unknown,
  timeout: number | undefined,
): Settings<typeof requestRules> {
  const settings = resolve(requestRules, options)
  const end = settings.timeout ?? timeout
  if (end === undefined && settings.limit === undefined && settings.signal === undefined) {
    throw new MulticastError(
      'ERR_MULTICAST_TIMEOUT',
      'The request would never end: give it a timeout, a limit or a signal, or give the sender a timeout',
    )
  }
  return { ...settings, timeout: end }
}

/** The options of one reply. */
export interface ReplyOptions {
  /**
   * The reply goes out at a random time within this many ms, so that a large group does not answer all at once:
   * 0 to 2147483647. Default: 0, at once. RFC 6762 (mDNS) asks for it; CoAP calls it leisure, SSDP MX.
   */
  within?: number | undefined
}

const replyRules = {
  within: rule({
    default: 0,
    check: (value, option): number => {
      if (typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1) return value
      const wanted = 'a number of milliseconds from 0 to 2147483647'
      throw wrongValue('ERR_MULTICAST_OPTION', option, wanted, value)
    },
  }),
} satisfies Rules

export function replySettings(options: unknown): Settings<typeof replyRules> {
  return resolve(replyRules, options)
}

/** What to join or to leave. `join` and `leave` say what it means to leave one out. */
export interface MembershipOptions {
  /** An interface's name or address, or `'default'`. For `join`, `'all'` as well. */
  interface?: string | undefined
  /** The source: a sender's address (IP_ADD_SOURCE_MEMBERSHIP). */
  source?: string | undefined
}

const membershipRules = {
  interface: rule({ check: optional(isString) }),
  source: rule({ check: optional(isString) }),
} satisfies Rules

/** The two members of a membership to join or leave. */
export function membershipSettings(options: unknown): Settings<typeof membershipRules> {
  if (typeof options === 'string') {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `A membership must be an object, but is ${shown(options)}: write { interface: ${shown(options)} }`,
    )
  }
  return resolve(membershipRules, options)
}

function isCodec(value: unknown, option: string): Codec<never, unknown> {
  const codec = value as Partial<Codec<never, unknown>> | null
  if (typeof codec?.encode === 'function' && typeof codec.decode === 'function') {
    return codec as Codec<never, unknown>
  }
  const wanted = 'an object with encode() and decode()'
  const isName = value === 'bytes' || value === 'text' || value === 'json'
  const remedy = isName ? `: import { ${value} } from 'typed-multicast'` : ''
  throw wrongValue('ERR_MULTICAST_OPTION', option, wanted, value, remedy)
}
