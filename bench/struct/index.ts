// The struct part beside unchecked code by hand, peers and CPython: it prints, and judges nothing.
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { quartiles } from '../compare.js'
import { alignedTable } from '../table.js'
import { type Case, cases, nameOf, type Operation, operations } from './cases.js'
import { askCPython, type CPython } from './cpython.js'
import type { FirstUses } from './first.js'
import type { Found, Measured, Task } from './measure.js'

/** Processes for the table, since the compiler's choices differ from one process to the next. */
const processes = 5

/** No further process is started after so many seconds. */
const enough = 100

/** No program takes as long as this, in ms. */
const patience = 60_000

/** With it each case is measured in a process that has seen no other. */
const isAlone = process.argv.includes('--alone')

const started = performance.now()
build()
progress('CPython')
const cpython = askCPython()
const found = isAlone ? alone() : together()
progress('without code generation')
const interpreted = run<Found>(
  'measure',
  { peers: false, rounds: 20, seconds: 20 },
  '--disallow-code-generation-from-strings',
)
progress('first uses')
const first = run<FirstUses>('first')
report()

// tsx would give each closure a name, at a cost for each call, so plain Node runs what tsc made.
function build(): void {
  progress('building')
  for (const project of ['src', 'bench']) {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 2, 2],
    })
  }
}

function together(): Found[] {
  const results: Found[] = []
  for (let n = 1; n <= processes && performance.now() - started < enough * 1000; n += 1) {
    progress(`process ${n} of ${processes}`)
    results.push(run<Found>('measure', { peers: true, rounds: 30, seconds: 20 }))
  }
  return results
}

function alone(): Found[] {
  return cases.flatMap((one) =>
    operations.map((operation) => {
      const only = nameOf(operation, one)
      progress(`${only} alone`)
      return run<Found>('measure', { only, peers: true, rounds: 60, seconds: 5 })
    }),
  )
}

function run<Answer>(program: string, task?: Task, ...flags: string[]): Answer {
  // Neither tsx nor debug's output belongs into what is measured.
  const { DEBUG: _debug, NODE_OPTIONS: _options, ...env } = process.env
  const script = fileURLToPath(new URL(`../dist/struct/${program}.js`, import.meta.url))
  const answer = execFileSync(process.execPath, [...flags, script, JSON.stringify(task ?? {})], {
    env,
    stdio: ['ignore', 'pipe', 2],
    maxBuffer: 2 ** 28,
    timeout: patience,
  })
  return JSON.parse(answer.toString())
}

/** All that was measured of a case, over the processes. */
interface Summary {
  /** The fastest way by hand, and its time in ns. */
  readonly way: string
  readonly hand: number
  /** The speed of a side as a fraction of that, round by round; empty where its results are wrong. */
  fractions(is: (side: Measured) => boolean): number[] | undefined
}

function summary(results: readonly Found[], name: string): Summary {
  const each = results.flatMap((result) => {
    const sides = result.cases[name] ?? []
    const [best] = sides
      .filter(({ kind }) => kind === 'hand')
      .map((side) => ({ ...side, median: quartiles(side.times).median }))
      .sort((a, b) => a.median - b.median)
    return best === undefined ? [] : [{ sides, best }]
  })
  return {
    way: each[0]?.best.name ?? '',
    hand: quartiles(each.map(({ best }) => best.median)).median,
    fractions(is) {
      const found = each.map(({ sides, best }) => ({ side: sides.find(is), best }))
      if (found.every(({ side }) => side === undefined)) return undefined
      return found.flatMap(({ side, best }) =>
        (side?.times ?? []).map((time, round) => (best.times[round] ?? Number.NaN) / time),
      )
    },
  }
}

