import { compileFunction } from 'node:vm'
import { inputs } from './cases.js'

/** A call as text, with `i` for which of the inputs it is, and what it names: `side(a[i], b[i])`. */
export interface Call {
  readonly text: string
  readonly given: Readonly<Record<string, unknown>>
}

/** Makes so many calls, and tells how many nanoseconds each of them took. */
export type Driver = (calls: number) => number

/** What the drivers' calls gave: what is kept cannot be left out by the compiler. */
const results: unknown[][] = []
Object.assign(globalThis, { results })

/**
 * A loop around one call, compiled by itself: no two sides have a place in the code in common, at
 * which the engine would have to reckon with both.
 */
export function driver({ text, given }: Call): Driver {
  const kept = new Array(inputs).fill(undefined)
  results.push(kept)
  const loop = `calls => {
    const start = clock.now()
    for (let n = 0; n < calls; n += 1) {
      const i = n & ${inputs - 1}
      kept[i] = ${text}
    }
    return (clock.now() - start) / calls * 1e6
  }`
  return compiled({ text: loop, given: { ...given, kept, clock: performance } }) as Driver
}

/** The call as a function of `i`. */
export function once({ text, given }: Call): (i: number) => unknown {
  return compiled({ text: `i => ${text}`, given }) as (i: number) => unknown
}

/**
 * By node:vm, which may compile text also where `new Function` may not. The names are constants, as
 * imports and a module's own are.
 */
function compiled({ text, given }: Call): unknown {
  const names = Object.keys(given).join(', ')
  return compileFunction(`const { ${names} } = given; return ${text}`, ['given'])(given)
}
