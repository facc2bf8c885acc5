import { setTimeout as delay } from 'node:timers/promises'
import { MulticastReceiver } from 'typed-multicast'
import { serve } from '../program.js'

/** Of which the receivers join one each. */
const groups = 20

/** How many receivers, and whether they follow their interfaces. */
const [count = '1', following = 'true'] = process.argv.slice(2)

const receivers = Array.from(
  { length: Number(count) },
  (_, index) =>
    new MulticastReceiver({
      group: `239.72.0.${index % groups}`,
      port: 10_000,
      followInterfaces: following === 'true',
    }),
)

export interface Question {
  /** Milliseconds in which nothing is done but what receivers do by themselves. */
  readonly idle: number
}

/** The part of a core, in per cent, that this process has taken meanwhile. */
serve(async ({ idle }: Question) => {
  await Promise.all(receivers.map((receiver) => receiver.ready()))
  const [began, before] = [performance.now(), process.cpuUsage()]
  await delay(idle)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / 1000 / (performance.now() - began)) * 100
})
