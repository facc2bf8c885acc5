/** What happens to the interfaces of a mock host while an endpoint is busy with them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { MulticastPeer, MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'
import { hasten } from '../looks.js'
import { told } from '../told.js'
import { until } from '../until.js'
import { keep } from './endpoints.js'

const port = 10_000
const group = '239.1.0.1'
const followInterfaces = true
type MockSocket = ReturnType<MockHost['createSocket']>

/** An interface of that number on a segment of its own. */
const plug = (at: number, ...more: string[]) => ({
  segment: `s${at}`,
  addresses: [`10.0.${at}.1/24`, `fd0${at}::1/64`, `fe80::${at + 1}/64`, ...more],
})

/** A host with so many interfaces, and without the loopback interface. */
function hostWith(count: number): MockHost {
  const interfaces = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`e${at}`, plug(at)]),
  )
  const host = new MockNetwork({ platform: 'linux' }).host({ interfaces })
  host.down('lo')
  return host
}

/** Sockets are opened and closed one after the other. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
}

/** What it tells of its memberships from now on. */
function changesOf(receiver: MulticastReceiver<string, string>): string[] {
  const changes: string[] = []
  receiver.on('membership', (change, on) => changes.push(`${change} ${on.interface}`))
  return changes
}

/** Sockets of the host whose sends are held until `fail` refuses them all; from then on they go out. */
function heldBy(host: MockHost) {
  let isHeld = true
  const refusals: (() => void)[] = []
  const createSocket: MockHost['createSocket'] = (options) => {
    const socket = host.createSocket(options)
    const send = socket.send.bind(socket) as (...args: unknown[]) => void
    const held = (...args: unknown[]): void => {
      const done = args.at(-1) as (error: Error) => void
      if (isHeld) refusals.push(() => done(errorOf('ENETUNREACH')))
      else send(...args)
    }
    return Object.assign(socket, { send: held })
  }
  const fail = (): void => {
    isHeld = false
    for (const refuse of refusals) refuse()
  }
  return { createSocket, fail }
}

const joinedBy = (receiver: MulticastReceiver<string, string>): string[] =>
  receiver.memberships.map((one) => one.interface).sort()

/** Whether a message through that interface is heard. */
async function isHeard(
  host: MockHost,
  receiver: MulticastReceiver<string, string>,
  on: string,
): Promise<boolean> {
  let isHeard = false
  receiver.once('message', () => {
    isHeard = true
  })
  const sender = keep(new MulticastSender({ group, port, interfaces: on, ...host }))
  await sender.send('hello')
  await settled()
  return isHeard
}

/** A host's sockets, of which some refuse. */
class Refusing {
  readonly #host: MockHost
  readonly sockets: MockSocket[] = []
  /** The errno with which a socket of that number refuses to join by that address. */
  join: (at: number, by: string | undefined) => string | undefined = () => undefined
  isFull = false

  constructor(host: MockHost) {
    this.#host = host
  }

  readonly createSocket: MockHost['createSocket'] = (options) => {
    if (this.isFull) throw errorOf('EMFILE')
    const socket = this.#host.createSocket(options)
    const at = this.sockets.push(socket) - 1
    const add = socket.addMembership.bind(socket)
    socket.addMembership = (group, by) => {
      const code = this.join(at, by)
      if (code !== undefined) throw errorOf(code)
      add(group, by)
    }
    // So that what is lost is never given back.
    socket.dropMembership = () => {
      throw errorOf('EADDRNOTAVAIL')
    }
    return socket
  }
}

const errorOf = (code: string): Error => Object.assign(new Error(code), { code })

test("an address that moves takes nothing along that 'all' asks for too", async () => {
  const host = hostWith(2)
  const [first, second] = [plug(0), plug(1)]
  const moving = '10.9.0.1/24'
  host.readdress('e0', [...first.addresses, moving])
  const receiver = await keep(new MulticastReceiver({ group, port, ...host, codec: text })).ready()
  const changes = changesOf(receiver)
  await receiver.join({ interface: '10.9.0.1' })
  host.readdress('e0', first.addresses)
  host.readdress('e1', [...second.addresses, moving])
  await settled()
  assert.deepEqual(changes, [])
  assert.deepEqual(joinedBy(receiver), ['e0', 'e1'])
  // Where it was left by hand 'all' asks for it no more.
  host.readdress('e1', second.addresses)
  host.readdress('e0', [...first.addresses, moving])
  await receiver.leave({ interface: 'e1' })
  host.readdress('e0', first.addresses)
  host.readdress('e1', [...second.addresses, moving])
  await settled()
  host.readdress('e1', second.addresses)
  host.readdress('e0', [...first.addresses, moving])
  await settled()
  assert.deepEqual(changes, ['left e1', 'joined e1', 'left e1'])
})

