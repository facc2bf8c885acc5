/** The sockets of the mock beside those of the running Node: what there is, and how arguments are refused. */
import assert from 'node:assert/strict'
import dgram, { type Socket } from 'node:dgram'
import { errorMonitor, getEventListeners, once } from 'node:events'
import { BlockList } from 'node:net'
import { afterEach, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { lookup } from '../../src/datagram.js'
import { MockNetwork, type MockSocket } from '../../src/testing/index.js'

const host = () => new MockNetwork().host()
/** Node's own module, and what stands in its place: nothing here is sent to anywhere but 127.0.0.1. */
const modules = { node: kept(dgram), mock: kept(host().dgram) }
const [major = 0] = process.versions.node.split('.').map(Number)

const made: Socket[] = []

/** The same, with sockets that are closed after the test that made them. */
function kept(module: Pick<typeof dgram, 'createSocket' | 'Socket'>) {
  const createSocket = (...args: Parameters<typeof dgram.createSocket>): Socket => {
    const socket = module.createSocket(...args)
    made.push(socket)
    return socket
  }
  return { createSocket: createSocket as typeof dgram.createSocket }
}

afterEach(async () => {
  await Promise.all(made.splice(0).map((socket) => socket[Symbol.asyncDispose]()))
})

/** What a call throws, or else what it returns. */
function refusal(call: () => unknown): unknown {
  try {
    const returned = call()
    return typeof returned === 'object' ? 'an object' : returned
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException
    // Earlier versions tell of the value in other words.
    return { name, code, message: major < 24 ? message.replace(/ Received .*/s, '') : message }
  }
}

/** What the same calls are refused with, by node:dgram and by the mock. */
function isSame(what: string, call: (module: typeof modules.mock) => unknown): void {
  const [node, mock] = [refusal(() => call(modules.node)), refusal(() => call(modules.mock))]
  assert.deepEqual(mock, node, what)
}

const values = [
  ...[undefined, null, 0, -0, 1, 1.5, -1, 65_535, 65_536, Number.NaN, Number.POSITIVE_INFINITY],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53],
  ...[
    '',
    ' ',
    '7',
    'x',
    "it's",
    'one that is longer than 28 characters',
    true,
    false,
    Symbol('s'),
    1n,
  ],
  ...[{}, [], ['x'], [5], Object.create(null), new Date(0), new Map(), new BlockList()],
  ...[() => {}, function named() {}, class Some {}, new ArrayBuffer(2), Uint16Array.of(1, 2)],
]

test('every member of dgram.Socket is there, and is its own', () => {
  const socket = host().createSocket('udp4')
  const own = Object.getPrototypeOf(Object.getPrototypeOf(socket))
  assert.equal(Object.getPrototypeOf(own), dgram.Socket.prototype)
  for (const name of Reflect.ownKeys(dgram.Socket.prototype)) {
    assert.ok(Object.hasOwn(own, name), `${String(name)} would be that of a real socket`)
  }
  const more = Reflect.ownKeys(own).filter((name) => !(name in dgram.Socket.prototype))
  assert.deepEqual(more, [], 'these are missing in production')
  for (const name of ['_handle', '_receiving', '_bindState']) {
    assert.equal(Reflect.get(socket, name), undefined)
    assert.ok(Reflect.set(socket, name, undefined))
  }
})

test('a socket is one of node:dgram, and of its host', () => {
  const { dgram: mocked, createSocket } = host()
  for (const socket of [
    createSocket('udp4'),
    mocked.createSocket({ type: 'udp6' }),
    Reflect.construct(mocked.Socket, ['udp4']),
  ]) {
    assert.ok(socket instanceof dgram.Socket)
    assert.ok(socket instanceof mocked.Socket)
    assert.equal(typeof socket.on, 'function')
  }
  assert.ok(!(host().createSocket('udp4') instanceof mocked.Socket))
  assert.equal(host().createSocket('udp6').type, 'udp6')
  assert.ok(!Object.keys(host()).includes('dgram'))
})

