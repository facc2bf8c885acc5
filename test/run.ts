/**
 * Runs test files: all of them, one of the suites below, or those that are named.
 *
 *     node build/test/run.js [fast | each | FILE...]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { pack } from './consumer.js'
import { reach, tests } from './imports.js'
import { build, nameSources, RUNNING, root, SHARED } from './tree.js'

/** Take long by themselves: vectors of which there are many, and formats that are huge. */
const long = [
  'test/struct/vectors.test',
  'test/struct/recording.test',
  'test/struct/hostile-formats.test',
  'test/struct/environment.test',
  'test/struct/roundtrip.test',
  'test/struct/fuzz.test',
]

/** Prove the same whatever version of Node runs them, and random programs, of which one run is enough. */
const single = [
  'test/benchmarks.test',
  'test/package.test',
  'test/compilers.test',
  'test/docs.test',
  'test/recipes.test',
  'test/listed.test',
  'test/layout.test',
  'test/complete.test',
  'test/mutations.test',
  'test/truth.test',
  'test/soak.test',
  'test/struct/recording.test',
  'test/testing/truth.test',
  'test/testing/differential.test',
  'test/testing/differential-endpoints.test',
  'test/testing/one-segment.test',
  'test/testing/transcribed.test',
]

/** Take much of the processor to prove that nothing grows: a step of .ci/run has them, no suite. */
const soaks = ['test/soak-strangers.test']

/** Measure time or fill sockets, so that nothing else may run beside them. */
const alone = [
  'test/leak.test',
  'test/payload.test',
  'test/python.test',
  'test/soak-strangers.test',
]

/** Wait for most of their time, for looks at the interfaces and for daemons: beside the others they cost little. */
const waiting = [
  'test/doctor.test',
  'test/examples.test',
  'test/following-peer.test',
  'test/following-senders.test',
  'test/following.test',
  'test/mdns.test',
  'test/memberships.test',
  'test/recorded.test',
  'test/reports.test',
  'test/soak.test',
  'test/ssdp.test',
  'test/truth.test',
  'test/watch.test',
  'test/nats/examination.test',
  'test/testing/conformance.test',
  'test/testing/following.test',
  'test/testing/meanwhile.test',
  'test/unicast/examination.test',
]

/**
 * Are so short that to start a process, or to build a lab, for each would take most of their time: each row runs
 * in one. None of them is for what a process has only once, such as its timers, which silence.test.ts replaces.
 */
const together = [
  ['address', 'asks', 'codec', 'endpoint', 'inbox', 'interfaces', 'mixture', 'options', 'outbox'],
  [
    'queue',
    'rules',
    'lifecycle',
    'delayed-reply',
    'member-socket',
    'peer-endpoint',
    'receiver',
    'sender',
    'zones',
  ],
  ['complete', 'contributing', 'doctor-parts', 'drawings', 'layout', 'listed', 'mutations'],
  ['faults', 'host', 'journal', 'network', 'peers', 'platform', 'schedule', 'socket'].map(
    (name) => `testing/${name}`,
  ),
  ['codec', 'half', 'hostile-bytes', 'hostile-values', 'inet', 'inet-python', 'python'].map(
    (name) => `struct/${name}`,
  ),
  [
    'arguments',
    'host-address',
    'inet-socket',
    'link',
    'link-address',
    'node-error',
    'platform',
    'scope',
  ].map((name) => `stack/${name}`),
  ['following-memberships', 'memberships', 'outgoing'].map((name) => `testing/${name}`),
  ['drops', 'igmp', 'ipv6', 'isolation', 'joining', 'routed', 'sockopt', 'strangers'],
  ['multicast-peer', 'outgoing', 'replies'],
].map((row) => row.map((name) => `test/${name}.test`))

for (const name of [...long, ...single, ...soaks, ...alone, ...waiting, ...together.flat()]) {
  if (!tests.includes(name)) throw new Error(`there is no ${name} any more: name it anew in run.ts`)
}

const suites: Record<string, (test: string) => boolean> = {
  /** What takes no network namespace, no packing, no compilers and no long vectors. */
  fast(test) {
    const reached = reach(test)
    const needs = ['test/lab', 'test/consumer', 'test/project'].some((need) => reached.has(need))
    return !needs && !long.includes(test) && !alone.includes(test)
  },
  /** What may differ from one version of Node to the next. */
  each: (test) => !single.includes(test),
}

