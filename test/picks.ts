/** Random choices that can be made again. */

/** Picks one of these, the same for the same seed. */
export type Pick = <Value>(...values: readonly Value[]) => Value

export function picks(seed: number): Pick {
  let state = seed | 0
  return (...values) => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    const at = ((bits ^ (bits >>> 14)) >>> 0) % values.length
    return values[at] as (typeof values)[number]
  }
}
