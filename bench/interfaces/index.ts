// What further interfaces cost a send, beside node:dgram with a socket for each, as ratios within one run: it
// prints, and judges nothing. The interfaces are virtual, in a network namespace of their own.
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { type Comparison, compare, ratio } from '../compare.js'
import { effort } from '../effort.js'
import { Program } from '../program.js'
import { Report } from '../report.js'
import { type Side, senderOn, sides } from '../sides.js'
import { enter, isInside, makeInterfaces } from './namespace.js'

const counts = [1, 2, 4] as const
type Name = `${Side} ${(typeof counts)[number]}`
const names = sides.flatMap((side) => counts.map((count): Name => `${side} ${count}`))

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(3, 1)

const sends = { rounds: effort(20, 3), perRound: 2_000, warmUp: 20_000, seconds: 15 }

if (!isInside()) {
  build()
  enter()
}

const interfaces = makeInterfaces(Math.max(...counts))
await tryOut()
const report = new Report(chapters.interfaces)
for (const window of [1, 64]) await sending(window)
report.end()

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
    const step = `${name}: process ${n} of ${processes}`
    rounds.push(...(await compare(names, run, sends, step)))
    for (const program of programs.values()) await program.stop()
  }
  report.add({
    what: `time of a send, ${name} (less is better)`,
    ratios: ['ours / node:dgram', 'ours / ours with 1', 'node:dgram / node:dgram with 1'],
    rows: counts.map((count) => {
      const [ours, raw]: [Name, Name] = [`ours ${count}`, `raw ${count}`]
      const isFirst = count === 1
      return {
        label: isFirst ? '1 interface' : `${count} interfaces`,
        figures: [
          ratio(rounds, ours, raw),
          isFirst ? '1' : ratio(rounds, ours, 'ours 1'),
          isFirst ? '1' : ratio(rounds, raw, 'raw 1'),
        ],
      }
    }),
  })
}
