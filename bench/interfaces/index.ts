// What further interfaces cost a send, beside node:dgram with a socket for each, as ratios within one run: it
// prints, and judges nothing. The interfaces are virtual, in a network namespace of their own.
import { build } from '../build.js'
import { type Comparison, compare, ratioCell } from '../compare.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { type Side, senderOn, sides } from '../sides.js'
import { alignedTable } from '../table.js'
import { enter, isInside, makeInterfaces } from './namespace.js'

const counts = [1, 2, 4] as const
type Name = `${Side} ${(typeof counts)[number]}`
const names = sides.flatMap((side) => counts.map((count): Name => `${side} ${count}`))

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = 3

const sends = { rounds: 20, perRound: 2_000, warmUp: 20_000, seconds: 15 }

/** After so many minutes it shows what it has by then. */
const limit = 4

if (!isInside()) {
  build()
  enter()
}

const interfaces = makeInterfaces(Math.max(...counts))
await tryOut()
const rows: string[][] = []
setTimeout(() => {
  report()
  console.log(`\nNot all was measured within ${limit} minutes.`)
  process.exit()
}, limit * 60_000).unref()
for (const window of [1, 64]) await sending(window)
report()

async function tryOut(): Promise<void> {
  try {
    await senderOn(10_000, interfaces).close()
  } catch (error) {
    console.error(`A sender cannot have several interfaces here: ${(error as Error).message}`)
    process.exit(1)
  }
}

async function sending(window: number): Promise<void> {
  const name = window === 1 ? 'one by one' : `${window} in flight`
  const rounds: Comparison<Name> = []
  for (let n = 1; n <= processes; n += 1) {
    const programs = new Map(
      counts.map((count) => [String(count), new Program('send', interfaces.slice(0, count))]),
    )
    const run = async (each: Name, count = sends.perRound): Promise<number> => {
      const [side, on = ''] = each.split(' ')
      const answer = await programs.get(on)?.ask<{ seconds: number }>({ side, window, count })
      return answer?.seconds ?? Number.NaN
    }
    for (const each of names) await run(each, sends.warmUp)
    rounds.push(
      ...(await compare(names, run, sends, (round) => {
        progress(`${name}: process ${n} of ${processes}`, `round ${round} of ${sends.rounds}`)
      })),
    )
    for (const program of programs.values()) await program.stop()
  }
  for (const count of counts) {
    const [ours, raw]: [Name, Name] = [`ours ${count}`, `raw ${count}`]
    rows.push([
      `awaited sends, ${name}, ${count === 1 ? '1 interface' : `${count} interfaces`}`,
      ratioCell(rounds, ours, raw),
      count === 1 ? '1' : ratioCell(rounds, ours, 'ours 1'),
      count === 1 ? '1' : ratioCell(rounds, raw, 'raw 1'),
    ])
  }
}

function report(): void {
  progress('')
  console.log(`Node ${process.version} on ${process.platform}\n`)
  const header = [
    'case',
    'ours / node:dgram',
    'ours / ours with 1',
    'node:dgram / node:dgram with 1',
  ]
  console.log(alignedTable(header, rows))
  console.log(`
A ratio is of the time that a send takes, of two measurements of one round, in which all take turns, in
alternating order: the median, and in brackets the lower and the upper quartile. A send puts one datagram on
each interface; node:dgram has a socket for each.`)
}
