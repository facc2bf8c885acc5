/** Runs random programs on the kernel and on the mock: what comes of each has to be the same. */
import fc from 'fast-check'
import { scenario } from '../lab.js'
import { kernelNetwork, routerNeeds } from './kernel.js'
import { mockNetwork } from './mock.js'
import { reported, type Stage } from './observed.js'

/** What was done, or asked at the end, and what came of it. */
export type Transcript = (readonly [what: string, outcome: string])[]

/** Runs a program on a network, which is put back in order afterwards. */
export type Run<Program> = (stage: Stage, program: Program) => Promise<Transcript>

/** A test of so many programs. RUNS and SEED in the environment make it longer, and another one. */
export function compare<Program>(
  name: string,
  programs: fc.Arbitrary<Program>,
  run: Run<Program>,
  runs: number,
): void {
  const numRuns = Number(process.env.RUNS ?? runs)
  const seed = Number(process.env.SEED ?? 4)
  const body = async (kernel: Stage): Promise<void> => {
    const property = fc.asyncProperty(programs, async (program) => {
      const mock = mockNetwork()
      const [real, mocked] = [await acted(kernel, run, program), await acted(mock, run, program)]
      const difference = show(real, mocked)
      if (difference !== undefined) throw new Error(difference)
    })
    const {
      failed,
      numRuns: at,
      errorInstance,
    } = await fc.check(property, {
      numRuns,
      seed,
      // Cutting down a program may take long.
      interruptAfterTimeLimit: 50_000 + 400 * numRuns,
      // Else fewer programs than that would pass for all.
      markInterruptAsFailure: true,
    })
    const why = errorInstance instanceof Error ? errorInstance.message : ''
    if (failed) throw new Error(`program ${at} of seed ${seed}, cut down:\n${why}`)
  }
  scenario(
    name,
    routerNeeds,
    async (lab) => {
      const network = await kernelNetwork(lab, true)
      await body({ ...network, settled: () => reported(network) })
    },
    60_000 + 500 * numRuns,
  )
}

async function acted<Program>(stage: Stage, run: Run<Program>, program: Program) {
  try {
    return await run(stage, program)
  } finally {
    const hosts = [stage.near, stage.other, stage.far]
    await Promise.all(hosts.map(({ peer }) => peer.reset()))
    await Promise.all(hosts.map(({ interfaces }) => interfaces?.restore()))
  }
}

/** What was done, with both outcomes where they differ; nothing if they never do. */
function show(kernel: Transcript, mock: Transcript): string | undefined {
  let isSame = true
  const lines = kernel.map(([what, outcome], at) => {
    const mocked = mock[at]?.[1]
    if (mocked === outcome) return `    ${what}: ${outcome}`
    isSame = false
    return `    ${what}:\n>>    kernel: ${outcome}\n>>    mock:   ${mocked}`
  })
  return isSame ? undefined : lines.join('\n')
}
