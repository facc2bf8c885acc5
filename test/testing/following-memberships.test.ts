/** What a receiver has joined of what it follows, on the network in memory: as interfaces and addresses come, go and move. */
import assert from 'node:assert/strict'
import os from 'node:os'
import { test } from 'node:test'
import type { CreateSocket } from '../../src/index.js'
import { Looks } from '../looks.js'
import { group, setup, turn, zoned } from './memberships.js'

test('what passes with a change of the network does not keep a followed one from opening', async (t) => {
  const { make, refusals, names, told, host, has } = setup(t)
  refusals['10.0.1.1'] = 'ENODEV'
  const receiver = await make({ interfaces: ['a', 'nosuch'], followInterfaces: true }).ready()
  assert.deepEqual(names(receiver), [])
  assert.equal(has(/not joined, and waiting: .*on a: .*ENODEV/), 1)
  assert.equal(has(/not joined, and waiting: .*'nosuch'/), 1)
  delete refusals['10.0.1.1']
  // Any change has it tried again.
  host.add('d')
  await turn()
  assert.deepEqual([names(receiver), told()], [['a'], ['joined a']])
  assert.throws(() => make({ interfaces: ['a', 'nosuch'], followInterfaces: false }), {
    code: 'ERR_MULTICAST_INTERFACE',
  })
})

for (const of of [group, 'ff05::1:3', zoned]) {
  test(`of ${of}, what is followed comes, goes, and is lost, as its interface does`, async (t) => {
    const { make, host, told, names } = setup(t)
    const plug = {
      segment: 'lan',
      addresses: ['10.0.1.1/24', 'fd01::1/64', 'fe80::1/64'],
    }
    const receiver = await make({
      group: of,
      interfaces: ['a', 'd'],
      followInterfaces: true,
    }).ready()
    assert.deepEqual(names(receiver), ['a'])
    host.remove('a')
    await turn()
    assert.deepEqual([names(receiver), told()], [[], ['lost a']])
    host.add('a', plug)
    await turn()
    assert.deepEqual([names(receiver), told()], [['a'], ['joined a']])
    host.add('d')
    await turn()
    assert.deepEqual([names(receiver), told()], [['a', 'd'], ['joined d']])
    // What is left by hand stays so, until it is joined by hand.
    await receiver.leave({ interface: 'a' })
    host.remove('a')
    host.add('a', plug)
    await turn()
    assert.deepEqual([names(receiver), told()], [['d'], ['left a']])
    await receiver.join({ interface: 'a' })
    host.remove('a')
    await turn()
    host.add('a', plug)
    await turn()
    assert.deepEqual(
      [names(receiver).sort(), told()],
      [
        ['a', 'd'],
        ['joined a', 'lost a', 'joined a'],
      ],
    )
    // What is waited for can be left too.
    host.remove('d')
    await turn()
    await receiver.leave({ interface: 'd' })
    host.add('d')
    await turn()
    assert.deepEqual([names(receiver), told()], [['a'], ['lost d']])
  })

  test(`of ${of}, 'all' is asked for still, whatever of it was left by hand`, async (t) => {
    const { make, host, told, names } = setup(t)
    const receiver = await make({ group: of, followInterfaces: true }).ready()
    host.add('d')
    await turn()
    for (const name of names(receiver)) await receiver.leave({ interface: name })
    told()
    host.add('e')
    await turn()
    assert.deepEqual([names(receiver), told()], [['e'], ['joined e']])
  })

  test(`of ${of}, 'all' is followed but for what was left by hand`, async (t) => {
    const { make, host, told, names } = setup(t, ['a', 'b'])
    const receiver = await make({ group: of, followInterfaces: true }).ready()
    const own = names(receiver)
    assert.ok(own.includes('a') && own.includes('b'))
    await receiver.leave({ interface: 'a' })
    host.add('d')
    await turn()
    assert.deepEqual(told(), ['left a', 'joined d'])
    assert.ok(!names(receiver).includes('a'))
    host.remove('a')
    host.add('a', { segment: 'lan' })
    await turn()
    assert.deepEqual(told(), [])
    await receiver.join({ interface: 'a' })
    host.remove('a')
    host.add('a', { segment: 'lan' })
    await turn()
    assert.deepEqual(told(), ['joined a', 'lost a', 'joined a'])
    await receiver.leave()
    host.add('e')
    await turn()
    assert.deepEqual(names(receiver), [])
  })
}

