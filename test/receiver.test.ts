import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { mock, test } from 'node:test'
import { shown } from '../src/errors.js'
import { type CreateSocket, MulticastReceiver } from '../src/index.js'
import { v4 } from './addresses.js'
import { runProgram } from './child.js'
import { group, makeReceiver, makeSender } from './loopback.js'

// Everything here is pinned to 127.0.0.1. What takes several interfaces or hosts is tested in
// namespaces: see joining.test.ts, isolation.test.ts and ipv6.test.ts.
const address = '127.0.0.1'
const lo = 'lo'

function altered(members: Partial<Record<keyof Socket, unknown>>): CreateSocket {
  return (options) => Object.assign(createSocket(options), members)
}

test('a message comes with its sender, to whom a reply goes from the port of the group', async () => {
  const receiver = await makeReceiver().ready()
  const { port } = receiver.address()
  const sender = makeSender(port)
  const heard = once(receiver, 'message')
  await sender.send('群發的消息,你不必回')
  const [message, remote] = await heard
  assert.equal(message, '群發的消息,你不必回')
  assert.deepEqual(remote, { address, family: 'IPv4', port: sender.address().port, size: 28 })
  const replied = once(sender, 'message')
  assert.equal(await receiver.reply('組播消息已經收到', remote), 24)
  const [reply, from] = await replied
  assert.equal(reply, '組播消息已經收到')
  assert.equal(from.port, port)
})

test('every receiver of a port hears every message', async () => {
  const first = await makeReceiver().ready()
  const { port } = first.address()
  const second = await makeReceiver({ port }).ready()
  const heard = Promise.all([once(first, 'message'), once(second, 'message')])
  await makeSender(port).send('x')
  assert.deepEqual(
    (await heard).map(([message]) => message),
    ['x', 'x'],
  )
})

test('a reply to what is no sender rejects, and a reply of the wrong type', async () => {
  const receiver = await makeReceiver().ready()
  for (const wrong of [{}, { address: 'example', port: 9 }, { address: '::1', port: 9 }]) {
    await assert.rejects(receiver.reply('x', wrong as never), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^remote\.address must be a unicast IPv4 address/,
    })
  }
  for (const wrong of [address, `${address}:9`, 7, undefined, null]) {
    await assert.rejects(receiver.reply('x', wrong as never), {
      code: 'ERR_MULTICAST_OPTION',
      message: `remote must be what came with a message, or { address, port }, but is ${shown(wrong)}`,
    })
  }
  for (const port of [0, 65536, 1.5, '9', undefined]) {
    await assert.rejects(receiver.reply('x', { address, port } as never), {
      code: 'ERR_MULTICAST_PORT',
      message: `remote.port must be an integer from 1 to 65535, but is ${shown(port)}`,
    })
  }
  await assert.rejects(receiver.reply(7 as never, { address, port: 9 }), {
    code: 'ERR_MULTICAST_MESSAGE_TYPE',
  })
  await receiver.close()
  await assert.rejects(receiver.reply('x', { address, port: 9 }), { code: 'ERR_MULTICAST_CLOSED' })
})

test('a reply to a forged sender does not end the process of a listener that does not look', async () => {
  const { code, stdout } = await runProgram(`
    const where = { group: '${group}', codec: text }
    const receiver = new MulticastReceiver({ ...where, port: 0, interfaces: ['${address}'] })
    await receiver.ready()
    const { port } = receiver.address()
    const sender = new MulticastSender({ ...where, port, interfaces: '${address}' })
    receiver.once('message', (message, remote) => {
      receiver.reply(message, { ...remote, port: 0 })
      receiver.reply(message, remote)
    })
    for await (const { message } of sender.request('alive', { limit: 1 })) console.log(message)
    await Promise.all([sender.close(), receiver.close()])
  `)
  assert.deepEqual([code, stdout], [0, 'alive\n'])
})

test('a wrong reply before anybody can have sent anything ends the process as any rejection', async () => {
  const { code, stderr } = await runProgram(`
    const receiver = new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['${address}'] })
    receiver.reply('x', { address: '${address}', port: 0 })
    await receiver.ready()
    await receiver.close()
  `)
  assert.equal(code, 1)
  assert.match(stderr, /ERR_MULTICAST_PORT/)
})

