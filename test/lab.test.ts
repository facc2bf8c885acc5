/** What tests rely on of the lab itself. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { setImmediate as turned } from 'node:timers/promises'
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

scenario(
  'what a peer has sent is read before its answer, by a busy loop too',
  [],
  async (lab, t) => {
    const peer = await lab.here.peer()
    const there = await peer.socket({ type: 'udp4' })
    await there.bind({ address: '127.0.0.1' })
    const [socket, other] = [10_000, 10_001].map((port) => {
      const made = createSocket('udp4').bind(port, '127.0.0.1')
      t.after(() => made.close())
      return made
    }) as [Socket, Socket]
    await Promise.all([once(socket, 'listening'), once(other, 'listening')])
    let heard = 0
    socket.on('message', () => {
      heard += 1
    })
    for (let round = 1; round <= 3; round += 1) {
      // So that epoll tells of the pipe first.
      await peer.networkInterfaces()
      const sent = there.send('one', 10_000, '127.0.0.1')
      busy(50)
      await sent
      assert.equal(heard, 2 * round - 1)

      // So that it does not, and the pipe is read after the other socket.
      await turned()
      await turned()
      const toOther = there.send('to the other', 10_001, '127.0.0.1')
      const another = once(other, 'message').then(() => {
        const sent = there.send('another', 10_000, '127.0.0.1')
        busy(50)
        return sent
      })
      busy(50)
      await Promise.all([toOther, another])
      assert.equal(heard, 2 * round)
    }
  },
)

/** Has the loop wait for so many milliseconds, while other processes go on. */
function busy(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}
