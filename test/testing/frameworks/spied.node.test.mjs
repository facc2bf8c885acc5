import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import os from 'node:os'
import { mock, test } from 'node:test'
import { Bonjour } from 'bonjour-service'
import { MockNetwork, refuseRealSockets } from 'typed-multicast/testing'
import { browse } from './finding.js'

refuseRealSockets()

test('a library calls the function that replaces createSocket', async () => {
  const network = new MockNetwork()
  const [office, laptop] = [network.host(), network.host()]
  const on = (host) => () => {
    mock.method(dgram, 'createSocket', host.createSocket)
    mock.method(os, 'networkInterfaces', host.networkInterfaces)
    return new Bonjour()
  }
  const { addresses } = await browse(on(office), on(laptop))
  assert.ok(addresses.includes(office.address))
})
