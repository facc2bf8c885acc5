/**
 * Asks of each test what it would notice: puts one mistake at a time into a module and runs the tests that
 * run that very place, those first that have noticed most in their time, until one fails. A mistake that
 * none notices survives, unless mutants.json names it with the reason why nothing could notice it.
 *
 *     npm run mutants -- FILE...
 *
 * A mistake may make a socket send where no test of it would. So each run is in a network namespace that
 * has the loopback interface alone, and in copies of build/, which end with this program.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import type { Ran } from './coverage.js'
import { reach, tests } from './imports.js'
import { type Mutant, mutantsOf, transpiled } from './mutations.js'
import { build, nameSources, root } from './tree.js'

/** Copies in which tests run at the same time. With a mistake in it, many a test only waits. */
const WORKERS = 2 * availableParallelism()
/** Milliseconds for a test file to show what its tests run: those that have ended by then are asked. */
const PATIENCE = 60_000
/** Milliseconds that tests may take with a mistake, past five times what they take without. */
const GRACE = 3_000
/** Milliseconds that the tests that need a lab may take for a mistake, by what they take without. */
const BUDGET = 10_000
/** Milliseconds that it takes to start a test file. */
const START = 500
/** What the shell does first in a new network. Debian keeps ip where not every user looks. */
const LOOPBACK = 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up'
/** What a test file reaches that needs more than a network of its own and the compiled tree. */
const needs = ['test/consumer', 'test/project']

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
  readonly hasLab: boolean
  /** Those that run any of the modules. */
  readonly tests: readonly Test[]
  /** Whether it has others, or was not measured to its end: then those that are asked are named. */
  readonly hasOthers: boolean
  kills: number
}

interface Test extends Ran {
  /** Of each module that it has run: 1 for every character that it has, as the module's code has them. */
  readonly covered: ReadonlyMap<string, Uint8Array>
}

/** Some tests of a file. */
interface Choice {
  readonly file: TestFile
  readonly tests: readonly Test[]
  /** Milliseconds without a mistake. */
  readonly cost: number
}

