/** How to run a program that shall not reach any network: in a namespace without one, where there are such. */
import { spawnSync } from 'node:child_process'
import { isCI } from './tree.js'

/** What to put before the command. Nothing where there are no namespaces, which under CI=true is a failure on Linux. */
export const offline: readonly string[] = prefix()

function prefix(): string[] {
  if (process.platform !== 'linux') return []
  // A plain user is root of a user namespace; so is a root whom a container has taken the right.
  for (const flags of ['-n', '-rn']) {
    if (spawnSync('unshare', [flags, 'true']).status === 0) return ['unshare', flags]
  }
  if (isCI) throw new Error('needs a network namespace (unshare)')
  return []
}