test('it joins on what it is told to, once for each interface', async () => {
  const receiver = await makeReceiver({ interfaces: [lo, address] }).ready()
  assert.deepEqual(receiver.memberships, [{ interface: lo }])
})

test('before listening it has joined nothing', () => {
  assert.deepEqual(makeReceiver().memberships, [])
})

test('joining what is joined changes nothing, leaving takes it away, and both by name or address', async () => {
  const receiver = makeReceiver()
  await receiver.join({ interface: lo })
  await receiver.join({ interface: address })
  await receiver.join()
  assert.deepEqual(receiver.memberships, [{ interface: lo }])
  await receiver.leave({ interface: address })
  assert.deepEqual(receiver.memberships, [])
  await receiver.join()
  await receiver.leave()
  assert.deepEqual(receiver.memberships, [])
  await receiver.leave()
})

test('each membership is what leave takes', async () => {
  const receiver = await makeReceiver({ sources: ['127.0.0.1', '192.0.2.1'] }).ready()
  const [first, second] = receiver.memberships
  assert.deepEqual(receiver.memberships, [
    { interface: lo, source: '127.0.0.1' },
    { interface: lo, source: '192.0.2.1' },
  ])
  await receiver.leave(second)
  assert.deepEqual(receiver.memberships, [first])
  await receiver.leave(first)
  assert.deepEqual(receiver.memberships, [])
})

test('leaving what is not joined rejects with what is', async () => {
  const receiver = await makeReceiver({ sources: ['192.0.2.1'] }).ready()
  await assert.rejects(receiver.leave({ source: '192.0.2.2' }), {
    code: 'ERR_MULTICAST_LEAVE',
    message: /192\.0\.2\.2.*\[\{"interface":"lo","source":"192\.0\.2\.1"\}\]/,
  })
  await assert.rejects(receiver.leave({ interface: 'default' }), { code: 'ERR_MULTICAST_LEAVE' })
  await assert.rejects(receiver.leave({ interface: 'nosuch0' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /lo \(127\.0\.0\.1\)/,
  })
  await assert.rejects(receiver.leave({ sorce: 'x' } as never), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
  })
})

test('joining what cannot be joined rejects, and leaves what was joined', async () => {
  const receiver = await makeReceiver({ sources: ['192.0.2.1'] }).ready()
  await assert.rejects(receiver.join({ source: 'fe80::1' }), { code: 'ERR_MULTICAST_SOURCE' })
  await assert.rejects(receiver.join({ interface: 'nosuch0' }), { code: 'ERR_MULTICAST_INTERFACE' })
  await assert.rejects(receiver.join({ interface: 'default' }), {
    code: 'ERR_MULTICAST_JOIN',
    message: /already joined on lo.*'default'/,
  })
  await assert.rejects(receiver.join({ interface: 7 } as never), { code: 'ERR_MULTICAST_OPTION' })
  assert.deepEqual(receiver.memberships, [{ interface: lo, source: '192.0.2.1' }])
  await receiver.close()
  await assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_CLOSED' })
  await assert.rejects(receiver.leave(), { code: 'ERR_MULTICAST_CLOSED' })
})

test('a join or leave that closing overtakes rejects with the reason', async () => {
  for (const end of ['close', 'abort']) {
    const controller = new AbortController()
    const receiver = await makeReceiver({ signal: controller.signal }).ready()
    const late = [receiver.leave(), receiver.join({ interface: lo }), receiver.leave()]
    if (end === 'abort') controller.abort(null)
    else receiver.close()
    for (const one of late) {
      await one.then(
        () => assert.fail('it was closed'),
        (reason) =>
          assert.equal(reason?.code, end === 'abort' ? undefined : 'ERR_MULTICAST_CLOSED'),
      )
    }
    await receiver.close()
    assert.deepEqual(receiver.memberships, [])
  }
})

