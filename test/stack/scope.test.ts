import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  familyOf,
  isLinkLocal,
  isMapped,
  isReserved,
  isWildcard,
  needsZone,
  staysOnHost,
  staysOnLink,
} from '../../src/stack/scope.js'

test('an address tells its family and how far it reaches', () => {
  for (const [address, ...told] of [
    ['10.0.0.1', 'IPv4'],
    ['224.0.0.1', 'IPv4', 'stays on link'],
    ['224.0.0.255', 'IPv4', 'stays on link'],
    ['224.0.1.0', 'IPv4'],
    ['239.224.0.0', 'IPv4'],
    ['0.0.0.0', 'IPv4', 'any'],
    ['::', 'IPv6', 'any'],
    ['::1', 'IPv6'],
    ['fd00::1', 'IPv6'],
    ['fe80::1', 'IPv6', 'link-local', 'needs a zone'],
    ['fe90::1', 'IPv6', 'link-local', 'needs a zone'],
    ['feaf::1', 'IPv6', 'link-local', 'needs a zone'],
    ['febf::1', 'IPv6', 'link-local', 'needs a zone'],
    ['fe70::1', 'IPv6'],
    ['fec0::1', 'IPv6'],
    ['fd00:fe80::1', 'IPv6'],
    ['fd00::fe80:1', 'IPv6'],
    ['ff00::7', 'IPv6', 'stays on host', 'reserved'],
    ['ff10::7', 'IPv6', 'stays on host', 'reserved'],
    ['ff05:ff00::1', 'IPv6'],
    ['ff01::7', 'IPv6', 'stays on link', 'stays on host', 'needs a zone'],
    ['ff11::7', 'IPv6', 'stays on link', 'stays on host', 'needs a zone'],
    ['ff02::7', 'IPv6', 'stays on link', 'needs a zone'],
    ['ff32::7', 'IPv6', 'stays on link', 'needs a zone'],
    ['ff03::7', 'IPv6'],
    ['ff05::7', 'IPv6'],
    ['ff0e::7', 'IPv6'],
    ['ff05::ff02:1', 'IPv6'],
    ['ff05:ff02::1', 'IPv6'],
    ['ff05:ff01::1', 'IPv6'],
    ['::ffff:10.0.0.1', 'IPv6', 'mapped'],
    ['::ffff:a00:1', 'IPv6'],
    ['::10.0.0.1', 'IPv6'],
  ] as const) {
    const reach = {
      'link-local': isLinkLocal,
      'stays on link': staysOnLink,
      'stays on host': staysOnHost,
      reserved: isReserved,
      'needs a zone': needsZone,
      mapped: isMapped,
      any: isWildcard,
    }
    const is = Object.entries(reach).filter(([, test]) => test(address))
    assert.deepEqual([familyOf(address), ...is.map(([name]) => name)], told, address)
  }
})
