import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { NetworkInterfaceInfo } from 'node:os'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Carrier,
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type SenderOptions,
} from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'
import { v4 } from './addresses.js'
import { runProgram } from './child.js'
import { group, keep, makeReceiver, makeSender } from './loopback.js'
import { listen, speak } from './testing/endpoints.js'
import { told } from './told.js'
import { until } from './until.js'

/** Either kind, which follows an interface on a carrier. */
const following = {
  receiver: (carrier: Carrier, options: Partial<ReceiverOptions> = {}) =>
    makeReceiver({ interfaces: 'eth0', followInterfaces: true, ...carrier, ...options }),
  sender: (carrier: Carrier, options: Partial<SenderOptions> = {}) =>
    makeSender(9, { interfaces: 'eth0', followInterfaces: true, ...carrier, ...options }),
}
const kinds = Object.entries(following)

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The real clocks that looks are armed by, from now on. */
function clocks(t: TestContext): AbortSignal[] {
  const { timeout } = AbortSignal
  const armed: AbortSignal[] = []
  t.mock.method(AbortSignal, 'timeout', (ms: number) => {
    const signal = timeout.call(AbortSignal, ms)
    if (ms > 1000) armed.push(signal)
    return signal
  })
  return armed
}

/** Waits until no look is armed any more. */
async function ended(armed: readonly AbortSignal[]): Promise<void> {
  // By timeouts that are not counted, and hold the process meanwhile.
  await until('no look is armed', () => armed.every(({ aborted }) => aborted))
  await turn()
  if (!armed.every(({ aborted }) => aborted)) await ended(armed)
}

/** Interfaces that are looked at, over real sockets, and how often they have been. */
class Counted {
  looks = 0
  table: NodeJS.Dict<NetworkInterfaceInfo[]> = {}
  readonly carrier: Carrier = {
    createSocket: (options) => createSocket(options),
    networkInterfaces: () => {
      this.looks += 1
      return this.table
    },
  }
}

for (const [kind, make] of kinds) {
  test(`a ${kind} cannot follow where watching fails, and names the cause`, async () => {
    const { createSocket, networkInterfaces } = new MockNetwork().host()
    const cause = new Error('no netlink here')
    const failing = make({
      createSocket,
      networkInterfaces,
      watchInterfaces: () => {
        throw cause
      },
    })
    await assert.rejects(failing.ready(), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: 'The network interfaces could not be watched: no netlink here',
      cause,
    })
    for (const wrong of [undefined, null, 7, {}, Promise.resolve(() => {})]) {
      const watchInterfaces = () => wrong as never
      const none = make({ createSocket, networkInterfaces, watchInterfaces })
      await assert.rejects(none.ready(), {
        code: 'ERR_MULTICAST_OPTION',
        message: /^watchInterfaces must return a function that ends it, but returned /,
      })
    }
  })

  test(`a ${kind} that could not watch is told of changes in vain`, async () => {
    const host = new MockNetwork().host()
    for (const fail of [assert.fail, () => undefined as never]) {
      let listed = 0
      let onChange: ((lost: readonly string[]) => void) | undefined
      const failing = make({
        createSocket: host.createSocket,
        networkInterfaces() {
          listed += 1
          return host.networkInterfaces()
        },
        watchInterfaces(change) {
          onChange = change
          return fail()
        },
      })
      await assert.rejects(failing.ready())
      const before = listed
      onChange?.([])
      assert.equal(listed, before)
    }
  })

  test(`a ${kind} watches from before it opens until it is closed, and only if it follows`, async (t) => {
    const host = new MockNetwork().host()
    const lines = told(t)
    const calls: string[] = []
    let onChange: ((lost: readonly string[]) => void) | undefined
    const carrier: Carrier = {
      networkInterfaces: host.networkInterfaces,
      createSocket(options) {
        calls.push('createSocket')
        return host.createSocket(options)
      },
      watchInterfaces(change) {
        calls.push('watch')
        onChange = change
        return () => {
          calls.push('stop')
          throw new Error('not today')
        }
      },
    }
    await make(carrier, { followInterfaces: false }).close()
    assert.deepEqual(calls.splice(0), [])
    const endpoint = await make(carrier).ready()
    assert.deepEqual([calls[0], calls[1]], ['watch', 'createSocket'])
    assert.ok(!calls.includes('stop'))
    await endpoint.close()
    assert.deepEqual(
      calls.filter((call) => call === 'stop'),
      ['stop'],
    )
    assert.ok(lines.some((line) => /watching .* could not be ended: not today$/.test(line)))
    // A carrier that goes on calling calls nobody.
    const before = [calls.length, lines.length]
    host.remove('eth0')
    onChange?.(['eth0'])
    await turn()
    assert.deepEqual([calls.length, lines.length], before)
  })

  test(`a ${kind} that waits is listening, has no address, and is closed or aborted as any`, async () => {
    const ports = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
    // They are gone a moment after they are closed, as are those of a test before.
    const arePortsGone = () => until('the ports are gone', () => ports() === 0)
    await arePortsGone()
    const { carrier } = new Counted()
    {
      await using waiting = make(carrier)
      assert.equal(await waiting.ready(), waiting)
      assert.throws(() => waiting.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
      assert.equal(ports(), 1)
    }
    await arePortsGone()

    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = await make(carrier, { signal: controller.signal }).ready()
    const loop = aborted[Symbol.asyncIterator]().next()
    controller.abort(reason)
    assert.equal((await loop).done, true)
    await assert.rejects(aborted.ready(), reason)
    await aborted.close()
    await arePortsGone()

    // Before it has begun to wait, too.
    const early = make(carrier)
    await early.close()
    await arePortsGone()
    const unreferenced = await make(carrier).unref().ready()
    assert.equal(ports(), 0)
    unreferenced.ref()
    assert.equal(ports(), 1)
    await unreferenced.close()
    await arePortsGone()
  })
}

