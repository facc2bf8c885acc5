/** What is sent through, on the network in memory: which sockets are opened, what they are set to, what is told. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import {
  type CreateSocket,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  type PeerOptions,
  type SenderOptions,
} from '../../src/index.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'
import { Looks } from '../looks.js'
import { timesTold } from '../told.js'
import { keep } from './endpoints.js'
import { traps } from './traps.js'

const group = '239.1.2.3'
const port = 10_000
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const turns = async (): Promise<void> => {
  for (let count = 0; count < 10; count += 1) await turn()
}

/** Without its port. */
const addressOf = (from: string): string => from.replace(/:\d+$/, '').replace(/[[\]]/g, '')

const plug = (at: number, own = 1) => ({
  segment: 'lan',
  addresses: [`10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${at}${own}/64`],
})

/** A host with the interfaces e1 and e2, and what its sockets do, which may be refused. */
function setup(t: TestContext, count = 2) {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host({
    interfaces: Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`e${at + 1}`, plug(at + 1)]),
    ),
  })
  const { createSocket, refusals, calls, open } = traps(host, { setMulticastInterface: '' })
  const has = timesTold(t)
  const own = { group, port, ...host, createSocket }
  const sender = (options: Partial<SenderOptions> = {}) =>
    keep(new MulticastSender({ ...own, ...options }))
  const peer = (options: Partial<PeerOptions> = {}) =>
    keep(new MulticastPeer({ ...own, bindAddress: 'group', ...options }))
  /** Through what a message goes out now, and from which addresses. */
  const went = async (endpoint: MulticastSender | MulticastPeer): Promise<string[]> => {
    const before = network.journal.length
    await endpoint.send('x')
    await turns()
    return network.journal
      .slice(before)
      .map((entry) => `${entry.interface} ${addressOf(entry.from)}`)
  }
  return { network, host, refusals, calls, has, sender, peer, went, open }
}

test('a datagram leaves by each interface that is named, in that order', async (t) => {
  const { sender, went, open, calls } = setup(t)
  for (const [options, ways] of [
    [{ interfaces: 'e2' }, ['e2 10.0.2.1']],
    [{ interfaces: ['e2', 'e1'] }, ['e2 10.0.2.1', 'e1 10.0.1.1']],
    [{ interfaces: ['e2', '10.0.2.1', 'e1'] }, ['e2 10.0.2.1', 'e1 10.0.1.1']],
    [
      { interfaces: ['e2', '10.0.2.1', 'e1'], followInterfaces: true },
      ['e2 10.0.2.1', 'e1 10.0.1.1'],
    ],
    [{ interfaces: 'all' }, ['e1 10.0.1.1', 'e2 10.0.2.1']],
    [{ interfaces: 'default' }, ['e1 10.0.1.1']],
  ] as const) {
    const one = await sender(options).ready()
    assert.deepEqual(await went(one), ways, JSON.stringify(options))
    assert.equal(open(), ways.length)
    const names =
      options.interfaces === 'default' ? ['default'] : ways.map((way) => way.split(' ')[0])
    assert.deepEqual(one.interfaces, names)
    await one.close()
    assert.deepEqual(one.interfaces, [])
  }
  // The route of the moment is none that is set.
  calls.splice(0)
  await sender({ interfaces: 'default' }).ready()
  assert.deepEqual(calls, [])
})

test('with a port of its own each of several is bound to its address, one alone to any', async (t) => {
  const { sender, went } = setup(t)
  for (const [options, address] of [
    [{ interfaces: ['e1', 'e2'], localPort: 5000 }, '10.0.1.1'],
    [{ interfaces: 'all', localPort: 5000 }, '10.0.1.1'],
    [{ interfaces: 'e1', localPort: 5000 }, '0.0.0.0'],
    [{ interfaces: ['e1', 'e2'] }, '0.0.0.0'],
    [{ interfaces: ['e1'], localPort: 5000, followInterfaces: true }, '0.0.0.0'],
    [{ interfaces: ['e1', 'e9'], localPort: 5000, followInterfaces: true }, '10.0.1.1'],
    [{ interfaces: 'e1', followInterfaces: false, localPort: 5000 }, '0.0.0.0'],
    [{ interfaces: ['e1', 'e2'], followInterfaces: false, localPort: 5000 }, '10.0.1.1'],
  ] as const) {
    const one = await sender(options).ready()
    assert.equal(one.address().address, address, JSON.stringify(options))
    assert.ok((await went(one)).length > 0)
    await one.close()
  }
})

