import type { Side } from './sides.js'

/** What each round measured; rounds that could not be measured are missing. */
export type Comparison = { readonly ours: number; readonly raw: number }[]

/** Measures both in turn, in alternating order, so that what disturbs the machine hits both alike. */
export async function compare(
  measure: (side: Side) => Promise<number | undefined>,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  onRound: (round: number) => void,
): Promise<Comparison> {
  const results: Comparison = []
  const deadline = performance.now() + seconds * 1000
  for (let round = 1; round <= rounds && performance.now() < deadline; round += 1) {
    onRound(round)
    const order: Side[] = round % 2 === 0 ? ['ours', 'raw'] : ['raw', 'ours']
    const measured: Partial<Record<Side, number>> = {}
    for (const side of order) {
      const value = await measure(side)
      if (value !== undefined) measured[side] = value
    }
    const { ours, raw } = measured
    if (ours !== undefined && raw !== undefined) results.push({ ours, raw })
  }
  return results
}

/** The values that a quarter, half and three quarters of `values` lie below. */
export function quartiles(values: readonly number[]): Record<'lower' | 'median' | 'upper', number> {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): number => {
    const position = (sorted.length - 1) * part
    const below = sorted[Math.floor(position)] ?? Number.NaN
    const above = sorted[Math.ceil(position)] ?? Number.NaN
    return below + (above - below) * (position % 1)
  }
  return { lower: at(0.25), median: at(0.5), upper: at(0.75) }
}
