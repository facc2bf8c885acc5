/** Records again what vectors.test.ts compares with: by the machine's Python, so that any one Node will do. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { isCI, root } from '../tree.js'
import { type Recording, read, textOf } from './vectors.js'

const execute = promisify(execFile)

/** The version of a Python program, if it runs: pyenv's shims are there for versions that are not. */
async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await execute(program, ['-c', 'import sys; print(*sys.version_info[:2])'])
    return stdout.trim().replace(' ', '.')
  } catch {
    return undefined
  }
}

/** Python 3.13 where there is one, and else the machine's. */
async function python(): Promise<[program: string, version: string] | undefined> {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions')
  let installed: string[] = []
  try {
    installed = readdirSync(versions).filter((name) => name.startsWith('3.13.'))
  } catch {}
  const programs = installed.map((name) => join(versions, name, 'bin', 'python'))
  for (const program of ['python3.13', ...programs, 'python3']) {
    const version = await versionOf(program)
    if (version !== undefined) return [program, version]
  }
  return undefined
}

test('the Python here does what was recorded', async (t) => {
  const found = await python()
  if (found === undefined) {
    assert.ok(!isCI, 'needs python3')
    return t.skip('needs python3')
  }
  const [program, version] = found
  const script = join(root, 'test/struct/vectors/record.py')
  const { stdout } = await execute(program, [script], { maxBuffer: 2 ** 26 })
  if (version === '3.13') sameText(stdout, textOf('cpython-3.13'))
  else sameOutcomes(JSON.parse(stdout), read('cpython-3.13'))
})

/** Names the first line that differs: a diff of megabytes would not help. */
function sameText(got: string, expected: string): void {
  const lines = expected.split('\n')
  const at = got.split('\n').findIndex((line, index) => line !== lines[index])
  assert.ok(got === expected, `line ${at + 1} differs: record again, and see what changed`)
}

/** Other versions word their refusals otherwise, so only values and what is refused are compared. */
function sameOutcomes(got: Recording, expected: Recording): void {
  assert.deepEqual(got.vast, expected.vast)
  const calls = plain(got)
  const before = plain(expected)
  assert.equal(calls.length, before.length)
  const differing = calls.filter((call, at) => call !== before[at])
  const shown = differing.slice(0, 10).join('\n')
  assert.equal(differing.length, 0, `${differing.length} of ${calls.length} differ:\n${shown}`)
}

function plain({ formats }: Recording): string[] {
  return formats.flatMap(([format, calls]) => {
    // Before 3.13 a 0p packed the length 255, and could not be unpacked.
    if (/(^|\D)0+p/.test(String(format))) return []
    return calls.map(([operation, given, outcome, after]) => {
      const value = typeof outcome === 'number' ? 'refused' : outcome
      return JSON.stringify([format, operation, given, value, after])
    })
  })
}
