import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseGroup } from '../src/address.js'
import { findInterface, listInterfaces, type NetworkInterfaces } from '../src/interfaces.js'
import { v4, v6 } from './addresses.js'

const group = parseGroup('239.1.2.3')
const group6 = parseGroup('ff02::1')

const table: NetworkInterfaces = {
  lo: [v4('127.0.0.1'), v6('::1')],
  eth0: [v4('192.0.2.7'), v4('192.0.2.8'), v6('2001:db8::7'), v6('fe80::7', 2)],
  'eth0:1': [v4('192.0.2.9')],
  tun0: [v4('198.51.100.1')],
}

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
