import { chapters } from '../chapters.js'
import type { Figure, Findings, Quartiles, Row, Table } from '../findings.js'
import { type Chart, drawn } from './chart.js'
import type { Found } from './document.js'

/** The drawings of the document, by their names. */
export function charts(found: Found): Record<string, string> {
  return {
    [chapters.dgram.drawing.name]: drawn(sends(found)),
    [chapters.struct.drawing.name]: drawn(struct(found)),
  }
}

/** Whatever is awaited sends, as sends per second beside node:dgram's. */
function sends({ dgram, interfaces, replies }: Found): Chart {
  const more = (label: string, ratio: Quartiles | undefined) => ({ label, ratios: [ratio] })
  const several = interfaces.tables.flatMap((table, index) =>
    table.rows.slice(1).map((row) => {
      // There the time of a send is measured.
      const ratio = inverse(quartilesOf(row.figures[0]))
      return more(`${row.label}, ${index === 0 ? 'one by one' : '64 in flight'}`, ratio)
    }),
  )
  const [, deaf] = first(replies).rows
  return {
    title: 'Awaited sends per second, beside node:dgram',
    description: chapters.dgram.drawing.words,
    scale: 'sends per second, as a multiple of what node:dgram sends',
    one: 'node:dgram',
    isLogarithmic: false,
    series: ['typed-multicast'],
    panels: [
      {
        title: 'On one interface',
        rows: [
          ...first(dgram).rows.map((row) => more(row.label, quartilesOf(row.figures[0]))),
          more('replies: false, one by one', quartilesOf(deaf?.figures[0])),
        ],
      },
      { title: 'On several interfaces', rows: several },
    ],
  }
}

/** The peers that pack or unpack whole formats, in the order of the chart. */
const series = ['Struct', 'CPython', 'python-struct', 'jspack', 'binary-parser']

function struct({ struct }: Found): Chart {
  return {
    title: 'The speed of packing and unpacking, beside other libraries and CPython',
    description: chapters.struct.drawing.words,
    scale: 'speed as a fraction of the fastest way by hand, logarithmic',
    one: 'by hand',
    isLogarithmic: true,
    series,
    panels: ['pack', 'unpack'].map((operation) => {
      const table = struct.tables.find(({ what }) => what.includes(`\`${operation}\``))
      if (table === undefined) throw new Error(`there is no table of ${operation}`)
      const columns = series.map((name) => table.ratios.indexOf(name))
      const ratios = (row: Row) => columns.map((column) => quartilesOf(row.figures[column]))
      return {
        title: operation,
        rows: table.rows.map((row) => ({
          label: row.label.replaceAll('`', ''),
          ratios: ratios(row),
        })),
      }
    }),
  }
}

function first({ tables: [table] }: Findings): Table {
  if (table === undefined) throw new Error('there is no table')
  return table
}

function quartilesOf(figure: Figure | undefined): Quartiles | undefined {
  return typeof figure === 'object' ? figure : undefined
}

function inverse(ratio: Quartiles | undefined): Quartiles | undefined {
  return ratio && { lower: 1 / ratio.upper, median: 1 / ratio.median, upper: 1 / ratio.lower }
}
