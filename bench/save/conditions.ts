import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../build.js'
import { isBrief } from '../effort.js'
import { machine, natsVersion } from '../machine.js'

/** What a run depends on: nothing that names the machine. */
export interface Conditions {
  readonly isBrief: boolean
  readonly date: string
  /** The processor, and the version of all that is measured, by name. */
  readonly versions: Readonly<Record<string, string>>
}

/** The packages that `Struct` is compared with, and the client of the NATS server. */
const packages = ['python-struct', 'jspack', 'binary-parser', '@nats-io/transport-node']

/** What they are on this machine. Throws where there is no python3: half of a chapter would be missing. */
export function conditions(): Conditions {
  const { node, processor, cores, kernel } = machine
  const python = execFileSync('python3', ['--version'], { encoding: 'utf8' })
  const versions = {
    processor: `${processor}, ${cores} ${cores === 1 ? 'core' : 'cores'}`,
    Linux: kernel,
    'Node.js': node,
    CPython: python.replace('Python', '').trim(),
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    'nats-server': natsVersion() ?? 'not installed',
  }
  return { isBrief, date: new Date().toISOString().slice(0, 'YYYY-MM-DD'.length), versions }
}

function versionOf(name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}
