// Loaded by the tests beside it once the timers are fake: what the library would take from globalThis
// while it is loaded is fake too.
import { MockNetwork } from 'typed-multicast/testing'
import { find, printer, seeker } from './printers.js'

/** `pass` lets fake time pass, together with what happens meanwhile. */
export async function early(pass) {
  const network = new MockNetwork({ latency: 300 })
  const north = await printer('north', network.host()).ready()
  const laptop = await seeker(network.host()).ready()
  const answers = []
  for (const latency of [300, 600]) {
    network.setFaults({ latency })
    const found = find('north', laptop)
    await pass(1200)
    answers.push(await found)
  }
  await network.settled()
  await Promise.all([north.close(), laptop.close()])
  return answers
}

export const expected = ['10.0.0.1', undefined]
