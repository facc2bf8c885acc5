// The library beside node:dgram, as ratios within one run: it prints, and judges nothing.
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { type Comparison, compare, figure, quartiles, ratio } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { batch, costOfReceiving, openSource } from '../flood.js'
import type { Opening } from '../opening.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { Report } from '../report.js'
import type { Sample } from '../sample.js'
import { group, host, payload, type Side, sides } from '../sides.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(5, 1)

const sends = { rounds: effort(40, 3), perRound: 5_000, warmUp: 30_000, seconds: 10 }
const receives = { rounds: effort(10, 2), perRound: 40_000, warmUp: 40_000, seconds: 15 }
const openings = { rounds: effort(8, 2), perRound: 500, warmUp: 500, seconds: 5 }
const memory = { quarter: effort(250_000, 25_000), warmUp: effort(100_000, 25_000) }

const report = new Report(chapters.dgram)
build()
await sending()
await receiving()
await opening()
await remembering()
report.end(
  `${payload.length}-byte messages to ${group} on ${host}. Of memory, growth is that over all four quarters.`,
)

async function sending(): Promise<void> {
  const rows = table('awaited sends per second (more is better)')
  rows.push(await awaitedSends(1))
  rows.push(await awaitedSends(64))
}

async function awaitedSends(window: number): Promise<Row> {
  const label = window === 1 ? 'one by one' : `${window} in flight`
  const rounds: Comparison<Side> = []
  for (let n = 1; n <= processes; n += 1) {
    const program = new Program('send')
    const rate = async (side: Side): Promise<number> => {
      const { seconds } = await program.ask<{ seconds: number }>({
        side,
        window,
        count: sends.perRound,
      })
      return sends.perRound / seconds
    }
    for (const side of sides) await program.ask({ side, window, count: sends.warmUp })
    const step = `awaited sends, ${label}: process ${n} of ${processes}`
    rounds.push(...(await compare(sides, rate, sends, step)))
    await program.stop()
  }
  const shown = (perSecond: number) => `${Math.round(perSecond).toLocaleString('en-US')}/s`
  return row(label, rounds, shown, '≥ 0.95')
}

async function receiving(): Promise<void> {
  const rows = table('processor time of a received datagram (less is better)')
  rows.push(await costOfDatagrams(''))
  rows.push(await costOfDatagrams('60000'))
}

/** `timeout` is ours alone: node:dgram has no clock to compare it with. */
async function costOfDatagrams(timeout: string): Promise<Row> {
  const label = timeout === '' ? 'without a `timeout`' : 'with a `timeout`'
  const rounds: Comparison<Side> = []
  let lossy = 0
  const source = await openSource()
  for (let n = 1; n <= processes; n += 1) {
    const acknowledge = String(source.address().port)
    const programs = {
      ours: new Program('receive', ['ours', String(batch), acknowledge, timeout]),
      raw: new Program('receive', ['raw', String(batch), acknowledge]),
    }
    const cost = async (side: Side, count = receives.perRound): Promise<number | undefined> => {
      const each = await costOfReceiving(programs[side], source, count)
      if (each === undefined) lossy += 1
      return each
    }
    for (const side of sides) await cost(side, receives.warmUp)
    const step = `received datagrams, ${label}: process ${n} of ${processes}`
    rounds.push(...(await compare(sides, cost, receives, step)))
    await Promise.all([programs.ours.stop(), programs.raw.stop()])
  }
  source.close()
  if (lossy > 0) progress(`${label}: ${lossy} measurements lost datagrams and do not count`)
  const shown = (microseconds: number) => `${microseconds.toFixed(2)} µs`
  return row(label, rounds, shown, timeout === '' ? '≤ 1.10' : '–')
}

async function opening(): Promise<void> {
  const rows = table('time to open and close (less is better)')
  rows.push(await timeToOpen('receivers'))
  rows.push(await timeToOpen('senders'))
}

async function timeToOpen(what: Opening['what']): Promise<Row> {
  const label = `${openings.perRound} ${what}`
  const rounds: Comparison<Side> = []
  for (let n = 1; n <= processes; n += 1) {
    const programs = { ours: new Program('opening'), raw: new Program('opening') }
    const time = (side: Side, count = openings.perRound): Promise<number> =>
      programs[side].ask<number>({ side, what, count } satisfies Opening)
    for (const side of sides) await time(side, openings.warmUp)
    const step = `opening ${label}: process ${n} of ${processes}`
    rounds.push(...(await compare(sides, time, openings, step)))
    await Promise.all([programs.ours.stop(), programs.raw.stop()])
  }
  return row(label, rounds, (seconds) => `${(seconds * 1000).toFixed(0)} ms`, '–')
}

/** Each message is answered, so either process sends and receives a million. */
async function remembering(): Promise<void> {
  const samples: Record<Side, Record<'sender' | 'receiver', Sample[]>> = {
    ours: { sender: [], receiver: [] },
    raw: { sender: [], receiver: [] },
  }
  for (const side of sides) {
    const receiver = new Program('memory', ['receiver', side, '0'], { execArgv: ['--expose-gc'] })
    const { port } = await receiver.ask<{ port: number }>('port')
    const sender = new Program('memory', ['sender', side, String(port)], {
      execArgv: ['--expose-gc'],
    })
    await sender.ask(memory.warmUp)
    for (let quarter = 0; quarter <= 4; quarter += 1) {
      if (quarter > 0) await sender.ask(memory.quarter)
      progress(`memory, ${side === 'ours' ? 'ours' : 'node:dgram'}`, `${quarter} of 4 quarters`)
      samples[side].sender.push(await sender.ask<Sample>('sample'))
      samples[side].receiver.push(await receiver.ask<Sample>('sample'))
    }
    await Promise.all([sender.stop(), receiver.stop()])
  }
  const rows: Row[] = []
  for (const end of ['sender', 'receiver'] as const) {
    for (const [part, what] of [
      ['heap', 'heap and external'],
      ['resident', 'resident'],
    ] as const) {
      const sizes = (side: Side) => samples[side][end].map((sample) => sample[part])
      rows.push({
        label: `the ${end}'s, ${what}`,
        figures: sides.map((side) => {
          const [start = Number.NaN, ...later] = sizes(side)
          return figure(later.map((size) => size / start))
        }),
        asides: sides.map((side) => {
          const [first = Number.NaN, last = Number.NaN] = [sizes(side)[0], sizes(side).at(-1)]
          return `${megabytes(last - first)} MiB`
        }),
      })
    }
  }
  report.add({
    what: 'memory, later / at the start',
    ratios: ['ours', 'node:dgram'],
    asides: ['growth of ours', 'of node:dgram'],
    rows,
  })
}

/** Adds a table, for rows that come. */
function table(what: string): Row[] {
  const rows: Row[] = []
  const asides = ['ours', 'node:dgram', 'target']
  report.add({ what, ratios: ['ours / node:dgram'], asides, rows })
  return rows
}

function row(
  label: string,
  rounds: Comparison<Side>,
  shown: (value: number) => string,
  target: string,
): Row {
  const median = (side: Side) => shown(quartiles(rounds.map((round) => round[side])).median)
  return {
    label,
    figures: [ratio(rounds, 'ours', 'raw')],
    asides: [median('ours'), median('raw'), target],
  }
}

function megabytes(bytes: number): string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 }
  return (bytes / 2 ** 20).toLocaleString('en-US', { ...digits, signDisplay: 'always' })
}
