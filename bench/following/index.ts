// What it costs to follow the interfaces while nothing changes, beside the same receivers that do not follow
// them, and how long it takes until a change is heard: it prints, and judges nothing. The interfaces are
// virtual, in a network namespace of their own.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver } from 'typed-multicast'
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { figure } from '../compare.js'
import { effort } from '../effort.js'
import type { Row } from '../findings.js'
import { enter, isInside } from '../interfaces/namespace.js'
import { Program } from '../program.js'
import { progress } from '../progress.js'
import { Report } from '../report.js'
import { Cables } from './cables.js'
import type { Question } from './program.js'

const interfaces = [2, 40, 80] as const
const receivers = [1, 100, 500] as const

/** Milliseconds between two looks at the interfaces. */
const period = 2000
/** Measurements of each case, and how long one is: two looks. */
const windows = effort(5, 2)
const idle: Question = { idle: 2 * period }
/** Changes of which it is told how soon they are heard. */
const changes = effort(10, 2)

if (!isInside()) {
  build()
  enter()
}

const report = new Report(chapters.following)
const cables = new Cables()
const rows: Row[] = []
report.add({
  what: 'processor time while nothing changes (less is better)',
  ratios: ['following', 'not following', 'the difference'],
  unit: '%',
  rows,
})
for (const count of interfaces) {
  cables.plug(count)
  for (const each of receivers) rows.push(await cost(count, each))
}
const took: number[] = []
for (let change = 1; change <= changes; change += 1) {
  progress('how soon a change is heard', `${change} of ${changes}`)
  took.push(await untilHeard(change))
}
report.add({
  what: 'time until a new interface is heard by (less is better)',
  ratios: ['that time / the time between two looks'],
  asides: ['least', 'most'],
  rows: [
    {
      label: 'a receiver on all interfaces',
      figures: [figure(took.map((each) => each / period))],
      asides: [Math.min(...took), Math.max(...took)].map((each) => `${(each / 1000).toFixed(1)} s`),
    },
  ],
})
report.end()

/** Measures those that follow and those that do not at the same time, so that both see the same machine. */
async function cost(count: number, each: number): Promise<Row> {
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
  return { label: name, figures: [following, still, difference].map(figure) }
}

/** Milliseconds from a new interface until a message is heard by it. */
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
  return took
}