test("by the system's route it is joined under its name, and moves with it", async (t) => {
  const { make, host, told, names, has } = setup(t, ['a', 'b'])
  const receiver = await make({ interfaces: 'default', followInterfaces: true }).ready()
  assert.deepEqual([names(receiver), has('joining on a, source any')], [['default'], 1])
  host.down('a')
  await turn()
  assert.deepEqual([names(receiver), told()], [['default'], ['left default', 'joined default']])
  assert.equal(has('joining on b, source any'), 1)
  host.down('b')
  await turn()
  await receiver.leave({ interface: 'default' })
  assert.deepEqual([names(receiver), told()], [[], ['left default']])
  await assert.rejects(receiver.join({ interface: 'default' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /There is no route to 239\.1\.2\.3/,
  })
  host.up('b')
  await receiver.join({ interface: 'default' })
  assert.deepEqual([names(receiver), told()], [['default'], ['joined default']])
  const isMix = {
    code: 'ERR_MULTICAST_JOIN',
    message: /could not tell 'default' from a named interface/,
  }
  await assert.rejects(receiver.join({ interface: 'b' }), isMix)
})

test('what is lost while another is joined with it was never joined', async (t) => {
  const { make, host, told, names, createSocket } = setup(t)
  let isLost = false
  const losing: CreateSocket = (given) => {
    const socket = createSocket(given)
    const genuine = socket.addMembership.bind(socket)
    socket.addMembership = (address, on) => {
      genuine(address, on)
      if (isLost && on === '10.0.3.1') host.remove('b')
    }
    return socket
  }
  const interfaces = ['a', 'b', 'c']
  const options = { interfaces, followInterfaces: true, createSocket: losing }
  const receiver = await make(options).ready()
  await receiver.leave({ interface: 'b' })
  await receiver.leave({ interface: 'c' })
  told()
  isLost = true
  await receiver.join()
  assert.deepEqual([names(receiver), told()], [['a', 'c'], ['joined c']])
  isLost = false
  // It is asked for, and joined once it is there.
  host.add('b')
  await turn()
  assert.deepEqual([names(receiver), told()], [['a', 'c', 'b'], ['joined b']])
})

test('the address that an interface got last is that of what is joined there, while it is down', async (t) => {
  const { make, host, names } = setup(t)
  const receiver = await make({ interfaces: ['a', 'b'], followInterfaces: true }).ready()
  host.readdress('a', ['10.0.7.1/24'])
  await turn()
  host.down('a')
  await assert.rejects(receiver.leave({ interface: '10.0.1.1' }), {
    code: 'ERR_MULTICAST_INTERFACE',
  })
  await receiver.leave({ interface: '10.0.7.1' })
  assert.deepEqual(names(receiver), ['b'])
})

test('an address that moves to another interface takes its membership along', async (t) => {
  const { make, host, told, names } = setup(t, ['a', 'b'])
  const receiver = await make({ interfaces: '10.0.1.1', followInterfaces: true }).ready()
  assert.deepEqual(names(receiver), ['a'])
  host.readdress('a', ['10.0.7.1/24'])
  host.readdress('b', ['10.0.1.1/24'])
  await turn()
  assert.deepEqual([names(receiver), told().sort()], [['b'], ['joined b', 'left a']])
  await receiver.leave({ interface: '10.0.1.1' })
  host.readdress('b', ['10.0.8.1/24'])
  host.readdress('a', ['10.0.1.1/24'])
  await turn()
  assert.deepEqual([names(receiver), told()], [[], ['left b']])
})

test('an address that moves leaves what nothing else asks for', async (t) => {
  const { make, host, told, names } = setup(t)
  const move = async (from: string, to: string): Promise<void> => {
    host.readdress(from, [`10.0.7.${from.charCodeAt(0)}/24`])
    host.readdress(to, [`10.0.7.${to.charCodeAt(0)}/24`, '10.0.9.1/24'])
    await turn()
  }
  const followed = { followInterfaces: true, watchInterfaces: host.watchInterfaces }
  host.readdress('a', ['10.0.7.97/24', '10.0.9.1/24'])
  // Its name asks for it too.
  const named = await make({ ...followed, interfaces: ['a', '10.0.9.1'] }).ready()
  await move('a', 'b')
  assert.deepEqual([names(named), told()], [['a', 'b'], ['joined b']])
  await move('b', 'a')
  assert.deepEqual([names(named), told()], [['a'], ['left b']])
  // What is left is so by all its names.
  await named.leave({ interface: 'a' })
  host.add('d')
  await turn()
  assert.deepEqual([names(named), told()], [[], ['left a']])
  // 'all' asks for it, for its sources, but for what was left of it by hand.
  const own = { interfaces: 'all' as const, sources: ['10.0.8.1'], port: 1 }
  const all = await make({ ...followed, ...own }).ready()
  await all.join({ interface: '10.0.9.1', source: '10.0.8.1' })
  await all.join({ interface: '10.0.9.1', source: '10.0.8.2' })
  assert.deepEqual(told(), ['joined a 10.0.8.2'])
  await move('a', 'b')
  assert.deepEqual(told(), ['joined b 10.0.8.2', 'left a 10.0.8.2'])
  await all.leave({ interface: 'a' })
  await move('b', 'a')
  assert.deepEqual(told().sort(), [
    ...['joined a 10.0.8.1', 'joined a 10.0.8.2'],
    ...['left a 10.0.8.1', 'left b 10.0.8.2'],
  ])
  await move('a', 'b')
  assert.deepEqual(told().sort(), ['joined b 10.0.8.2', 'left a 10.0.8.1', 'left a 10.0.8.2'])
})

test('an address that moves before anybody looks leaves what was joined by it', async (t) => {
  const { make, host, told, names } = setup(t)
  const looks = new Looks(t, host)
  const receiver = await make({ interfaces: ['10.0.1.1'], ...looks.options }).ready()
  const sources = ['10.0.9.8', '10.0.9.9']
  for (const source of sources) await receiver.join({ interface: '10.0.2.1', source })
  host.readdress('a', ['10.0.7.1/24'])
  host.readdress('b', ['10.0.7.2/24'])
  host.add('d', { segment: 'lan', addresses: ['10.0.1.1/24'] })
  host.add('e', { segment: 'lan', addresses: ['10.0.2.1/24'] })
  await receiver.join({ interface: 'c' })
  told()
  await looks.look()
  assert.deepEqual(names(receiver).sort(), ['c', 'd', ...sources.map((source) => `e ${source}`)])
  assert.deepEqual(
    told().filter((event) => event.startsWith('left')),
    ['left a', ...sources.map((source) => `left b ${source}`)],
  )
})

test('over IPv6 what comes is joined for all its sources or for none', async (t) => {
  const { make, host, names, has, calls, refusals } = setup(t)
  const sources = ['fd09::1', 'fd09::2']
  const own = { group: 'ff05::1:3', interfaces: ['a', 'd', 'e'], sources, followInterfaces: true }
  const receiver = await make(own).ready()
  await receiver.leave({ interface: 'd', source: 'fd09::2' })
  // Both come at once, and one of them would have other sources than there are.
  host.add('d')
  host.add('e')
  await turn()
  assert.deepEqual(names(receiver), [...['a fd09::1', 'a fd09::2'], ...['e fd09::1', 'e fd09::2']])
  assert.equal(has(/not joined, and waiting: .*must have the same sources/), 1)
  // What is refused elsewhere for now is not what there is to be.
  Object.defineProperty(refusals, 'join ::%b', {
    get: () => (calls.filter((call) => call === 'join ::%b').length > 1 ? 'ENODEV' : undefined),
  })
  const other = { ...own, port: 1, interfaces: ['b', 'f'] }
  const refused = await make(other).ready()
  assert.deepEqual(names(refused), ['b fd09::1'])
  host.add('f')
  await turn()
  assert.deepEqual(names(refused), ['b fd09::1', 'f fd09::1', 'f fd09::2'])
})

test('why something waits is told once for each reason, and anew once it was there', async (t) => {
  const { make, host, has } = setup(t, [])
  const count = () => has(/not joined, and waiting/)
  const receiver = await make({ interfaces: ['d'], followInterfaces: true }).ready()
  assert.equal(count(), 1)
  host.add('e')
  host.add('f')
  await turn()
  assert.equal(count(), 1)
  host.add('d')
  await turn()
  assert.equal(receiver.memberships.length, 1)
  host.remove('d')
  await turn()
  assert.equal(count(), 2)
  const { make: other, has: hasOther, host: alone } = setup(t, [])
  alone.down('lo')
  await other({ group: zoned, followInterfaces: true }).ready()
  assert.equal(hasOther(/not joined, and waiting: There is no interface with an IPv6 address/), 1)
  await other({ interfaces: 'default', followInterfaces: true }).ready()
  assert.equal(hasOther(/not joined, and waiting: there is no route to 239\.1\.2\.3/), 1)
  assert.equal(hasOther('on the loopback interface alone'), 0)
})

test('why one is refused is told once, and anew of what is another, or was joined meanwhile', async (t) => {
  const { make, host, has, refusals, names } = setup(t)
  const count = () => has(/not joined, and waiting: .* on b: .*EPERM/)
  const again = async (name: string): Promise<void> => {
    host.remove(name)
    await turn()
    host.add(name)
    await turn()
  }
  refusals['10.0.2.1'] = 'EPERM'
  const receiver = await make({ interfaces: 'all' }).ready()
  assert.equal(count(), 1)
  await again('c')
  assert.equal(count(), 1)
  await again('b')
  assert.equal(count(), 2)
  delete refusals['10.0.2.1']
  await again('c')
  assert.ok(names(receiver).includes('b'))
  refusals['10.0.2.1'] = 'EPERM'
  host.remove('b')
  host.add('b')
  await turn()
  assert.equal(count(), 3)
})

test('what is joined by hand is followed by the name that it was asked for by, for its sources', async (t) => {
  const { make, names, host, told } = setup(t)
  const receiver = await make({ interfaces: ['a'], followInterfaces: true }).ready()
  const again = async (name: string, at: number): Promise<void> => {
    host.remove(name)
    host.add(name, { segment: 'lan', addresses: [`10.0.${at}.1/24`] })
    await turn()
  }
  await receiver.join({ interface: '10.0.2.1', source: '10.0.9.9' })
  await receiver.join({ interface: 'b', source: '10.0.9.8' })
  told()
  await again('b', 2)
  assert.deepEqual(names(receiver).sort(), ['a', 'b 10.0.9.8', 'b 10.0.9.9'])
  // One source of it is asked for no more, the other is.
  await receiver.leave({ source: '10.0.9.8' })
  await again('b', 2)
  assert.deepEqual(names(receiver).sort(), ['a', 'b 10.0.9.9'])
  await again('a', 1)
  assert.deepEqual(names(receiver).sort(), ['a', 'b 10.0.9.9'])
  // By its name, although it was asked for by an address.
  await receiver.leave({ interface: 'b' })
  await again('b', 2)
  assert.deepEqual(names(receiver), ['a'])
  await receiver.join({ interface: '10.0.2.1' })
  told()
  host.readdress('b', ['10.0.7.1/24'])
  host.readdress('c', ['10.0.2.1/24'])
  await turn()
  assert.deepEqual(
    [names(receiver).sort(), told().sort()],
    [
      ['a', 'c'],
      ['joined c', 'left b'],
    ],
  )
  await receiver.leave({ interface: 'c' })
  host.readdress('c', ['10.0.3.1/24'])
  host.readdress('b', ['10.0.2.1/24'])
  await turn()
  assert.deepEqual(names(receiver), ['a'])
})

test('a look finds what was lost, joins it, and has the network told of what has returned', async (t) => {
  const { make, host, told, calls, refusals, names } = setup(t)
  const looks = new Looks(t, host, calls)
  const plug = { segment: 'lan', addresses: ['10.0.1.1/24', 'fd01::1/64', 'fe80::1/64'] }
  const receiver = await make({ interfaces: ['a', 'b'], ...looks.options }).ready()
  await looks.look()
  assert.deepEqual([calls, told(), looks.listed], [[], [], 1])
  host.remove('a')
  host.add('a', plug)
  await looks.look()
  assert.deepEqual(told(), ['lost a', 'joined a'])
  await looks.look()
  host.down('a')
  await looks.look()
  await looks.look()
  await looks.look()
  assert.deepEqual([told(), calls], [[], []])
  host.up('a')
  await looks.look()
  assert.deepEqual(
    calls.filter((call) => call.startsWith('leave')),
    ['leave 10.0.1.1'],
  )
  assert.ok(calls.includes('join 10.0.1.1'))
  await looks.look()
  await looks.look()
  assert.deepEqual([names(receiver), calls], [['b', 'a'], []])
  // After sleep too; what cannot be joined again then is lost, until it can.
  const uptime = os.uptime()
  t.mock.method(os, 'uptime', () => uptime + 3600)
  Object.defineProperty(refusals, 'join 10.0.2.1', {
    get() {
      const own = calls.filter((call) => call.endsWith('10.0.2.1'))
      return own.at(-2)?.startsWith('leave') ? 'ENODEV' : undefined
    },
  })
  await looks.look()
  assert.deepEqual(
    [names(receiver), told()],
    [
      ['a', 'b'],
      ['lost b', 'joined b'],
    ],
  )
  await looks.look()
  await receiver.leave({ interface: 'b' })
  calls.splice(0)
  await receiver.join({ interface: 'b' })
  await looks.look()
  assert.deepEqual([told(), calls, looks.listed], [['left b', 'joined b'], [], 1])
  // What is refused is tried again at each look, although nothing has changed.
  refusals['10.0.3.1'] = 'ENODEV'
  const waiting = await make({ port: 1, interfaces: ['c'], ...looks.options }).ready()
  await looks.look()
  await looks.look()
  assert.deepEqual([names(waiting), calls], [[], ['join 10.0.3.1']])
  delete refusals['10.0.3.1']
  await looks.look()
  assert.deepEqual([names(waiting), told()], [['c'], ['joined c']])
  await looks.look()
  assert.equal(calls.length, 0)
  // What could not be listed is looked for until it can be.
  host.add('d')
  await waiting.join({ interface: 'd' })
  host.remove('d')
  for (let times = 0; times < 3; times += 1) await looks.look()
  host.add('d')
  looks.isUnknown = true
  await looks.look()
  await looks.look()
  await looks.look()
  // Once by the look itself, and by either receiver, also by the one that has lost nothing.
  assert.equal(looks.listed, 3)
  looks.isUnknown = false
  told()
  await looks.look()
  assert.deepEqual([names(waiting), told()], [['c', 'd'], ['joined d']])
  // Of all interfaces what could not be joined by hand is tried, but for want of room, which no look finds.
  refusals['10.0.3.1'] = 'ENODEV'
  refusals['127.0.0.1'] = 'ENOBUFS'
  await receiver.join({ interface: 'all' })
  for (let times = 0; times < 3; times += 1) {
    await looks.look()
    assert.ok(calls.includes('join 10.0.3.1'))
  }
  delete refusals['10.0.3.1']
  await looks.look()
  assert.ok(names(receiver).includes('c'))
  await looks.look()
  assert.deepEqual([calls, looks.listed], [[], 1])
  // Where the route leads the table does not tell.
  await receiver.leave()
  await waiting.leave()
  await looks.look()
  assert.equal(looks.listed, 1)
  await make({ port: 2, interfaces: 'default', ...looks.options }).ready()
  await looks.look()
  assert.ok(looks.listed > 1)
})

test('where its address cannot be bound yet it is waited for, if anybody has asked for it', async (t) => {
  const { host, make, names } = setup(t)
  let code = 'EADDRNOTAVAIL'
  const createSocket: CreateSocket = (options) => {
    const socket = host.createSocket(options)
    const bind = socket.bind.bind(socket) as (place: { port: number }) => typeof socket
    return Object.assign(socket, {
      bind(place: { port: number }) {
        if (code === '' || place.port === 0) return bind(place)
        const error = Object.assign(new Error(`bind ${code}`), { code, syscall: 'bind' })
        setImmediate(() => socket.emit('error', error))
        return socket
      },
    })
  }
  const own = { createSocket, followInterfaces: true }
  for (const [options, isWaiting] of [
    [{ interfaces: ['a'], bindAddress: '10.0.1.1' }, true],
    [{ interfaces: 'all', bindAddress: '10.0.1.1' }, false],
    [{ interfaces: ['a'], bindAddress: undefined }, false],
    [{ group: zoned, interfaces: ['a'], bindAddress: undefined }, true],
  ] as const) {
    const receiver = make({ ...own, ...options })
    if (isWaiting) {
      await receiver.ready()
      assert.deepEqual(names(receiver), [])
    } else if (process.platform === 'linux') {
      await assert.rejects(receiver.ready(), { code: 'ERR_MULTICAST_BIND' })
    }
    await receiver.close()
  }
  code = 'EACCES'
  await assert.rejects(make({ ...own, interfaces: ['a'], bindAddress: '10.0.1.1' }).ready(), {
    code: 'ERR_MULTICAST_BIND',
  })
})
