// One process: measures all trials, and prints what it found of each as JSON.
import { quartiles } from '../compare.js'
import { trials } from './cases.js'
import { type Side, sidesOf } from './sides.js'

/** What was found of a trial. */
export interface Found {
  /** The fastest way by hand, and its median time in ns. */
  readonly way: string
  readonly time: number
  /**
   * The speed of each side as a fraction of that, round by round; empty where its results are
   * wrong, and nothing where it did not take part.
   */
  readonly speeds: Readonly<Partial<Record<string, readonly number[]>>>
}

/** How often each side runs. */
const rounds = 30

/** How long a side runs in a round, in ms. */
const slice = 1

/** How long it runs before, to be compiled. */
const warmUp = 40

interface Runner extends Side {
  readonly times: number[]
  calls: number
}

const running: Runner[][] = trials.map(({ one, operation }) =>
  sidesOf(one, operation).map((side) => ({ ...side, times: [], calls: 64 })),
)
const all = running.flat()
// First all a little, call by call as in a real program, past the use that a program is written in:
// the code that they share then knows of every format before it is compiled.
for (const { driver } of all) for (let n = 0; n < 512; n += 1) driver?.drive(1)
for (const runner of all) {
  const end = performance.now() + warmUp
  while (runner.driver !== undefined && performance.now() < end) {
    const time = runner.driver.drive(runner.calls)
    runner.calls = Math.max(64, Math.round((slice * 1e6) / time))
  }
}

for (let round = 0; round < rounds; round += 1) {
  for (const runners of running) {
    // In another order each time, so that what one leaves behind for the next hits all alike.
    for (let n = 0; n < runners.length; n += 1) {
      const step = round % 2 === 0 ? n : runners.length - 1 - n
      const runner = runners[(step + round) % runners.length]
      if (runner?.driver !== undefined) runner.times.push(runner.driver.drive(runner.calls))
    }
  }
}

process.stdout.write(JSON.stringify(running.map(found)))

function found(runners: readonly Runner[]): Found {
  const byHand = runners.filter(({ kind }) => kind === 'hand')
  const medians = byHand.map(({ times }) => quartiles(times).median)
  const time = Math.min(...medians)
  const best = byHand[medians.indexOf(time)]
  const speeds = runners.map(({ name, times }) => [
    name,
    times.map((time, round) => (best?.times[round] ?? Number.NaN) / time),
  ])
  return { way: best?.name ?? '', time, speeds: Object.fromEntries(speeds) }
}
