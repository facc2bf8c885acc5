import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseGroup } from '../src/address.js'
import type { DatagramSocket } from '../src/datagram.js'
import { MemberSocket, type Target } from '../src/member-socket.js'
import { MockNetwork } from '../src/testing/index.js'

const { createSocket } = new MockNetwork({ platform: 'linux' }).host()
const group = parseGroup('ff02::7')

/** A socket in a zone, and what the system was asked for by it. */
function memberOf(zone: string): { member: MemberSocket; asked: unknown[][]; target: Target } {
  const asked: unknown[][] = []
  const note =
    (what: string) =>
    (...on: unknown[]): void => {
      asked.push([what, ...on])
    }
  const socket = {
    addMembership: note('join'),
    dropMembership: note('leave'),
    addSourceSpecificMembership: note('join for'),
    dropSourceSpecificMembership: note('leave for'),
  } as Partial<DatagramSocket> as DatagramSocket
  const handle = `::%${zone}`
  const member = new MemberSocket(socket, { group, createSocket }, { name: zone, zone })
  return { member, asked, target: { on: { name: zone, handle, zone }, name: zone } }
}

const from = (address: string) => ({ address, family: 'IPv6' as const, port: 9, size: 1 })

test('a source is admitted with its zone or without, and not any more once it is left', () => {
  const { member, asked, target } = memberOf('e0')
  const { joined } = member.join(target, 'fe80::9')
  assert.equal(member.admits(from('fe80::9%e0')), true)
  assert.equal(member.admits(from('fe80::9')), true)
  for (const other of ['fe80::8%e0', 'fe80::8', 'fe80::99%e0']) {
    assert.equal(member.admits(from(other)), false, other)
  }
  assert.equal(member.leave(joined, ['::%e0']), true)
  assert.equal(member.admits(from('fe80::9%e0')), false)
  assert.deepEqual(member.memberships, [])
  assert.deepEqual(asked, [
    ['join for', 'fe80::9', 'ff02::7', '::%e0'],
    ['leave for', 'fe80::9', 'ff02::7', '::%e0'],
  ])
})

test('the sources of one zone are not those of another', () => {
  const [one, other] = [memberOf('e0'), memberOf('e1')]
  one.member.join(one.target, 'fe80::9')
  other.member.join(other.target, 'fe80::8')
  assert.equal(one.member.admits(from('fe80::8%e0')), false)
  assert.equal(other.member.admits(from('fe80::9%e1')), false)
  assert.equal(other.member.admits(from('fe80::8%e1')), true)
})

test('joined for every sender it admits each, until that is left', () => {
  const { member, asked, target } = memberOf('e0')
  const { how, joined } = member.join(target, undefined)
  assert.equal(how, 'new')
  assert.equal(member.admits(from('fe80::8%e0')), true)
  member.leave(joined, ['::%e0'])
  assert.equal(member.admits(from('fe80::8%e0')), false)
  assert.deepEqual(asked, [
    ['join', 'ff02::7', '::%e0'],
    ['leave', 'ff02::7', '::%e0'],
  ])
})
