import { MockNetwork, refuseRealSockets } from 'typed-multicast/testing'
import { expect, test, vi } from 'vitest'
import { announce, expected, heard } from './announcer.mjs'

refuseRealSockets()
vi.mock('node:dgram', () => ({ createSocket: (...args) => announcing.createSocket(...args) }))
const network = new MockNetwork()
const [listening, announcing] = [network.host(), network.host()]

test('an ES module that is imported has the module in the place of node:dgram', async () => {
  expect(await heard(listening, announce)).toEqual(expected)
})
