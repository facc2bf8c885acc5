import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linux } from '../../src/stack/platform.js'

test('a free port is one of those that Linux picks from unless it is told otherwise', () => {
  // net.ipv4.ip_local_port_range, as the kernel documents its default.
  assert.deepEqual(linux.freePorts, { first: 32_768, last: 60_999 })
})
