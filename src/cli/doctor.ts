import { setImmediate as turn } from 'node:timers/promises'
import { diagnose, type Finding } from '../doctor/index.js'
import { ownGroup } from '../doctor/subject.js'
import { styled, whenUnread } from './output.js'
import { asTyped, integerOf, interfacesOf, parsed, status, target } from './usage.js'

/** What `typed-multicast doctor --help` prints. */
export const doctorHelp = `Usage: typed-multicast doctor [GROUP PORT] [options]

Finds out why nothing arrives from a multicast group, check by check: ✓ is good, ! doubtful,
✗ bad. Without GROUP PORT it uses a group of its own.

It joins the group and, unless --quiet, sends to it: the text "typed-multicast doctor" and
a few more characters, which every program on the group hears.

  --interface NAME  examine this interface (name or address); may be repeated
  --ttl N           the TTL of what it sends, 0 to 255 (default 1: the local network)
  --watch           watch what arrives, and find doctors on other machines
  --for MS          how long, in milliseconds (default 5000); implies --watch
  --quiet           send nothing
  --json            print each finding as a line of JSON
  --help            print this

On two machines, run "typed-multicast doctor GROUP PORT --watch" on both at the same time.
Each says whether they hear each other in both directions, in one or in neither.

Exit status: 0 good or doubtful, 1 bad, 2 wrong usage.`

/** How long it watches, in milliseconds, where that is not said. */
const WATCH = 5000

/** Tells why nothing arrives. Returns the exit status. */
export async function doctor(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args, {
    interface: { type: 'string', multiple: true },
    ttl: { type: 'string' },
    watch: { type: 'boolean' },
    for: { type: 'string' },
    quiet: { type: 'boolean' },
    json: { type: 'boolean' },
  })
  const watched = integerOf('--for', values.for, 1, 2 ** 31 - 1)
  const asked = positionals.length > 0 ? target(positionals) : undefined
  const findings = asTyped(() =>
    diagnose({
      ...asked,
      // One that is not there is what the doctor is asked about.
      interfaces: interfacesOf(values.interface, asked?.group ?? ownGroup, true),
      ttl: integerOf('--ttl', values.ttl, 0, 255),
      watch: watched ?? (values.watch ? WATCH : undefined),
      quiet: values.quiet,
    }),
  )
  let isRead = true
  whenUnread(() => {
    isRead = false
  })
  let isBad = false
  for await (const finding of findings) {
    if (finding.verdict === 'bad') isBad = true
    console.log(values.json ? JSON.stringify(finding) : line(finding))
    // Whether nobody reads it is told on a later turn.
    await turn()
    if (!isRead) break
  }
  return isBad ? status.bad : status.good
}

const marks = {
  good: ['✓', 'green'],
  doubtful: ['!', 'yellow'],
  bad: ['✗', 'red'],
} as const

function line({ check, verdict, seen, remedy }: Finding): string {
  const [mark, color] = marks[verdict]
  const todo = remedy === undefined ? '' : `. To do: ${remedy}`
  return `${styled(process.stdout, color, mark)} ${check}: ${seen}${todo}`
}
