import { type Chapter, chapters, type Name } from '../chapters.js'
import { cell, type Findings, type Table } from '../findings.js'
import type { Conditions } from './conditions.js'

/** What each bench found. */
export type Found = Readonly<Record<Name, Findings>>

/** Of the benches, in the order of the document. */
export const names = Object.keys(chapters) as Name[]

/** How long all of them take, in minutes. */
export const minutes = names.reduce((sum, name) => sum + chapters[name].minutes, 0)

/** docs/benchmarks.md. */
export function written(found: Found, conditions: Conditions): string {
  return [
    '# Benchmarks',
    `What typed-multicast costs, beside the same work done by hand or by other libraries. Every figure is a ratio of two
measurements of one run, which follow each other or run side by side: the median of all rounds, and in brackets the
lower and the upper quartile, between which half of them lie. The order alternates from round to round. Speed is
measured in several processes, since the compiler's choices differ from one to the next. "Ours" is typed-multicast.`,
    `Another machine gives other ratios. Each chapter names the command that shows yours, with absolute numbers as well.
\`npm run bench -- --save\` runs them all, in about ${minutes} minutes, and writes this page and its charts. Its words are
in \`bench/chapters.ts\`.`,
    conditions.isBrief ? brief : '',
    markdown(['measured on', conditions.date], Object.entries(conditions.versions)),
    ...names.flatMap((name) => chapter(chapters[name], found[name])),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n')
}

const brief = `**These figures are from a brief run (\`--brief\`), which only shows that the benches work. Take none of them for
true.**`

function chapter(told: Chapter, { tables }: Findings): string[] {
  const { title, text, note, command, minutes, drawing } = told
  const takes = `\`${command}\` takes about ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`
  return [
    `## ${title}`,
    `${text}\n${takes}`,
    drawing === undefined ? '' : `![${drawing.words}](drawings/${drawing.name})`,
    ...tables.map(saved),
    note,
  ]
}

function saved({ what, ratios, unit, rows }: Table): string {
  return markdown(
    [what, ...ratios],
    rows.map(({ label, figures }) => [label, ...figures.map((figure) => cell(figure, unit))]),
  )
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n')
}
