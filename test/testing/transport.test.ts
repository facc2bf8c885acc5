/** Which ways lead from host to host, and what the journal tells of those that do not. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import {
  type MockHost,
  type MockHostOptions,
  MockNetwork,
  type MockNetworkOptions,
} from '../../src/testing/index.js'

const made: MockNetwork[] = []

afterEach(() => Promise.all(made.splice(0).map((network) => network.close())))

/** A network whose hosts have a socket on port 9 each, and what the journal has of the last that was sent. */
function madeNetwork(options?: MockNetworkOptions) {
  const network = new MockNetwork(options)
  made.push(network)
  const sockets = new Map<MockHost, ReturnType<MockHost['createSocket']>>()
  return {
    network,
    /** A host with these interfaces, whose socket is bound to that address. */
    host(options: MockHostOptions = {}, at = '0.0.0.0') {
      const host = network.host(options)
      const type = at.includes(':') ? 'udp6' : 'udp4'
      sockets.set(host, host.createSocket({ type, ipv6Only: type === 'udp6', lookup }).bind(9, at))
      return host
    },
    /** What becomes of it, for each socket and interface that it could have come to. */
    async sent(from: MockHost, to: string): Promise<string[] | undefined> {
      const before = network.journal.length
      sockets.get(from)?.send('x', 9, to)
      await network.settled()
      const { deliveries = [] } = network.journal[before] ?? {}
      return deliveries.map((one) => `${one.host} ${one.interface} ${one.outcome}`)
    },
    socket: (host: MockHost) => sockets.get(host) as ReturnType<MockHost['createSocket']>,
  }
}

const lan = (...addresses: string[]) => ({ segment: 'lan', addresses })
const dmz = (...addresses: string[]) => ({ segment: 'dmz', addresses })

test('what a host sends through an interface of its own that is down is lost, and not noted', async () => {
  const { network, host, socket } = madeNetwork()
  // Bound to an address it keeps to it.
  const near = host({ interfaces: { eth0: lan('10.0.0.1/24') } }, '10.0.0.1')
  host()
  near.down('eth0')
  near.failSends('EPERM', 1)
  const send = () => new Promise((resolve) => socket(near).send('x', 9, '239.1.2.3', resolve))
  assert.equal(await send(), null)
  assert.equal(network.journal.length, 0)
  near.up('eth0')
  // What was lost has not used up the failure.
  assert.equal(((await send()) as NodeJS.ErrnoException).code, 'EPERM')
})

test('an address of a neighbour is found on its own interface, or by another that is up', async () => {
  const { host, sent } = madeNetwork()
  const near = host()
  const far = host({ interfaces: { eth0: 'lan', eth1: lan('10.0.0.99/32') } })
  assert.deepEqual(await sent(near, '10.0.0.99'), ['host2 eth1 delivered'])
  far.down('eth1')
  assert.deepEqual(await sent(near, '10.0.0.99'), ['host2 eth0 delivered'])
  far.down('eth0')
  assert.deepEqual(await sent(near, '10.0.0.99'), ['host2 eth1 interface-down'])
})

test('a neighbour answers for an address that a router leads to as well', async () => {
  const { network, host, sent } = madeNetwork()
  network.router('lan', 'dmz')
  const near = host()
  host({ interfaces: { eth0: 'lan', eth1: dmz('10.0.0.99/32') } })
  assert.deepEqual(await sent(near, '10.0.0.99'), ['host2 eth0 delivered'])
})

test('nobody answers for an address that is of no subnet of the link', async () => {
  const { host, sent } = madeNetwork()
  const near = host()
  host({ interfaces: { eth0: 'lan', eth1: dmz('192.0.2.5/32') } })
  assert.deepEqual(await sent(near, '192.0.2.5'), [])
})

test('over IPv6 an interface answers for its own addresses alone', async () => {
  const { host, sent } = madeNetwork()
  const near = host({}, '::')
  host({ interfaces: { eth0: 'lan', eth1: dmz('fd00::99/128') } }, '::')
  assert.deepEqual(await sent(near, 'fd00::99'), [])
})

test('a broadcast ends at a router', async () => {
  const { network, host, sent, socket } = madeNetwork()
  network.router('lan', 'dmz')
  const near = host()
  host({ interfaces: { eth0: 'dmz' } })
  socket(near).setBroadcast(true)
  assert.deepEqual(await sent(near, '255.255.255.255'), [
    ...['host1 eth0 delivered', 'host2 eth0 scope'],
  ])
})

// one-segment.test.ts has the kernel do the same.
test('what a group is sent comes to the other interface on the segment over IPv6, and not over IPv4', async () => {
  const { host, sent, socket } = madeNetwork()
  const six = host({ interfaces: { a: lan('fe80::1'), b: lan('fe80::2') } }, '::')
  socket(six).addMembership('ff02::1:3', '::%b')
  assert.deepEqual(await sent(six, 'ff02::1:3%a'), [
    `${six.name} a not-joined`,
    `${six.name} b delivered`,
  ])
  const four = host({ interfaces: { a: lan('10.0.7.1/24'), b: lan('10.0.7.2/24') } })
  socket(four).addMembership('239.1.2.3', '10.0.7.2')
  assert.deepEqual(await sent(four, '239.1.2.3'), [`${four.name} a not-joined`])
})