test('an interface is joined for every sender or for some, not both, and the error says so', async () => {
  const mixed = { code: 'ERR_MULTICAST_JOIN', message: /both for every sender and for one/ }
  const receiver = await makeReceiver().ready()
  await assert.rejects(receiver.join({ source: '192.0.2.1' }), mixed)
  assert.deepEqual(receiver.memberships, [{ interface: lo }])
  const sender = makeSender(receiver.address().port)
  const heard = once(receiver, 'message')
  await sender.send('still for every sender')
  await heard
})

test('only the sources are heard, as they are joined and left', async () => {
  const receiver = await makeReceiver({ sources: ['192.0.2.1'] }).ready()
  const heard = receiver[Symbol.asyncIterator]()
  const { port } = receiver.address()
  const sender = makeSender(port)
  // It tells when a message was delivered that the other did not hear.
  const control = (await makeReceiver({ port }).ready())[Symbol.asyncIterator]()
  await sender.send('foreign')
  assert.equal((await control.next()).value?.message, 'foreign')
  await receiver.join({ source: address })
  await sender.send('joined')
  assert.equal((await heard.next()).value?.message, 'joined')
  await receiver.leave({ source: address })
  await sender.send('left')
  for (const message of ['joined', 'left']) {
    assert.equal((await control.next()).value?.message, message)
  }
  await receiver.join({ source: address })
  await sender.send('again')
  assert.equal((await heard.next()).value?.message, 'again')
})

test('an eleventh source is over the limit of a membership', async () => {
  const sources = Array.from({ length: 11 }, (_, index) => `192.0.2.${index + 1}`)
  await assert.rejects(makeReceiver({ sources }).ready(), {
    code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
    message: /from 192\.0\.2\.11: .*igmp_max_msf/,
  })
  const receiver = await makeReceiver({ sources: ['198.51.100.1'] }).ready()
  for (const source of sources.slice(0, 9)) await receiver.join({ source })
  await assert.rejects(receiver.join({ source: '192.0.2.10' }), {
    code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
  })
  assert.equal(receiver.memberships.length, 10)
})

test('what is no membership is told how to write one', async () => {
  const receiver = await makeReceiver().ready()
  for (const change of [receiver.join, receiver.leave]) {
    const changing = (given: unknown) => change.call(receiver, given as never)
    await assert.rejects(changing('eth0'), {
      code: 'ERR_MULTICAST_OPTION',
      message: "A membership must be an object, but is 'eth0': write { interface: 'eth0' }",
    })
    for (const wrong of [['eth0'], 7, null]) {
      await assert.rejects(changing(wrong), {
        code: 'ERR_MULTICAST_OPTION',
        message: `The options must be an object, but are ${shown(wrong)}. The options are: interface, source`,
      })
    }
  }
  await assert.rejects(receiver.join({ interface: 'nosuch0' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /^interface is 'nosuch0', which is not an interface/,
  })
  await assert.rejects(receiver.leave({ interface: 'all' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: "interface is 'all', which is only for join(): omit interface to leave them all",
  })
  assert.deepEqual(receiver.memberships, [{ interface: lo }])
})

test("where one of 'all' cannot be joined the others are", async () => {
  const two = () => ({
    lo: networkInterfaces().lo ?? [],
    eth9: [v4('127.0.0.2')],
  })
  const added: unknown[] = []
  const createSocket = altered({
    addMembership(_group: string, on: string) {
      added.push(on)
      if (added.length === 1)
        throw Object.assign(new Error('addMembership ENODEV'), { code: 'ENODEV' })
    },
  })
  const receiver = await makeReceiver({
    interfaces: 'all',
    networkInterfaces: two,
    createSocket,
  }).ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'eth9' }])
})

