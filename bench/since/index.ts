// The library of this tree beside that of an earlier revision and node:dgram, as ratios within one run: it
// prints, and judges nothing.
import { build } from '../build.js'
import { type Comparison, compare, ratio } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { batch, costOfReceiving, openSource } from '../flood.js'
import type { Opening } from '../opening.js'
import { Program } from '../program.js'
import { Report } from '../report.js'
import type { Side } from '../sides.js'
import { buildAt, commitOf } from './revision.js'

type Name = (typeof names)[number]
const names = ['now', 'before', 'raw'] as const

/** Processes of each for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(3, 1)

const sends = { rounds: effort(30, 3), perRound: 5_000, warmUp: 30_000, seconds: 15 }
const receives = { rounds: effort(10, 2), perRound: 40_000, warmUp: 40_000, seconds: 20 }
const openings = { rounds: effort(10, 2), perRound: 500, warmUp: 500, seconds: 20 }

const revision = process.argv.slice(2).find((arg) => !arg.startsWith('--'))
if (revision === undefined) {
  console.error('Which revision? npm run bench:since -- REV')
  process.exit(2)
}
const report = new Report({
  limit: 6,
  note: `A ratio is of two measurements of one round, in which all three take turns, in alternating order: the median,
and in brackets the lower and the upper quartile.`,
})
const commit = commitOf(revision)
const before = commit.slice(0, 7)
const rows: Row[] = []
report.add({
  what: 'case',
  ratios: [`this tree / ${before}`, 'this tree / node:dgram', `${before} / node:dgram`],
  asides: [''],
  rows,
})
build()
const earlier = buildAt(commit)
for (const window of [1, 64]) await sending(window)
for (const timeout of ['', '60000']) await receiving(timeout)
for (const what of ['receivers', 'senders'] as const) await opening(what)
report.end()

async function sending(window: number): Promise<void> {
  const name = `awaited sends per second, ${window === 1 ? 'one by one' : `${window} in flight`}`
  await measured(name, 'more', sends, 'send', async (program, side, count) => {
    const { seconds } = await program.ask<{ seconds: number }>({ side, window, count })
    return count / seconds
  })
}

/** `timeout` is the library's alone: node:dgram has no clock to compare it with. */
async function receiving(timeout: string): Promise<void> {
  const name = `CPU per received datagram${timeout === '' ? '' : ', timeout set'}`
  const source = await openSource()
  const cost = (program: Program, _: Side, count: number) => costOfReceiving(program, source, count)
  const args = [String(batch), String(source.address().port), timeout]
  await measured(name, 'less', receives, 'receive', cost, (side) => [side, ...args])
  source.close()
}

async function opening(what: Opening['what']): Promise<void> {
  const name = `time to open and close ${openings.perRound} ${what}`
  await measured(name, 'less', openings, 'opening', (program, side, count) =>
    program.ask<number>({ side, what, count } satisfies Opening),
  )
}

/** Measures a case with processes of all three, and adds its row. */
async function measured(
  name: string,
  better: 'more' | 'less',
  { perRound, warmUp, ...bounds }: typeof sends,
  program: string,
  measure: (program: Program, side: Side, count: number) => Promise<number | undefined>,
  args: (side: Side) => string[] = () => [],
): Promise<void> {
  const rounds: Comparison<Name> = []
  for (let n = 1; n <= processes; n += 1) {
    const programs: Record<Name, Program> = {
      now: new Program(program, args('ours')),
      before: new Program(program, args('ours'), { programs: earlier }),
      raw: new Program(program, args('raw')),
    }
    const run = (each: Name, count = perRound): Promise<number | undefined> =>
      measure(programs[each], each === 'raw' ? 'raw' : 'ours', count)
    for (const each of names) await run(each, warmUp)
    const step = `${name}: process ${n} of ${processes}`
    rounds.push(...(await compare(names, run, bounds, step)))
    for (const each of names) await programs[each].stop()
  }
  const pairs = [
    ['now', 'before'],
    ['now', 'raw'],
    ['before', 'raw'],
  ] as const
  rows.push({
    label: name,
    figures: pairs.map(([of, to]) => ratio(rounds, of, to)),
    asides: [`${better} is better`],
  })
}
