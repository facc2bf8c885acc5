// The mock network beside real sockets on the loopback interface, as ratios within one run, and what it
// holds in memory: it prints, and judges nothing.
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { type Comparison, compare, figure, quartiles, ratio } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { Report } from '../report.js'
import { type Side, sides } from '../sides.js'
import type { Question } from './side.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(3, 1)
const rounds = effort(10, 3)

const cases = [
  { what: 'tests', label: 'a whole test: open both ends, send, reply, close', perRound: 200 },
  { what: 'roundTrips', label: 'a message and its reply', perRound: 2000 },
] as const

const messages = effort(100_000, 10_000)
const runs = effort(3, 2)

const report = new Report(chapters.testing)
build()
const rows: Row[] = []
report.add({
  what: 'time (less is better)',
  ratios: ['in memory / real sockets'],
  asides: ['in memory', 'real sockets'],
  rows,
})
for (const each of cases) rows.push(await againstSockets(each))
report.add({
  what: `memory after ${messages.toLocaleString('en-US')} messages to 10 receivers / before`,
  ratios: ['heap and external', 'resident'],
  asides: ['time', 'growth of the heap', 'resident'],
  rows: [await manyDeliveries(0), await manyDeliveries(1000)],
})
report.end()

async function againstSockets({ what, label, perRound }: (typeof cases)[number]): Promise<Row> {
  const all: Comparison<Side> = []
  for (let n = 1; n <= processes; n += 1) {
    const program = new Program('testing/side')
    const measure = (side: Side, count: number = perRound): Promise<number> =>
      program.ask<number>({ what, side, count } satisfies Question)
    for (const side of sides) await measure(side)
    const step = `${label}: process ${n} of ${processes}`
    all.push(...(await compare(sides, measure, { rounds, seconds: 20 }, step)))
    await program.stop()
  }
  const each = (side: Side): string => {
    const { median } = quartiles(all.map((round) => round[side]))
    return `${((median / perRound) * 1e6).toFixed(0)} µs`
  }
  return { label, figures: [ratio(all, 'ours', 'raw')], asides: [each('ours'), each('raw')] }
}

async function manyDeliveries(journalLimit: number): Promise<Row> {
  const label = journalLimit === 0 ? 'without a journal' : `with a journal of ${journalLimit}`
  const program = new Program('testing/side', [], { execArgv: ['--expose-gc'] })
  const ask = <Answer>(question: Question): Promise<Answer> => program.ask<Answer>(question)
  const run = () => ask<number>({ what: 'deliveries', count: messages, journalLimit })
  const sample = () => ask<{ heap: number; resident: number }>({ what: 'sample' })
  await run()
  const before = await sample()
  const took: number[] = []
  const after: (typeof before)[] = []
  for (let n = 1; n <= runs; n += 1) {
    progress(`memory ${label}`, `${n} of ${runs}`)
    took.push(await run())
    after.push(await sample())
  }
  await program.stop()
  const parts = ['heap', 'resident'] as const
  const growth = (part: (typeof parts)[number]) =>
    `${(((after.at(-1)?.[part] ?? Number.NaN) - before[part]) / 2 ** 20).toFixed(2)} MiB`
  return {
    label,
    figures: parts.map((part) => figure(after.map((each) => each[part] / before[part]))),
    asides: [`${quartiles(took).median.toFixed(1)} s`, ...parts.map(growth)],
  }
}
