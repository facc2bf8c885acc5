import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Segments } from '../../src/testing/segments.js'

const isFull = { code: 'ERR_MULTICAST_OPTION' }

test('a segment has addresses for 65,534 interfaces', () => {
  const segments = new Segments()
  const all = Array.from({ length: 65_534 }, () => segments.addressesOn('lan'))
  assert.equal(new Set(all.flat()).size, 3 * 65_534)
  for (const [at, addresses] of [
    [0x0f, ['10.0.0.15/16', 'fd00:0::f/64', 'fe80::f/64']],
    [0x80, ['10.0.0.128/16', 'fd00:0::80/64', 'fe80::80/64']],
    [0xfffe, ['10.0.255.254/16', 'fd00:0::fffe/64', 'fe80::fffe/64']],
  ] as const) {
    assert.deepEqual(all[at - 1], addresses)
  }
  assert.throws(() => segments.addressesOn('lan'), isFull)
})

test('there are addresses for 256 segments', () => {
  const segments = new Segments()
  const all = Array.from({ length: 256 }, (_, net) => segments.addressesOn(`${net}`))
  assert.deepEqual(all[0x8f], ['10.143.0.1/16', 'fd00:8f::1/64', 'fe80::1/64'])
  assert.deepEqual(all[0xff], ['10.255.0.1/16', 'fd00:ff::1/64', 'fe80::1/64'])
  assert.throws(() => segments.addressesOn('another'), isFull)
})

test('what is reached from a segment comes in the order of its distance, and of the routers', () => {
  const segments = new Segments()
  segments.connect(['a', 'b'])
  segments.connect(['a', 'c'])
  segments.connect(['b', 'd'])
  const reached = [
    ['a', 0],
    ['b', 1],
    ['c', 1],
    ['d', 2],
  ]
  assert.deepEqual([...segments.from('a')], reached)
  // It is worked out once, until there is another router.
  assert.equal(segments.from('a'), segments.from('a'))
  segments.connect(['d', 'e'])
  assert.deepEqual([...segments.from('a')], [...reached, ['e', 3]])
})
