import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { MulticastReceiver } from '../../src/index.js'
import { MockNetwork, type Platform } from '../../src/testing/index.js'
import type * as networkModule from '../../src/testing/network.js'
import { importAnew } from '../anew.js'
import { keep, listen, rejects, speak } from './endpoints.js'

const where = { group: '239.1.2.3', port: 10_000 }

test('only Windows refuses to bind to a group', async () => {
  for (const platform of ['linux', 'darwin'] as const) {
    await listen(new MockNetwork({ platform }).host())
  }
  const host = new MockNetwork().host({ platform: 'win32' })
  const bound = keep(new MulticastReceiver({ ...where, bindAddress: 'group', ...host }))
  await rejects(bound.ready(), 'ERR_MULTICAST_BIND', { code: 'EADDRNOTAVAIL', syscall: 'bind' })
  // It is no matter of waiting, which following might do.
  const named = { interfaces: 'eth0', followInterfaces: true, bindAddress: 'group' }
  const waiting = keep(new MulticastReceiver({ ...where, ...named, ...host }))
  await rejects(waiting.ready(), 'ERR_MULTICAST_BIND', { code: 'EADDRNOTAVAIL', syscall: 'bind' })
})

test('an address to bind to is waited for where what is named is, and else refused', async () => {
  const host = new MockNetwork().host()
  const bound = { ...where, bindAddress: '10.9.9.9', ...host }
  const refused = keep(new MulticastReceiver(bound))
  await rejects(refused.ready(), 'ERR_MULTICAST_BIND', { code: 'EADDRNOTAVAIL', syscall: 'bind' })

  const named = { interfaces: 'eth0', followInterfaces: true }
  const waiting = await keep(new MulticastReceiver({ ...bound, ...named })).ready()
  assert.deepEqual(waiting.memberships, [])
  const joined = once(waiting, 'membership')
  host.readdress('eth0', ['10.0.0.1/24', '10.9.9.9/24'])
  assert.deepEqual(await joined, ['joined', { interface: 'eth0' }])
  assert.equal(waiting.address().address, '10.9.9.9')
})

test('only on Linux a socket hears what another has joined', async () => {
  const network = new MockNetwork()
  for (const [platform, expected] of [
    ['linux', ['both', 'the other']],
    ['darwin', ['both']],
    ['win32', ['both']],
  ] as const) {
    const host = network.host({ platform })
    const { heard } = await listen(host, { bindAddress: 'any' })
    await listen(host, { group: '239.1.2.4', bindAddress: 'any' })
    const speaker = network.host()
    await speak(speaker).send('both')
    await speak(speaker, { group: '239.1.2.4' }).send('the other')
    await network.settled()
    assert.deepEqual(heard, expected, platform)
    const [last] = network.journal.slice(-1)
    const outcomes = last?.deliveries.filter((one) => one.host === host.name)
    assert.equal(
      outcomes?.filter(({ outcome }) => outcome === 'not-joined').length,
      platform === 'linux' ? 0 : 1,
    )
  }
})

test("on Windows the receiver's loopback switch counts", async () => {
  for (const platform of ['linux', 'win32'] as const) {
    const network = new MockNetwork({ platform })
    const host = network.host()
    const socket = host.createSocket({ type: 'udp4', reuseAddr: true })
    socket.bind({ port: 10_000 })
    await once(socket, 'listening')
    socket.addMembership(where.group, host.networkInterfaces().eth0?.[0]?.address)
    const heard: string[] = []
    socket.on('message', (data) => heard.push(`${data}`))
    const sender = speak(host, { loopback: false })
    await sender.send("the sender's is off")
    socket.setMulticastLoopback(false)
    await sender.send('both are off')
    await speak(host).send("the receiver's is off")
    await network.settled()
    assert.deepEqual(
      heard,
      platform === 'linux' ? ["the receiver's is off"] : ["the sender's is off"],
    )
    socket.close()
  }
})

