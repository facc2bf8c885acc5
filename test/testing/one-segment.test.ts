/** A host with two interfaces on one network: what one of them sends comes to the other. */
import assert from 'node:assert/strict'
import * as dgram from 'node:dgram'
import { once } from 'node:events'
import { lookup } from '../../src/datagram.js'
import { MockNetwork } from '../../src/testing/index.js'
import { scenario } from '../lab.js'

const port = 10_000

const families = {
  udp4: {
    interfaces: ['10.0.7.1', '10.0.7.2'],
    targets: ['239.1.2.3', '10.0.7.255', '10.0.7.2'],
  },
  udp6: {
    interfaces: ['::%e0', '::%e1'],
    targets: ['ff05::1:3', 'ff02::1:3%e0', 'fd07::2', 'fe80::2%e0'],
  },
} as const

/** What comes to a socket that has joined on e1, of what another sends through e0, with and without loopback. */
async function heard(
  createSocket: (options: dgram.SocketOptions) => dgram.Socket,
  type: keyof typeof families,
): Promise<string[]> {
  const { interfaces, targets } = families[type]
  const told: string[] = []
  const receiver = createSocket({ type, lookup }).bind(port)
  receiver.on('message', (data, { address }) => told.push(`${data} from ${address}`))
  const sender = createSocket({ type, lookup }).bind(0)
  for (const group of targets.filter((target) => /^(239|ff)/.test(target))) {
    receiver.addMembership(group.replace(/%.*/, ''), interfaces[1])
  }
  sender.setMulticastInterface(interfaces[0])
  sender.setBroadcast(true)
  for (const isLooped of [true, false]) {
    sender.setMulticastLoopback(isLooped)
    for (const target of targets) sender.send(`${target} ${isLooped}`, port, target)
  }
  await crossed(createSocket)
  receiver.close()
  sender.close()
  return told.sort()
}

/** Resolves when what was sent through e0 before has come to e1, by what is sent last: over IPv6 that is heard. */
async function crossed(
  createSocket: (options: dgram.SocketOptions) => dgram.Socket,
): Promise<void> {
  const last = createSocket({ type: 'udp6', ipv6Only: true, lookup }).bind(port + 1)
  last.addMembership('ff02::1:4', '::%e1')
  last.setMulticastLoopback(false)
  last.send('last', port + 1, 'ff02::1:4%e0')
  await once(last, 'message')
  // All that waits is read in one turn.
  await new Promise(setImmediate)
  last.close()
}

scenario('over IPv6 what a group is sent comes to the other interface', [], async (lab) => {
  await lab.lan(
    [lab.here, 'e0', '10.0.7.1/24', 'fd07::1/64', 'fe80::1/64'],
    [lab.here, 'e1', '10.0.7.2/24', 'fd07::2/64', 'fe80::2/64'],
  )
  await using network = new MockNetwork()
  const host = network.host({
    interfaces: {
      e0: { segment: 'lan', addresses: ['10.0.7.1/24', 'fd07::1/64', 'fe80::1/64'] },
      e1: { segment: 'lan', addresses: ['10.0.7.2/24', 'fd07::2/64', 'fe80::2/64'] },
    },
  })
  for (const type of ['udp4', 'udp6'] as const) {
    const kernel = await heard(dgram.createSocket, type)
    assert.ok(kernel.length > 0)
    assert.deepEqual(await heard(host.createSocket, type), kernel, type)
  }
})