test("where none of 'all' can be joined opening fails, as where there is none, if that is not followed", async () => {
  const cause = Object.assign(new Error('addMembership ENODEV'), { code: 'ENODEV' })
  const createSocket = altered({
    addMembership() {
      throw cause
    },
  })
  const one = () => ({ lo: networkInterfaces().lo ?? [] })
  // Followed, it would wait for what passes.
  const all = { interfaces: 'all', followInterfaces: false }
  await assert.rejects(makeReceiver({ ...all, networkInterfaces: one, createSocket }).ready(), {
    code: 'ERR_MULTICAST_JOIN',
    message: /on lo: addMembership ENODEV \(.*name one/,
    cause,
  })
  await assert.rejects(
    makeReceiver({ ...all, networkInterfaces: () => ({}), createSocket }).ready(),
    {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /no interface with an IPv4 address/,
    },
  )
})

test('where one of a list cannot be joined none is', async () => {
  const two = () => ({
    lo: networkInterfaces().lo ?? [],
    eth9: [v4('127.0.0.2')],
  })
  let calls = 0
  const dropped: unknown[] = []
  const createSocket = altered({
    addMembership() {
      calls += 1
      if (calls === 3) throw new Error('addMembership EWEIRD')
    },
    dropMembership(_group: string, on: string) {
      dropped.push(on)
    },
  })
  const receiver = await makeReceiver({
    interfaces: [lo, 'eth9'],
    networkInterfaces: two,
    createSocket,
  }).ready()
  await receiver.leave()
  assert.equal(dropped.length, 2)
  await assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_JOIN', message: /on lo.*EWEIRD/ })
  calls = 1
  dropped.length = 0
  await assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_JOIN', message: /on eth9.*EWEIRD/ })
  assert.equal(dropped.length, 1)
  assert.deepEqual(receiver.memberships, [])
})

test('a membership that cannot be renewed for want of room says which limit it is', async () => {
  let isFull = false
  const cause = Object.assign(new Error('addMembership ENOBUFS'), { code: 'ENOBUFS' })
  const createSocket = altered({
    addMembership() {
      if (isFull) throw cause
    },
  })
  const receiver = await makeReceiver({ createSocket }).ready()
  isFull = true
  await assert.rejects(receiver.join(), {
    code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
    message: /as many memberships as it may .*igmp_max_memberships/,
    cause,
  })
})

test('a membership that the kernel has lost can be left', async () => {
  const createSocket = altered({
    dropMembership() {
      throw Object.assign(new Error('dropMembership EADDRNOTAVAIL'), { code: 'EADDRNOTAVAIL' })
    },
  })
  const receiver = await makeReceiver({ createSocket }).ready()
  await receiver.leave()
  assert.deepEqual(receiver.memberships, [])
})

test('it is bound to the group on Linux, to any address or to one where it is told to', async () => {
  const bound = async (bindAddress?: string) => {
    const receiver = await makeReceiver({ bindAddress }).ready()
    return receiver.address().address
  }
  assert.equal(await bound(), process.platform === 'linux' ? group : '0.0.0.0')
  assert.equal(await bound('group'), group)
  assert.equal(await bound('any'), '0.0.0.0')
  assert.equal(await bound('127.0.0.1'), '127.0.0.1')
})

test('bound to any it hears unicast on its port', async () => {
  const receiver = await makeReceiver({ bindAddress: 'any' }).ready()
  const heard = once(receiver, 'message')
  const socket = createSocket('udp4')
  socket.send('unicast', receiver.address().port, address, () => socket.close())
  assert.equal((await heard)[0], 'unicast')
})

test('the sizes of the buffers are asked for', async () => {
  const set = mock.fn()
  const createSocket = altered({ setRecvBufferSize: set, setSendBufferSize: set })
  await makeReceiver({ createSocket, recvBufferSize: 4096, sendBufferSize: 8192 }).ready()
  assert.deepEqual(
    set.mock.calls.map((call) => call.arguments),
    [[4096], [8192]],
  )
})

test('a second argument means nothing, whatever it is', () => {
  const Loose = MulticastReceiver as unknown as new (...given: unknown[]) => MulticastReceiver
  // Without a constructor of its own it passes on whatever it is given.
  class Own extends Loose {}
  for (const Made of [Loose, Own]) {
    for (const second of [10000, 'x', {}, null]) {
      assert.throws(() => new Made('239.1.2.3', second), {
        code: 'ERR_MULTICAST_OPTION',
        message: /options must be an object/,
      })
    }
  }
})
