import { readFileSync } from 'node:fs'
import { reasonOf, shown } from '../errors.js'
import { closest } from '../rules.js'
import { doctor, doctorHelp } from './doctor.js'
import { listen, listenHelp } from './listen.js'
import { styled } from './output.js'
import { send, sendHelp } from './send.js'
import { status, UsageError } from './usage.js'

const help = `Usage: typed-multicast COMMAND

  listen GROUP PORT              print what arrives
  send GROUP PORT MESSAGE...     send
  doctor [GROUP PORT]            find out why nothing arrives

  typed-multicast COMMAND --help explains more; --version prints the version.
`

/** Each command, with what its --help prints. */
export const commands: Readonly<
  Record<string, { run(args: readonly string[]): Promise<number>; help: string }>
> = {
  listen: { run: listen, help: listenHelp },
  send: { run: send, help: sendHelp },
  doctor: { run: doctor, help: doctorHelp },
}

/** Does what was typed behind `typed-multicast`. Returns the exit status. */
export async function command([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === '--version') {
    const { version } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    )
    console.log(version)
    return status.good
  }
  const known = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (known === undefined) {
    const isAsked = name === '--help' || name === '-h'
    const meant = closest(name, Object.keys(commands))
    const remedy = meant === undefined ? '' : `: did you mean '${meant}'?`
    const unknown = isAsked || name === '' ? '' : `There is no command ${shown(name)}${remedy}\n\n`
    ;(isAsked ? console.log : console.error)(unknown + help)
    return isAsked ? status.good : status.usage
  }
  // Not behind --, where it is a message.
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  if (flags.includes('--help') || flags.includes('-h')) {
    console.log(known.help)
    return status.good
  }
  try {
    return await known.run(args)
  } catch (error) {
    console.error(styled(process.stderr, 'red', reasonOf(error)))
    if (!(error instanceof UsageError)) return status.bad
    console.error(`typed-multicast ${name} --help says how to use it`)
    return status.usage
  }
}
