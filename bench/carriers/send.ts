// Sends to all receivers, whose programs acknowledge what they have heard. Its arguments are the carrier, the number
// of hosts, and that of these programs.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastSender } from 'typed-multicast'
import { serve } from '../program.js'
import { sample } from '../sample.js'
import { host } from '../sides.js'
import { type Acknowledgement, batch, messageOf, read, window } from './acknowledgement.js'
import { type CarrierName, hostOf } from './host.js'

export type Question =
  | 'port'
  | 'sample'
  | { readonly count: number; readonly how: 'flood' | 'single' }

/** Milliseconds without a sign of life after which it gives up. */
const patience = 10_000

const [carrier, ...numbers] = process.argv.slice(2)
const [hosts = 0, programs = 0] = numbers.map(Number)

const acknowledged = createSocket('udp4')
acknowledged.bind(0, host)
await once(acknowledged, 'listening')
const { options } = await hostOf(carrier as CarrierName, 0, hosts)
const sender = await new MulticastSender(options).ready()

/** How many were sent since the start, and how many of them all have heard. */
let sent = 0
let heard = 0
/** When the last has heard the last one. */
let heardAt = 0n
let isLate = false
let proceed = (): void => {}
/** By the port of each program. */
const latest = new Map<number, Acknowledgement>()

acknowledged.on('message', (bytes, { port }) => {
  latest.set(port, read(bytes))
  if (latest.size < programs) return
  const all = [...latest.values()]
  const number = Math.min(...all.map((one) => one.number))
  if (number < heard) return
  heard = number + 1
  heardAt = all.reduce((last, { at }) => (at > last ? at : last), 0n)
  proceed()
})

serve(async (question: Question) => {
  if (question === 'port') return acknowledged.address().port
  if (question === 'sample') return sample()
  const { how, count } = question
  isLate = false
  const gaps = gapsOfAll()
  let before = heard
  const watch = setInterval(() => {
    isLate = heard === before
    before = heard
    if (isLate) proceed()
  }, patience)
  try {
    const result = how === 'flood' ? await flood(count) : await single(count)
    return gaps === gapsOfAll() ? result : null
  } catch (error) {
    if (error !== late) throw error
    // What is lost is not waited for the next time.
    heard = sent
    return null
  } finally {
    clearInterval(watch)
  }
})

const late = new Error('late')

/** Never further ahead than that. Returns how many a second all have heard. */
async function flood(count: number): Promise<number> {
  const start = performance.now()
  for (const end = sent + count; sent < end; ) {
    while (sent - heard >= window) await more()
    const isLast = sent + 1 === end || (sent + 1) % batch === 0
    sender.send(messageOf(sent, isLast))
    sent += 1
  }
  while (heard < sent) await more()
  return (count * 1000) / (performance.now() - start)
}

/** One after the other. Returns how long it took until all had heard each, in ms. */
async function single(count: number): Promise<number[]> {
  const took: number[] = []
  for (let left = count; left > 0; left -= 1) {
    const message = messageOf(sent, true)
    const start = process.hrtime.bigint()
    sent += 1
    await sender.send(message)
    while (heard < sent) await more()
    took.push(Number(heardAt - start) / 1e6)
  }
  return took
}

async function more(): Promise<void> {
  await new Promise<void>((resolve) => {
    proceed = resolve
  })
  if (isLate) throw late
}

function gapsOfAll(): number {
  return [...latest.values()].reduce((sum, { gaps }) => sum + gaps, 0)
}
