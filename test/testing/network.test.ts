import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { MulticastReceiver, MulticastSender } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { listen, speak } from './endpoints.js'

/** The addresses of a host's interface, with their prefix lengths. */
function addressesOf(host: ReturnType<MockNetwork['host']>, name = 'eth0') {
  return host.networkInterfaces()[name]?.map(({ cidr }) => cidr)
}

test('hosts hear each other and reply', async () => {
  const network = new MockNetwork()
  const [near, far, other] = [network.host(), network.host(), network.host()]
  const { receiver, heard } = await listen(far)
  const { heard: heardToo } = await listen(other)
  receiver.on('message', (message, remote) => receiver.reply(`${message} yourself`, remote))
  const sender = speak(near)

  const replies: string[] = []
  for await (const { message, remote } of sender.request('hello', { limit: 1 })) {
    replies.push(`${message} from ${remote.address} port ${remote.port}`)
  }

  assert.deepEqual(replies, ['hello yourself from 10.0.0.2 port 10000'])
  assert.deepEqual([heard, heardToo], [['hello'], ['hello']])
})

test('networks do not see each other', async () => {
  const [one, other] = [new MockNetwork(), new MockNetwork()]
  const [here, there] = [await listen(one.host()), await listen(other.host())]
  await speak(one.host()).send('one')
  await Promise.all([one.settled(), other.settled()])
  assert.deepEqual([here.heard, there.heard], [['one'], []])
  assert.deepEqual([one.journal.length, other.journal.length], [1, 0])
})

test('each interface has addresses of its own, in the network of its segment', () => {
  const network = new MockNetwork()
  const first = network.host()
  const second = network.host({ interfaces: { a: 'lan', b: 'dmz', c: {} } })
  assert.deepEqual(addressesOf(first), ['10.0.0.1/16', 'fd00::1/64', 'fe80::1/64'])
  assert.deepEqual(addressesOf(second, 'a'), ['10.0.0.2/16', 'fd00::2/64', 'fe80::2/64'])
  assert.deepEqual(addressesOf(second, 'b'), ['10.1.0.1/16', 'fd00:1::1/64', 'fe80::1/64'])
  assert.deepEqual(addressesOf(second, 'c'), ['10.0.0.3/16', 'fd00::3/64', 'fe80::3/64'])
  const many = Array.from({ length: 300 }, () => network.host())
  assert.equal(new Set(many.map((host) => host.address)).size, 300)
  assert.equal(
    network.host({ interfaces: { eth0: { addresses: ['fe80::9'] } } }).address,
    'fe80::9',
  )
  assert.throws(() => network.host({ interfaces: {} }).address, { code: 'ERR_MULTICAST_INTERFACE' })
  const segments = Array.from({ length: 254 }, (_, at) => [`eth${at}`, `segment ${at}`])
  assert.throws(() => network.host({ interfaces: Object.fromEntries([...segments, ['x', 'y']]) }), {
    message: /256 segments/,
  })
})

test('segments are apart until a router connects them', async () => {
  const network = new MockNetwork()
  const { heard } = await listen(network.host({ interfaces: { eth0: 'far' } }))
  const sender = speak(network.host({ interfaces: { eth0: 'near' } }), { ttl: 9 })
  await sender.send('before')
  network.router('near', 'far')
  await sender.send('after')
  await network.settled()
  assert.deepEqual(heard, ['after'])
  const outcomes = network.journal.map(({ deliveries }) => deliveries.map((one) => one.outcome))
  assert.deepEqual(outcomes, [
    ['port', 'unreachable'],
    ['port', 'delivered'],
  ])
})

test('each router on the way takes one of the TTL', async () => {
  const network = new MockNetwork()
  const hosts = ['a', 'b', 'c', 'd'].map((segment) =>
    network.host({ name: segment, interfaces: { eth0: segment } }),
  )
  network.router('a', 'b')
  network.router('b', 'c', 'd')
  const ears = await Promise.all(hosts.map((host) => listen(host)))
  const seen: string[] = []
  network.setFaults({ rule: ({ to, ttl }) => void seen.push(`${to.host} ${ttl}`) })
  for (const ttl of [1, 2, 3]) {
    await speak(hosts[0] as (typeof hosts)[0], { ttl }).send(`TTL ${ttl}`)
  }
  await network.settled()
  assert.deepEqual(
    ears.map(({ heard }) => heard.length),
    [3, 2, 1, 1],
  )
  assert.deepEqual(seen, ['a 1', 'a 2', 'b 1', 'a 3', 'b 2', 'c 1', 'd 1'])
})

