/** What looks at the interfaces, and carriers that watch them, let an endpoint know: see watch.test.ts for the rest. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os, { type NetworkInterfaceInfo } from 'node:os'
import { type TestContext, test } from 'node:test'
import createDebug from 'debug'
import { interfaceLister } from '../src/interfaces.js'
import { type Sight, watch } from '../src/watch.js'
import { v4, v6 } from './addresses.js'
import { withheld } from './looks.js'

type List = NodeJS.Dict<NetworkInterfaceInfo[]>

const debug = createDebug('typed-multicast:test')
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What is seen where nothing has changed. */
const nothing: Sight = {
  isNew: false,
  lost: undefined,
  isCounted: false,
  isJoinedNew: false,
  returned: [],
}

/** An endpoint that follows a table, what it sees, and the next look. */
function looking(t: TestContext, list: () => List) {
  const waiting = withheld(t)
  const seen: Sight[] = []
  const watched = { networkInterfaces: interfaceLister(list, 'x'), watchInterfaces: undefined }
  const follow = (seen: Sight[]) =>
    watch(watched, debug, (sight) => {
      seen.push(sight)
      return () => {}
    })
  const stop = follow(seen)
  const look = (): Sight => {
    waiting.shift()?.fire()
    return seen.at(-1) ?? assert.fail('nothing was seen')
  }
  return { look, seen, stop, waiting, follow, watched }
}

const hardware = (info: NetworkInterfaceInfo, mac: string): NetworkInterfaceInfo => ({
  ...info,
  mac,
})

test('a look comes every two seconds, for as long as somebody follows', (t) => {
  const list = () => ({ eth0: [v4('10.0.0.1')] })
  const { look, seen, stop, waiting, watched } = looking(t, list)
  look()
  assert.deepEqual(
    waiting.map(({ milliseconds }) => milliseconds),
    [2000],
  )
  const others: string[] = []
  const stopOther = watch(watched, debug, () => {
    others.push('told')
    return () => others.push('finished')
  })
  assert.equal(waiting.length, 1, 'one look is enough for both')
  look()
  assert.deepEqual([seen.length, others], [2, ['told', 'finished']])
  stop()
  look()
  assert.deepEqual([seen.length, others.length], [2, 4])
  stopOther()
  waiting.shift()?.fire()
  assert.deepEqual([others.length, waiting.length], [4, 0])
  // From then on it is another one.
  const again = looking(t, list)
  again.look()
  assert.equal(again.seen.length, 1)
})

test('all are told of a look before any of them goes on', (t) => {
  const { look, watched } = looking(t, () => ({}))
  const order: string[] = []
  for (const name of ['a', 'b']) {
    watch(watched, debug, () => {
      order.push(name)
      return () => order.push(name.toUpperCase())
    })
  }
  look()
  assert.deepEqual(order, ['a', 'b', 'A', 'B'])
})

test('a change is seen at the look that finds it and the one after', (t) => {
  const table: List = { eth0: [v4('10.0.0.1'), v6('fe80::1', 2)] }
  const { look } = looking(t, () => table)
  const isNew = () => [look().isNew, look().isNew, look().isNew]
  assert.deepEqual(look(), nothing)
  for (const [what, change] of [
    ['an address', () => ({ eth0: [v4('10.0.0.2'), v6('fe80::1', 2)] })],
    [
      'hardware',
      () => ({ eth0: [hardware(v4('10.0.0.2'), '02:00:00:00:00:01'), v6('fe80::1', 2)] }),
    ],
    [
      'a number',
      () => ({ eth0: [hardware(v4('10.0.0.2'), '02:00:00:00:00:01'), v6('fe80::1', 3)] }),
    ],
    ['a name', () => ({ eth1: [hardware(v4('10.0.0.2'), '02:00:00:00:00:01'), v6('fe80::1', 3)] })],
    ['nothing left', () => ({})],
    ['an interface without addresses', () => ({ eth2: undefined })],
  ] as [string, () => List][]) {
    for (const name of Object.keys(table)) delete table[name]
    Object.assign(table, change())
    assert.deepEqual(isNew(), [true, true, false], what)
  }
  assert.deepEqual(look(), nothing)
})