test('what is lost while others are still being joined was never told as joined', async () => {
  const host = hostWith(4)
  let opened = 0
  const createSocket: MockHost['createSocket'] = (options) => {
    opened += 1
    if (opened === 3) host.remove('e1')
    return host.createSocket(options)
  }
  const receiver = await keep(
    new MulticastReceiver({
      ...{ group: 'ff02::1:3', port, interfaces: 'e0', followInterfaces, codec: text },
      ...{ ...host, createSocket },
    }),
  ).ready()
  const changes = changesOf(receiver)
  await receiver.join({ interface: 'all' })
  await settled()
  assert.deepEqual(changes, ['joined e2', 'joined e3'])
  assert.deepEqual(joinedBy(receiver), ['e0', 'e2', 'e3'])
  host.add('e1')
  await settled()
  assert.deepEqual(changes.slice(2), ['joined e1'])
})

test('what a socket had joined that could not be replaced is lost, and is joined again', async () => {
  const host = hostWith(4)
  host.remove('e3')
  const refusing = new Refusing(host)
  const { createSocket } = refusing
  const receiver = await keep(
    new MulticastReceiver({
      ...{ group, port, interfaces: ['e0', 'e1'], followInterfaces, codec: text },
      ...{ ...host, createSocket },
    }),
  ).ready()
  const changes = changesOf(receiver)
  host.remove('e0')
  await settled()
  refusing.join = (at, by) => (at === 0 && by === '10.0.2.1' ? 'ENOBUFS' : undefined)
  refusing.isFull = true
  await assert.rejects(receiver.join({ interface: 'e2' }), { code: 'ERR_MULTICAST_SOCKET' })
  assert.deepEqual(changes, ['lost e0', 'lost e1'])
  assert.deepEqual(joinedBy(receiver), [])
  refusing.isFull = false
  host.add('e3')
  await settled()
  assert.deepEqual(changes.slice(2), ['joined e1'])
  assert.equal(await isHeard(host, receiver, 'e1'), true)
})

test('what a new socket could not join of what the old had is joined by the next look', async (t) => {
  hasten(t)
  const host = hostWith(3)
  host.remove('e2')
  const refusing = new Refusing(host)
  const { createSocket } = refusing
  const { networkInterfaces } = host
  const receiver = await keep(
    new MulticastReceiver({ group, port, createSocket, networkInterfaces, codec: text }),
  ).ready()
  const changes = changesOf(receiver)
  const tells = async (...expected: string[]): Promise<void> => {
    while (changes.length < expected.length) await once(receiver, 'membership')
    assert.deepEqual(changes.splice(0), expected)
  }
  host.remove('e0')
  await tells('lost e0')
  let refusal = 'EPERM'
  let refusals = 0
  const { sockets } = refusing
  refusing.join = (at, by) => {
    if (by === '10.0.2.1' && sockets.length === 1) {
      refusals += 1
      return refusal
    }
    // The second socket refuses once what the first had.
    if (at > 0 && by === '10.0.1.1' && refusal !== '') {
      refusal = ''
      return 'ENOMEM'
    }
    return undefined
  }
  host.add('e2', plug(2))
  // Until nothing but what is refused has it looked again.
  await until('it was refused five times', () => refusals >= 5)
  refusal = 'ENOBUFS'
  await tells('lost e1', 'joined e2', 'joined e1')
})

test('a receiver opens although the interfaces cannot be listed for DEBUG', async (t) => {
  told(t)
  const host = hostWith(1)
  let listed = 0
  const networkInterfaces: MockHost['networkInterfaces'] = () => {
    listed += 1
    if (listed > 1) throw new Error('no more')
    return host.networkInterfaces()
  }
  const options = { ...host, networkInterfaces, followInterfaces: false }
  const receiver = keep(new MulticastReceiver({ group, port, ...options, codec: text }))
  await receiver.ready()
  assert.deepEqual(joinedBy(receiver), ['e0'])
})

test('a send that fails late opens no socket for what is no longer used', async () => {
  const host = hostWith(2)
  const held = heldBy(host)
  let open = 0
  const createSocket: MockHost['createSocket'] = (options) => {
    open += 1
    return held.createSocket(options).once('close', () => {
      open -= 1
    })
  }
  const peer = await keep(
    new MulticastPeer({ group, port, ...host, createSocket, codec: text }),
  ).ready()
  const before = open
  const sent = peer.send('hello')
  host.remove('e0')
  await settled()
  host.add('e0')
  held.fail()
  await sent
  await settled()
  assert.deepEqual([...peer.interfaces].sort(), ['e0', 'e1'])
  assert.equal(open, before)
})

