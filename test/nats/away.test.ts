/** While the server is away, when it comes back, and when the client has given up. */
import assert from 'node:assert/strict'
import { lookup } from '../../src/datagram.js'
import { type MulticastEmitter, MulticastPeer } from '../../src/index.js'
import { type NatsCarrier, natsCarrier } from '../../src/nats/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { keep } from '../loopback.js'
import { receiving, sending, serving, natsTest as test, where } from '../nats.js'

type Sender = ReturnType<typeof sending>

/** Resolves once a carrier has told that nats0 is there, or is not. */
async function told(carrier: NatsCarrier, isUp: boolean): Promise<void> {
  const isThere = () => carrier.networkInterfaces().nats0 !== undefined
  if (isThere() === isUp) return
  await new Promise<void>((resolve) => {
    const stop = carrier.watchInterfaces((lost) => {
      assert.deepEqual(lost, [])
      if (isThere() !== isUp) return
      stop()
      resolve()
    })
  })
}

/** Sends once that is possible again, since what has come back is followed at its own pace. */
async function again(sender: Pick<Sender, 'send'>, message: string): Promise<void> {
  for (let tried = 0; ; tried += 1) {
    const failure = await sender.send(message).then(
      () => undefined,
      (error) => error,
    )
    if (failure === undefined) return
    assert.ok(failure.code === 'ERR_MULTICAST_SEND' && tried < 1000, String(failure))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** That a send is refused as where there is no network. */
async function refused(sent: Promise<unknown>): Promise<void> {
  await assert.rejects(sent, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ERR_MULTICAST_SEND', String(error))
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENETUNREACH')
    return true
  })
}

test('while the server is away sends are refused, and afterwards all goes on, without what was sent meanwhile', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there, { sources: undefined })
  const ssm = receiving(there, { group: '239.1.2.4', interfaces: 'nats0' })
  const senders = [undefined, 'all', 'default', 'nats0'].map((interfaces) =>
    sending(here, { interfaces }),
  )
  const deaf = sending(here, { replies: false })
  const peer = keep(new MulticastPeer({ ...where, group: '239.1.2.5', ...here })) as MulticastPeer<
    string,
    string,
    string
  >
  // A socket that is bound to an address keeps its way out.
  const bound = here.createSocket({ type: 'udp4', reuseAddr: true, ipv6Only: false, lookup })
  const [own] = here.networkInterfaces().nats0 ?? []
  assert.ok(own)
  const listening = new Promise<void>((resolve) => bound.once('listening', resolve))
  bound.bind({ port: 0, address: own.address, exclusive: true })
  await listening
  const all = [receiver, ssm.receiver, ...senders, deaf, peer]
  for (const one of all) (one as MulticastEmitter<string>).on('error', assert.fail)
  await Promise.all(all.map((one) => one.ready()))
  const [first] = senders as [Sender]
  await first.send('before')
  const { remote } = await heard.next()
  const down = [told(here, false), told(there, false)]
  await server.stop()
  await Promise.all(down)
  assert.deepEqual(Object.keys(here.networkInterfaces()), ['lo'])
  for (let round = 0; round < 3; round += 1) {
    for (const sender of [...senders, deaf, peer]) await refused(sender.send('away'))
    await refused(receiver.reply('away', remote))
    const { failed } = here.stats
    const error = await new Promise<NodeJS.ErrnoException | null>((resolve) =>
      bound.send(Buffer.from('away'), where.port, where.group, resolve),
    )
    assert.equal(error?.code, 'ENETUNREACH')
    assert.equal(here.stats.failed, failed + 1)
  }
  bound.close()
  const up = [told(here, true), told(there, true)]
  await server.restart()
  await Promise.all(up)
  for (const [index, sender] of [...senders, deaf].entries()) await again(sender, `after ${index}`)
  assert.deepEqual(
    await heard.until('after 4'),
    [0, 1, 2, 3, 4].map((index) => `after ${index}`),
  )
  await sending(here, { group: '239.1.2.4' }).send('group')
  assert.deepEqual(await ssm.heard.until('group'), ['group'])
  await again(peer, 'peer')
  const replied = new Inbox(first as never)
  await receiver.reply('reply', remote)
  assert.equal((await replied.next()).text, 'reply')
  assert.deepEqual([here.stats.disconnects, there.stats.disconnects], [1, 1])
})

test('what is asked for while the server is away resolves once it is back', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there, { group: '239.1.2.4' })
  await receiver.ready()
  const down = told(there, false)
  await server.stop()
  await down
  let isBack = false
  const late = receiving(there)
  const waiting = [late.receiver.ready(), receiver.join({ source: '10.0.0.9' }).catch(() => {})]
  const done = waiting.map((one) => one.then(() => assert.ok(isBack)))
  const closed = receiving(there).receiver
  await Promise.all([
    closed.close(),
    assert.rejects(closed.ready(), { code: 'ERR_MULTICAST_CLOSED' }),
  ])
  isBack = true
  await server.restart()
  await Promise.all(done)
  await told(here, true)
  await sending(here).send('hello')
  assert.equal((await late.heard.next()).text, 'hello')
  assert.equal(heard.size, 0)
})

