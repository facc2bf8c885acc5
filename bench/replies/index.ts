// What a sender gains that hears no replies, as ratios within one run: it prints, and judges nothing.
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { type Comparison, compare, ratio } from '../compare.js'
import { effort } from '../effort.js'
import { Program } from '../program.js'
import { Report } from '../report.js'

/** Processes, since the compiler's choices differ from one process to the next. */
const processes = effort(5, 1)

const sends = { rounds: effort(30, 3), perRound: 5_000, warmUp: 30_000, seconds: 15 }
const ways = ['hears', 'deaf', 'connected'] as const

const report = new Report(chapters.replies)
build()
const rounds: Comparison<(typeof ways)[number]> = []
for (let n = 1; n <= processes; n += 1) {
  const program = new Program('replies/send')
  const rate = async (way: string, count = sends.perRound): Promise<number> => {
    const { perSecond } = await program.ask<{ perSecond: number }>({ way, count })
    return perSecond
  }
  for (const way of ways) await rate(way, sends.warmUp)
  const step = `process ${n} of ${processes}`
  rounds.push(...(await compare(ways, rate, sends, step)))
  await program.stop()
}
report.add({
  what: 'awaited sends per second (more is better)',
  ratios: ['ratio'],
  rows: [
    {
      label: '`replies: false` / the same sender with replies',
      figures: [ratio(rounds, 'deaf', 'hears')],
    },
    {
      label: '`replies: false` / a connected socket',
      figures: [ratio(rounds, 'deaf', 'connected')],
    },
    { label: 'with replies / a connected socket', figures: [ratio(rounds, 'hears', 'connected')] },
  ],
})
report.end()
