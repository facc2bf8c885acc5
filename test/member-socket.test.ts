import assert from 'node:assert/strict'
import { createSocket as ofNode } from 'node:dgram'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { type TestContext, test } from 'node:test'
import { parseGroup } from '../src/address.js'
import type { DatagramSocket } from '../src/datagram.js'
import type { Interface } from '../src/interfaces.js'
import { type Joined, MemberSocket, SpentError, type Target } from '../src/member-socket.js'
import { MockNetwork } from '../src/testing/index.js'

type Own = ReturnType<typeof member>

const mock = new MockNetwork({ platform: 'linux' }).host()

/** A socket, what the system was asked for by it, and how it refuses that. */
function member({
  group = '239.1.2.3',
  zone,
  createSocket = mock.createSocket,
}: {
  group?: string
  zone?: string
  createSocket?: typeof mock.createSocket
} = {}) {
  const asked: unknown[][] = []
  /** The code of the refusal, by what is asked for, or that with the handle. */
  const refusals: Record<string, string> = {}
  const ask =
    (what: string) =>
    (...on: unknown[]): void => {
      asked.push([what, ...on])
      const code = refusals[`${what} ${on.at(-1)}`] ?? refusals[what]
      if (code !== undefined) throw Object.assign(new Error(`${what} ${code}`), { code })
    }
  const socket = {
    addMembership: ask('join'),
    dropMembership: ask('leave'),
    addSourceSpecificMembership: ask('join for'),
    dropSourceSpecificMembership: ask('leave for'),
  } as Partial<DatagramSocket> as DatagramSocket
  const bound = zone === undefined ? undefined : { name: zone, zone }
  const own = new MemberSocket(socket, { group: parseGroup(group), createSocket }, bound)
  return { member: own, asked, refusals }
}

/** An interface by an IPv4 address, or in a zone. */
const named = (name: string, handle = `::%${name}`, more: Partial<Interface> = {}): Target => ({
  on: { name, handle, zone: name, ...more },
  name,
})
const e0 = named('e0', '10.0.0.1')
const e1 = named('e1', '10.0.1.1')
const byRoute: Target = { on: undefined, name: 'default' }

/** An interface that the system tells to have joined. */
const counted = (name: string, index: number, users = 1) => ({ name, index, users })

const from = (address: string) => ({ address, family: 'IPv6' as const, port: 9, size: 1 })

/** Whether something takes room that is lost, as the error tells where there is none left. */
function hasSpent({ member, refusals }: Own): boolean {
  refusals['join 10.0.9.1'] = 'ENOBUFS'
  try {
    member.join(named('e9', '10.0.9.1'), undefined)
  } catch (error) {
    if (error instanceof SpentError) return true
    assert.equal((error as { code?: string }).code, 'ERR_MULTICAST_MEMBERSHIP_LIMIT')
    return false
  }
  return assert.fail('it was joined')
}

test('a source is admitted with its zone or without, and not any more once it is left', () => {
  const { member: socket, asked } = member({ group: 'ff02::7', zone: 'e0' })
  const { joined } = socket.join(named('e0'), 'fe80::9')
  assert.equal(socket.admits(from('fe80::9%e0')), true)
  assert.equal(socket.admits(from('fe80::9')), true)
  for (const other of ['fe80::8%e0', 'fe80::8', 'fe80::99%e0']) {
    assert.equal(socket.admits(from(other)), false, other)
  }
  assert.equal(socket.leave(joined, ['::%e0']), true)
  assert.equal(socket.admits(from('fe80::9%e0')), false)
  assert.deepEqual(socket.memberships, [])
  assert.deepEqual(asked, [
    ['join for', 'fe80::9', 'ff02::7', '::%e0'],
    ['leave for', 'fe80::9', 'ff02::7', '::%e0'],
  ])
})