test('while the server takes nothing, no more is kept than maxQueuedBytes', async (server) => {
  const [here, there] = [await server.carrier(), await server.carrier()]
  const { receiver, heard } = receiving(there)
  await receiver.ready()
  const sender = await sending(here).ready()
  server.pause()
  const message = 'x'.repeat(60_000)
  const outcomes = Array.from({ length: 100 }, () =>
    sender.send(message).then(
      () => 'sent',
      (error) => String(error.code),
    ),
  )
  // What was asked for last is refused at once, and what was taken waits for the server.
  assert.equal(await outcomes.at(-1), 'ERR_MULTICAST_QUEUE_FULL')
  server.resume()
  const all = await Promise.all(outcomes)
  const sent = all.filter((outcome) => outcome === 'sent').length
  assert.ok(sent >= 2 ** 20 / 60_000 && sent < 30, `${sent}`)
  assert.equal(here.stats.sent, sent)
  await sender.send('last')
  const texts = await heard.until('last')
  assert.equal(texts.length - 1 + there.stats.overflowed, sent)
})

test('what waits for a server that goes is refused', async (server) => {
  const carrier = await server.carrier()
  const sender = await sending(carrier).ready()
  server.pause()
  const outcomes = Array.from({ length: 15 }, () =>
    sender.send('x'.repeat(60_000)).then(
      () => undefined,
      (error) => error.cause.code as string,
    ),
  )
  await server.stop()
  const all = await Promise.all(outcomes)
  assert.equal(all.at(0), undefined)
  assert.equal(all.at(-1), 'ENETUNREACH')
})

/** What an endpoint tells until it has closed. */
function ending(endpoint: unknown): {
  errors: (Error & { code?: string })[]
  closed: Promise<unknown>
} {
  const emitter = endpoint as MulticastEmitter<string>
  const errors: (Error & { code?: string })[] = []
  emitter.on('error', (error) => errors.push(error))
  return {
    errors,
    closed: new Promise((resolve) => emitter.once('close', () => resolve(undefined))),
  }
}

for (const [how, why] of [
  ['gives up', /refused|disconnect|ECONNREFUSED/i],
  ['is closed', /^the connection to NATS was closed$/],
] as const) {
  test(`when the client ${how}, each endpoint tells that once and closes`, async (server) => {
    const connection = await server.connect({ maxReconnectAttempts: 1 })
    const carrier = natsCarrier(connection)
    const all = [
      receiving(carrier).receiver,
      receiving(carrier, { group: 'ff02::7' }).receiver,
      sending(carrier),
      sending(carrier, { interfaces: 'all', group: 'ff05::7' }),
      sending(carrier, { interfaces: ['nats0', 'lo'] }),
      keep(new MulticastPeer({ ...where, ...carrier })),
    ]
    await Promise.all(all.map((one) => one.ready()))
    const ends = all.map(ending)
    const gone = connection.closed()
    if (how === 'is closed') await connection.close()
    else await server.stop()
    const reason = await gone
    await Promise.all(ends.map(({ closed }) => closed))
    for (const { errors } of ends) {
      const [error] = errors
      assert.ok(error && errors.length === 1, String(errors))
      assert.equal(error.code, 'ERR_MULTICAST_SOCKET')
      assert.match((error.cause as Error).message, why)
      if (reason !== undefined) assert.equal(error.cause, reason)
    }
    await assert.rejects(receiving(carrier).receiver.ready(), { code: 'ERR_MULTICAST_SOCKET' })
    await assert.rejects(sending(carrier).send('x'), { code: 'ERR_MULTICAST_SOCKET' })
    if (how === 'gives up') await server.restart()
  })
}

test('who may not connect any more is told so: each endpoint emits an error, and closes', async (_server, host) => {
  const users = (names: string[]) =>
    `authorization { users = [ ${names.map((name) => `{ user: ${name}, password: x }`)} ] }`
  await serving(host, users(['one', 'other']), async (server) => {
    const carrier = natsCarrier(await server.connect({ user: 'one', pass: 'x' }))
    const endpoints = [receiving(carrier).receiver, sending(carrier)]
    await Promise.all(endpoints.map((endpoint) => endpoint.ready()))
    const ends = endpoints.map(ending)
    await server.reload(users(['other']))
    await Promise.all(ends.map(({ closed }) => closed))
    for (const { errors } of ends) {
      const [error] = errors
      assert.ok(error && errors.length === 1, String(errors))
      assert.equal(error.code, 'ERR_MULTICAST_SOCKET')
      assert.match((error.cause as Error).message, /^Authorization Violation$/)
    }
    assert.equal(carrier.stats.disconnects, 1)
  })
})

test('what is left and joined in one turn, as after the server was away, stays subscribed', async (server) => {
  const connection = await server.connect()
  let subscribed = 0
  const counted = new Proxy(connection, {
    get(target, name) {
      if (name === 'subscribe') subscribed += 1
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { createSocket } = natsCarrier(counted)
  const socket = createSocket({ type: 'udp4', reuseAddr: true, ipv6Only: false, lookup })
  socket.bind({ port: 10_000, address: '0.0.0.0', exclusive: true })
  socket.addMembership(where.group)
  await socket.settled?.()
  const before = subscribed
  socket.dropMembership(where.group)
  socket.addMembership(where.group)
  await socket.settled?.()
  assert.deepEqual([before > 0, subscribed], [true, before])
  socket.close()
})
