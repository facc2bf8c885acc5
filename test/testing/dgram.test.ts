/** The sockets of the mock beside those of the running Node: what there is, and how arguments are refused. */
import assert from 'node:assert/strict'
import dgram, { type Socket } from 'node:dgram'
import { once } from 'node:events'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { lookup } from '../../src/datagram.js'
import type { MockSocket } from '../../src/testing/index.js'
import { host, modules } from './dgram.js'

const [major = 0] = process.versions.node.split('.').map(Number)

/** What a call throws, or else what it returns. */
function refusal(call: () => unknown): unknown {
  try {
    const returned = call()
    return typeof returned === 'object' ? 'an object' : returned
  } catch (error) {
    const { name, code, message, stack = '', ...more } = error as NodeJS.ErrnoException
    const shown = [String(error), stack, inspect(error)].map((text) => text.split('\n    at ')[0])
    // Earlier versions tell of the value in other words.
    const told = [message, ...shown].map((text = '') =>
      major < 24 ? text.replace(/ Received .*/s, '') : text,
    )
    return { ...more, name, code, told }
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

test('members of the class have the shape of those of dgram.Socket', () => {
  const { Socket: Mocked } = host().dgram
  assert.equal(Mocked.length, dgram.Socket.length)
  assert.equal(Mocked.name, dgram.Socket.name)
  const shape = (prototype: object) => {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(prototype)
    return Reflect.ownKeys(members)
      .filter((name) => !String(name).startsWith('_'))
      .map((name) => {
        const { value, ...flags } = Reflect.get(members, name) as PropertyDescriptor
        return { ...flags, name: String(name), length: value.length }
      })
      .sort((one, other) => (one.name < other.name ? -1 : 1))
  }
  assert.deepEqual(shape(Mocked.prototype), shape(dgram.Socket.prototype))
  const names: string[] = []
  for (const name in host().createSocket('udp4')) names.push(name)
  assert.ok(names.includes('send') && names.includes('once'))
  assert.ok(!names.includes('constructor'))
})

test('who extends the class sees what is sent, and what that is once it is bound, as with node:dgram', async () => {
  const seen = async (Base: typeof Socket): Promise<string[]> => {
    const told: string[] = []
    class Telling extends Base {
      override send(...args: unknown[]): void {
        told.push(inspect(args.slice(0, 3)))
        Reflect.apply(super.send, this, args)
      }
    }
    const socket: Socket = Reflect.construct(Telling, ['udp4'])
    const bytes = new Uint8Array([98])
    for (const data of ['a', bytes, ['a', bytes, new DataView(new ArrayBuffer(1))]]) {
      socket.send(data as string, 9, '127.0.0.1')
    }
    await new Promise<void>((resolve) => socket.send('last', 9, '127.0.0.1', () => resolve()))
    await socket[Symbol.asyncDispose]()
    return told
  }
  const node = await seen(dgram.Socket)
  assert.equal(node.length, 8)
  assert.deepEqual(await seen(host().dgram.Socket), node)
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

test('a socket has nothing of its own to show that one of node:dgram has not', () => {
  const known = Object.keys(modules.node.createSocket('udp4'))
  const own = Object.keys(modules.mock.createSocket('udp4'))
  assert.deepEqual(
    own.filter((name) => !known.includes(name)),
    [],
  )
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
  for (const value of [...values, 50_001n]) {
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
