// One process: measures the cases that it is told to, and prints what it found as JSON.
import { Struct } from 'typed-multicast/struct'
import { cases, nameOf, operations } from './cases.js'
import { type Kind, type Side, sidesOf } from './sides.js'

/** What `measure` is to do. */
export interface Task {
  /** One case of them all, such as `pack >IHBB`, instead of all together. */
  readonly only?: string
  readonly peers: boolean
  readonly rounds: number
  /** When it stops, however many rounds it has by then. */
  readonly seconds: number
}

/** The times of a side, in ns per call, one for each round; none where its results are wrong. */
export interface Measured {
  readonly name: string
  readonly kind: Kind
  readonly times: readonly number[]
}

export interface Found {
  /** By `pack >IHBB` and the like. */
  readonly cases: Readonly<Record<string, readonly Measured[]>>
  /** What ours packed, in hex, by format. */
  readonly packed: Readonly<Record<string, readonly string[]>>
}

/** How long a side runs in a round, in ms. */
const slice = 1

/** How long it runs before, to be compiled. */
const warmUp = 40

interface Runner {
  readonly name: string
  readonly kind: Kind
  readonly times: number[]
  readonly drive: Side['drive']
  calls: number
}

const task: Task = JSON.parse(process.argv[2] ?? '')
const running = new Map<string, Runner[]>()
for (const one of cases) {
  for (const operation of operations) {
    const name = nameOf(operation, one)
    if (task.only !== undefined && task.only !== name) continue
    const sides = sidesOf(one, operation, task.peers)
    running.set(
      name,
      sides.map((side) => ({ ...side, times: [], calls: 0 })),
    )
  }
}

const all = [...running.values()].flat()
// First all a little, call by call as in a real program, past the use that a program is written in:
// the code that they share then knows of every format before it is compiled.
for (const { drive } of all) for (let n = 0; n < 512; n += 1) drive?.(1)
for (const runner of all) {
  const { drive } = runner
  if (drive === undefined) continue
  const end = performance.now() + warmUp
  let calls = 64
  let time = 1
  while (performance.now() < end) {
    time = drive(calls)
    calls = Math.max(64, Math.round((slice * 1e6) / time))
  }
  runner.calls = calls
}

const deadline = performance.now() + task.seconds * 1000
for (let round = 0; round < task.rounds && performance.now() < deadline; round += 1) {
  for (const runners of running.values()) {
    // In another order each time, so that what one leaves behind for the next hits all alike.
    for (let n = 0; n < runners.length; n += 1) {
      const step = round % 2 === 0 ? n : runners.length - 1 - n
      const runner = runners[(step + round) % runners.length]
      if (runner?.drive !== undefined) runner.times.push(runner.drive(runner.calls))
    }
  }
}

const found: Found = {
  cases: Object.fromEntries(
    [...running].map(([name, runners]) => [
      name,
      runners.map(({ name, kind, times }) => ({ name, kind, times })),
    ]),
  ),
  packed: Object.fromEntries(
    cases.map(({ format, rows }) => {
      const struct = new Struct(format)
      return [format, rows.map((row) => struct.pack(...row).toString('hex'))]
    }),
  ),
}
process.stdout.write(JSON.stringify(found))
