// What a sender gains that hears no replies, as ratios within one run: it prints, and judges nothing.
import { build } from '../build.js'
import { type Comparison, compare, ratioCell } from '../compare.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { alignedTable } from '../table.js'

/** Processes, since the compiler's choices differ from one process to the next. */
const processes = 5

const sends = { rounds: 30, perRound: 5_000, warmUp: 30_000, seconds: 15 }
const ways = ['hears', 'deaf', 'connected'] as const

build()
const rounds: Comparison<(typeof ways)[number]> = []
for (let n = 1; n <= processes; n += 1) {
  const program = new Program('replies/send')
  const rate = async (way: string, count = sends.perRound): Promise<number> => {
    const { perSecond } = await program.ask<{ perSecond: number }>({ way, count })
    return perSecond
  }
  for (const way of ways) await rate(way, sends.warmUp)
  rounds.push(
    ...(await compare(ways, rate, sends, (round) => {
      progress(`process ${n} of ${processes}`, `round ${round} of ${sends.rounds}`)
    })),
  )
  await program.stop()
}
progress('')
console.log(`Node ${process.version} on ${process.platform}, awaited sends in a second\n`)
console.log(
  alignedTable(
    ['', 'ratio'],
    [
      ['replies: false / the same sender with replies', ratioCell(rounds, 'deaf', 'hears')],
      ['replies: false / a connected socket', ratioCell(rounds, 'deaf', 'connected')],
      ['with replies / a connected socket', ratioCell(rounds, 'hears', 'connected')],
    ],
  ),
)
