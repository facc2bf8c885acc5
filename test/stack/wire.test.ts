/** What a stack asks of its wire, where that answers later, as a network does that is not in memory. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { parseAddresses } from '../../src/stack/link-address.js'
import type { Packet } from '../../src/stack/packet.js'
import { linux } from '../../src/stack/platform.js'
import type { Family } from '../../src/stack/scope.js'
import { StackSocket } from '../../src/stack/socket.js'
import { Stack } from '../../src/stack/stack.js'
import { turnIn } from '../../src/stack/turns.js'
import type { Answer, Claimed, Wire } from '../../src/stack/wire.js'

/** Notes what it is asked for, and answers when it is told to. */
class SlowWire implements Wire {
  readonly asked: string[] = []
  readonly claims: ((claimed: Claimed) => void)[] = []
  readonly sends: { readonly packet: Packet; readonly answer: Answer }[] = []
  waiting = 0

  readonly soon: Wire['soon'] = (task, scope) => turnIn(scope, task)

  send: Wire['send'] = (_link, packet, _reach, answer) => void this.sends.push({ packet, answer })

  claim(family: Family, port: number, answer: (claimed: Claimed) => void): void {
    this.asked.push(`claim ${family} ${port}`)
    this.claims.push(answer)
  }

  release(family: Family, port: number): void {
    this.asked.push(`release ${family} ${port}`)
  }

  changed(): void {
    const joined = stack.asked.map(({ group, link, sources }) => {
      const from = sources === undefined ? '' : ` from ${[...sources]}`
      return `${group} on ${link.name}${from}`
    })
    const ports = stack.sockets.map(({ local }) => local?.port)
    this.asked.push(`${joined.join(', ') || 'nothing'} at ${ports}`)
  }

  settled(): Promise<void> {
    return Promise.reject(new Error(`refused after ${this.asked.length}`))
  }

  queued(family: Family, port: number): number {
    return family === 'IPv4' ? port : this.waiting
  }
}

let wire = new SlowWire()
let stack = new Stack('host', linux, wire)

beforeEach(() => {
  wire = new SlowWire()
  stack = new Stack('host', linux, wire)
  for (const [index, [name, ...addresses]] of [
    ['lo', '127.0.0.1/8', '::1/128'],
    ['e0', '10.0.0.1/24'],
  ].entries()) {
    const parsed = parseAddresses(addresses)
    const isLoopback = name === 'lo'
    stack.routing.links.set(`${name}`, {
      ...{ name: `${name}`, index: index + 1, isLoopback, addresses: parsed, isUp: true },
    })
  }
})

afterEach(() => {
  for (const client of stack.clients) client.close()
})

const made = (reuseAddr = false) => new StackSocket(stack, { type: 'udp4', reuseAddr })

/** A bound socket that shares its port. */
async function bound(port: number): Promise<StackSocket> {
  const socket = made(true).bind(port)
  const listening = once(socket, 'listening')
  await turn()
  wire.claims.shift()?.({ port: port || 7777 })
  await listening
  return socket
}

/** Has a socket give up its port, which the system has picked. */
async function losePort(socket: StackSocket): Promise<void> {
  socket.connect(9, '10.0.0.9')
  await once(socket, 'connect')
  socket.disconnect()
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a socket is bound once its port is claimed, and tells the port that it was given', async () => {
  const socket = made().bind(0)
  let isListening = false
  socket.on('listening', () => {
    isListening = true
  })
  await turn()
  assert.equal(isListening, false)
  assert.equal(socket.address().port, 0)
  wire.claims[0]?.({ port: 7777 })
  assert.equal(isListening, true)
  assert.equal(socket.address().port, 7777)
  socket.close()
  assert.deepEqual(wire.asked, [
    ...['claim IPv4 0', 'nothing at 7777', 'release IPv4 7777', 'nothing at '],
  ])
})

test('a port is claimed once by all its sockets, also while that is not answered, and released by the last', async () => {
  const [one, other] = [made(true).bind(9), made(true).bind(9)]
  await turn()
  assert.equal(wire.claims.length, 1)
  const told: string[] = []
  one.on('listening', () => told.push('one'))
  other.on('listening', () => told.push('other'))
  wire.claims.shift()?.({ port: 9 })
  assert.deepEqual(told, ['one', 'other'])
  const third = made(true).bind(9)
  await once(third, 'listening')
  assert.equal(wire.claims.length, 0)
  one.close()
  third.close()
  const before = wire.asked.length
  other.close()
  assert.deepEqual(wire.asked.slice(before), ['release IPv4 9', 'nothing at '])
  // From then on it is claimed anew.
  await bound(9)
})

