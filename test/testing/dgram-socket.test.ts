/** The sockets of the mock beside those of the running Node: what they tell, and when, of what they are made to do. */
import assert from 'node:assert/strict'
import dgram, { type Socket } from 'node:dgram'
import { errorMonitor, getEventListeners, once } from 'node:events'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { lookup } from '../../src/datagram.js'
import { MockNetwork } from '../../src/testing/index.js'
import { until } from '../until.js'
import { modules } from './dgram.js'

/** A copy whose memory has been given away. */
function given(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  structuredClone(copy.buffer, { transfer: [copy.buffer] })
  return copy
}

/** What a sender is told, and what is heard of it, in the same program on either. */
async function both(program: (sender: Socket, port: number, told: string[]) => unknown) {
  const outcomes = []
  for (const { createSocket } of [modules.node, modules.mock]) {
    const receiver = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
    const { port } = receiver.address()
    const sender = createSocket({ type: 'udp4', lookup })
    const [heard, told]: [string[], string[]] = [[], []]
    sender.on('error', ({ message }) => told.push(`error ${message}`))
    receiver.on('message', (data, { size }) => heard.push(`${data} (${size})`))
    await program(sender, port, told)
    createSocket({ type: 'udp4', lookup }).send('end', port, '127.0.0.1')
    while (heard.at(-1) !== 'end (3)') await once(receiver, 'message')
    outcomes.push({ told: told.map((line) => line.replace(`${port}`, 'port')), heard })
  }
  const [node, mock] = outcomes
  assert.deepEqual(mock, node)
  return { told: [], heard: [], ...mock }
}

test('send() takes what that of node:dgram takes', async () => {
  const bytes = Uint8Array.from(Buffer.from('abcdefgh'))
  const { told, heard } = await both(async (sender, port, told) => {
    const send = (...args: unknown[]) =>
      new Promise<void>((resolve) => {
        const sent = (error: Error | null, size?: number) => {
          told.push(`${size} ${error?.message}`)
          resolve()
        }
        Reflect.apply(sender.send, sender, [...args, sent])
      })
    for (const data of [
      ...['text', '', 'ä', bytes, Buffer.from('buffer'), new DataView(bytes.buffer, 2, 3)],
      ...[new Uint16Array(bytes.buffer, 2, 2), ['a', bytes, Buffer.from('b')], [], ['']],
      ...[given(bytes), new Array(1024).fill('a'), new Array(1025).fill('a')],
    ]) {
      await send(data, port, '127.0.0.1')
      await send(data, port)
      await send(data, `${port}`, '')
    }
    await send('abcdef', 2, 3, port, '127.0.0.1')
    await send(bytes, 2, 3, port, '127.0.0.1')
    await send(bytes, 2, 3, port)
    await send(new Uint16Array(bytes.buffer, 2, 3), 1, 4, port, '127.0.0.1')
    await new Promise<void>((resolve) => sender.connect(port, '127.0.0.1', resolve))
    await send('connected')
    await send(['con', 'nected'])
    await send(new Array(1025).fill('a'))
    await send(bytes, 1, 2)
    sender.send('without a callback')
    sender.send(bytes, 3, 2)
    await setImmediate()
    sender.disconnect()
    sender.send('without one', port, '127.0.0.1')
  })
  assert.ok(heard.includes('text (4)') && heard.includes('aabcdefghb (10)'), `${heard}`)
  assert.ok(told.includes('10 undefined'), `${told}`)
})

test('what is refused names the address as it was given', async () => {
  for (const address of [undefined, null, '', '127.0.0.1', '::1'] as string[]) {
    const [node, mock] = await Promise.all(
      Object.values(modules).map(({ createSocket }) => {
        const sender = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
        return new Promise<object>((resolve) =>
          sender.send(Buffer.alloc(70_000), 9, address, (error) =>
            resolve({ ...error, message: error?.message }),
          ),
        )
      }),
    )
    assert.deepEqual(mock, node)
  }
})

test('a message is alone in its memory', async () => {
  for (const { createSocket } of Object.values(modules)) {
    const receiver = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
    createSocket('udp4').send('hello', receiver.address().port, '127.0.0.1')
    const [{ buffer, byteOffset }] = await once(receiver, 'message')
    assert.deepEqual([`${Buffer.from(buffer)}`, byteOffset], ['hello', 0])
  }
})

