/** Programs that wait for nothing, on real sockets pinned to 127.0.0.1 and on the mock: the same is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Carrier, MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { keep } from './endpoints.js'

const where = { group: '239.255.29.72', interfaces: '127.0.0.1', codec: text } as const

/** The messages that a receiver hears up to `end`, and when it listens. */
function listen(port: number, carrier: Carrier): { told: string[]; ended: Promise<void> } {
  const receiver = keep(new MulticastReceiver({ ...where, port, ...carrier }))
  const told: string[] = []
  receiver.on('listening', () => told.push('listening'))
  const ended = new Promise<void>((resolve) => {
    receiver.on('message', (message) => {
      told.push(message)
      if (message === 'end') resolve()
    })
  })
  return { told, ended }
}

const programs: Record<string, (port: number, carrier: Carrier) => Promise<string[]>> = {
  'a sender that is ready before a receiver that nobody has waited for': async (port, carrier) => {
    const sender = keep(new MulticastSender({ ...where, port, ...carrier }))
    await sender.ready()
    const { told, ended } = listen(port, carrier)
    for (const message of ['first', 'second', 'third', 'end']) await sender.send(message)
    await ended
    return told
  },

  'a sender and a receiver that are opened at once': async (port, carrier) => {
    const sender = keep(new MulticastSender({ ...where, port, ...carrier }))
    const { told, ended } = listen(port, carrier)
    void sender.send('first')
    process.nextTick(() => void sender.send('on the next tick'))
    void Promise.resolve().then(() => sender.send('in a promise'))
    setImmediate(() => void sender.send('end'))
    await ended
    return told
  },

  'a receiver that is opened before the sender': async (port, carrier) => {
    const { told, ended } = listen(port, carrier)
    const sender = keep(new MulticastSender({ ...where, port, ...carrier }))
    void sender.send('first')
    await sender.send('end')
    await ended
    return told
  },
}

for (const [at, [name, program]] of Object.entries(programs).entries()) {
  test(`the same comes of ${name}`, async () => {
    const real = await program(10_060 + at, {})
    const mocked = await program(10_060 + at, new MockNetwork().host())
    assert.deepEqual(mocked, real)
  })
}

test('a forgotten ready() loses the first message', async () => {
  const [lossy] = Object.values(programs)
  const told = await lossy?.(10_063, new MockNetwork().host())
  assert.deepEqual(told, ['listening', 'second', 'third', 'end'])
})