// As the kernel does where both are plugged into one bridge.
test('over IPv6 an address of the other interface on the same segment is a neighbour', async () => {
  const { network, host, socket } = madeNetwork()
  const one = host({ interfaces: { a: lan('fe80::1'), b: lan('fe80::2') } }, '::')
  const heard: string[] = []
  socket(one).on('message', (data, { address }) => heard.push(`${data} ${address}`))
  socket(one).send('hello', 9, 'fe80::2%a')
  await network.settled()
  assert.deepEqual(heard, ['hello fe80::1%b'])
})

test('what is sent to a link-local address comes to who has it on the link, whoever has it behind a router', async () => {
  const { network, host, sent } = madeNetwork()
  network.router('lan', 'dmz')
  const near = host({ interfaces: { eth0: lan('fe80::1'), eth1: dmz('fe80::2') } }, '::')
  host({ interfaces: { eth0: dmz('fe80::2') } }, '::')
  const far = host({ interfaces: { eth0: lan('fe80::2') } }, '::')
  assert.deepEqual(await sent(near, 'fe80::2%eth0'), [`${far.name} eth0 delivered`])
})

test('what no way leads to is told of once for each host, by its first interface', async () => {
  const { host, sent } = madeNetwork()
  const near = host()
  host({ interfaces: { a: 'far', b: 'farther' } })
  assert.deepEqual(await sent(near, '224.0.0.1'), ['host1 eth0 delivered', 'host2 a unreachable'])
})

test('each interface on the segment hears a group, in their order', async () => {
  const { host, sent } = madeNetwork()
  const near = host()
  host({ interfaces: { a: 'lan', b: 'lan' } })
  assert.deepEqual(await sent(near, '224.0.0.1'), [
    ...['host1 eth0 delivered', 'host2 a delivered', 'host2 b delivered'],
  ])
})

test('what is of one link or of one host is of the wrong scope elsewhere', async () => {
  const { network, host, sent } = madeNetwork()
  network.router('lan', 'dmz')
  const near = host({ interfaces: { eth0: lan('fe80::1', 'fd00::1') } }, 'fd00::1')
  const narrow = host({ interfaces: { eth0: lan('fe80::3') } }, '::')
  host({ interfaces: { eth0: dmz('fe80::2', 'fd01::2') } }, '::')
  assert.deepEqual(await sent(near, 'fd01::2'), ['host3 eth0 delivered'])
  assert.deepEqual(await sent(near, 'fe80::2%eth0'), ['host3 eth0 scope'])
  assert.deepEqual(await sent(narrow, 'fd01::2'), ['host3 eth0 scope'])
  assert.deepEqual((await sent(near, 'ff01::5%eth0'))?.slice(1), [
    ...['host2 eth0 scope', 'host3 eth0 scope'],
  ])
})

// As on Linux, which drops it on arrival, and so does not hear its own either.
test('a group of the reserved scope is heard by nobody', async () => {
  const { host, sent, socket } = madeNetwork()
  const [near, far] = [host({}, '::'), host({}, '::')]
  for (const one of [near, far]) socket(one).addMembership('ff10::5')
  assert.deepEqual(await sent(near, 'ff10::5'), ['host1 eth0 scope', 'host2 eth0 scope'])
})

test('who is in no part of the network speaks to all of them', async () => {
  const { network, host, sent } = madeNetwork()
  const [near, one, other] = [host(), host(), host()]
  network.partition([one], [other])
  assert.deepEqual(await sent(near, '224.0.0.1'), [
    ...['host1 eth0 delivered', 'host2 eth0 delivered', 'host3 eth0 delivered'],
  ])
  assert.deepEqual((await sent(one, '224.0.0.1'))?.slice(1), [
    ...['host1 eth0 delivered', 'host3 eth0 partition'],
  ])
})

test("on Windows the receiver's loopback switch is nothing to what others send", async () => {
  const { host, sent, socket } = madeNetwork({ platform: 'win32' })
  const near = host()
  const far = host()
  for (const one of [near, far]) {
    socket(one).addMembership('239.1.2.3')
    socket(one).setMulticastLoopback(false)
  }
  assert.deepEqual(await sent(near, '239.1.2.3'), [
    ...['host1 eth0 loopback-off', 'host2 eth0 delivered'],
  ])
})

test('without a journal all of this goes the same ways', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { network, host, socket } = madeNetwork({ journalLimit: 0, latency: 1 })
  const [near, far, away] = [host(), host(), host()]
  let heard = 0
  socket(far).on('message', () => (heard += 1))
  away.down('eth0')
  socket(near).send('x', 9, '224.0.0.1')
  t.mock.timers.tick(1)
  await network.settled()
  assert.equal(heard, 1)
  assert.deepEqual(network.journal, [])
})

test('what is under way is told of, however short the way is, and what comes too late for its interface', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { network, host, socket } = madeNetwork({ latency: 0.5 })
  const near = host()
  const far = host()
  const outcomes = () => network.journal.at(-1)?.deliveries.map(({ outcome }) => outcome)
  socket(near).send('x', 9, far.address)
  await network.idle()
  assert.deepEqual(outcomes(), ['in-flight'])
  far.down('eth0')
  t.mock.timers.tick(1)
  await network.settled()
  assert.deepEqual(outcomes(), ['interface-down'])
  far.up('eth0')
  socket(near).send('x', 9, far.address)
  far.remove('eth0')
  far.add('eth0')
  t.mock.timers.tick(1)
  await network.settled()
  assert.deepEqual(outcomes(), ['interface-down'])
  network.setFaults({ latency: 0, reordering: 1 })
  socket(near).send('x', 9, far.address)
  assert.deepEqual(outcomes(), ['in-flight'])
  await network.settled()
  assert.deepEqual(outcomes(), ['delivered'])
})
