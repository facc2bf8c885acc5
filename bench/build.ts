import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { progress } from './progress.js'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs this tree's compiler on a project: the path of its folder. */
export function compile(project: string): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: ['ignore', 2, 2] })
}

/**
 * Compiles the library and these programs: tsx would give each closure a name, at a cost for each message,
 * so plain Node runs what tsc made.
 */
export function build(): void {
  progress('building')
  for (const project of ['src', 'bench']) compile(project)
}
