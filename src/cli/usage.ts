import { type ParseArgsConfig, parseArgs } from 'node:util'
import { MulticastError, printable, shown } from '../errors.js'

/** What was typed is not how a command is used: exit status 2. */
export class UsageError extends Error {}

/** Exit statuses. */
export const status = { good: 0, bad: 1, usage: 2 } as const

/** The flags and the words of a command, by node:util's `parseArgs`. */
export function parsed<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(printable(inALine((error as Error).message)))
  }
}

/** What `parseArgs` says, which advises at length and over several lines. */
function inALine(message: string): string {
  const [, unknown] = /^(Unknown option '.*'). To specify/s.exec(message) ?? []
  if (unknown === undefined) return message.replaceAll('\n', ' ')
  return `${unknown}: --help lists the options. A word that begins with - goes after '--'`
}

/** GROUP and PORT, and nothing else. Whether there is such a group is looked at where it is used. */
export function target([group, port, ...rest]: readonly string[]): { group: string; port: number } {
  if (group === undefined) {
    throw new UsageError('GROUP and PORT are missing: an address such as 239.1.2.3, and a number')
  }
  if (port === undefined) {
    throw new UsageError(
      `PORT is missing after GROUP: ${printable(group)} and a number, with a space between`,
    )
  }
  if (rest.length > 0) {
    throw new UsageError(`Only GROUP and PORT are expected, not ${printable(rest.join(' '))}`)
  }
  return { group, port: integerOf('PORT', port, 1, 65_535) ?? 0 }
}

/** An integer in its range, where it was given. */
export function integerOf(
  name: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError(`${name} must be an integer from ${min} to ${max}, but is ${shown(text)}`)
}

/** Whether what was typed is wrong, as the library says of an option, and not what the network does. */
export function isUsage(error: unknown): error is Error {
  if (error instanceof UsageError) return true
  return error instanceof MulticastError && ofOptions.has(error.code)
}

const ofOptions: ReadonlySet<string> = new Set([
  'ERR_MULTICAST_GROUP',
  'ERR_MULTICAST_PORT',
  'ERR_MULTICAST_TTL',
  'ERR_MULTICAST_TIMEOUT',
  'ERR_MULTICAST_INTERFACE',
  'ERR_MULTICAST_SOURCE',
  'ERR_MULTICAST_OPTION',
])
