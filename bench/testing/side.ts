// Runs a test's work over the mock network, or over real sockets on the loopback interface, and tells
// how long it took and how much memory it holds.
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { MulticastReceiver, MulticastSender } from 'typed-multicast'
import { MockNetwork } from 'typed-multicast/testing'
import { serve } from '../program.js'
import { group, host, payload, type Side } from '../sides.js'

export type Question =
  | { readonly what: 'tests' | 'roundTrips'; readonly side: Side; readonly count: number }
  | { readonly what: 'deliveries'; readonly count: number; readonly journalLimit: number }
  | { readonly what: 'sample' }

serve(async (question: Question) => {
  switch (question.what) {
    case 'tests':
      return seconds(async () => {
        for (let n = 0; n < question.count; n += 1) await test(question.side)
      })
    case 'roundTrips':
      return roundTrips(question.side, question.count)
    case 'deliveries':
      return deliveries(question.count, question.journalLimit)
    case 'sample':
      return sample()
  }
})

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** A receiver that replies, and a sender, on hosts of their own or on this one. */
async function pair(side: Side): Promise<[MulticastReceiver, MulticastSender]> {
  const network = new MockNetwork({ journalLimit: side === 'ours' ? 1000 : 0 })
  const onLoopback = { interfaces: host }
  const [here, there] =
    side === 'ours' ? [network.host(), network.host()] : [onLoopback, onLoopback]
  const receiver = await new MulticastReceiver({ group, port: 0, ...here }).ready()
  const { port } = receiver.address()
  const sender = await new MulticastSender({ group, port, ...there }).ready()
  receiver.on('message', (message, remote) => void receiver.reply(message, remote))
  return [receiver, sender]
}

/** What a small test does: opens both ends, sends, hears the reply, closes. */
async function test(side: Side): Promise<void> {
  const [receiver, sender] = await pair(side)
  const reply = once(sender, 'message')
  await sender.send(payload)
  await reply
  await Promise.all([receiver.close(), sender.close()])
}

async function roundTrips(side: Side, count: number): Promise<number> {
  const [receiver, sender] = await pair(side)
  const took = await seconds(async () => {
    for (let n = 0; n < count; n += 1) {
      const reply = once(sender, 'message')
      await sender.send(payload)
      await reply
    }
  })
  await Promise.all([receiver.close(), sender.close()])
  return took
}

/** Messages to ten receivers, each on a host of its own. */
async function deliveries(count: number, journalLimit: number): Promise<number> {
  const network = new MockNetwork({ journalLimit })
  const receivers = Array.from(
    { length: 10 },
    () => new MulticastReceiver({ group, port: 10_000, ...network.host() }),
  )
  let heard = 0
  for (const receiver of receivers) receiver.on('message', () => (heard += 1))
  const sender = new MulticastSender({ group, port: 10_000, ...network.host() })
  await network.settled()
  const took = await seconds(async () => {
    for (let n = 0; n < count; n += 1) {
      await sender.send(payload)
      // Read before a receive buffer is full.
      if (n % 100 === 99) await network.settled()
    }
    await network.settled()
  })
  if (heard !== 10 * count) throw new Error(`heard ${heard} of ${10 * count}`)
  await Promise.all([sender, ...receivers].map((endpoint) => endpoint.close()))
  return took
}

/** The heap and all that is outside of it, in bytes, after a garbage collection. */
async function sample(): Promise<{ heap: number; resident: number }> {
  for (let n = 0; n < 3; n += 1) {
    globalThis.gc?.()
    await setTimeout(50)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}
