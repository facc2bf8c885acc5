import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bitsInCommon, parseAddresses } from '../../src/stack/link-address.js'

test('addresses tell how many bits they have in common', () => {
  for (const [one, other, bits] of [
    ['fd00::1', 'fd00::1', 128],
    ['fd00::1', 'fd00::2', 126],
    ['fd00::1', 'fd00::1:1', 111],
    ['fd00::1', '7d00::1', 0],
    ['fd00::1', 'fc00::1', 7],
    ['fd00::1', 'fd80::1', 8],
    ['10.0.0.1', '10.0.0.1', 32],
    ['10.0.0.1', '10.0.0.129', 24],
  ] as const) {
    const [first, second] = parseAddresses([one]).concat(parseAddresses([other]))
    assert.ok(first && second)
    assert.equal(bitsInCommon(first.packed, second.packed), bits, `${one} ${other}`)
    assert.equal(bitsInCommon(second.packed, first.packed), bits, `${other} ${one}`)
  }
})

test('an address is taken apart', () => {
  for (const [given, mask, broadcast] of [
    ['10.0.0.1/24', [255, 255, 255, 0], '10.0.0.255'],
    ['10.0.0.1', [255, 255, 255, 0], '10.0.0.255'],
    ['10.0.0.1/8', [255, 0, 0, 0], '10.255.255.255'],
    ['10.0.0.1/1', [128, 0, 0, 0], '127.255.255.255'],
    ['10.0.0.1/23', [255, 255, 254, 0], '10.0.1.255'],
    ['10.0.0.1/30', [255, 255, 255, 252], '10.0.0.3'],
    ['10.0.0.1/31', [255, 255, 255, 254], undefined],
    ['10.0.0.1/32', [255, 255, 255, 255], undefined],
    ['fd00::1/12', [255, 240, ...new Array(14).fill(0)], undefined],
    ['fd00::1', [...new Array(8).fill(255), ...new Array(8).fill(0)], undefined],
  ] as const) {
    const [address] = parseAddresses([given])
    assert.deepEqual([[...(address?.mask ?? [])], address?.broadcast], [mask, broadcast], given)
  }
})

test('what is no address is refused, and told', () => {
  for (const given of [
    '/10.0.0.1/24',
    '10.0.0.1/24/24',
    '%10.0.0.1',
    'x',
    '',
    null,
    undefined,
    5,
    ['10.0.0.1/24'],
  ]) {
    assert.throws(
      () => parseAddresses([given]),
      ({ code, message }: { code?: unknown; message: string }) => {
        assert.equal(code, 'ERR_MULTICAST_OPTION')
        assert.match(message, /^An interface's address must be one such as '10\.0\.0\.1\/24' or /)
        return true
      },
    )
  }
})

test('addresses of the two families have no subnet in common', () => {
  const addresses = parseAddresses(['a00::1/24', '10.0.0.1/24', '10.0.1.1/24', '10.0.0.2/24'])
  assert.deepEqual(
    addresses.map(({ address }) => address),
    ['10.0.0.1', '10.0.1.1', '10.0.0.2', 'a00::1'],
  )
})
