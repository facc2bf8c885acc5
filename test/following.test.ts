/** Endpoints that follow the network, on interfaces that come, go and change. */
import assert from 'node:assert/strict'
import { createSocket, Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { type CreateSocket, type MulticastError, MulticastReceiver } from '../src/index.js'
import {
  addresses,
  asked,
  type Ear,
  Ears,
  type Expected,
  ipv4,
  ipv6,
  local,
  moving,
  port,
} from './moving.js'
import { openSockets } from './told.js'
import { BOUND } from './until.js'

/** What each kind of receiver hears, and tells, where it is about the first cable alone. */
const heardOnFirst: Expected<number> = { all: [0], default: [0], named: [0], address: [0] }
const joined = events('joined')
const lost = events('lost')
const remade = events('lost', 'joined')

function events(...changes: readonly string[]): Expected<string> {
  const on = (name: string) => changes.map((change) => `${change} ${name}`)
  return { all: on('e0'), default: on('default'), named: on('e0'), address: on('e0') }
}

moving(
  'receivers follow as the first interface appears',
  async (network) => {
    const ears = await new Ears(network).ready()
    network.plug(0)
    await ears.tell(joined)
    await ears.hear(heardOnFirst)
    await ears.looked()
    await ears.tell({})
  },
  'real',
)

moving('receivers follow as interfaces appear where there was none at all', async (network) => {
  network.here.ip('link set lo down')
  const ears = await new Ears(network).ready()
  for (const { receiver } of ears.all) {
    assert.deepEqual(receiver.memberships, [])
    assert.throws(() => receiver.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  }
  network.plug(0)
  await ears.tell(joined)
  await ears.hear(heardOnFirst)
  network.here.ip('link set lo up')
  await ears.tell({ all: ['joined lo'] })
  await ears.hear(heardOnFirst)
  await ears.looked()
  await ears.tell({})
})

moving('receivers follow as another interface appears, and goes', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  await ears.hear(heardOnFirst)
  network.plug(1)
  await ears.tell({ all: ['joined e1'] })
  await ears.hear({ ...heardOnFirst, all: [0, 1] })
  network.unplug(1)
  await ears.tell({ all: ['lost e1'] })
  await ears.hear(heardOnFirst)
  await ears.looked()
  await ears.tell({})
})

moving('receivers follow as an interface is made anew', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  const before = openSockets()
  // Between two looks.
  network.replug(0)
  await ears.tell(remade)
  await ears.hear(heardOnFirst)
  // Seen to be gone.
  network.unplug(0)
  await ears.tell(lost)
  for (const { receiver, kind } of ears.all) {
    assert.deepEqual(receiver.memberships.length, kind === 'all' ? 1 : 0)
  }
  network.plug(0)
  await ears.tell(joined)
  await ears.hear(heardOnFirst)
  // With other addresses.
  network.replug(0, { own: 7 })
  await ears.tell({ ...remade, address: ['lost e0'] })
  await ears.hear({ ...heardOnFirst, address: [] })
  network.unplug(0)
  await ears.tell({ ...lost, address: [] })
  network.plug(0, { own: 8 })
  await ears.tell({ ...joined, address: [] })
  network.address('e0', ...addresses(0))
  await ears.tell({ address: ['joined e0'] })
  await ears.hear(heardOnFirst)
  assert.equal(openSockets(), before)
  await ears.looked()
  await ears.tell({})
})

moving(
  'receivers follow as an interface is made anew with the number that it had',
  async (network) => {
    const index = 4711
    network.plug(0, { index })
    const ears = await new Ears(network).ready()
    for (let times = 0; times < 3; times += 1) {
      network.replug(0, { index })
      await ears.tell(remade)
      await ears.hear(heardOnFirst)
    }
    await ears.looked()
    await ears.tell({})
  },
)

