/** When a receiver's sockets open, join and close: one for each zone of its group. On a mock network. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import createDebug from 'debug'
import { parseGroup } from '../src/address.js'
import { Sockets } from '../src/binding.js'
import { MulticastReceiver, type ReceiverOptions, text } from '../src/index.js'
import { type MockHost, MockNetwork } from '../src/testing/index.js'

const where = { group: 'ff02::7', port: 10_000, bindAddress: 'group', codec: text } as const
const plug = (at: number) => ({ segment: `s${at}`, addresses: [`fe80::${at + 1}/64`] })

type MockSocket = ReturnType<MockHost['createSocket']>

/** A host on two segments, and its sockets as they are made. */
function spiedHost(network: MockNetwork, onSocket: (count: number) => void = () => {}) {
  const host = network.host({ interfaces: { e0: plug(0), e1: plug(1) } })
  const sockets: MockSocket[] = []
  const createSocket: MockHost['createSocket'] = (options) => {
    const socket = host.createSocket(options)
    onSocket(sockets.push(socket))
    return socket
  }
  return { sockets, carrier: { ...host, createSocket } }
}

function open(t: TestContext, options: Partial<ReceiverOptions>): MulticastReceiver<string> {
  const receiver = new MulticastReceiver({ ...where, ...options })
  t.after(() => receiver.close())
  return receiver
}

const network = (): MockNetwork => new MockNetwork({ platform: 'linux' })

test('with port 0 all zones share the port that the first has picked', async (t) => {
  const { sockets, carrier } = spiedHost(network())
  const receiver = await open(t, { port: 0, interfaces: 'e0', ...carrier }).ready()
  await receiver.join({ interface: 'e1' })
  const { port } = receiver.address()
  assert.ok(port > 0)
  assert.deepEqual(
    sockets.map((socket) => socket.address().port),
    [port, port],
  )
})

test('a socket that opens after the end is closed, and the end waits for it', async (t) => {
  let closed: Promise<void> | undefined
  const { sockets, carrier } = spiedHost(network(), (count) => {
    if (count === 2) closed = receiver.close()
  })
  const receiver = open(t, { interfaces: 'e0', ...carrier })
  await receiver.ready()
  const refused = assert.rejects(receiver.join({ interface: 'e1' }), {
    code: 'ERR_MULTICAST_CLOSED',
  })
  await new Promise<void>((resolve) => receiver.once('close', resolve))
  assert.equal(sockets.length, 2)
  for (const socket of sockets) {
    assert.throws(() => socket.address(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
  }
  await Promise.all([refused, closed])
})

test('closing waits for each socket that is being opened, and closes it', async () => {
  const host = network().host()
  const opened: MockSocket[] = []
  const sockets = new Sockets({
    group: parseGroup('ff02::7'),
    createSocket(options) {
      const socket = host.createSocket(options)
      const bind = socket.bind.bind(socket)
      // The first one takes longer.
      const turns = opened.push(socket) === 1 ? 20 : 0
      const late = async (...where: unknown[]): Promise<void> => {
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate)
        Reflect.apply(bind, undefined, where)
      }
      socket.bind = (...where: unknown[]) => {
        late(...where)
        return socket
      }
      return socket
    },
    operation: 'bind',
    configure() {},
    debug: createDebug('nobody listens'),
    mayBeNone: false,
    onLost: () => assert.fail('nobody else has closed it'),
    onError: (error) => assert.fail(error),
  })
  const place = { address: '::', port: 0, reuseAddr: false }
  const refused = [sockets.open(place), sockets.open(place)].map((opening) =>
    assert.rejects(opening, { message: 'over' }),
  )
  await sockets.closeAll(() => new Error('over'))
  assert.equal(opened.length, 2)
  for (const socket of opened) {
    assert.throws(() => socket.address(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
  }
  await Promise.all(refused)
})

test('joins and leaves take turns', async (t) => {
  const { carrier } = spiedHost(network())
  const receiver = await open(t, { interfaces: 'e0', ...carrier }).ready()
  const on = { interface: 'e1' }
  await Promise.all([receiver.join(on), receiver.leave(on), receiver.join(on)])
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }, on])
  await Promise.all([receiver.leave(on), receiver.join(on), receiver.leave(on)])
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
})

test('IPv6 leaves the port of IPv4 alone', async (t) => {
  for (const [group, isIPv6] of [
    ['ff02::7', true],
    ['239.1.2.3', false],
  ] as const) {
    const host = network().host()
    const asked: unknown[] = []
    const receiver = open(t, {
      group,
      ...host,
      createSocket(options) {
        asked.push(options.ipv6Only)
        return host.createSocket(options)
      },
    })
    await receiver.ready()
    assert.deepEqual(new Set(asked), new Set([isIPv6]))
  }
})

test('a socket that somebody else closes while it binds fails the opening', async (t) => {
  const host = network().host()
  const receiver = open(t, {
    ...host,
    createSocket(options) {
      const socket = host.createSocket(options)
      socket.bind = () => socket.close()
      return socket
    },
  })
  await assert.rejects(receiver.ready(), {
    code: 'ERR_MULTICAST_BIND',
    message: /closed by somebody else/,
  })
})