test('a port that is refused fails each of its sockets, with what to try, and may be tried again', async () => {
  const beside = await bound(8)
  const sockets = [made(true).bind(9), made(true).bind(9)]
  const errors = sockets.map((socket) => once(socket, 'error'))
  await turn()
  wire.claims.shift()?.({ code: 'EADDRINUSE', remedy: 'take another' })
  for (const [error] of await Promise.all(errors)) {
    assert.deepEqual(
      [error.code, error.syscall, error.port, error.remedy],
      ['EADDRINUSE', 'bind', 9, 'take another'],
    )
  }
  assert.deepEqual(
    stack.sockets.map(({ local }) => local?.port),
    [8],
  )
  const [first] = sockets
  first?.bind(9)
  await turn()
  wire.claims.shift()?.({ port: 9 })
  assert.equal(first?.address().port, 9)
  assert.equal(beside.address().port, 8)
})

test('while a port is being claimed nobody else has it', async () => {
  made().bind(9)
  const other = made().bind(9)
  const [error] = await once(other, 'error')
  assert.deepEqual([error.code, error.remedy], ['EADDRINUSE', undefined])
})

test('what is closed before its port is claimed gives it back, and tells of nothing', async () => {
  for (const claimed of [{ port: 9 }, { code: 'EACCES' }]) {
    const socket = made().bind(9)
    socket.on('listening', assert.fail)
    socket.on('error', assert.fail)
    await turn()
    const closed = once(socket, 'close')
    socket.close()
    await closed
    wire.claims.shift()?.(claimed)
    assert.deepEqual(stack.sockets, [])
  }
  assert.deepEqual(
    wire.asked.filter((asked) => asked.startsWith('release')),
    ['release IPv4 9'],
  )
})

test('a send calls back once the wire answers, and with its refusal', async () => {
  const socket = await bound(0)
  const told: unknown[] = []
  for (const text of ['one', 'two']) {
    socket.send(text, 9, '10.0.0.9', (error) => told.push(error === null ? 'sent' : error.message))
  }
  await turn()
  assert.deepEqual(told, [])
  assert.deepEqual(
    wire.sends.map(({ packet }) => packet.data.toString()),
    ['one', 'two'],
  )
  wire.sends[1]?.answer('EPERM')
  wire.sends[0]?.answer()
  await turn()
  assert.deepEqual(told, ['send EPERM 10.0.0.9:9', 'sent'])
})

test('a socket that has lost its port claims another before it sends', async () => {
  const socket = await bound(0)
  await losePort(socket)
  assert.ok(wire.asked.includes('release IPv4 7777'))
  const sent = new Promise((resolve) => socket.send('x', 9, '10.0.0.9', resolve))
  await turn()
  assert.equal(wire.sends.length, 0)
  wire.claims.shift()?.({ code: 'EADDRINUSE' })
  assert.equal(((await sent) as NodeJS.ErrnoException).code, 'EAGAIN')
  socket.send('x', 9, '10.0.0.9')
  await turn()
  wire.claims.shift()?.({ port: 8888 })
  assert.equal(wire.sends[0]?.packet.sourcePort, 8888)
})

test('the wire hears of what is joined, for which sources, and of what is left', async () => {
  const [one, two] = [await bound(9), await bound(0)]
  wire.asked.length = 0
  one.addSourceSpecificMembership('10.0.0.7', '239.1.2.3', '10.0.0.1')
  two.addSourceSpecificMembership('10.0.0.8', '239.1.2.3', '10.0.0.1')
  two.addMembership('239.1.2.3', '127.0.0.1')
  two.dropSourceSpecificMembership('10.0.0.8', '239.1.2.3', '10.0.0.1')
  two.addMembership('239.1.2.3', '10.0.0.1')
  // What is refused changes nothing.
  assert.throws(() => two.addMembership('239.1.2.3', '10.0.0.1'), { code: 'EADDRINUSE' })
  one.close()
  two.close()
  assert.deepEqual(wire.asked.splice(0), [
    '239.1.2.3 on e0 from 10.0.0.7 at 7777,9',
    '239.1.2.3 on e0 from 10.0.0.7,10.0.0.8 at 7777,9',
    '239.1.2.3 on e0 from 10.0.0.7,10.0.0.8, 239.1.2.3 on lo at 7777,9',
    '239.1.2.3 on e0 from 10.0.0.7, 239.1.2.3 on lo at 7777,9',
    '239.1.2.3 on e0, 239.1.2.3 on lo at 7777,9',
    'release IPv4 9',
    '239.1.2.3 on e0, 239.1.2.3 on lo at 7777',
    'release IPv4 7777',
    'nothing at ',
  ])
  // For every sender first, and then for one.
  const [three, four] = [await bound(9), await bound(0)]
  wire.asked.length = 0
  three.addMembership('239.1.2.3', '10.0.0.1')
  four.addSourceSpecificMembership('10.0.0.8', '239.1.2.3', '10.0.0.1')
  three.addMembership('239.1.2.3', '127.0.0.1')
  stack.routing.links.delete('e0')
  three.close()
  four.close()
  assert.deepEqual(wire.asked, [
    '239.1.2.3 on e0 at 7777,9',
    '239.1.2.3 on e0 at 7777,9',
    '239.1.2.3 on lo, 239.1.2.3 on e0 at 7777,9',
    'release IPv4 9',
    'nothing at 7777',
    'release IPv4 7777',
    'nothing at ',
  ])
})

