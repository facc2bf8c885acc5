/** Senders, receivers and peers over a real NATS server, each carrier with a connection of its own. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { connect } from '@nats-io/transport-node'
import { type Carrier, MulticastPeer, text } from '../../src/index.js'
import { type NatsCarrier, type NatsConnection, natsCarrier } from '../../src/nats/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { reach } from '../imports.js'
import { keep } from '../loopback.js'
import { type NatsServer, receiving, sending, serving, natsTest as test, where } from '../nats.js'
import { root } from '../tree.js'

const groups = { IPv4: '239.1.2.3', IPv6: 'ff05::1:3' } as const
const { group, port } = where

/** The address of a carrier's own. */
function addressOf(carrier: NatsCarrier, family: 'IPv4' | 'IPv6' = 'IPv4'): string {
  const own = carrier.networkInterfaces().nats0?.find((info) => info.family === family)
  assert.ok(own)
  return own.address
}

/** A plain client that hears what is published, subject by subject, from now on. */
async function overheard(server: NatsServer, subject: string): Promise<string[]> {
  const connection = await server.connect()
  const subjects: string[] = []
  connection.subscribe(subject, {
    callback: (_error, message) => void subjects.push(message.subject),
  })
  await connection.flush()
  return subjects
}

/** A message as the carrier writes it. */
function bytesOf(data: string, { version = 1, from = 50_000, to = port } = {}): Buffer {
  const header = Buffer.from([0x54, 0x4d, version, ...'stranger', 0, 0, 0, 0].map(codeOf))
  header.writeUInt16BE(from, 11)
  header.writeUInt16BE(to, 13)
  return Buffer.concat([header, Buffer.from(data)])
}

const codeOf = (byte: number | string): number =>
  typeof byte === 'string' ? byte.charCodeAt(0) : byte

for (const family of ['IPv4', 'IPv6'] as const) {
  const group = groups[family]

  test(`over ${family}, a message reaches each receiver of each program, its own too; replies come back`, async (server) => {
    const carriers = await Promise.all([1, 2, 3].map(() => server.carrier()))
    const all = carriers.flatMap((carrier) => [1, 2].map(() => receiving(carrier, { group })))
    await Promise.all(all.map(({ receiver }) => receiver.ready()))
    for (const [index, { receiver }] of all.entries()) {
      receiver.on(
        'message',
        (message, remote) => void receiver.reply(`${message} ${index}`, remote),
      )
    }
    const [first] = carriers
    assert.ok(first)
    const sender = sending(first, { group })
    const replies = await sender.gather('hello', { limit: 6, timeout: 10_000 })
    assert.deepEqual(
      replies.map(({ message }) => message).sort(),
      [0, 1, 2, 3, 4, 5].map((index) => `hello ${index}`),
    )
    for (const { message, remote } of replies) {
      const carrier = carriers[Math.floor(Number(message.slice(6)) / 2)] as NatsCarrier
      assert.deepEqual(
        [remote.address, remote.port, remote.family],
        [addressOf(carrier, family), port, family],
      )
    }
    assert.deepEqual([first.stats.sent, first.stats.received], [1, 4])
  })
}

test('what is asked for goes to those alone who have joined, by subjects of destination and source', async (server) => {
  const subjects = await overheard(server, 'site.a.>')
  const [here, there] = [
    await server.carrier({ prefix: 'site.a', address: '10.0.0.1' }),
    await server.carrier({ prefix: 'site.a' }),
  ]
  const [other] = [await server.carrier({ prefix: 'site.b' })]
  const { receiver, heard } = receiving(there)
  const stranger = receiving(other)
  await Promise.all([receiver.ready(), stranger.receiver.ready()])
  receiver.on('message', (_message, remote) => void receiver.reply('reply', remote))
  const sender = sending(here)
  await sender.gather('question', { limit: 1, timeout: 10_000 })
  const address = addressOf(there).replaceAll('.', '-')
  assert.deepEqual(subjects, ['site.a.group.239-1-2-3.10-0-0-1', `site.a.host.10-0-0-1.${address}`])
  assert.deepEqual([heard.size, stranger.heard.size, other.stats.received], [1, 0, 0])
})

