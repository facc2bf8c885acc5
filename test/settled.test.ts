/** Over a carrier whose sockets need a while to settle, nothing resolves while it is still deaf. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Carrier, MulticastEmitter } from '../src/index.js'
import { MulticastPeer, MulticastReceiver, MulticastSender } from '../src/index.js'
import { type MockHost, MockNetwork } from '../src/testing/index.js'

const where = { group: '239.1.2.3', port: 10_000 }
let network = new MockNetwork({ platform: 'linux' })

afterEach(async () => {
  await network.close()
  network = new MockNetwork({ platform: 'linux' })
})

/** A mock host whose sockets settle when they are let, and those who wait for that. */
function slowHost(): { carrier: Carrier; waiting: PromiseWithResolvers[]; host: MockHost } {
  const host = network.host()
  const waiting: PromiseWithResolvers[] = []
  const carrier: Carrier = {
    ...host,
    bindAddress: 'group',
    createSocket: (options) =>
      Object.assign(host.createSocket(options), {
        settled(): Promise<void> {
          const one = withResolvers()
          waiting.push(one)
          return one.promise
        },
      }),
  }
  return { carrier, waiting, host }
}

interface PromiseWithResolvers {
  promise: Promise<void>
  resolve(): void
  reject(cause: Error): void
}

function withResolvers(): PromiseWithResolvers {
  let [resolve, reject] = [() => {}, (_: Error) => {}]
  const promise = new Promise<void>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  return { promise, resolve, reject }
}

/** Lets all that waits settle, until nothing does any more; returns how many there were. */
async function settleAll(waiting: PromiseWithResolvers[]): Promise<number> {
  let count = 0
  for (;;) {
    await network.settled()
    const some = waiting.splice(0)
    if (some.length === 0) return count
    count += some.length
    for (const { resolve } of some) resolve()
  }
}

/** Notes when it is done. */
function watched<Value>(promise: Promise<Value>): { isDone: boolean; promise: Promise<Value> } {
  const state = { isDone: false, promise }
  const done = () => {
    state.isDone = true
  }
  promise.then(done, done)
  return state
}

const makers = {
  sender: (carrier: Carrier) => new MulticastSender({ ...where, ...carrier }),
  receiver: (carrier: Carrier) => new MulticastReceiver({ ...where, ...carrier }),
  peer: (carrier: Carrier) => new MulticastPeer({ ...where, ...carrier }),
}

for (const [name, make] of Object.entries(makers)) {
  test(`a ${name} is ready once all its sockets have settled`, async () => {
    const { carrier, waiting } = slowHost()
    const endpoint = make(carrier)
    const ready = watched<unknown>(endpoint.ready())
    await network.settled()
    assert.ok(waiting.length > 0)
    assert.equal(ready.isDone, false)
    await settleAll(waiting)
    await ready.promise
  })

  test(`a ${name} that is closed while it settles waits no longer`, async () => {
    const { carrier } = slowHost()
    const endpoint = make(carrier)
    const ready = assert.rejects(endpoint.ready(), { code: 'ERR_MULTICAST_CLOSED' })
    await network.settled()
    await endpoint.close()
    await ready
  })

  test(`a ${name} whose socket does not settle fails to open, and closes`, async () => {
    const { carrier, waiting } = slowHost()
    const endpoint = make(carrier)
    const cause = new Error('the server is gone')
    const ready = assert.rejects(endpoint.ready(), {
      code: 'ERR_MULTICAST_SOCKET',
      message: /: the server is gone$/,
      cause,
    })
    const closed = new Promise<void>((resolve) => {
      const emitter: MulticastEmitter<Buffer> = endpoint
      emitter.once('close', resolve)
    })
    // Of all interfaces it tries each.
    for (let round = 0; round < 5; round += 1) {
      await network.settled()
      for (const { reject } of waiting.splice(0)) reject(cause)
    }
    await ready
    await closed
  })
}

test('what was sent goes out although the sender is closed before it has settled', async () => {
  const { carrier } = slowHost()
  const receiver = await new MulticastReceiver({ ...where, ...network.host() }).ready()
  const heard: string[] = []
  receiver.on('message', (message) => heard.push(message.toString()))
  const sender = new MulticastSender({ ...where, ...carrier })
  const sent = sender.send('last words')
  await sender.close()
  assert.equal(await sent, 10)
  await network.settled()
  assert.deepEqual(heard, ['last words'])
})