test('the sources of one zone are not those of another', () => {
  const one = member({ group: 'ff02::7', zone: 'e0' }).member
  const other = member({ group: 'ff02::7', zone: 'e1' }).member
  one.join(named('e0'), 'fe80::9')
  other.join(named('e1'), 'fe80::8')
  assert.equal(one.admits(from('fe80::8%e0')), false)
  assert.equal(other.admits(from('fe80::9%e1')), false)
  assert.equal(other.admits(from('fe80::8%e1')), true)
})

test('joined for every sender it admits each, until that is left', () => {
  const { member: socket, asked } = member({ group: 'ff02::7', zone: 'e0' })
  const { how, joined } = socket.join(named('e0'), undefined)
  assert.equal(how, 'new')
  assert.equal(socket.admits(from('fe80::8%e0')), true)
  socket.leave(joined, ['::%e0'])
  assert.equal(socket.admits(from('fe80::8%e0')), false)
  assert.deepEqual(asked, [
    ['join', 'ff02::7', '::%e0'],
    ['leave', 'ff02::7', '::%e0'],
  ])
})

test('what is joined already stays, with what it is asked for by now', () => {
  for (const [source, code] of [
    [undefined, 'EADDRINUSE'],
    [undefined, 'EINVAL'],
    ['10.0.0.9', 'EADDRINUSE'],
    ['10.0.0.9', 'EADDRNOTAVAIL'],
  ] as const) {
    const { member: socket, refusals } = member()
    const { joined } = socket.join(e0, source)
    assert.equal(joined.by, '10.0.0.1')
    refusals.join = code
    refusals['join for'] = code
    const again = socket.join(named('e0', '10.0.0.7'), source)
    assert.equal(again.how, 'joined', code)
    assert.equal(again.joined, joined)
    assert.deepEqual(joined.on, { name: 'e0', handle: '10.0.0.7', zone: 'e0' })
    // Where its address has changed it is left by the one that it was joined by.
    assert.equal(joined.by, '10.0.0.1')
    assert.equal(socket.joined.length, 1)
  }
})

test('a refusal rejects with its cause, whether it is joined or not', () => {
  for (const [source, code, isJoined] of [
    [undefined, 'EADDRINUSE', false],
    [undefined, 'EADDRNOTAVAIL', true],
    ['10.0.0.9', 'EINVAL', true],
    ['10.0.0.9', 'EADDRNOTAVAIL', false],
  ] as const) {
    const { member: socket, refusals } = member()
    if (isJoined) socket.join(e0, source)
    refusals.join = code
    refusals['join for'] = code
    assert.throws(
      () => socket.join(e0, source),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ERR_MULTICAST_JOIN')
        const what = source === undefined ? 'on e0' : 'on e0 from 10.0.0.9'
        assert.ok(error.message.startsWith(`Could not join group 239.1.2.3 ${what}: join`))
        assert.equal((error.cause as { code?: string }).code, code)
        return true
      },
    )
    assert.equal(socket.joined.length, isJoined ? 1 : 0)
  }
})

test('for want of room it says of what: of sources there, or of memberships', () => {
  for (const code of ['ENOBUFS', 'ENOMEM']) {
    for (const [source, has, what] of [
      ['10.0.0.9', '10.0.0.8', 'sources'],
      ['10.0.0.9', undefined, 'memberships'],
      [undefined, '10.0.0.8', 'memberships'],
    ] as const) {
      const { member: socket, refusals } = member()
      socket.join(e1, '10.0.0.8')
      if (has !== undefined) socket.join(e0, has)
      refusals.join = code
      refusals['join for'] = code
      assert.throws(() => socket.join(e0, source), {
        code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
        message: new RegExp(`as many ${what} as it may`),
        cause: Object.assign(new Error(`join${source === undefined ? '' : ' for'} ${code}`), {
          code,
        }),
      })
    }
  }
})