test('what a host sends to itself crosses no router', async () => {
  const seen: string[] = []
  const network = new MockNetwork({
    rule: ({ to, ttl }) => void seen.push(`${to.host} ${to.address} ${ttl}`),
  })
  const host = network.host()
  const socket = host.createSocket({ type: 'udp4', lookup }).bind(9)
  for (const to of ['10.0.0.1', '127.0.0.1', '239.1.2.3']) socket.send('x', 9, to)
  socket.setMulticastInterface('127.0.0.1')
  socket.send('x', 9, '239.1.2.3')
  await network.settled()
  assert.deepEqual(seen, [
    ...['host1 10.0.0.1 64', 'host1 127.0.0.1 64', 'host1 239.1.2.3 1', 'host1 239.1.2.3 1'],
  ])
  await network.close()
})

test('a loop of routers delivers once', async () => {
  const network = new MockNetwork()
  network.router('a', 'b')
  network.router('b', 'c')
  network.router('c', 'a')
  const { heard } = await listen(network.host({ interfaces: { eth0: 'c' } }))
  await speak(network.host({ interfaces: { eth0: 'a' } }), { ttl: 255 }).send('once')
  await network.settled()
  assert.deepEqual(heard, ['once'])
})

test('a reply finds its way through a router', async () => {
  const network = new MockNetwork()
  network.router('near', 'far')
  const { receiver } = await listen(network.host({ interfaces: { eth0: 'far' } }))
  receiver.on('message', (_message, remote) => receiver.reply(remote.address, remote))
  const sender = speak(network.host({ interfaces: { eth0: 'near' } }), { ttl: 2 })
  for await (const { message, remote } of sender.request('hello', { limit: 1 })) {
    assert.deepEqual([message, remote.address], ['10.1.0.1', '10.0.0.1'])
  }
})

test('a neighbour is reached by an address of its that is on another of its interfaces', async () => {
  const network = new MockNetwork()
  const elsewhere = { segment: 'dmz', addresses: ['10.0.0.99/32', 'fd00::99/128'] }
  const speaker = network.host().createSocket({ type: 'udp4', lookup })
  const interfaces = { eth0: 'lan', eth1: elsewhere }
  const hosts = [network.host(), network.host({ interfaces }), network.host({ interfaces })]
  const heard: string[] = []
  for (const host of hosts) {
    const socket = host.createSocket({ type: 'udp4', lookup }).bind(9)
    socket.on('message', (data) => heard.push(`${host.name} ${data}`))
  }
  const say = async (text: string): Promise<void> => {
    speaker.send(text, 9, '10.0.0.99')
    await network.settled()
  }
  await say('hello')
  hosts[1]?.down('eth0')
  await say('are you there')
  hosts[2]?.down('eth0')
  await say('is anybody')
  assert.deepEqual(heard, ['host3 hello', 'host4 are you there'])
  assert.deepEqual(network.journal.at(-1)?.deliveries, [])
  await network.close()
})

test('the journal says why somebody beyond a router who has an address of this subnet is not reached', async () => {
  const network = new MockNetwork()
  network.router('near', 'far')
  const near = network.host({
    interfaces: { eth0: { segment: 'near', addresses: ['fd00::1/64', 'fe80::1/64'] } },
  })
  const far = network.host({
    interfaces: {
      eth0: { segment: 'far', addresses: ['fd00::9/128', 'fe80::9/64', 'fd09::9/64'] },
    },
  })
  far.createSocket({ type: 'udp6', lookup }).bind(9)
  const speaker = near.createSocket({ type: 'udp6', lookup })
  for (const address of ['fd00::9', 'fe80::9%eth0', 'fd09::9']) speaker.send('hello', 9, address)
  await network.settled()
  const outcomes = network.journal.map(({ deliveries }) => deliveries.map(({ outcome }) => outcome))
  assert.deepEqual(outcomes, [['unreachable'], ['scope'], ['delivered']])
  await network.close()
})

test('a broadcast is heard by those whose subnet it names', async () => {
  const network = new MockNetwork()
  const on = (...addresses: string[]) => network.host({ interfaces: { eth0: { addresses } } })
  const speaker = on('10.0.0.1/24').createSocket({ type: 'udp4', lookup }).bind(9)
  speaker.setBroadcast(true)
  const heard: string[] = []
  for (const host of [on('10.0.0.2/24'), on('10.0.0.3/16'), on('10.0.7.4/24', '10.0.0.4/24')]) {
    const socket = host.createSocket({ type: 'udp4', lookup }).bind(9)
    socket.on('message', () => heard.push(host.name))
  }
  speaker.send('hello', 9, '10.0.0.255')
  await network.settled()
  assert.deepEqual(heard, ['host2', 'host4'])
  await network.close()
})