moving('receivers follow as addresses go, come and change', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  const from = addresses(0)
  const remove = (addresses: string[]) =>
    network.here.ip(...addresses.map((address) => `addr del ${address} dev e0`))
  // The kernel keeps what is joined.
  remove(from)
  await ears.looked()
  await ears.hear(heardOnFirst)
  network.address('e0', ...from)
  network.route('e0')
  await ears.looked()
  await ears.hear(heardOnFirst)
  // Another one, and the old one gone.
  remove(from)
  network.address('e0', ...addresses(0, 7))
  network.route('e0')
  await ears.looked()
  await ears.hear(heardOnFirst)
  await ears.tell({})
  // An interface that had none.
  network.plug(1)
  network.here.ip('addr flush dev e1')
  await ears.looked()
  await ears.tell({})
  network.address('e1', ...addresses(1))
  await ears.tell({ all: ['joined e1'] })
  await ears.hear({ ...heardOnFirst, all: [0, 1] })
  // An address that was asked for moves to another interface.
  network.address('e1', ...from)
  await ears.tell({ address: ['joined e1', 'left e0'] })
  await ears.hear({ all: [0, 1], default: [0], named: [0], address: [1] })
  await ears.looked()
  await ears.tell({})
})

moving('receivers follow as an interface is renamed', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  network.rename('e0', 'x0', 0)
  const renamed = ['lost e0', 'joined x0']
  await ears.tell({ all: renamed, named: renamed, address: renamed })
  await ears.hear(heardOnFirst)
  // Another one gets the name that was asked for.
  network.plug(1, { name: 'e0' })
  await ears.tell({ all: ['joined e0'], named: ['joined e0', 'left x0'] })
  await ears.hear({ all: [0, 1], default: [0], named: [1], address: [0] })
  await ears.looked()
  await ears.tell({})
})

moving('receivers follow as the way to the group moves', async (network) => {
  network.plug(0)
  network.plug(1)
  const ears = await new Ears(network).ready()
  network.route('e1')
  await ears.tell({ default: ['left default', 'joined default'] })
  await ears.hear({ ...heardOnFirst, all: [0, 1], default: [1] })
  network.route('e0')
  await ears.tell({ default: ['left default', 'joined default'] })
  await ears.hear({ ...heardOnFirst, all: [0, 1], default: [0] })
  await ears.looked()
  await ears.tell({})
})

moving('receivers hear on after 200 flaps', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  const before = openSockets()
  const flap = ['link set dev e0 down', 'link set dev e0 up']
  const flaps = Array.from({ length: 50 }, () => flap).flat()
  for (let times = 0; times < 2; times += 1) {
    // A look finds it up, and one finds it down.
    network.here.ip(...flaps)
    await ears.looked()
    network.here.ip(...flaps, 'link set dev e0 down')
    await ears.looked()
  }
  network.here.ip('link set dev e0 up')
  network.address('e0', ...addresses(0))
  network.route('e0')
  await ears.looked()
  await ears.tell({})
  await ears.hear(heardOnFirst)
  assert.equal(openSockets(), before)
})

moving(
  'receivers hear after each of 30 recreations, more than a socket has room for',
  async (network) => {
    network.plug(0)
    const ears = await new Ears(network).ready()
    const before = openSockets()
    for (let times = 1; times <= 30; times += 1) {
      network.replug(0)
      await ears.tell(remade)
      if (times % 6 === 0) await ears.hear(heardOnFirst)
    }
    assert.equal(openSockets(), before)
  },
)

moving(
  'what was left by hand stays left, and what was joined by hand is followed',
  async (network) => {
    network.plug(0)
    network.plug(1)
    const ears = await new Ears(network).ready()
    const onFirst = (ear: Ear) => ({ interface: ear.kind === 'default' ? 'default' : 'e0' })

    await Promise.all(ears.all.map((ear) => ear.receiver.leave(onFirst(ear))))
    await ears.tell(events('left'))
    await ears.hear({ all: [1] })
    network.replug(0)
    network.replug(1)
    await ears.tell({ all: ['lost e1', 'joined e1'] })
    network.unplug(0)
    await ears.looked()
    network.plug(0)
    network.route('e1')
    await ears.looked()
    await ears.tell({})
    await ears.hear({ all: [1] })
    network.route('e0')

    await Promise.all(ears.all.map((ear) => ear.receiver.join(onFirst(ear))))
    await ears.tell(joined)
    // It is joined already.
    await Promise.all(ears.all.map((ear) => ear.receiver.join(onFirst(ear))))
    network.replug(0)
    await ears.tell(remade)
    await ears.hear({ ...heardOnFirst, all: [0, 1] })

    await Promise.all(ears.all.map((ear) => ear.receiver.leave()))
    const left = events('left')
    await ears.tell({ ...left, all: ['left lo', 'left e1', 'left e0'] })
    network.replug(0)
    network.replug(1)
    await ears.looked()
    await ears.tell({})
    await ears.hear({})
    for (const { receiver } of ears.all) assert.deepEqual(receiver.memberships, [])

    await Promise.all(ears.all.map((ear) => ear.receiver.join()))
    await ears.tell({ ...joined, all: ['joined lo', 'joined e0', 'joined e1'] })
    network.replug(0)
    await ears.tell(remade)
    await ears.hear({ ...heardOnFirst, all: [0, 1] })
    await ears.looked()
    await ears.tell({})
  },
)

