import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { lookup } from '../../src/datagram.js'
import { type MockHost, MockNetwork, type Outcome } from '../../src/testing/index.js'
import { listen, speak } from './endpoints.js'

/** What became of the datagram at each socket that is on the host, the last datagram by default. */
function outcomes(network: MockNetwork, host: MockHost, at = -1): Outcome[] {
  const { deliveries = [] } = network.journal.at(at) ?? {}
  return deliveries.filter((one) => one.host === host.name).map(({ outcome }) => outcome)
}

test('an entry tells who sent what where, with what TTL', async () => {
  const network = new MockNetwork()
  const [alice, bob] = [network.host({ name: 'alice' }), network.host({ name: 'bob' })]
  await listen(bob)
  await speak(alice, { ttl: 4 }).send('hello')
  await network.settled()
  const [entry] = network.journal
  assert.ok(entry)
  assert.deepEqual(
    { ...entry },
    {
      host: 'alice',
      interface: 'eth0',
      from: '10.0.0.1:32768',
      to: '239.1.2.3:10000',
      ttl: 4,
      size: 5,
      text: 'hello',
      deliveries: [
        { host: 'alice', interface: 'eth0', socket: '0.0.0.0:32768', outcome: 'port' },
        { host: 'bob', interface: 'eth0', socket: '239.1.2.3:10000', outcome: 'delivered' },
      ],
    },
  )
  assert.deepEqual(entry.data, Buffer.from('hello'))
  // What is given away is a copy.
  entry.data.fill(0)
  assert.deepEqual(entry.data, Buffer.from('hello'))
})

test('it prints as one line, and one for each socket of the port', async () => {
  const network = new MockNetwork()
  const [alice, bob] = [network.host({ name: 'alice' }), network.host({ name: 'bob' })]
  await listen(bob)
  await listen(bob, { sources: ['10.0.0.9'] })
  await speak(alice).send('tab\t, líne\n and 群發')
  await speak(alice, { group: 'ff02::7' }).send('')
  await network.settled()
  const lines = [
    'alice eth0 10.0.0.1:32768 -> 239.1.2.3:10000 ttl 1, 23 bytes: tab\\t, líne\\n and 群發',
    '    bob eth0 239.1.2.3:10000 source',
    '    bob eth0 239.1.2.3:10000 delivered',
    'alice eth0 [fe80::1]:32769 -> [ff02::7]:10000 ttl 1, 0 bytes: ',
    '    no socket of that port on any host that it could reach',
  ]
  assert.equal(network.journal.join('\n'), lines.join('\n'))
  assert.ok(inspect(network.journal).includes('bob eth0 239.1.2.3:10000 delivered'))
})

test('a socket is shown with the zone that it is bound to', async () => {
  const network = new MockNetwork()
  const host = network.host()
  const socket = host.createSocket({ type: 'udp6', lookup }).bind(9, 'ff02::7%eth0')
  socket.send('x', 9, 'ff02::7%eth0')
  const deliveries = network.journal[0]?.deliveries.map(({ socket }) => socket)
  assert.deepEqual(deliveries, ['[ff02::7%eth0]:9'])
  await network.close()
})

test('data that is no text is shown in hexadecimal digits, and long data cut off', async () => {
  const network = new MockNetwork()
  const socket = network.host().createSocket({ type: 'udp4', lookup })
  for (const data of [
    Buffer.from([0, 1, 255]),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('\u001b[31mred'),
    Buffer.alloc(60_000, 'x'),
    Buffer.alloc(60_000, 255),
    Buffer.alloc(200, 'x'),
    Buffer.alloc(201, 'x'),
  ]) {
    socket.send(data, 10_000, '239.1.2.3')
  }
  const [a, b, c, long, binary, whole, longer] = network.journal.map(({ text }) => text)
  assert.deepEqual([a, b, c], ['0001ff', 'c328', '1b5b33316d726564'])
  assert.equal(long, `${'x'.repeat(200)}…`)
  assert.equal(binary, `${'f'.repeat(200)}…`)
  assert.deepEqual([whole, longer], ['x'.repeat(200), long])
  socket.close()
  await network.settled()
})

test('a connected socket does not hear others, and the journal tells that', async () => {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host()
  const socket = host.createSocket({ type: 'udp4', lookup })
  socket.bind(10_000, '239.1.2.3')
  socket.addMembership('239.1.2.3')
  socket.connect(10_000, '239.1.2.3')
  await speak(network.host()).send('hello')
  await network.settled()
  assert.deepEqual(outcomes(network, host), ['connected'])
  socket.close()
})

