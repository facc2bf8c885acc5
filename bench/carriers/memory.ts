import { figure } from '../compare.js'
import { effort } from '../effort.js'
import type { Figure } from '../findings.js'
import { progress } from '../progress.js'
import type { Report } from '../report.js'
import type { Sample } from '../sample.js'
import { type CarrierName, carriers, missing } from './host.js'
import { Network } from './network.js'
import type { Rest } from './slow.js'

/** Messages, a million in all, and before the first look at the memory. */
const quarter = effort(250_000, 5_000)
const warmUp = effort(100_000, 5_000)

/** V8's young generation may grow by leaps for longer than this lasts: here it has its full size from the start. */
const execArgv = ['--expose-gc', '--min-semi-space-size=16']

/** How those are slow that cannot keep up. */
const slownesses = ['waits', 'blocks'] as const
const slowOnes = ['a receiver whose loop waits', 'a receiver whose process is busy']
/** The programs of a network, in their order. */
const ends = ['the sender', 'a receiver that keeps up', ...slowOnes]

const parts = [
  ['heap', 'heap and external'],
  ['resident', 'resident'],
] as const

/** What was found of one carrier. */
interface Found {
  /** Of each program, at the start and after each quarter. */
  readonly samples: readonly (readonly Sample[])[]
  readonly rests: readonly Rest[]
  readonly sent: number
}

/** Adds what a million messages leave behind by these carriers, and what becomes of those that are not heard. */
export async function remember(report: Report, names: readonly CarrierName[]): Promise<void> {
  const found = new Map<CarrierName, Found>()
  for (const name of names) found.set(name, await measured(name))
  const of = <Result>(find: (one: Found) => Result, otherwise: Result): Result[] =>
    carriers.map((name) => {
      const one = found.get(name)
      return one === undefined ? otherwise : find(one)
    })
  report.add({
    what: 'memory, later / at the start',
    ratios: carriers,
    asides: carriers.map((name) => `growth, ${name}`),
    rows: ends.flatMap((end, at) =>
      parts.map(([part, what]) => {
        const sizes = ({ samples }: Found) => samples.map((all) => all[at]?.[part] ?? Number.NaN)
        return {
          label: `${end}, ${what}`,
          figures: of<Figure>((one) => growth(sizes(one)), missing),
          asides: of((one) => megabytes(sizes(one)), '–'),
        }
      }),
    ),
  })
  report.add({
    what: 'messages that were heard or counted as lost / sent',
    ratios: carriers,
    asides: carriers.map((name) => `heard, ${name}`),
    rows: slowOnes.map((label, at) => ({
      label,
      figures: of<Figure>(({ rests, sent }) => figure([accounted(rests[at], sent)]), missing),
      asides: of(({ rests }) => heard(rests[at]), '–'),
    })),
  })
}

async function measured(name: CarrierName): Promise<Found> {
  const network = await Network.open(name, 1, slownesses, execArgv)
  let sent = 0
  const send = async (count: number): Promise<void> => {
    const rate = await network.flood(count)
    if (rate === undefined) throw new Error(`${name}: one that keeps up has missed a message`)
    sent += count
  }
  await send(warmUp)
  const samples: Sample[][] = []
  for (let quarters = 0; quarters <= 4; quarters += 1) {
    if (quarters > 0) await send(quarter)
    progress(`memory, ${name}`, `${quarters} of 4 quarters`)
    samples.push(await network.samples())
  }
  const rests = await network.rest()
  await network.close()
  return { samples, rests, sent }
}

function growth([start = Number.NaN, ...later]: readonly number[]): Figure {
  return figure(later.map((size) => size / start))
}

function megabytes(sizes: readonly number[]): string {
  const bytes = (sizes.at(-1) ?? Number.NaN) - (sizes[0] ?? Number.NaN)
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`
}

function accounted(rest: Rest | undefined, sent: number): number {
  return rest === undefined ? Number.NaN : (rest.heard + rest.lost) / sent
}

function heard(rest: Rest | undefined): string {
  const cut = rest?.disconnects ? ` (cut off: ${rest.disconnects})` : ''
  return `${rest?.heard.toLocaleString('en-US')}${cut}`
}