moving(
  'a further interface that was joined by hand is followed, and left again',
  async (network) => {
    network.plug(0)
    network.plug(1)
    const named = asked.filter(({ kind, group }) => kind === 'named' && !group(1).includes('%'))
    const ears = await new Ears(network, named).ready()
    await Promise.all(ears.all.map((ear) => ear.receiver.join({ interface: 'e1' })))
    await ears.tell({ named: ['joined e1'] })
    network.replug(1)
    await ears.tell({ named: ['lost e1', 'joined e1'] })
    await ears.hear({ named: [0, 1] })
    // One that is waited for can be left as well.
    network.unplug(1)
    await ears.tell({ named: ['lost e1'] })
    await Promise.all(ears.all.map((ear) => ear.receiver.leave({ interface: 'e1' })))
    network.plug(1)
    await ears.looked()
    await ears.tell({})
    await ears.hear({ named: [0] })
    // One that is not there is not waited for by hand.
    for (const { receiver } of ears.all) {
      await assert.rejects(receiver.join({ interface: 'e7' }), { code: 'ERR_MULTICAST_INTERFACE' })
      await assert.rejects(receiver.leave({ interface: 'e7' }), { code: 'ERR_MULTICAST_INTERFACE' })
    }
    network.plug(7)
    await ears.looked()
    await ears.tell({})
  },
)

moving('sources that were joined and left by hand stay so', async (network) => {
  network.plug(0)
  const receivers = [
    { group: '239.1.1.1', sources: ['10.0.0.2', '10.0.0.3'], more: '10.0.0.4' },
    { group: 'ff05::1:101', sources: ['fd00::2', 'fd00::3'], more: 'fd00::4' },
    { group: 'ff02::1:102', sources: ['fe80::2', 'fe80::3'], more: 'fe80::4' },
  ].map(({ sources, more, group }) => {
    const options = { group, port, sources, interfaces: 'e0', followInterfaces: true }
    const receiver = network.keep(new MulticastReceiver(options))
    const told: string[] = []
    receiver.on('membership', (change, { interface: name, source = '' }) =>
      told.push(`${change} ${name} ${[...sources, more].indexOf(source)}`),
    )
    return { receiver, told, sources, more }
  })
  const tell = async (...expected: string[]): Promise<void> => {
    const isTold = () => receivers.every(({ told }) => told.length >= expected.length)
    for (const end = Date.now() + BOUND; !isTold() && Date.now() < end; ) await delay(20)
    for (const { told } of receivers) assert.deepEqual(told.splice(0), expected)
  }
  await Promise.all(receivers.map(({ receiver }) => receiver.ready()))
  network.replug(0)
  await tell('lost e0 0', 'lost e0 1', 'joined e0 0', 'joined e0 1')
  for (const { receiver, sources } of receivers) await receiver.leave({ source: sources[0] })
  await tell('left e0 0')
  network.replug(0)
  await tell('lost e0 1', 'joined e0 1')
  for (const { receiver, more } of receivers) await receiver.join({ source: more })
  await tell('joined e0 2')
  network.replug(0)
  await tell('lost e0 1', 'lost e0 2', 'joined e0 1', 'joined e0 2')
  for (const { receiver, sources } of receivers) await receiver.join({ source: sources[0] })
  await tell('joined e0 0')
  network.replug(0)
  await tell('lost e0 1', 'lost e0 2', 'lost e0 0', 'joined e0 1', 'joined e0 2', 'joined e0 0')
})

