import { afterAll, expect, jest, test } from '@jest/globals'
import { MockNetwork, refuseRealSockets } from 'typed-multicast/testing'

const refusal = refuseRealSockets()
afterAll(() => refusal[Symbol.dispose]())
const network = new MockNetwork()
const [listening, announcing] = [network.host(), network.host()]
jest.unstable_mockModule('node:dgram', () => announcing.dgram)
const { announce, expected, heard } = await import('./announcer.mjs')

test('an ES module that is imported has the module in the place of node:dgram', async () => {
  expect(await heard(listening, announce)).toEqual(expected)
})
