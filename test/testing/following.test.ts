/** Endpoints that follow the interfaces of a mock host, which tells of changes at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { MulticastReceiver, MulticastSender, type ReceiverOptions, text } from '../../src/index.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'
import { hasten } from '../looks.js'
import { keep, rejects } from './endpoints.js'

const port = 10_000
const followInterfaces = true

/** What is asked for: the kinds that the same becomes of. */
type Kind = 'all' | 'default' | 'named' | 'address'

const own = (at: number) => [`10.0.${at}.1/24`, `fd0${at}::1/64`, `fe80::${100 * at + 1}/64`]

/** Every kind over every family, each of a group of its own. */
const asked: readonly (readonly [kind: Kind, options: Omit<ReceiverOptions, 'port'>])[] = [
  ['all', { group: '239.1.0.1' }],
  ['all', { group: 'ff05::1:2' }],
  ['all', { group: 'ff02::1:3' }],
  ['all', { group: '239.1.0.4', sources: ['10.0.0.2'] }],
  ['default', { group: '239.1.0.5', interfaces: 'default', followInterfaces }],
  ['default', { group: 'ff05::1:6', interfaces: 'default', followInterfaces }],
  ['named', { group: '239.1.0.7', interfaces: 'e0', followInterfaces }],
  ['named', { group: 'ff05::1:8', interfaces: 'e0', followInterfaces }],
  ['named', { group: 'ff02::1:9', interfaces: 'e0', followInterfaces }],
  ['named', { group: 'ff02::1:10%e0', followInterfaces }],
  ['named', { group: 'ff05::1:11', interfaces: 'e0', sources: ['fd00::2'], followInterfaces }],
  ['address', { group: '239.1.0.12', interfaces: '10.0.0.1', followInterfaces }],
  ['address', { group: 'ff05::1:13', interfaces: 'fd00::1', followInterfaces }],
]

/** Receivers of all kinds on a host, and another host that sends to them on two segments. */
async function ears(interfaces: Record<string, { segment: string; addresses: string[] }>) {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host({ interfaces })
  const far = network.host({
    interfaces: {
      far0: { segment: 'red', addresses: ['10.0.0.2/24', 'fd00::2/64', 'fe80::2/64'] },
      far1: { segment: 'blue', addresses: ['10.0.1.2/24', 'fd01::2/64', 'fe80::102/64'] },
    },
  })
  let open = 0
  const createSocket: MockHost['createSocket'] = (options) => {
    open += 1
    return host.createSocket(options).once('close', () => {
      open -= 1
    })
  }
  const all = asked.map(([kind, options]) => {
    const receiver = keep(
      new MulticastReceiver({ port, ...options, ...host, createSocket, codec: text }),
    )
    const told: string[] = []
    const heard: string[] = []
    receiver.on('membership', (change, membership) =>
      told.push(`${change} ${membership.interface}`),
    )
    receiver.on('message', (message) => heard.push(message))
    return { kind, options, receiver, told, heard }
  })
  await Promise.all(all.map(({ receiver }) => receiver.ready()))
  const senders = all.flatMap(({ options: { group } }) =>
    ['far0', 'far1'].map((name) => {
      const to = { group: group.replace(/%.*/, ''), port, interfaces: name }
      return { name, sender: keep(new MulticastSender({ ...to, ...far })) }
    }),
  )
  const compare = <What>(of: (ear: (typeof all)[number]) => What, wanted: typeof of): void => {
    const table = (of: (ear: (typeof all)[number]) => What) =>
      Object.fromEntries(all.map((ear) => [`${ear.kind} ${ear.options.group}`, of(ear)]))
    assert.deepEqual(table(of), table(wanted))
  }
  return {
    host,
    all,
    open: () => open,
    /** That these events were told since the last time, and these interfaces are heard. */
    async check(
      told: Partial<Record<Kind, readonly string[]>>,
      heard: Partial<Record<Kind, readonly number[]>>,
    ): Promise<void> {
      // Sockets are opened and closed one after the other.
      for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
      compare(
        (ear) => ear.told.splice(0),
        ({ kind }) => [...(told[kind] ?? [])],
      )
      await Promise.all(senders.map(({ name, sender }) => sender.send(name)))
      await network.settled()
      compare(
        (ear) => ear.heard.splice(0).sort(),
        ({ kind, options: { sources } }) =>
          (heard[kind] ?? []).filter((at) => !sources || at === 0).map((at) => `far${at}`),
      )
    },
  }
}

const e0 = { segment: 'red', addresses: own(0) }
const e1 = { segment: 'blue', addresses: own(1) }
const onFirst = { all: [0], default: [0], named: [0], address: [0] }

/** What each kind tells of the first interface. */
function events(...changes: readonly string[]): Record<Kind, string[]> {
  const on = (name: string) => changes.map((change) => `${change} ${name}`)
  return { all: on('e0'), default: on('default'), named: on('e0'), address: on('e0') }
}

