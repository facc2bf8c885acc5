/** Senders, receivers and peers on 127.0.0.x, each of which is a host to the carrier. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import os, { networkInterfaces } from 'node:os'
import { mock, test as testOf } from 'node:test'
import {
  type Carrier,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  text,
} from '../../src/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { refuseRealSockets } from '../../src/testing/index.js'
import {
  type UnicastCarrier,
  type UnicastOptions,
  unicastCarrier,
} from '../../src/unicast/index.js'
import { runProgram } from '../child.js'
import { reach } from '../imports.js'
import { keep } from '../loopback.js'
import { freePort } from '../ports.js'
import { moduleOf } from '../tree.js'
import { BOUND, until } from '../until.js'

const group = '239.1.2.3'
const skip = process.platform === 'darwin' ? 'has 127.0.0.1 alone of 127.0.0.0/8' : false
const test = (name: string, body: () => void | Promise<void>) => testOf(name, { skip }, body)
const hosts = [2, 3, 4].map((host) => `127.9.0.${host}`)
const [one = '', two = '', three = ''] = hosts

/** A carrier at an address, whose peers are all the hosts, it included. */
function at(address: string, more: Partial<UnicastOptions> = {}): UnicastCarrier {
  return unicastCarrier({ peers: hosts, address, ...more })
}

function receiving(carrier: Carrier, port: number, more: object = {}) {
  const receiver = keep(
    new MulticastReceiver({ group, port, codec: text, ...carrier, ...more }),
  ) as MulticastReceiver<string, string>
  return { receiver, heard: new Inbox(receiver as never) }
}

function sending(carrier: Carrier, port: number, more: object = {}) {
  return keep(
    new MulticastSender({ group, port, codec: text, ...carrier, ...more }),
  ) as MulticastSender<string, string>
}

/** A plain socket at an address. */
async function plain(address: string, port = 0): Promise<Socket> {
  const socket = createSocket('udp4')
  keep({ close: () => new Promise<void>((resolve) => socket.close(() => resolve())) })
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

test('a message reaches every host, each of its receivers, and its own host; replies come back', async () => {
  const port = await freePort(hosts)
  const carriers = hosts.map((address) => at(address))
  const all = carriers.flatMap((carrier) => [receiving(carrier, port), receiving(carrier, port)])
  await Promise.all(all.map(({ receiver }) => receiver.ready()))
  for (const [index, { receiver }] of all.entries()) {
    receiver.on('message', (message, remote) => void receiver.reply(`${message} ${index}`, remote))
  }
  const sender = sending(carriers[0] as Carrier, port)
  const replies = await sender.gather('hello', { limit: 6, timeout: 10_000 })
  assert.deepEqual(replies.map(({ message }) => message).sort(), [
    ...[0, 1, 2, 3, 4, 5].map((index) => `hello ${index}`),
  ])
  for (const { message, remote } of replies) {
    const host = hosts[Math.floor(Number(message.slice(6)) / 2)]
    assert.deepEqual([remote.address, remote.port, remote.family], [host, port, 'IPv4'])
  }
})

test('memberships, sources and several groups of one port are told apart as on a host', async () => {
  const port = await freePort(hosts)
  const [here, there, third] = hosts.map((address) => at(address))
  assert.ok(here && there && third)
  const { receiver, heard } = receiving(there, port)
  const other = receiving(there, port, { group: '239.1.2.4' })
  const chosen = receiving(there, port, { sources: [three] })
  await Promise.all([receiver, other.receiver, chosen.receiver].map((one) => one.ready()))
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }, { interface: 'peers0' }])
  await sending(here, port).send('from one')
  assert.equal((await heard.next()).data.toString(), 'from one')
  await sending(third, port).send('from three')
  assert.equal((await chosen.heard.next()).data.toString(), 'from three')
  assert.equal((await heard.next()).data.toString(), 'from three')
  await receiver.leave()
  await sending(here, port, { group: '239.1.2.4' }).send('to the other')
  assert.equal((await other.heard.next()).data.toString(), 'to the other')
  assert.equal(heard.size + chosen.heard.size + other.heard.size, 0)
})

