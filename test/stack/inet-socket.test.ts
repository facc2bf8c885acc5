import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InetSocket } from '../../src/stack/inet-socket.js'
import type { Family } from '../../src/stack/scope.js'

const sharing = { reuseAddr: false, reusePort: false }

function socketOf(family: Family, onReadable = () => {}): InetSocket {
  return new InetSocket(family, sharing, false, onReadable)
}

/** How many datagrams of that size a socket keeps that nobody reads. */
function kept(socket: InetSocket, size: number): number {
  const [source, destination] = socket.family === 'IPv4' ? ['10.0.0.1', '10.0.0.2'] : ['::1', '::1']
  const packet = { family: socket.family, source, destination, sourcePort: 1, port: 2, ttl: 1 }
  const data = Buffer.alloc(size)
  let count = 0
  for (let lost = false; !lost && count < 1000; count += lost ? 0 : 1) {
    socket.receive({ ...packet, data }, source, (outcome) => (lost ||= outcome === 'queue-full'))
  }
  return count
}

test('a socket that is not read keeps as many datagrams of each size as Linux 6.18 was seen to', () => {
  const seen = {
    IPv4: [
      ...[
        [0, 256],
        [197, 256],
        [198, 166],
        [645, 166],
        [646, 92],
        [1472, 92],
        [1473, 67],
      ],
      ...[
        [1677, 67],
        [1678, 59],
        [2125, 59],
        [2126, 46],
        [2952, 46],
        [2953, 39],
        [3157, 39],
      ],
      ...[
        [3158, 36],
        [3605, 36],
        [3606, 30],
        [60_000, 2],
      ],
    ],
    IPv6: [
      ...[
        [0, 256],
        [184, 256],
        [185, 166],
        [632, 166],
        [633, 92],
        [1440, 92],
        [1453, 92],
      ],
      ...[
        [1656, 92],
        [1657, 59],
        [2080, 59],
        [2081, 46],
        [2888, 46],
        [2889, 39],
        [3080, 39],
      ],
      ...[
        [3081, 36],
        [3528, 36],
        [3529, 30],
        [4336, 30],
        [4337, 27],
        [60_000, 2],
      ],
    ],
  } as const
  for (const [family, counts] of Object.entries(seen)) {
    for (const [size, count] of counts) {
      assert.equal(kept(socketOf(family as Family), size), count, `${family}, ${size} bytes`)
    }
  }
})

test('a buffer is twice what was asked for, within the limits of Linux', () => {
  for (const [asked, receive, send] of [
    [1, 2304, 4608],
    [1152, 2304, 4608],
    [1153, 2306, 4608],
    [2304, 4608, 4608],
    [2305, 4610, 4610],
    [4_194_304, 8_388_608, 8_388_608],
    [4_194_305, 8_388_608, 8_388_608],
  ] as const) {
    const socket = socketOf('IPv4')
    assert.deepEqual([socket.recvBufferSize, socket.sendBufferSize], [212_992, 212_992])
    socket.setBufferSize(asked, true)
    assert.deepEqual([socket.recvBufferSize, socket.sendBufferSize], [receive, 212_992])
    socket.setBufferSize(asked, false)
    assert.deepEqual([socket.recvBufferSize, socket.sendBufferSize], [receive, send])
  }
})

test('what is read makes room, and whoever reads is told once of each', () => {
  let told = 0
  const socket = socketOf('IPv4', () => (told += 1))
  socket.setBufferSize(1, true)
  assert.equal(kept(socket, 20), 2)
  assert.equal(told, 2)
  assert.equal(socket.read()?.packet.data.byteLength, 20)
  assert.equal(kept(socket, 30), 1)
  assert.deepEqual([socket.read()?.packet.data.byteLength, socket.isReadable], [20, true])
  assert.deepEqual([socket.read()?.packet.data.byteLength, socket.isReadable], [30, false])
  assert.equal(socket.read(), undefined)
  // One that nothing else is before is taken, however large.
  assert.equal(kept(socket, 60_000), 1)
})
