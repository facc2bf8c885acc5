/** Endpoints that follow the network, on interfaces that come, go and change. */
import assert from 'node:assert/strict'
import { addresses, Ears, type Expected, moving } from './moving.js'
import { openSockets } from './told.js'

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
