// The struct part beside unchecked code by hand, peers and CPython: it prints, and judges nothing.
import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Struct } from 'typed-multicast/struct'
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { figure, quartiles } from '../compare.js'
import { effort } from '../effort.js'
import { cell, type Figure, type Row } from '../findings.js'
import { progress } from '../progress.js'
import { Report } from '../report.js'
import {
  cases,
  distinctFormats,
  type Operation,
  offsets,
  operations,
  space,
  trials,
} from './cases.js'
import type { FirstUses } from './first.js'
import type { Found } from './measure.js'
import { peers } from './peers.js'

/** Processes for the table, since the compiler's choices differ from one process to the next. */
const processes = effort(5, 1)

interface CPython {
  /** Several measurements of each, in ns, by format. */
  readonly times: Readonly<Partial<Record<string, Readonly<Record<Operation, readonly number[]>>>>>
  /** The time of the first use of a format, in µs. */
  readonly first: number
}

const report = new Report(chapters.struct)
build()
progress('CPython')
const cpython = askCPython()
const found: Found[][] = []
while (found.length < processes) {
  progress(`process ${found.length + 1} of ${processes}`)
  found.push(await run('measure'))
}
progress('without code generation')
const withoutPrograms: Found[] = await run('measure', '--disallow-code-generation-from-strings')
progress('first uses')
const first: FirstUses = await run('first')
for (const operation of operations) {
  report.add({
    what: `speed of \`${operation}\` (more is better)`,
    ratios: ['Struct', 'functions', 'interpreted', ...peersOf(operation), 'CPython'],
    asides: ['by hand, ns', 'target', 'functions / Struct'],
    rows: cases.map((one) => row(one.format, operation)),
  })
}
report.end(`Each is of the rounds of ${found.length} processes, which have all used every format before. ✗: below the
target, which is 0.50 of functions / Struct.

${firstUses()}`)

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
    return JSON.parse(execFileSync('python3', [script], { input, timeout: 120_000 }).toString())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function run<Answer>(program: string, ...flags: string[]): Promise<Answer> {
  // Neither tsx nor debug's output belongs into what is measured.
  const { DEBUG: _debug, NODE_OPTIONS: _options, ...env } = process.env
  const script = fileURLToPath(new URL(`../dist/struct/${program}.js`, import.meta.url))
  const options = { env, maxBuffer: 2 ** 26, timeout: 120_000 }
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script], options)
  return JSON.parse(stdout)
}

/** The other libraries that have this operation at all. */
function peersOf(operation: Operation): string[] {
  const having = peers.filter((peer) => cases.some((one) => peer.calls(one)[operation]))
  return having.map(({ name }) => name)
}

function row(format: string, operation: Operation): Row {
  const n = trials.findIndex(
    (trial) => trial.one.format === format && trial.operation === operation,
  )
  const results = found.flatMap((findings) => findings[n] ?? [])
  const time = quartiles(results.map((result) => result.time)).median
  const speedsOf = (side: string) =>
    results.some(({ speeds }) => speeds[side] !== undefined)
      ? results.flatMap(({ speeds }) => speeds[side] ?? [])
      : undefined
  const struct = speedsOf('Struct') ?? []
  const ofStruct = figure(
    (speedsOf('functions') ?? []).map((speed, at) => speed / (struct[at] ?? 0)),
  )
  const target = trials[n]?.one.targets[operation]
  const theirs = cpython?.times[format]?.[operation]
  return {
    label: `\`${format}\``,
    figures: [
      speed(struct),
      speed(speedsOf('functions')),
      speed(withoutPrograms[n]?.speeds.Struct),
      ...peersOf(operation).map((name) => speed(speedsOf(name))),
      speed(theirs?.map((each) => time / each)),
    ],
    asides: [
      `${results[0]?.way} ${time.toFixed(1)}`,
      target === undefined ? '' : `${quartiles(struct).median < target ? '✗ ' : ''}${target}`,
      `${typeof ofStruct === 'object' && ofStruct.median < 0.5 ? '✗ ' : ''}${cell(ofStruct)}`,
    ],
  }
}

/** Of who does not take part there are no speeds, and of who is wrong an empty list. */
function speed(speeds: readonly number[] | undefined): Figure {
  if (speeds === undefined) return '–'
  return speeds.length === 0 ? 'differs' : quartiles(speeds)
}

function firstUses(): string {
  const µs = (time?: number) => (time === undefined ? '–' : `${time.toFixed(1)} µs`)
  return `The first use of a format of four integers: Struct ${µs(first.Struct)}, functions ${µs(first.functions)},
python-struct ${µs(first['python-struct'])}, jspack ${µs(first.jspack)}, CPython ${µs(cpython?.first)}. A later one, interpreted:
${µs(first.interpreted)}. The one that writes a program: ${µs(first.generating)}. The very first of the process: ${µs(first.coldest)}.`
}
