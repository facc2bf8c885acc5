import { cell, type Findings, type Table } from './findings.js'
import { machine } from './machine.js'
import { progress } from './progress.js'
import { alignedTable } from './table.js'

/** Whether what is found is printed as data, for who saves it: `--json`. */
const isData = process.argv.includes('--json')

/** What a bench tells in the end: it gathers, and judges nothing. */
export class Report {
  readonly #tables: Table[] = []
  readonly #note: string

  /**
   * @param limit After so many minutes it shows what there is by then, and ends the program.
   * @param note Is printed below the tables: how to read them.
   */
  constructor({ limit, note }: { readonly limit: number; readonly note: string }) {
    this.#note = note
    setTimeout(() => {
      if (!isData) this.end()
      console.error(`\nNot all was measured within ${limit} minutes.`)
      process.exit(1)
    }, limit * 60_000).unref()
  }

  /** Its rows may come later: who runs out of time shows those that have come. */
  add(table: Table): void {
    this.#tables.push(table)
  }

  /** Prints all. `aside` is for who watches, and not saved. */
  end(aside = ''): void {
    progress('')
    if (isData) {
      console.log(JSON.stringify({ tables: this.#tables } satisfies Findings))
      return
    }
    const { node, processor, cores } = machine
    console.log(`Node ${node} on ${process.platform}, ${cores} × ${processor}\n`)
    for (const table of this.#tables) console.log(`${printed(table)}\n`)
    console.log([this.#note, aside].filter(Boolean).join('\n\n'))
  }
}

function printed({ what, ratios, unit, asides = [], rows }: Table): string {
  return alignedTable(
    [what, ...ratios, ...asides],
    rows.map((row) => [
      row.label,
      ...row.figures.map((figure) => cell(figure, unit)),
      ...(row.asides ?? []),
    ]),
  )
}