test('a peer hears others, and itself with loopback alone', async () => {
  const port = await freePort(hosts)
  const make = (address: string, loopback: boolean) => {
    const options = { group, port, codec: text, loopback, ...at(address) }
    const peer = keep(new MulticastPeer(options)) as MulticastPeer<string, string, string>
    return { peer, heard: new Inbox(peer as never) }
  }
  const [loud, quiet] = [make(one, true), make(two, false)]
  await Promise.all([loud.peer.ready(), quiet.peer.ready()])
  assert.deepEqual(loud.peer.interfaces, ['peers0'])
  await loud.peer.send('loud')
  const heard = await Promise.all([loud.heard.next(), quiet.heard.next()])
  assert.deepEqual(
    heard.map(({ remote }) => [remote.address, remote.port]),
    [one, one].map((address) => [address, port]),
  )
  await quiet.peer.send('quiet')
  assert.equal((await loud.heard.next()).data.toString(), 'quiet')
  assert.equal(quiet.heard.size, 0)
})

test("TTL 0 and lo's name stay on the host, every other TTL goes", async () => {
  const port = await freePort(hosts)
  const [here, there] = [at(one), at(two)]
  const own = receiving(here, port)
  const far = receiving(there, port)
  await Promise.all([own.receiver.ready(), far.receiver.ready()])
  await sending(here, port, { ttl: 0 }).send('0')
  await sending(here, port, { interfaces: '127.0.0.1' }).send('lo')
  for (const ttl of [1, 255]) await sending(here, port, { ttl }).send(`${ttl}`)
  assert.deepEqual(await own.heard.until('255'), ['0', 'lo', '1', '255'])
  assert.deepEqual(await far.heard.until('255'), ['1', '255'])
})

test('all, default and the name of peers0 send one copy to each host', async () => {
  const port = await freePort(hosts)
  const far = receiving(at(two), port)
  await far.receiver.ready()
  const here = at(one)
  for (const interfaces of ['all', 'default', 'peers0', one]) {
    const sender = sending(here, port, { interfaces })
    await sender.send(interfaces)
    assert.equal((await far.heard.next()).data.toString(), interfaces)
    await sender.close()
  }
  assert.deepEqual([here.stats.sent, far.heard.size], [8, 0])
})

test('a plain program neither is heard nor hears, and real multicast does not enter', async () => {
  const port = await freePort([...hosts, '127.9.0.9'])
  const carrier = at(one, { peers: [...hosts, '127.9.0.9'] })
  const { receiver, heard } = receiving(carrier, port)
  await receiver.ready()
  const program = await plain('127.9.0.9', port)
  const told = once(program, 'message')
  program.send('plain', port, one)
  const real = await new MulticastSender({ group, port, interfaces: '127.0.0.1' }).ready()
  await real.send('real')
  await real.close()
  await sending(carrier, port).send('headed')
  const [bytes] = await told
  assert.deepEqual([...bytes.subarray(0, 8)], [0x54, 0x4d, 1, 1, 239, 1, 2, 3])
  assert.equal(bytes.subarray(8).toString(), 'headed')
  assert.deepEqual(await heard.until('headed'), ['headed'])
  await until('it is counted', () => carrier.stats.malformed > 0)
  assert.equal(carrier.stats.malformed, 1)
})

test('only peers are heard, unless strangers are let in', async () => {
  const port = await freePort([...hosts, '127.9.0.9'])
  const [shut, open] = [at(one), at(two, { strangers: true })]
  const closed = receiving(shut, port)
  const wide = receiving(open, port)
  await Promise.all([closed.receiver.ready(), wide.receiver.ready()])
  const stranger = at('127.9.0.9')
  await sending(stranger, port).send('strange')
  assert.equal((await wide.heard.next()).data.toString(), 'strange')
  await sending(at(three), port).send('known')
  assert.deepEqual(await closed.heard.until('known'), ['known'])
  assert.deepEqual([shut.stats.strangers, open.stats.strangers], [1, 0])
})

test('what makes no sense is counted, and never fatal', async () => {
  const port = await freePort(hosts)
  const carrier = at(one)
  const { receiver, heard } = receiving(carrier, port, { bindAddress: 'any' })
  await receiver.ready()
  const program = await plain(two)
  const header = (version: number, kind: number, ...address: number[]) => [
    ...[0x54, 0x4d, version, kind],
    ...address,
  ]
  const wrong = [
    [],
    [0x54],
    [0x54, 0x4d, 1, 1, 239, 1, 2],
    header(2, 1, 239, 1, 2, 3),
    header(1, 2, 239, 1, 2, 3),
    header(1, 0, 239, 1, 2, 3),
    header(1, 1, 10, 0, 0, 1),
    [0x55, ...header(1, 1, 239, 1, 2, 3).slice(1)],
    Array(65_507).fill(0xff),
  ]
  for (const bytes of wrong) program.send(Uint8Array.from(bytes), port, one)
  // To one host, whatever address it names: what is not this host's is as good as its first one.
  for (const last of [0, 1]) {
    program.send(Buffer.from([...header(1, 0, 127, 0, 0, last), 0x65 + last]), port, one)
  }
  program.send(Buffer.from([...header(1, 1, 239, 1, 2, 3), 0x67]), port, one)
  assert.deepEqual(await heard.until('g'), ['e', 'f', 'g'])
  assert.deepEqual([carrier.stats.malformed, carrier.stats.received], [wrong.length, 3])
})

