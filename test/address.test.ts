import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import {
  findInterface,
  groupAddress,
  listInterfaces,
  type NetworkInterfaces,
  parseGroup,
  parseSource,
  parseUnicast,
} from '../src/address.js'

const group = parseGroup('239.1.2.3')
const group6 = parseGroup('ff02::1')

const v4 = (address: string): NetworkInterfaceInfo => ({
  address,
  netmask: '255.255.255.0',
  family: 'IPv4',
  mac: '00:00:00:00:00:00',
  internal: false,
  cidr: `${address}/24`,
})
const v6 = (address: string, scopeid = 0): NetworkInterfaceInfo => ({
  address,
  netmask: 'ffff:ffff:ffff:ffff::',
  family: 'IPv6',
  mac: '00:00:00:00:00:00',
  internal: false,
  cidr: `${address}/64`,
  scopeid,
})

const table: NetworkInterfaces = {
  lo: [v4('127.0.0.1'), v6('::1')],
  eth0: [v4('192.0.2.7'), v4('192.0.2.8'), v6('2001:db8::7'), v6('fe80::7', 2)],
  'eth0:1': [v4('192.0.2.9')],
  tun0: [v4('198.51.100.1')],
}

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
  for (const wrong of ['fe80::1', '224.0.0.1', '192.0.2.7%eth0', 'x', '', undefined, 7]) {
    assert.throws(() => parseSource(wrong, group), { code: 'ERR_MULTICAST_SOURCE' })
  }
  for (const wrong of ['192.0.2.7', 'ff02::1', 'fe80::1%']) {
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

test('interfaces are listed once each, with what node:dgram takes for them', () => {
  assert.deepEqual(listInterfaces(table, group), [
    { name: 'lo', handle: '127.0.0.1', zone: 'lo' },
    { name: 'eth0', handle: '192.0.2.7', zone: 'eth0' },
    ...(process.platform === 'linux'
      ? []
      : [{ name: 'eth0:1', handle: '192.0.2.9', zone: 'eth0:1' }]),
    { name: 'tun0', handle: '198.51.100.1', zone: 'tun0' },
  ])
  assert.deepEqual(
    listInterfaces(table, group6).map(({ name }) => name),
    ['lo', 'eth0'],
  )
})

test('an interface is found by its name, by each of its addresses and by its IPv6 zone', () => {
  for (const wanted of ['eth0', '192.0.2.7', '192.0.2.8']) {
    assert.equal(findInterface(table, group, wanted, 'interface').name, 'eth0', wanted)
  }
  for (const wanted of [
    'eth0',
    'fe80::7',
    'FE80:0::7',
    'fe80::7%eth0',
    '::%eth0',
    '2',
    '192.0.2.8',
  ]) {
    assert.equal(findInterface(table, group6, wanted, 'interface').name, 'eth0', wanted)
  }
})

test("Linux's label of an address is the interface that has it", {
  skip: process.platform !== 'linux' && 'only Linux lists labels',
}, () => {
  for (const wanted of ['eth0:1', '192.0.2.9']) {
    assert.equal(findInterface(table, group, wanted, 'interface').name, 'eth0', wanted)
  }
})

test('an unknown interface is refused with those that exist', () => {
  for (const wanted of ['eth1', '192.0.2.1', 'fe80::7%lo', '0', '', undefined, 7, 'toString']) {
    assert.throws(() => findInterface(table, group, wanted, 'interface'), {
      code: 'ERR_MULTICAST_INTERFACE',
      message:
        /lo \(127\.0\.0\.1\), eth0 \(192\.0\.2\.7, 192\.0\.2\.8.*\), .*tun0 \(198\.51\.100\.1\)$/,
    })
  }
  assert.throws(() => findInterface({}, group, 'lo', 'interface'), /there are: none$/)
})

test('an interface without an address of the family says so', () => {
  assert.throws(() => findInterface(table, group6, 'tun0', 'interface'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /'tun0', which has no IPv6 address\. With IPv6 there are: lo \(::1\), eth0/,
  })
})

test('only a group that differs from link to link is bound and sent to with a zone', () => {
  const on = findInterface(table, group6, 'eth0', 'interface')
  assert.equal(groupAddress(group6, on), 'ff02::1%eth0')
  assert.equal(groupAddress(group6, undefined), 'ff02::1')
  assert.equal(groupAddress(parseGroup('ff05::1%eth0'), on), 'ff05::1')
  assert.equal(groupAddress(group, on), '239.1.2.3')
})