test('connect() takes what that of node:dgram takes', async () => {
  const called = (): void => {}
  const choices = [undefined, null, 0, '', false, 'x', {}, '127.0.0.1', called] as const
  for (const second of choices) {
    for (const third of choices) {
      const outcomes = []
      for (const { createSocket } of Object.values(modules)) {
        const socket = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
        const told: unknown[] = []
        socket.on('connect', () => told.push(socket.remoteAddress().address))
        socket.on('error', ({ message }) => told.push(message))
        try {
          Reflect.apply(socket.connect, socket, [9, second, third])
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException
          told.push(code)
        }
        told.push(socket.listenerCount('connect'))
        await setImmediate()
        outcomes.push(told)
        socket.close()
      }
      assert.deepEqual(outcomes[1], outcomes[0], `${second} ${third}`)
    }
  }
})

test('sockets that were bound in one turn are read in that order, whichever was sent to first', async () => {
  // The kernel may deliver the second datagram later, where it is busy: test/testing/transcripts has its order.
  const { createSocket } = modules.mock
  const told: string[] = []
  const [one, two, sender] = ['one', 'two', 'sender'].map((name) =>
    createSocket({ type: 'udp4', lookup })
      .bind(0, '127.0.0.1')
      .on('message', () => told.push(name)),
  )
  assert.ok(one && two && sender)
  for (const to of [two, one]) sender.send('x', to.address().port, '127.0.0.1')
  await until('both are read', () => told.length === 2)
  assert.deepEqual(told, ['one', 'two'])
})

test('a lookup that finds nothing has nothing sent', async () => {
  const { createSocket } = modules.mock
  const socket = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
  const lost = createSocket({
    type: 'udp4',
    lookup: (name, _family, callback) =>
      callback(null, name === '0.0.0.0' ? name : (undefined as never), 4),
  })
  const sent = new Promise((resolve) => lost.send('x', socket.address().port, 'nobody', resolve))
  assert.equal(((await sent) as Error).message, `send EINVAL nobody:${socket.address().port}`)
})

test('what is refused by the system vanishes where there is no callback', async () => {
  const { told } = await both(async (sender, port, told) => {
    sender.send(Buffer.alloc(70_000), port, '127.0.0.1')
    sender.send('x', port, '::1')
    sender.send('x', port, '::1', (error, size) => told.push(`${error?.message} ${size}`))
    sender.connect(port, '127.0.0.1')
    await once(sender, 'connect')
    sender.send(Buffer.alloc(70_000), (error) => told.push(`${error?.message}`))
    await setImmediate()
  })
  assert.deepEqual(told, ['send EINVAL ::1:port undefined', 'send EMSGSIZE'])
})

test('names are found by the lookup that is given, and localhost without one', async () => {
  const { createSocket } = modules.mock
  const receiver = createSocket('udp4').bind(9, 'LocalHost')
  await once(receiver, 'listening')
  assert.equal(receiver.address().address, '127.0.0.1')
  const asked: unknown[] = []
  const sender = createSocket({
    type: 'udp4',
    lookup: (name, family, callback) => {
      asked.push([name, family])
      queueMicrotask(() => callback(null, '127.0.0.1', 4))
    },
  })
  sender.send('by name', 9, 'printer.example')
  const [data] = await once(receiver, 'message')
  assert.equal(`${data}`, 'by name')
  // What is connected need not be found again.
  sender.connect(9, '127.0.0.1', () => sender.send('connected'))
  assert.equal(`${(await once(receiver, 'message'))[0]}`, 'connected')
  const six = createSocket({
    type: 'udp6',
    lookup: (name, family, callback) => {
      asked.push([name, family])
      callback(null, name, 6)
    },
  }).bind()
  assert.deepEqual(asked, [
    ['0.0.0.0', 4],
    ['printer.example', 4],
    ['127.0.0.1', 4],
    ['::', 6],
  ])
  const local = createSocket('udp6').bind(9, 'localhost')
  await once(local, 'listening')
  assert.equal(local.address().address, '::1')
  const unknown = { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'printer.example' }
  for (const act of [
    (socket: Socket) => socket.send('x', 9, 'printer.example'),
    (socket: Socket) => socket.bind(9, 'printer.example', () => assert.fail()),
    (socket: Socket) => socket.connect(9, 'printer.example'),
  ]) {
    const socket = createSocket('udp4')
    act(socket)
    const [error] = await once(socket, 'error')
    const { code, syscall, hostname, message } = error
    assert.deepEqual({ code, syscall, hostname }, unknown)
    assert.equal(message, 'getaddrinfo ENOTFOUND printer.example')
    socket.close()
  }
  const socket = createSocket('udp4')
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) =>
    socket.send('x', 9, 'printer.example', resolve),
  )
  assert.equal(error?.code, 'ENOTFOUND')
  for (const one of [socket, sender, receiver, six, local]) one.close()
})

