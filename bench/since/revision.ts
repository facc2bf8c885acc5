import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compile, root } from '../build.js'

/** The commit that `revision` names. */
export function commitOf(revision: string): string {
  return git('rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`).trim()
}

/**
 * Builds the library as it was at a commit in a folder that vanishes with this process, and beside it the
 * programs of this tree, which there import that library. Returns where these are.
 */
export function buildAt(commit: string): URL {
  const folder = mkdtempSync(join(tmpdir(), 'typed-multicast-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  // Ended by a signal it would leave the folder.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const archive = join(folder, 'archive.tar')
  git('archive', `--output=${archive}`, commit, 'package.json', 'tsconfig.json', 'src')
  execFileSync('tar', ['-xf', archive, '-C', folder])
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  compile(join(folder, 'src'))
  const programs = join(folder, 'bench/dist/')
  mkdirSync(programs, { recursive: true })
  cpSync(join(root, 'bench/dist'), programs, { recursive: true })
  return pathToFileURL(programs)
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' })
}
