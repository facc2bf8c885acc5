/**
 * Random programs for raw sockets on two hosts, run on the kernel and on the mock: whatever a call
 * answers, and whatever each socket hears, has to be the same.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ConformanceNetwork } from '../../src/testing/conformance/network.js'
import type { PeerSocket } from '../../src/testing/conformance/peer.js'
import { scenario } from '../lab.js'
import { kernelNetwork } from './kernel.js'
import { mockNetwork } from './mock.js'

const ports = [10_000, 10_001] as const
const fencePort = 10_009

/** What a program can name, over each family. */
const worlds = {
  IPv4: {
    type: 'udp4',
    groups: ['239.1.2.3', '239.1.2.4', '224.0.0.1'],
    binds: ['0.0.0.0', '239.1.2.3', '239.1.2.4', '10.0.0.1', '10.0.0.3', '10.0.1.2', '127.0.0.1'],
    interfaces: [undefined, '0.0.0.0', '127.0.0.1', '10.0.0.1', '10.0.0.3', '10.0.1.1', '10.0.1.2'],
    sources: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '127.0.0.1'],
    targets: [
      '239.1.2.3',
      '239.1.2.4',
      '224.0.0.1',
      '10.0.0.1',
      '10.0.0.2',
      '10.0.1.1',
      '10.0.0.3',
      '127.0.0.1',
    ],
    fence: { near: '10.0.0.1', other: '10.0.0.2' },
  },
  IPv6: {
    type: 'udp6',
    groups: ['ff05::1:3', 'ff02::1:3', 'ff15::7', 'ff02::1'],
    binds: [
      '::',
      'ff05::1:3',
      'ff02::1:3%e0',
      'ff02::1:3%e1',
      'ff02::1:3',
      'fd00::1',
      'fd00::3',
      'fe80::2%e0',
      '::1',
    ],
    interfaces: [undefined, '::', '::%lo', '::%e0', '::%e1', '::%e9'],
    sources: ['fd00::1', 'fd00::2', 'fd01::1', 'fe80::1', 'fe80::2'],
    targets: [
      'ff05::1:3',
      'ff15::7',
      'ff02::1:3%e0',
      'ff02::1:3%e1',
      'ff02::1%e1',
      'fd00::1',
      'fd00::2',
      'fd01::2',
      'fe80::1%e0',
      'fe80::2%e1',
      '::1',
    ],
    fence: { near: 'fd00::1', other: 'fd00::2' },
  },
} as const

type World = (typeof worlds)[keyof typeof worlds]

/** One call of a socket, which is known by its number; `make` is bound at once. */
type Step =
  | { make: 'near' | 'other'; reuseAddr: boolean; address: string; port: number }
  | { on: number; call: string; args: unknown[] }
  | { on: number; to: string; port: number }

/** Sockets are named by numbers beyond those there are; what is left over is what is meant. */
const slots = 6

function programs(world: World): fc.Arbitrary<Step[]> {
  const pick = <Value>(values: readonly Value[]) => fc.constantFrom(...values)
  const port = pick(ports)
  const on = fc.nat(slots - 1)
  const group = pick(world.groups)
  const where = pick(world.interfaces)
  const call = (name: string, ...args: fc.Arbitrary<unknown>[]) =>
    fc.record({ on, call: fc.constant(name), args: fc.tuple(...args) })
  const make = fc.record({
    make: pick(['near', 'other'] as const),
    reuseAddr: pick([true, true, true, false]),
    address: pick(world.binds),
    port,
  })
  const step = fc.oneof(
    { weight: 3, arbitrary: make },
    { weight: 5, arbitrary: call('addMembership', group, where) },
    { weight: 2, arbitrary: call('dropMembership', group, where) },
    {
      weight: 2,
      arbitrary: call('addSourceSpecificMembership', pick(world.sources), group, where),
    },
    {
      weight: 1,
      arbitrary: call('dropSourceSpecificMembership', pick(world.sources), group, where),
    },
    { weight: 2, arbitrary: call('setMulticastInterface', pick(world.interfaces)) },
    { weight: 1, arbitrary: call('setMulticastTTL', pick([0, 1, 2, 256])) },
    { weight: 1, arbitrary: call('setMulticastLoopback', fc.boolean()) },
    { weight: 1, arbitrary: call('close') },
    { weight: 8, arbitrary: fc.record({ on, to: pick(world.targets), port }) },
  )
  const start = fc.array(make, { minLength: 3, maxLength: 4 })
  return fc
    .tuple(start, fc.array(step, { minLength: 6, maxLength: 24 }))
    .map(([first, rest]): Step[] => [...first, ...(rest as Step[])])
}

