import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../build.js'
import { isBrief } from '../effort.js'
import { machine } from '../machine.js'

/** Under which a run is made: the versions of all that is measured, and nothing that names the machine. */
export interface Conditions {
  readonly isBrief: boolean
  readonly told: Readonly<Record<string, string>>
}

/** The packages that `Struct` is compared with. */
const packages = ['python-struct', 'jspack', 'binary-parser']

export function conditions(): Conditions {
  const { node, processor, cores, kernel } = machine
  const told: Record<string, string> = {
    on: new Date().toISOString().slice(0, 'YYYY-MM-DD'.length),
    processor: `${processor}, ${cores} ${cores === 1 ? 'core' : 'cores'}`,
    Linux: kernel,
    'Node.js': node,
    CPython: execFileSync('python3', ['--version'], { encoding: 'utf8' })
      .replace('Python', '')
      .trim(),
  }
  for (const name of packages) told[name] = versionOf(name)
  return { isBrief, told }
}

function versionOf(name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}
