/** What a receiver joins and leaves by hand, on the network in memory: by which sockets, what is told, what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CreateSocket, MulticastSender } from '../../src/index.js'
import { keep } from './endpoints.js'
import { group, port, setup, turn, zoned } from './memberships.js'

/** Waits until one socket is open: what is replaced is read for a moment more. */
async function onlyOne(open: () => number): Promise<void> {
  for (const end = Date.now() + 10_000; open() > 1 && Date.now() < end; ) await turn()
  assert.equal(open(), 1)
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
    await receiver.leave({ interface: 'default' })
    assert.equal(calls.at(-1), followInterfaces ? 'leave 10.0.1.1' : 'leave undefined')
    assert.deepEqual(told(), ['left default'])
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
    await onlyOne(open)
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
  const { make, host, names, has, hears, refusals, told, open } = setup(t, ['a', 'b', 'c', 'd'])
  const interfaces = ['a', 'b', 'c']
  const options = { interfaces: [...interfaces, 'd'], followInterfaces: false, bindAddress: 'any' }
  const receiver = await make(options).ready()
  // What the new one is refused is lost with the old one.
  refusals['10.0.4.1'] = 'EPERM'
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
  assert.equal(told().filter((event) => event === 'lost d').length, 1)
  host.up('c')
  for (const on of interfaces) assert.equal(await hears(receiver, on), 1, on)
  await onlyOne(open)
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
  await onlyOne(open)
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

test('what was joined by an address that interfaces share is left by it, if nothing else was', async (t) => {
  const { make, names, host, calls } = setup(t)
  for (const name of ['a', 'b']) host.readdress(name, ['10.0.5.1/24'])
  const interfaces = ['10.0.5.1', 'c']
  const receiver = await make({ interfaces, followInterfaces: false }).ready()
  assert.deepEqual(names(receiver), ['a', 'c'])
  await receiver.leave({ interface: '10.0.5.1' })
  assert.deepEqual(names(receiver), ['c'])
  assert.ok(calls.includes('leave 10.0.5.1'))
})
