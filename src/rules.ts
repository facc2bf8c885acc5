import type { DatagramSocket } from './datagram.js'
import { MulticastError, type MulticastErrorCode, shown } from './errors.js'

/**
 * One option: its default, what makes a given value right, and the socket option that it sets. Rules
 * are applied in the order of their table, so that a check can look at the settings before its own.
 */
export interface Rule<Value> {
  /** Checked in place of `undefined`. */
  readonly default?: unknown
  /** `settled` is never here, so that each check can say what it needs of the settings before. */
  check(value: unknown, option: string, settled: never): Value
  set?(socket: DatagramSocket, value: NonNullable<Value>): unknown
}

export type Rules = Readonly<Record<string, Rule<unknown>>>

/** What comes of checking options by a table of rules. */
export type Settings<Of> = {
  readonly [Option in keyof Of]: Of[Option] extends Rule<infer Value> ? Value : never
}

/** Writes down a rule; its value's type follows from its check. */
export function rule<Value>(described: Rule<Value>): Rule<Value> {
  return described
}

/**
 * Checks the options by their table. Throws at the first that is wrong. `others` are the tables of other
 * classes, by whose names an option of theirs is told.
 */
export function resolve<Of extends Rules>(
  rules: Of,
  options: unknown,
  others: Readonly<Record<string, Rules>> = {},
): Settings<Of> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      `The options must be an object, but are ${shown(options)}. The options are: ${Object.keys(rules).join(', ')}`,
    )
  }
  const given = options as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name))
      throw unknownOption(name, given[name], Object.keys(rules), others)
  }
  const settings: Record<string, unknown> = {}
  for (const [option, { default: fallback, check }] of Object.entries(rules)) {
    // Not what a polluted prototype has.
    const value = Object.hasOwn(given, option) ? given[option] : undefined
    settings[option] = check(value === undefined ? fallback : value, option, settings as never)
  }
  return Object.freeze(settings) as Settings<Of>
}

function unknownOption(
  name: string,
  value: unknown,
  known: readonly string[],
  others: Readonly<Record<string, Rules>>,
): MulticastError {
  const other = otherWord(name, known)
  const owner = Object.entries(others).find(([, theirs]) => Object.hasOwn(theirs, name))?.[0]
  const meant = closest(name, known)
  const remedy =
    owner !== undefined
      ? `: it is an option of ${owner}.`
      : isNetwork(name, value)
        ? ': spread network.host(), not network.'
        : other !== undefined
          ? `: it is called '${other}'.`
          : meant !== undefined
            ? `; did you mean '${meant}'?`
            : '.'
  return new MulticastError(
    'ERR_MULTICAST_UNKNOWN_OPTION',
    `There is no option ${shown(name)} here${remedy} The options are: ${known.join(', ')}`,
  )
}

/** Whether a MockNetwork was spread, or its function `host`: no other `host` is a function. */
function isNetwork(name: string, value: unknown): boolean {
  return name === 'host' && typeof value === 'function'
}

/** What other libraries, or the system, call an option. */
const otherWords: Readonly<Record<string, readonly string[] | undefined>> = Object.assign(
  Object.create(null),
  {
    address: ['group'],
    host: ['group'],
    ip: ['group'],
    multicastAddress: ['group'],
    multicastTTL: ['ttl'],
    hops: ['ttl'],
    multicastLoopback: ['loopback'],
    multicastInterface: ['interfaces', 'interface'],
    iface: ['interfaces', 'interface'],
    source: ['sources'],
    max: ['limit'],
  },
)

/** Which of the known names is what other libraries, or the system, call so. */
export function otherWord(name: string, known: readonly string[]): string | undefined {
  return otherWords[name]?.find((word) => known.includes(word))
}

/** Which of the known names was probably meant. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const meant = known.reduce((best, candidate) =>
    distance(name, candidate) < distance(name, best) ? candidate : best,
  )
  // With more changes a short name becomes any other: `host` is two from `port`.
  const isClose = distance(name, meant) <= Math.max(name.length > 4 ? 2 : 1, name.length / 3)
  return isClose ? meant : undefined
}

/** Levenshtein's edit distance, letter case aside. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [above, letter] of [...from.toLowerCase()].entries()) {
    const next = [above + 1]
    for (const [index, other] of [...to.toLowerCase()].entries()) {
      const [diagonal = 0, up = 0, left = 0] = [row[index], row[index + 1], next[index]]
      next.push(Math.min(diagonal + (letter === other ? 0 : 1), up + 1, left + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

// The checks that any table can use. Each returns the value as it is used, or throws.

export function optional<Value, Settled>(
  check: (value: unknown, option: string, settled: Settled) => Value,
) {
  return (value: unknown, option: string, settled: Settled): Value | undefined =>
    value === undefined ? undefined : check(value, option, settled)
}

export function integer(
  min: number,
  max: number,
  code: MulticastErrorCode = 'ERR_MULTICAST_OPTION',
) {
  return (value: unknown, option: string): number => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number
    }
    throw wrongValue(code, option, `an integer from ${min} to ${max}`, value)
  }
}

export function milliseconds(value: unknown, option: string): number {
  // Past 2 ** 31 - 1 a timer fires at once.
  if (typeof value === 'number' && value > 0 && value <= 2 ** 31 - 1) return value
  throw wrongValue(
    'ERR_MULTICAST_TIMEOUT',
    option,
    'a number of milliseconds above 0 and up to 2147483647 (leave it out to wait forever)',
    value,
  )
}

export function isBoolean(value: unknown, option: string): boolean {
  if (typeof value === 'boolean') return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'true or false', value)
}

export function isString(value: unknown, option: string): string {
  if (typeof value === 'string') return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'a string', value)
}

export function isFunction<Value>(value: unknown, option: string): Value {
  if (typeof value === 'function') return value as Value
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'a function', value)
}

export function isSignal(value: unknown, option: string): AbortSignal {
  // Not instanceof: a test environment may bring an AbortSignal of its own.
  const signal = value as Partial<AbortSignal> | null
  const has = (method: 'addEventListener' | 'removeEventListener'): boolean =>
    typeof signal?.[method] === 'function'
  if (
    typeof signal?.aborted === 'boolean' &&
    has('addEventListener') &&
    has('removeEventListener')
  ) {
    return value as AbortSignal
  }
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'an AbortSignal', value)
}

export function isList(
  value: unknown,
  option: string,
  wanted: string,
  code: MulticastErrorCode,
): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value
  throw wrongValue(code, option, wanted, value)
}

/** The error for a value that an option cannot have. `remedy` ends its message. */
export function wrongValue(
  code: MulticastErrorCode,
  option: string,
  wanted: string,
  value: unknown,
  remedy = '',
): MulticastError {
  return new MulticastError(code, `${option} must be ${wanted}, but is ${shown(value)}${remedy}`)
}
