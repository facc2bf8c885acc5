/** What a peer makes of what comes over a channel. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { News, Order } from '../../src/testing/conformance/channel.js'
import { Peer } from '../../src/testing/conformance/peer.js'

test('an answer that comes just before the end counts, and what is asked after it is refused', async () => {
  const orders: Order[] = []
  let tell = (_news: News): void => {}
  let end = (_why: string): void => {}
  const peer = new Peer({
    send: (order) => orders.push(order),
    receive: (listener) => {
      tell = listener
    },
    ended: (listener) => {
      end = listener
    },
  })
  const answered = peer.networkInterfaces()
  const unanswered = peer.networkInterfaces()
  tell({ id: orders[0]?.id ?? -1, value: {} })
  end('the peer has exited: 0')
  const late = peer.networkInterfaces()
  assert.equal(orders.length, 2)
  const refused = [late, unanswered].map((one) => assert.rejects(one, /the peer has exited: 0/))
  assert.deepEqual(await answered, {})
  await Promise.all(refused)
})