test('one look is made for all that follow, and none when none follows', async (t) => {
  const armed = clocks(t)
  const counted = new Counted()
  const endpoints = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      (at % 2 === 0
        ? following.receiver(counted.carrier)
        : following.sender(counted.carrier)
      ).ready(),
    ),
  )
  assert.equal(armed.length, 1)
  const others = await Promise.all([makeReceiver().ready(), makeSender(9).ready()])
  assert.equal(armed.length, 1)
  const before = counted.looks
  await until('it has looked', () => armed.length >= 2)
  // Where nothing has changed the table is all that is read.
  assert.equal(counted.looks, before + 1)

  for (const endpoint of endpoints.splice(1)) await endpoint.close()
  await until('it has looked again', () => armed.length >= 3)
  assert.equal(counted.looks, before + 2)
  for (const endpoint of endpoints) await endpoint.close()
  // What is opened within the same two seconds takes the look that there is.
  const late = await following.sender(counted.carrier).ready()
  assert.equal(armed.length, 3)
  await late.close()
  const last = counted.looks
  await ended(armed)
  assert.equal(counted.looks, last)
  assert.equal(armed.length, 3)
  for (const other of others) await other.close()
})

test('a look finds what has come under fake timers, which neither drive it nor wait for it', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc: () => void = runInNewContext('gc')
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
  const counted = new Counted()
  const receiver = await following.receiver(counted.carrier, { interfaces: 'lo9' }).ready()
  const sender = await following.sender(counted.carrier, { interfaces: 'lo9' }).ready()
  const isDeaf = { code: 'ERR_MULTICAST_SEND' }
  await assert.rejects(sender.send('x'), isDeaf)
  const before = counted.looks
  t.mock.timers.tick(3_600_000)
  t.mock.timers.runAll()
  assert.equal(counted.looks, before)
  // Nothing but the look itself holds what makes it.
  gc()
  counted.table = { lo9: [v4('127.0.0.1')] }
  const joined = await once(receiver, 'membership')
  assert.deepEqual(joined, ['joined', { interface: 'lo9' }])
  gc()
  counted.table = {}
  await until('the sender has lost its interface', () => sender.interfaces.length === 0)
  await assert.rejects(sender.send('x'), isDeaf)
  assert.deepEqual(receiver.memberships, [{ interface: 'lo9' }], 'its membership stays meanwhile')
})

test('a process is held by what waits, until that is unreferenced or closed', async () => {
  const { code, stdout, stderr } = await runProgram(`
    // Resolves only if something else holds the process meanwhile: without, it ends with code 13.
    const held = () => new Promise((resolve) => setTimeout(resolve, 50).unref())
    const where = { group: '${group}', port: 9, interfaces: 'nosuch0', followInterfaces: true }
    for (const Endpoint of [MulticastReceiver, MulticastSender]) {
      const endpoint = await new Endpoint(where).ready()
      await held()
      await held()
      endpoint.unref()
      endpoint.ref()
      await held()
      await endpoint.close()
      const controller = new AbortController()
      const aborted = await new Endpoint({ ...where, signal: controller.signal }).ready()
      await held()
      controller.abort()
      const unreferenced = await new Endpoint(where).ready()
      unreferenced.unref()
    }
    console.log('to the end')
    process.on('beforeExit', () => console.log('by itself'))
  `)
  assert.deepEqual([code, stdout, stderr], [0, 'to the end\nby itself\n', ''])
})

