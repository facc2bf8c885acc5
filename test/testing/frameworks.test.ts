/**
 * The examples of docs/testing.md, each in the framework that it is for: in a user's project with the
 * packed package and the frameworks installed, whose files are those that the document shows.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { files } from '../blocks.js'
import { command, installBeside } from '../consumer.js'
import { root } from '../tree.js'

/** Those of them that run on every Node that the package is for. */
const frameworks = {
  vitest: '3.2.7',
  jest: '30.5.2',
  sinon: '22.1.0',
  '@types/sinon': '22.0.2',
}

const { consumer, skip } = await installBeside(frameworks)
const bin = (path: string) => join(consumer, '../node_modules', path)
const jest = ['--experimental-vm-modules', bin('jest/bin/jest.js'), '--rootDir', '.', '--json']
const nodeTest = ['--test', '--test-reporter=tap']
const tap = { passed: /^# pass (\d+)$/m, failed: /^# fail (\d+)$/m }
const jestJson = { passed: /"numPassedTests":\s*(\d+)/, failed: /"numFailedTests":\s*(\d+)/ }

/** What runs a test file, by the part of its name before `.test.`, and what it prints of the outcome. */
const runners = {
  node: { args: nodeTest, early: [], ...tap },
  sinon: { args: nodeTest, early: [], ...tap },
  vitest: {
    args: [bin('vitest/vitest.mjs'), 'run', '--reporter=json'],
    // Its processes cannot fake nextTick, its threads can.
    early: ['--pool=threads'],
    ...jestJson,
  },
  jest: {
    args: jest,
    early: [
      '--config',
      JSON.stringify({ testMatch: ['**/*.mjs'], fakeTimers: { enableGlobally: true } }),
    ],
    ...jestJson,
  },
}
type Runner = keyof typeof runners
const isRunner = (name: string): name is Runner => Object.hasOwn(runners, name)

/** The test files that are shown, by what runs them; of the other files nothing is run by itself. */
const shown = new Map<Runner, string>()
for (const { name, document, line } of files) {
  if (!name.includes('.test.')) continue
  const [, runner = ''] = /\.(\w+)\.test\.ts$/.exec(name) ?? []
  assert.ok(isRunner(runner) && !shown.has(runner), `${document}:${line}: what runs ${name}?`)
  shown.set(runner, name.replace(/ts$/, 'js'))
}

const working = await mkdtemp(join(consumer, 'working-'))
const broken = await mkdtemp(join(consumer, 'broken-'))

/** What is broken in the code under test: each test has to see it. */
const faults = [
  ['return remote.address', 'return remote.family'],
  ['return undefined', 'return null'],
] as const

async function build(): Promise<void> {
  for (const { name, code } of files) await writeFile(join(working, name), code)
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'] },
    ...{ types: ['node'], skipLibCheck: true },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUnusedLocals: true },
  }
  await writeFile(
    join(working, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: files.map(({ name }) => name) }),
  )
  await command(working, process.execPath, join(root, 'node_modules/typescript/bin/tsc'))
  await cp(working, broken, { recursive: true })
  let source = await readFile(join(broken, 'printers.js'), 'utf8')
  for (const [sound, faulty] of faults) {
    assert.ok(source.includes(sound))
    source = source.replace(sound, faulty)
  }
  await writeFile(join(broken, 'printers.js'), source)
  const folder = join(root, 'test/testing/frameworks')
  for (const file of await readdir(folder)) await cp(join(folder, file), join(working, file))
}

/** Runs test files; how many of their tests passed and failed, which the exit code has to confirm. */
async function outcome(runner: Runner, folder: string, ...files: string[]) {
  const { args, passed, failed } = runners[runner]
  const run = command(folder, process.execPath, ...args, ...files)
  const { output, isGood } = await run.then(
    (output) => ({ output, isGood: true }),
    (error: Error) => ({ output: error.message, isGood: false }),
  )
  const count = (pattern: RegExp) => Number(pattern.exec(output)?.[1])
  const counts = { passed: count(passed), failed: count(failed) }
  assert.equal(counts.failed === 0, isGood, output)
  return { ...counts, output }
}

if (skip === false) await build()

describe('the examples of the frameworks', { skip, concurrency: true }, () => {
  test('there is one for each', () => {
    assert.deepEqual([...shown.keys()].sort(), Object.keys(runners).sort())
  })

  for (const [runner, file] of shown) {
    test(`${file} passes`, async () => {
      const { passed, failed, output } = await outcome(runner, working, file)
      assert.deepEqual({ passed, failed }, { passed: 2, failed: 0 }, output)
    })

    test(`${file} fails where the code under test is broken`, async () => {
      const { passed, failed, output } = await outcome(runner, broken, file)
      assert.deepEqual({ passed, failed }, { passed: 0, failed: 2 }, output)
    })

    test(`the mock works where ${runner} fakes the timers before or after it is loaded`, async () => {
      const { early } = runners[runner]
      const files = ['early', 'late'].map((name) => `${name}.${runner}.test.mjs`)
      const { passed, failed, output } = await outcome(runner, working, ...early, ...files)
      assert.deepEqual({ passed, failed }, { passed: 2, failed: 0 }, output)
    })
  }
})
