// What a peer costs beside node:dgram's sockets that do the same, as ratios within one run: it prints, and
// judges nothing. The interfaces are virtual, in a network namespace of their own.
import { execFileSync } from 'node:child_process'
import { build } from '../build.js'
import { type Comparison, compare, ratioCell } from '../compare.js'
import { batch, costOfReceiving, openSource } from '../flood.js'
import { enter, isInside, makeInterfaces } from '../interfaces/namespace.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { group, host, type Side, sides } from '../sides.js'
import { alignedTable } from '../table.js'
import { type Kind, kinds, type On } from './peering.js'

/** Processes for each case, since the compiler's choices differ from one process to the next. */
const processes = 3

const counts = [1, 2, 4] as const
const sends = { rounds: 15, perRound: 4_000, warmUp: 20_000, seconds: 10 }
const receives = { rounds: 8, perRound: 20_000, warmUp: 20_000, seconds: 15 }
const linkLocal = 'ff02::7129'

/** After so many minutes it shows what it has by then. */
const limit = 5

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

const sending: string[][] = []
const receiving: string[][] = []
setTimeout(() => {
  report()
  console.log(`\nNot all was measured within ${limit} minutes.`)
  process.exit()
}, limit * 60_000).unref()
for (const window of [1, 64]) {
  await measureSends('IPv4', group, near, window)
  await measureSends('link-local IPv6', linkLocal, zones, window)
}
await measureReceiving()
report()

async function measureSends(
  family: string,
  to: string,
  on: readonly On[],
  window: number,
): Promise<void> {
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
    rounds.push(
      ...(await compare(names, cost, sends, (round) => {
        progress(`sends, ${family}, ${how}: process ${n} of ${processes}`, `round ${round}`)
      })),
    )
    for (const program of programs.values()) await program.stop()
  }
  for (const count of counts) {
    sending.push([
      `${family}, ${how}, ${several(count)}`,
      ratioCell(rounds, `ours ${count}`, `connected ${count}`),
      count === 1 ? ratioCell(rounds, 'unconnected 1', 'connected 1') : '–',
      count === 1 ? '1' : ratioCell(rounds, `ours ${count}`, 'ours 1'),
      count === 1 ? '1' : ratioCell(rounds, `connected ${count}`, 'connected 1'),
    ])
  }
}

async function measureReceiving(): Promise<void> {
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
    rounds.push(
      ...(await compare(names, cost, receives, (round) => {
        progress(`receiving: process ${n} of ${processes}`, `round ${round} of ${receives.rounds}`)
      })),
    )
    for (const program of programs.values()) await program.stop()
  }
  source.close()
  receiving.push(['a receiver', ratioCell(rounds, 'receiver ours', 'receiver raw'), '1', '1'])
  for (const count of counts) {
    receiving.push([
      `a peer on ${several(count)}`,
      ratioCell(rounds, `ours ${count}`, `connected ${count}`),
      ratioCell(rounds, `ours ${count}`, 'receiver ours'),
      ratioCell(rounds, `connected ${count}`, 'receiver raw'),
    ])
  }
}

function several(count: number): string {
  return count === 1 ? '1 interface' : `${count} interfaces`
}

function report(): void {
  progress('')
  console.log(`Node ${process.version} on ${process.platform}\n`)
  const own = 'ours / node:dgram'
  console.log(
    alignedTable(
      ['CPU of a send', own, 'unconnected / connected', 'ours / 1', 'node:dgram / 1'],
      sending,
    ),
  )
  console.log()
  const beside = ['ours / our receiver', 'node:dgram / one socket']
  console.log(alignedTable(['CPU of a received datagram', own, ...beside], receiving))
  console.log(`
A ratio is of the processor time that a send or a datagram takes, of two measurements of one round, in which
all take turns, in alternating order: the median, and in brackets the lower and the upper quartile. node:dgram
has a socket that hears, and for each interface one connected to the group that sends; "unconnected" is the
socket that hears sending by itself, which can be done with one interface alone, or one in each zone.`)
}