test('what settles and what waits to be sent is asked of the wire', async () => {
  const socket = await bound(9)
  await assert.rejects(async () => socket.settled?.(), /^Error: refused after 2$/)
  assert.equal(socket.getSendQueueSize(), 9)
  assert.equal(made().getSendQueueSize(), 0)
})

test('what nobody can do at once is refused', async () => {
  const connected = await bound(0)
  // Not every line of Node has it.
  if (!('bindSync' in connected)) return
  assert.throws(() => made().bindSync(), { code: 'ENOTSUP' })
  connected.connect(9, '10.0.0.2')
  await once(connected, 'connect')
  connected.disconnect()
  // Its port is given up.
  assert.throws(() => connected.connectSync(9, '10.0.0.2'), { code: 'ENOTSUP' })
})

test('what comes while its port is being claimed is not heard, and holds up nothing', async () => {
  const socket = made(true).bind(9)
  const heard: string[] = []
  socket.on('message', (data) => heard.push(data.toString()))
  await turn()
  const e0 = stack.routing.links.get('e0')
  assert.ok(e0)
  const hear = (text: string): void =>
    stack.hear(
      e0,
      {
        ...{ family: 'IPv4', source: '10.0.0.9', sourcePort: 9, destination: '10.0.0.1', port: 9 },
        ...{ ttl: 1, data: Buffer.from(text) },
      },
      false,
    )
  hear('too early')
  wire.claims.shift()?.({ port: 9 })
  hear('one')
  hear('two')
  for (let turns = 0; turns < 5; turns += 1) await turn()
  assert.deepEqual(heard, ['one', 'two'])
})

test('a socket that has lost its port, and sends twice before it has another, keeps one', async () => {
  const socket = await bound(0)
  await losePort(socket)
  for (const text of ['one', 'two']) socket.send(text, 9, '10.0.0.9')
  await turn()
  wire.asked.length = 0
  for (const [index, answer] of wire.claims.splice(0).entries()) answer({ port: 8888 + index })
  socket.close()
  assert.equal(wire.sends.length, 2)
  assert.deepEqual(
    wire.asked.filter((asked) => asked.startsWith('release')),
    ['release IPv4 8888', 'release IPv4 8889'],
  )
})

test('a socket that has lost its port, and is refused a second after it got one, keeps that', async () => {
  const socket = await bound(0)
  await losePort(socket)
  for (const text of ['one', 'two']) socket.send(text, 9, '10.0.0.9')
  await turn()
  wire.asked.length = 0
  for (const claimed of [{ port: 8888 }, { code: 'EADDRINUSE' }]) wire.claims.shift()?.(claimed)
  assert.deepEqual([socket.address().port, wire.asked], [8888, []])
  socket.close()
  assert.deepEqual(wire.asked, ['release IPv4 8888', 'nothing at '])
})

test('a port that was given back once is kept by the others of it', async () => {
  const socket = await bound(0)
  const other = made(true).bind(7777)
  const third = made(true).bind(7777)
  await Promise.all([once(other, 'listening'), once(third, 'listening')])
  await losePort(socket)
  socket.close()
  other.close()
  assert.ok(!wire.asked.includes('release IPv4 7777'))
  third.close()
  assert.ok(wire.asked.includes('release IPv4 7777'))
})

test('a port whose answer made a listener throw is had all the same', async () => {
  wire.claim = (_family, port, answer) => {
    wire.asked.push(`claim ${port}`)
    answer({ port })
  }
  const options = { type: 'udp4', reuseAddr: true, lookup } as const
  const socket = new StackSocket(stack, options).on('listening', () => {
    throw new Error('mine')
  })
  assert.throws(() => socket.bind(9), { message: 'mine' })
  new StackSocket(stack, options).bind(9)
  assert.equal(wire.asked.filter((asked) => asked === 'claim 9').length, 1)
})

test('a wire need not hear of a port that is given back', async () => {
  const { send, soon, claim } = wire
  const bare: Wire = { send, soon, claim: claim.bind(wire) }
  stack = new Stack('host', linux, bare)
  const socket = new StackSocket(stack, { type: 'udp4', lookup }).bind(9)
  wire.claims.shift()?.({ port: 9 })
  assert.equal(socket.address().port, 9)
  socket.close()
})
