/** Receivers of a mock host, whose sockets note what they join and leave, and refuse it as a test says. */
import type { TestContext } from 'node:test'
import { MulticastReceiver, MulticastSender, type ReceiverOptions } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { timesTold } from '../told.js'
import { keep } from './endpoints.js'
import { traps } from './traps.js'

export const group = '239.1.2.3'
/** Of a group with zones there is a socket for each interface. */
export const zoned = 'ff02::1:3'
export const port = 10_000
/** Until what the host has told of is seen to. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A host with the interfaces a, b and c, which notes what its sockets do, and refuses it as it is told to. */
export function setup(t: TestContext, interfaces = ['a', 'b', 'c']) {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host({
    interfaces: Object.fromEntries(
      interfaces.map((name) => {
        const at = name.charCodeAt(0) - 96
        const addresses = [`10.0.${at}.1/24`, `fd0${at}::1/64`, `fe80::${at}/64`]
        return [name, { segment: name, addresses }]
      }),
    ),
  })
  const { createSocket, refusals, calls, open } = traps(host, {
    dropMembership: 'leave ',
    addMembership: 'join ',
    addSourceSpecificMembership: 'join ',
  })
  const has = timesTold(t)
  const events: string[] = []
  const make = (options: Partial<ReceiverOptions> = {}) => {
    const own = { group, port, bindAddress: 'group', ...host, createSocket, ...options }
    const receiver = keep(new MulticastReceiver(own))
    receiver.on('membership', (change, { interface: name, source = '' }) =>
      events.push(`${change} ${name}${source && ` ${source}`}`),
    )
    return receiver
  }
  const names = (receiver: MulticastReceiver) =>
    receiver.memberships.map(({ interface: name, source }) => (source ? `${name} ${source}` : name))
  /** How often it hears what this host sends through an interface. */
  const hears = async (receiver: MulticastReceiver, on: string, to = group): Promise<number> => {
    const before = receiver.stats.received
    const where = { group: to, port: receiver.address().port, interfaces: on }
    await keep(new MulticastSender({ ...where, ...host })).send('hello')
    await network.settled()
    return receiver.stats.received - before
  }
  return {
    network,
    host,
    createSocket,
    refusals,
    calls,
    make,
    has,
    told: () => events.splice(0),
    names,
    open,
    hears,
  }
}