test('what the system reports on the real socket is counted, and no error of anybody', async () => {
  const port = await freePort(hosts)
  const real: Socket[] = []
  const note = (message: unknown) => void real.push((message as { socket: Socket }).socket)
  subscribe('udp.socket', note)
  const carrier = at(one)
  const { receiver, heard } = receiving(carrier, port)
  receiver.on('error', assert.fail)
  await receiver.ready()
  unsubscribe('udp.socket', note)
  assert.equal(real.length, 1)
  // As Windows and macOS do after an ICMP message that nobody has the port there.
  for (const socket of real) socket.emit('error', new Error('recvmsg ECONNREFUSED'))
  await sending(carrier, port).send('all the same')
  assert.equal((await heard.next()).data.toString(), 'all the same')
  assert.equal(carrier.stats.failed, 1)
})

test('what a program is too slow for is counted: in its sockets, by the kernel, and what it sends itself', async () => {
  const port = await freePort(hosts)
  const [here, there] = [at(one), at(two)]
  const { receiver, heard } = receiving(there, port)
  const own = receiving(here, port)
  await Promise.all([receiver.ready(), own.receiver.ready()])
  const sender = await sending(here, port).ready()
  // The system takes each at once, and nobody here reads meanwhile. A socket has room for two.
  const count = 200
  const message = 'x'.repeat(60_000)
  await Promise.all(Array.from({ length: count }, () => sender.send(message)))
  await until('each is heard or counted', () => own.heard.size + here.stats.overflowed === count)
  assert.ok(own.heard.size > 0 && here.stats.overflowed > 0)
  let kernel: number | undefined
  const known = () => heard.size + there.stats.overflowed + (kernel ?? 0)
  for (const end = Date.now() + BOUND; known() < count; await new Promise(setImmediate)) {
    assert.ok(Date.now() < end, `${heard.size} + ${there.stats.overflowed} + ${kernel}`)
    kernel = await there.kernelDrops()
    if (kernel === undefined) return assert.notEqual(process.platform, 'linux')
  }
  assert.equal(known(), count)
  assert.ok((kernel ?? 0) > 0 && there.stats.overflowed > 0)
  assert.equal(await here.kernelDrops(), 0)
})

test('closing lets every copy go out, and meanwhile the port can be had again', async () => {
  const port = await freePort(hosts)
  const far = receiving(at(three), port)
  await far.receiver.ready()
  const real: Socket[] = []
  const note = (message: unknown) => void real.push((message as { socket: Socket }).socket)
  subscribe('udp.socket', note)
  const carrier = at(one)
  const first = keep(new MulticastPeer({ group, port, codec: text, ...carrier }))
  await first.ready()
  unsubscribe('udp.socket', note)
  const [socket] = real
  assert.ok(socket && real.length === 1)
  // Its first copy is taken at once, and the others once there is room.
  const held: (() => void)[] = []
  const send = socket.send.bind(socket) as (...given: unknown[]) => void
  socket.send = (...given: unknown[]) => {
    if (given[2] === two) send(...given)
    else held.push(() => send(...given))
  }
  await first.send('last words')
  await first.close()
  const second = receiving(carrier, port)
  await second.receiver.ready()
  await second.receiver.close()
  for (const go of held.splice(0)) go()
  assert.equal((await far.heard.next()).data.toString(), 'last words')
  // From then on the port is free for others.
  await receiving(at(one), port).receiver.ready()
})

test('where the interfaces cannot be listed it goes on with those of before', async () => {
  const port = await freePort(['0.0.0.0'])
  const carrier = unicastCarrier({ peers: ['127.0.0.1'] })
  const before = carrier.networkInterfaces()
  const { receiver } = receiving(carrier, port)
  await receiver.ready()
  const program = await plain('127.0.0.1')
  // As where the process has no file descriptor left.
  const broken = mock.method(os, 'networkInterfaces', () => {
    throw new Error('EMFILE')
  })
  syncBuiltinESMExports()
  try {
    program.send('x', port, '127.0.0.1')
    await until('it is counted', () => carrier.stats.strangers === 1)
    assert.deepEqual(carrier.networkInterfaces(), before)
    assert.ok(broken.mock.callCount() > 0)
  } finally {
    broken.mock.restore()
    syncBuiltinESMExports()
  }
})