test('with sources the server sends what comes from those alone', async (server) => {
  const [one, two, chosen] = [
    await server.carrier({ address: '10.0.0.1' }),
    await server.carrier({ address: '10.0.0.2' }),
    await server.carrier(),
  ]
  const { receiver, heard } = receiving(chosen, { sources: ['10.0.0.2'] })
  await receiver.ready()
  const [first, second] = [sending(one), sending(two)]
  await first.send('from one')
  await second.send('from two')
  assert.deepEqual(await heard.until('from two'), ['from two'])
  assert.equal(chosen.stats.received, 1)
  // One more socket of the program asks for all: the first is still told apart.
  const all = receiving(chosen)
  await all.receiver.ready()
  await first.send('again from one')
  await second.send('again from two')
  // Of two connections nobody knows which is faster.
  const both = await all.heard.take(2)
  assert.deepEqual(both.map((mail) => mail.text).sort(), ['again from one', 'again from two'])
  assert.deepEqual(await heard.until('again from two'), ['again from two'])
  assert.equal(chosen.stats.received, 3)
})

test('what one receiver joins or leaves costs another nothing, and doubles nothing', async (server) => {
  const [here, there] = [await server.carrier({ address: '10.0.0.1' }), await server.carrier()]
  const { receiver, heard } = receiving(there, { sources: ['10.0.0.1'] })
  await receiver.ready()
  const sender = await sending(here).ready()
  let [isOver, count] = [false, 0]
  const stream = (async () => {
    for (; !isOver; count += 1) {
      await sender.send(`${count}`)
      // No faster than they are heard, or a buffer would overflow; what is lost is not waited for long.
      for (let turn = 0; heard.size < count - 20 && turn < 100; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await sender.send('last')
  })()
  for (let round = 0; round < 20; round += 1) {
    const other = receiving(there)
    await other.receiver.ready()
    await other.heard.next()
    await other.receiver.close()
  }
  isOver = true
  await stream
  const texts = await heard.until('last')
  assert.equal(there.stats.overflowed, 0)
  assert.deepEqual(texts, [...Array.from({ length: count }, (_, index) => `${index}`), 'last'])
})

test('several groups of one port are told apart, and what is left is asked for no more', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there)
  const other = receiving(there, { group: '239.1.2.4' })
  await Promise.all([receiver.ready(), other.receiver.ready()])
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }, { interface: 'nats0' }])
  const [first, second] = [sending(here), sending(here, { group: '239.1.2.4' })]
  await first.send('one')
  await second.send('two')
  assert.equal((await heard.next()).text, 'one')
  assert.equal((await other.heard.next()).text, 'two')
  await receiver.leave()
  await first.send('three')
  await second.send('four')
  assert.equal((await other.heard.next()).text, 'four')
  assert.deepEqual([heard.size, there.stats.received], [0, 3])
})

test('a peer hears others, and itself with loopback alone', async (server) => {
  const make = (carrier: Carrier, loopback: boolean) => {
    const options = { group, port, codec: text, loopback, ...carrier }
    const peer = keep(new MulticastPeer(options)) as MulticastPeer<string, string, string>
    return { peer, heard: new Inbox(peer as never) }
  }
  const [loud, quiet] = [make(await server.carrier(), true), make(await server.carrier(), false)]
  await Promise.all([loud.peer.ready(), quiet.peer.ready()])
  await loud.peer.send('loud')
  assert.deepEqual(
    (await Promise.all([loud.heard.next(), quiet.heard.next()])).map((mail) => mail.text),
    ['loud', 'loud'],
  )
  await quiet.peer.send('quiet')
  assert.equal((await loud.heard.next()).text, 'quiet')
  assert.equal(quiet.heard.size, 0)
})

test("TTL 0 and lo's name stay in the program, every other TTL goes", async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const [own, far] = [receiving(here), receiving(there)]
  await Promise.all([own.receiver.ready(), far.receiver.ready()])
  await sending(here, { ttl: 0 }).send('0')
  await sending(here, { interfaces: '127.0.0.1' }).send('lo')
  for (const ttl of [1, 255]) await sending(here, { ttl }).send(`${ttl}`)
  assert.deepEqual(await own.heard.until('255'), ['0', 'lo', '1', '255'])
  const texts = await far.heard.until('255')
  assert.deepEqual(texts.sort(), ['1', '255'])
})

