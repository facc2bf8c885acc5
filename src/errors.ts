import { inspect } from 'node:util'

/**
 * Every code that a {@link MulticastError} can carry. docs/api.md lists what each means and what to
 * do about it.
 */
export type MulticastErrorCode =
  /** The group is not an IPv4 or IPv6 multicast address. */
  | 'ERR_MULTICAST_GROUP'
  /** The port is not an integer in its range. */
  | 'ERR_MULTICAST_PORT'
  /** The TTL is not an integer from 0 to 255. */
  | 'ERR_MULTICAST_TTL'
  /** The timeout is not above 0 and at most 2147483647 ms, or a request would never end. */
  | 'ERR_MULTICAST_TIMEOUT'
  /** No such interface, or it has no address of the group's family. */
  | 'ERR_MULTICAST_INTERFACE'
  /** A source is not a unicast address of the group's family. */
  | 'ERR_MULTICAST_SOURCE'
  /** Another option or argument has a value that is not allowed. */
  | 'ERR_MULTICAST_OPTION'
  /** There is no option of that name. */
  | 'ERR_MULTICAST_UNKNOWN_OPTION'
  /** The message, or what its codec made of it, is of the wrong type. */
  | 'ERR_MULTICAST_MESSAGE_TYPE'
  /** The message is larger than a datagram can be. */
  | 'ERR_MULTICAST_MESSAGE_SIZE'
  /** The codec threw while encoding; its error is the `cause`. */
  | 'ERR_MULTICAST_ENCODE'
  /** The codec threw while decoding a datagram; its error is the `cause`. */
  | 'ERR_MULTICAST_DECODE'
  /** More bytes than `maxQueuedBytes` wait to be sent. In a row only the first such error has a stack. */
  | 'ERR_MULTICAST_QUEUE_FULL'
  /** The sender, receiver or peer is closing or closed. */
  | 'ERR_MULTICAST_CLOSED'
  /** It is not listening yet, or waits for an interface. */
  | 'ERR_MULTICAST_NOT_LISTENING'
  /** Another socket holds the port. */
  | 'ERR_MULTICAST_PORT_IN_USE'
  /** The system refused to bind the socket for another reason. */
  | 'ERR_MULTICAST_BIND'
  /** The system refused the socket or one of its options, or reported an error on it later. */
  | 'ERR_MULTICAST_SOCKET'
  /** The system refused a membership. */
  | 'ERR_MULTICAST_JOIN'
  /** The socket has as many memberships, or the membership as many sources, as the system allows. */
  | 'ERR_MULTICAST_MEMBERSHIP_LIMIT'
  /** There is no such membership to leave. */
  | 'ERR_MULTICAST_LEAVE'
  /** The system refused to send. */
  | 'ERR_MULTICAST_SEND'
  /** A test has called a real socket, which `refuseRealSockets()` of typed-multicast/testing forbids. */
  | 'ERR_MULTICAST_REAL_SOCKET'

/**
 * The error of senders, receivers and peers. Branch on `code`, which is stable. `message` says what was given and
 * what to try next. `cause` is the error of the system or the codec, if there was one.
 *
 * @example
 * ```ts
 * import { MulticastError, packTtl } from 'typed-multicast'
 *
 * try {
 *   packTtl(256)
 * } catch (error) {
 *   if (error instanceof MulticastError) console.log(error.code) // ERR_MULTICAST_TTL
 * }
 * ```
 */
export class MulticastError extends Error {
  /** `'MulticastError'`. */
  override readonly name = 'MulticastError'
  /** What went wrong. It is stable: branch on it. */
  readonly code: MulticastErrorCode

  /** The library makes these; you need not. */
  constructor(code: MulticastErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Makes what to reject with, anew each time, so that its stack shows the call that was rejected. */
export type Reason = () => unknown

/** Makes an error without a stack, unless `Error` is frozen. */
export function withoutStack<Made>(make: () => Made): Made {
  const { stackTraceLimit } = Error
  // Of what is frozen it is false, where an assignment would throw.
  const isSet = Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return make()
  } finally {
    if (isSet) Error.stackTraceLimit = stackTraceLimit
  }
}

/** What the system was asked for when it refused. */
export type Operation = keyof typeof hints

/** Of Node's permission model (`--permission`), from Node 26 on. */
const denied = 'start Node with --allow-net'

/** What to try, by what the system was asked for and by its errno. */
const hints = {
  bind: {
    ERR_ACCESS_DENIED: denied,
    EACCES: 'ports below 1024 need a privilege',
    EADDRINUSE:
      'end that program, or have both sides share the port (reuseAddr, SO_REUSEADDR), or take another port',
    EADDRNOTAVAIL: 'this host has no such address',
  },
  'bind for replies': {
    ERR_ACCESS_DENIED: denied,
    EACCES: 'ports below 1024 need a privilege',
    EADDRINUSE: 'take another localPort, or leave it out for a free one',
    EADDRNOTAVAIL: 'this host has no such address',
  },
  join: {
    EADDRNOTAVAIL: 'the interface has lost its address: try again once it is back',
    ENODEV:
      'the system finds no interface for it: name one in interfaces, or add a route to the group',
  },
  send: {
    EACCES: 'a firewall or the sandbox forbids it',
    EADDRNOTAVAIL: 'the interface has lost its address: try again once it is back',
    EMSGSIZE: "split it, or raise the system's limit (on macOS net.inet.udp.maxdgram)",
    EHOSTUNREACH:
      'the network has just changed, or on macOS the program is not allowed on the local network (docs/troubleshooting.md, macOS)',
    ENETDOWN: 'the interface is down',
    ENODEV: 'the interface was removed: sends go out again once it is back',
    ENETUNREACH: 'there is no route: add one, or name an interface in interfaces',
    EPERM: 'a firewall forbids it',
  },
} as const

/** What to try after the system has refused an operation, for the end of a message. `to`: the address, of a send. */
export function hint(operation: Operation, cause: unknown, to = ''): string {
  // A carrier that is not the system may know better.
  const own = (cause as { remedy?: unknown } | null | undefined)?.remedy
  if (typeof own === 'string') return own
  const known: Readonly<Record<string, string>> = hints[operation]
  const remedy = known[errno(cause) ?? ''] ?? 'see the cause'
  return errno(cause) === 'ENETUNREACH' && /^ff.*:/i.test(to)
    ? `${remedy}; on Linux IPv6 multicast does not work on the loopback interface`
    : remedy
}

/** The errno name of a system error (`'EADDRINUSE'`), or `undefined` for any other value. */
export function errno(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** The text of a caught value, for the end of a longer message, with what a stranger wrote in it escaped. */
export function reasonOf(error: unknown): string {
  // A codec may throw what is an Error without a text.
  const isError = error instanceof Error && typeof error.message === 'string'
  return isError ? printable(error.message) : shown(error)
}

/** A text on one line, without what steers a terminal or turns the direction of writing. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n') return '\\n'
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase()
    return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`
  })
}

/** A given value as an error message shows it: short, on one line, and never running its code. */
export function shown(value: unknown): string {
  const inspected = inspect(value, {
    breakLength: Number.POSITIVE_INFINITY,
    customInspect: false,
    depth: 0,
    maxArrayLength: 5,
    maxStringLength: 80,
  })
  // Node escapes what is of ASCII and its like alone.
  return printable(inspected)
}

/** Whether that is how the system refuses because the network has changed, which is nobody's fault. */
export function isOfChange(cause: unknown): boolean {
  const changes = ['EADDRNOTAVAIL', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'ENODEV', 'ENXIO']
  return changes.includes(errno(cause) ?? '')
}
