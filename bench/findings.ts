// What a bench hands on, to be printed and to be saved.

/** Ratios of pairs of measurements: the values that a quarter, half and three quarters of them lie below. */
export interface Quartiles {
  readonly lower: number
  readonly median: number
  readonly upper: number
}

/**
 * A ratio; or that it is what others are a ratio to (`1`), that there is no such thing (`–`), that a library
 * gives another result (`differs`), that what it needs is not installed, or that every round failed.
 */
export type Figure = Quartiles | '1' | '–' | 'differs' | 'no nats-server' | 'not measured'

export interface Row {
  readonly label: string
  /** One for each of the table's `ratios`. */
  readonly figures: readonly Figure[]
  /** One for each of the table's `asides`. */
  readonly asides?: readonly string[]
}

export interface Table {
  /** What the rows are cases of, and which way is better. */
  readonly what: string
  /** What the figures of each column are ratios of: `ours / node:dgram`. */
  readonly ratios: readonly string[]
  /** Where they are given in per cent. */
  readonly unit?: '%'
  /** Further columns, which are printed and not saved: absolute numbers, which hold for one machine. */
  readonly asides?: readonly string[]
  readonly rows: readonly Row[]
}

export interface Findings {
  readonly tables: readonly Table[]
}

/** A figure as both show it: the median, and in brackets the lower and the upper quartile. */
export function cell(figure: Figure, unit?: Table['unit']): string {
  if (typeof figure === 'string') return figure
  const shown = unit === undefined ? plain : hundredths
  const { lower, median, upper } = figure
  return `${shown(median)}${unit === undefined ? '' : ` ${unit}`} (${shown(lower)} to ${shown(upper)})`
}

/** Of what is small two digits that count. */
function plain(value: number): string {
  return value < 0.095 ? value.toPrecision(2) : value.toFixed(2)
}

function hundredths(value: number): string {
  // A zero has no sign.
  return (Math.round(value * 100) / 100 || 0).toFixed(2).replace('-', '−')
}
