// A receiver that cannot keep up: its loop waits for each message, or keeps its process from reading meanwhile. Its
// arguments are the carrier, how it is slow, the number of its host and that of all.
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver } from 'typed-multicast'
import { serve } from '../program.js'
import { sample } from '../sample.js'
import { type CarrierName, hostOf } from './host.js'

/** How it is slow: it awaits something for each message, or its process does nothing else for that time. */
export type Slowness = 'waits' | 'blocks'

/** What became of the messages. */
export interface Rest {
  readonly heard: number
  /** Those that are counted as lost. */
  readonly lost: number
  readonly disconnects: number
}

/** Milliseconds for each message. */
const each = 1
/** Milliseconds without a message after which no more will come, and how often that is waited for. */
const quiet = 300
const tries = 100

const [carrier, slowness, at, of] = process.argv.slice(2)
const { options, lostBy, disconnects } = await hostOf(
  carrier as CarrierName,
  Number(at),
  Number(of),
)
const receiver = await new MulticastReceiver(options).ready()
const cell = new Int32Array(new SharedArrayBuffer(4))
let isSlow = true
let heard = 0
void iterate()

async function iterate(): Promise<void> {
  for await (const _ of receiver) {
    heard += 1
    if (!isSlow) continue
    if (slowness === 'waits') await delay(each)
    else Atomics.wait(cell, 0, 0, each)
  }
}

serve(async (question: 'ready' | 'sample' | 'rest') => {
  if (question === 'ready') return true
  if (question === 'sample') return sample()
  // From now on it keeps up, and reads what still comes.
  isSlow = false
  let before = -1
  for (let tried = 0; tried < tries && heard !== before; tried += 1) {
    before = heard
    await delay(quiet)
  }
  const rest: Rest = { heard, lost: await lostBy(receiver), disconnects: disconnects() }
  return rest
})
