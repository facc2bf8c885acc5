import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { MulticastReceiver, MulticastSender } from '../../src/index.js'
import { Struct, StructError } from '../../src/struct/index.js'
import { threshold } from '../../src/struct/struct.js'
import { group, keep } from '../loopback.js'

test('a Struct is a codec, and a datagram of another length is malformed', async () => {
  const codec = new Struct('>IH4s?')
  const receiver = keep(new MulticastReceiver({ group, port: 0, interfaces: ['127.0.0.1'], codec }))
  await receiver.ready()
  const where = { group, port: receiver.address().port, interfaces: '127.0.0.1' }
  const sender = keep(new MulticastSender({ ...where, codec }))
  const raw = keep(new MulticastSender(where))
  const text = Buffer.from('abcd')
  // Before and after code was generated for it.
  for (let round = 0; round < 2; round += 1) {
    const heard = once(receiver, 'message')
    assert.equal(await sender.send([round, 7, text, true]), 11)
    const [message] = await heard
    assert.deepEqual(message, [round, 7, text, true])

    const malformed = once(receiver, 'malformed')
    await raw.send(Buffer.alloc(12))
    const [error, data] = await malformed
    assert.equal(error.code, 'ERR_MULTICAST_DECODE')
    assert.ok(error.cause instanceof StructError)
    assert.equal(error.cause.code, 'ERR_STRUCT_BUFFER')
    assert.equal(error.cause.message, 'unpack requires a buffer of 11 bytes')
    assert.deepEqual(data, Buffer.alloc(12))

    for (const wrong of [[-1, 7, text, true], [1, 7, text], 'abcd', undefined]) {
      await assert.rejects(sender.send(wrong as never), (error: Error) => {
        assert.equal((error as StructError).code as string, 'ERR_MULTICAST_ENCODE')
        assert.ok(error.cause instanceof StructError)
        return true
      })
    }
    for (let call = 0; call < threshold; call += 1) codec.pack(1, 2, text, false)
  }
  assert.equal(receiver.stats.malformed, 2)
})
