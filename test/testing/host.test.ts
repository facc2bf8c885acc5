import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { MulticastReceiver } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { keep, listen, rejects, speak } from './endpoints.js'

test('what is spread of a host are its three functions', () => {
  const host = new MockNetwork().host()
  assert.deepEqual(Object.keys({ ...host }), [
    'createSocket',
    'networkInterfaces',
    'watchInterfaces',
  ])
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

test('its addresses have the order and the labels that Linux gives them', () => {
  const label = 'eth0:1'
  const host = new MockNetwork().host({
    interfaces: {
      eth0: { addresses: ['fd00::5', '10.0.0.5', '10.0.0.6', '10.1.0.5', '169.254.0.5/16'] },
      eth1: {
        addresses: [
          { address: '10.2.0.5', label },
          { address: '10.3.0.5', scope: 'link' },
        ],
      },
      eth2: { addresses: ['fd00::6', { address: '169.254.0.6/16', scope: 'global' }, '10.5.0.5'] },
      eth3: { addresses: [{ address: '10.6.0.5', label: 'eth3:1' }] },
      eth4: { addresses: [] },
    },
  })
  const { lo, ...others } = host.networkInterfaces()
  assert.deepEqual(
    Object.entries(others).map(([name, entries = []]) => [
      name,
      ...entries.map(({ address }) => address),
    ]),
    [
      ['eth0', '169.254.0.5', '10.0.0.5', '10.1.0.5', '10.0.0.6', 'fd00::5'],
      ['eth1', '10.3.0.5'],
      [label, '10.2.0.5'],
      ['eth2', '169.254.0.6', '10.5.0.5', 'fd00::6'],
      ['eth3:1', '10.6.0.5'],
    ],
  )
  assert.equal(host.address, '10.0.0.5')
  host.remove('eth0')
  assert.equal(host.address, '10.2.0.5')
  assert.deepEqual(lo?.[0]?.address, '127.0.0.1')
})

test('an interface is given as the name of its segment or as an object', () => {
  for (const given of [null, 5, undefined] as unknown as 'lan'[]) {
    assert.throws(() => new MockNetwork().host({ interfaces: { eth0: given } }), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^interfaces\.eth0 must be the name of a segment, or an object with segment and/,
    })
  }
})

test('what an address is given with is checked', () => {
  const host = new MockNetwork().host()
  for (const [address, message] of [
    [{ address: '10.0.0.1/24', label: '' }, /label must be a name such as 'eth0:1', but is ''/],
    [{ address: '10.0.0.1/24', label: 5 }, /label must be a name/],
    [{ address: '10.0.0.1/24', scope: 'host' }, /scope must be 'global' or 'link', but is 'host'/],
    [{ address: 'fd00::1', label: 'a:1' }, /must be of IPv4 where it has a label or a scope/],
    [{ address: 'fd00::1', scope: 'link' }, /must be of IPv4/],
    [{ address: 5 }, /address must be a string, but is 5/],
    [
      { address: '10.0.0.1/33' },
      /must be one such as '10\.0\.0\.1\/24' .* but is '10\.0\.0\.1\/33'/,
    ],
    [{}, /address must be a string, but is undefined/],
  ] as const) {
    const addresses = [address as { address: string }]
    const error = { code: 'ERR_MULTICAST_OPTION', message }
    assert.throws(() => host.readdress('eth0', addresses), error)
    assert.throws(() => host.add('eth1', { addresses }), error)
  }
  const addresses = [{ address: '10.0.0.1/24', lable: 'eth0:1' }]
  assert.throws(() => host.readdress('eth0', addresses), { code: 'ERR_MULTICAST_UNKNOWN_OPTION' })
  assert.equal(host.networkInterfaces().eth0?.[0]?.address, '10.0.0.1')
  assert.deepEqual(Object.keys(host.networkInterfaces()), ['lo', 'eth0'])
})

test('of an address of two interfaces readdress() keeps who got it last', async () => {
  const network = new MockNetwork()
  const host = network.host({
    interfaces: { a: { addresses: ['10.0.5.1/32'] }, b: { addresses: ['10.0.5.1/32'] } },
  })
  const interfaceOf = async (): Promise<string | undefined> => {
    await keep(speak(host, { interfaces: '10.0.5.1' })).send('x')
    return network.journal.at(-1)?.interface
  }
  assert.equal(await interfaceOf(), 'b')
  host.readdress('a', ['10.0.5.1/32', '10.0.6.1/24'])
  assert.equal(await interfaceOf(), 'b')
  host.readdress('a', ['10.0.6.1/24'])
  host.readdress('a', ['10.0.5.1/32', '10.0.6.1/24'])
  assert.equal(await interfaceOf(), 'a')
})

test('all of an IPv4 subnet of lo is its own, of an IPv6 subnet the address alone', async () => {
  const network = new MockNetwork()
  const host = network.host()
  host.readdress('lo', ['127.0.0.1/8', '10.9.9.1/24', '::1/128', 'fd09::1/64'])
  const told: string[] = []
  for (const [type, address] of [
    ['udp4', '127.0.0.9'],
    ['udp4', '10.9.9.7'],
    ['udp4', '10.9.8.7'],
    ['udp6', 'fd09::1'],
    ['udp6', 'fd09::7'],
  ] as const) {
    const socket = host.createSocket({ type, lookup })
    socket.on('error', ({ message }) => told.push(message))
    socket.bind(9, address, () => told.push(address))
  }
  assert.deepEqual(told, [
    ...['127.0.0.9', '10.9.9.7', 'bind EADDRNOTAVAIL 10.9.8.7:9'],
    ...['fd09::1', 'bind EADDRNOTAVAIL fd09::7:9'],
  ])
  await network.close()
})

test('its address is its first of IPv4, on whichever interface', () => {
  const eth0 = { addresses: ['fd00::9'] }
  const eth1 = { addresses: ['10.0.9.9/16', '10.0.9.10/16'] }
  assert.equal(new MockNetwork().host({ interfaces: { eth0, eth1 } }).address, '10.0.9.9')
})

test('who no longer watches the interfaces is told nothing', () => {
  const host = new MockNetwork().host()
  const told: string[] = []
  const stop = host.watchInterfaces(() => told.push('one'))
  host.watchInterfaces(() => told.push('other'))
  host.down('eth0')
  stop()
  host.up('eth0')
  assert.deepEqual(told, ['one', 'other', 'other'])
})

test('an interface that comes back has the addresses that it had last', () => {
  const host = new MockNetwork().host()
  const listed = () => host.networkInterfaces().eth0?.map(({ cidr }) => cidr)
  const addresses = ['10.0.77.1/16']
  host.readdress('eth0', addresses)
  addresses.push('10.0.77.2/16')
  host.remove('eth0')
  host.add('eth0')
  assert.deepEqual(listed(), ['10.0.77.1/16'])
})

test('where all addresses have link scope the first of them is sent from', async () => {
  const network = new MockNetwork()
  const addresses = ['169.254.7.1/16', '169.254.7.2/16']
  await keep(speak(network.host({ interfaces: { eth0: { addresses } } }))).send('x')
  assert.match(network.journal[0]?.from ?? '', /^169\.254\.7\.1:/)
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

test('a socket in the zone of an interface that is gone can no longer tell its address', async () => {
  const network = new MockNetwork()
  const host = network.host({ interfaces: { eth0: { addresses: ['fe80::5'] } } })
  const socket = host.createSocket({ type: 'udp6', lookup }).bind(9, 'fe80::5%eth0')
  assert.equal(socket.address().address, 'fe80::5%eth0')
  host.remove('eth0')
  const message = 'ENXIO: no such device or address, uv_if_indextoiid'
  assert.throws(() => socket.address(), { code: 'ENXIO', syscall: 'uv_if_indextoiid', message })
  await network.close()
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
  const { heard, receiver } = await listen(host, { followInterfaces: false })
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
    message: /through eth0: .* \(eth0 is down or gone, .*: sends go out again once it is back\)$/,
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
  assert.throws(() => host.add(''), {
    code: 'ERR_MULTICAST_OPTION',
    message: /^name must be a name/,
  })
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
  const message = /^addresses must be a list/
  assert.throws(() => host.readdress('eth0', '10.0.0.1' as never), { message })
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

test('the default route of a family is through an interface that has an address of it', async () => {
  const network = new MockNetwork()
  const a = { addresses: ['10.0.0.1/16'] }
  const host = network.host({ interfaces: { a, b: { addresses: ['fd00::1', 'fe80::1'] } } })
  for (const group of ['239.1.2.3', 'ff05::7']) await keep(speak(host, { group })).send('x')
  assert.deepEqual(
    network.journal.map((entry) => entry.interface),
    ['a', 'b'],
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