test('a send that fails late goes out through the interface that is back meanwhile', async () => {
  const host = hostWith(2)
  const { createSocket, fail } = heldBy(host)
  const options = { group, port, interfaces: 'all', ...host, createSocket, codec: text }
  const sender = await keep(new MulticastSender(options)).ready()
  const sent = sender.send('hello')
  host.remove('e0')
  await settled()
  host.add('e0')
  await settled()
  fail()
  await sent
  await settled()
  const { failed, sent: count } = sender.stats
  assert.deepEqual({ failed, sent: count }, { failed: 0, sent: 2 })
})

test('a socket that was set to its interface as it was opened is not set once more', async () => {
  const host = hostWith(1)
  let open = 0
  const createSocket: MockHost['createSocket'] = (options) => {
    open += 1
    const socket = host.createSocket(options).once('close', () => {
      open -= 1
    })
    const set = socket.setMulticastInterface.bind(socket)
    let times = 0
    socket.setMulticastInterface = (on) => {
      times += 1
      // As where the interface goes at that moment.
      if (times === 2) throw errorOf('EADDRNOTAVAIL')
      set(on)
    }
    return socket
  }
  const peer = await keep(
    new MulticastPeer({ group, port, ...host, createSocket, codec: text }),
  ).ready()
  const before = open
  for (const at of [7, 8, 9]) {
    host.readdress('e0', plug(at).addresses)
    await settled()
    assert.equal(open, before)
  }
  await peer.send('hello')
})

test('a peer that fails to look up what it joins sees to what it sends through all the same', async () => {
  const host = hostWith(1)
  let open = 0
  const createSocket: MockHost['createSocket'] = (options) => {
    open += 1
    return host.createSocket(options).once('close', () => {
      open -= 1
    })
  }
  let listed = 0
  const networkInterfaces: MockHost['networkInterfaces'] = () => {
    listed += 1
    // The first since the change is to compare the tables, the second to join.
    if (listed === 2) throw new Error('not now')
    return host.networkInterfaces()
  }
  const options = { ...host, createSocket, networkInterfaces, codec: text }
  listed = 10
  const peer = await keep(new MulticastPeer({ group, port, ...options })).ready()
  const before = open
  listed = 0
  host.add('e1', plug(1))
  // While it opens the socket for that one.
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
  host.add('e2', plug(2))
  await settled()
  assert.deepEqual(peer.interfaces, ['e0', 'e1', 'e2'])
  assert.deepEqual(joinedBy(peer), ['e0', 'e1', 'e2'])
  // One to send through each.
  assert.equal(open, before + 2)
})

test("what 'all' could not join by hand is tried again by the next look", async (t) => {
  hasten(t)
  const host = hostWith(2)
  const refusing = new Refusing(host)
  const { createSocket } = refusing
  const { networkInterfaces } = host
  const options = { interfaces: 'e0', followInterfaces, createSocket, networkInterfaces }
  const receiver = await keep(
    new MulticastReceiver({ group, port, ...options, codec: text }),
  ).ready()
  let refusals = 0
  refusing.join = (_, by) => {
    if (by !== '10.0.1.1' || refusals > 0) return undefined
    refusals += 1
    return 'EPERM'
  }
  await receiver.join({ interface: 'all' })
  assert.deepEqual(joinedBy(receiver), ['e0'])
  const changes = changesOf(receiver)
  while (changes.length === 0) await once(receiver, 'membership')
  assert.deepEqual(changes, ['joined e1'])
})

test('of an interface that was left only the source is followed that was joined again', async () => {
  const host = hostWith(2)
  const sources = ['10.0.0.2', '10.0.0.3']
  const receiver = await keep(
    new MulticastReceiver({ group, port, sources, ...host, codec: text }),
  ).ready()
  await receiver.leave({ interface: 'e0' })
  await receiver.join({ interface: 'e0', source: '10.0.0.3' })
  host.remove('e1')
  await settled()
  assert.deepEqual(receiver.memberships, [{ interface: 'e0', source: '10.0.0.3' }])
  host.add('e1')
  await receiver.leave({ interface: 'e1', source: '10.0.0.2' })
  host.remove('e0')
  host.add('e0')
  await settled()
  const expected = ['e0', 'e1'].map((name) => ({ interface: name, source: '10.0.0.3' }))
  const byName = [...receiver.memberships].sort((a, b) => (a.interface < b.interface ? -1 : 1))
  assert.deepEqual(byName, expected)
  await receiver.join()
  assert.equal(receiver.memberships.length, 4)
})
