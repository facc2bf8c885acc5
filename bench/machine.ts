import { availableParallelism, cpus, release } from 'node:os'

/** On what it is measured: nothing that names the machine, and no speed. */
export const machine = {
  node: process.versions.node,
  cores: availableParallelism(),
  processor: kindOf(cpus()[0]?.model),
  /** Its numbers, without what a distribution or a provider adds. */
  kernel: /^\d+(?:\.\d+)*/.exec(release())?.[0] ?? '',
} as const

/** Of `Intel(R) Xeon(R) CPU @ 2.20GHz` the `Intel Xeon CPU`; where the system does not know it, the architecture. */
export function kindOf(model = ''): string {
  const kind = model
    .replace(/\((?:R|TM)\)/gi, '')
    .replace(/\s*@.*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  return /^(?:unknown)?$/.test(kind) ? process.arch : kind
}
