import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { parseGroup } from '../src/address.js'
import { joinedOn, lookAtJoined } from '../src/igmp.js'
import { type Lab, scenario } from './lab.js'

async function bound(type: 'udp4' | 'udp6'): Promise<Socket> {
  const socket = createSocket(type)
  socket.bind()
  await once(socket, 'listening')
  return socket
}

/** The kernel's number of an interface. */
function indexOf(lab: Lab, device: string): number {
  return Number(lab.here.ip(`link show dev ${device}`).split(':')[0])
}

for (const { type, address, other, handles } of [
  { type: 'udp4', address: '239.1.2.3', other: '239.3.2.1', handles: ['10.0.0.1', '10.0.1.1'] },
  { type: 'udp6', address: 'ff05::1:3', other: 'ff05::3:1', handles: ['::%e0', '::%e1'] },
] as const) {
  scenario(`${type}: the host's memberships are counted by interface`, [], async (lab) => {
    for (const at of [0, 1]) {
      await lab.cable(
        [lab.here, `e${at}`, `10.0.${at}.1/24`, `fd0${at}::1/64`],
        [lab.host(), 'far', `10.0.${at}.2/24`, `fd0${at}::2/64`],
      )
    }
    const count = (to: string = address) => joinedOn(parseGroup(to), createSocket)
    const [one, two] = [await bound(type), await bound(type)]
    assert.deepEqual(count(), [])
    one.addMembership(address, handles[1])
    const onE1 = { name: 'e1', index: indexOf(lab, 'e1'), users: 1 }
    assert.deepEqual(count(), [onE1])
    two.addMembership(address, handles[1])
    two.addMembership(address, handles[0])
    const onE0 = { name: 'e0', index: indexOf(lab, 'e0'), users: 1 }
    const both = [...(count() ?? [])].sort((a, b) => a.name.localeCompare(b.name))
    assert.deepEqual(both, [onE0, { ...onE1, users: 2 }])
    assert.deepEqual(count(other), [])

    // Read last, it tells what it was then.
    const last = () => joinedOn(parseGroup(address), createSocket, 'last')
    const before = lookAtJoined(true)
    two.dropMembership(address, handles[1])
    assert.equal(last()?.find(({ name }) => name === 'e1')?.users, 2)
    const after = lookAtJoined(true)
    assert.equal(last()?.find(({ name }) => name === 'e1')?.users, 1)
    assert.ok(after.version > before.version)
    assert.equal(after.numbers, before.numbers)
    assert.deepEqual(lookAtJoined(true), after)
    lab.here.ip('link set dev e1 down', 'link set dev e1 name x1')
    const renamed = lookAtJoined(true)
    assert.notEqual(renamed.numbers, after.numbers)
    assert.ok(renamed.version > after.version)
    // By its name it is taken down.
    lab.here.ip('link set dev x1 name e1')
    for (const socket of [one, two]) socket.close()
  })
}

scenario('tables that are dear to read are looked at now and then', [], async (lab, t) => {
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [lab.host(), 'far'])
  const socket = await bound('udp4')
  // As if reading took a tenth of a second of a core's time, and a second passed between two looks.
  let [used, now] = [0, 1_000_000]
  const usage = t.mock.method(process, 'cpuUsage', () => {
    used += 50_000
    return { user: used, system: used }
  })
  t.mock.method(process, 'uptime', () => now)
  const look = (): number => {
    now += 1
    return lookAtJoined(false).version
  }
  lookAtJoined(true)
  const before = lookAtJoined(true).version
  socket.addMembership('239.1.2.3', '10.0.0.1')
  let looks = 0
  while (look() === before && looks < 1000) looks += 1
  assert.ok(looks > 10 && looks < 1000, `${looks} looks`)
  socket.dropMembership('239.1.2.3', '10.0.0.1')
  assert.ok(look() < lookAtJoined(true).version, 'unless it must')
  usage.mock.restore()
  lookAtJoined(true)
  // Dear once, as the first is, does not count.
  t.mock.method(process, 'cpuUsage', () => ({ user: 1e6, system: 0 }), { times: 2 })
  lookAtJoined(true)
  socket.addMembership('239.1.2.3', '10.0.0.1')
  const version = look()
  assert.equal(joinedOn(parseGroup('239.1.2.3'), createSocket, 'last')?.length, 1)
  assert.equal(look(), version)
  socket.close()
  t.mock.restoreAll()
  lookAtJoined(true)
})

test('of other sockets and other systems it tells nothing', (t) => {
  const group = parseGroup('239.1.2.3')
  assert.equal(
    joinedOn(group, (options) => createSocket(options)),
    undefined,
  )
  const own = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor
  t.after(() => Object.defineProperty(process, 'platform', own))
  Object.defineProperty(process, 'platform', { ...own, value: 'darwin' })
  assert.equal(joinedOn(group, createSocket), undefined)
  assert.deepEqual(lookAtJoined(true), { numbers: '', version: 0 })
})
