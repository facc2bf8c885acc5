import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { MulticastReceiver } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { keep, listen, rejects, speak } from './endpoints.js'

test('what is spread of a host are its two functions', () => {
  const host = new MockNetwork().host()
  assert.deepEqual(Object.keys({ ...host }), ['createSocket', 'networkInterfaces'])
})

test('its interfaces are listed as node:os lists them', () => {
  const host = new MockNetwork().host({
    interfaces: { eth0: { addresses: ['192.0.2.5/26', '2001:DB8::5/33', 'fe80::5'] } },
  })
  const { lo, eth0, ...others } = host.networkInterfaces()
  const real = networkInterfaces().lo
  // The loopback interface is alike on any Linux, which may lack IPv6.
  if (real !== undefined) assert.deepEqual(lo?.slice(0, real.length), real)
  const mac = '02:00:00:01:00:02'
  const ipv6 = { family: 'IPv6', mac, internal: false }
  assert.deepEqual(eth0, [
    {
      address: '192.0.2.5',
      netmask: '255.255.255.192',
      family: 'IPv4',
      mac,
      internal: false,
      cidr: '192.0.2.5/26',
    },
    {
      ...ipv6,
      address: '2001:db8::5',
      netmask: 'ffff:ffff:8000::',
      cidr: '2001:db8::5/33',
      scopeid: 0,
    },
    {
      ...ipv6,
      address: 'fe80::5',
      netmask: 'ffff:ffff:ffff:ffff::',
      cidr: 'fe80::5/64',
      scopeid: 2,
    },
  ])
  assert.deepEqual(others, {})
})

test('an interface that is down is not listed, and what was joined stays joined', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const { heard, receiver } = await listen(host)
  const sender = speak(network.host())
  host.down('eth0')
  assert.deepEqual(Object.keys(host.networkInterfaces()), ['lo'])
  await sender.send('down')
  host.up('eth0')
  await sender.send('up')
  await network.settled()
  assert.deepEqual(heard, ['up'])
  assert.equal(receiver.memberships.length, 2)
})

test('a datagram that is late for its interface is not heard', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ latency: 10 })
  const host = network.host()
  const { heard } = await listen(host)
  const sender = speak(network.host())
  await sender.send('down')
  host.down('eth0')
  t.mock.timers.tick(10)
  await sender.send('sent while down')
  host.up('eth0')
  t.mock.timers.tick(10)
  await sender.send('another')
  host.remove('eth0')
  host.add('eth0')
  t.mock.timers.tick(10)
  await network.settled()
  assert.deepEqual(heard, [])
})

test('sending fails while the interface is down', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const sender = await speak(host).ready()
  host.down('eth0')
  await rejects(sender.send('down'), 'ERR_MULTICAST_SEND', {
    code: 'ENETUNREACH',
    syscall: 'send',
    address: '239.1.2.3',
    port: 10_000,
  })
  host.up('eth0')
  assert.equal(await sender.send('up'), 2)
})

test('an interface that was removed comes back as another, on which join() joins anew', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const { heard, receiver } = await listen(host)
  const sender = speak(network.host())
  const before = host.networkInterfaces().eth0
  host.remove('eth0')
  assert.throws(() => host.up('eth0'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /no interface 'eth0'.*There are: lo/,
  })
  host.add('eth0')
  const addresses = (list = before) => list?.map(({ cidr }) => cidr)
  assert.deepEqual(addresses(host.networkInterfaces().eth0), addresses())
  await sender.send('before join()')
  await receiver.join()
  await sender.send('after join()')
  await network.settled()
  assert.deepEqual(heard, ['after join()'])
})

test('a sender that names an interface sends on once that is another, and says what it waits for', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const sender = await speak(host, { interfaces: 'eth0' }).ready()
  host.remove('eth0')
  await assert.rejects(sender.send('x'), {
    code: 'ERR_MULTICAST_SEND',
    message: /through eth0: .* \(eth0 is down or gone, .*: sends go out again once that is over\)$/,
  })
  host.add('eth0')
  assert.equal(await sender.send('x'), 1)
})

