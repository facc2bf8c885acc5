/**
 * The examples of docs/testing.md, each in the framework that it is for: in a user's project with the
 * packed package and the frameworks installed, whose files are those that the document shows. Some of them
 * have other libraries run on the mock; those are installed beside the frameworks.
 *
 * They run without a network, so that nothing would leave the machine even where a mock lets it through.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { files } from '../blocks.js'
import { command, installBeside } from '../consumer.js'
import { offline } from '../offline.js'
import { root } from '../tree.js'

/** Those of them that run on every Node that the package is for. */
const packages = {
  vitest: '3.2.7',
  jest: '30.5.2',
  sinon: '22.1.0',
  '@types/sinon': '22.0.2',
  'multicast-dns': '7.2.5',
  '@types/multicast-dns': '7.2.4',
  'bonjour-service': '1.4.4',
  'node-ssdp': '4.0.1',
  '@types/node-ssdp': '4.0.5',
}

const { consumer, skip } = await installBeside(packages)
const bin = (path: string) => join(consumer, '../node_modules', path)
const jest = ['--experimental-vm-modules', bin('jest/bin/jest.js'), '--rootDir', '.', '--json']
const nodeTest = ['--experimental-test-module-mocks', '--test', '--test-reporter=tap']
const tap = { passed: /^# pass (\d+)$/m, failed: /^# fail (\d+)$/m }
const jestJson = { passed: /"numPassedTests":\s*(\d+)/, failed: /"numFailedTests":\s*(\d+)/ }

/** What runs a test file, by the part of its name before `.test.`, and what it prints of the outcome. */
const runners = {
  node: { args: nodeTest, special: [], ...tap },
  sinon: { args: nodeTest, special: [], ...tap },
  vitest: {
    args: [bin('vitest/vitest.mjs'), 'run', '--reporter=json'],
    // Its processes cannot fake nextTick, its threads can.
    special: ['--pool=threads', '--config=inline.config.mjs'],
    ...jestJson,
  },
  jest: {
    args: jest,
    special: [
      '--config',
      JSON.stringify({ testMatch: ['**/*.mjs'], fakeTimers: { enableGlobally: true } }),
    ],
    ...jestJson,
  },
}
type Runner = keyof typeof runners
const isRunner = (name: string): name is Runner => Object.hasOwn(runners, name)

/** What is not shown: files with one test each, and what these import. */
const folder = join(root, 'test/testing/frameworks')
const special = (await readdir(folder)).sort()

/** The test files that are shown, by what runs them; of the other files nothing is run by itself. */
const shown = new Map<Runner, string[]>()
/** How many tests each of them has. */
const tests = new Map<string, number>()
for (const { name, code, document, line } of files) {
  if (!name.includes('.test.')) continue
  const [, runner = ''] = /\.(\w+)\.test\.ts$/.exec(name) ?? []
  assert.ok(isRunner(runner), `${document}:${line}: what runs ${name}?`)
  const file = name.replace(/ts$/, 'js')
  shown.set(runner, [...(shown.get(runner) ?? []), file])
  tests.set(file, code.match(/^test\(/gm)?.length ?? 0)
}

const working = await mkdtemp(join(consumer, 'working-'))
const broken = await mkdtemp(join(consumer, 'broken-'))

const real = `process.getBuiltinModule('node:dgram')`
/** What is broken in which file: in the code under test, or in what puts a library onto the mock. Each test has to see it. */
const faults = [
  ['printers.js', 'return remote.address', 'return remote.family'],
  ['printers.js', 'return undefined', 'return null'],
  ['mdns.node.test.js', 'host.createSocket(', `${real}.createSocket(`],
  ['announcer.node.test.js', 'office.dgram', real],
  ['announcer.jest.test.js', 'office.dgram', real],
  ['announcer.vitest.test.js', 'office.createSocket(', `${real}.createSocket(`],
  ['finding.node.test.js', 'host.dgram', real],
  ['exports.node.test.js', 'host.dgram', real],
  ['finding.jest.test.js', 'host.dgram', real],
  ['finding.vitest.test.js', '.mockImplementation(host.createSocket)', ''],
] as const

/** How many tests these files have together. */
function count(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (tests.get(name) ?? 0), 0)
}

/** Copies a file with another text in the place of one that it must have. */
async function alter(from: string, to: string, old: string, altered: string): Promise<void> {
  const source = await readFile(from, 'utf8')
  assert.ok(source.includes(old), `${from}: ${old}`)
  await writeFile(to, source.replaceAll(old, altered))
}

/** Whether mock.module has `exports`, which older lines of Node do not know. It takes `namedExports` as well. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major >= 26 || (major === 24 && minor >= 21)) {
  shown.get('node')?.push('exports.node.test.js')
  tests.set('exports.node.test.js', tests.get('finding.node.test.js') ?? 0)
}

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
  const library = join(working, 'finding.node.test.js')
  await alter(library, join(working, 'exports.node.test.js'), 'namedExports', 'exports')
  await cp(working, broken, { recursive: true })
  for (const [file, sound, faulty] of faults) {
    await alter(join(broken, file), join(broken, file), sound, faulty)
  }
  for (const file of special) await cp(join(folder, file), join(working, file))
}

/** Runs test files; how many of their tests passed and failed, which the exit code has to confirm. */
async function outcome(runner: Runner, folder: string, ...files: string[]) {
  const { args, passed, failed } = runners[runner]
  const [file, ...before] = [...offline, process.execPath]
  const run = command(folder, file, ...before, ...args, ...files)
  const { output, isGood } = await run.then(
    (output) => ({ output, isGood: true }),
    (error: Error) => ({ output: error.message, isGood: false }),
  )
  const told = (pattern: RegExp) => Number(pattern.exec(output)?.[1])
  const counts = { passed: told(passed), failed: told(failed) }
  assert.equal(counts.failed === 0, isGood, output)
  return { ...counts, output }
}

if (skip === false) await build()

describe('the examples of the frameworks', { skip, concurrency: true }, () => {
  test('there is one for each', () => {
    assert.deepEqual([...shown.keys()].sort(), Object.keys(runners).sort())
    // Timers that are fake before the mock is loaded, or after.
    for (const runner of shown.keys()) {
      for (const name of ['early', 'late'])
        assert.ok(special.includes(`${name}.${runner}.test.mjs`))
    }
  })

  for (const [runner, names] of shown) {
    const all = count(names)

    test(`${names.join(', ')}: they pass`, async () => {
      const { passed, failed, output } = await outcome(runner, working, ...names)
      assert.deepEqual({ passed, failed }, { passed: all, failed: 0 }, output)
    })

    test(`${names.join(', ')}: they fail where the code under test is broken, or on no mock`, async () => {
      const { passed, failed, output } = await outcome(runner, broken, ...names)
      assert.deepEqual({ passed, failed }, { passed: 0, failed: all }, output)
      // Those of libraries, which have no faults of their own, because the sockets are real.
      const ofLibraries = count(names.filter((name) => !name.startsWith('printers.')))
      const refused = output.match(/refuseRealSockets\(\) forbids/g)?.length ?? 0
      assert.ok(refused >= ofLibraries, output)
    })

    const besides = special.filter((name) => name.endsWith(`.${runner}.test.mjs`))
    test(`${besides.join(', ')}: they pass`, async () => {
      const args = [...runners[runner].special, ...besides]
      const { passed, failed, output } = await outcome(runner, working, ...args)
      assert.deepEqual({ passed, failed }, { passed: besides.length, failed: 0 }, output)
    })
  }
})