test('what is accepted anew had been lost, and what was lost takes room', () => {
  const own = member()
  const { member: socket } = own
  const { joined } = socket.join(e0, undefined)
  assert.equal(socket.isUnlearned, true)
  socket.learn([counted('e0', 4)])
  assert.deepEqual([joined.index, socket.isUnlearned], [4, false])
  const again = socket.join(named('e0', '10.0.0.7'), undefined)
  assert.equal(again.how, 'renewed')
  assert.equal(again.joined, joined)
  assert.deepEqual(joined, {
    on: { name: 'e0', handle: '10.0.0.7', zone: 'e0' },
    membership: { interface: 'e0' },
    by: '10.0.0.7',
    index: undefined,
  })
  // It may be another interface now.
  assert.equal(socket.isUnlearned, true)
  assert.equal(socket.joined.length, 1)
  assert.equal(hasSpent(own), true)
  own.refusals['join 10.0.9.1'] = 'EPERM'
  assert.throws(() => socket.join(named('e9', '10.0.9.1'), undefined), {
    code: 'ERR_MULTICAST_JOIN',
  })
})

test('a membership is known by its source and its name, of the route by the interface too', () => {
  const { member: socket } = member()
  const every = socket.join(e0, undefined).joined
  const one = socket.join(e0, '10.0.0.9').joined
  const other = socket.join(e1, undefined).joined
  const routed = socket.join({ ...e0, name: 'default' }, undefined).joined
  assert.deepEqual(routed.membership, { interface: 'default' })
  assert.equal(socket.find(e0, undefined), every)
  assert.equal(socket.find(e0, '10.0.0.9'), one)
  assert.equal(socket.find(e0, '10.0.0.8'), undefined)
  assert.equal(socket.find(e1, undefined), other)
  assert.equal(socket.find(e1, '10.0.0.9'), undefined)
  assert.equal(socket.find({ ...e0, name: 'default' }, undefined), routed)
  assert.equal(socket.find({ ...e1, name: 'default' }, undefined), undefined)
  assert.equal(socket.find(byRoute, undefined), undefined)
  const left = member().member
  const picked = left.join(byRoute, undefined).joined
  assert.equal(left.find(byRoute, undefined), picked)
  assert.equal(left.find(named('e0', '10.0.0.1', { others: ['e1'] }), undefined), undefined)
  assert.deepEqual(left.join(byRoute, undefined), { how: 'renewed', joined: picked })
  assert.deepEqual([picked.on, picked.by], [undefined, undefined])
})

test('it is noted what a membership is asked for by, not that it is elsewhere', () => {
  const { member: socket } = member()
  const { joined } = socket.join(e0, undefined)
  socket.note(joined, { name: 'e1', handle: '10.0.0.1', zone: 'e1', given: '10.0.0.1' })
  assert.deepEqual(joined.on, { name: 'e0', handle: '10.0.0.1', zone: 'e0', given: '10.0.0.1' })
  socket.note(joined, undefined)
  assert.equal(joined.on, undefined)
  socket.note(joined, e1.on)
  assert.deepEqual(joined.on, e1.on)
})

test('a socket goes on with what another had joined', () => {
  const { joined } = member().member.join(e0, '10.0.0.9')
  joined.index = 4
  const { member: socket, asked, refusals } = member()
  refusals['join for'] = 'ENODEV'
  assert.throws(() => socket.adopt(joined, e0.on))
  assert.deepEqual([socket.joined, socket.admits(from('10.0.0.9'))], [[], false])
  delete refusals['join for']
  const now = { name: 'e0', handle: '10.0.0.7', zone: 'e0' }
  socket.adopt(joined, now)
  assert.deepEqual(asked.at(-1), ['join for', '10.0.0.9', '239.1.2.3', '10.0.0.7'])
  assert.equal(socket.joined[0], joined)
  assert.deepEqual([joined.on, joined.by, joined.index], [now, '10.0.0.7', undefined])
  assert.equal(socket.admits(from('10.0.0.9')), true)
  assert.equal(socket.admits(from('10.0.0.8')), false)
  const picked = member().member.join(byRoute, undefined).joined
  socket.adopt(picked, undefined)
  assert.deepEqual(asked.at(-1), ['join', '239.1.2.3', undefined])
  assert.deepEqual(socket.joined, [joined, picked])
})

