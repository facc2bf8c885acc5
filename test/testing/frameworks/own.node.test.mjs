import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { MockNetwork, refuseRealSockets } from 'typed-multicast/testing'

refuseRealSockets()
const network = new MockNetwork()
const [listening, announcing] = [network.host(), network.host()]
mock.module('node:dgram', { namedExports: announcing.dgram })
const { announce, expected, heard } = await import('./announcer.mjs')

test('an ES module that is imported has the module in the place of node:dgram', async () => {
  assert.deepEqual(await heard(listening, announce), expected)
})
