import { compileFunction } from 'node:vm'
import { type Case, inputs } from './cases.js'

/** A call as text, with `i` for which of the inputs it is, and what it names: `side(a[i], b[i])`. */
export interface Call {
  readonly text: string
  readonly given: Readonly<Record<string, unknown>>
}

export interface Driver {
  /** Makes so many calls, and tells how many nanoseconds each of them took. */
  drive(calls: number): number
  /** What the last call gave for each of the inputs: the compiler cannot leave out what is kept. */
  readonly kept: readonly unknown[]
}

/**
 * A loop around one call, compiled by itself: no two sides have a place in the code in common, at
 * which the engine would have to reckon with both. By node:vm, which may compile text also where
 * `new Function` may not. The names are constants, as imports and a module's own are.
 */
export function driver({ text, given }: Call): Driver {
  const names = Object.keys(given).join(', ')
  const code = `
    const { ${names} } = given
    const kept = new Array(${inputs}).fill(undefined)
    const drive = calls => {
      const start = clock.now()
      for (let n = 0; n < calls; n += 1) {
        const i = n & ${inputs - 1}
        kept[i] = ${text}
      }
      return (clock.now() - start) / calls * 1e6
    }
    return { drive, kept }`
  return compileFunction(code, ['given', 'clock'])(given, performance)
}

/**
 * The values of a case as the arguments of a call and as one list, in text, and what that names. A
 * column for each value, as in a real program each comes from a variable of its own; of very many a
 * row of all.
 *
 * @param convert What makes a value into another library's own.
 */
export function valuesOf({ rows }: Case, convert = (value: unknown) => value) {
  const converted = rows.map((row) => row.map(convert))
  const width = converted[0]?.length ?? 0
  if (width > 16) return { text: '...rows[i]', list: 'rows[i]', given: { rows: converted } }
  const names = Array.from({ length: width }, (_, column) => `v${column}`)
  const columns = names.map((name, column) => [name, converted.map((row) => row[column])])
  const text = names.map((name) => `${name}[i]`).join(', ')
  return { text, list: `[${text}]`, given: Object.fromEntries(columns) }
}
