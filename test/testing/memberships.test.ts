/** What a receiver has joined, on the network in memory: which sockets are opened, what is told, what is refused. */
import assert from 'node:assert/strict'
import os from 'node:os'
import { type TestContext, test } from 'node:test'
import {
  type CreateSocket,
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
} from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { Looks } from '../looks.js'
import { told } from '../told.js'
import { keep } from './endpoints.js'
import { traps } from './traps.js'

const group = '239.1.2.3'
const zoned = 'ff02::1:3'
const port = 10_000
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A host with the interfaces a, b and c, which notes what its sockets do, and refuses it as it is told to. */
function setup(t: TestContext, interfaces = ['a', 'b', 'c']) {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host({
    interfaces: Object.fromEntries(
      interfaces.map((name) => {
        const at = name.charCodeAt(0) - 96
        const addresses = [`10.0.${at}.1/24`, `fd0${at}::1/64`, `fe80::${at}/64`]
        return [name, { segment: 'lan', addresses }]
      }),
    ),
  })
  const { createSocket, refusals, calls, open } = traps(host, {
    dropMembership: 'leave ',
    addMembership: 'join ',
    addSourceSpecificMembership: 'join ',
  })
  const lines = told(t)
  const events: string[] = []
  const make = (options: Partial<ReceiverOptions> = {}) => {
    const own = { group, port, bindAddress: 'group', ...host, createSocket, ...options }
    const receiver = keep(new MulticastReceiver(own))
    receiver.on('membership', (change, { interface: name, source = '' }) =>
      events.push(`${change} ${name}${source && ` ${source}`}`),
    )
    return receiver
  }
  const has = (text: string | RegExp) =>
    lines.filter((line) => (typeof text === 'string' ? line.includes(text) : text.test(line)))
      .length
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

test('what is joined and left by hand is told of, each once, when all of it is done', async (t) => {
  const { make, told, names, refusals } = setup(t)
  const receiver = await make({ interfaces: ['a'] }).ready()
  assert.deepEqual(told(), [])
  await receiver.join({ interface: 'b' })
  assert.deepEqual(told(), ['joined b'])
  await receiver.join({ interface: 'b' })
  await receiver.join()
  assert.deepEqual(told(), [])
  await receiver.leave({ interface: 'b' })
  assert.deepEqual(told(), ['left b'])
  refusals['10.0.3.1'] = 'EPERM'
  await assert.rejects(receiver.join({ interface: 'c' }), { code: 'ERR_MULTICAST_JOIN' })
  assert.deepEqual([names(receiver), told()], [['a'], []])
  await receiver.join({ interface: 'b', source: '10.0.9.9' })
  await receiver.join({ interface: 'b', source: '10.0.9.8' })
  assert.deepEqual(told(), ['joined b 10.0.9.9', 'joined b 10.0.9.8'])
  await receiver.leave({ source: '10.0.9.9' })
  assert.deepEqual([names(receiver), told()], [['a', 'b 10.0.9.8'], ['left b 10.0.9.9']])
  await receiver.join({ interface: 'b', source: '10.0.9.9' })
  await receiver.leave({ interface: 'b' })
  assert.deepEqual(names(receiver), ['a'])
  await receiver.join({ interface: 'b' })
  told()
  await receiver.leave()
  assert.deepEqual([names(receiver), told()], [[], ['left a', 'left b']])
  // Nothing at all to leave is no mistake, something that is not joined is one.
  await receiver.leave()
  for (const wrong of [{ interface: 'a' }, { source: '10.0.9.9' }]) {
    await assert.rejects(receiver.leave(wrong), {
      code: 'ERR_MULTICAST_LEAVE',
      message: /There is no membership like .*: the memberships are \[\]/,
    })
  }
})

test('of several that are named all are joined, or none', async (t) => {
  const { make, told, names, refusals, has, open } = setup(t)
  for (const of of [group, zoned]) {
    const receiver = await make({ group: of, interfaces: ['a', 'b', 'c'] }).ready()
    await receiver.leave({ interface: 'b' })
    await receiver.leave({ interface: 'c' })
    assert.deepEqual(told(), ['left b', 'left c'])
    refusals['10.0.3.1'] = 'EPERM'
    refusals['::%c'] = 'EPERM'
    const before = has('not joined: ')
    await assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_JOIN' })
    assert.equal(has('not joined: '), before + 1)
    assert.deepEqual([names(receiver), told()], [['a'], []])
    for (let turns = 0; turns < 5; turns += 1) await turn()
    assert.equal(open(), 1, 'no socket is left behind')
    delete refusals['10.0.3.1']
    delete refusals['::%c']
    await receiver.join()
    assert.deepEqual(
      [names(receiver), told()],
      [
        ['a', 'b', 'c'],
        ['joined b', 'joined c'],
      ],
    )
    await receiver.close()
    refusals['10.0.2.1'] = 'EPERM'
    refusals['::%b'] = 'EPERM'
    await assert.rejects(make({ group: of, interfaces: ['a', 'b'] }).ready(), {
      code: 'ERR_MULTICAST_JOIN',
      message: /on b: .*EPERM/,
    })
    delete refusals['10.0.2.1']
    delete refusals['::%b']
  }
})

for (const followInterfaces of [false, true]) {
  const how = followInterfaces ? 'followed' : 'not followed'

  test(`of 'all', ${how}, what can be joined is, and nothing is no success`, async (t) => {
    const { make, refusals, names, has, open } = setup(t)
    refusals['::%b'] = 'EPERM'
    const apart = await make({ followInterfaces, group: zoned }).ready()
    assert.deepEqual(names(apart), ['lo', 'a', 'c'])
    await turn()
    assert.equal(open(), 3)
    for (const at of [1, 2]) refusals[`10.0.${at}.1`] = 'EPERM'
    const receiver = await make({ followInterfaces }).ready()
    assert.deepEqual(names(receiver), ['lo', 'c'])
    assert.equal(has(/not joined.*on a: .*EPERM/), 1)
    refusals['10.0.3.1'] = 'EACCES'
    refusals['127.0.0.1'] = 'ENOBUFS'
    // The first refusal is what it fails with.
    await assert.rejects(make({ followInterfaces, port: 1 }).ready(), {
      code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
    })
  })

  test(`a name that is refused for good, ${how}, fails to open`, async (t) => {
    const { make, refusals } = setup(t)
    refusals['10.0.1.1'] = 'EPERM'
    for (const interfaces of ['a', ['b', 'a']]) {
      const failing = make({ interfaces, followInterfaces })
      await assert.rejects(failing.ready(), { code: 'ERR_MULTICAST_JOIN', message: /on a: / })
    }
  })

  test(`the loopback interface alone is told of once, where 'all' is asked for, ${how}`, async (t) => {
    const { make, has, host } = setup(t, [])
    const alone = () => has('is joined on the loopback interface alone')
    await make({ interfaces: ['lo'], followInterfaces }).ready()
    assert.equal(alone(), 0)
    const receiver = await make({ followInterfaces, port: 1 }).ready()
    assert.equal(alone(), 1)
    await receiver.join()
    await receiver.join({ interface: 'all' })
    assert.equal(alone(), 1)
    host.add('d')
    await make({ followInterfaces, port: 2 }).ready()
    assert.equal(alone(), 1)
    // On Linux a label is listed as another interface.
    const networkInterfaces = () => {
      const { d: web, ...others } = host.networkInterfaces()
      return { ...others, 'd:web': web }
    }
    await make({ followInterfaces, port: 3, networkInterfaces }).ready()
    assert.equal(alone(), 1)
  })
}

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

test('for every sender and for one it cannot be joined on one interface', async (t) => {
  const { make, names, refusals } = setup(t)
  for (const followInterfaces of [false, true]) {
    const receiver = await make({ interfaces: ['a'], followInterfaces }).ready()
    const isMix = {
      code: 'ERR_MULTICAST_JOIN',
      message: /cannot be both for every sender and for one/,
    }
    await assert.rejects(receiver.join({ interface: 'a', source: '10.0.9.9' }), isMix)
    assert.deepEqual(names(receiver), ['a'])
    await receiver.close()
  }
  // Over IPv6 the sources are the same everywhere, or the last ones would be those of all.
  const sources = ['fd09::1', 'fd09::2']
  const receiver = await make({ group: 'ff05::1:3', interfaces: ['a', 'b'], sources }).ready()
  const isMix = { message: /must have the same sources on each interface/ }
  await assert.rejects(receiver.leave({ interface: 'a', source: 'fd09::1' }), {
    ...isMix,
    code: 'ERR_MULTICAST_LEAVE',
  })
  await assert.rejects(receiver.join({ interface: 'c', source: 'fd09::1' }), {
    ...isMix,
    code: 'ERR_MULTICAST_JOIN',
  })
  assert.equal(names(receiver).length, 4)
  await receiver.leave({ source: 'fd09::1' })
  assert.deepEqual(names(receiver), ['a fd09::2', 'b fd09::2'])
  // With a socket for each zone they may differ.
  const apart = await make({
    group: zoned,
    interfaces: ['a', 'b'],
    sources: ['fe80::9', 'fe80::8'],
  }).ready()
  await apart.leave({ interface: 'a', source: 'fe80::9' })
  assert.deepEqual(names(apart), ['a fe80::8', 'b fe80::9', 'b fe80::8'])
  assert.deepEqual(refusals, {})
})

test('a zone has a socket of its own, which closes with its last membership, but for the last of all', async (t) => {
  const { make, open, told } = setup(t)
  const settled = async (count: number): Promise<void> => {
    for (let turns = 0; turns < 10; turns += 1) await turn()
    assert.equal(open(), count)
  }
  const receiver = await make({ group: zoned, interfaces: ['a', 'b'] }).ready()
  await settled(2)
  await receiver.join({ interface: 'a' })
  await receiver.join({ interface: 'c' })
  await settled(3)
  await receiver.leave({ interface: 'c' })
  await settled(2)
  await receiver.leave()
  await settled(1)
  assert.equal(receiver.address().port, port)
  await receiver.join({ interface: 'c' })
  await settled(1)
  assert.deepEqual(told(), ['joined c', 'left c', 'left a', 'left b', 'joined c'])
  const one = await make({ group: 'ff05::1:3', interfaces: ['a', 'b'], port: 1 }).ready()
  await settled(2)
  await one.leave()
  await settled(2)
  await one.close()
  // Bound to any address, one is enough.
  await make({ group: zoned, bindAddress: 'any', interfaces: ['a', 'b'], port: 2 }).ready()
  await settled(2)
})

test('of port 0 the first socket picks the port for all', async (t) => {
  const { make } = setup(t)
  const receiver = await make({ group: zoned, port: 0, interfaces: ['a', 'b'] }).ready()
  const { port: own } = receiver.address()
  assert.ok(own > 0)
  await receiver.join({ interface: 'c' })
  await receiver.leave({ interface: 'a' })
  await receiver.leave({ interface: 'b' })
  assert.equal(receiver.address().port, own)
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

  test(`of ${of}, join() renews what the system has lost, and tells of it`, async (t) => {
    const { make, host, told, names, has } = setup(t)
    const plug = { segment: 'lan', addresses: ['10.0.1.7/24', 'fd01::7/64', 'fe80::7/64'] }
    const receiver = await make({
      group: of,
      interfaces: ['a', 'b'],
      followInterfaces: false,
    }).ready()
    host.remove('a')
    host.add('a', plug)
    await receiver.join({ interface: 'b' })
    assert.deepEqual(names(receiver).sort(), ['a', 'b'])
    assert.deepEqual(told(), ['lost a', 'joined a'])
    assert.equal(has('lost by the system'), 1)
    host.remove('a')
    // Over IPv6 a zone that is away cannot be asked for.
    await receiver.join({ interface: 'b' })
    if (of === group) assert.deepEqual([names(receiver), told()], [['b'], ['lost a']])
    assert.equal(has('not renewed'), 0, 'what is away is not tried')
    host.add('a', plug)
    await receiver.join()
    told()
    host.remove('a')
    host.add('a', plug)
    await receiver.join({ interface: 'c' })
    await receiver.leave({ interface: 'c' })
    host.remove('a')
    host.add('a', plug)
    await receiver.leave({ interface: 'b' })
    assert.deepEqual(told(), [
      ...['lost a', 'joined a', 'joined c', 'left c'],
      ...['left b', 'lost a', 'joined a'],
    ])
    await receiver.join({ interface: 'b' })
    assert.deepEqual(names(receiver).sort(), ['a', 'b'])
    host.down('a')
    await receiver.leave({ interface: 'a' })
    assert.deepEqual(names(receiver), ['b'])
    assert.equal(has('replacing the socket'), of === zoned ? 4 : 0)
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

test('without being followed nothing is waited for that is gone', async (t) => {
  const { make, host, names } = setup(t)
  let listed = 0
  const networkInterfaces = () => {
    listed += 1
    return host.networkInterfaces()
  }
  const options = { interfaces: ['a', 'b'], followInterfaces: false, networkInterfaces }
  const receiver = await make(options).ready()
  assert.equal(listed, 1, 'to open, the interfaces are listed once')
  host.remove('a')
  await receiver.join({ interface: 'b' })
  assert.deepEqual(names(receiver), ['b'])
  await assert.rejects(receiver.leave({ interface: 'a' }), { code: 'ERR_MULTICAST_INTERFACE' })
  const routed = await make({ interfaces: 'default', followInterfaces: false, port: 1 }).ready()
  await assert.rejects(routed.leave({ interface: '10.0.2.1' }), { code: 'ERR_MULTICAST_LEAVE' })
})

test("what is joined by the system's route is joined again as it is, and beside no name", async (t) => {
  const { make, host, told, names, calls } = setup(t)
  for (const followInterfaces of [false, true]) {
    const receiver = await make({ interfaces: 'default', followInterfaces }).ready()
    calls.splice(0)
    await receiver.join()
    assert.deepEqual([names(receiver), told()], [['default'], []])
    assert.ok(!calls.some((call) => call.startsWith('leave')))
    await assert.rejects(receiver.join({ interface: 'b' }), { code: 'ERR_MULTICAST_JOIN' })
    assert.deepEqual([names(receiver), told()], [['default'], []])
    await receiver.close()
    const named = await make({ interfaces: ['b', 'c'], followInterfaces }).ready()
    await assert.rejects(named.join({ interface: 'default' }), { code: 'ERR_MULTICAST_JOIN' })
    assert.deepEqual([names(named), told()], [['b', 'c'], []])
    await named.close()
  }
  // One after the other, so that one is heard while the other moves.
  const sources = ['10.0.9.8', '10.0.9.9']
  await make({ interfaces: 'default', followInterfaces: true, sources }).ready()
  host.down('a')
  await turn()
  assert.deepEqual(
    told(),
    sources.flatMap((source) => [`left default ${source}`, `joined default ${source}`]),
  )
})

for (const options of [{ group }, { group: zoned }, { group: zoned, reuseAddr: false }] as const) {
  test(`what is lost at the very moment of a join is renewed: ${JSON.stringify(options)}`, async (t) => {
    const { make, host, told, names, has, createSocket, open, hears } = setup(t)
    const isZoned = options.group === zoned
    let isLost = false
    let isRefused = false
    const losing: CreateSocket = (given) => {
      if (isRefused) throw new Error('no more sockets')
      const socket = createSocket(given)
      const genuine = socket.addMembership.bind(socket)
      const connect = socket.connect.bind(socket)
      // As late as a carrier may.
      socket.connect = (at, address, done) =>
        connect(at, address, (error) => setImmediate(done, error))
      socket.addMembership = (address, on) => {
        try {
          genuine(address, on)
        } finally {
          // After it was found to be joined still.
          if (isLost && on === (isZoned ? '::%b' : '10.0.2.1')) {
            isLost = false
            host.remove('b')
            host.add('b')
          }
        }
      }
      return socket
    }
    const own = { interfaces: ['a', 'b'], followInterfaces: false, createSocket: losing }
    const receiver = await make({ ...own, ...options }).ready()
    isLost = true
    await receiver.join({ interface: 'b' })
    assert.deepEqual(
      [names(receiver), told()],
      [
        ['a', 'b'],
        ['lost b', 'joined b'],
      ],
    )
    // Only what is bound on the interface has to be.
    assert.equal(has('replacing the socket'), isZoned ? 1 : 0)
    assert.equal(await hears(receiver, 'b', options.group), 1)
    if (!isZoned) return
    // Where there is no new socket, the old one is not taken for one that hears.
    await receiver.leave({ interface: 'a' })
    isLost = true
    isRefused = true
    await assert.rejects(receiver.join({ interface: 'b' }), { code: 'ERR_MULTICAST_SOCKET' })
    assert.deepEqual([names(receiver), told()], [[], ['left a', 'lost b']])
    isRefused = false
    await receiver.join({ interface: 'b' })
    assert.deepEqual(told(), ['joined b'])
    assert.equal(await hears(receiver, 'b', options.group), 1)
    while (open() > 1) await turn()
    assert.equal(open(), 1)
  })
}

for (const of of [group, 'ff05::1:3']) {
  test(`of ${of}, what is lost gives its room back, and never at the cost of another`, async (t) => {
    const { make, host, told, names, has, hears } = setup(t)
    const receiver = await make({
      group: of,
      interfaces: ['a', 'b'],
      followInterfaces: false,
    }).ready()
    for (let times = 0; times < 30; times += 1) {
      host.remove('a')
      await receiver.join({ interface: 'b' })
      host.add('a')
      await receiver.join({ interface: 'a' })
      assert.deepEqual(names(receiver).sort(), ['a', 'b'])
    }
    assert.equal(has('replacing the socket'), 0)
    // With another address it is still joined there.
    host.readdress('b', ['10.0.2.7/24', 'fd02::7/64'])
    told()
    await receiver.join({ interface: 'a' })
    assert.deepEqual(told(), [])
    await receiver.close()
    if (of !== group) return
    // What it was joined by is another's address now, by which that one would be left.
    const followed = await make({ interfaces: ['a', 'b'], followInterfaces: true, port: 1 }).ready()
    host.readdress('b', ['10.0.2.1/24', '10.0.1.1/24'])
    host.remove('a')
    await turn()
    assert.deepEqual([names(followed), told()], [['b'], ['lost a']])
    assert.equal(await hears(followed, 'b'), 1)
  })
}

test('a socket without room is replaced by one that is bound alike, and has joined the same', async (t) => {
  const { make, host, names, has, hears } = setup(t)
  const interfaces = ['a', 'b', 'c']
  const options = { interfaces, followInterfaces: false, bindAddress: 'any' }
  const receiver = await make(options).ready()
  // One has another address by then, and one is down.
  host.readdress('b', ['10.0.2.7/24'])
  host.down('c')
  let times = 0
  for (; times < 30 && has('replacing the socket') === 0; times += 1) {
    host.remove('a')
    // It cannot be given back by an address that is another's now.
    host.add(`x${times}`, { segment: 'lan', addresses: [`10.0.1.${times + 1}/24`] })
    host.add('a', { segment: 'lan', addresses: [`10.0.1.${times + 2}/24`] })
    await receiver.join({ interface: 'a' })
  }
  assert.ok(times > 15 && times < 30, `${times}`)
  assert.equal(receiver.address().address, '0.0.0.0')
  assert.deepEqual(names(receiver).sort(), interfaces)
  host.up('c')
  for (const on of interfaces) assert.equal(await hears(receiver, on), 1, on)
})

test('a reply leaves by the zone that the message came in, whether its address tells that or not', async (t) => {
  const { network, host, make, has } = setup(t, [])
  host.add('a', { segment: 'red', addresses: ['fd01::1/64', 'fe80::1/64'] })
  host.add('b', { segment: 'blue', addresses: ['fd02::1/64', 'fe80::2/64'] })
  const far = { segment: 'blue', addresses: ['fd02::9/64', 'fe80::9/64'] }
  const other = network.host({ interfaces: { far } })
  const receiver = await make({ group: zoned, interfaces: ['a', 'b'] }).ready()
  receiver.on('message', (_, remote) => receiver.reply('me', remote))
  for (const localAddress of ['fd02::9', 'fe80::9%far']) {
    const where = { group: zoned, port, interfaces: 'far', localAddress }
    const sender = await keep(new MulticastSender({ ...where, ...other })).ready()
    const replies: string[] = []
    sender.on('message', (message) => replies.push(String(message)))
    await sender.send('who is there?')
    await network.settled()
    assert.deepEqual(replies, ['me'])
  }
  assert.equal(has('2 bytes to fe80::9%b port'), 1)
})

test('a reply is refused while there is no socket to send it by', async (t) => {
  const { host, make } = setup(t)
  const receiver = await make({ interfaces: ['d'], followInterfaces: true }).ready()
  const remote = { address: '10.0.1.1', port: 1 }
  const isRefused = { code: 'ERR_MULTICAST_SEND', message: /no interface to send through/ }
  await assert.rejects(receiver.reply('me', remote), isRefused)
  host.add('d')
  await turn()
  assert.equal(await receiver.reply('me', remote), 2)
  await receiver.close()
  // Where no zone is told, that of the first socket is meant.
  const zones = await make({ group: zoned, interfaces: ['a'] }).ready()
  assert.equal(await zones.reply('me', { address: 'fe80::9', port: 1 }), 2)
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

test("'all' is what there is at the time, also where nothing was looked for before", async (t) => {
  const { make, host, names } = setup(t)
  const receiver = await make({ interfaces: 'default', followInterfaces: false }).ready()
  await receiver.leave()
  host.add('d')
  host.remove('b')
  await receiver.join({ interface: 'all' })
  assert.deepEqual(names(receiver), ['lo', 'a', 'c', 'd'])
})

test('what was lost is renewed as it was asked for: by its address, or where the route leads', async (t) => {
  const { make, host, told, names } = setup(t)
  // Nobody tells it of changes.
  const unwatched = { watchInterfaces: undefined }
  const given = ['10.0.1.1', '10.0.2.1']
  const receiver = await make({ interfaces: given, followInterfaces: false }).ready()
  host.remove('a')
  host.remove('b')
  host.add('d', { segment: 'lan', addresses: ['10.0.1.1/24', '10.0.2.1/24'] })
  await receiver.join({ interface: 'c' })
  assert.deepEqual(names(receiver), ['d', 'c'])
  assert.deepEqual(told(), ['lost a', 'lost b', 'joined d', 'joined c'])
  host.remove('d')
  const routed = { interfaces: 'default', followInterfaces: true, port: 1, ...unwatched }
  const one = await make(routed).ready()
  host.remove('c')
  host.add('c')
  await one.join()
  assert.deepEqual([names(one), told()], [['default'], ['lost default', 'joined default']])
})

test('what is lost with its zone takes its socket along, as soon as anything is left', async (t) => {
  const { make, host, names, refusals, open } = setup(t)
  const options = { group: zoned, interfaces: ['a', 'b', 'c'], followInterfaces: false }
  const receiver = await make(options).ready()
  host.remove('a')
  host.add('a')
  refusals['join ::%a'] = 'ENODEV'
  await receiver.leave({ interface: 'b' })
  assert.deepEqual(names(receiver), ['c'])
  while (open() > 1) await turn()
  assert.equal(open(), 1)
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

test("'all' of a host without an interface is an error where it is not followed", async (t) => {
  const { make, host } = setup(t, [])
  host.down('lo')
  await assert.rejects(make({ group: zoned, followInterfaces: false }).ready(), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /There is no interface with an IPv6 address to join on/,
  })
})

test('it is left by its name, by an address, and as it was asked for', async (t) => {
  const { make, names, host, hears } = setup(t)
  for (const followInterfaces of [false, true]) {
    const receiver = await make({ interfaces: ['a', '10.0.2.1', 'c'], followInterfaces }).ready()
    assert.deepEqual(names(receiver), ['a', 'b', 'c'])
    const isUnlike = {
      code: 'ERR_MULTICAST_LEAVE',
      message: /interface: 'default', source: undefined/,
    }
    await assert.rejects(receiver.leave({ interface: 'default' }), isUnlike)
    await assert.rejects(receiver.leave({ interface: 'nosuch' }), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /^interface is 'nosuch'/,
    })
    await receiver.leave({ interface: '10.0.1.1' })
    assert.deepEqual(names(receiver), ['b', 'c'])
    await receiver.leave({ interface: 'b' })
    assert.deepEqual(names(receiver), ['c'])
    await receiver.join({ interface: '10.0.2.1' })
    await receiver.leave({ interface: '10.0.2.1' })
    assert.deepEqual(names(receiver), ['c'])
    await receiver.close()
  }
  // The address of an interface that is down is still that of what is joined there.
  const receiver = await make({ interfaces: ['a', 'b'], followInterfaces: false }).ready()
  host.down('a')
  await receiver.leave({ interface: '10.0.1.1' })
  assert.deepEqual(names(receiver), ['b'])
  host.up('a')
  assert.deepEqual([await hears(receiver, 'a'), await hears(receiver, 'b')], [0, 1])
})

test('by an address that another has, or was joined by, it is not left in the place of that', async (t) => {
  const { make, names, host, told } = setup(t)
  const options = { interfaces: ['a', 'b'], followInterfaces: false }
  // Whichever of the two the system finds by it.
  for (const [one, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    host.readdress('a', ['10.0.1.1/24'])
    host.readdress('b', ['10.0.2.1/24'])
    const receiver = await make(options).ready()
    host.readdress(one, ['10.0.5.1/24'])
    host.readdress(other, ['10.0.5.2/24', '10.0.5.1/24'])
    await receiver.leave({ interface: one })
    assert.deepEqual([names(receiver), told()], [[other], [`left ${one}`]])
    await receiver.close()
  }
  host.readdress('a', ['10.0.1.1/24'])
  host.readdress('b', ['10.0.2.1/24'])
  const receiver = await make({ ...options, interfaces: ['a'] }).ready()
  host.readdress('a', ['10.0.7.1/24'])
  host.readdress('b', ['10.0.1.1/24'])
  await receiver.join({ interface: 'b' })
  // Nothing stands for it any more but what the other was joined by.
  host.readdress('a', [])
  host.readdress('b', ['10.0.7.2/24'])
  told()
  await receiver.leave({ interface: 'a' })
  assert.deepEqual([names(receiver), told()], [['b'], ['left a']])
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
