import type { Quartiles } from '../findings.js'

/** Ratios as dots on a common scale, each with a line over its middle half. */
export interface Chart {
  readonly title: string
  /** What is on it, in words. */
  readonly description: string
  /** What the scale is of. */
  readonly scale: string
  /** Who is at 1. */
  readonly one: string
  readonly isLogarithmic: boolean
  /** Those that are compared, at most five. The first is the library. */
  readonly series: readonly string[]
  readonly panels: readonly {
    readonly title: string
    readonly rows: readonly {
      readonly label: string
      /** One for each of the series; nothing where there is no figure. */
      readonly ratios: readonly (Quartiles | undefined)[]
    }[]
  }[]
}

const width = 760
/** Where the scale begins and ends, and what is kept free around it. */
const [left, right, margin] = [230, 720, 20]
const [rowHeight, titleHeight, legendHeight, gap] = [30, 34, 36, 14]

/** Each of the series has a shape as well as a colour, in a square of 12 around the origin. */
const shapes = [
  '<circle r="6"',
  '<path d="M0 -7L7 0L0 7L-7 0Z"',
  '<path d="M0 -6L7 6H-7Z"',
  '<rect x="-5" y="-5" width="10" height="10"',
  '<path d="M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z"',
]

const style = `
    text { font: 15px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328; text-anchor: middle }
    .start { text-anchor: start }
    .end { text-anchor: end }
    .strong { font-weight: bold }
    .quiet { fill: #59636e }
    .small { font-size: 13px }
    .paper { fill: #ffffff }
    .area { fill: #eef6fc }
    .grid { stroke: #59636e; stroke-opacity: 0.3 }
    .line { fill: none; stroke: #59636e; stroke-width: 2 }
    .mark0 { fill: #1a7f37; stroke: #1a7f37 }
    .mark1 { fill: #0969da; stroke: #0969da }
    .mark2 { fill: #bc4c00; stroke: #bc4c00 }
    .mark3 { fill: #8250df; stroke: #8250df }
    .mark4 { fill: #bf3989; stroke: #bf3989 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .quiet { fill: #a5aeb8 }
      .paper { fill: #0d1117 }
      .area { fill: #111d2e }
      .grid { stroke: #a5aeb8 }
      .line { stroke: #a5aeb8 }
      .mark0 { fill: #3fb950; stroke: #3fb950 }
      .mark1 { fill: #58a6ff; stroke: #58a6ff }
      .mark2 { fill: #f0883e; stroke: #f0883e }
      .mark3 { fill: #bc8cff; stroke: #bc8cff }
      .mark4 { fill: #f778ba; stroke: #f778ba }
    }
  `

/** Draws it as an SVG file that is legible in light and in dark. */
export function drawn(chart: Chart): string {
  const all = chart.panels.flatMap(({ rows }) => rows.flatMap(({ ratios }) => ratios))
  const { ticks, at } = scaleOf(
    all.filter((one) => one !== undefined),
    chart.isLogarithmic,
  )
  const parts: string[] = []
  let y = margin
  if (chart.series.length > 1) {
    parts.push(...legend(chart.series, y))
    y += legendHeight
  }
  for (const { title, rows } of chart.panels) {
    parts.push(`<text class="start strong" x="${margin}" y="${y + 20}">${escaped(title)}</text>`)
    parts.push(`<text class="quiet small" x="${at(1)}" y="${y + 25}">${escaped(chart.one)}</text>`)
    y += titleHeight
    const bottom = y + rows.length * rowHeight
    const area = `x="${left - 10}" y="${y}" width="${right - left + 20}" height="${bottom - y}"`
    parts.push(`<rect class="area" ${area} rx="6"/>`)
    for (const tick of ticks) {
      const kind = tick === 1 ? 'line' : 'grid'
      parts.push(`<path class="${kind}" d="M${at(tick)} ${y}V${bottom}"/>`)
      parts.push(
        `<text class="quiet small" x="${at(tick)}" y="${bottom + 18}">${Number(tick.toPrecision(3))}</text>`,
      )
    }
    for (const { label, ratios } of rows) {
      const middle = y + rowHeight / 2
      parts.push(
        `<text class="end" x="${left - 20}" y="${middle + 5}">${escaped(label)}</text>`,
        ...drawnOn(middle, ratios),
      )
      y += rowHeight
    }
    y += 18 + gap
  }
  parts.push(
    `<text class="quiet small end" x="${right + 10}" y="${y + 8}">${escaped(chart.scale)}</text>`,
  )
  const height = y + margin
  const body = parts.filter(Boolean).map((part) => `  ${part}\n`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
  <title id="title">${escaped(chart.title)}</title>
  <desc id="desc">${escaped(chart.description)}</desc>
  <style>${style}</style>
  <rect class="paper" width="${width}" height="${height}" rx="8"/>
${body.join('')}</svg>
`

  /** First all middle halves, then all dots, the library's last, so that nothing hides it. */
  function drawnOn(y: number, ratios: readonly (Quartiles | undefined)[]): string[] {
    const halves: string[] = []
    const dots: string[] = []
    for (const [index, ratio] of ratios.entries()) {
      if (ratio === undefined) continue
      const [from, to] = [at(ratio.lower), at(ratio.upper)]
      halves.unshift(`<path class="mark${index}" stroke-width="3" d="M${from} ${y}H${to}"/>`)
      dots.unshift(mark(index, at(ratio.median), y))
    }
    return [...halves, ...dots]
  }
}

function mark(index: number, x: number, y: number): string {
  return `${shapes[index]} class="mark${index}" stroke-width="0" transform="translate(${x} ${y})"/>`
}

function legend(series: readonly string[], y: number): string[] {
  const step = (width - 2 * margin) / series.length
  return series.map((name, index) => {
    const x = margin + 8 + index * step
    return `${mark(index, x, y + 8)}<text class="start" x="${x + 14}" y="${y + 13}">${escaped(name)}</text>`
  })
}

/** The values that are marked on the scale, and where a value is on it. 1 is always there. */
function scaleOf(ratios: readonly Quartiles[], isLogarithmic: boolean) {
  const least = Math.min(1, ...ratios.map(({ lower }) => lower))
  const most = Math.max(1, ...ratios.map(({ upper }) => upper))
  const ticks = isLogarithmic ? decades(least, most) : steps(least, most)
  const place = isLogarithmic ? Math.log10 : (value: number) => value
  const [from, to] = [place(Math.min(least, ...ticks)), place(Math.max(most, ...ticks))]
  const at = (value: number): number => {
    const x = left + ((place(value) - from) / (to - from)) * (right - left)
    return Math.round(x * 10) / 10
  }
  return { ticks, at }
}

/** The tenths from below the least to above the most, or the fifths or halves where those would be many. */
function steps(least: number, most: number): number[] {
  const step = [0.1, 0.2, 0.5].find((one) => (most - least) / one <= 8) ?? 1
  const [first, last] = [Math.floor(least / step), Math.ceil(most / step)]
  const count = Math.max(1, last - first)
  return Array.from({ length: count + 1 }, (_, index) => (first + index) * step)
}

/** The powers of ten, and what is 2 and 5 times these, from below the least to above the most. */
function decades(least: number, most: number): number[] {
  const all = [-4, -3, -2, -1, 0, 1, 2].flatMap((power) =>
    [1, 2, 5].map((digit) => digit * 10 ** power),
  )
  const [first, last] = [
    all.findLastIndex((one) => one <= least),
    all.findIndex((one) => one >= most),
  ]
  return all.slice(Math.max(0, first), last < 0 ? undefined : last + 1)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