test('a peer where nobody listens, or that cannot be reached, is no error', async () => {
  const port = await freePort(hosts)
  const carrier = at(one)
  const sender = sending(carrier, port)
  sender.on('error', assert.fail)
  for (const message of ['first', 'second'])
    assert.equal(await sender.send(message), message.length)
  const far = receiving(at(two), port)
  await far.receiver.ready()
  await sender.send('third')
  assert.equal((await far.heard.next()).data.toString(), 'third')
})

test('peers are replaced while it runs; with none, or itself alone, a send resolves', async () => {
  const port = await freePort(hosts)
  const carrier = at(one, { peers: [] })
  const far = receiving(at(two), port)
  await far.receiver.ready()
  const sender = sending(carrier, port)
  await sender.send('to nobody')
  carrier.peers = [one]
  await sender.send('to itself')
  carrier.peers = [one, two, two]
  assert.deepEqual(carrier.peers, [one, two])
  await sender.send('to two')
  assert.equal((await far.heard.next()).data.toString(), 'to two')
  for (const list of [[one, 'localhost'], 'x', undefined, ['239.1.2.3']]) {
    assert.throws(() => Object.assign(carrier, { peers: list }), { code: 'ERR_MULTICAST_OPTION' })
  }
  assert.deepEqual(carrier.peers, [one, two])
})

test('a group of a family of which no peer has an address has no route', async () => {
  const port = await freePort(hosts)
  for (const carrier of [at(one), unicastCarrier({ peers: ['192.0.2.1'] })]) {
    const sender = sending(carrier, port, { group: 'ff05::7' })
    await assert.rejects(sender.send('x'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_MULTICAST_SEND')
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENETUNREACH')
      return true
    })
    // Opening one is no mistake: peers may come.
    await receiving(carrier, port, { group: 'ff05::7' }).receiver.ready()
  }
})

test('the largest message is one less than a datagram by the header, and a larger one is refused', async () => {
  const port = await freePort(hosts)
  const { receiver, heard } = receiving(at(two), port)
  await receiver.ready()
  const sender = sending(at(one), port)
  const largest = 65_507 - 8
  assert.equal(await sender.send('x'.repeat(largest)), largest)
  assert.equal((await heard.next()).data.toString().length, largest)
  await assert.rejects(sender.send('x'.repeat(largest + 1)), {
    code: 'ERR_MULTICAST_MESSAGE_SIZE',
  })
})

test('a port that another process has is in use, and the message says the way out', async () => {
  const port = await freePort(hosts)
  await plain(one, port)
  for (const more of [{}, { reuseAddr: false }]) {
    await assert.rejects(receiving(at(one), port, more).receiver.ready(), {
      code: 'ERR_MULTICAST_PORT_IN_USE',
      message: /give each carrier an address of its own \(address\)/,
    })
  }
  // Another carrier of this process is as good as another process.
  const other = await freePort(hosts)
  await receiving(at(two), other).receiver.ready()
  await assert.rejects(receiving(at(two), other).receiver.ready(), {
    code: 'ERR_MULTICAST_PORT_IN_USE',
  })
  await receiving(at(three), other).receiver.ready()
})

test('within one carrier a port is in use as on a host, and free once nobody has it', async () => {
  const port = await freePort(hosts)
  const carrier = at(one)
  const first = receiving(carrier, port, { reuseAddr: false }).receiver
  await first.ready()
  await assert.rejects(receiving(carrier, port).receiver.ready(), {
    code: 'ERR_MULTICAST_PORT_IN_USE',
    message: /reuseAddr/,
  })
  await first.close()
  await receiving(carrier, port).receiver.ready()
  const sender = await sending(carrier, 9).ready()
  assert.ok(sender.address().port > 1023)
})

test('an address that is none of this host fails to open', async () => {
  const receiver = receiving(at('192.0.2.7'), 0).receiver
  await assert.rejects(receiver.ready(), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ERR_MULTICAST_BIND')
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'EADDRNOTAVAIL')
    return true
  })
})