test('each reason why a socket does not hear', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ platform: 'linux' })
  network.router('lan', 'behind')
  const sender = network.host()
  const speaker = speak(sender, { loopback: false })
  const make = async (expected: Outcome, options = {}, prepare?: (host: MockHost) => unknown) => {
    const host = network.host()
    const { receiver } = await listen(host, options)
    await prepare?.(host)
    return { host, receiver, expected }
  }
  const behind = network.host({ interfaces: { eth0: 'behind' } })
  const island = network.host({ interfaces: { eth0: 'island' } })
  await listen(behind)
  await listen(island)
  await listen(sender)
  const cases = [
    await make('delivered'),
    await make('port', { port: 10_001 }),
    await make('address', { group: '239.1.2.4' }),
    await make('source', { sources: ['10.0.0.99'] }),
    await make('interface-down', {}, (host) => host.down('eth0')),
    await make('partition', {}, (host) => network.partition([sender], [host])),
  ]
  const left = await make('not-joined')
  await left.receiver.leave()
  await speaker.send('hello')
  await network.settled()
  for (const { host, expected } of [...cases, left]) {
    assert.deepEqual(outcomes(network, host), [expected])
  }
  assert.deepEqual(outcomes(network, behind), ['ttl'])
  assert.deepEqual(outcomes(network, island), ['unreachable'])
  // Its own port is another.
  assert.deepEqual(outcomes(network, sender), ['loopback-off', 'port'])

  const { host } = cases[0] ?? assert.fail()
  network.setFaults({ loss: 1 })
  await speaker.send('lost')
  assert.deepEqual(outcomes(network, host), ['loss'])
  network.setFaults({ loss: 0, rule: () => ({ lost: true }) })
  await speaker.send('ruled out')
  assert.deepEqual(outcomes(network, host), ['rule'])
  network.setFaults({ rule: () => ({ copies: 0 }) })
  await speaker.send('none')
  assert.deepEqual(outcomes(network, host), ['rule'])
  network.setFaults({ rule: () => ({ copies: 2 }) })
  await speaker.send('twice')
  await network.settled()
  assert.deepEqual(outcomes(network, host), ['delivered', 'delivered'])
  network.setFaults({ rule: () => undefined, latency: 10 })
  await speaker.send('late')
  assert.deepEqual(outcomes(network, host), ['in-flight'])
  assert.match(`${network.journal.at(-1)}`, / in-flight$/m)
  t.mock.timers.tick(10)
  assert.deepEqual(outcomes(network, host), ['in-flight'])
  await network.settled()
  assert.deepEqual(outcomes(network, host), ['delivered'])
})

test('a link-local group stays behind no router, whatever its TTL', async () => {
  const network = new MockNetwork()
  network.router('lan', 'behind')
  const behind = network.host({ interfaces: { eth0: 'behind' } })
  for (const group of ['224.0.0.200', 'ff02::7']) {
    await listen(behind, { group, interfaces: ['eth0'] })
    await speak(network.host(), { group, ttl: 9 }).send('hello')
    await network.settled()
    assert.deepEqual(new Set(outcomes(network, behind)), new Set(['scope']))
  }
})

test('a zone that is another is an interface that is another', async () => {
  const network = new MockNetwork()
  const host = network.host({ interfaces: { a: 'lan', b: 'other' } })
  await listen(host, { group: 'ff02::7%a', bindAddress: 'group' })
  await speak(network.host({ interfaces: { eth0: 'other' } }), { group: 'ff02::7' }).send('hello')
  await network.settled()
  assert.deepEqual(outcomes(network, host), ['interface'])
})

test('a full receive buffer, and a socket that is closed before it is read', async () => {
  const network = new MockNetwork()
  const [host, other] = [network.host(), network.host()]
  const { heard, receiver } = await listen(host, { recvBufferSize: 1152 })
  const socket = other.createSocket({ type: 'udp4', lookup })
  for (let at = 0; at < 4; at += 1) socket.send(Buffer.from(`${at}`), 10_000, '239.1.2.3')
  assert.deepEqual(
    [0, 1, 2, 3].map((at) => outcomes(network, host, at)),
    [['in-flight'], ['in-flight'], ['queue-full'], ['queue-full']],
  )
  await network.settled()
  assert.deepEqual(heard, ['0', '1'])
  socket.send(Buffer.from('unread'), 10_000, '239.1.2.3')
  // A raw socket closes at once.
  const raw = host.createSocket({ type: 'udp4', lookup })
  raw.bind({ port: 9 })
  socket.send(Buffer.from('to the raw one'), 9, '10.0.0.1')
  raw.close()
  assert.deepEqual(outcomes(network, host), ['closed', 'port'])
  await receiver.close()
  socket.close()
  await network.settled()
})

