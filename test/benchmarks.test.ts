/**
 * Holds docs/benchmarks.md and its charts to what `npm run bench -- --save` writes: ratios with their quartiles, and
 * no number that holds for one machine alone.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Chapter, chapters } from '../bench/chapters.js'
import { cell, type Figure, type Findings } from '../bench/findings.js'
import { kindOf } from '../bench/machine.js'
import { type Chart, drawn } from '../bench/save/chart.js'
import { charts } from '../bench/save/charts.js'
import { type Found, names, written } from '../bench/save/document.js'
import { root } from './tree.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const saved = read('docs/benchmarks.md')
const told: Chapter[] = names.map((name) => chapters[name])
const drawings = told.flatMap(({ drawing }) => drawing?.name ?? [])

interface Saved {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The tables of a document in Markdown. */
function tables(document: string): Saved[] {
  return [...document.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => {
    const [header = [], , ...rows] = table
      .trim()
      .split('\n')
      .map((line) => line.slice(2, -2).split(' | '))
    return { header, rows }
  })
}

const number = String.raw`(−?\d+\.\d+)`
const spread = new RegExp(String.raw`^${number}(?: %)? \(${number} to ${number}\)$`)

/** Throws where a cell is no figure. */
function assertFigure(shown: string): void {
  if (['1', '–', 'differs', 'no nats-server'].includes(shown)) return
  const [, median, lower, upper] =
    spread.exec(shown)?.map((one) => Number(one.replace('−', '-'))) ?? []
  assert.ok(median !== undefined && lower !== undefined && upper !== undefined, shown)
  assert.ok(lower <= median && median <= upper, shown)
}

/** The numbers with a unit: another machine would give others. `16s` is part of a format. */
function absolutes(text: string): string[] {
  return text.match(/\d(?:\s?(?:[nµm]s|[KMG]i?B|[MG]Hz)| s|\/s)\b/g) ?? []
}

const quartiles = { lower: 0.9, median: 1, upper: 1.25 }
const conditions = { isBrief: false, date: '2026-11-26', versions: { 'Node.js': '20.0.0' } }

/** What the benches could have found, with what may not be saved. */
function madeUp(figures: readonly Figure[] = [quartiles, quartiles]): Found {
  const ratios = ['Struct', 'jspack']
  const row = { label: '`<10d`', figures, asides: ['17 ms'] }
  const tables = ['pack', 'unpack'].map((name) => ({
    what: `speed of \`${name}\``,
    ratios,
    asides: ['time of ours'],
    rows: [row, row],
  }))
  const found: Record<string, Findings> = Object.fromEntries(
    names.map((name) => [name, { tables }]),
  )
  return found as Found
}

test('every bench is in the document, but the one that asks for a revision', () => {
  const { scripts } = JSON.parse(read('package.json'))
  const benches = Object.keys(scripts).filter(
    (name) => /^bench\b/.test(name) && name !== 'bench:since',
  )
  assert.deepEqual(
    told.map(({ command }) => command.replace('npm run ', '')).sort(),
    benches.sort(),
  )
  for (const name of names) {
    const script: string = scripts[chapters[name].command.replace('npm run ', '')]
    // `npm run bench` also saves.
    assert.equal(script, `tsx bench/${name === 'dgram' ? '' : `${name}/`}index.ts`)
  }
})

test('the saved document has the words of today, in their order', () => {
  let at = 0
  for (const { title, text, command, note, drawing } of told) {
    const parts = [`## ${title}\n`, text, `\`${command}\``, drawing?.words ?? '', note]
    for (const part of parts) {
      const next = saved.indexOf(part, at)
      assert.ok(next >= at, `missing or misplaced; save anew, or change it there too: ${part}`)
      at = next
    }
  }
})

test('every figure of the saved document is a ratio with its quartiles', () => {
  const [told, ...figures] = tables(saved)
  assert.deepEqual(
    told?.rows.map(([name]) => name),
    [
      ...['processor', 'Linux', 'Node.js', 'CPython', 'python-struct', 'jspack', 'binary-parser'],
      ...['@nats-io/transport-node', 'nats-server'],
    ],
  )
  assert.match(told?.header.join(' ') ?? '', /^measured on \d{4}-\d\d-\d\d$/)
  assert.ok(figures.length >= names.length)
  for (const { header, rows } of figures) {
    for (const row of rows) {
      assert.equal(row.length, header.length)
      for (const shown of row.slice(1)) assertFigure(shown)
    }
  }
})

test('neither it nor its charts have absolute numbers', () => {
  for (const text of [saved, ...drawings.map((name) => read(`docs/drawings/${name}`))]) {
    // Drawn, and in a style.
    const words = text.replace(/<style>[\s\S]*?<\/style>/, '')
    assert.deepEqual(absolutes(words), [])
  }
})

