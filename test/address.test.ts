import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupAddress, parseGroup, parseSource, parseUnicast, splitZone } from '../src/address.js'

const group = parseGroup('239.1.2.3')
const group6 = parseGroup('ff02::1')

test('a group is parsed to its canonical form, its family, its zone and its scope', () => {
  const cases = {
    '224.0.0.0': ['224.0.0.0', 'IPv4', undefined, false],
    '239.255.255.255': ['239.255.255.255', 'IPv4', undefined, false],
    'FF02:0::1': ['ff02::1', 'IPv6', undefined, true],
    'ff02::1%eth0': ['ff02::1', 'IPv6', 'eth0', true],
    'ff12::1': ['ff12::1', 'IPv6', undefined, true],
    'ff01::1': ['ff01::1', 'IPv6', undefined, true],
    'ff05::1:3': ['ff05::1:3', 'IPv6', undefined, false],
    'ff0e::1.2.3.4': ['ff0e::102:304', 'IPv6', undefined, false],
  }
  for (const [given, expected] of Object.entries(cases)) {
    const { address, family, zone, scoped } = parseGroup(given)
    assert.deepEqual([address, family, zone, scoped], expected, given)
  }
})

test('what is no multicast address is refused, with the value and what would do', () => {
  const wrong = [
    ...[
      '',
      'x',
      '223.255.255.255',
      '240.0.0.0',
      '192.0.2.1',
      '224.1',
      '224.0.0.1%eth0',
      ' 224.0.0.1',
    ],
    ...['fe80::1', '::', 'ff2::1', 'ff02::1%', 'ff02::1::', 'localhost', '0xe0000001'],
    ...['2001:db8:ff02::1', '%eth0'],
    ...[undefined, null, 224, {}, ['224.0.0.1'], Symbol('group')],
  ]
  for (const given of wrong) {
    assert.throws(() => parseGroup(given), {
      name: 'MulticastError',
      code: 'ERR_MULTICAST_GROUP',
      message: /224\.0\.0\.0 to 239\.255\.255\.255/,
    })
  }
  assert.throws(() => parseGroup('10.0.0.1'), /'10\.0\.0\.1'/)
})

test('a source is a unicast address of the family, as RemoteInfo writes it', () => {
  assert.equal(parseSource('192.0.2.7', group), '192.0.2.7')
  assert.equal(parseSource('FE80:0::7%eth0', group6), 'fe80::7%eth0')
  assert.equal(parseSource('2001:DB8:0::1', group6), '2001:db8::1')
  assert.equal(parseSource('2001:db8:ff02::1', group6), '2001:db8:ff02::1')
  for (const wrong of [
    'fe80::1',
    '224.0.0.1',
    '192.0.2.7%eth0',
    '0.0.0.0',
    '255.255.255.255',
    'x',
    '',
    undefined,
    7,
  ]) {
    assert.throws(() => parseSource(wrong, group), { code: 'ERR_MULTICAST_SOURCE' })
  }
  for (const wrong of ['192.0.2.7', 'ff02::1', 'fe80::1%', '::']) {
    assert.throws(() => parseSource(wrong, group6), { code: 'ERR_MULTICAST_SOURCE' })
  }
})

test('an address to bind to may be the wildcard', () => {
  assert.equal(parseUnicast('0.0.0.0', group, 'localAddress'), '0.0.0.0')
  assert.equal(parseUnicast('::', group6, 'localAddress'), '::')
  assert.throws(() => parseUnicast('::', group, 'localAddress'), {
    code: 'ERR_MULTICAST_OPTION',
    message: /localAddress must be a unicast IPv4 address/,
  })
})

test('only a group that differs from link to link is bound and sent to with a zone', () => {
  const on = { zone: 'eth0' }
  assert.equal(groupAddress(group6, on), 'ff02::1%eth0')
  assert.equal(groupAddress(group6, undefined), 'ff02::1')
  assert.equal(groupAddress(parseGroup('ff05::1%eth0'), on), 'ff05::1')
  assert.equal(groupAddress(group, on), '239.1.2.3')
})

test('the zone is what stands behind the first %, and may be the whole or nothing', () => {
  const cases = {
    'fe80::1': ['fe80::1'],
    'fe80::1%eth0': ['fe80::1', 'eth0'],
    'fe80::1%a%b': ['fe80::1', 'a%b'],
    'fe80::1%': ['fe80::1', ''],
    '%eth0': ['', 'eth0'],
    '': [''],
  }
  for (const [given, expected] of Object.entries(cases)) {
    assert.deepEqual(splitZone(given), expected, given)
  }
})
