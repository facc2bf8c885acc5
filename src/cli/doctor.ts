import { setImmediate as turn } from 'node:timers/promises'
import { styleText } from 'node:util'
import { type DiagnoseOptions, diagnose, type Finding } from '../doctor/index.js'
import { integerOf, noMore, parsed, status, target } from './usage.js'

/** What `typed-multicast doctor --help` prints. */
export const doctorHelp = `Usage: typed-multicast doctor [GROUP PORT] [options]

Tells why nothing arrives from a multicast group, check by check: ✓ is good, ! doubtful,
✗ bad. Without GROUP PORT it takes a group of its own.

It joins the group and, unless --quiet, sends to it: the text "typed-multicast doctor" and
a few characters more, which every program on the group hears.

  --interface NAME  look at this interface, a name or an address; may be given again
  --ttl N           the TTL of what it sends, 0 to 255 (default 1: the local network)
  --watch           watch what arrives, and find doctors on other machines
  --for MS          how long, in milliseconds (default 5000); means --watch
  --quiet           send nothing
  --json            print each finding as a line of JSON
  --help            print this

Two machines: run "typed-multicast doctor GROUP PORT --watch" on both at the same time.
Each tells whether they hear each other both ways, one way or neither.

Exit status: 0 good or doubtful, 1 bad, 2 wrong usage.`

/** How long it watches, in milliseconds, where that is not said. */
const WATCH = 5000

const flags = {
  interface: { type: 'string', multiple: true },
  ttl: { type: 'string' },
  watch: { type: 'boolean' },
  for: { type: 'string' },
  quiet: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** Runs the command `doctor` with the arguments behind it. Returns the exit status. */
export async function doctor(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(argv, flags)
  // Wrong options throw here, before anything is looked at.
  return await told(diagnose(optionsOf(values, positionals)), values.json === true)
}

/** Prints each finding as soon as it is there, until nobody reads them. Returns the exit status. */
async function told(findings: AsyncIterable<Finding>, isJson: boolean): Promise<number> {
  const { stdout } = process
  let exit: number = status.good
  let isRead = true
  const onError = (error: NodeJS.ErrnoException): void => {
    // A pipe that is broken, as by `head`.
    if (error.code !== 'EPIPE') throw error
    isRead = false
  }
  stdout.on('error', onError)
  for await (const finding of findings) {
    if (finding.verdict === 'bad') exit = status.bad
    stdout.write(`${isJson ? JSON.stringify(finding) : line(finding)}\n`)
    // Whether it is broken is told on a later turn.
    await turn()
    if (!isRead) break
  }
  stdout.off('error', onError)
  return exit
}

const marks = {
  good: ['✓', 'green'],
  doubtful: ['!', 'yellow'],
  bad: ['✗', 'red'],
} as const

function line({ check, verdict, seen, remedy }: Finding): string {
  const [mark, color] = marks[verdict]
  const { stdout } = process
  const colored = stdout.isTTY && stdout.hasColors() ? styleText(color, mark) : mark
  return `${colored} ${check}: ${seen}${remedy === undefined ? '' : `. To do: ${remedy}`}`
}

function optionsOf(
  values: {
    interface?: string[] | undefined
    ttl?: string | undefined
    watch?: boolean | undefined
    for?: string | undefined
    quiet?: boolean | undefined
  },
  positionals: readonly string[],
): DiagnoseOptions {
  noMore(positionals)
  return {
    ...(positionals.length === 0 ? {} : target(positionals)),
    interfaces: values.interface,
    ttl: integerOf('--ttl', values.ttl, 0, 255),
    watch: integerOf('--for', values.for, 1, 2 ** 31 - 1) ?? (values.watch ? WATCH : undefined),
    quiet: values.quiet,
  }
}