test('what has come or was made anew has returned, one family alone too', (t) => {
  let table: List = { lo: [v4('127.0.0.1')], 'eth0:1': [v4('10.0.0.9')], eth0: [v4('10.0.0.1')] }
  const { look } = looking(t, () => table)
  const returned = (now: List): readonly string[] => {
    table = now
    const sight = look()
    assert.deepEqual(look().returned, [])
    return sight.returned
  }
  const { lo } = table
  assert.deepEqual(returned({ lo, eth0: [v4('10.0.0.2')] }), [])
  assert.deepEqual(returned({ lo, eth0: [v4('10.0.0.2'), v6('fe80::1', 2), v6('fd00::1')] }), [
    'eth0',
  ])
  assert.deepEqual(returned({ lo, eth0: [v4('10.0.0.2')] }), [])
  assert.deepEqual(returned({ lo }), [])
  assert.deepEqual(returned({ lo, eth0: [v4('10.0.0.2')], eth1: [v4('10.1.0.2')] }), [
    'eth0',
    'eth1',
  ])
  const anew = [hardware(v4('10.0.0.2'), '02:00:00:00:00:01')]
  assert.deepEqual(returned({ lo, eth0: anew }), ['eth0'])
  if (process.platform === 'linux') {
    assert.deepEqual(returned({ lo, 'eth3:1': [v4('10.3.0.2')], eth0: anew }), ['eth3'])
  }
})

test('after a sleep all interfaces have returned', (t) => {
  const table: List = { lo: [v4('127.0.0.1')], eth0: [v4('10.0.0.1'), v6('fe80::1', 2)] }
  let asleep = 0
  const uptime = os.uptime.bind(os)
  t.mock.method(os, 'uptime', () => {
    if (Number.isNaN(asleep)) throw new Error('not allowed')
    return uptime() + asleep
  })
  let isReadable = true
  const { look } = looking(t, () => (isReadable ? table : assert.fail('EMFILE')))
  assert.deepEqual(look().returned, [])
  // The clocks of a machine do not go quite alike.
  asleep += 9
  assert.deepEqual(look().returned, [])
  asleep += 11
  assert.deepEqual(look().returned, ['lo', 'eth0'])
  assert.deepEqual(look().returned, [])
  asleep += 11
  isReadable = false
  assert.deepEqual(look().returned, [])
  isReadable = true
  // Nor has it slept where the process was busy for so long.
  asleep += 20
  const busy = process.uptime.bind(process)
  t.mock.method(process, 'uptime', () => busy() + 20)
  assert.deepEqual(look().returned, [])
})

test('a clock that must not be asked tells of no sleep', (t) => {
  t.mock.method(os, 'uptime', () => {
    throw new Error('not allowed')
  })
  const { look } = looking(t, () => ({ eth0: [v4('10.0.0.1')] }))
  assert.deepEqual(look().returned, [])
  assert.deepEqual(look().returned, [])
})

test('a table that cannot be read is as it was, until it can be', (t) => {
  let table: List | undefined = { eth0: [v4('10.0.0.1')] }
  const { look } = looking(t, () => table ?? assert.fail('EMFILE'))
  look()
  table = undefined
  assert.deepEqual(look(), nothing)
  table = { eth0: [v4('10.0.0.1')] }
  assert.deepEqual(look(), nothing)
})

test('what cannot be read at first is no change once it can be, and has returned', (t) => {
  let table: List | undefined
  const { look } = looking(t, () => table ?? assert.fail('EMFILE'))
  assert.equal(look().isNew, false)
  table = { eth0: [v4('10.0.0.1')] }
  const { isNew, returned } = look()
  assert.deepEqual([isNew, returned], [false, ['eth0']])
})

test("over node:dgram the host's memberships are looked at too", {
  skip: process.platform !== 'linux',
}, (t) => {
  const table: List = { eth0: [v4('10.0.0.1')] }
  let text = ''
  const genuine = fs.readFileSync
  t.mock.method(fs, 'readFileSync', (...args: Parameters<typeof fs.readFileSync>) =>
    String(args[0]).startsWith('/proc/net/igmp') ? text : genuine(...args),
  )
  t.mock.method(os, 'networkInterfaces', () => table)
  // Looking has a price, and is not done each time where it is dear.
  let passed = process.uptime()
  t.mock.method(process, 'uptime', () => {
    passed += 60
    return passed
  })
  t.mock.method(os, 'uptime', () => passed)
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  const joined = (number: number, groups: string[]) =>
    `Idx\tDevice\n${number}\teth0      :     1      V3\n${groups.map((one) => `\t\t\t\t${one}     1 0:0\n`).join('')}`
  text = joined(2, ['010000E0'])
  const { look, stop, waiting } = looking(t, os.networkInterfaces)
  look()
  const seen = () => {
    const { isNew, isCounted, isJoinedNew } = look()
    return { isNew, isCounted, isJoinedNew }
  }
  assert.deepEqual(seen(), { isNew: false, isCounted: true, isJoinedNew: false })
  text = joined(2, ['010000E0', '030201EF'])
  assert.deepEqual(seen(), { isNew: false, isCounted: true, isJoinedNew: true })
  assert.deepEqual(seen(), { isNew: false, isCounted: true, isJoinedNew: false })
  // One that was made anew between two looks may have the name and the addresses of the old.
  text = joined(3, ['010000E0'])
  assert.deepEqual(seen(), { isNew: true, isCounted: true, isJoinedNew: true })
  assert.deepEqual(seen(), { isNew: true, isCounted: true, isJoinedNew: false })
  assert.deepEqual(seen(), { isNew: false, isCounted: true, isJoinedNew: false })
  stop()
  waiting.shift()?.fire()
})

