/** Whether to do just enough to see that a bench works: `--brief`. Its figures are worth nothing. */
export const isBrief = process.argv.includes('--brief')

/** How much of something is done: so much, or in brief so little. */
export function effort(full: number, brief: number): number {
  return isBrief ? brief : full
}
