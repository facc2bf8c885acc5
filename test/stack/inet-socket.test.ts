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
  // How many, and of which sizes.
  const seen = {
    IPv4: [
      [256, 0, 197],
      [166, 198, 645],
      [92, 646, 1472],
      [67, 1473, 1677],
      [59, 1678, 2125],
      [46, 2126, 2952],
      [39, 2953, 3157],
      [36, 3158, 3605],
      [30, 3606],
      [2, 60_000],
    ],
    IPv6: [
      [256, 0, 184],
      [166, 185, 632],
      [92, 633, 1440, 1453, 1656],
      [59, 1657, 2080],
      [46, 2081, 2888],
      [39, 2889, 3080],
      [36, 3081, 3528],
      [30, 3529, 4336],
      [27, 4337],
      [2, 60_000],
    ],
  } as const
  for (const [family, counts] of Object.entries(seen)) {
    for (const [count, ...sizes] of counts) {
      for (const size of sizes) {
        assert.equal(kept(socketOf(family as Family), size), count, `${family}, ${size} bytes`)
      }
    }
  }
})

test('a datagram takes as many bytes of the buffer as Linux 6.18 charges for it, and not one more or less', () => {
  const charged = {
    IPv4: [
      [100, 832],
      [400, 1280],
      [1200, 2304],
      [1472, 2304],
    ],
    IPv6: [
      [100, 832],
      [400, 1280],
      [1200, 2304],
      [1441, 2304],
      [1656, 2304],
      [1657, 3584],
    ],
  } as const
  for (const [family, rows] of Object.entries(charged)) {
    for (const [size, bytes] of rows) {
      const socket = socketOf(family as Family)
      // Twice that is granted: just enough for ten, and two bytes too few.
      socket.setBufferSize(5 * bytes, true)
      assert.equal(kept(socket, size), 10, `${family}, ${size} bytes`)
      const smaller = socketOf(family as Family)
      smaller.setBufferSize(5 * bytes - 1, true)
      assert.equal(kept(smaller, size), 9, `${family}, ${size} bytes`)
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
