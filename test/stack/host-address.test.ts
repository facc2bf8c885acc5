import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MulticastError } from '../../src/errors.js'
import { parseHost } from '../../src/stack/host-address.js'

test('the address of one host is taken in its canonical form', () => {
  for (const [given, address] of [
    ['10.0.0.2', '10.0.0.2'],
    ['127.0.0.1', '127.0.0.1'],
    ['fd00:0:0::2', 'fd00::2'],
    ['FD00::A', 'fd00::a'],
    ['::1', '::1'],
    ['fe80:0::2%eth0', 'fe80::2%eth0'],
    ['fe80::2%2', 'fe80::2%2'],
    ['fd00::2%eth0', 'fd00::2%eth0'],
  ]) {
    assert.equal(parseHost(given, 'A peer'), address)
  }
})

test('what is not the address of one host is refused, and the error says what it is', () => {
  for (const given of [
    ...[undefined, null, 5, {}, '', 'printer.local', '10.0.0', '10.0.0.2/24', '10.0.0.2:9'],
    ...['239.1.2.3', 'ff02::1', 'ff02::1%eth0', '0.0.0.0', '::', '255.255.255.255'],
    ...['::ffff:10.0.0.2', '10.0.0.2%eth0', 'fe80::2', 'fe80::2%', 'fd00::2%', 'febf::2'],
  ]) {
    assert.throws(
      () => parseHost(given, 'A peer'),
      (error) =>
        error instanceof MulticastError &&
        error.code === 'ERR_MULTICAST_OPTION' &&
        error.message.startsWith('A peer must be the unicast address of one host'),
      `${given}`,
    )
  }
})