test('join() resolves once it is heard, and rejects where that is refused, joined on nothing', async () => {
  const { carrier, waiting } = slowHost()
  const options = { ...where, ...carrier, interfaces: 'lo' }
  const receiver = new MulticastReceiver(options)
  const changes: unknown[] = []
  receiver.on('membership', (change, { interface: name }) => changes.push(`${change} ${name}`))
  await settleAll(waiting)
  await receiver.ready()
  const joined = watched(receiver.join({ interface: 'eth0' }))
  await network.settled()
  assert.equal(joined.isDone, false)
  assert.deepEqual(changes, [])
  await settleAll(waiting)
  await joined.promise
  assert.deepEqual(changes, ['joined eth0'])
  await receiver.leave({ interface: 'eth0' })
  const refused = assert.rejects(receiver.join({ interface: 'eth0' }), {
    code: 'ERR_MULTICAST_JOIN',
    message: /^Could not join group 239\.1\.2\.3 on eth0: no permission/,
  })
  await network.settled()
  waiting.splice(0)[0]?.reject(new Error('no permission'))
  await refused
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }])
  assert.deepEqual(changes, ['joined eth0', 'left eth0'])
  // What was joined before, and was not refused then, stays.
  const again = assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_JOIN' })
  await network.settled()
  waiting.splice(0)[0]?.reject(new Error('no permission'))
  await again
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }])
})

test("what the carrier refuses on one interface is refused with 'all' too", async () => {
  const host = network.host()
  let isAllowed = false
  const carrier: Carrier = {
    ...host,
    createSocket(options) {
      const socket = host.createSocket(options)
      let joined = 0
      return Object.assign(socket, {
        addMembership(group: string, on: string) {
          Object.getPrototypeOf(socket).addMembership.call(socket, group, on)
          joined += 1
        },
        async settled() {
          // `lo` is the first.
          if (joined > 1 && !isAllowed) throw new Error('no permission')
        },
      })
    },
  }
  for (const followInterfaces of [true, false]) {
    const options = { ...where, ...carrier, followInterfaces }
    await assert.rejects(new MulticastReceiver(options).ready(), {
      code: 'ERR_MULTICAST_JOIN',
      message: /on eth0: no permission/,
    })
  }
  isAllowed = true
  const receiver = await new MulticastReceiver({ ...where, ...carrier }).ready()
  assert.equal(receiver.memberships.length, 2)
})

test('once it is open, no send waits for a socket to settle, and a refusal is told once', async () => {
  const { carrier, waiting, host } = slowHost()
  const sender = new MulticastSender({ ...where, ...carrier, interfaces: 'all' })
  await settleAll(waiting)
  await sender.ready()
  const errors: Error[] = []
  sender.on('error', (error) => errors.push(error))
  host.add('eth1')
  host.add('eth2')
  await network.settled()
  assert.equal(waiting.length, 2)
  assert.deepEqual(sender.interfaces, ['eth0', 'eth1', 'eth2'])
  await sender.send('x')
  const closed = new Promise((resolve) => sender.once('close', () => resolve(undefined)))
  const cause = new Error('no permission')
  for (const { reject } of waiting.splice(0)) reject(cause)
  await closed
  assert.deepEqual(
    errors.map((error) => error.cause),
    [cause],
  )
})

test('a join that waits rejects when the receiver is closed', async () => {
  const { carrier, waiting } = slowHost()
  const receiver = new MulticastReceiver({ ...where, ...carrier, interfaces: 'lo' })
  await settleAll(waiting)
  const refused = assert.rejects(receiver.join({ interface: 'eth0' }), {
    code: 'ERR_MULTICAST_CLOSED',
  })
  await network.settled()
  await receiver.close()
  await refused
})

test('what the carrier refuses of a socket that is no longer used ends nothing', async () => {
  const { carrier, waiting, host } = slowHost()
  const sender = new MulticastSender({ ...where, ...carrier, interfaces: 'all' })
  await settleAll(waiting)
  await sender.ready()
  sender.on('error', (error) => assert.fail(error))
  host.add('eth1')
  await network.settled()
  assert.equal(waiting.length, 1)
  host.remove('eth1')
  await network.settled()
  assert.deepEqual(sender.interfaces, ['eth0'])
  for (const { reject } of waiting.splice(0)) reject(new Error('no permission'))
  await network.settled()
  assert.equal(await sender.send('x'), 1)
})