test('numbers are learned once, of interfaces that can be others one day', () => {
  const { member: socket } = member()
  assert.equal(socket.isUnlearned, false)
  socket.join(byRoute, undefined)
  socket.join(named('lo', '127.0.0.1'), undefined)
  assert.equal(socket.isUnlearned, false)
  const { joined } = socket.join(e0, undefined)
  const other = socket.join(e1, undefined).joined
  socket.learn([counted('e1', 5)])
  assert.deepEqual([joined.index, other.index, socket.isUnlearned], [undefined, 5, true])
  socket.learn([counted('e1', 6), counted('e0', 7)])
  assert.deepEqual([joined.index, other.index, socket.isUnlearned], [7, 5, false])
})

/** Strikes out, where an interface that a membership was joined by is what it was. */
function swept(
  socket: MemberSocket,
  how: {
    counted?: ReturnType<typeof counted>[]
    lost?: string[]
    now?: Record<string, Interface | undefined>
    isOwn?: (joined: Joined) => boolean
  },
): readonly unknown[] {
  const { now, isOwn = () => true } = how
  const find = (on: Interface) => (now === undefined ? on : now[on.name])
  const gone = socket.sweep(find, isOwn, how.counted, how.lost)
  for (const joined of gone) assert.ok(!socket.joined.includes(joined))
  return gone.map(({ membership }) => membership)
}

