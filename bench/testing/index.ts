// The mock network beside real sockets on the loopback interface, as ratios within one run, and what it
// holds in memory: it prints, and judges nothing.
import { cpus } from 'node:os'
import { build } from '../build.js'
import { type Comparison, compare, quartiles, ratios } from '../compare.js'
import { Program } from '../program.js'
import { type Side, sides } from '../sides.js'
import { alignedTable } from '../table.js'
import type { Question } from './side.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = 3

const cases = [
  { what: 'tests', name: 'a whole test: open, send, reply, close', perRound: 200, rounds: 10 },
  { what: 'roundTrips', name: 'a message and its reply', perRound: 2000, rounds: 10 },
] as const

const messages = 100_000

build()
const rows: string[][] = []
for (const each of cases) await againstSockets(each)
console.log(`Node ${process.version} on ${process.platform}, ${cpus().length} processors\n`)
console.log(alignedTable(['case', 'mock', 'sockets', 'median ratio', 'spread'], rows))
console.log(
  '\nA ratio is the time on the mock divided by that on real sockets; spread is the middle half.\n',
)
await manyDeliveries()

async function againstSockets({ what, name, perRound, rounds }: (typeof cases)[number]) {
  const all: Comparison<Side> = []
  for (let n = 0; n < processes; n += 1) {
    const program = new Program('testing/side')
    const measure = (side: Side, count: number = perRound): Promise<number> =>
      program.ask<number>({ what, side, count } satisfies Question)
    for (const side of sides) await measure(side)
    all.push(...(await compare(sides, measure, { rounds, seconds: 20 }, () => {})))
    await program.stop()
  }
  const each = (side: Side): string => {
    const { median } = quartiles(all.map((round) => round[side]))
    return `${((median / perRound) * 1e6).toFixed(0)} µs`
  }
  const { lower, median, upper } = ratios(all, 'ours', 'raw')
  const spread = `${lower.toFixed(2)} to ${upper.toFixed(2)}`
  rows.push([name, each('ours'), each('raw'), `${median.toFixed(2)}×`, spread])
}

async function manyDeliveries(): Promise<void> {
  const table: string[][] = []
  for (const journalLimit of [0, 1000]) {
    const program = new Program('testing/side', [], { execArgv: ['--expose-gc'] })
    const ask = <Answer>(question: Question): Promise<Answer> => program.ask<Answer>(question)
    const run = () => ask<number>({ what: 'deliveries', count: messages, journalLimit })
    const sample = () => ask<{ heap: number; resident: number }>({ what: 'sample' })
    await run()
    const before = await sample()
    const took = [await run(), await run(), await run()]
    const after = await sample()
    const growth = (part: 'heap' | 'resident') =>
      `${((after[part] - before[part]) / 2 ** 20).toFixed(2)} MiB`
    const { median } = quartiles(took)
    table.push([
      journalLimit === 0 ? 'off' : `${journalLimit} entries`,
      `${median.toFixed(1)} s`,
      growth('heap'),
      growth('resident'),
    ])
    await program.stop()
  }
  console.log(`${messages.toLocaleString('en-US')} messages to 10 receivers:\n`)
  const header = ['journal', 'time, median of 3', 'growth of the heap', 'resident']
  console.log(alignedTable(header, table))
}