/** The test files that the arguments name. */
function chosen(args: readonly string[]): readonly string[] {
  const [first] = args
  const suite = first === undefined ? () => true : suites[first]
  if (suite) return tests.filter((test) => suite(test) && !soaks.includes(test))
  return args.map((path) => {
    const name = relative(root, resolve(path)).replaceAll('\\', '/').replace(/\.ts$/, '')
    if (tests.includes(name)) return name
    throw new Error(`'${path}' is neither a test file nor one of ${Object.keys(suites).join(', ')}`)
  })
}

const args = process.argv.slice(2)
/** Whether the files are named, one by one. */
const isNamed = args[0] !== undefined && !(args[0] in suites)
/** Milliseconds that a test may last: an answer in seconds shall not take minutes. */
const limit = args[0] === 'fast' ? 20_000 : 180_000
/** Stacks in lines of TypeScript where somebody is at work. They cost each process a tenth of its time. */
const mapped = args.length > 0 && args[0] !== 'each' ? ['--enable-source-maps'] : []

/** Ends each process with a test that has lasted for longer, and says which. */
function endLate(folder: string): void {
  for (const pid of readdirSync(folder)) {
    let running: { name: string; began: number }[] = []
    try {
      running = JSON.parse(readFileSync(join(folder, pid), 'utf8'))
      const late = running.find(({ began }) => Date.now() - began > limit)
      if (late === undefined) continue
      console.error(`timed out after ${limit} ms: ${late.name}`)
      process.kill(Number(pid), 'SIGKILL')
      rmSync(join(folder, pid))
    } catch {
      // It is being written, or the process has ended by itself.
    }
  }
}

/** The files to run for these, each row of those that go together as one that imports them. */
function joined(names: readonly string[]): string[] {
  const left = new Set(names)
  const files: string[] = []
  for (const [index, row] of together.entries()) {
    const some = row.filter((name) => left.delete(name))
    if (some.length === 0) continue
    const file = `test/together-${index}.test`
    const modules = some.map((name) => `./${relative('test', name)}.js`)
    // Of the lab it has to be known beforehand.
    if (some.some((name) => reach(name).has('test/lab'))) modules.unshift('./lab.js')
    writeFileSync(
      join(build, `${file}.js`),
      modules.map((module) => `import '${module.replaceAll('\\', '/')}'\n`).join(''),
    )
    files.push(file)
  }
  return [...left, ...files]
}

/** Runs these, so many at a time; whether all passed. */
async function run(names: readonly string[], concurrency: number): Promise<boolean> {
  if (names.length === 0) return true
  const running = mkdtempSync(join(tmpdir(), 'typed-multicast-running-'))
  const watch = setInterval(endLate, 500, running)
  const child = spawn(
    process.execPath,
    [
      ...mapped,
      `--import=${join(build, 'test/setup.js')}`,
      '--test',
      '--test-reporter=spec',
      `--test-concurrency=${concurrency}`,
      ...names.map((name) => join(build, `${name}.js`)),
    ],
    { stdio: 'inherit', env: { ...process.env, [RUNNING]: running } },
  )
  const [status] = await once(child, 'close')
  clearInterval(watch)
  rmSync(running, { recursive: true })
  return status === 0
}

nameSources()
const names = chosen(args)
// Made here, or where the caller says, so that several runs find it.
const given = process.env[SHARED]
const shared = given ?? mkdtempSync(join(tmpdir(), 'typed-multicast-'))
process.env[SHARED] = shared
try {
  if (names.some((name) => reach(name).has('test/consumer'))) await pack(shared)
  const beside = names.filter((name) => !alone.includes(name) && !waiting.includes(name))
  const passed = await Promise.all([
    // Who names a file is told of that file.
    run(isNamed ? beside : joined(beside), availableParallelism()),
    run(
      names.filter((name) => waiting.includes(name)),
      2 * availableParallelism(),
    ),
  ])
  passed.push(
    await run(
      names.filter((name) => alone.includes(name)),
      1,
    ),
  )
  if (passed.includes(false)) process.exitCode = 1
} finally {
  if (given === undefined) rmSync(shared, { recursive: true })
}
