import { setTimeout } from 'node:timers/promises'

/** What this process holds, in bytes, after a garbage collection: it has to run with `--expose-gc`. */
export interface Sample {
  /** The heap, and what is outside of it and belongs to it. */
  readonly heap: number
  readonly resident: number
}

export async function sample(): Promise<Sample> {
  // What the last datagrams left behind is gone only after their ticks.
  await setTimeout(50)
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}
