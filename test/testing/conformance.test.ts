import { conformance, type Need } from '../../src/testing/conformance/index.js'
import { lacking, scenario } from '../lab.js'
import { natsNeeds } from '../nats.js'
import { kernelNetwork, routerNeeds } from './kernel.js'
import { lackedByNats, natsNetwork } from './nats.js'
import { lackedByUnicast, unicastNetwork } from './unicast.js'

/** Milliseconds for all the cases, which take a tenth of that on a machine with nothing else to do. */
const TIMEOUT = 120_000

// One network for all, because building it takes longer than most cases.
scenario(
  'the kernel conforms',
  [],
  async (lab, t) => {
    const router = lacking(routerNeeds)
    const network = await kernelNetwork(lab, router.reason === undefined)
    const missing: Partial<Record<Need, string | false>> = { router: router.skip }
    for (const { name, level, needs, run } of conformance) {
      const skip = needs.map((need) => missing[need]).find((reason) => reason) ?? false
      await t.test(`${level}: ${name}`, { skip, timeout: 30_000 }, () => run(network))
    }
  },
  TIMEOUT,
)

scenario(
  'the unicast carrier conforms',
  [],
  async (lab, t) => {
    const network = await unicastNetwork(lab)
    for (const { name, level, needs, run } of conformance) {
      if (needs.some((need) => lackedByUnicast.includes(need))) continue
      await t.test(`${level}: ${name}`, { timeout: 30_000 }, () => run(network))
    }
  },
  TIMEOUT,
)

scenario(
  'the NATS carrier conforms',
  natsNeeds,
  async (lab, t) => {
    const { network, close } = await natsNetwork(lab)
    for (const { name, level, needs, run } of conformance) {
      if (needs.some((need) => lackedByNats.includes(need))) continue
      await t.test(`${level}: ${name}`, { timeout: 30_000 }, () => run(network))
    }
    await close()
  },
  TIMEOUT,
)
