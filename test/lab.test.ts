/** What tests rely on of the lab itself. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { scenario } from './lab.js'

scenario('an interface that was taken up is listed at once', [], async (lab) => {
  const far = lab.host()
  // The end of a cable that has the same number at both may be listed up to a second later than it is up.
  for (const index of [101, 102, 103]) {
    lab.here.ip(
      `link add dev e0 index ${index} type veth peer name far0 index ${index}${far.netns}`,
      'addr add 10.0.0.1/24 dev e0',
    )
    // Asked for this one alone, the kernel finds it down, as it would by itself in a while.
    lab.here.ip('link show dev e0')
    far.ip('link set dev far0 up')
    lab.here.ip('link set dev e0 up')
    assert.ok('e0' in networkInterfaces(), `number ${index}`)
    lab.here.ip('link del dev e0')
  }
})

scenario('what a peer has sent is read before its answer, by a busy loop too', [], async (lab) => {
  const peer = await lab.here.peer()
  const socket = createSocket('udp4').bind(10_000, '127.0.0.1')
  await once(socket, 'listening')
  const there = await peer.socket({ type: 'udp4' })
  await there.bind({ address: '127.0.0.1' })
  let heard = 0
  socket.on('message', () => {
    heard += 1
  })
  for (const text of ['one', 'two', 'three']) {
    // Nothing but this answer has been read when the loop waits next.
    await peer.networkInterfaces()
    const before = heard
    const sent = there.send(text, 10_000, '127.0.0.1')
    for (const end = performance.now() + 50; performance.now() < end; );
    await sent
    assert.equal(heard, before + 1)
  }
  socket.close()
})