test('where real sockets are refused opening fails for that reason, and works afterwards', async () => {
  const port = await freePort(hosts)
  const carrier = at(one)
  const refusal = refuseRealSockets()
  try {
    for (const open of [() => receiving(carrier, port).receiver, () => sending(carrier, port)]) {
      await assert.rejects(
        open().ready(),
        /refuseRealSockets\(\) forbids bind\(\) on a real socket/,
      )
    }
  } finally {
    refusal[Symbol.dispose]()
  }
  await receiving(carrier, port).receiver.ready()
})

test('it spreads as a mock host does, and lists lo and peers0', () => {
  const carrier = at(one)
  const any = unicastCarrier({ peers: [] })
  for (const one of [carrier, any]) {
    assert.deepEqual(Object.keys(one).sort(), [
      'bindAddress',
      'createSocket',
      'networkInterfaces',
      'watchInterfaces',
    ])
  }
  const addresses = (table: ReturnType<typeof networkInterfaces>) =>
    Object.entries(table).map(([name, infos = []]) => [name, infos.map(({ cidr }) => cidr)])
  assert.deepEqual(addresses(carrier.networkInterfaces()), [
    ['lo', ['127.0.0.1/32', '::1/128']],
    ['peers0', [`${one}/8`]],
  ])
  const outer = Object.values(networkInterfaces())
    .flatMap((infos = []) => infos)
    .filter(({ internal }) => !internal)
  const wide = outer.filter(({ address }) => !address.startsWith('fe80:'))
  const known = wide.some(({ family }) => family === 'IPv6') ? wide : outer
  const { lo, peers0 = [] } = any.networkInterfaces()
  assert.deepEqual(
    lo?.map(({ address }) => address),
    ['127.0.0.1', '::1'],
  )
  assert.deepEqual(
    peers0.map(({ address }) => address).sort(),
    known.map(({ address }) => address).sort(),
  )
  assert.deepEqual(
    Object.keys(unicastCarrier({ peers: [], address: '127.0.0.1' }).networkInterfaces()),
    ['peers0', 'lo'],
  )
})

for (const [option, values] of Object.entries({
  peers: [
    undefined,
    null,
    '10.0.0.1',
    {},
    ['239.1.2.3'],
    ['host'],
    ['0.0.0.0'],
    ['::'],
    [7],
    [''],
  ].concat([
    ['255.255.255.255'],
    ['10.0.0.1%eth0'],
    ['fe80::1%'],
    ['fe80::1'],
    ['::ffff:10.0.0.1'],
    ['10.0.0.1:80'],
  ] as never),
  address: [null, 7, '', '239.1.2.3', 'localhost', '0.0.0.0', '10.0.0.1/24', 'fe80::1'],
  strangers: [null, 1, 'true'],
})) {
  test(`a wrong ${option} is refused`, () => {
    for (const value of values) {
      const options = { peers: [], [option]: value } as never
      assert.throws(() => unicastCarrier(options), { code: 'ERR_MULTICAST_OPTION' }, String(value))
    }
  })
}

test('an unknown option is refused', () => {
  const options = { peers: [], stranger: true } as never
  assert.throws(() => unicastCarrier(options), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
    message: /did you mean 'strangers'/,
  })
})

const entry = moduleOf('unicast/index')

test('what a listener throws is uncaught, and an open receiver holds the process until it is unref()ed', async () => {
  const port = await freePort(hosts)
  const { code, stdout, stderr } = await runProgram(`
    import { unicastCarrier } from ${entry}
    process.on('uncaughtException', ({ message }) => console.log('uncaught', message))
    const where = { group: '${group}', port: ${port}, codec: text }
    const carrier = unicastCarrier({ peers: ['${one}'], address: '${one}' })
    const receiver = await new MulticastReceiver({ ...where, ...carrier }).ready()
    const sender = await new MulticastSender({ ...where, ...carrier }).ready()
    receiver.on('message', (message) => {
      console.log('heard', message)
      if (message === 'one') throw new Error('of the listener')
      receiver.unref()
      sender.unref()
    })
    await sender.send('one')
    setTimeout(() => sender.send('two'), 50)
  `)
  assert.equal(code, 0, stderr)
  assert.equal(stdout, 'heard one\nuncaught of the listener\nheard two\n')
})

test('who does not use it loads nothing of it', async () => {
  for (const entry of ['index', 'struct/index', 'doctor/index', 'cli/main']) {
    const reached = [...reach(`src/${entry}`)].filter((name) =>
      /^src\/(stack|unicast)\//.test(name),
    )
    assert.deepEqual(reached, [], entry)
  }
  // Nor does it bring anything that is installed.
  const reached = [...reach('src/unicast/index')].filter((name) => !/^(src\/|node:)/.test(name))
  assert.deepEqual(reached, [])
})