test('what the carrier says is lost is struck out and given back, and nothing else', () => {
  const own = member()
  const { member: socket, asked } = own
  socket.join(byRoute, undefined)
  for (const on of [e0, e1]) for (const source of ['10.0.0.8', '10.0.0.9']) socket.join(on, source)
  asked.splice(0)
  assert.deepEqual(swept(socket, { lost: [] }), [])
  // What is counted is not asked, where it is told.
  assert.deepEqual(swept(socket, { lost: ['e7'], counted: [] }), [])
  assert.deepEqual(asked, [])
  assert.deepEqual(swept(socket, { lost: ['e0'] }), [
    { interface: 'e0', source: '10.0.0.8' },
    { interface: 'e0', source: '10.0.0.9' },
  ])
  // Once for all of its sources.
  assert.deepEqual(asked, [['leave', '239.1.2.3', '10.0.0.1']])
  assert.equal(socket.joined.length, 3)
  assert.equal(socket.isDeaf, false)
  own.refusals.join = 'ENOBUFS'
  assert.throws(() => socket.join(e0, undefined), { code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT' })
})

test('what cannot be given back takes room for good', () => {
  for (const [how, isAsked] of [
    ['refused', true],
    ["another's", false],
    ['used', false],
  ] as const) {
    const own = member()
    const { member: socket, asked, refusals } = own
    socket.join(e0, undefined)
    if (how === 'refused') refusals['leave 10.0.0.1'] = 'EADDRNOTAVAIL'
    // Two interfaces that had the address, one after the other.
    if (how === 'used') socket.join(named('e1', '10.0.0.1'), undefined)
    asked.splice(0)
    assert.equal(swept(socket, { lost: ['e0'], isOwn: () => how !== "another's" }).length, 1)
    assert.equal(asked.length, isAsked ? 1 : 0, how)
    assert.equal(hasSpent(own), true, how)
  }
})

test('what is bound in a zone is deaf once it has lost something', () => {
  const { member: socket } = member({ group: 'ff02::7', zone: 'e0' })
  socket.join(named('e0'), undefined)
  swept(socket, { lost: ['e1'] })
  assert.equal(socket.isDeaf, false)
  swept(socket, { lost: ['e0'] })
  assert.equal(socket.isDeaf, true)
  assert.equal(socket.admits(from('fe80::9')), false)
})

test('by the numbers of the interfaces it is lost or renamed; the loopback interface is neither', () => {
  const { member: socket } = member()
  socket.join(byRoute, undefined)
  socket.join(named('lo', '127.0.0.1'), undefined)
  const { joined } = socket.join(e0, '10.0.0.9')
  const routed = socket.join({ ...e0, name: 'default' }, undefined).joined
  socket.join(e1, undefined)
  socket.learn([counted('e0', 4), counted('e1', 5)])
  const { membership } = joined
  assert.deepEqual(swept(socket, { counted: [counted('e0', 4), counted('e1', 5)] }), [])
  // The very same, or else it has been renamed.
  assert.equal(joined.membership, membership)
  socket.note(joined, { name: 'e0', handle: '10.0.0.7', zone: 'e0' })
  // A new one of the same name is none of them.
  assert.deepEqual(swept(socket, { counted: [counted('x0', 4), counted('e1', 6)] }), [
    { interface: 'e1' },
  ])
  assert.deepEqual(joined.membership, { interface: 'x0', source: '10.0.0.9' })
  assert.deepEqual(joined.on, { name: 'x0', handle: '10.0.0.7', zone: 'x0' })
  assert.equal(joined.by, '10.0.0.1')
  assert.deepEqual(routed.membership, { interface: 'default' })
  assert.equal(routed.on?.name, 'x0')
  assert.equal(socket.joined.length, 4)
})

test('a zone that is renamed is left and bound by its new name', () => {
  const { member: socket } = member({ group: 'ff02::7', zone: 'e0' })
  const { joined } = socket.join(named('e0'), undefined)
  socket.learn([counted('e0', 4)])
  assert.deepEqual(swept(socket, { counted: [counted('x0', 4)] }), [])
  assert.deepEqual([joined.on, joined.by], [{ name: 'x0', handle: '::%x0', zone: 'x0' }, '::%x0'])
  assert.deepEqual(socket.bound, { name: 'x0', zone: 'x0' })
  assert.equal(socket.isDeaf, false)
  const other = member({ group: 'ff05::7', zone: 'e1' }).member
  other.join(named('e0'), undefined)
  other.learn([counted('e0', 4)])
  swept(other, { counted: [counted('x0', 4)] })
  assert.deepEqual(other.bound, { name: 'e1', zone: 'e1' })
})

test('where nothing else tells, the refusal to join again does', () => {
  for (const [code, source, isLost] of [
    ['EADDRINUSE', undefined, false],
    ['EADDRNOTAVAIL', '10.0.0.9', false],
    ['ENODEV', undefined, true],
    [undefined, undefined, true],
    [undefined, '10.0.0.9', true],
  ] as const) {
    const { member: socket, asked, refusals } = member()
    const { membership } = socket.join(e0, source).joined
    asked.splice(0)
    if (code !== undefined) {
      refusals.join = code
      refusals['join for'] = code
    }
    const now = { e0: { name: 'e0', handle: '10.0.0.7', zone: 'e0' } }
    assert.deepEqual(swept(socket, { now }), isLost ? [membership] : [])
    const what = (verb: string) =>
      source === undefined ? [verb, '239.1.2.3'] : [`${verb} for`, source, '239.1.2.3']
    assert.deepEqual(asked[0], [...what('join'), '10.0.0.7'])
    // What was accepted is undone, and joined anew as all that was lost.
    if (code === undefined) assert.deepEqual(asked[1], [...what('leave'), '10.0.0.7'])
    else assert.notDeepEqual(asked[1], [...what('leave'), '10.0.0.7'])
  }
})

test('what is away is asked for by its former address, but not in a zone that is not there', () => {
  const { member: socket, asked, refusals } = member()
  socket.join(e0, undefined)
  refusals.join = 'ENODEV'
  assert.equal(swept(socket, { now: {} }).length, 1)
  assert.deepEqual(asked[1], ['join', '239.1.2.3', '10.0.0.1'])
  const zoned = member({ group: 'ff05::7' })
  zoned.member.join(named('e0'), undefined)
  assert.deepEqual(swept(zoned.member, { now: {} }), [])
  assert.equal(zoned.asked.length, 1)
  zoned.refusals.join = 'ENODEV'
  const now = { e0: { name: 'e0', handle: '::%e0', zone: 'e0' } }
  assert.deepEqual(swept(zoned.member, { now }), [{ interface: 'e0' }])
  // Nor is what the system has picked asked for.
  const picked = member()
  picked.member.join(byRoute, undefined)
  assert.deepEqual(swept(picked.member, { now: {} }), [])
  assert.equal(picked.asked.length, 1)
})

test('the network is told again by leaving and joining, where an interface can be told by its own', () => {
  const { member: socket, asked, refusals } = member()
  socket.join(byRoute, undefined)
  socket.join(e0, '10.0.0.9')
  const other = socket.join(e1, undefined).joined
  const failing = socket.join(named('e2', '10.0.2.1'), undefined).joined
  const shared = socket.join(named('e3', '10.0.3.1'), undefined).joined
  const stuck = socket.join(named('e4', '10.0.4.1'), undefined).joined
  asked.splice(0)
  refusals['leave 10.0.4.2'] = 'EADDRNOTAVAIL'
  const names = ['e1', 'e2', 'e3', 'e4']
  const again = socket.retell(names, ({ name }) =>
    name === 'e3' ? undefined : `10.0.${name.slice(1)}.2`,
  )
  assert.deepEqual(asked.splice(0), [
    ['leave', '239.1.2.3', '10.0.1.2'],
    ['leave', '239.1.2.3', '10.0.2.2'],
    ['leave', '239.1.2.3', '10.0.4.2'],
  ])
  refusals['join 10.0.2.2'] = 'ENOBUFS'
  assert.deepEqual(again(), [failing])
  assert.deepEqual(asked, [
    ['join', '239.1.2.3', '10.0.1.2'],
    ['join', '239.1.2.3', '10.0.2.2'],
  ])
  assert.deepEqual([other.by, shared.by, stuck.by], ['10.0.1.2', '10.0.3.1', '10.0.4.1'])
  assert.equal(socket.joined.includes(failing), false)
  assert.equal(socket.joined.length, 5)
})

test('it is left by the first name that the system takes, or else takes room', () => {
  const own = member()
  const { member: socket, asked, refusals } = own
  const { joined } = socket.join(e0, undefined)
  const other = socket.join(e1, undefined).joined
  refusals['leave 10.0.0.7'] = 'EADDRNOTAVAIL'
  asked.splice(0)
  assert.equal(socket.leave(joined, ['10.0.0.7', '10.0.0.1', '10.0.0.2']), true)
  assert.deepEqual(
    asked.map((call) => call.at(-1)),
    ['10.0.0.7', '10.0.0.1'],
  )
  refusals.join = 'ENOBUFS'
  assert.throws(() => socket.join(e0, undefined), { code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT' })
  assert.equal(socket.leave(other, ['10.0.0.7']), false)
  assert.deepEqual(socket.joined, [])
  assert.throws(() => socket.join(e0, undefined), SpentError)
})

test('what is abandoned is heard no more', () => {
  const { member: socket } = member()
  const all = [socket.join(e0, '10.0.0.9').joined, socket.join(e1, undefined).joined]
  assert.deepEqual(socket.abandon(), all)
  assert.deepEqual(socket.joined, [])
  assert.equal(socket.admits(from('10.0.0.9')), false)
  assert.equal(socket.admits(from('10.0.0.8')), false)
})

/** One that has lost a membership which the system did not take back. */
function spent(): Own {
  const own = member()
  const { joined } = own.member.join(e0, undefined)
  own.refusals['leave 10.0.0.1'] = 'EADDRNOTAVAIL'
  own.member.leave(joined, ['10.0.0.1'])
  delete own.refusals['leave 10.0.0.1']
  own.asked.splice(0)
  return own
}

/** One whose membership was lost, and is there again. */
function renewed(): Own {
  const own = member()
  for (const how of ['new', 'renewed']) assert.equal(own.member.join(e0, undefined).how, how)
  return own
}

/** One that has lost a membership with its interface, which another one's address stands for now. */
function unreturned(): Own {
  const own = member()
  own.member.join(e0, undefined)
  own.member.sweep(
    () => undefined,
    () => false,
    undefined,
    ['e0'],
  )
  return own
}

test('over what was lost on a number that an interface has got it is joined all the same', () => {
  for (const [make, target, source, code] of [
    [spent, e1, undefined, 'EADDRINUSE'],
    [spent, e1, undefined, 'EINVAL'],
    [spent, e1, '10.0.0.9', 'EADDRNOTAVAIL'],
    [spent, byRoute, undefined, 'EADDRINUSE'],
    [renewed, e1, undefined, 'EADDRINUSE'],
    [renewed, byRoute, undefined, 'EADDRINUSE'],
    [unreturned, e1, undefined, 'EADDRINUSE'],
  ] as const) {
    const own = make()
    const { member: socket, asked, refusals } = own
    asked.splice(0)
    const handle = target.on?.handle
    const what = source === undefined ? 'join' : 'join for'
    refusals[`${what} ${handle}`] = code
    // The kernel refuses it until that is left.
    const { dropMembership } = socket.socket
    socket.socket.dropMembership = (...on) => {
      dropMembership(...on)
      delete refusals[`${what} ${handle}`]
    }
    const { how, joined } = socket.join(target, source)
    assert.equal(how, 'new')
    assert.deepEqual(
      asked.map(([call]) => call),
      [what, 'leave', what],
    )
    assert.deepEqual(asked[1], ['leave', '239.1.2.3', handle])
    // The room that it took is free again, and counts again once something else takes it.
    assert.equal(hasSpent(own), false)
    socket.leave(joined, [])
    assert.equal(hasSpent(own), true)
  }
})

test('nothing else is left to join', () => {
  const isRefused = { code: 'ERR_MULTICAST_JOIN' }
  for (const [why, target, make, code] of [
    ['nothing was lost', e1, () => member(), 'EADDRINUSE'],
    ['it is another refusal', e1, spent, 'EPERM'],
    ['several have the address', named('e1', '10.0.1.1', { others: ['e2'] }), spent, 'EADDRINUSE'],
  ] as const) {
    const { member: socket, asked, refusals } = make()
    refusals.join = code
    assert.throws(() => socket.join(target, undefined), isRefused, why)
    assert.deepEqual(
      asked.map(([call]) => call),
      ['join'],
      why,
    )
  }
  const own = spent()
  own.member.join(e1, '10.0.0.9')
  own.asked.splice(0)
  own.refusals.join = 'EADDRINUSE'
  assert.throws(() => own.member.join(e1, undefined), isRefused)
  assert.equal(own.asked.length, 1, 'another source is joined there')
  own.refusals['leave 10.0.0.1'] = 'EADDRNOTAVAIL'
  assert.throws(() => own.member.join(e0, undefined), isRefused)
  assert.deepEqual(own.asked.at(-1), ['leave', '239.1.2.3', '10.0.0.1'])
  own.refusals['join 10.0.9.1'] = 'ENOBUFS'
  assert.equal(hasSpent(own), true, 'what could not be left counts')
})

/** Has /proc tell who has joined: by name, the number of the sockets, in the order of the interfaces. */
function proc(t: TestContext): (users: Readonly<Record<string, number>> | undefined) => void {
  let text: string | undefined
  const genuine = fs.readFileSync
  t.mock.method(fs, 'readFileSync', (...args: Parameters<typeof fs.readFileSync>) => {
    if (args[0] !== '/proc/net/igmp') return genuine(...args)
    if (text === undefined) throw new Error('it cannot be read')
    return text
  })
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  return (users) => {
    if (users === undefined) {
      text = undefined
      return
    }
    const lines = Object.entries(users).map(
      ([name, count], at) =>
        `${at + 2}\t${name} :     1      V3\n\t\t\t\t030201EF     ${count} 0:0\n`,
    )
    text = `Idx\tDevice    : Count Querier\tGroup\n${lines.join('')}`
  }
}

test('by an address that interfaces share it is on the one that has one user more', {
  skip: process.platform !== 'linux',
}, (t) => {
  const tell = proc(t)
  const both = (others: string): Target => named('e0', '10.0.0.1', { others: [others] })
  for (const [before, after, name] of [
    [{ e0: 1, e1: 1 }, { e0: 1, e1: 2 }, 'e1'],
    [{ e0: 1, e1: 1 }, { e0: 2, e1: 1 }, 'e0'],
    [{}, { e1: 1 }, 'e1'],
    [{ e0: 1, e1: 1 }, { e0: 1, e1: 1 }, 'e0'],
  ] as [Record<string, number>, Record<string, number>, string][]) {
    const { member: socket, asked } = member({ createSocket: ofNode as never })
    const { addMembership } = socket.socket
    socket.socket.addMembership = (...on) => {
      addMembership(...on)
      tell(after)
    }
    tell(before)
    const { how, joined } = socket.join(both('e1'), undefined)
    assert.deepEqual([how, joined.membership], ['new', { interface: name }])
    assert.deepEqual(joined.on, { name, handle: '10.0.0.1', zone: name, others: ['e1'] })
    assert.equal(joined.by, '10.0.0.1')
    // By either name it is found again.
    assert.equal(socket.find(named('e1', '10.0.0.1', { others: ['e0'] }), undefined), joined)
    assert.equal(socket.find(named('e1', '10.0.0.2', { others: ['e0'] }), undefined), undefined)
    // A further source is no further user.
    tell(after)
    const further = socket.join(both('e1'), '10.0.0.9').joined
    assert.deepEqual(further.membership, { interface: name, source: '10.0.0.9' })
    assert.equal(asked.length, 2)
  }
})

test('what others join meanwhile, or a table that goes away, does not mislead it', {
  skip: process.platform !== 'linux',
}, (t) => {
  const tell = proc(t)
  for (const [target, after] of [
    [e0, { e0: 1, e1: 2 }],
    [named('e0', '10.0.0.1', { others: ['e1'] }), undefined],
  ] as const) {
    tell({ e0: 1, e1: 1 })
    const { member: socket } = member({ createSocket: ofNode as never })
    socket.socket.addMembership = () => tell(after)
    assert.deepEqual(socket.join(target, undefined).joined.membership, { interface: 'e0' })
  }
})

test('where the system does not tell which one is joined, joined anew is lost and renewed', () => {
  const { member: socket, asked } = member()
  const { joined } = socket.join(named('e0', '10.0.0.1', { others: ['e1'] }), undefined)
  const again = socket.join(named('e1', '10.0.0.1', { others: ['e0'] }), undefined)
  assert.deepEqual([again.how, again.joined], ['renewed', joined])
  assert.equal(asked.length, 2)
})

test('by an address that interfaces share, what is joined again elsewhere is undone', {
  skip: process.platform !== 'linux',
}, (t) => {
  const tell = proc(t)
  for (const [grows, how, left] of [
    ['e1', 'joined', 1],
    ['e0', 'renewed', 0],
  ] as const) {
    tell({})
    const { member: socket, asked } = member({ createSocket: ofNode as never })
    const { addMembership } = socket.socket
    let users: Record<string, number> = { e0: 1 }
    socket.socket.addMembership = (...on) => {
      addMembership(...on)
      tell(users)
    }
    const target = named('e0', '10.0.0.1', { others: ['e1'] })
    const { joined } = socket.join(target, undefined)
    users = { e0: 1, e1: 0, [grows]: 2 }
    asked.splice(0)
    const again = socket.join(target, undefined)
    assert.deepEqual([again.how, again.joined], [how, joined])
    assert.deepEqual(
      asked.filter(([call]) => call === 'leave'),
      Array(left).fill(['leave', '239.1.2.3', '10.0.0.1']),
    )
  }
})