test('making a socket refuses what node:dgram refuses', () => {
  for (const value of values) {
    isSame(`type ${String(value?.toString)}`, ({ createSocket }) => createSocket(value as 'udp4'))
    for (const option of [
      ...['type', 'lookup', 'recvBufferSize', 'sendBufferSize', 'signal', 'reuseAddr', 'reusePort'],
      ...['ipv6Only', 'receiveBlockList', 'sendBlockList'],
    ]) {
      isSame(`${option}: ${typeof value}`, ({ createSocket }) => {
        createSocket({ type: 'udp4', [option]: value })
      })
    }
  }
})

test('a socket is made with a listener of `message`, which what is no function is not', async () => {
  for (const value of values) {
    isSame(`listener ${typeof value}`, ({ createSocket }) =>
      createSocket('udp4', value as never).listenerCount('message'),
    )
  }
  for (const { createSocket } of Object.values(modules)) {
    const heard: string[] = []
    const listener = (data: Buffer): unknown => heard.push(`${data}`)
    const socket = createSocket({ type: 'udp4', lookup }, listener).bind(0, '127.0.0.1')
    socket.send('hello', socket.address().port, '127.0.0.1')
    await once(socket, 'message')
    assert.deepEqual(heard, ['hello'])
  }
})

test('what an option is refused with names it', () => {
  for (const [option, value] of [
    ['recvBufferSize', 'x'],
    ['sendBufferSize', 'x'],
    ['lookup', 5],
    ['signal', 5],
  ] as const) {
    const message = new RegExp(`^The "(options\\.)?${option}" (property|argument) must be`)
    const make = () => modules.mock.createSocket({ type: 'udp4', [option]: value })
    assert.throws(make, { code: 'ERR_INVALID_ARG_TYPE', message })
  }
})

test('the size of a buffer is refused in the words of Node 24, on whichever runs', () => {
  for (const [size, why] of [
    [1.5, 'an integer. Received 1.5'],
    [-1, '>= 0 && <= 4294967295. Received -1'],
    [2 ** 32, '>= 0 && <= 4294967295. Received 4294967296'],
    [2 ** 32 + 1, '>= 0 && <= 4294967295. Received 4_294_967_297'],
    [-(2 ** 33), '>= 0 && <= 4294967295. Received -8_589_934_592'],
    [2 ** 33 + 2 ** -10, 'an integer. Received 8589934592.000977'],
    [Number.POSITIVE_INFINITY, 'an integer. Received Infinity'],
  ] as const) {
    const message = `The value of "options.recvBufferSize" is out of range. It must be ${why}`
    const make = () => modules.mock.createSocket({ type: 'udp4', recvBufferSize: size })
    assert.throws(make, { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message })
  }
})

test('no file of the process is bound to, and what is no file is ignored', () => {
  const { createSocket } = modules.mock
  const bind = (given: unknown) => createSocket({ type: 'udp4', lookup }).bind(given as number)
  for (const fd of [1, 5]) assert.throws(() => bind({ fd }), { code: 'ERR_INVALID_FD_TYPE' })
  for (const given of [{ fd: 0 }, { fd: -1 }, { fd: 1.5 }, { fd: '5' }, { fd: undefined }, null]) {
    assert.ok(bind(given).address().port > 0)
  }
})

/** A bound socket of each, and what it is told. */
function bound() {
  const [node, mock] = [modules.node, modules.mock].map(({ createSocket }) =>
    // Bound when it returns.
    createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1'),
  ) as [Socket, Socket]
  const close = () => [node, mock].map((socket) => socket.close())
  return { node, mock, close }
}

