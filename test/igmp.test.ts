import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { parseGroup } from '../src/address.js'
import { joinedOn } from '../src/igmp.js'
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
    for (const socket of [one, two]) socket.close()
  })
}

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
})
