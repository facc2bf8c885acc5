// What a peer costs beside node:dgram's sockets that do the same, as ratios within one run: it prints, and
// judges nothing. The interfaces are virtual, in a network namespace of their own.
import { execFileSync } from 'node:child_process'
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { type Comparison, compare, ratio } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { batch, costOfReceiving, openSource } from '../flood.js'
import { enter, isInside, makeInterfaces } from '../interfaces/namespace.js'
import { Program } from '../program.js'
import { Report } from '../report.js'
import { group, host, type Side, sides } from '../sides.js'
import { type Kind, kinds, type On } from './peering.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = effort(3, 1)

const counts = [1, 2, 4] as const
const sends = { rounds: effort(15, 3), perRound: 4_000, warmUp: 20_000, seconds: 10 }
const receives = { rounds: effort(8, 2), perRound: 20_000, warmUp: 20_000, seconds: 15 }
const linkLocal = 'ff02::7129'

if (!isInside()) {
  build()
  enter()
}

const addresses = makeInterfaces(Math.max(...counts))
const near = addresses.map((handle, at): On => ({ name: `near${at}`, handle }))
for (const { name } of near) {
  execFileSync('ip', ['address', 'replace', 'fe80::71/64', 'dev', name, 'nodad'])
}
const zones = near.map(({ name }): On => ({ name, handle: `::%${name}` }))
const lo: On = { name: 'lo', handle: host }

const own = 'ours / node:dgram'
const report = new Report(chapters.peer)
const sending: Row[] = []
report.add({
  what: 'processor time of a send (less is better)',
  ratios: [own, 'unconnected / connected', 'ours / ours with 1', 'node:dgram / node:dgram with 1'],
  rows: sending,
})
for (const window of [1, 64]) {
  sending.push(...(await measureSends('IPv4', group, near, window)))
  sending.push(...(await measureSends('link-local IPv6', linkLocal, zones, window)))
}
report.add({
  what: 'processor time of a received datagram (less is better)',
  ratios: [own, 'ours / our receiver', 'node:dgram / one socket'],
  rows: await measureReceiving(),
})
report.end()

async function measureSends(
  family: string,
  to: string,
  on: readonly On[],
  window: number,
): Promise<Row[]> {
  const how = window === 1 ? 'one by one' : `${window} in flight`
  // One socket can send through one interface alone, but where each zone has its own.
  const names = counts.flatMap((count) =>
    kinds
      .filter((kind) => kind !== 'unconnected' || count === 1)
      .map((kind) => `${kind} ${count}` as const),
  )
  const rounds: Comparison<(typeof names)[number]> = []
  for (let n = 1; n <= processes; n += 1) {
    const programs = new Map(
      counts.map((count) => [
        String(count),
        new Program('peer/send', [to, JSON.stringify(on.slice(0, count))]),
      ]),
    )
    const cost = async (each: string, count = sends.perRound): Promise<number> => {
      const [kind, at = ''] = each.split(' ')
      const answer = await programs.get(at)?.ask<{ cpu: number }>({ kind, window, count })
      return answer?.cpu ?? Number.NaN
    }
    for (const each of names) await cost(each, sends.warmUp)
    const step = `sends, ${family}, ${how}: process ${n} of ${processes}`
    rounds.push(...(await compare(names, cost, sends, step)))
    for (const program of programs.values()) await program.stop()
  }
  return counts.map((count) => {
    const isFirst = count === 1
    return {
      label: `${family}, ${how}, ${several(count)}`,
      figures: [
        ratio(rounds, `ours ${count}`, `connected ${count}`),
        isFirst ? ratio(rounds, 'unconnected 1', 'connected 1') : '–',
        isFirst ? '1' : ratio(rounds, `ours ${count}`, 'ours 1'),
        isFirst ? '1' : ratio(rounds, `connected ${count}`, 'connected 1'),
      ],
    }
  })
}

async function measureReceiving(): Promise<Row[]> {
  type Name = `receiver ${Side}` | `${Exclude<Kind, 'unconnected'>} ${(typeof counts)[number]}`
  const names = [
    ...sides.map((side): Name => `receiver ${side}`),
    ...counts.flatMap((count): Name[] => [`ours ${count}`, `connected ${count}`]),
  ]
  const rounds: Comparison<Name> = []
  const source = await openSource()
  for (let n = 1; n <= processes; n += 1) {
    const acknowledge = [String(batch), String(source.address().port)]
    const programs = new Map<Name, Program>()
    for (const side of sides) {
      programs.set(`receiver ${side}`, new Program('receive', [side, ...acknowledge]))
    }
    for (const count of counts) {
      const on = JSON.stringify([lo, ...near].slice(0, count))
      for (const kind of ['ours', 'connected'] as const) {
        programs.set(`${kind} ${count}`, new Program('peer/receive', [kind, ...acknowledge, on]))
      }
    }
    const cost = async (name: Name, count = receives.perRound): Promise<number | undefined> => {
      const program = programs.get(name)
      return program && costOfReceiving(program, source, count)
    }
    for (const name of names) await cost(name, receives.warmUp)
    const step = `receiving: process ${n} of ${processes}`
    rounds.push(...(await compare(names, cost, receives, step)))
    for (const program of programs.values()) await program.stop()
  }
  source.close()
  const ofPeer = (count: (typeof counts)[number]): Row => ({
    label: `a peer on ${several(count)}`,
    figures: [
      ratio(rounds, `ours ${count}`, `connected ${count}`),
      ratio(rounds, `ours ${count}`, 'receiver ours'),
      ratio(rounds, `connected ${count}`, 'receiver raw'),
    ],
  })
  return [
    { label: 'a receiver', figures: [ratio(rounds, 'receiver ours', 'receiver raw'), '1', '1'] },
    ...counts.map(ofPeer),
  ]
}

function several(count: number): string {
  return count === 1 ? '1 interface' : `${count} interfaces`
}