test('calls refuse what those of node:dgram refuse', () => {
  const { node, mock, close } = bound()
  const each = (what: string, call: (socket: Socket) => unknown) => {
    assert.deepEqual(
      refusal(() => call(mock)),
      refusal(() => call(node)),
      what,
    )
  }
  const call = (socket: Socket, method: string, ...args: unknown[]): unknown => {
    const member = Reflect.get(socket, method)
    return typeof member === 'function' ? member.apply(socket, args) : 'missing'
  }
  const to = '127.0.0.1'
  const nobody = (): void => {}
  for (const socket of [node, mock]) socket.on('error', nobody)
  for (const value of values) {
    const what = `${typeof value} ${Object.prototype.toString.call(value)}`
    for (const method of [
      ...[
        'setTTL',
        'setBroadcast',
        'setMulticastTTL',
        'setMulticastLoopback',
        'setMulticastInterface',
        'setRecvBufferSize',
        'setSendBufferSize',
      ],
      ...['addMembership', 'dropMembership', 'bind', 'bindSync'],
    ]) {
      // What is no text is EINVAL from 24 on, and else a TypeError of whatever reads it.
      const isNoText = typeof value === 'symbol' || Object.getPrototypeOf(value ?? 0) === null
      if (method.endsWith('Membership') && isNoText) continue
      // Node itself dies of it.
      if (method.endsWith('BufferSize') && Object.is(value, -0)) continue
      each(`${method} ${what}`, (socket) => call(socket, method, value))
    }
    each(`data ${what}`, (socket) => call(socket, 'send', value, 9, to))
    each(`part of the data ${what}`, (socket) => call(socket, 'send', value, 0, 1, 0, to))
    each(`list ${what}`, (socket) => call(socket, 'send', ['a', value], 9, to))
    each(`port ${what}`, (socket) => call(socket, 'send', 'a', value, to))
    // A function is the callback, and a class none that can be called.
    if (typeof value !== 'function') {
      each(`address ${what}`, (socket) => call(socket, 'send', 'a', 9, value))
      isSame(`connect to ${what}`, ({ createSocket }) => {
        const socket = createSocket({ type: 'udp4', lookup }).on('error', nobody)
        call(socket.bind(0, '127.0.0.1'), 'connect', 9, value)
      })
    }
    each(`offset ${what}`, (socket) => call(socket, 'send', 'abc', value, 1, 0, to))
    each(`length ${what}`, (socket) => call(socket, 'send', 'abc', 0, value, 0, to))
    for (const at of [1, 2, 3, 4]) {
      const args: unknown[] = ['abc', 0, 1, 0, to]
      args[at] = value
      each(`sendto ${at} ${what}`, (socket) => call(socket, 'sendto', ...args))
    }
    for (const method of ['addSourceSpecificMembership', 'dropSourceSpecificMembership']) {
      for (const at of [0, 1]) {
        const args: unknown[] = ['10.0.0.1', '239.1.2.3']
        args[at] = value
        each(`${method} ${at} ${what}`, (socket) => call(socket, method, ...args))
      }
    }
  }
  close()
})

/** A call of each method, as it would be right. */
const calls: readonly (readonly [string, ...unknown[]])[] = [
  ...(['address', 'remoteAddress', 'disconnect', 'ref', 'unref'] as const).map(
    (name) => [name] as const,
  ),
  ...['getRecvBufferSize', 'getSendBufferSize', 'getSendQueueSize', 'getSendQueueCount'].map(
    (name) => [name] as const,
  ),
  ['setBroadcast', true],
  ['setTTL', 3],
  ['setMulticastTTL', 3],
  ['setMulticastLoopback', true],
  ['setMulticastInterface', '127.0.0.1'],
  ['setRecvBufferSize', 9000],
  ['setSendBufferSize', 9000],
  ['dropMembership', '239.1.2.3', '127.0.0.1'],
  ['addSourceSpecificMembership', '127.0.0.1', '10.0.0.1', '127.0.0.1'],
  ['dropSourceSpecificMembership', '127.0.0.1', '239.1.2.3', '127.0.0.1'],
  ['addMembership', '10.0.0.1', '127.0.0.1'],
  ['connectSync', 9, '127.0.0.1'],
  ['send', 'x', 9, '127.0.0.1'],
  ['bind', 0, '127.0.0.1'],
  ['bindSync', { address: '127.0.0.1' }],
  ['connect', 9, '127.0.0.1'],
  ['close'],
]

