// What it costs to follow the interfaces while nothing changes, beside the same receivers that do not follow
// them, and how long it takes until a change is heard: it prints, and judges nothing. The interfaces are
// virtual, in a network namespace of their own.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver } from 'typed-multicast'
import { build } from '../build.js'
import { quartiles } from '../compare.js'
import { enter, isInside } from '../interfaces/namespace.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { alignedTable } from '../table.js'
import { Cables } from './cables.js'
import type { Question } from './program.js'

const interfaces = [2, 40, 80] as const
const receivers = [1, 100, 500] as const

/** Measurements of each case, and how long one is in ms: two looks. */
const windows = 5
const idle: Question = { idle: 4000 }
/** Changes of which it is told how soon they are heard. */
const changes = 10

/** After so many minutes it shows what it has by then. */
const limit = 8

if (!isInside()) {
  build()
  enter()
}

const rows: string[][] = []
const seconds: number[] = []
setTimeout(() => {
  report()
  console.log(`\nNot all was measured within ${limit} minutes.`)
  process.exit()
}, limit * 60_000).unref()

const cables = new Cables()
for (const count of interfaces) {
  cables.plug(count)
  for (const each of receivers) await cost(count, each)
}
for (let change = 1; change <= changes; change += 1) {
  progress('how soon a change is heard', `${change} of ${changes}`)
  seconds.push(await untilHeard(change))
}
report()

/** Measures those that follow and those that do not at the same time, so that both see the same machine. */
async function cost(count: number, each: number): Promise<void> {
  const name = `${count} interfaces, ${each === 1 ? '1 receiver' : `${each} receivers`}`
  const programs = [true, false].map(
    (following) => new Program('following/program', [String(each), String(following)]),
  )
  const measure = () => Promise.all(programs.map((program) => program.ask<number>(idle)))
  const [following, still]: [number[], number[]] = [[], []]
  for (let window = 0; window <= windows; window += 1) {
    progress(name, `${window} of ${windows}`)
    const [one = Number.NaN, other = Number.NaN] = await measure()
    // In the first the reports of joining go out, and the compiler is at work.
    if (window === 0) continue
    following.push(one)
    still.push(other)
  }
  for (const program of programs) await program.stop()
  const difference = following.map((share, index) => share - (still[index] ?? Number.NaN))
  rows.push([name, ...[following, still, difference].map(cell)])
}

/** Seconds from a new interface until a message is heard by it. */
async function untilHeard(change: number): Promise<number> {
  const where = { group: '239.72.0.1', port: 10_000 }
  const receiver = await new MulticastReceiver(where).ready()
  // At any moment between two looks.
  await delay(500 + ((change * 700) % 2000))
  const address = cables.renew()
  const began = performance.now()
  const socket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  socket.setMulticastInterface(address)
  const timer = setInterval(() => socket.send('x', where.port, where.group), 10)
  await once(receiver, 'message')
  const took = performance.now() - began
  clearInterval(timer)
  socket.close()
  await receiver.close()
  return took / 1000
}

function cell(shares: readonly number[]): string {
  const { lower, median, upper } = quartiles(shares)
  return `${median.toFixed(3)} (${lower.toFixed(3)} to ${upper.toFixed(3)})`
}

function report(): void {
  progress('')
  console.log(`Node ${process.version} on ${process.platform}\n`)
  console.log(alignedTable(['% of a core', 'following', 'not following', 'the difference'], rows))
  const { median } = quartiles(seconds)
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)]
  const range = `${least.toFixed(1)} to ${most.toFixed(1)}`
  console.log(`
A new interface is heard by after ${median.toFixed(1)} s, the median of ${seconds.length} (${range} s).

The receivers join one of twenty groups each, on all interfaces, and nothing comes. A share of a core is that of
a process, in windows of ${idle.idle / 1000} s: the median, and in brackets the lower and the upper quartile. The difference
is of two processes in one window.`)
}
