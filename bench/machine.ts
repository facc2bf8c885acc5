import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release } from 'node:os'

/** On what it is measured: nothing that names the machine, and no speed. */
export const machine = {
  node: process.versions.node,
  cores: availableParallelism(),
  processor: kindOf(cpus()[0]?.model),
  /** Its numbers, without what a distribution or a provider adds. */
  kernel: /^\d+(?:\.\d+)*/.exec(release())?.[0] ?? '',
} as const

/** Of `Intel(R) Xeon(R) CPU @ 2.20GHz` the `Intel Xeon CPU`; where the system does not know it, the architecture. */
export function kindOf(model = ''): string {
  const kind = model
    .replace(/\((?:R|TM)\)/gi, '')
    .replace(/\s*@.*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  return /^(?:unknown)?$/.test(kind) ? process.arch : kind
}

/** The version of the NATS server that is installed, if one is. */
export function natsVersion(): string | undefined {
  // Where Debian keeps it, which is not in every user's path.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
  try {
    const said = execFileSync('nats-server', ['--version'], { encoding: 'utf8', env })
    return /\d+(?:\.\d+)+/.exec(said)?.[0]
  } catch {
    return undefined
  }
}