test('calls answer what those of node:dgram answer before a socket is bound, and when it is closed', async () => {
  for (const [name, ...args] of calls) {
    if (!(name in dgram.Socket.prototype)) continue
    const call = (socket: Socket): unknown => Reflect.get(socket, name).apply(socket, args)
    isSame(`${name} before`, ({ createSocket }) => call(createSocket({ type: 'udp4', lookup })))
    isSame(`${name} after`, ({ createSocket }) => call(createSocket('udp4').close()))
  }
})

test('bind() takes what that of node:dgram takes', async () => {
  const called = (): void => {}
  const free = { port: 0, address: '127.0.0.1' }
  const ways = (value: unknown): unknown[][] => [
    [value],
    [value, '127.0.0.1'],
    [0, value],
    [{ port: value, address: '127.0.0.1' }],
    [{ port: 0, address: value }],
    [{ ...free, fd: value }],
    [{ ...free, fd: value }, '127.0.0.2', called],
    [value, called],
    [0, '127.0.0.1', value, called],
    [0, '127.0.0.1', called, value],
  ]
  for (const value of values) {
    // Node itself dies of what is no number in any way, and the ports below 1024 are not for everybody.
    if (typeof value === 'symbol' || Object.getPrototypeOf(value ?? 0) === null) continue
    const port = Number(value) & 0xffff
    if (port > 0 && port < 1024) continue
    for (const args of ways(value)) {
      const outcomes = Object.values(modules).map(({ createSocket }) => {
        const socket = createSocket({ type: 'udp4', lookup })
        const told: unknown[] = []
        socket.on('error', ({ message }) => told.push(message))
        const refused = refusal(() => Reflect.apply(socket.bind, socket, args))
        told.push(refused, socket.listenerCount('listening'))
        told.push(refusal(() => socket.address().address))
        told.push(refusal(() => socket.address().port === 65_535))
        socket.close()
        return told
      })
      assert.deepEqual(outcomes[1], outcomes[0], `bind ${String(value?.toString)} ${args.length}`)
    }
  }
})

test('send() finds its arguments as that of node:dgram does, whichever are given', async () => {
  for (const isConnected of [false, true]) {
    const outcomes: unknown[][] = []
    for (const { createSocket } of Object.values(modules)) {
      const told: unknown[] = []
      outcomes.push(told)
      const receiver = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
      const { port } = receiver.address()
      const socket = createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1')
      if (isConnected) {
        socket.connect(port, '127.0.0.1')
        await once(socket, 'connect')
      }
      const choices = (at: number, way: string): unknown[] => [
        ...[undefined, null, 2, '127.0.0.1'],
        (error: Error | null, size?: number) =>
          told.push(`${way} calls ${at}: ${error?.message.replace(`${port}`, 'port')} ${size}`),
      ]
      for (let way = 0; way < 5 ** 5; way += 1) {
        const name = way.toString(5).padStart(5, '0')
        const args = [...name].map((choice, at) => choices(at, name)[Number(choice)])
        const refused = refusal(() => Reflect.apply(socket.send, socket, ['abcd', ...args]))
        told.push(`${name} ${JSON.stringify(refused)}`)
      }
      await setImmediate()
      await setImmediate()
      told.sort()
    }
    assert.deepEqual(outcomes[1], outcomes[0])
  }
})

