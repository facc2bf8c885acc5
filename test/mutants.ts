/**
 * Asks of each test what it would notice: puts one mistake at a time into a module and runs the tests that
 * reach it, the nearest and quickest first, until one fails. A mistake that none notices survives, unless
 * mutants.json names it with the reason why nothing could notice it.
 *
 *     npm run mutants -- FILE...
 *
 * A mistake may make a socket send where no test of it would. So each run is in a network namespace that
 * has the loopback interface alone, and in copies of build/, which end with this program.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { reach, tests } from './imports.js'
import { type Mutant, mutantsOf, transpiled } from './mutations.js'
import { build, nameSources, root } from './tree.js'

/** Copies in which tests run at the same time. */
const WORKERS = 2
/** Milliseconds that a test file may take to be asked at all. */
const PATIENCE = 20_000
/** Milliseconds that it may take with a mistake, past five times what it takes without. */
const GRACE = 5_000
/** What the shell does first in a new network. Debian keeps ip where not every user looks. */
const LOOPBACK = 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up'
/** What a test file that needs more than the loopback interface and the compiled tree reaches. */
const needs = ['test/lab', 'test/consumer']

/** A mutant that nothing can notice. `in`, `line` and `change` are as survivors are printed. */
interface Equivalent {
  readonly file: string
  readonly in: string
  readonly line: string
  readonly change: string
  readonly why: string
}

interface TestFile {
  readonly name: string
  /** Milliseconds without a mistake. */
  readonly duration: number
  kills: number
}

/** What NODE_V8_COVERAGE makes Node write. */
interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly ranges: readonly [{ readonly startOffset: number; readonly count: number }]
    }[]
  }[]
}

type Verdict = 'passed' | 'failed' | 'late'

/** The namespaces of a run: its network, and its processes, all of which end with the first. */
function namespaces(): string[] {
  // A plain user is root of a user namespace; so is a root whom a container has taken the right.
  for (const asRoot of [[], ['-r']]) {
    const flags = [...asRoot, '-n', '-p', '-f', '--kill-child', 'sh', '-c']
    const probe = spawnSync('unshare', [...flags, LOOPBACK])
    if (probe.status === 0) return flags
  }
  throw new Error('Mutants need network namespaces, so that no mistake sends: unshare and iproute2')
}

const unshared = namespaces()
const running = new Set<ChildProcess>()

/** A tree of the project's shape whose build/ may be changed. */
class Copy {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder)
    for (const entry of readdirSync(root)) {
      if (entry !== 'build') symlinkSync(join(root, entry), join(folder, entry))
    }
    // Without the frameworks that are installed in there.
    const filter = (path: string) => !relative(build, path).startsWith('beside-')
    cpSync(build, join(folder, 'build'), { recursive: true, filter })
  }

  write(module: string, code: string): void {
    writeFileSync(join(this.#folder, 'build', `${module}.js`), code)
  }

  /**
   * Runs a test file until its first failure, for at most so many milliseconds. `coverage` is the folder
   * for what V8 tells of the code that ran.
   */
  run(test: string, limit: number, coverage = ''): Promise<Verdict> {
    const program = [
      ...[process.execPath, `--import=${join(this.#folder, 'build/test/setup.js')}`],
      ...['--test-reporter=tap', join(this.#folder, 'build', `${test}.js`)],
    ]
    const child = spawn('unshare', [...unshared, `${LOOPBACK} && "$@"`, 'sh', ...program], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        ...process.env,
        NODE_V8_COVERAGE: coverage,
      },
    })
    running.add(child)
    return new Promise((settle, fail) => {
      let verdict: Verdict | undefined
      const stop = (why: Verdict): void => {
        verdict ??= why
        child.kill('SIGKILL')
      }
      const timer = setTimeout(() => stop('late'), limit)
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (/^\s*not ok /m.test(text)) stop('failed')
      })
      child.on('error', fail)
      child.on('close', (status) => {
        clearTimeout(timer)
        running.delete(child)
        settle(verdict ?? (status === 0 ? 'passed' : 'failed'))
      })
    })
  }
}