test('what waits for a typo tells DEBUG once, with what there is', async (t) => {
  const lines = told(t)
  const host = new MockNetwork().host()
  const waiting = { interfaces: ['ehto0', 'eth0'], followInterfaces: true }
  const { receiver } = await listen(host, waiting)
  await speak(host, waiting).ready()
  for (let changes = 0; changes < 3; changes += 1) {
    for (const change of ['down', 'up', 'remove', 'add'] as const) {
      host[change]('eth0')
      await receiver.join({ interface: 'lo' })
      await turn()
    }
  }
  const about = (noun: string) =>
    lines.filter((line) => line.includes(`${noun} not `) && line.includes('ehto0'))
  assert.equal(about('receiver').length, 1, about('receiver').join('\n'))
  assert.match(
    about('receiver')[0] ?? '',
    /'ehto0', which is not an interface that is up and has an address\. Interfaces with IPv4: lo \(127\.0\.0\.1\), eth0 \(10\./,
  )
  assert.equal(about('sender').length, 1, about('sender').join('\n'))
  assert.match(
    about('sender')[0] ?? '',
    /'ehto0', which is not an interface that is up and has an address\. Interfaces with IPv4: lo/,
  )
})

test('what is refused on several interfaces is told once for each', async (t) => {
  const lines = told(t)
  const host = new MockNetwork().host({ interfaces: { a: 'lan', b: 'lan', c: 'lan' } })
  const createSocket: Carrier['createSocket'] = (options) => {
    const socket = host.createSocket(options)
    const genuine = socket.addMembership.bind(socket)
    socket.addMembership = (group, on) => {
      if (on === host.networkInterfaces().c?.[0]?.address) return genuine(group, on)
      throw Object.assign(new Error(`addMembership EPERM ${on}`), { code: 'EPERM' })
    }
    return socket
  }
  const receiver = keep(
    new MulticastReceiver({ group: '239.1.2.3', port: 1, ...host, createSocket }),
  )
  await receiver.ready()
  for (let changes = 0; changes < 3; changes += 1) {
    host.readdress('c', ['10.0.77.1/16', `10.0.77.${changes + 2}/16`])
    await turn()
  }
  const refused = lines.filter((line) => line.includes('EPERM'))
  assert.equal(refused.length, 3, refused.join('\n'))
  assert.equal(new Set(refused).size, 3)
})

test('what finds no room is not tried again at each look', async (t) => {
  const armed = clocks(t)
  const counted = new Counted()
  let joins = 0
  const createSocket: Carrier['createSocket'] = (options) =>
    Object.assign(counted.carrier.createSocket?.(options) as Socket, {
      addMembership(_group: string, on: string) {
        joins += 1
        if (on === '127.0.0.1') return
        throw Object.assign(new Error('addMembership ENOBUFS'), { code: 'ENOBUFS' })
      },
    })
  counted.table = { lo: [v4('127.0.0.1')], eth8: [v4('192.0.2.8')] }
  const receiver = await following
    .receiver({ ...counted.carrier, createSocket }, { interfaces: 'all' })
    .ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }])
  const before = joins
  await until('it has looked', () => armed.length >= 2)
  await turn()
  await turn()
  assert.equal(joins, before)
})

/** Ways to call again and again for as long as the table is read, and what to call with. */
const hasty: Record<string, { again: (call: () => void) => void; lost: unknown }> = {
  'at once': { again: (call) => call(), lost: [] },
  'in a promise': { again: (call) => void Promise.resolve().then(call), lost: undefined },
  'in nextTick': { again: (call) => process.nextTick(call), lost: 'eth0' },
  'in setImmediate': {
    again: (call) => void setImmediate(call),
    lost: ['nosuch0', 7, null, Object.create(null)],
  },
}

