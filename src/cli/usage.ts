import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { parseGroup } from '../address.js'
import { MulticastError, printable, reasonOf, shown } from '../errors.js'
import { closest, otherWord } from '../rules.js'
import { parseInterfaces } from '../wanted.js'

/** What was typed is not how a command is used: exit status 2. */
export class UsageError extends Error {}

/** Makes something of what was typed. What the library refuses of it at once was typed wrongly: a UsageError. */
export function asTyped<Made>(make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    throw error instanceof MulticastError ? new UsageError(reasonOf(error)) : error
  }
}

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
    const flags = [...Object.keys(options), 'help']
    throw new UsageError(printable(inALine((error as Error).message, flags)))
  }
}

/** What `parseArgs` says, which advises at length and over several lines. */
function inALine(message: string, flags: readonly string[]): string {
  const [, unknown = ''] = /^Unknown option '(.*)'. To specify/s.exec(message) ?? []
  if (unknown === '') return message.replaceAll('\n', ' ')
  const says = `Unknown option '${unknown}'`
  // A short one, such as -1, is no flag that was mistyped.
  const name = /^--(.+)$/.exec(unknown)?.[1] ?? ''
  const meant = name === '' ? undefined : (otherWord(name, flags) ?? closest(name, flags))
  return meant === undefined
    ? `${says}: --help lists the options. A word that begins with - goes after '--'`
    : `${says}: did you mean '--${meant}'? --help lists the options`
}

/** GROUP and PORT, and nothing else. Whether there is such a group is looked at where it is used. */
export function target([group, port, ...rest]: readonly string[]): { group: string; port: number } {
  if (group === undefined) {
    throw new UsageError('GROUP and PORT are missing: an address such as 239.1.2.3, and a number')
  }
  if (port === undefined) {
    const [, address = '', number] = /^\[?([^\]]*)\]?:(\d+)$/.exec(group) ?? []
    // What follows the last colon of an IPv6 group may be a part of it.
    const isPair = isIP(address) !== 0 && isIP(group) === 0
    throw new UsageError(
      isPair
        ? `GROUP and PORT are separate: ${printable(address)} ${number}`
        : `PORT is missing: give a number after the group, for example ${printable(group)} 10000`,
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

/**
 * What `--interface` asks for. It is checked here too, because a sender or a receiver would complain of its
 * option `interfaces`. Throws what the library refuses of it, for {@link asTyped}.
 */
export function interfacesOf<Given extends string | readonly string[]>(
  given: Given | undefined,
  group: string,
  isWaitedFor = false,
): Given | 'all' {
  if (given === undefined) return 'all'
  const lookup = { group: parseGroup(group), networkInterfaces }
  parseInterfaces(given, '--interface', lookup, isWaitedFor)
  return given
}