test('a partition parts hosts until it is healed, and another takes its place', async () => {
  const network = new MockNetwork()
  const [a, b, c, d] = [network.host(), network.host(), network.host(), network.host()]
  const ears = [await listen(b), await listen(c), await listen(d)]
  const sender = speak(a)
  const cuts = [
    () => network.partition([a, b], [c]),
    () => network.partition([a], [b]),
    () => network.heal(),
  ]
  for (const [at, cut] of cuts.entries()) {
    cut()
    await sender.send(`${at}`)
  }
  await network.settled()
  assert.deepEqual(
    ears.map(({ heard }) => heard.join('')),
    ['02', '12', '012'],
  )
})

test('a partition cuts replies too', async () => {
  const network = new MockNetwork()
  const [a, b] = [network.host({ name: 'a' }), network.host({ name: 'b' })]
  const { receiver } = await listen(b)
  const sender = speak(a)
  const heard: string[] = []
  sender.on('message', (message) => heard.push(message))
  receiver.on('message', (message, remote) => {
    network.partition([a], [b])
    receiver.reply(message, remote)
  })
  await sender.send('hello')
  await network.settled()
  assert.deepEqual(heard, [])
  assert.deepEqual(network.journal[1]?.deliveries, [
    { host: 'a', interface: 'eth0', socket: '0.0.0.0:32768', outcome: 'partition' },
  ])
})

