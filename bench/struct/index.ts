// The struct part beside unchecked code by hand, peers and CPython: it prints, and judges nothing.
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Struct } from 'typed-multicast/struct'
import { quartiles } from '../compare.js'
import { alignedTable } from '../table.js'
import { cases, distinctFormats, type Operation, offsets, space, trials } from './cases.js'
import type { FirstUses } from './first.js'
import type { Found } from './measure.js'
import { peers } from './peers.js'

/** Processes for the table, since the compiler's choices differ from one process to the next. */
const processes = 5

interface CPython {
  readonly version: string
  /** In ns, by format. */
  readonly times: Readonly<Partial<Record<string, Readonly<Record<Operation, number>>>>>
  /** The time of the first use of a format, in µs. */
  readonly first: number
}

build()
console.error('CPython')
const cpython = askCPython()
const found: Found[][] = []
while (found.length < processes) {
  console.error(`process ${found.length + 1} of ${processes}`)
  found.push(run('measure'))
}
console.error('without code generation')
const withoutPrograms: Found[] = run('measure', '--disallow-code-generation-from-strings')
console.error('first uses')
const first: FirstUses = run('first')
report()

// tsx would give each closure a name, at a cost for each call, so plain Node runs what tsc made.
function build(): void {
  console.error('building')
  for (const project of ['src', 'bench']) {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 2, 2],
    })
  }
}

/** Nothing where there is no python3. Throws if it would pack other bytes than ours. */
function askCPython(): CPython | undefined {
  const task = cases.map((one) => {
    const struct = new Struct(one.format)
    const packed = one.rows.map((row) => struct.pack(...row).toString('hex'))
    return { format: one.format, packed, at: offsets(one) }
  })
  const input = JSON.stringify({ cases: task, space, formats: distinctFormats(1000) })
  try {
    const script = fileURLToPath(new URL('cpython.py', import.meta.url))
    return JSON.parse(execFileSync('python3', [script], { input }).toString())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function run<Answer>(program: string, ...flags: string[]): Answer {
  // Neither tsx nor debug's output belongs into what is measured.
  const { DEBUG: _debug, NODE_OPTIONS: _options, ...env } = process.env
  const script = fileURLToPath(new URL(`../dist/struct/${program}.js`, import.meta.url))
  const answer = execFileSync(process.execPath, [...flags, script], { env, maxBuffer: 2 ** 26 })
  return JSON.parse(answer.toString())
}

function report(): void {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const python = cpython === undefined ? 'no CPython' : `CPython ${cpython.version}`
  console.log(`Node ${process.version} and ${python} on ${cpus().length} × ${model}\n`)
  const ours = ['Struct', 'middle half', 'target', 'functions', 'of Struct', 'interpreted']
  const others = [...peers.map(({ name }) => name), 'CPython']
  console.log(
    alignedTable(['format', 'operation', 'by hand, ns', ...ours, ...others], trials.map(row)),
  )
  console.log(`
Speeds, as fractions of the fastest way by hand, which checks nothing. Each is the median over the
rounds of ${found.length} processes, which have all used every format before; the middle half is from the lower
to the upper quartile. ✗: below the target. functions: pack(format, …) and so on; of Struct is
their part of Struct's speed, the target 0.50. interpreted: Struct where code generation is
disallowed. –: cannot be said in that library; wrong: gives something else, or throws.

${firstUses()}`)
}

function row({ one, operation }: (typeof trials)[number], n: number): string[] {
  const results = found.flatMap((findings) => findings[n] ?? [])
  const time = quartiles(results.map((result) => result.time)).median
  const speedsOf = (side: string) =>
    results.some(({ speeds }) => speeds[side] !== undefined)
      ? results.flatMap(({ speeds }) => speeds[side] ?? [])
      : undefined
  const struct = quartiles(speedsOf('Struct') ?? [])
  const ofStruct = quartiles(speedsOf('functions') ?? []).median / struct.median
  const target = one.targets[operation]
  const theirs = cpython?.times[one.format]?.[operation]
  return [
    one.format,
    operation,
    `${results[0]?.way} ${time.toFixed(1)}`,
    fixed(struct.median),
    `${fixed(struct.lower)}–${fixed(struct.upper)}`,
    target === undefined ? '' : `${struct.median < target ? '✗ ' : ''}${fixed(target)}`,
    shown(speedsOf('functions')),
    `${ofStruct < 0.5 ? '✗ ' : ''}${fixed(ofStruct)}`,
    shown(withoutPrograms[n]?.speeds.Struct),
    ...peers.map((peer) => shown(speedsOf(peer.name))),
    shown(theirs === undefined ? undefined : [time / theirs]),
  ]
}

function shown(speeds: readonly number[] | undefined): string {
  if (speeds === undefined) return '–'
  return speeds.length === 0 ? 'wrong' : fixed(quartiles(speeds).median)
}

function fixed(fraction: number): string {
  return fraction.toFixed(fraction < 0.095 ? 3 : 2)
}

function firstUses(): string {
  const µs = (time?: number) => (time === undefined ? '–' : `${time.toFixed(1)} µs`)
  return `The first use of a format of four integers: Struct ${µs(first.Struct)}, functions ${µs(first.functions)},
python-struct ${µs(first['python-struct'])}, jspack ${µs(first.jspack)}, CPython ${µs(cpython?.first)}. A later one, interpreted:
${µs(first.interpreted)}. The one that writes a program: ${µs(first.generating)}. The very first of the process: ${µs(first.coldest)}.`
}
