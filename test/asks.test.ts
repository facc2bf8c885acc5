import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Asks } from '../src/asks.js'
import type { Wanted } from '../src/wanted.js'

/** By its address an interface is the same. */
const nameOf = (wanted: string): string | undefined => (wanted === '10.0.0.1' ? 'e0' : wanted)

function asksFor(...all: readonly (readonly [Wanted, (string | undefined)[]?])[]): Asks {
  const asks = new Asks()
  for (const [wanted, sources] of all) asks.add(wanted, sources, nameOf)
  return asks
}

const listed = (asks: Asks) => asks.all.map(({ wanted, source }) => [wanted, source])

/** Whether what is asked for on `'all'` for a source is asked for on an interface by hand alone. */
function isExcepted(asks: Asks, name: string, source?: string): boolean {
  const ask = asks.all.find((one) => one.wanted === 'all' && one.source === source)
  assert.ok(ask)
  return asks.isExcepted(ask, name)
}

test('what is asked for is each interface for each source, once', () => {
  assert.deepEqual(listed(asksFor(['all'])), [['all', undefined]])
  assert.deepEqual(listed(asksFor(['default', ['a', 'b']])), [
    ['default', 'a'],
    ['default', 'b'],
  ])
  const asks = asksFor([['e0', 'e1'], ['a']], [['e1'], ['a', 'b']])
  assert.deepEqual(listed(asks), [
    ['e0', 'a'],
    ['e1', 'a'],
    ['e1', 'b'],
  ])
  for (const { told } of asks.all) assert.equal(told.size, 0)
})

test('what is withdrawn is asked for no more', () => {
  const asks = asksFor([['e0', 'e1', 'e2']])
  const [first, , third] = asks.all
  assert.ok(first && third)
  asks.withdraw([first, third])
  assert.deepEqual(listed(asks), [['e1', undefined]])
})

test("what was left by hand is asked for by 'all' no more, there and for that source", () => {
  const asks = asksFor(['all', ['a', 'b']], [['e0'], ['a']])
  asks.except('e0', 'a')
  assert.equal(isExcepted(asks, 'e0', 'a'), true)
  assert.equal(isExcepted(asks, 'e0', 'b'), false)
  assert.equal(isExcepted(asks, 'e1', 'a'), false)
  // Named, it is asked for there all the same.
  const named = asks.all.find(({ wanted }) => wanted === 'e0')
  assert.ok(named)
  assert.equal(asks.isExcepted(named, 'e0'), false)
  // Without a source, for each.
  asks.except('e1', undefined)
  assert.equal(isExcepted(asks, 'e1', 'a'), true)
  assert.equal(isExcepted(asks, 'e1', 'b'), true)
  assert.equal(isExcepted(asks, 'e0', 'b'), false)
})

test("what was left for every sender is no exception where 'all' does not ask for it", () => {
  const asks = asksFor([['e0']])
  asks.except('e0', undefined)
  asks.add('all', undefined, nameOf)
  assert.equal(isExcepted(asks, 'e0'), false)
})

test('asked for again it is joined again: by name, by address, or with all others', () => {
  for (const [wanted, there, elsewhere] of [
    [['e0'], false, true],
    [['10.0.0.1'], false, true],
    [['e2', 'e0'], false, true],
    [['e2'], true, true],
    ['all', false, false],
  ] as const) {
    const asks = asksFor(['all', ['a']])
    asks.except('e0', 'a')
    asks.except('e1', 'a')
    asks.add(wanted, ['b'], nameOf)
    assert.equal(isExcepted(asks, 'e0', 'a'), true, `${wanted} for another source`)
    asks.add(wanted, ['a'], nameOf)
    assert.equal(isExcepted(asks, 'e0', 'a'), there, `${wanted}`)
    assert.equal(isExcepted(asks, 'e1', 'a'), elsewhere, `${wanted}`)
  }
  // Also where it is not there to be looked up.
  const asks = asksFor(['all'])
  asks.except('e0', undefined)
  asks.add(['e0'], undefined, () => undefined)
  assert.equal(isExcepted(asks, 'e0'), false)
})