test('a socket of IPv4 that is to be of IPv6 alone is not bound', () => {
  for (const ipv6Only of [false, 0, true, 1] as boolean[]) {
    const [node, mock] = Object.values(modules).map(({ createSocket }) => {
      const told: unknown[] = []
      const socket = createSocket({ type: 'udp4', ipv6Only, lookup })
      socket.on('error', ({ message }) => told.push(message))
      socket.bind(0, '127.0.0.1', () => told.push('bound'))
      return told
    })
    assert.deepEqual(mock, node, `${ipv6Only}`)
    assert.equal(mock?.length, 1)
  }
})

test('a socket that is closed while a message waits is closed once it is bound', async () => {
  for (const { createSocket } of Object.values(modules)) {
    const socket = createSocket('udp4')
    const told: string[] = []
    for (const event of ['listening', 'close', 'error']) socket.on(event, () => told.push(event))
    socket.bind(0, '127.0.0.1')
    socket.send('x', 9, '127.0.0.1')
    socket.close()
    await once(socket, 'close')
    assert.deepEqual(told, ['listening', 'close'])
  }
})

test('what waits for a bind that fails is never heard of again, nor is its callback', async () => {
  for (const { createSocket } of Object.values(modules)) {
    const taken = createSocket('udp4').bind(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address()
    const socket = createSocket({ type: 'udp4' })
    const told: string[] = []
    socket.on('error', ({ message }) => told.push(message))
    socket.bind(port, '127.0.0.1', () => told.push('bound'))
    socket.send('x', port, '127.0.0.1', () => told.push('sent'))
    await once(socket, 'error')
    assert.equal(socket.listenerCount('listening'), 0)
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    await setImmediate()
    assert.deepEqual(told, [`bind EADDRINUSE 127.0.0.1:${port}`])
    taken.close()
    socket.close()
  }
})

/** What the same program tells on either. */
async function tells(
  program: (createSocket: typeof dgram.createSocket, told: unknown[]) => unknown,
): Promise<unknown[]> {
  const [node, mock]: [unknown[], unknown[]] = [[], []]
  await program(modules.node.createSocket, node)
  await program(modules.mock.createSocket, mock)
  assert.deepEqual(mock, node)
  return mock
}

test('a lookup that answers late is heard of as by node:dgram, and on a closed socket too', async () => {
  const acts: ((socket: Socket, callback: (...told: unknown[]) => void) => unknown)[] = [
    (socket, callback) => socket.bind(0, 'printer.example', callback),
    (socket, callback) => socket.bind(0, '127.0.0.1').send('x', 9, 'printer.example', callback),
    (socket) => socket.bind(0, '127.0.0.1').send('x', 9, 'printer.example'),
    (socket, callback) => socket.bind(0, '127.0.0.1').connect(9, 'printer.example', callback),
    (socket) => socket.bind(0, '127.0.0.1').connect(9, 'printer.example'),
  ]
  const outcomes = await tells(async (createSocket, told) => {
    for (const act of acts) {
      for (const error of [null, new Error('in vain')]) {
        for (const isClosed of [false, true]) {
          const answers: (() => void)[] = []
          const socket = createSocket({
            type: 'udp4',
            lookup: (name, _family, callback) => {
              if (name.startsWith('127')) callback(null, name, 4)
              else answers.push(() => callback(error, '127.0.0.1', 4))
            },
          })
          const heard: unknown[] = []
          for (const event of ['error', 'listening', 'connect']) {
            socket.on(event, (cause?: Error) => heard.push(`${event} ${cause?.message}`))
          }
          act(socket, (cause, size) => {
            heard.push(`calls back ${(cause as Error | null | undefined)?.message} ${size}`)
          })
          if (isClosed) socket.close()
          for (const answer of answers) answer()
          await setImmediate()
          await setImmediate()
          told.push([...heard, socket.listenerCount('connect')])
        }
      }
    }
  })
  assert.ok(outcomes.flat().includes('error in vain'))
})

test('connecting waits until the socket is bound', async () => {
  const told = await tells(async (createSocket, told) => {
    const socket = createSocket({
      type: 'udp4',
      lookup: (name, _family, callback) => {
        told.push(name)
        queueMicrotask(() => callback(null, name, 4))
      },
    })
    socket.on('listening', () => told.push('listening'))
    socket.connect(9, '127.0.0.1')
    await once(socket, 'connect')
  })
  assert.deepEqual(told, ['0.0.0.0', 'listening', '127.0.0.1'])
})

test('what is sent before a socket is closed goes out, if it comes to be bound', async () => {
  const outcomes = await tells(async (createSocket, told) => {
    const receiver = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
    receiver.on('message', (data) => told.push(`${data}`))
    const { port } = receiver.address()
    const sender = createSocket({
      type: 'udp4',
      lookup: (name, _family, callback) => {
        if (name === '0.0.0.0') queueMicrotask(() => callback(null, name, 4))
        else callback(null, name, 4)
      },
    })
    sender.send('hello', port, '127.0.0.1')
    told.push(sender.close() === sender)
    await Promise.all([once(receiver, 'message'), once(sender, 'close')])
    // Nor is it closed where it is not bound.
    const late = createSocket('udp4').bind(port, '127.0.0.1')
    late.on('error', ({ message }) => told.push(message.replace(`${port}`, 'port')))
    late.send('nothing', port, '127.0.0.1')
    late.close(() => told.push('closed'))
    await once(late, 'error')
    await setImmediate()
    told.push('and then')
    late.close()
    await once(late, 'close')
  })
  const refused = 'bind EADDRINUSE 127.0.0.1:port'
  assert.deepEqual(outcomes, [true, 'hello', refused, 'and then', 'closed'])
})

test('binding, sending and connecting leave no listener behind', async () => {
  const left = []
  for (const { createSocket } of [modules.node, modules.mock]) {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1', () => {})
    socket.send('x', 9, '127.0.0.1')
    socket.connect(9, '127.0.0.1')
    const counted = () =>
      [errorMonitor, 'error', 'listening', 'connect'].map((event) =>
        socket.listenerCount(event as string),
      )
    const during = counted()
    await once(socket, 'connect')
    left.push({ during, counts: counted() })
  }
  assert.deepEqual(left[1], left[0])
  assert.deepEqual(left[1]?.counts, [0, 0, 0, 0])
})

test('what a closed socket has not read does not keep others from reading', async () => {
  const { createSocket } = modules.mock
  const [one, two] = [9, 10].map((port) => createSocket({ type: 'udp4', lookup }).bind(port)) as [
    Socket,
    Socket,
  ]
  const heard: string[] = []
  for (const socket of [one, two]) socket.on('message', (data) => heard.push(`${data}`))
  const sender = createSocket({ type: 'udp4', lookup })
  for (const message of ['first', 'second']) sender.send(message, 9)
  one.once('message', () => one.close())
  for (const message of ['third', 'fourth']) sender.send(message, 10)
  while (heard.at(-1) !== 'fourth') await once(two, 'message')
  assert.deepEqual(heard, ['first', 'third', 'fourth'])
})

test('a socket that was not told to bind hears nothing, though it has a port', async () => {
  const network = new MockNetwork()
  const { createSocket } = network.host()
  const socket = createSocket('udp4')
  let heard = 0
  socket.on('message', () => (heard += 1))
  socket.addMembership('239.1.2.3')
  createSocket({ type: 'udp4', lookup }).send('x', socket.address().port, '127.0.0.1')
  await network.settled()
  assert.equal(heard, 0)
  await network.close()
})

test('a socket is closed by a signal, and by `await using`', async () => {
  for (const { createSocket } of Object.values(modules)) {
    const given = new AbortController()
    const early = createSocket({ type: 'udp4', signal: given.signal })
    const socket = createSocket({ type: 'udp4', signal: given.signal }).bind(0, '127.0.0.1')
    await once(socket, 'listening')
    early.close()
    given.abort()
    await Promise.all([early, socket].map((one) => once(one, 'close')))
    assert.deepEqual(getEventListeners(given.signal, 'abort'), [])
    await socket[Symbol.asyncDispose]()
    const late = createSocket({ type: 'udp4', signal: given.signal })
    await once(late, 'close')
    assert.throws(() => late.bind(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
    const other = createSocket('udp4')
    const closed = once(other, 'close')
    await other[Symbol.asyncDispose]()
    await closed
  }
})

test('buffers have the sizes of the options, once it is bound', async () => {
  const options = { type: 'udp4', recvBufferSize: 10_000, sendBufferSize: 20_000 } as const
  for (const { createSocket } of Object.values(modules)) {
    const socket = createSocket(options).bind(0, '127.0.0.1')
    await once(socket, 'listening')
    if (process.platform === 'linux') {
      assert.deepEqual([socket.getRecvBufferSize(), socket.getSendBufferSize()], [20_000, 40_000])
    }
    assert.equal(socket.getSendQueueCount(), 0)
    socket.close()
  }
})

const isRead = (option: string) => String(dgram.Socket).includes(option)

test('block lists hold, where node:dgram knows them', async () => {
  const list = new BlockList()
  list.addAddress('127.0.0.1')
  const options = { type: 'udp4', lookup } as const
  for (const [name, { createSocket }] of Object.entries(modules)) {
    // Elsewhere lo has one address alone.
    if (name === 'node' && process.platform !== 'linux') continue
    const told: string[] = []
    const deaf = createSocket({ ...options, ...{ receiveBlockList: list } }).bind(0, '127.0.0.1')
    deaf.on('message', (data) => told.push(`heard ${data}`))
    const mute = createSocket({ ...options, ...{ sendBlockList: list } })
    const { port } = deaf.address()
    const ended = (act: (callback: (error?: Error | null) => void) => void) =>
      new Promise<void>((resolve) =>
        act((error) => {
          if (error) told.push(`${(error as NodeJS.ErrnoException).code} ${error.message}`)
          resolve()
        }),
      )
    await ended((callback) => mute.send('from mute', port, '127.0.0.1', callback))
    await ended((callback) => mute.connect(port, '127.0.0.1', callback as () => void))
    const other = createSocket(options).bind(0, '127.0.0.2')
    const free = createSocket({ ...options, ...{ sendBlockList: list } })
    await ended((callback) => free.connect(other.address().port, '127.0.0.2', callback))
    await ended((callback) => free.send('to one that is not on the list', callback))
    createSocket(options).send('from 127.0.0.1', port, '127.0.0.1')
    createSocket(options).bind(0, '127.0.0.2').send('end', port, '127.0.0.1')
    while (told.at(-1) !== 'heard end') await once(deaf, 'message')
    const refused = 'ERR_IP_BLOCKED IP(127.0.0.1) is blocked by net.BlockList'
    const heard = ['heard from mute', 'heard from 127.0.0.1', 'heard end']
    assert.deepEqual(told, isRead('BlockList') ? [refused, refused, 'heard end'] : heard, name)
  }
})

test('a socket keeps its place among those who hear a group, though it was connected', async () => {
  const [group, here] = ['239.255.29.71', '127.0.0.1']
  const outcomes = []
  for (const { createSocket } of Object.values(modules)) {
    const heard: number[] = []
    const sockets: Socket[] = []
    // One that the system has picked would be given up.
    const free = createSocket({ type: 'udp4', lookup }).bind(0)
    const { port } = free.address()
    free.close()
    for (let at = 0; at < 3; at += 1) {
      const socket = createSocket({ type: 'udp4', reuseAddr: true, lookup }).bind(port)
      socket.addMembership(group, here)
      socket.on('message', () => heard.push(at))
      sockets.push(socket)
    }
    const [first] = sockets
    assert.ok(first)
    await new Promise<void>((resolve) => first.connect(port, here, resolve))
    first.disconnect()
    const sender = createSocket({ type: 'udp4', lookup }).bind(0)
    sender.setMulticastInterface(here)
    for (let rounds = 0; rounds < 3; rounds += 1) await setImmediate()
    for (let sent = 0; sent < 2; sent += 1) {
      sender.send('x', port, group)
      await until('all have heard it', () => heard.length === 3 * (sent + 1))
      // Who was read in the last round would be read first.
      for (let rounds = 0; rounds < 3; rounds += 1) await setImmediate()
    }
    outcomes.push(heard)
  }
  assert.deepEqual(outcomes[1], outcomes[0])
})

test('sockets share a port by reusePort, where node:dgram knows it', async () => {
  const options = { type: 'udp4', lookup, reusePort: true } as const
  for (const [name, { createSocket }] of Object.entries(modules)) {
    if (name === 'node' && process.platform !== 'linux') continue
    const one = createSocket(options).bind(0, '127.0.0.1')
    const two = createSocket(options)
    let failed: unknown
    two.on('error', (error: NodeJS.ErrnoException) => (failed = error.code))
    two.bind(one.address().port, '127.0.0.1')
    assert.equal(failed, isRead('reusePort') ? undefined : 'EADDRINUSE', name)
    if (failed === undefined) {
      const heard = new Set<Socket>()
      for (const socket of [one, two]) socket.on('message', () => heard.add(socket))
      for (let sent = 0; sent < 200 && heard.size < 2; sent += 1) {
        const sender = createSocket({ type: 'udp4', lookup })
        sender.send('x', one.address().port, '127.0.0.1', () => sender.close())
        await once(sender, 'close')
        await setImmediate()
      }
      assert.equal(heard.size, 2, name)
    }
    one.close()
    two.close()
  }
})