/** A carrier that watches, what it lets know, and the table. */
function told(t: TestContext) {
  const waiting = withheld(t)
  const state = { table: { eth0: [v4('10.0.0.1')] } as List, seen: [] as Sight[], finished: 0 }
  let onChange: (lost: unknown) => void = () => assert.fail()
  const networkInterfaces = interfaceLister(() => {
    state.table = { ...state.table }
    return state.table
  }, 'x')
  const stop = watch(
    {
      networkInterfaces,
      watchInterfaces(change) {
        onChange = change as typeof onChange
        return () => {}
      },
    },
    debug,
    (sight) => {
      state.seen.push(sight)
      return () => {
        state.finished += 1
      }
    },
  )
  return { state, change: (lost?: unknown) => onChange(lost), stop, waiting }
}

test('a change that a carrier tells of is acted on at once, with the names that it says are lost', (t) => {
  const { state, change } = told(t)
  for (const [lost, names] of [
    [[], []],
    [['eth0'], ['eth0']],
    [['eth1', 7, null, 'eth1', Object.create(null)], ['eth1']],
    [undefined, undefined],
    ['eth0', undefined],
    // Nobody knew a moment ago: it is over, once that has been told.
    [['eth2'], ['eth2']],
  ] as const) {
    change(lost)
    const expected = {
      isNew: true,
      lost: names,
      isCounted: false,
      isJoinedNew: false,
      returned: [],
    }
    assert.deepEqual(state.seen.pop(), expected)
  }
  assert.equal(state.finished, 6)
  state.table = { ...state.table, eth1: [v4('10.1.0.1')] }
  change([])
  assert.deepEqual(state.seen.pop()?.returned, ['eth1'])
})

test('of a thousand changes in one turn all are acted on, and of what is beyond one, a turn later', (t) => {
  const { state, change, waiting } = told(t)
  for (let changes = 0; changes < 1000; changes += 1) change([])
  assert.equal(state.seen.length, 1000)
  assert.deepEqual(
    waiting.map(({ milliseconds }) => milliseconds),
    [0],
  )
  waiting.shift()?.fire()
  assert.equal(state.seen.length, 1000, 'nothing is left to do')
  // From then on a thousand more.
  for (let changes = 0; changes < 1000; changes += 1) change([])
  assert.equal(state.seen.length, 2000)
  change(['eth0'])
  change(['eth1', 'eth0'])
  assert.equal(state.seen.length, 2000)
  waiting.shift()?.fire()
  assert.equal(state.seen.length, 2001)
  assert.deepEqual(state.seen.at(-1)?.lost, ['eth0', 'eth1'])
  assert.equal(waiting.length, 0)
})

test('where nobody knows once what is lost, nobody does until it is told', (t) => {
  const { state, change, waiting } = told(t)
  for (let changes = 0; changes < 1000; changes += 1) change([])
  for (const lost of [['eth0'], undefined, ['eth1']]) change(lost)
  waiting.shift()?.fire()
  assert.equal(state.seen.at(-1)?.lost, undefined)
  change(['eth2'])
  assert.deepEqual(state.seen.at(-1)?.lost, ['eth2'])
})

test('what is left to do is not done any more after the end', (t) => {
  const { state, change, stop, waiting } = told(t)
  for (let changes = 0; changes < 1001; changes += 1) change([])
  stop()
  waiting.shift()?.fire()
  change([])
  assert.equal(state.seen.length, 1000)
  assert.equal(waiting.length, 0)
})

test('a carrier that tells while its table is read is not heard', async (t) => {
  const waiting = withheld(t)
  const seen: Sight[] = []
  let change: (lost: readonly string[]) => void = () => {}
  const list = () => {
    change([])
    return { eth0: [v4('10.0.0.1')] }
  }
  watch(
    {
      networkInterfaces: interfaceLister(list, 'x'),
      watchInterfaces(onChange) {
        change = onChange
        return () => {}
      },
    },
    debug,
    (sight) => {
      seen.push(sight)
      return () => {}
    },
  )
  change([])
  await turn()
  assert.deepEqual([seen.length, waiting.length], [1, 1])
})