/** What NODE_V8_COVERAGE makes Node write. */
interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number
        readonly endOffset: number
        readonly count: number
      }[]
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
    writeFileSync(this.#at(module), code)
  }

  /** Runs a whole test file without a mistake, and has what each of its tests runs written to a folder. */
  measure(test: string, coverage: string): Promise<Verdict> {
    // V8 loses count of a function without branches once it has optimized it: with Maglev, seen on Node 26.
    const flags = ['--no-opt', '--no-maglev', `--import=${this.#at('test/coverage')}`]
    return this.run(test, PATIENCE, flags, coverage)
  }

  /** Runs tests of a file until the first failure, for at most so many milliseconds. */
  run(test: string, limit: number, flags: readonly string[], coverage = ''): Promise<Verdict> {
    const hurry = reach(test).has('test/lab') ? [] : [`--import=${this.#at('test/hurry')}`]
    const program = [
      ...[process.execPath, `--import=${this.#at('test/setup')}`, ...hurry, ...flags],
      ...['--test-reporter=tap', this.#at(test)],
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

  #at(module: string): string {
    return join(this.#folder, 'build', `${module}.js`)
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

/** What runs any of these modules, of which the code is given. */
async function witnesses(
  copies: readonly Copy[],
  codes: ReadonlyMap<string, string>,
): Promise<TestFile[]> {
  const near = tests.filter((name) => {
    const reached = reach(name)
    return [...codes.keys()].some((one) => reached.has(one)) && !needs.some((n) => reached.has(n))
  })
  const files = await inCopies(copies, near, async (copy, name) => {
    const own = join(folder, name.replaceAll('/', '-'))
    mkdirSync(own)
    const verdict = await copy.measure(name, own)
    if (verdict === 'failed') console.log(`${name} is left out: it fails without a mistake`)
    if (verdict === 'late') console.log(`${name} takes long: not all of its tests are asked`)
    const all = verdict === 'failed' ? [] : testsIn(own, codes)
    rmSync(own, { recursive: true, force: true })
    const ran = all.filter(({ covered }) => covered.size > 0)
    const hasLab = reach(name).has('test/lab')
    const hasOthers = verdict === 'late' || ran.length < all.length
    return ran.length > 0 ? [{ name, hasLab, tests: ran, hasOthers, kills: 0 }] : []
  })
  return files.flat()
}

/** The tests that coverage.ts has told of in a folder, with what they have run of these modules. */
function testsIn(folder: string, codes: ReadonlyMap<string, string>): Test[] {
  const begun = new Map<string, Uint8Array>()
  addCovered(begun, join(folder, '0'), codes)
  const ran = readdirSync(folder).flatMap((name) => {
    const own = join(folder, name)
    if (!existsSync(join(own, 'test.json'))) return []
    const covered = new Map<string, Uint8Array>()
    addCovered(covered, own, codes)
    return [{ ...(JSON.parse(readFileSync(join(own, 'test.json'), 'utf8')) as Ran), covered }]
  })
  for (const [module, first] of begun) {
    // Whoever runs something of a module may notice what it was loaded with; of one that only holds values, anybody.
    const runs = ran.filter(({ covered }) => covered.has(module))
    for (const { covered } of runs.length > 0 ? runs : ran) {
      const places = covered.get(module)
      covered.set(module, places?.map((place, at) => place || (first[at] ?? 0)) ?? first)
    }
  }
  return ran
}

/** Adds what has run, as the files in a folder tell. */
function addCovered(
  covered: Map<string, Uint8Array>,
  folder: string,
  codes: ReadonlyMap<string, string>,
): void {
  if (!existsSync(folder)) return
  for (const file of readdirSync(folder).filter((name) => name.startsWith('coverage-'))) {
    const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Coverage
    for (const { url, functions } of result) {
      // A module that was loaded anew has a query.
      const [path = ''] = url.split('?')
      const module = [...codes.keys()].find((one) => path.endsWith(`/build/${one}.js`))
      if (module === undefined) continue
      const ranges = functions.flatMap(({ ranges }) => ranges)
      const size = (range: (typeof ranges)[number]) => range.endOffset - range.startOffset
      const places = new Uint8Array(codes.get(module)?.length ?? 0)
      // What is within something else tells more exactly.
      for (const range of ranges.sort((one, other) => size(other) - size(one))) {
        places.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset)
      }
      if (!places.includes(1)) continue
      const before = covered.get(module)
      covered.set(module, before ? places.map((place, at) => place || (before[at] ?? 0)) : places)
    }
  }
}

/**
 * Where a mutant differs from its module: the first place of the lines that do, and the one past the last. By whole
 * lines, because V8 may take what follows a branch in the same statement for a part of the branch.
 */
function differing(original: string, code: string): [number, number] {
  const [lines, others] = [original.split('\n'), code.split('\n')]
  const first = lines.findIndex((line, at) => line !== others[at])
  const last = lines.toReversed().findIndex((line, at) => line !== others.at(-1 - at))
  const start = lines.slice(0, first).join('\n').length
  return [start, Math.max(start + 1, lines.slice(0, lines.length - last).join('\n').length)]
}

/**
 * The tests that run what is mutated. Those without a lab are all asked: a module's own may be the only ones to notice,
 * however seldom they notice anything else. Of those with a lab, the quickest of each file and the best of these files,
 * as far as the budget goes.
 */
function choices(files: readonly TestFile[], module: string, place: [number, number]): Choice[] {
  const all = files.flatMap((file) => {
    const covering = file.tests.filter(({ covered }) =>
      covered
        .get(module)
        ?.subarray(...place)
        .includes(1),
    )
    const quick = covering.toSorted((one, other) => one.milliseconds - other.milliseconds)
    let cost = START
    const tests = quick.filter(({ milliseconds }) => {
      const isAsked = !file.hasLab || cost + milliseconds < BUDGET
      if (isAsked) cost += milliseconds
      return isAsked
    })
    return tests.length > 0 ? [{ file, tests, cost }] : []
  })
  const speed = ({ file, cost }: Choice): number => (file.kills + 0.1) / cost
  let sum = 0
  return all
    .sort((one, other) => speed(other) - speed(one))
    .filter(({ file, cost }) => {
      if (!file.hasLab) return true
      sum += cost
      return sum <= BUDGET || sum === cost
    })
}

/** What the first tests say that notice the mutant. */
async function judged(copy: Copy, chosen: readonly Choice[]): Promise<Verdict> {
  for (const { file, tests, cost } of chosen) {
    const names = tests.map(({ name }) => name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    const isAll = !file.hasOthers && tests.length === file.tests.length
    const flags = isAll ? [] : [`--test-name-pattern=^(?:${names.join('|')})$`]
    const verdict = await copy.run(file.name, 5 * cost + GRACE, flags)
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
  files: readonly TestFile[],
  original: string,
  equivalents: readonly Equivalent[],
): Promise<boolean> {
  const module = moduleOf(file)
  const mutants = mutantsOf(readFileSync(join(root, file), 'utf8'))
  const verdicts = await inCopies(copies, mutants, (copy, { code }) => {
    copy.write(module, code)
    return judged(copy, choices(files, module, differing(original, code)))
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

const moduleOf = (file: string): string => file.replace(/\.ts$/, '')

const listed = JSON.parse(readFileSync(join(root, 'test/mutants.json'), 'utf8')) as Equivalent[]
const names = process.argv
  .slice(2)
  .map((path) => relative(root, resolve(path)).replaceAll('\\', '/'))
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
  const codes = new Map<string, string>()
  for (const file of names) {
    const code = transpiled(readFileSync(join(root, file), 'utf8'))
    if (code === undefined) throw new Error(`${file} does not compile`)
    codes.set(moduleOf(file), code)
    for (const copy of copies) copy.write(moduleOf(file), code)
  }
  const files = await witnesses(copies, codes)
  for (const file of names) {
    const original = codes.get(moduleOf(file)) ?? ''
    if (!(await examined(copies, file, files, original, listed))) process.exitCode = 1
  }
} finally {
  clean()
}
