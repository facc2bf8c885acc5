// The library beside node:dgram, as ratios within one run: it prints, and judges nothing.
import { cpus } from 'node:os'
import { build } from './build.js'
import { type Comparison, compare, quartiles, ratios } from './compare.js'
import { batch, costOfReceiving, openSource } from './flood.js'
import { Program } from './program.js'
import { progress } from './progress.js'
import { group, host, payload, type Side, sides } from './sides.js'
import { alignedTable } from './table.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = 5

const sends = { rounds: 40, perRound: 5_000, warmUp: 30_000, seconds: 10 }
const receives = { rounds: 10, perRound: 40_000, warmUp: 40_000, seconds: 15 }
const memory = { quarter: 250_000, warmUp: 100_000 }

/** After so many minutes it shows what it has by then. */
const limit = 5

const rows: string[][] = []

setTimeout(() => {
  report()
  console.log(`\nNot all was measured within ${limit} minutes.`)
  process.exit()
}, limit * 60_000).unref()

build()
await awaitedSends(1)
await awaitedSends(64)
await receiving('')
await receiving('60000')
await memoryUse()
report()

async function awaitedSends(window: number): Promise<void> {
  const name = `awaited sends, ${window === 1 ? 'one by one' : `${window} in flight`}`
  const results: Comparison<Side>[] = []
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
    results.push(
      await compare(sides, rate, sends, (round) => {
        progress(`${name}: process ${n} of ${processes}`, `round ${round} of ${sends.rounds}`)
      }),
    )
    await program.stop()
  }
  comparisonRow(name, results, (perSecond) => `${whole(perSecond)}/s`, '≥ 0.95×')
}

/** `timeout` is ours alone: node:dgram has no clock to compare it with. */
async function receiving(timeout: string): Promise<void> {
  const name = `CPU per received datagram${timeout === '' ? '' : ', timeout set'}`
  const results: Comparison<Side>[] = []
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
    results.push(
      await compare(sides, cost, receives, (round) => {
        progress(`${name}: process ${n} of ${processes}`, `round ${round} of ${receives.rounds}`)
      }),
    )
    await Promise.all([programs.ours.stop(), programs.raw.stop()])
  }
  source.close()
  if (lossy > 0) progress(`${name}: ${lossy} measurements lost datagrams and do not count`)
  comparisonRow(
    name,
    results,
    (microseconds) => `${microseconds.toFixed(2)} µs`,
    timeout === '' ? '≤ 1.10×' : '–',
  )
}

/** Each message is answered, so either process sends and receives a million. */
async function memoryUse(): Promise<void> {
  interface Sample {
    readonly heap: number
    readonly resident: number
  }
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
  for (const end of ['sender', 'receiver'] as const) {
    for (const [part, what] of [
      ['heap', 'heap + external'],
      ['resident', 'resident'],
    ] as const) {
      const growth = (side: Side): string => {
        const [first, last] = [samples[side][end].at(0), samples[side][end].at(-1)]
        if (first === undefined || last === undefined) return '–'
        return `${megabytes(last[part] - first[part], 'always')} MiB`
      }
      const ours = samples.ours[end].map((sample) => sample[part])
      const spread = `${megabytes(Math.min(...ours))} to ${megabytes(Math.max(...ours))} MiB`
      const name = `memory growth of the ${end}, ${what}`
      rows.push([name, growth('ours'), growth('raw'), '–', spread, 'flat'])
    }
  }
}

function comparisonRow(
  name: string,
  results: readonly Comparison<Side>[],
  shown: (value: number) => string,
  target: string,
): void {
  const all = results.flat()
  if (all.length === 0) {
    rows.push([name, '–', '–', '–', 'no round was complete', target])
    return
  }
  const ours = quartiles(all.map((round) => round.ours))
  const raw = quartiles(all.map((round) => round.raw))
  const ratio = ratios(all, 'ours', 'raw')
  const spread = `${ratio.lower.toFixed(2)} to ${ratio.upper.toFixed(2)}`
  const median = `${ratio.median.toFixed(2)}×`
  rows.push([name, shown(ours.median), shown(raw.median), median, spread, target])
}

function report(): void {
  progress('')
  const model = cpus()[0]?.model ?? 'unknown processor'
  console.log(`Node ${process.version} on ${process.platform}, ${cpus().length} × ${model}`)
  console.log(`${payload.length}-byte messages to ${group} on ${host}\n`)
  const header = ['case', 'ours', 'node:dgram', 'median ratio', 'spread', 'target']
  console.log(alignedTable(header, rows))
  console.log(`
A ratio is ours divided by node:dgram's, of two measurements that follow each other in alternating
order; spread is the middle half of them (lower to upper quartile). Of memory it is the least and the
most that our process had at the start and after each quarter of 1,000,000 messages out and as many
replies back, each time after a garbage collection; growth is the last of these less the first.`)
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function megabytes(bytes: number, signDisplay: 'auto' | 'always' = 'auto'): string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay }
  return (bytes / 2 ** 20).toLocaleString('en-US', digits)
}
