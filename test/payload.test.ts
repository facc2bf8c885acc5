import assert from 'node:assert/strict'
import { MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { scenario } from './lab.js'

const port = 10000

for (const { family, group, largest } of [
  { family: 'IPv4', group: '239.1.2.3', largest: 65_507 },
  { family: 'IPv6', group: 'ff05::1:3', largest: 65_527 },
]) {
  scenario(`over ${family}, ${largest} bytes go there and back, and none more`, [], async (lab) => {
    const host = lab.host()
    await lab.cable(
      [lab.here, 'e0', '10.0.0.1/24', 'fd00::1/64'],
      [host, 'far', '10.0.0.2/24', 'fd00::2/64'],
    )
    await (await host.peer()).receiver({ group, port }, '')
    await using sender = new MulticastSender({ group, port, interfaces: 'e0' })
    const replies = new Inbox(sender)
    const message = Buffer.alloc(largest, 'every byte arrives ')

    assert.equal(await sender.send(message), largest)
    const reply = await replies.next()
    assert.ok(reply.data.equals(message))

    await assert.rejects(sender.send(Buffer.alloc(largest + 1)), {
      name: 'MulticastError',
      code: 'ERR_MULTICAST_MESSAGE_SIZE',
      message: new RegExp(`${largest + 1}.*${largest}`, 's'),
    })
  })
}