test('each option takes its whole range, and nothing beyond it', () => {
  const shares = { right: [0, 0.5, 1], wrong: [-0.1, 1.1, Number.NaN, '0.5', true, null] }
  const durations = {
    right: [0, 0.5, 2 ** 31 - 1],
    wrong: [-0.1, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY, '5', true, null],
  }
  const most = Number.MAX_SAFE_INTEGER
  for (const [option, { right, wrong }] of Object.entries({
    ...{ loss: shares, duplication: shares, reordering: shares },
    ...{ latency: durations, jitter: durations },
    seed: { right: [0, -5, most, -most], wrong: [0.5, '1', most + 1, -most - 1, null] },
    journalLimit: { right: [0, 1, most], wrong: [-1, 0.5, '1', most + 1, null] },
    rule: { right: [() => undefined], wrong: [5, 'x', {}, null] },
    platform: {
      right: ['linux', 'darwin', 'win32'],
      wrong: ['bsd', 'toString', 5, null, '', ['linux']],
    },
  })) {
    for (const value of [undefined, ...right]) new MockNetwork({ [option]: value })
    for (const value of wrong) {
      const error = { code: 'ERR_MULTICAST_OPTION', message: new RegExp(`^${option} must be`) }
      assert.throws(() => new MockNetwork({ [option]: value }), error, `${option} ${value}`)
    }
  }
  const network = new MockNetwork()
  for (const name of ['', 'x', undefined]) network.host({ name })
  for (const options of [
    ...[{ name: 5 }, { name: null }, { interfaces: 'eth0' }, { interfaces: 5 }],
    ...[{ interfaces: null }, { interfaces: { eth0: null } }, { interfaces: { eth0: true } }],
    ...[{ interfaces: { eth0: { segment: '' } } }, { interfaces: { eth0: { segment: 5 } } }],
    ...[{ interfaces: { eth0: { addresses: '10.0.0.1' } } }, { platform: 'bsd' }],
    ...[{ interfaces: { eth0: { addresses: ['10.0.0.1/0'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['fd00::1/129'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['255.255.255.255'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['::'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['ff02::1'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['10.0.0.1/'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['/24'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['x10.0.0.1/24'] } } }],
    ...[{ interfaces: { eth0: { addresses: ['10.0.0.1/24x'] } } }],
    ...[{ interfaces: { eth0: { addresses: [['10.0.0.1']] } } }],
    ...[{ interfaces: { eth0: { addresses: [null] } } }],
  ]) {
    const error = { code: 'ERR_MULTICAST_OPTION' }
    assert.throws(() => network.host(options as never), error, JSON.stringify(options))
  }
  const host = network.host({ interfaces: { eth0: { addresses: ['10.0.0.1/32', 'fd00::1/128'] } } })
  assert.deepEqual(addressesOf(host), ['10.0.0.1/32', 'fd00::1/128'])
  for (const name of ['', 5, null]) {
    assert.throws(() => host.add(name as string), { code: 'ERR_MULTICAST_OPTION' })
  }
  for (const [code, count] of [
    ['NOPE'],
    [5],
    [undefined],
    ['EPERM', -1],
    ['EPERM', 0.5],
    ['EPERM', '1'],
    ['EPERM', Number.NaN],
    ['EPERM', most + 1],
  ] as const) {
    const call = () => host.failSends(code as string, count as number)
    assert.throws(call, { code: 'ERR_MULTICAST_OPTION' }, `${code} ${count}`)
  }
  assert.throws(() => host.failSends('EPERM', -1), { message: /^count must be/ })
  for (const count of [0, 1, most, Number.POSITIVE_INFINITY, undefined]) {
    host.failSends('EPERM', count)
  }
  assert.throws(() => network.router(5 as never, 'lan'), { code: 'ERR_MULTICAST_OPTION' })
  assert.throws(() => network.router('a', 'b', 'a'), { code: 'ERR_MULTICAST_OPTION' })
})

test('what a network or a host cannot be is refused, with what it can', () => {
  const network = new MockNetwork()
  const refused = [
    [() => new MockNetwork({ loss: 1.1 }), 'OPTION', /loss must be a number from 0 to 1.*1\.1/],
    [() => new MockNetwork({ seed: 0.5 }), 'OPTION', /seed must be an integer/],
    [() => new MockNetwork({ latency: -1 }), 'OPTION', /latency must be .*milliseconds.*-1/],
    [() => new MockNetwork({ lose: 1 } as never), 'UNKNOWN_OPTION', /did you mean 'loss'/],
    [() => new MockNetwork({ platform: 'bsd' as never }), 'OPTION', /'linux', 'darwin' or 'win32'/],
    [() => new MockNetwork({ rule: 5 as never }), 'OPTION', /rule must be a function/],
    [() => network.setFaults({ jitter: Number.NaN }), 'OPTION', /jitter/],
    [() => network.setFaults({ seed: 5 } as never), 'UNKNOWN_OPTION', /seed/],
    [
      () => network.host({ interfaces: ['eth0'] as never }),
      'OPTION',
      /interfaces must be an object/,
    ],
    [() => network.host({ names: 'x' } as never), 'UNKNOWN_OPTION', /did you mean 'name'/],
    [
      () => network.host({ interfaces: { eth0: { addresses: ['10.0.0.1/33'] } } }),
      'OPTION',
      /'10\.0\.0\.1\/33'/,
    ],
    [
      () => network.host({ interfaces: { eth0: { addresses: ['239.0.0.1'] } } }),
      'OPTION',
      /'239\.0\.0\.1'/,
    ],
    [() => network.host({ interfaces: { lo: 'lan' } }), 'OPTION', /'lo'/],
    [() => network.host({ interfaces: { '': 'lan' } }), 'OPTION', /must be a name/],
    [() => network.host({ interfaces: { eth0: '' } }), 'OPTION', /interfaces\.eth0 must be a name/],
    [
      () => network.host({ interfaces: { eth0: 'a', eth1: { addresses: '10.0.0.1' as never } } }),
      'OPTION',
      /list of addresses/,
    ],
    [() => network.host({ interfaces: { eth0: { addresses: ['fe80::1%eth0'] } } }), 'OPTION', /%/],
    [
      () => network.host({ interfaces: { eth0: { addresses: ['10.0.0.1/0x8'] } } }),
      'OPTION',
      /0x8/,
    ],
    [() => network.host({ interfaces: { eth0: { addresses: ['0.0.0.0'] } } }), 'OPTION', /0\.0/],
    [() => network.partition(network.host() as never), 'OPTION', /list of hosts/],
    [() => network.host({ interfaces: { eth0: 5 as never } }), 'OPTION', /eth0.*5/],
    [
      () => network.host({ interfaces: { eth0: { segments: 'lan' } as never } }),
      'UNKNOWN_OPTION',
      /did you mean 'segment'/,
    ],
    [
      () => network.partition([new MockNetwork().host()]),
      'OPTION',
      /of hosts of this network, but host1 of another one is not$/,
    ],
    [() => network.partition([5 as never]), 'OPTION', /of hosts of this network, but 5 is not$/],
    [() => network.host({ name: 'host1' }), 'OPTION', /^name must be .*no other host.*'host1'/],
    [() => network.router(...(['alone'] as unknown as [string, string])), 'OPTION', /two segments/],
    [() => network.router('lan', 'lan'), 'OPTION', /two segments/],
    [() => network.setFaults(5 as never), 'OPTION', /must be an object/],
  ] as const
  for (const [call, code, message] of refused) {
    assert.throws(call, { name: 'MulticastError', code: `ERR_MULTICAST_${code}`, message })
  }
  const host = network.host()
  assert.throws(() => network.partition([host], [host]), /host2 is in two parts/)
  // None of these was left in the network, nor took an address.
  assert.deepEqual([host.name, host.address], ['host2', '10.0.0.2'])
})

test('names of hosts are those that the journal tells', async () => {
  const network = new MockNetwork()
  assert.deepEqual(
    [network.host().name, network.host({ name: 'b' }).name, network.host().name],
    ['host1', 'b', 'host3'],
  )
})

test('closing a network closes all that is open on it, also what a failed test has left', async () => {
  const network = new MockNetwork({ latency: 60_000 })
  const events: string[] = []
  {
    await using closed = network
    const [here, there] = [closed.host(), closed.host()]
    const { receiver } = await listen(here)
    const sender = speak(there)
    receiver.on('close', () => events.push('receiver'))
    sender.on('close', () => events.push('sender'))
    here.createSocket({ type: 'udp4' }).on('close', () => events.push('unbound'))
    await sender.ready()
  }
  assert.deepEqual(events.sort(), ['receiver', 'sender', 'unbound'])
  await network.close()
})

test('a network that is closed while something opens on it lets go of that too', async () => {
  for (let ticks = 0; ticks < 4; ticks += 1) {
    const network = new MockNetwork()
    let closed = 0
    const close = (): void => {
      closed += 1
    }
    const where = { group: '239.1.2.3', port: 10_000 }
    const opening = [
      new MulticastReceiver({ ...where, ...network.host() }).on('close', close),
      new MulticastSender({ ...where, ...network.host() }).on('close', close),
    ]
    const ready = opening.map((endpoint) => endpoint.ready())
    for (let tick = 0; tick < ticks; tick += 1) await undefined
    await network.close()
    assert.equal(closed, 2)
    await Promise.allSettled(ready)
    // Each is gone: it can be closed, and holds nothing.
    await Promise.all(opening.map((endpoint) => endpoint.close()))
  }
})

test('closing gives up what is delayed', async () => {
  const network = new MockNetwork({ latency: 60_000 })
  const { heard } = await listen(network.host())
  await speak(network.host()).send('late')
  const settled = network.settled()
  await network.close()
  await settled
  assert.deepEqual(heard, [])
})

test('what closing leads to is closed and given up too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ latency: 10 })
  const { createSocket } = network.host()
  const open = (port: number) => createSocket({ type: 'udp4', lookup }).bind(port)
  const told: string[] = []
  let settled: Promise<void> | undefined
  const socket = open(9).on('message', () => told.push('heard'))
  socket.on('close', () => {
    const next = open(10).on('close', () => told.push('closed'))
    next.send('too late', 10)
    settled = network.settled()
  })
  socket.send('late', 9)
  const closed = network.close()
  t.mock.timers.tick(10)
  await closed
  assert.deepEqual(told, ['closed'])
  // Which it would not be while something is delayed.
  await settled
  // No timer is left that would bring it.
  t.mock.timers.tick(10)
  await network.settled()
  const outcomes = network.journal.flatMap(({ deliveries }) => deliveries.map((one) => one.outcome))
  assert.deepEqual(outcomes, ['in-flight', 'in-flight'])
})

test('closing ends, even where each socket that is closed leads to another', async () => {
  const network = new MockNetwork()
  const { createSocket } = network.host()
  let closed = 0
  const open = (): void => {
    createSocket('udp4').once('close', () => {
      closed += 1
      if (closed < 5) open()
    })
  }
  open()
  await network.close()
  assert.equal(closed, 2)
})

test('spread in place of a host, a network is refused', () => {
  const network = new MockNetwork()
  const where = { group: '239.1.2.3', port: 10_000 }
  for (const carrier of [network, network.host]) {
    assert.throws(() => new MulticastSender({ ...where, ...carrier }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message:
        /^There is no option 'host' here: spread network\.host\(\), not network\. The options/,
    })
  }
})