test('all, default and the name of nats0 publish a message once', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const far = receiving(there)
  await far.receiver.ready()
  for (const interfaces of ['all', 'default', 'nats0', addressOf(here)]) {
    const sender = sending(here, { interfaces })
    await sender.send(interfaces)
    assert.equal((await far.heard.next()).text, interfaces)
    await sender.close()
  }
  assert.deepEqual([here.stats.sent, far.heard.size], [4, 0])
})

test('two carriers of one connection are two programs', async (server) => {
  const connection = await server.connect()
  const [one, two] = [natsCarrier(connection), natsCarrier(connection)]
  const { receiver, heard } = receiving(two)
  await receiver.ready()
  await sending(one).send('hello')
  assert.equal((await heard.next()).remote.address, addressOf(one))
})

test('ports and addresses are by chance, so that no two programs are one', async (server) => {
  const carriers = await Promise.all([1, 2, 3, 4].map(() => server.carrier()))
  const addresses = carriers.map((carrier) => addressOf(carrier))
  const far = carriers.map((carrier) => addressOf(carrier, 'IPv6'))
  assert.equal(new Set([...addresses, ...far]).size, 8)
  for (const address of addresses) {
    const [first, second = 0] = address.split('.').map(Number)
    assert.ok(first === 100 && second >= 64 && second < 128, address)
  }
  for (const address of far) assert.match(address, /^fd/)
  const senders = await Promise.all(carriers.map((carrier) => sending(carrier).ready()))
  assert.ok(new Set(senders.map((sender) => sender.address().port)).size > 1)
})

test('all of the largest datagram fits, and what the server does not take is refused', async (server, host) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there)
  await receiver.ready()
  await sending(here).send('x'.repeat(65_507))
  assert.equal((await heard.next()).text.length, 65_507)
  await serving(host, 'max_payload: 1000', async (small) => {
    const carrier = await small.carrier()
    const own = receiving(carrier)
    await own.receiver.ready()
    const sender = sending(carrier)
    await sender.send('x'.repeat(985))
    assert.equal((await own.heard.next()).text.length, 985)
    await assert.rejects(sender.send('x'.repeat(986)), {
      code: 'ERR_MULTICAST_MESSAGE_SIZE',
      message:
        /986 bytes .*split it to at most 985 bytes, or raise the server's max_payload \(1000\)/,
    })
    assert.deepEqual([own.heard.size, carrier.stats.failed], [0, 1])
  })
})

test('what strangers publish on the subjects is counted, and never fatal', async (server) => {
  const carrier = await server.carrier()
  const { receiver, heard } = receiving(carrier)
  receiver.on('error', assert.fail)
  await receiver.ready()
  const stranger = await server.connect()
  const to = (kind: string, destination: string, source: string) =>
    `multicast.${kind}.${destination}.${source}`
  const own = addressOf(carrier).replaceAll('.', '-')
  const good = to('group', '239-1-2-3', '10-0-0-9')
  const wrong: [string, Uint8Array][] = [
    [good, Buffer.alloc(0)],
    [good, Buffer.from('TM')],
    [good, bytesOf('').subarray(0, 14)],
    [good, bytesOf('x', { version: 2 })],
    [good, Buffer.alloc(100, 0xff)],
    [good, Buffer.concat([bytesOf(''), Buffer.alloc(65_508)])],
    [good, Buffer.concat([bytesOf(''), Buffer.alloc(1_000_000)])],
    // Senders that are none.
    ...[
      '239-1-2-3',
      '0-0-0-0',
      '255-255-255-255',
      'nobody',
      '10-0-0',
      '10-0-0-09',
      'fd00::1',
      '::ffff:10-0-0-1',
    ].map((source): [string, Uint8Array] => [to('group', '239-1-2-3', source), bytesOf('forged')]),
    [to('host', own, '239-1-2-3'), bytesOf('forged')],
    [to('all', '10-0-0-1', '10-0-0-9'), bytesOf('to one')],
    [to('all', '239-1-2-3', '10-0-0-9'), bytesOf('to a group')],
  ]
  for (const [subject, bytes] of wrong) stranger.publish(subject, bytes)
  stranger.publish(good, bytesOf('elsewhere', { to: port + 1 }))
  stranger.publish(good, bytesOf('good'))
  const mail = await heard.next()
  assert.deepEqual([mail.text, mail.remote.address, mail.remote.port], ['good', '10.0.0.9', 50_000])
  assert.deepEqual(
    [carrier.stats.malformed, carrier.stats.received, heard.size],
    [wrong.length, 2, 0],
  )
})

