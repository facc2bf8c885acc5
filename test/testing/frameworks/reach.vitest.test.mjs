// What docs/testing.md says of vitest's mocks of modules. inline.config.mjs has vitest load multicast-dns;
// bonjour-service is loaded by Node, and so is the multicast-dns that it requires.
import { createSocket } from 'node:dgram'
import { createRequire } from 'node:module'
import { MockNetwork, refuseRealSockets } from 'typed-multicast/testing'
import { expect, test, vi } from 'vitest'

const mocked = vi.hoisted(() => ({ sockets: 0 }))
const dgram = vi.hoisted(() => () => {
  const createSocket = () => {
    mocked.sockets += 1
    return mocked.host.createSocket('udp4')
  }
  return { createSocket, default: { createSocket } }
})
vi.mock('node:dgram', dgram)
vi.mock('dgram', dgram)
refuseRealSockets()

const require = createRequire(import.meta.url)
const isLoadedByNode = (name) => require.resolve(name) in require.cache

test('vi.mock reaches this file, and no library that is CommonJS', async () => {
  mocked.host = new MockNetwork().host()
  createSocket('udp4').close()
  expect(mocked.sockets).toBe(1)

  const refusal = expect.objectContaining({ code: 'ERR_MULTICAST_REAL_SOCKET' })
  const { default: mdns } = await import('multicast-dns')
  expect(isLoadedByNode('multicast-dns')).toBe(false)
  expect(() => mdns()).toThrow(refusal)

  const { Bonjour } = await import('bonjour-service')
  expect(isLoadedByNode('bonjour-service')).toBe(true)
  expect(() => new Bonjour()).toThrow(refusal)
  expect(mocked.sockets).toBe(1)
})
