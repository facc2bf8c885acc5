/** Sockets of the running Node and of the mock, side by side, for the tests that compare them. */
import dgram, { type Socket } from 'node:dgram'
import { afterEach } from 'node:test'
import { MockNetwork } from '../../src/testing/index.js'

export const host = () => new MockNetwork().host()
/** Node's own module, and what stands in its place: nothing here is sent to anywhere but 127.0.0.1. */
export const modules = { node: kept(dgram), mock: kept(host().dgram) }

const made: Socket[] = []

/** The same, with sockets that are closed after the test that made them. */
function kept(module: Pick<typeof dgram, 'createSocket' | 'Socket'>) {
  const createSocket = (...args: Parameters<typeof dgram.createSocket>): Socket => {
    const socket = module.createSocket(...args)
    made.push(socket)
    return socket
  }
  return { createSocket: createSocket as typeof dgram.createSocket }
}

afterEach(async () => {
  await Promise.all(made.splice(0).map((socket) => socket[Symbol.asyncDispose]()))
})