for (const followInterfaces of [false, true]) {
  const how = followInterfaces ? 'followed' : 'not followed'

  test(`what is refused for good, ${how}, fails to open where it was named, and leaves no socket`, async (t) => {
    const { sender, peer, refusals, open, went, has } = setup(t)
    refusals['10.0.1.1'] = 'EPERM'
    for (const interfaces of ['e1', ['e2', 'e1']]) {
      for (const make of [sender, peer]) {
        await assert.rejects(make({ interfaces, followInterfaces }).ready(), (error: Error) => {
          const { code, message, cause } = error as Error & {
            code: string
            cause: { code: string }
          }
          assert.deepEqual([code, cause.code], ['ERR_MULTICAST_SOCKET', 'EPERM'])
          assert.match(
            message,
            /refused to send through e1, '10\.0\.1\.1': setMulticastInterface EPERM/,
          )
          return true
        })
        await turns()
        assert.equal(open(), 0)
      }
    }
    const before = has(/not sending through e1: .*EPERM/)
    const all = await sender({ interfaces: 'all', followInterfaces }).ready()
    assert.equal(open(), 1)
    assert.equal(has(/not sending through e1: .*EPERM/), before + 1)
    assert.deepEqual([await went(all), all.interfaces], [['e2 10.0.2.1'], ['e2']])
    refusals['10.0.2.1'] = 'EACCES'
    const none = sender({ interfaces: 'all', followInterfaces })
    await assert.rejects(none.ready(), { code: 'ERR_MULTICAST_SOCKET', message: /through e1, / })
  })

  test(`'all' of one interface, ${how}, is that`, async (t) => {
    const { sender } = setup(t, 1)
    assert.deepEqual((await sender({ interfaces: 'all', followInterfaces }).ready()).interfaces, [
      'e1',
    ])
  })

  test(`a host without an interface, ${how}`, async (t) => {
    const { sender, host, has } = setup(t, 0)
    host.down('lo')
    const all = sender({ interfaces: 'all', followInterfaces })
    if (followInterfaces) {
      await all.ready()
      assert.deepEqual(all.interfaces, [])
      assert.equal(has('not sending through all: there is no interface with an IPv4 address'), 1)
      return
    }
    await assert.rejects(all.ready(), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /There is no interface with an IPv4 address to send through/,
    })
  })
}