test('receivers follow what happens to the interfaces of a mock host', async () => {
  const { host, check, open, all } = await ears({})
  await check({}, {})
  host.add('e0', e0)
  await check(events('joined'), onFirst)
  const before = open()
  host.remove('e0')
  host.add('e0')
  await check(events('lost', 'joined'), onFirst)
  host.remove('e0')
  await check(events('lost'), {})
  host.add('e0')
  await check(events('joined'), onFirst)
  host.add('e1', e1)
  await check({ all: ['joined e1'] }, { ...onFirst, all: [0, 1] })
  host.remove('e1')
  await check({ all: ['lost e1'] }, onFirst)
  host.readdress('e0', [])
  await check({}, onFirst)
  host.readdress('e0', own(7))
  await check({}, onFirst)
  host.readdress('e0', own(0))
  await check({}, onFirst)
  for (let flap = 0; flap < 200; flap += 1) {
    host.down('e0')
    if (flap % 20 === 0) await check({}, {})
    host.up('e0')
  }
  await check({}, onFirst)
  assert.equal(open(), before)
  for (const { receiver } of all) await receiver.close()
  assert.equal(open(), 0)
})

test('on a mock host, receivers hear after each of 30 recreations', async () => {
  const { host, check, open } = await ears({ e0 })
  const before = open()
  for (let times = 0; times < 30; times += 1) {
    host.remove('e0')
    host.add('e0')
    await check(events('lost', 'joined'), onFirst)
  }
  assert.equal(open(), before)
})

test("on a mock host, 'default' moves to where the route leads", async () => {
  const { host, check } = await ears({ e0, e1 })
  const both = { ...onFirst, all: [0, 1] }
  await check({}, both)
  host.down('e0')
  const moved = { default: ['left default', 'joined default'] }
  await check(moved, { all: [1], default: [1] })
  host.up('e0')
  await check(moved, both)
})

test('a mock host tells who watches which interfaces have lost what was joined', () => {
  const host = new MockNetwork().host()
  const told: (readonly string[])[] = []
  const end = host.watchInterfaces((lost) => told.push(lost))
  host.down('eth0')
  host.up('eth0')
  host.readdress('eth0', ['10.0.0.9/16'])
  host.remove('eth0')
  host.add('eth0')
  assert.deepEqual(told, [[], [], [], ['eth0'], []])
  end()
  host.down('eth0')
  assert.equal(told.length, 5)
})

test('a sender on a mock host goes through what is there of what it was asked for', async () => {
  const network = new MockNetwork({ platform: 'linux' })
  const host = network.host({ interfaces: {} })
  host.down('lo')
  const to = { group: '239.1.0.1', port, ...host }
  const all = await keep(new MulticastSender({ ...to, interfaces: 'all' })).ready()
  const options = { interfaces: ['e0'], localPort: 10_001, followInterfaces }
  const named = await keep(new MulticastSender({ ...to, ...options })).ready()
  const went = async (): Promise<unknown[]> => {
    const before = network.journal.length
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    for (const sender of [all, named]) {
      if (sender.interfaces.length > 0) await sender.send('x')
      else {
        await rejects(sender.send('x'), 'ERR_MULTICAST_SEND', {
          code: 'ENETUNREACH',
          syscall: 'send',
        })
      }
    }
    return network.journal.slice(before).map((entry) => entry.interface)
  }
  assert.deepEqual(await went(), [])
  host.up('lo')
  assert.deepEqual(await went(), ['lo'])
  host.add('e0', e0)
  assert.deepEqual(await went(), ['e0', 'e0'])
  host.add('e1', e1)
  assert.deepEqual(await went(), ['e0', 'e1', 'e0'])
  host.remove('e0')
  assert.deepEqual(await went(), ['e1'])
  host.add('e0')
  assert.deepEqual(await went(), ['e1', 'e0', 'e0'])
  assert.equal(named.address().port, 10_001)
  host.readdress('e0', own(7))
  assert.deepEqual(await went(), ['e1', 'e0', 'e0'])
  assert.equal(named.address().port, 10_001)
})

test('a carrier that does not tell of changes is looked at', async (t) => {
  hasten(t)
  const host = new MockNetwork({ platform: 'linux' }).host({ interfaces: { e0 } })
  const { createSocket, networkInterfaces } = host
  for (const group of ['239.1.0.1', 'ff05::1:2', 'ff02::1:3']) {
    const options = { group, port, createSocket, networkInterfaces, codec: text }
    const receiver = await keep(new MulticastReceiver(options)).ready()
    const told: string[] = []
    receiver.on('membership', (change, on) => told.push(`${change} ${on.interface}`))
    const tells = async (...expected: string[]): Promise<void> => {
      while (told.length < expected.length) await once(receiver, 'membership')
      assert.deepEqual(told.splice(0), expected)
    }
    host.add('e1', e1)
    await tells('joined e1')
    for (let times = 0; times < 3; times += 1) {
      host.remove('e0')
      host.add('e0')
      await tells('lost e0', 'joined e0')
      const sender = keep(new MulticastSender({ group, port, interfaces: 'e0', ...host }))
      const heard = once(receiver, 'message')
      await sender.send('hello')
      assert.equal((await heard)[0], 'hello')
      host.readdress('e0', own(7))
      host.remove('e1')
      host.add('e1')
      await tells('lost e1', 'joined e1')
      host.readdress('e0', own(0))
    }
    await receiver.close()
    host.remove('e1')
  }
})