test('what a slow program has no room for is counted', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there)
  await receiver.ready()
  const stranger = await server.connect()
  const subject = 'multicast.group.239-1-2-3.10-0-0-9'
  // In one piece, so that nothing is read between them.
  for (let count = 0; count < 20; count += 1) stranger.publish(subject, bytesOf('x'.repeat(60_000)))
  await stranger.flush()
  await sending(here).send('last')
  const all = await heard.until('last')
  assert.equal(all.length - 1 + there.stats.overflowed, 20)
  // Of what it sends itself too.
  const own = receiving(here, { port: port + 1 })
  await own.receiver.ready()
  const sender = await sending(here, { port: port + 1 }).ready()
  const sent = Array.from({ length: 4 }, () => sender.send('x'.repeat(60_000)))
  await Promise.all(sent)
  await sender.send('last')
  const some = await own.heard.until('last')
  assert.ok(here.stats.overflowed > 0)
  assert.equal(some.length - 1 + here.stats.overflowed, 4)
})

test('with the permissions of the document a program cannot send as another, nor hear replies to it', async (_server, host) => {
  const document = readFileSync(join(root, 'docs/carriers.md'), 'utf8')
  const [, block = ''] = /```conf\n(authorization [^`]*)```/.exec(document) ?? []
  await serving(host, block.replace(/\$(\w+)_PASSWORD/g, '$1'), async (server) => {
    const connection = await server.connect({ user: 'printer', pass: 'PRINTER' })
    const mine = natsCarrier(connection, { address: '10.0.0.1' })
    const other = await server.connect({ user: 'scanner', pass: 'SCANNER' })
    const { receiver, heard } = receiving(natsCarrier(other, { address: '10.0.0.2' }))
    await receiver.ready()
    await sending(mine).send('as myself')
    assert.equal((await heard.next()).remote.address, '10.0.0.1')
    receiver.on('message', (message, remote) => void receiver.reply(`${message} back`, remote))
    const [reply] = await sending(mine).gather('question', { limit: 1, timeout: 10_000 })
    assert.equal(reply?.message, 'question back')
    const forger = natsCarrier(connection, { address: '10.0.0.2' })
    // Not even past the carrier.
    connection.publish('multicast.group.239-1-2-3.10-0-0-2', bytesOf('forged'))
    await connection.flush()
    await sending(mine).send('last')
    assert.deepEqual(await heard.until('last'), ['question', 'last'])
    // Its own replies come to the address of another.
    await assert.rejects(sending(forger).send('as another'), {
      code: 'ERR_MULTICAST_SOCKET',
      message: /Permissions Violation for Subscription to "multicast\.host\.10-0-0-2\.\*"/,
    })
  })
})

async function denied(connection: NatsConnection, carrier: NatsCarrier): Promise<void> {
  for (let asked = 0; carrier.stats.denied === 0; asked += 1) {
    assert.ok(asked < 1000)
    await connection.flush()
  }
}

test('what the server forbids to publish is told by the next send there, and counted', async (server) => {
  const connection = await server.connect({ user: 'deaf', pass: 'deaf' })
  const carrier = natsCarrier(connection, { address: '10.0.0.1' })
  const socket = carrier.createSocket({
    type: 'udp4',
    reuseAddr: true,
    ipv6Only: false,
    lookup: (name, _options, callback) => callback(null, name, 4),
  })
  keep({ close: async () => void socket.close() })
  socket.bind({ port: 0, address: '0.0.0.0', exclusive: true })
  const send = () =>
    new Promise<(Error & { code?: string; remedy?: string }) | null>((resolve) =>
      socket.send(Buffer.from('x'), port, group, resolve),
    )
  assert.equal(await send(), null)
  await denied(connection, carrier)
  const refused = await send()
  assert.equal(refused?.code, 'EACCES')
  assert.match(refused?.remedy ?? '', /publish to multicast\.group\.239-1-2-3\.10-0-0-1/)
  // It was told, and is tried again.
  assert.equal(await send(), null)
  assert.deepEqual([carrier.stats.sent, carrier.stats.failed], [2, 1])
})

test('what the server forbids to hear refuses a receiver, and no other of the program', async (server) => {
  const connection = await server.connect({ user: 'deaf', pass: 'deaf' })
  const carrier = natsCarrier(connection)
  const { receiver } = receiving(carrier)
  const sender = sending(carrier)
  const refused = assert.rejects(receiver.ready(), (error: Error & { code?: string }) => {
    assert.match(error.code ?? '', /^ERR_MULTICAST_(JOIN|SOCKET)$/)
    assert.match(
      error.message,
      /Permissions Violation for Subscription to "multicast\.group\.239-1-2-3\.\*"/,
    )
    return true
  })
  await Promise.all([refused, sender.ready()])
  assert.equal(carrier.stats.denied, 1)
})

test('a connection that is closed, or none, is refused, and so is a wrong option', async (server) => {
  const connection = await server.connect()
  for (const prefix of [
    ...['', '.', 'a.', '.a', 'a..b', 'a b', 'a\tb', '*', 'a.*', 'a.>', '>', 'a*', '$SYS', 'a\0'],
    ...[null, 7, {}],
  ]) {
    const options = { prefix } as never
    assert.throws(
      () => natsCarrier(connection, options),
      { code: 'ERR_MULTICAST_OPTION' },
      `${prefix}`,
    )
  }
  for (const address of [null, 7, '', '239.1.2.3', 'localhost', '0.0.0.0', '10.0.0.1/24']) {
    const options = { address } as never
    assert.throws(() => natsCarrier(connection, options), { code: 'ERR_MULTICAST_OPTION' })
  }
  assert.throws(() => natsCarrier(connection, { prefixes: 'x' } as never), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
    message: /did you mean 'prefix'/,
  })
  for (const none of [undefined, null, 7, {}, { publish() {} }, connection.close]) {
    assert.throws(() => natsCarrier(none as never), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^connection must be what connect\(\) of the NATS client resolves with/,
    })
  }
  await connection.close()
  assert.throws(() => natsCarrier(connection), {
    code: 'ERR_MULTICAST_OPTION',
    message: /^connection must be open/,
  })
})

test('it spreads as a mock host does, and lists lo and nats0', async (server) => {
  const carrier = await server.carrier({ address: 'fd00::7' })
  const spread = ['bindAddress', 'createSocket', 'networkInterfaces', 'watchInterfaces']
  assert.deepEqual(Object.keys(carrier).sort(), spread)
  const table = (one: NatsCarrier) =>
    Object.entries(one.networkInterfaces()).map(([name, infos = []]) => [
      name,
      infos.map(({ cidr }) => cidr),
    ])
  assert.deepEqual(table(carrier), [
    ['lo', ['127.0.0.1/8', '::1/128']],
    ['nats0', ['fd00::7/128']],
  ])
  // It speaks the family of its address alone.
  await assert.rejects(sending(carrier).send('x'), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ERR_MULTICAST_SEND')
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENETUNREACH')
    return true
  })
})

test('who does not use it loads nothing of it, and who does nothing that is installed', async () => {
  for (const entry of ['index', 'struct/index', 'doctor/index', 'cli/main', 'unicast/index']) {
    const reached = [...reach(`src/${entry}`)].filter((name) => name.startsWith('src/nats/'))
    assert.deepEqual(reached, [], entry)
  }
  const reached = [...reach('src/nats/index')].filter((name) => !/^(src\/|node:)/.test(name))
  assert.deepEqual(reached, [])
})

/** What the official client's `connect()` resolves with has all that is used. */
const official = (connection: Awaited<ReturnType<typeof connect>>): NatsConnection => connection
void official
