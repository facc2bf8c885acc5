/** Runs random programs on the kernel and on the mock: what comes of each has to be the same. */
import fc from 'fast-check'
import type { Mail } from '../../src/testing/conformance/inbox.js'
import type { ConformanceHost, ConformanceNetwork } from '../../src/testing/conformance/network.js'
import { scenario } from '../lab.js'
import { kernelNetwork, routerNeeds } from './kernel.js'
import { mockNetwork } from './mock.js'

/** What was done, or asked at the end, and what came of it. */
export type Transcript = (readonly [what: string, outcome: string])[]

/** A network for one program. */
export interface Stage extends ConformanceNetwork {
  /** Resolves when what was sent has been heard. */
  settled(): Promise<void>
}

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

/** `ok`, or the codes of an error and of its cause. */
export function outcomeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'ok',
    ({ code, name, cause }) => [code ?? name, cause?.code].filter(Boolean).join(' by '),
  )
}

/** A datagram as it was heard, in short. */
export function mailed({ text, remote }: Mail): string {
  const { address, port, size } = remote
  return `${JSON.stringify(text.replace(/\.+$/, ''))} (${size}) from ${address} ${shownPort(port)}`
}

/** A port, but for one that the system has picked by chance. */
export function shownPort(port: number): string {
  return port >= 32_768 ? 'free' : `${port}`
}

const fencePort = 10_009

/** The hosts' own addresses, on the ways that all datagrams between them take. */
const fences = {
  udp4: { near: '10.0.0.1', other: '10.0.0.2', far: '10.0.2.2' },
  udp6: { near: 'fd00::1', other: 'fd00::2', far: 'fd02::2' },
}

/** All that was sent before has been heard when each host has heard the others' last words. */
export async function fence(stage: Stage, type: keyof typeof fences): Promise<void> {
  const ends = Object.entries(fences[type]).map(([host, address]) => ({ host, address }))
  const opened = ends.map(async ({ host, address }) => {
    const { peer }: ConformanceHost = stage[host as keyof ConformanceNetwork]
    const socket = await peer.socket({ type, reuseAddr: false })
    return socket.bind({ port: fencePort, address })
  })
  const sockets = await Promise.all(opened)
  const sends = sockets.map(async (socket, from) => {
    for (const { address } of ends.filter((_, to) => to !== from)) {
      await socket.send('', fencePort, address)
    }
  })
  await Promise.all(sends)
  await Promise.all(sockets.map(({ heard }) => heard.take(ends.length - 1)))
  await stage.settled()
}

/** What a peer has read before has been told before it answers. */
async function reported({ near, other, far }: ConformanceNetwork): Promise<void> {
  await Promise.all([near, other, far].map(({ peer }) => peer.networkInterfaces()))
}