for (const [when, { again, lost }] of Object.entries(hasty)) {
  test(`a carrier that calls ${when} whenever its table is read is lived with`, async () => {
    const network = new MockNetwork()
    const host = network.host()
    let calls = 0
    let waiting = 0
    let most = 0
    let onChange: ((lost: never) => void) | undefined
    const carrier: Carrier = {
      createSocket: host.createSocket,
      networkInterfaces() {
        // Should it go wrong, the test is to end all the same.
        if (calls < 1_000_000) {
          waiting += 1
          most = Math.max(most, waiting)
          again(() => {
            waiting -= 1
            calls += 1
            onChange?.(lost as never)
          })
        }
        return host.networkInterfaces()
      },
      watchInterfaces(change) {
        onChange = change as typeof onChange
        return () => {
          onChange = undefined
        }
      },
    }
    const options = { group: '239.1.2.3', port: 10_000, ...carrier }
    const receiver = keep(new MulticastReceiver({ ...options, bindAddress: 'group' }))
    const sender = keep(new MulticastSender({ ...options, interfaces: 'all' }))
    await Promise.all([receiver.ready(), sender.ready()])
    const heard: string[] = []
    receiver.on('message', (message) => heard.push(message.toString()))
    const speaker = speak(network.host())
    for (let turns = 0; turns < 10; turns += 1) {
      await speaker.send(String(turns))
      await turn()
    }
    await network.settled()
    assert.equal(heard.length, 10)
    assert.ok(most < 10_000, `${most} calls waited`)
    assert.ok(calls < 1_000_000)
    await Promise.all([receiver.close(), sender.close()])
  })
}

test('interfaces that cannot be listed for a while are followed once they can be again', async (t) => {
  const armed = clocks(t)
  const counted = new Counted()
  const { createSocket } = counted.carrier
  let isFailing = (): boolean => false
  const networkInterfaces = () => {
    if (isFailing()) throw new Error('EMFILE')
    return counted.table
  }
  const flaky = { createSocket, networkInterfaces }
  const receiver = await following.receiver(flaky).ready()
  const sender = await following.sender(flaky).ready()
  // The look itself lists them, and whoever acts on it cannot.
  let listed = 0
  isFailing = () => {
    const isSeen = listed === armed.length
    listed = armed.length
    return isSeen
  }
  counted.table = { eth0: [v4('127.0.0.1')] }
  // A change is acted on at two looks, and from then on what failed is tried again.
  await until('it has looked twice more', () => armed.length >= 4)
  await turn()
  assert.deepEqual([receiver.memberships, sender.interfaces], [[], []])
  isFailing = () => false
  await once(receiver, 'membership')
  await until('the sender has its interface', () => sender.interfaces.length > 0)

  const host = new MockNetwork().host()
  const failing = {
    ...host,
    networkInterfaces: () => (isFailing() ? assert.fail() : host.networkInterfaces()),
  }
  const other = await following.receiver(failing).ready()
  for (const change of ['down', 'up', 'remove', 'add'] as const) {
    let lists = 0
    isFailing = () => {
      lists += 1
      return lists % 2 === 0
    }
    host[change]('eth0')
    await turn()
  }
  isFailing = () => false
  host.down('lo')
  await turn()
  assert.deepEqual(other.memberships, [{ interface: 'eth0' }])
})

test('closing while a change is followed ends it', async () => {
  const rejections: unknown[] = []
  const note = (error: unknown) => rejections.push(error)
  process.on('unhandledRejection', note)
  for (const turns of [0, 1, 2, 5]) {
    const network = new MockNetwork()
    const host = network.host()
    const { receiver } = await listen(host)
    const sender = await speak(host, { interfaces: 'all' }).ready()
    const events: unknown[] = []
    host.remove('eth0')
    host.add('eth0')
    host.add('eth1')
    for (let at = 0; at < turns; at += 1) await undefined
    receiver.on('membership', (...event) => events.push(event))
    const closing = [receiver.close(), sender.close()]
    host.add('eth2')
    host.remove('eth1')
    await Promise.all(closing)
    assert.deepEqual(receiver.memberships, [])
    assert.deepEqual(events, [])
    assert.deepEqual(sender.interfaces, [])
    host.remove('eth2')
    await turn()
    await network.settled()
    assert.deepEqual(events, [])
  }
  process.off('unhandledRejection', note)
  assert.deepEqual(rejections, [])
})

test('a listener may close it in the midst of a change', async () => {
  const host = new MockNetwork().host()
  const { receiver } = await listen(host)
  const events: string[] = []
  receiver.on('membership', (change, on) => {
    events.push(`${change} ${on.interface}`)
    receiver.close()
  })
  host.remove('eth0')
  await once(receiver, 'close')
  host.add('eth0')
  await turn()
  assert.deepEqual(events, ['lost eth0'])
})