test('an interface is plugged in elsewhere with other addresses', () => {
  const network = new MockNetwork()
  const host = network.host()
  const addresses = () => host.networkInterfaces().eth0?.map(({ cidr }) => cidr)
  host.remove('eth0')
  host.add('eth0', { segment: 'dmz' })
  assert.deepEqual(addresses(), ['10.1.0.1/16', 'fd00:1::1/64', 'fe80::1/64'])
  host.remove('eth0')
  host.add('eth0', { addresses: ['192.0.2.1'] })
  assert.deepEqual(addresses(), ['192.0.2.1/24'])
  assert.throws(() => host.add('eth0'), { code: 'ERR_MULTICAST_OPTION', message: /already/ })
})

test('an interface has other addresses, and stays joined', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const { heard, receiver } = await listen(host)
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  const sender = speak(network.host())
  const from: string[] = []
  sender.on('message', (_message, remote) => from.push(remote.address))
  await sender.send('one')
  await network.settled()
  host.readdress('eth0', ['10.0.77.1/16'])
  await sender.send('two')
  await network.settled()
  assert.deepEqual(
    [heard, from],
    [
      ['one', 'two'],
      ['10.0.0.1', '10.0.77.1'],
    ],
  )
})

test('an interface that has lost its addresses is not listed, hears on, and gets others', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const { heard } = await listen(host)
  const sender = speak(network.host())
  host.readdress('eth0', [])
  assert.deepEqual(Object.keys(host.networkInterfaces()), ['lo'])
  await sender.send('without')
  host.readdress('eth0', ['10.0.9.9/16'])
  assert.equal(host.address, '10.0.9.9')
  await sender.send('with')
  await network.settled()
  assert.deepEqual(heard, ['without', 'with'])
  assert.throws(() => host.readdress('eth0', '10.0.0.1' as never), { code: 'ERR_MULTICAST_OPTION' })
})

test('sends fail as often as asked, those of every socket of the host', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const [one, other] = [speak(host), speak(host)]
  host.failSends('EHOSTUNREACH', 2)
  for (const sender of [one, other]) {
    await rejects(sender.send('x'), 'ERR_MULTICAST_SEND', {
      code: 'EHOSTUNREACH',
      syscall: 'send',
      address: '239.1.2.3',
      port: 10_000,
    })
  }
  assert.equal(await one.send('x'), 1)
  host.failSends('EPERM')
  for (let times = 0; times < 5; times += 1) await assert.rejects(one.send('x'))
  host.failSends('EPERM', 0)
  assert.equal(await one.send('x'), 1)
  assert.equal(network.journal.length, 2)
  assert.equal(await speak(network.host()).send('x'), 1)
  for (const code of ['ENOSUCH', 5]) {
    assert.throws(() => host.failSends(code as string), { code: 'ERR_MULTICAST_OPTION' })
  }
  assert.throws(() => host.failSends('EPERM', -1), { code: 'ERR_MULTICAST_OPTION' })
})

test('a host without interfaces has no route', async () => {
  const network = new MockNetwork()
  const host = network.host({ interfaces: {} })
  await rejects(speak(host).send('x'), 'ERR_MULTICAST_SEND', { code: 'ENETUNREACH' })
  const lone = keep(
    new MulticastReceiver({ group: '239.1.2.3', port: 1, interfaces: 'default', ...host }),
  )
  await rejects(lone.ready(), 'ERR_MULTICAST_JOIN', { code: 'ENODEV' })
  const { heard } = await listen(host)
  await speak(host, { interfaces: 'lo' }).send('to itself')
  await network.settled()
  assert.deepEqual(heard, ['to itself'])
})

test('the default route moves to the next interface that is up', async () => {
  const network = new MockNetwork()
  const host = network.host({ interfaces: { a: 'one', b: 'two' } })
  const ears = await Promise.all(
    ['one', 'two'].map((segment) => listen(network.host({ interfaces: { eth0: segment } }))),
  )
  const sender = speak(host)
  await sender.send('a')
  host.down('a')
  await sender.send('b')
  await network.settled()
  assert.deepEqual(
    ears.map(({ heard }) => heard),
    [['a'], ['b']],
  )
})

test('the loopback interface can be taken down, and not be removed', () => {
  const host = new MockNetwork().host()
  assert.throws(() => host.remove('lo'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /'lo' is the loopback interface/,
  })
  host.down('lo')
  assert.deepEqual(Object.keys(host.networkInterfaces()), ['eth0'])
})
