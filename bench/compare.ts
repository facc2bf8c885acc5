import type { Figure, Quartiles } from './findings.js'
import { progress } from './progress.js'

/** What each round measured of each; rounds in which one could not be measured are missing. */
export type Comparison<Name extends string, Value = number> = Readonly<Record<Name, Value>>[]

/**
 * Measures all in turn, in alternating order, so that what disturbs the machine hits them alike. `step` is what it
 * shows as its progress.
 */
export async function compare<Name extends string, Value = number>(
  names: readonly Name[],
  measure: (name: Name) => Promise<Value | undefined>,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  step: string,
): Promise<Comparison<Name, Value>> {
  const results: Comparison<Name, Value> = []
  const deadline = performance.now() + seconds * 1000
  for (let round = 1; round <= rounds && performance.now() < deadline; round += 1) {
    progress(step, `round ${round} of ${rounds}`)
    const measured = new Map<Name, Value>()
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const value = await measure(name)
      if (value !== undefined) measured.set(name, value)
    }
    if (measured.size === names.length) {
      results.push(Object.fromEntries(measured) as Record<Name, Value>)
    }
  }
  return results
}

/** The ratios of one to another, each of two measurements of one round. */
export function ratio<Name extends string>(rounds: Comparison<Name>, of: Name, to: Name): Figure {
  return figure(rounds.map((round) => round[of] / round[to]))
}

/** What the ratios of all rounds come to. */
export function figure(ratios: readonly number[]): Figure {
  return ratios.length === 0 ? 'not measured' : quartiles(ratios)
}

/** The values that a quarter, half and three quarters of `values` lie below. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): number => {
    const position = (sorted.length - 1) * part
    const below = sorted[Math.floor(position)] ?? Number.NaN
    const above = sorted[Math.ceil(position)] ?? Number.NaN
    return below + (above - below) * (position % 1)
  }
  return { lower: at(0.25), median: at(0.5), upper: at(0.75) }
}