function report(): void {
  progress('')
  const model = cpus()[0]?.model ?? 'unknown processor'
  const python = cpython === undefined ? 'no CPython' : `CPython ${cpython.version}`
  console.log(`Node ${process.version} and ${python} on ${cpus().length} × ${model}\n`)
  const rows = cases.flatMap((one) => operations.map((operation) => row(one, operation)))
  const header = ['format', 'operation', 'best by hand', '', 'Struct', 'middle half', 'target', '']
  const others = ['functions', 'of Struct', 'interpreted', 'python-struct', 'jspack']
  console.log(alignedTable([...header, ...others, 'binary-parser', 'CPython'], rows))
  console.log(`
Speeds, as fractions of the fastest of several ways by hand, none of which checks anything. Each is the
median over the rounds of ${isAlone ? 'a process for each case' : `${found.length} processes, which have all used every format before`}; the middle half is
from the lower to the upper quartile. ✗: below the target. functions: pack(format, …) and so on;
of Struct is their part of Struct's speed, the target 0.50. interpreted: Struct where code generation
is disallowed. –: cannot be said in that library; wrong: gives something else, or throws.
${list()}
${firstUses()}
${agreement(cpython)}`)
}

function row(one: Case, operation: Operation): string[] {
  const name = nameOf(operation, one)
  const { way, hand, fractions } = summary(found, name)
  const struct = quartiles(fractions(({ kind }) => kind === 'struct') ?? [])
  const functions = quartiles(fractions(({ kind }) => kind === 'functions') ?? []).median
  const ofStruct = functions / struct.median
  const withoutPrograms = summary([interpreted], name).fractions(({ kind }) => kind === 'struct')
  const target = one.targets[operation]
  const theirs = cpython?.cases[one.format]?.times[operation]
  return [
    one.format,
    operation,
    `${hand.toFixed(1)} ns`,
    way,
    fixed(struct.median),
    `${fixed(struct.lower)}–${fixed(struct.upper)}`,
    target === undefined ? '' : `≥ ${fixed(target)}`,
    target !== undefined && struct.median < target ? '✗' : '',
    fixed(functions),
    `${fixed(ofStruct)}${ofStruct < 0.5 ? ' ✗' : ''}`,
    shown(withoutPrograms),
    ...['python-struct', 'jspack', 'binary-parser'].map((peer) =>
      shown(fractions(({ name, kind }) => kind === 'peer' && name === peer)),
    ),
    theirs === undefined ? '–' : fixed(hand / theirs),
  ]
}

function shown(fractions: readonly number[] | undefined): string {
  if (fractions === undefined) return '–'
  return fractions.length === 0 ? 'wrong' : fixed(quartiles(fractions).median)
}

function fixed(fraction: number): string {
  return fraction.toFixed(fraction < 0.095 ? 3 : 2)
}

function list(): string {
  return cases
    .filter(({ hand }) => hand.packList !== undefined)
    .map((one) => {
      const { fractions } = summary(found, nameOf('pack', one))
      const speed = shown(fractions(({ kind }) => kind === 'list'))
      return `By hand, pack ${one.format} of a list instead of arguments would be at ${speed}.`
    })
    .join('\n')
}

function firstUses(): string {
  const µs = (time: number) => `${time.toFixed(1)} µs`
  const theirs = cpython === undefined ? '' : `, CPython ${µs(cpython.first)}`
  return `The first use of a format of four integers: Struct ${µs(first.struct)}, functions ${µs(first.functions)}, python-struct
${µs(first.pythonStruct)}, jspack ${µs(first.jspack)}${theirs}. A later one, interpreted: ${µs(first.interpreted)}. The one that writes a program:
${µs(first.generating)}. The very first use of the process: ${µs(first.coldest)}.`
}

function agreement(cpython: CPython | undefined): string {
  if (cpython === undefined) return 'There is no python3 here to compare the results with.'
  const other = cases.filter(({ format }) =>
    found.some(({ packed }) => !isDeepStrictEqual(packed[format], cpython.cases[format]?.packed)),
  )
  if (other.length === 0) return 'CPython packs the very same bytes.'
  return `CPython packs something else: ${other.map(({ format }) => format).join(' ')}`
}

/** Shows what is going on; where nobody watches a terminal, each step once. */
function progress(step: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${step}`)
  else if (step !== '') process.stderr.write(`${step}\n`)
}
