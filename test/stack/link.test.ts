import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLink, describe } from '../../src/stack/link.js'
import { parseAddresses } from '../../src/stack/link-address.js'

test('a link is up, and loopback is what is called lo', () => {
  const addresses = parseAddresses(['10.0.0.1'])
  const shared = { addresses, isUp: true }
  const [lo, eth0] = [createLink('lo', 1, addresses), createLink('eth0', 2, addresses)]
  assert.deepEqual(lo, { name: 'lo', index: 1, isLoopback: true, ...shared })
  assert.deepEqual(eth0, { name: 'eth0', index: 2, isLoopback: false, ...shared })
})

test('a hardware address has all of the number of its host, and of the index of its link', () => {
  const links = [createLink('eth0', 0x0cef, parseAddresses(['10.0.0.1']))]
  assert.equal(describe(links, 0x1aab).eth0?.[0]?.mac, '02:00:1a:ab:0c:ef')
})
