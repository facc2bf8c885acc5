import { availableParallelism, cpus, release } from 'node:os'

/** On what it is measured: nothing that names the machine, and no speed. */
export const machine = {
  node: process.versions.node,
  cores: availableParallelism(),
  processor: kindOf(cpus()[0]?.model) || process.arch,
  /** Its numbers, without what a distribution or a provider adds. */
  kernel: /^\d+(?:\.\d+)*/.exec(release())?.[0] ?? '',
} as const

/** Without marks, and without the speed that Intel adds: `Intel Xeon CPU` of `Intel(R) Xeon(R) CPU @ 2.20GHz`. */
function kindOf(model = ''): string {
  return model
    .replace(/\((?:R|TM)\)/gi, '')
    .replace(/\s*@.*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
}