test('on lo a group is heard whatever the loopback switch, on Windows too', async () => {
  for (const platform of ['linux', 'win32'] as const) {
    const network = new MockNetwork({ platform })
    const socket = network.host().createSocket({ type: 'udp4', lookup }).bind(9)
    socket.addMembership('239.1.2.3', '127.0.0.1')
    socket.setMulticastInterface('127.0.0.1')
    socket.setMulticastLoopback(false)
    const heard: string[] = []
    socket.on('message', (data) => heard.push(`${data}`))
    socket.send('hello', 9, '239.1.2.3')
    await network.settled()
    assert.deepEqual(heard, ['hello'], platform)
    await network.close()
  }
})

test('the largest datagram of macOS has 9,216 bytes', async () => {
  for (const [platform, largest] of [
    ['linux', 65_507],
    ['darwin', 9216],
    ['win32', 65_507],
  ] as const) {
    for (const [group, size] of [
      ['239.1.2.3', largest],
      ['ff05::1:3', platform === 'darwin' ? largest : 65_527],
    ] as const) {
      const sender = speak(new MockNetwork({ platform }).host(), { group })
      assert.equal(await sender.send('x'.repeat(size)), size)
      await assert.rejects(sender.send('x'.repeat(size + 1)), {
        code: 'ERR_MULTICAST_MESSAGE_SIZE',
      })
    }
  }
})

test('a zone is a name, and on Windows a number', async () => {
  for (const [platform, zone] of [
    ['linux', 'eth0'],
    ['darwin', 'eth0'],
    ['win32', '2'],
  ] as const) {
    const network = new MockNetwork({ platform })
    const [one, other] = [network.host(), network.host()]
    const { receiver } = await listen(other, { group: 'ff05::7', bindAddress: 'any' })
    const from = new Promise((resolve) =>
      receiver.on('message', (_message, remote) => resolve(remote.address)),
    )
    await speak(one, { group: 'ff05::7', localAddress: `fe80::1%${zone}` }).send('x')
    assert.equal(await from, `fe80::1%${zone}`)
  }
})

test('TTL 0 leaves a host of which nothing has joined on Linux alone', async () => {
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    const network = new MockNetwork({ platform })
    const { heard } = await listen(network.host(), { bindAddress: 'any' })
    await speak(network.host(), { ttl: 0 }).send('x')
    await network.settled()
    assert.deepEqual(heard, platform === 'linux' ? ['x'] : [])
  }
})

test("a host has the network's platform, and that the machine's, if it is given none", async () => {
  const bound = async (host: ReturnType<MockNetwork['host']>) => {
    const options = { ...where, bindAddress: 'group', interfaces: ['eth0'] }
    const receiver = keep(new MulticastReceiver({ ...options, ...host }))
    return receiver.ready().then(
      () => true,
      () => false,
    )
  }
  const windows = new MockNetwork({ platform: 'win32' })
  assert.equal(await bound(windows.host()), false)
  assert.equal(await bound(windows.host({ platform: 'linux' })), true)
  const machine: Platform | string = process.platform
  assert.equal(await bound(new MockNetwork().host()), machine !== 'win32')
})

test('on a machine of another system it is Linux', async (t) => {
  const own = Object.getOwnPropertyDescriptor(process, 'platform') ?? assert.fail()
  t.after(() => Object.defineProperty(process, 'platform', own))
  for (const [platform, isRefused] of [
    ['darwin', false],
    ['win32', true],
    ['freebsd', false],
  ] as const) {
    Object.defineProperty(process, 'platform', { ...own, value: platform })
    // It is read when the module is.
    const { MockNetwork: Network } = await importAnew<typeof networkModule>('testing/network')
    let refusal: unknown
    const socket = new Network().host().createSocket({ type: 'udp4', lookup })
    socket.on('error', (error: NodeJS.ErrnoException) => (refusal = error.code))
    socket.bind(9, where.group)
    assert.equal(refusal, isRefused ? 'EADDRNOTAVAIL' : undefined, platform)
    socket.close()
  }
})