/** Runs a program, and tells what each step answered and what each socket heard. */
async function transcript(
  network: ConformanceNetwork,
  world: World,
  steps: Step[],
  settled: () => Promise<void>,
): Promise<string[]> {
  const sockets: PeerSocket[] = []
  const lines: string[] = []
  const note = async (step: string, answer: Promise<unknown>): Promise<void> => {
    const outcome = await answer.then(
      () => 'ok',
      (error) => error.code ?? error.name,
    )
    lines.push(`${step}: ${outcome}`)
  }
  for (const [at, step] of steps.entries()) {
    const shown = JSON.stringify(step)
    if ('make' in step) {
      const { peer } = network[step.make]
      const socket = await peer.socket({ type: world.type, reuseAddr: step.reuseAddr })
      await note(
        shown,
        socket.bind(step).then(() => sockets.push(socket)),
      )
      continue
    }
    const socket = sockets[step.on % Math.max(1, sockets.length)]
    if (socket === undefined) continue
    if ('call' in step) await note(shown, socket.call(step.call, ...step.args))
    else await note(shown, socket.send(`message ${at}`, step.port, step.to))
    // Heard before what comes next, which may close who hears it.
    await settled()
  }
  await fence(network, world)
  for (const [at, { heard }] of sockets.entries()) {
    const mails = await heard.take(heard.size)
    for (const { text, remote } of mails) {
      lines.push(`socket ${at} heard ${text} from ${remote.address} port ${remote.port}`)
    }
  }
  await Promise.all([network.near.peer.reset(), network.other.peer.reset()])
  return lines
}

/** All that was sent before has been heard when both hosts have heard the other's last word. */
async function fence(network: ConformanceNetwork, { type, fence }: World): Promise<void> {
  const ends = [
    { ...network.near, address: fence.near },
    { ...network.other, address: fence.other },
  ]
  const sockets: PeerSocket[] = []
  for (const { peer, address } of ends) {
    const socket = await peer.socket({ type, reuseAddr: false })
    await socket.bind({ port: fencePort, address })
    sockets.push(socket)
  }
  await Promise.all(sockets.map((socket, at) => socket.send('', fencePort, ends[1 - at]?.address)))
  await Promise.all(sockets.map((socket) => socket.heard.next()))
  await answered(network)
}

/** What has been read before has been told before this answer is. */
async function answered({ near, other }: ConformanceNetwork): Promise<void> {
  await Promise.all([near, other].map(({ peer }) => peer.networkInterfaces()))
}

scenario('the mock answers and delivers as the kernel does', [], async (lab) => {
  const kernel = await kernelNetwork(lab, false)
  for (const world of Object.values(worlds)) {
    const property = fc.asyncProperty(programs(world), async (steps) => {
      const mock = mockNetwork()
      const real = await transcript(kernel, world, steps, () => answered(kernel))
      const mocked = await transcript(mock, world, steps, () => mock.settled())
      assert.deepEqual(mocked, real)
    })
    await fc.assert(property, {
      numRuns: Number(process.env.RUNS ?? 150),
      seed: Number(process.env.SEED ?? 4),
    })
  }
})