test('of the machine it tells the kind of processor, and no name', () => {
  const [processor = [], ...versions] = tables(saved)[0]?.rows ?? []
  assert.match(processor[1] ?? '', /^[^@]+, \d+ cores?$/)
  for (const [name, version = ''] of versions) {
    if (name === 'nats-server' && version === 'not installed') continue
    assert.match(version, /^\d+(\.\d+)*\w*$/, name)
  }
  assert.equal(kindOf('Intel(R) Xeon(R)  CPU @ 2.20GHz'), 'Intel Xeon CPU')
  assert.equal(kindOf('unknown'), process.arch)
})

test('the chart of struct has a mark for each figure of its tables', () => {
  const shown = ['Struct', 'CPython', 'python-struct', 'jspack', 'binary-parser']
  const cells = tables(saved)
    .filter(({ header }) => /`(?:un)?pack`/.test(header[0] ?? ''))
    .flatMap(({ header, rows }) =>
      rows.flatMap((row) => row.filter((_, column) => shown.includes(header[column] ?? ''))),
    )
  const marks = read('docs/drawings/struct.svg').match(/transform="/g) ?? []
  assert.equal(marks.length, shown.length + cells.filter((one) => spread.test(one)).length)
})

test('what is found is written without what is only printed', () => {
  const document = written(madeUp(), conditions)
  assert.deepEqual(absolutes(document), [])
  assert.doesNotMatch(document, /time of ours|brief/)
  assert.ok(document.includes('| `<10d` | 1.00 (0.90 to 1.25) | 1.00 (0.90 to 1.25) |\n'))
  assert.equal(tables(document).length, 1 + 2 * names.length)
})

test('a brief run says that it is one', () => {
  assert.match(written(madeUp(), { ...conditions, isBrief: true }), /brief run/)
})

test('where there is no NATS server the page says so, and has the rest', () => {
  const shown = written(madeUp([quartiles, 'no nats-server']), conditions)
  assert.ok(shown.includes('| `<10d` | 1.00 (0.90 to 1.25) | no nats-server |'))
  assert.match(chapters.carriers.note, /no nats-server: it was not installed/)
})

test('a figure has two digits that count, and its sign', () => {
  const around = (median: number) => ({ lower: median, median, upper: 2 })
  assert.equal(cell(around(1.234)), '1.23 (1.23 to 2.00)')
  assert.equal(cell(around(0.00567)), '0.0057 (0.0057 to 2.00)')
  assert.equal(cell(around(-0.126), '%'), '−0.13 % (−0.13 to 2.00)')
  assert.equal(cell(around(-0.001), '%'), '0.00 % (0.00 to 2.00)')
  assert.equal(cell('differs'), 'differs')
  for (const median of [1.234, 0.00567, -0.126]) assertFigure(cell(around(median), '%'))
})

/** Where the marks of a chart are, from left to right as they are drawn, without its legend. */
function places(chart: Chart): { marks: number[]; one: number[] } {
  const svg = drawn(chart)
  const numbers = (pattern: RegExp) => [...svg.matchAll(pattern)].map(([, x]) => Number(x))
  const marks = numbers(/transform="translate\(([\d.]+)/g)
  return {
    marks: marks.slice(chart.series.length > 1 ? chart.series.length : 0),
    one: numbers(/class="line" d="M([\d.]+)/g),
  }
}

test('a chart shows each ratio where it is on its scale', () => {
  const at = (median: number) => ({ lower: median, median, upper: median })
  const [title, scale, one] = ['a < b', 'speed', 'by hand']
  const chart = (isLogarithmic: boolean, values: number[]): Chart => ({
    ...{ title, scale, one, isLogarithmic, description: title, series: ['ours'] },
    panels: [{ title, rows: values.map((value) => ({ label: title, ratios: [at(value)] })) }],
  })
  const linear = places(chart(false, [0.8, 1, 1.2]))
  assert.deepEqual(linear, { marks: [230, 475, 720], one: [475] })
  const logarithmic = places(chart(true, [0.01, 0.1, 1]))
  assert.deepEqual(logarithmic, { marks: [230, 475, 720], one: [720] })
  // Where all are the same there is a scale too.
  assert.ok(places(chart(false, [1])).marks.every(Number.isFinite))
  assert.ok(places(chart(true, [1])).marks.every(Number.isFinite))
  assert.doesNotMatch(drawn(chart(true, [1])), /a < b/)
})

test('a chart has no mark where there is no figure', () => {
  const count = (found: Found) => charts(found)['struct.svg']?.match(/transform="/g)?.length ?? 0
  assert.equal(count(madeUp()) - count(madeUp([quartiles, 'differs'])), 4)
  assert.equal(count(madeUp()) - count(madeUp(['–', 'differs'])), 8)
})