moving(
  'opening fails where waiting would not help, and what else is refused is tried again',
  async (network) => {
    network.plug(0)
    let refused = (_handle: string | undefined): boolean => true
    const carrier = {
      networkInterfaces,
      createSocket: ((options) => {
        const socket = createSocket(options)
        const { addMembership } = socket
        socket.addMembership = (group, handle) => {
          if (refused(handle)) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
          addMembership.call(socket, group, handle)
        }
        return socket
      }) satisfies CreateSocket,
    }
    const failure = { code: 'ERR_MULTICAST_JOIN', cause: { code: 'EPERM' } }
    for (const group of ['239.1.1.3', 'ff05::1:103', 'ff02::1:103']) {
      for (const interfaces of ['all', 'default', 'e0']) {
        if (interfaces === 'default' && group.startsWith('ff02')) continue
        const options = { group, port, interfaces, followInterfaces: true, ...carrier }
        const receiver = network.keep(new MulticastReceiver(options))
        await assert.rejects(receiver.ready(), ({ code, cause }: MulticastError) => {
          assert.deepEqual(
            { code, cause: { code: (cause as NodeJS.ErrnoException).code } },
            failure,
          )
          return true
        })
      }
      refused = (handle) => handle === '10.0.0.1' || handle === '::%e0'
      await using receiver = await new MulticastReceiver({ group, port, ...carrier }).ready()
      assert.deepEqual(receiver.memberships, [{ interface: 'lo' }])
      const told = once(receiver, 'membership')
      refused = () => false
      assert.deepEqual(await told, ['joined', { interface: 'e0' }])
      refused = () => true
    }
  },
)

moving(
  'a receiver that does not follow tells of what join and leave change, and of nothing else',
  async (network, t) => {
    network.plug(0)
    network.plug(1)
    for (const group of ['239.1.1.4', 'ff05::1:104', 'ff02::1:104']) {
      const refused = group.includes(':') ? '::%e1' : '10.0.1.1'
      const interfaces = ['e0', 'e1']
      await using receiver = new MulticastReceiver({ group, port, interfaces })
      const told: string[] = []
      receiver.on('membership', (change, { interface: name }) => told.push(`${change} ${name}`))
      const tells = (...expected: string[]): void => assert.deepEqual(told.splice(0), expected)
      await receiver.ready()
      tells()
      await receiver.join()
      tells()
      // One that is away, and no other in its place.
      network.unplug(0)
      await receiver.leave({ interface: 'e0' })
      tells('left e0')
      network.plug(0)
      await receiver.join({ interface: 'e0' })
      tells('joined e0')
      await receiver.leave({ interface: 'e1' })
      tells('left e1')
      await receiver.leave()
      tells('left e0')
      const { addMembership } = Socket.prototype
      const refusal = t.mock.method(
        Socket.prototype,
        'addMembership',
        function (this: Socket, ...[group, handle]: Parameters<Socket['addMembership']>) {
          if (handle === refused) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
          addMembership.call(this, group, handle)
        },
      )
      // What was joined before it failed is left again, as if it had not been.
      await assert.rejects(receiver.join(), { code: 'ERR_MULTICAST_JOIN' })
      tells()
      refusal.mock.restore()
      await receiver.join()
      tells('joined e0', 'joined e1')
      network.replug(0)
      await receiver.join({ interface: 'e1' })
      tells('lost e0', 'joined e0')
      network.unplug(0)
      await receiver.join({ interface: 'e1' })
      tells('lost e0')
      network.plug(0)
      await receiver.join({ interface: 'e0' })
      tells('joined e0')
      await receiver.close()
      tells()
    }
  },
)

moving('receivers follow as two interfaces swap their names between two looks', async (network) => {
  network.plug(0)
  network.plug(1)
  const ears = await new Ears(network).ready()
  network.here.ip('link set dev e0 down', 'link set dev e0 name swap')
  network.rename('e1', 'e0', 1)
  network.rename('swap', 'e1', 0)
  network.route('e1')
  await ears.tell({
    all: ['lost e0', 'lost e1', 'joined e1', 'joined e0'],
    named: ['lost e0', 'joined e1', 'joined e0', 'left e1'],
    address: ['lost e0', 'joined e1'],
  })
  await ears.hear({ all: [0, 1], default: [0], named: [1], address: [0] })
  await ears.looked()
  await ears.tell({})
})