/** Does something with each, one at a time in each copy; the results in the order of the items. */
async function inCopies<Item, Result>(
  copies: readonly Copy[],
  items: readonly Item[],
  work: (copy: Copy, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const left = items.entries()
  await Promise.all(
    copies.map(async (copy) => {
      for (const [index, item] of left) results[index] = await work(copy, item)
    }),
  )
  return results
}

/** The test files that can tell of a module, once they have passed without a mistake. */
async function witnesses(copies: readonly Copy[], module: string): Promise<TestFile[]> {
  const near = tests
    .map((name) => ({ name, reached: [...reach(name)] }))
    .filter(({ reached }) => reached.includes(module) && !needs.some((n) => reached.includes(n)))
    .sort((one, other) => one.reached.indexOf(module) - other.reached.indexOf(module))
  const files = await inCopies(copies, near, async (copy, { name }) => {
    const own = join(folder, name.replaceAll('/', '-'))
    const start = performance.now()
    const verdict = await copy.run(name, PATIENCE, own)
    const duration = performance.now() - start
    if (verdict === 'failed') throw new Error(`${name} fails without a mistake`)
    if (verdict === 'late') console.log(`${name} is left out: it takes more than ${PATIENCE} ms`)
    const isUsed = verdict === 'passed' && runs(own, module)
    rmSync(own, { recursive: true, force: true })
    return isUsed ? [{ name, duration, kills: 0 }] : []
  })
  return files.flat()
}

/** Whether, as this folder tells, any function of a module ran: many a file only imports it. */
function runs(coverage: string, module: string): boolean {
  return readdirSync(coverage).some((file) => {
    const { result } = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as Coverage
    const own = result.filter(({ url }) => url.endsWith(`/build/${module}.js`))
    // What begins at 0 is the module itself.
    return own.some(({ functions }) =>
      functions.some(({ ranges: [all] }) => all.startOffset > 0 && all.count > 0),
    )
  })
}

/** What the first test file says that notices the mutant. Those that have noticed most per second begin. */
async function judged(copy: Copy, files: readonly TestFile[]): Promise<Verdict> {
  const speed = ({ kills, duration }: TestFile): number => kills / duration
  for (const file of files.toSorted((one, other) => speed(other) - speed(one))) {
    const verdict = await copy.run(file.name, 5 * file.duration + GRACE)
    if (verdict === 'passed') continue
    file.kills += 1
    return verdict
  }
  return 'passed'
}

/** Tries all mutants of a file and prints what came of it; whether none survived. */
async function examined(
  copies: readonly Copy[],
  file: string,
  equivalents: readonly Equivalent[],
): Promise<boolean> {
  const source = readFileSync(join(root, file), 'utf8')
  const module = file.replace(/\.ts$/, '')
  const original = transpiled(source)
  if (original === undefined) throw new Error(`${file} does not compile`)
  for (const copy of copies) copy.write(module, original)
  const files = await witnesses(copies, module)
  const mutants = mutantsOf(source)
  const verdicts = await inCopies(copies, mutants, (copy, { code }) => {
    copy.write(module, code)
    return judged(copy, files)
  })
  for (const copy of copies) copy.write(module, original)

  const alike = (one: Equivalent) => (mutant: Mutant) =>
    mutant.in === one.in && mutant.text === one.line && mutant.change === one.change
  const own = equivalents.filter((one) => one.file === file)
  const surviving = mutants.filter((_, index) => verdicts[index] === 'passed')
  const survivors = surviving.filter((mutant) => !own.some((one) => alike(one)(mutant)))
  for (const mutant of survivors) {
    const { line, column, change } = mutant
    console.log(`${file}:${line}:${column} in ${mutant.in}: ${change}`)
  }
  const wrong = own.filter((one) => !surviving.some(alike(one)))
  for (const one of wrong) {
    const what = mutants.some(alike(one)) ? 'is noticed' : 'is no mutant any more'
    console.log(`mutants.json: ${file} in ${one.in}, ${one.change}: ${what}`)
  }
  const named = surviving.length - survivors.length
  const killed = mutants.length - surviving.length
  const late = verdicts.filter((verdict) => verdict === 'late').length
  const score = (100 * killed) / (mutants.length - named || 1)
  console.log(
    `${file}: ${mutants.length} mutants, ${killed} killed (${late} by time), ${survivors.length} survived, ` +
      `${named} equivalent, score ${score.toFixed(1)} %`,
  )
  return survivors.length + wrong.length === 0
}

const listed = JSON.parse(readFileSync(join(root, 'test/mutants.json'), 'utf8')) as Equivalent[]
const names = process.argv.slice(2).map((path) => relative(root, resolve(path)))
if (names.length === 0) throw new Error('Name the files to put mistakes into: src/queue.ts')
const folder = mkdtempSync(join(tmpdir(), 'typed-multicast-mutants-'))
const clean = (): void => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    clean()
    process.exit(1)
  })
}
try {
  nameSources()
  const copies = Array.from({ length: WORKERS }, (_, index) => new Copy(join(folder, `${index}`)))
  for (const name of names) {
    const hasPassed = await examined(copies, name.replaceAll('\\', '/'), listed)
    if (!hasPassed) process.exitCode = 1
  }
} finally {
  clean()
}
