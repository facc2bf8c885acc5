import { type Comparison, compare, quartiles, ratio } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { progress } from '../progress.js'
import type { Report } from '../report.js'
import { type CarrierName, carriers, missing } from './host.js'
import { Network } from './network.js'

/** How many receive, and how many messages a round sends at full speed, and one after the other. */
const cases = [
  { receivers: 1, flood: 12_000, single: 500 },
  { receivers: 10, flood: 2_500, single: 250 },
  { receivers: 100, flood: 250, single: 100 },
] as const
type Case = (typeof cases)[number]

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(3, 1)
const rounds = { rounds: effort(5, 2), seconds: 20 }

/** What a round measures: messages a second, and milliseconds until all have heard one. */
interface Measured {
  readonly rate: number
  readonly median: number
  readonly tail: number
}

const inMicroseconds = (value: number) => `${(value * 1000).toFixed(0)} µs`
const tables = [
  {
    part: 'rate',
    what: 'messages per second that all receivers hear (more is better)',
    shown: (value: number) => `${Math.round(value).toLocaleString('en-US')}/s`,
  },
  {
    part: 'median',
    what: 'time until all have heard a message, median (less is better)',
    shown: inMicroseconds,
  },
  {
    part: 'tail',
    what: 'time until all have heard a message, 99th percentile (less is better)',
    shown: inMicroseconds,
  },
] as const

/** Adds how fast messages go by these carriers, and how late they come. */
export async function compareSpeed(report: Report, names: readonly CarrierName[]): Promise<void> {
  const ratios = ['unicast / dgram', 'NATS / dgram']
  const filled = tables.map((table) => ({ ...table, rows: [] as Row[] }))
  for (const { what, rows } of filled) report.add({ what, ratios, asides: carriers, rows })
  for (const each of cases) {
    const all = await measured(each, names)
    for (const { part, shown, rows } of filled) {
      const some = all.map((round) => only(round, part))
      rows.push({
        label: labelOf(each),
        figures: (['unicast', 'NATS'] as const).map((name) =>
          names.includes(name) ? ratio(some, name, 'dgram') : missing,
        ),
        asides: carriers.map((name) =>
          names.includes(name) ? shown(quartiles(some.map((round) => round[name])).median) : '–',
        ),
      })
    }
  }
}

async function measured(
  each: Case,
  names: readonly CarrierName[],
): Promise<Comparison<CarrierName, Measured>> {
  const all: Comparison<CarrierName, Measured> = []
  let lossy = 0
  for (let n = 1; n <= processes; n += 1) {
    const networks = new Map<CarrierName, Network>()
    for (const name of names) networks.set(name, await Network.open(name, each.receivers))
    const measure = async (name: CarrierName): Promise<Measured | undefined> => {
      const rate = await networks.get(name)?.flood(each.flood)
      const took = await networks.get(name)?.single(each.single)
      if (rate !== undefined && took !== undefined) return { rate, ...latencies(took) }
      lossy += 1
      return undefined
    }
    for (const name of names) await measure(name)
    const step = `${labelOf(each)}: process ${n} of ${processes}`
    all.push(...(await compare(names, measure, rounds, step)))
    for (const network of networks.values()) await network.close()
  }
  if (lossy > 0) {
    progress(`${labelOf(each)}: ${lossy} measurements lost messages and do not count`)
  }
  return all
}

function latencies(took: readonly number[]): Omit<Measured, 'rate'> {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN
  return { median: at(0.5), tail: at(0.99) }
}

/** One figure of each carrier. */
function only(
  round: Readonly<Record<CarrierName, Measured>>,
  part: keyof Measured,
): Record<CarrierName, number> {
  const entries = Object.entries(round).map(([name, all]) => [name, all[part]])
  return Object.fromEntries(entries)
}

function labelOf({ receivers }: Case): string {
  return receivers === 1 ? '1 receiver' : `${receivers} receivers`
}