test('bindSync() and connectSync() are those of the running Node', async () => {
  // Neither has them, as the first test shows.
  if (!('bindSync' in dgram.Socket.prototype)) return
  const sync = (socket: Socket) => socket as MockSocket
  for (const value of values) {
    for (const option of ['port', 'address']) {
      // The ports below 1024 are not for everybody.
      if (option === 'port' && ['7', 1].includes(value as number)) continue
      isSame(`bindSync ${option} ${typeof value}`, ({ createSocket }) =>
        sync(createSocket('udp4')).bindSync({ address: '127.0.0.1', [option]: value }),
      )
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
      isSame(`bindSync ${typeof value}`, ({ createSocket }) =>
        sync(createSocket('udp4')).bindSync(value as object),
      )
    }
    isSame(`connectSync port ${typeof value}`, ({ createSocket }) =>
      sync(createSocket('udp4').bind(0, '127.0.0.1')).connectSync(value as number, '127.0.0.1'),
    )
    isSame(`connectSync ${typeof value}`, ({ createSocket }) => {
      const socket = sync(createSocket({ type: 'udp4', lookup }).bind(0, '127.0.0.1'))
      socket.connectSync(9, value as string)
      return socket.remoteAddress().address
    })
  }
  const sendBlockList = new BlockList()
  sendBlockList.addAddress('127.0.0.1')
  for (const act of [
    ({ createSocket }) => sync(createSocket('udp4').close()).bindSync(5 as never),
    ({ createSocket }) => sync(createSocket('udp4').close()).connectSync(-1),
    ({ createSocket }) => sync(createSocket('udp4').bind(0)).bindSync(),
    ({ createSocket }) => sync(createSocket('udp4').bind(0)).connectSync(9),
    ({ createSocket }) => sync(createSocket('udp4')).connectSync(9, '::1'),
    ({ createSocket }) =>
      sync(createSocket({ type: 'udp4', ...{ sendBlockList } })).connectSync(9, '127.0.0.1'),
  ] satisfies ((module: typeof modules.mock) => unknown)[]) {
    isSame(`${act}`, act)
  }
  const six = sync(modules.mock.createSocket('udp6'))
  six.connectSync(9)
  assert.equal(six.remoteAddress().address, '::1')
  for (const { createSocket } of Object.values(modules)) {
    const hasty = sync(createSocket('udp4'))
    for (const event of ['listening', 'connect']) hasty.on(event, () => assert.fail(event))
    hasty.connectSync(9)
    await new Promise<void>((resolve) => hasty.close(resolve))
  }
  for (const { createSocket } of [modules.node, modules.mock]) {
    const told: string[] = []
    const [one, two] = [sync(createSocket('udp4')), sync(createSocket('udp4'))]
    for (const event of ['listening', 'connect', 'close']) one.on(event, () => told.push(event))
    const { address, port } = one.bindSync({ address: '127.0.0.1' })
    assert.deepEqual([address, one.address().port], ['127.0.0.1', port])
    assert.throws(() => two.bindSync({ address, port }), {
      message: `bind EADDRINUSE 127.0.0.1:${port}`,
    })
    two.bindSync({ address })
    one.connectSync(two.address().port, address)
    assert.equal(one.remoteAddress().port, two.address().port)
    assert.throws(() => one.connectSync(9, address), { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' })
    two.send('hello', port, address)
    const [data] = await once(one, 'message')
    assert.equal(`${data}`, 'hello')
    const [near, far] = [sync(createSocket('udp4')), sync(createSocket({ type: 'udp4', lookup }))]
    near.connectSync(far.bindSync({ address }).port, address)
    await once(near, 'listening')
    far.send('hello to you', near.address().port, address)
    await once(near, 'message')
    one.close()
    await once(one, 'close')
    assert.deepEqual(told, ['listening', 'connect', 'close'])
  }
})

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
  const receiver = createSocket('udp4').bind(9, 'localhost')
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

test('what cannot be the name of a host is refused by the lookup', () => {
  for (const value of values) {
    // A function is the callback, and what is as good as nothing is no name.
    if (!value || typeof value === 'string' || typeof value === 'function') continue
    // What cannot be a text in any way newer lines stumble over.
    if (typeof value === 'symbol' || Object.getPrototypeOf(value) === null) continue
    isSame(`bind to ${typeof value}`, ({ createSocket }) =>
      createSocket('udp4').bind(0, value as string),
    )
  }
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
    createSocket(options).send('from 127.0.0.1', port, '127.0.0.1')
    createSocket(options).bind(0, '127.0.0.2').send('end', port, '127.0.0.1')
    while (told.at(-1) !== 'heard end') await once(deaf, 'message')
    const refused = 'ERR_IP_BLOCKED IP(127.0.0.1) is blocked by net.BlockList'
    const heard = ['heard from mute', 'heard from 127.0.0.1', 'heard end']
    assert.deepEqual(told, isRead('BlockList') ? [refused, refused, 'heard end'] : heard, name)
  }
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