test('the journal keeps the last entries, up to its limit', async () => {
  const network = new MockNetwork({ journalLimit: 3 })
  const sender = speak(network.host())
  for (let at = 0; at < 10; at += 1) {
    await sender.send(`${at}`)
    const texts = network.journal.map(({ text }) => Number(text))
    assert.deepEqual(
      texts,
      [at - 2, at - 1, at].filter((one) => one >= 0),
    )
  }
  const many = new MockNetwork()
  const socket = many.host().createSocket({ type: 'udp4', lookup })
  for (let at = 0; at < 10_001; at += 1) socket.send(`${at}`, 9, '239.1.2.3')
  assert.deepEqual([many.journal.length, many.journal[0]?.text], [10_000, '1'])
  await many.close()
  const none = new MockNetwork({ journalLimit: 0 })
  const { heard } = await listen(none.host())
  await speak(none.host()).send('hello')
  await none.settled()
  assert.deepEqual([heard, none.journal], [['hello'], []])
})

test('what is not expected is told, all of it and nothing else', async () => {
  const network = new MockNetwork()
  network.assertNothingUnexpected()
  const [alice, bob] = [network.host({ name: 'alice' }), network.host({ name: 'bob' })]
  const { receiver } = await listen(bob)
  receiver.on('message', (message, remote) => receiver.reply(`re ${message}`, remote))
  await speak(alice).send('hello')
  await network.settled()
  network.assertNothingUnexpected({ host: 'alice', text: 'hello' }, { host: 'bob' })
  network.assertNothingUnexpected({ to: '239.1.2.3:10000' }, (entry) => entry.text === 're hello')
  network.assertNothingUnexpected({})
  network.assertNothingUnexpected({ host: 'alice', text: undefined } as never, { ttl: 64 })
  for (const [expected, message] of [
    [[], /^2 of 2 datagrams were not expected:\nalice eth0 .*hello\n.*bob .*delivered\nbob /s],
    [[{ host: 'alice', text: 'hi' }], /^2 of 2/],
    [
      [{ host: 'alice' }],
      /^1 of 2 datagrams were not expected:\nbob eth0 .*re hello\n.*delivered\nexpected: { host: 'alice' }$/,
    ],
    [[() => false], /^2 of 2/],
  ] as const) {
    assert.throws(() => network.assertNothingUnexpected(...expected), {
      name: 'AssertionError',
      code: 'ERR_ASSERTION',
      message,
    })
  }
  const mistaken = { hosts: 'alice' } as never
  assert.throws(() => network.assertNothingUnexpected(mistaken), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
    message: /did you mean 'host'/,
  })
})

test('a complaint shows twenty entries at most', async () => {
  const network = new MockNetwork()
  const sender = speak(network.host())
  for (let at = 0; at < 23; at += 1) await sender.send(`${at}`)
  assert.throws(() => network.assertNothingUnexpected({ text: '0' }), {
    message: /^22 of 23.* 20\n[^\n]*\nand 2 more\nexpected: { text: '0' }$/s,
  })
  const some = Array.from({ length: 3 }, (_, at) => ({ text: `${at}` }))
  assert.throws(() => network.assertNothingUnexpected(...some), {
    message: /^20 of 23[^$]* 22\n[^\n]*\nexpected: { text: '0' }, { text: '1' }, { text: '2' }$/,
  })
})

test('what was expected is told in one line, also that it was nothing', async () => {
  const network = new MockNetwork()
  await speak(network.host()).send('hello')
  assert.throws(() => network.assertNothingUnexpected(), { message: /\nexpected: none$/ })
  const text = 'a text that is far too long for what was sent to have been it'
  assert.throws(() => network.assertNothingUnexpected({ host: 'a host of that name', text }), {
    message: new RegExp(`\nexpected: { host: 'a host of that name', text: '${text}' }$`),
  })
})

test('what the journal has forgotten is freed', async () => {
  const network = new MockNetwork({ journalLimit: 2 })
  const socket = network.host().createSocket({ type: 'udp4', lookup })
  const send = () => socket.send('x', 9, '239.1.2.3')
  send()
  const first = new WeakRef(network.journal[0] as object)
  for (let count = 0; count < 10; count += 1) send()
  await network.settled()
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  assert.equal(first.deref(), undefined)
  await network.close()
})

test('the last entry that is kept is spoken of', async () => {
  const network = new MockNetwork({ journalLimit: 1 })
  await speak(network.host()).send('x')
  network.assertNothingUnexpected({})
})

test('nothing is said of what the journal has forgotten', async () => {
  for (const [journalLimit, sent] of [
    [0, 2],
    [1, 2],
    [1, 3],
  ] as const) {
    const network = new MockNetwork({ journalLimit })
    const sender = speak(network.host())
    for (let at = 0; at < sent; at += 1) await sender.send(`${at}`)
    assert.throws(() => network.assertNothingUnexpected({}), {
      name: 'AssertionError',
      message: /journalLimit/,
    })
  }
})