moving(
  'receivers follow as another interface takes the place of one that is gone',
  async (network) => {
    network.plug(0)
    const ears = await new Ears(network).ready()
    // With its addresses and another name.
    network.replug(0, { name: 'e0', as: 'x0' })
    await ears.tell({
      all: ['lost e0', 'joined x0'],
      default: ['lost default', 'joined default'],
      named: ['lost e0'],
      address: ['lost e0', 'joined x0'],
    })
    await ears.hear({ all: [0], default: [0], address: [0] })
    // With its name and other addresses.
    network.plug(1, { name: 'e0' })
    await ears.tell({ all: ['joined e0'], named: ['joined e0'] })
    await ears.hear({ all: [0, 1], default: [0], named: [1], address: [0] })
    await ears.looked()
    await ears.tell({})
  },
)

moving(
  'receivers that are bound otherwise follow an interface that is made anew',
  async (network) => {
    network.plug(0)
    const any = { bindAddress: 'any' }
    const unshared = { reuseAddr: false }
    const kind = 'all' as const
    // Those that are bound to any address hear what others of their family have joined.
    for (const [recreations, which] of [
      [22, [ipv4, ipv6].map((group) => ({ kind, group, options: any }))],
      [3, [{ kind, group: local, options: any }]],
      [22, [ipv4, ipv6, local].map((group) => ({ kind, group, options: unshared }))],
    ] as const) {
      const ears = await new Ears(network, which).ready()
      const before = openSockets()
      for (let times = 1; times <= recreations; times += 1) {
        network.replug(0)
        await ears.tell(remade)
        if (times % 7 < 2) await ears.hear(heardOnFirst)
      }
      assert.equal(openSockets(), before)
      await Promise.all(ears.all.map(({ receiver }) => receiver.close()))
    }
  },
)

moving(
  'receivers follow by a list of interfaces of their own, and by joining again',
  async (network) => {
    network.plug(0)
    const own = { createSocket, networkInterfaces: () => networkInterfaces() }
    const following = (kind: 'address' | 'named', interfaces: string, group: typeof ipv4) => ({
      kind,
      group,
      options: { interfaces, followInterfaces: true, ...own },
    })
    const ears = await new Ears(network, [
      following('address', '10.0.0.1', ipv4),
      following('named', 'e0', ipv6),
      following('named', 'e0', local),
    ]).ready()
    // Between two looks.
    network.replug(0)
    await ears.tell(remade)
    await ears.hear(heardOnFirst)
    // Over IPv6 a zone that is away cannot be asked for.
    network.unplug(0)
    await ears.tell({ address: ['lost e0'] })
    network.plug(0)
    await ears.tell({ address: ['joined e0'], named: ['lost e0', 'joined e0'] })
    await ears.hear(heardOnFirst)
  },
)

moving('receivers follow as an interface goes to another host and comes back', async (network) => {
  network.plug(0)
  const ears = await new Ears(network).ready()
  network.away('e0')
  network.address('e0', ...addresses(0))
  network.route('e0')
  await ears.tell(remade)
  await ears.hear(heardOnFirst)
  await ears.looked()
  await ears.tell({})
})

moving('receivers hear on as the first of two interfaces goes', async (network) => {
  network.plug(0)
  network.plug(1)
  // Over IPv6 the other one leads to the groups then.
  const which = asked.filter(({ kind }) => kind !== 'default')
  const ears = await new Ears(network, which).ready()
  network.unplug(0)
  await ears.tell(lost)
  await ears.hear({ all: [1] })
  network.plug(0)
  await ears.tell(joined)
  await ears.hear({ ...heardOnFirst, all: [0, 1] })
  await ears.looked()
  await ears.tell({})
})

moving('what is left while its interface is down is not heard when it is up', async (network) => {
  network.plug(0)
  network.plug(1)
  const which = asked.filter(({ kind }) => kind !== 'default')
  const ears = await new Ears(network, which).ready()
  network.here.ip('link set dev e0 down')
  await Promise.all(ears.all.map(({ receiver }) => receiver.leave({ interface: 'e0' })))
  await ears.tell(events('left'))
  network.here.ip('link set dev e0 up')
  network.address('e0', ...addresses(0))
  await ears.looked()
  await ears.hear({ all: [1] })
  await ears.tell({})
})