test("what is followed is sent through while it is there; of 'all' its socket closes, else it waits", async (t) => {
  const { sender, host, went, open, has } = setup(t)
  host.down('lo')
  const named = await sender({
    interfaces: ['e2', 'e1'],
    localPort: 5000,
    followInterfaces: true,
  }).ready()
  const all = await sender({ interfaces: 'all' }).ready()
  assert.equal(open(), 4)
  host.remove('e2')
  await turns()
  assert.equal(open(), 3)
  assert.deepEqual([named.interfaces, all.interfaces], [['e1'], ['e1']])
  assert.equal(has('not sending through e2 any more: it is gone'), 2)
  assert.deepEqual(await went(named), ['e1 10.0.1.1'])
  host.add('e2', plug(2))
  await turns()
  assert.equal(open(), 4)
  assert.deepEqual(
    [await went(named), await went(all)],
    [
      ['e2 10.0.2.1', 'e1 10.0.1.1'],
      ['e1 10.0.1.1', 'e2 10.0.2.1'],
    ],
  )
  assert.equal(named.address().port, 5000)
  host.remove('e1')
  host.remove('e2')
  await turns()
  assert.deepEqual([named.interfaces, all.interfaces, open()], [[], [], 2])
  assert.equal(has('not sending through all: there is no interface'), 1)
  // What waits keeps its port, and tells it; of 'all' nothing waits.
  assert.deepEqual(named.address(), { address: '10.0.2.1', family: 'IPv4', port: 5000 })
  assert.throws(() => all.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  for (const one of [named, all]) {
    await assert.rejects(one.send('x'), { code: 'ERR_MULTICAST_SEND' })
  }
  await named.close()
  await turns()
  assert.equal(open(), 0)
})

test('an address that changes, or moves, is seen to by the same socket, or another where it is bound', async (t) => {
  const { sender, peer, host, went, open, has } = setup(t)
  const free = await sender({ interfaces: 'e1', followInterfaces: true }).ready()
  const bound = await sender({
    interfaces: ['e1', 'e2'],
    localPort: 5000,
    followInterfaces: true,
  }).ready()
  const asked = { interfaces: '10.0.1.1', followInterfaces: true }
  const given = await sender(asked).ready()
  const others = [
    await sender({ ...asked, localPort: 5001 }).ready(),
    await sender({ ...asked, replies: false }).ready(),
    await peer({ ...asked, port: 1 }).ready(),
  ]
  const hearing = await peer({ interfaces: 'e1', followInterfaces: true }).ready()
  const before = open()
  const ports = [free, bound].map((one) => one.address().port)
  host.readdress('e1', plug(1, 7).addresses)
  await turns()
  assert.deepEqual(await went(free), ['e1 10.0.1.7'])
  assert.deepEqual(await went(bound), ['e1 10.0.1.7', 'e2 10.0.2.1'])
  assert.deepEqual(await went(hearing), ['e1 10.0.1.7'])
  assert.deepEqual(given.interfaces, [])
  assert.deepEqual(
    [free, bound].map((one) => one.address().port),
    ports,
  )
  assert.equal(bound.address().address, '10.0.1.7')
  assert.equal(has(`opening a socket on 0.0.0.0 port ${ports[0]}`), 0)
  host.readdress('e2', ['10.0.1.1/24'])
  await turns()
  for (const one of [given, ...others]) {
    assert.deepEqual([await went(one), one.interfaces], [['e2 10.0.1.1'], ['e2']])
  }
  assert.equal(open(), before)
})

for (const group of ['239.1.2.3', 'ff05::1:3', 'ff02::1:3']) {
  test(`of ${group}, what is followed goes on from what its interface has become`, async (t) => {
    const { sender, peer, host, open, has, network } = setup(t)
    const options = { group, followInterfaces: true }
    const endpoints = [
      await sender({ ...options, interfaces: 'e1' }).ready(),
      await sender({ ...options, interfaces: 'e1', localPort: 5000 }).ready(),
      await sender({ ...options, interfaces: ['e1', 'e2'], localPort: 5001 }).ready(),
      await sender({ ...options, interfaces: 'e1', replies: false }).ready(),
      await sender({ ...options, interfaces: 'e1', replies: false, localPort: 5002 }).ready(),
      await peer({ ...options, interfaces: 'e1' }).ready(),
      await peer({ ...options, interfaces: 'e1', reuseAddr: false, port: 1 }).ready(),
    ]
    const before = open()
    let toldBefore = 0
    /** What each sends from through e1, and whether DEBUG has told of it anew. */
    const check = async (own: number, isTold = true): Promise<void> => {
      await turns()
      const lines = has(/sending through e1 from /)
      for (const [at, endpoint] of endpoints.entries()) {
        const { length } = network.journal
        await endpoint.send('x')
        const on = network.journal.slice(length).filter((entry) => entry.interface === 'e1')
        assert.equal(on.length, 1)
        assert.match(addressOf(on[0]?.from ?? ''), new RegExp(`${own}(%e1)?$`), `${at}`)
      }
      assert.equal(has(/sending through e1 from /), lines, 'no send had to heal')
      assert.equal(open(), before)
      assert.equal(lines > toldBefore, isTold)
      toldBefore = lines
    }
    await check(1)
    // Another one changes nothing.
    host.add('e3', plug(3))
    await check(1, false)
    host.readdress('e1', plug(1, 7).addresses)
    await check(7)
    host.remove('e1')
    host.add('e1', plug(1, 8))
    await check(8)
    // Made anew as it was: over IPv6 it has another number.
    host.remove('e1')
    host.add('e1', plug(1, 8))
    await check(8, group.includes(':'))
    // Away and back, as another and as it was.
    for (const own of [9, 9, 10]) {
      host.down('e1')
      await turns()
      host.readdress('e1', plug(1, own).addresses)
      host.up('e1')
      await check(own)
    }
    if (group === 'ff02::1:3') assert.ok(has('to ff02::1:3%e1 port 10000 by e1') > 0)
  })

  test(`of ${group}, what is not followed heals by the send that was refused`, async (t) => {
    const { sender, host, open, network, has } = setup(t)
    const options = { group, followInterfaces: false }
    const senders = [
      await sender({ ...options, interfaces: 'e1' }).ready(),
      await sender({ ...options, interfaces: ['e1', 'e2'], localPort: 5000 }).ready(),
      await sender({ ...options, interfaces: 'e1', replies: false }).ready(),
    ]
    const before = open()
    host.remove('e1')
    for (const one of senders) {
      if (one.interfaces.length > 1) continue
      await assert.rejects(one.send('x'), {
        code: 'ERR_MULTICAST_SEND',
        message:
          /port \d+ through e1: .*\(e1 is down or gone, or has no IPv\d address: sends go out again once it is back\)/,
      })
    }
    assert.ok(has(/not sending through e1: /) >= 2)
    host.add('e1', plug(1, 7))
    for (const one of senders) {
      // Together they heal it once.
      await Promise.all(['a', 'b', 'c'].map((message) => one.send(message)))
      await turns()
      const last = network.journal.filter((entry) => entry.interface === 'e1').slice(-3)
      assert.equal(last.length, 3)
      for (const { from } of last) assert.match(addressOf(from), /7(%e1)?$/)
    }
    assert.deepEqual(senders[1]?.interfaces, ['e1', 'e2'])
    assert.equal(open(), before)
    host.remove('e1')
    const [first] = senders
    await assert.rejects(first?.send('x') as Promise<number>, { code: 'ERR_MULTICAST_SEND' })
  })
}

test('what could not be opened is told once for each reason, and tried again', async (t) => {
  const { sender, host, has, refusals } = setup(t)
  refusals['10.0.1.1'] = 'EADDRNOTAVAIL'
  const one = await sender({ interfaces: ['e1', 'e9'], followInterfaces: true }).ready()
  assert.deepEqual(one.interfaces, [])
  assert.equal(has(/not sending through e1: .*EADDRNOTAVAIL/), 1)
  assert.equal(has(/not sending through e9: .*'e9', which is not an interface that is up/), 1)
  host.add('e3', plug(3))
  await turns()
  host.remove('e3')
  await turns()
  assert.equal(has(/not sending through e\d: /), 2)
  refusals['10.0.1.1'] = 'EPERM'
  host.add('e3', plug(3))
  await turns()
  assert.equal(has(/not sending through e1: .*EPERM/), 1)
  delete refusals['10.0.1.1']
  host.remove('e3')
  await turns()
  assert.deepEqual(one.interfaces, ['e1'])
  host.add('e9', plug(9))
  await turns()
  assert.deepEqual(one.interfaces, ['e1', 'e9'])
  host.remove('e9')
  await turns()
  assert.equal(has(/not sending through e9: /), 2)
})

test("why one of 'all' cannot be opened is told once, and anew of what is another interface", async (t) => {
  const { sender, host, has, refusals } = setup(t)
  refusals['10.0.1.1'] = 'EPERM'
  await sender({ interfaces: 'all' }).ready()
  const count = () => has(/not sending through e1: .*EPERM/)
  assert.equal(count(), 1)
  host.add('e3', plug(3))
  await turns()
  assert.equal(count(), 1)
  host.remove('e1')
  await turns()
  host.add('e1', plug(1))
  await turns()
  assert.equal(count(), 2)
  assert.equal(has('not sending through all: '), 0)
})

test('a look tries again what was refused, asks for the route, and else finds nothing to do', async (t) => {
  const { sender, host, calls, refusals, has } = setup(t)
  const looks = new Looks(t, host, calls)
  const named = await sender({ interfaces: ['e1', 'e2', 'e3'], ...looks.options }).ready()
  await looks.look()
  assert.equal(looks.listed, 1)
  // Each is set again to what has the name now, in this look and in the next.
  host.add('e3', plug(3))
  refusals['10.0.3.1'] = 'EPERM'
  const kept = ['10.0.1.1', '10.0.2.1']
  for (let times = 0; times < 4; times += 1) {
    await looks.look()
    assert.deepEqual(calls, [...kept, '10.0.3.1'])
  }
  delete refusals['10.0.3.1']
  await looks.look()
  assert.deepEqual(named.interfaces, ['e1', 'e2', 'e3'])
  assert.equal(has('any more'), 0)
  await looks.look()
  assert.deepEqual([looks.listed, calls], [1, []])
  // What could not be listed is looked for until it can be.
  host.remove('e3')
  await sender({ interfaces: 'default', replies: false, ...looks.options }).ready()
  looks.isUnknown = true
  await looks.look()
  await looks.look()
  looks.isUnknown = false
  await looks.look()
  assert.deepEqual(named.interfaces, ['e1', 'e2'])
  await named.close()
  // Where the route leads the table does not tell.
  await looks.look()
  assert.ok(looks.listed > 1)
})

test('a send while its way is mended waits for that', async (t) => {
  const { sender, host, open } = setup(t)
  const senders = [
    await sender({ interfaces: 'all', localPort: 5000 }).ready(),
    await sender({ interfaces: 'e1', replies: false, followInterfaces: true }).ready(),
  ]
  const before = open()
  for (const [at, steps] of [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32].entries()) {
    host.readdress('e1', plug(1, at + 2).addresses)
    host.readdress('e2', plug(2, at + 2).addresses)
    for (let step = 0; step < steps; step += 1) await Promise.resolve()
    await Promise.all(senders.map((one) => one.send('x')))
    await turns()
    assert.equal(open(), before)
  }
  assert.deepEqual(
    senders.map(({ stats }) => stats.failed),
    [0, 0],
  )
})

test('what is not followed goes where the address is by now that was asked for', async (t) => {
  const { sender, host, went } = setup(t)
  const asked = { interfaces: '10.0.1.1', followInterfaces: false }
  const senders = [
    await sender(asked).ready(),
    await sender({ ...asked, replies: false, localPort: 5001 }).ready(),
  ]
  host.remove('e1')
  host.readdress('e2', ['10.0.1.1/24'])
  for (const one of senders) {
    assert.deepEqual([await went(one), one.interfaces], [['e2 10.0.1.1'], ['e2']])
  }
})

test('changes that come while others are seen to open nothing twice', async (t) => {
  const { sender, host, went, open } = setup(t)
  const all = await sender({ interfaces: 'all' }).ready()
  for (const steps of [0, 1, 2, 4, 8, 16, 32]) {
    host.add('e3', plug(3))
    for (let step = 0; step < steps; step += 1) await Promise.resolve()
    host.add('e4', plug(4))
    await turns()
    const ways = [1, 2, 3, 4].map((at) => `e${at} 10.0.${at}.1`)
    assert.deepEqual([await went(all), open()], [ways, 4])
    host.remove('e3')
    host.remove('e4')
    await turns()
    assert.deepEqual([all.interfaces, open()], [['e1', 'e2'], 2])
  }
})

test('without replies it is connected to where the route leads, and follows that', async (t) => {
  const { sender, host, went, has } = setup(t)
  const one = await sender({
    interfaces: 'default',
    replies: false,
    followInterfaces: true,
  }).ready()
  assert.deepEqual([await went(one), one.interfaces], [['e1 10.0.1.1'], ['default']])
  assert.equal(has('sending through e1 from 10.0.1.1'), 1)
  host.down('e1')
  await turns()
  assert.deepEqual(await went(one), ['e2 10.0.2.1'])
  assert.equal(has('sending through e2 from 10.0.2.1'), 1)
  host.down('e2')
  await turns()
  await assert.rejects(one.send('x'), { code: 'ERR_MULTICAST_SEND' })
  assert.equal(has(/through default: there is no route to 239\.1\.2\.3: add one, or name/), 1)
  // Without being followed it is sent by whatever route there is by then.
  const free = { interfaces: 'default', replies: false, followInterfaces: false } as const
  assert.deepEqual((await sender(free).ready()).interfaces, ['default'])
  // What is bound although there is no route finds as little to change.
  await sender({ ...free, localAddress: '10.0.1.1' }).ready()
  host.add('e3', { segment: 'lan', addresses: [] })
  await turns()
  assert.equal(has('Cannot read'), 0)
  host.up('e2')
  await turns()
  assert.deepEqual(await went(one), ['e2 10.0.2.1'])
})

test("by the system's route a send that is refused is not mended, but where it was to be connected", async (t) => {
  const { sender, host, went } = setup(t)
  const free = await sender({ interfaces: 'default' }).ready()
  host.failSends('ENETUNREACH', 1)
  await assert.rejects(free.send('x'), { code: 'ERR_MULTICAST_SEND' })
  host.down('e1')
  assert.deepEqual(await went(free), ['e2 10.0.2.1'])
  host.down('e2')
  const unwatched = { networkInterfaces: () => host.networkInterfaces() }
  const late = { interfaces: 'default', replies: false, ...unwatched } as const
  const one = await sender({ ...late, watchInterfaces: undefined }).ready()
  host.up('e1')
  host.failSends('ENETUNREACH', 1)
  assert.deepEqual(await went(one), ['e1 10.0.1.1'])
})

test('where the route leads through nothing that is listed it is sent by it all the same', async (t) => {
  const { sender, went } = setup(t)
  const options = { interfaces: 'default', replies: false, networkInterfaces: () => ({}) } as const
  const one = await sender(options).ready()
  assert.deepEqual([one.interfaces, await went(one)], [['default'], ['e1 10.0.1.1']])
})

test('what hears nothing is connected to the group', async (t) => {
  const { sender, peer, host } = setup(t)
  /** Those that are open, without those that were asked where a datagram would come from. */
  const connected = new Map<object, string>()
  const createSocket: CreateSocket = (options) => {
    const socket: ReturnType<CreateSocket> = host.createSocket(options)
    const connect = socket.connect.bind(socket)
    socket.connect = (port, address, done) => {
      connected.set(socket, `${address} ${port}`)
      socket.once('close', () => connected.delete(socket))
      return connect(port, address, done)
    }
    return socket
  }
  let port = 1
  for (const interfaces of ['default', 'e1'] as const) {
    for (const followInterfaces of [false, true]) {
      for (const [make, own] of [
        [sender, { replies: false }],
        [peer, {}],
        [sender, {}],
      ] as const) {
        port += 1
        await make({ interfaces, followInterfaces, createSocket, port, ...own }).ready()
        await turns()
        const isHearing = make === sender && !('replies' in own)
        assert.deepEqual([...connected.values()], isHearing ? [] : [`239.1.2.3 ${port}`])
        connected.clear()
      }
    }
  }
})

test('what is bound to an address without a port of its own keeps the one that was picked', async (t) => {
  const { sender, host, went } = setup(t)
  const options = { group: 'ff05::1:3', interfaces: 'fd01::1', followInterfaces: true }
  const one = await sender(options).ready()
  const { address, port: own } = one.address()
  assert.equal(address, 'fd01::1')
  host.remove('e1')
  await turns()
  host.add('e1', plug(1))
  await turns()
  assert.deepEqual([await went(one), one.address().port], [['e1 fd01::1'], own])
})

test('of port 0 a peer whose address is not there yet sends from the port that it hears at later', async (t) => {
  const { network, peer, host } = setup(t)
  const options = { port: 0, bindAddress: '10.0.1.9', interfaces: ['e1', 'e2'] }
  const one = await peer({ ...options, followInterfaces: true }).ready()
  const { port: own } = one.address()
  await one.send('x')
  host.readdress('e1', ['10.0.1.1/24', '10.0.1.9/24'])
  await turns()
  const { address, port } = one.address()
  assert.deepEqual([one.memberships.length, address, port], [2, '10.0.1.9', own])
  await one.send('y')
  await turns()
  const ports = network.journal.flatMap(({ from, to }) =>
    [from, to].map((at) => Number(at.replace(/.*:/, ''))),
  )
  assert.deepEqual(
    ports,
    ports.map(() => own),
  )
})

test('a send that cannot be mended tells what it waits for', async (t) => {
  const { sender, host, has } = setup(t)
  const unfollowed = { followInterfaces: false }
  const address =
    /\(no interface that is up has the address 10\.0\.1\.1: sends go out again once one/
  const name = /\(e1 is down or gone, or has no IPv4 address: sends go out again once it is back\)/
  const cases = [
    [await sender({ ...unfollowed, interfaces: '10.0.1.1' }).ready(), address],
    [await sender({ ...unfollowed, interfaces: 'e1' }).ready(), name],
    [await sender({ ...unfollowed, interfaces: 'e1', localPort: 5000 }).ready(), name],
    [await sender({ ...unfollowed, interfaces: 'e1', replies: false }).ready(), name],
    [await sender({ ...unfollowed, interfaces: '10.0.1.1', replies: false }).ready(), address],
  ] as const
  host.remove('e1')
  for (const [one, message] of cases) {
    await assert.rejects(one.send('x'), { code: 'ERR_MULTICAST_SEND', message })
  }
  const before = has(/sending through e1 from 10\.0\.1\.7/)
  host.add('e1', plug(1, 7))
  for (const [one, message] of cases) {
    if (message === name) assert.equal(await one.send('x'), 1)
  }
  assert.equal(has(/sending through e1 from 10\.0\.1\.7/), before + 3)
  host.down('e1')
  host.down('e2')
  const routed = { group: 'ff05::1:3', interfaces: 'default', replies: false } as const
  assert.deepEqual((await sender(routed).ready()).interfaces, ['default'])
})

test('what the system does not tell for the moment changes nothing', async (t) => {
  const { sender, host, has } = setup(t)
  let isAway = false
  const createSocket: CreateSocket = (options) => {
    const socket: ReturnType<CreateSocket> = host.createSocket(options)
    const connect = socket.connect.bind(socket)
    socket.connect = (port, address, done) => {
      if (isAway) return setImmediate(done, new Error('connect ENETUNREACH'))
      return connect(port, address, done)
    }
    return socket
  }
  const options = { group: 'ff05::1:3', interfaces: 'e1', replies: false, createSocket }
  const one = await sender({ ...options, followInterfaces: true }).ready()
  isAway = true
  host.add('e3', plug(3))
  await turns()
  assert.deepEqual([one.interfaces, has('opening a socket')], [['e1'], 1])
})

/** Sockets whose sends to an interface wait until they are let go, and are refused then. */
function held(host: MockHost, on: string) {
  const waiting: (() => void)[] = []
  const createSocket: CreateSocket = (options) => {
    const socket: ReturnType<CreateSocket> = host.createSocket(options)
    const set = socket.setMulticastInterface.bind(socket)
    const send = socket.send.bind(socket) as (...args: unknown[]) => unknown
    let isHeld = false
    socket.setMulticastInterface = (handle) => {
      isHeld = handle === on
      set(handle)
    }
    socket.send = (...args: unknown[]) => {
      const done = args.at(-1) as (error: Error) => void
      if (!isHeld) return send(...args)
      const error = Object.assign(new Error('send ENETUNREACH'), { code: 'ENETUNREACH' })
      waiting.push(() => done(error))
    }
    return socket
  }
  const release = (): void => {
    for (const refuse of waiting.splice(0)) refuse()
  }
  return { createSocket, release }
}

test('what is refused once its interface is gone goes by what has taken its place, if anything', async (t) => {
  const { network, sender, host, has } = setup(t)
  const { createSocket, release } = held(host, '10.0.2.1')
  const all = await sender({ interfaces: 'all', createSocket }).ready()
  const named = await sender({
    interfaces: 'e2',
    followInterfaces: true,
    createSocket,
  }).ready()
  const lost = assert.rejects(named.send('lost'), {
    code: 'ERR_MULTICAST_SEND',
    message: /through e2: .*\(e2 is down or gone, or has no IPv4 address: sends go out again/,
  })
  await turns()
  host.remove('e2')
  await turns()
  release()
  await lost
  host.add('e2', plug(2))
  await turns()
  const late = all.send('late')
  await turns()
  host.remove('e2')
  await turns()
  host.add('e2', plug(2, 3))
  await turns()
  const opened = has('opening a socket')
  const { length } = network.journal
  release()
  await late
  await turns()
  const from = network.journal.slice(length).map((entry) => addressOf(entry.from))
  assert.deepEqual([from, has('opening a socket')], [['10.0.2.3'], opened])
})

test('what is bound to an address that is gone tells that it waits for that', async (t) => {
  const { sender, host, refusals, has, went } = setup(t)
  const options = { interfaces: 'e1', localAddress: '10.0.1.1', followInterfaces: false }
  const free = await sender({ interfaces: 'e1', followInterfaces: false }).ready()
  const senders = [
    await sender(options).ready(),
    await sender({ ...options, replies: false }).ready(),
  ]
  host.readdress('e1', plug(1, 7).addresses)
  for (const one of senders) {
    await assert.rejects(one.send('x'), {
      code: 'ERR_MULTICAST_SEND',
      message: /\(no interface that is up has the address 10\.0\.1\.1: sends go out again once one/,
    })
  }
  refusals['10.0.1.7'] = 'EADDRNOTAVAIL'
  await assert.rejects(free.send('x'), { message: /\(e1 is down or gone, or has no IPv4 address/ })
  // What is bound to no address needs no other socket.
  delete refusals['10.0.1.7']
  const opened = has('opening a socket')
  assert.deepEqual([await went(free), has('opening a socket')], [['e1 10.0.1.7'], opened])
})

test('no address is said to be gone where something else keeps a socket from being bound', async (t) => {
  const { sender, host } = setup(t)
  let isFull = false
  const createSocket: CreateSocket = (options) => {
    const socket = host.createSocket(options)
    if (isFull) {
      socket.bind = () => {
        const error = Object.assign(new Error('bind EMFILE 0.0.0.0'), { code: 'EMFILE' })
        setImmediate(() => socket.emit('error', error))
        return socket
      }
    }
    return socket
  }
  const options = { interfaces: 'e1', followInterfaces: false, replies: false, createSocket }
  const one = await sender(options).ready()
  host.readdress('e1', plug(1, 7).addresses)
  isFull = true
  await assert.rejects(one.send('x'), ({ message }: Error) => !message.includes('has the address'))
})

test('another socket is opened only where that must be, and before the first one closes where it can', async (t) => {
  const { sender, host, has, went } = setup(t)
  const opened = (address: string, port: number) =>
    has(`opening a socket on ${address} port ${port}`)
  const options = { group: 'ff05::1:3', interfaces: 'e1', followInterfaces: true }
  const several = { ...options, interfaces: ['e1', 'e2'] }
  const bound = await sender({ ...several, localPort: 5000 }).ready()
  await sender({ ...options, replies: false }).ready()
  const own = await sender({ ...options, replies: false, localPort: 5001 }).ready()
  assert.deepEqual([opened('fd01::1', 5000), opened('::', 0), opened('::', 5001)], [1, 1, 1])
  host.remove('e1')
  await turns()
  host.add('e1', plug(1))
  await turns()
  // Whether it is itself that has the port is seen by trying.
  assert.deepEqual([opened('fd01::1', 5000), opened('::', 0), opened('::', 5001)], [2, 2, 3])
  assert.deepEqual([await went(own), own.address().port], [['e1 fd01::1'], 5001])
  assert.deepEqual(await went(bound), ['e1 fd01::1', 'e2 fd02::1'])
  // Another program that has the port elsewhere keeps it.
  host.readdress('e1', ['fd01::8/64', 'fd01::1/64'])
  await turns()
  const other = host.createSocket({ type: 'udp6', ipv6Only: true })
  other.bind({ port: 5000, address: 'fd01::8' })
  await once(other, 'listening')
  host.readdress('e1', ['fd01::8/64'])
  await turns()
  assert.equal(has('not sending through e1: Port 5000 on fd01::8 is in use'), 1)
  assert.equal(bound.address().address, 'fd01::1')
  other.close()
})

test('where the system would send from is asked where it chooses that and the socket keeps to it', async (t) => {
  const { sender, peer, host } = setup(t)
  const local = { localAddress: 'fd01::1' }
  for (const [make, own, count] of [
    [sender, { group, replies: false }, 0],
    [sender, { replies: false }, 1],
    [sender, { replies: false, ...local }, 0],
    [sender, {}, 0],
    [peer, {}, 1],
    [peer, { bindAddress: undefined }, 1],
  ] as const) {
    let made = 0
    const createSocket: CreateSocket = (options) => {
      made += 1
      return host.createSocket(options)
    }
    const common = { group: 'ff05::1:3', interfaces: 'e1', followInterfaces: true, createSocket }
    const one = await make({ ...common, ...own }).ready()
    made = 0
    host.add('e3', plug(3))
    await turns()
    assert.equal(made, count, JSON.stringify(own))
    host.remove('e3')
    await turns()
    await one.close()
  }
})

test('DEBUG tells what is sent through and from', async (t) => {
  const { sender, peer, has } = setup(t)
  await sender({ interfaces: ['e1', 'e2'] }).ready()
  assert.deepEqual([has('through e1 from 10.0.1.1'), has('through e2 from 10.0.2.1')], [1, 1])
  await sender({ interfaces: 'e2', localAddress: '10.0.1.1' }).ready()
  assert.equal(has('through e2 from 10.0.1.1'), 1)
  await sender({ interfaces: 'default' }).ready()
  assert.equal(has("through the system's route from 10.0.1.1"), 1)
  // What is connected keeps to what the route leads through.
  await peer({ interfaces: 'default', followInterfaces: false }).ready()
  assert.equal(has('through e1 from 10.0.1.1'), 2)
  await sender({ interfaces: 'default', replies: false, localPort: 5000 }).ready()
  assert.equal(has('through e1 from 10.0.1.1'), 3)
  assert.equal(has('opening a socket on 0.0.0.0 port 5000'), 1)
})

test('replies come to whatever is sent through, and none to what has none', async (t) => {
  const { sender, network, open } = setup(t)
  const other = network.host({ interfaces: { far: plug(1, 2) } })
  const receiver = keep(new MulticastReceiver({ group, port, ...other, bindAddress: 'group' }))
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  await receiver.ready()
  const one = await sender({ interfaces: ['e2', 'e1'] }).ready()
  const heard = once(one, 'message')
  await one.send('hello')
  assert.equal(String((await heard)[0]), 'hello')
  assert.equal(open(), 2)
})
