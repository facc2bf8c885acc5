/** What sockets can do that the library itself has no use for, and other code has. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { families, ipv4 } from './network.js'

export const dgram = new Chapter('socket')

const need = 'dgram'

/** The broadcast addresses of the segments that near and other share. */
const broadcasts = { red: '10.0.0.255', blue: '10.0.1.255' }

dgram.rule(
  'over IPv4, a broadcast is refused until it is allowed, whoever it is for',
  [need],
  async ({ near, port }) => {
    const socket = await open(near, 'udp4')
    const all = [...Object.values(broadcasts), '255.255.255.255']
    for (const isAllowed of [false, true, false]) {
      await socket.call('setBroadcast', isAllowed)
      for (const address of all) {
        const sent = socket.send('x', port, address)
        if (isAllowed) await sent
        else await assert.rejects(sent, refusal('send', 'EACCES', `${address}:${port}`))
      }
    }
    const refused = refusal('connect', 'EACCES', `${broadcasts.red}:${port}`)
    await assert.rejects(socket.connect(port, broadcasts.red), refused)
    await socket.call('setBroadcast', 1)
    await socket.connect(port, broadcasts.red)
  },
)

dgram.rule(
  'over IPv4, a broadcast is heard by each socket of the port on its segment, on the own host too',
  [need],
  async ({ near, other, port }) => {
    const speaker = await open(near, 'udp4')
    await speaker.call('setBroadcast', true)
    const { port: from } = await speaker.address()
    const listeners = [
      await open(near, 'udp4', { port }),
      await open(other, 'udp4', { port }),
      await open(other, 'udp4', { port }),
    ]
    // These are for what comes to that address.
    const deaf = [
      await open(other, 'udp4', { port, address: ipv4.other.e0.address }),
      await open(other, 'udp4', { port, address: ipv4.group, join: [[ipv4.group, '10.0.0.2']] }),
      await open(other, 'udp4', { port: port + 1 }),
    ]
    for (const [address, source] of [
      [broadcasts.red, ipv4.near.e0.address],
      [broadcasts.blue, ipv4.near.e1.address],
      // By the default route.
      ['255.255.255.255', ipv4.near.e0.address],
    ] as const) {
      await speaker.send(address, port, address)
      for (const { heard } of listeners) {
        const { text, remote } = await heard.next()
        assert.deepEqual([text, remote.address, remote.port], [address, source, from])
      }
    }
    await speaker.send('end', port, ipv4.other.e0.address)
    await speaker.send('end', port, ipv4.group)
    await speaker.send('end', port + 1, ipv4.other.e0.address)
    for (const { heard } of deaf) assert.deepEqual(await heard.until('end'), ['end'])
  },
)

dgram.rule(
  'over IPv4, a socket bound to an address sends its broadcasts there, and no router forwards them',
  [need, 'router'],
  async ({ near, other, far, port }) => {
    const beyond = await open(far, 'udp4', { port })
    const { heard } = await open(other, 'udp4', { port })
    const speaker = await open(near, 'udp4', { address: ipv4.near.e1.address })
    for (const [method, value] of [
      ['setBroadcast', true],
      ['setTTL', 5],
    ] as const) {
      await speaker.call(method, value)
    }
    await speaker.send('all', port, '255.255.255.255')
    const { text, remote } = await heard.next()
    assert.deepEqual([text, remote.address], ['all', ipv4.near.e1.address])
    const elsewhere = await open(near, 'udp4')
    await elsewhere.call('setBroadcast', true)
    await elsewhere.send('all', port, '255.255.255.255')
    // It is no broadcast where nobody has such a subnet, and beyond the router nobody has that address.
    await elsewhere.send('far', port, '10.0.2.255')
    await elsewhere.send('end', port, ipv4.far.e0.address)
    assert.deepEqual(await beyond.heard.until('end'), ['end'])
  },
)

for (const { family, type, needs, near: here, other: there } of families) {
  dgram.rule(
    `over ${family}, data is sent in parts, from an offset, and without an address to this host`,
    [...needs, need],
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      const to = [port, there.e0.address]
      const bytes = Buffer.from('abcdefgh')
      for (const [text, ...data] of [
        ['abcdefgh', bytes],
        ['text', 'text'],
        ['onetwo', ['one', Buffer.from('two')]],
        ['', []],
        ['cde', bytes, 2, 3],
        ['cde', 'abcdefgh', 2, 3],
      ] as const) {
        await socket.call('send', ...data, ...to)
        assert.equal((await heard.next()).text, text)
      }
      const own = await open(near, type, { port })
      await socket.call('send', 'to this host', port)
      assert.equal((await own.heard.next()).text, 'to this host')
      await socket.connect(port, there.e0.address)
      for (const [text, ...data] of [
        ['connected', 'connected'],
        ['bc', bytes, 1, 2],
      ]) {
        await socket.call('send', ...data)
        assert.equal((await heard.next()).text, text)
      }
      const refused = { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED', message: 'Already connected' }
      await assert.rejects(socket.call('send', 'x', 0, 1, ...to), refused)
    },
  )

  dgram.rule(
    `over ${family}, without a callback what the system refuses vanishes`,
    [...needs, need],
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      const nowhere = family === 'IPv4' ? broadcasts.red : '10.0.0.2'
      await socket.call('send', Buffer.alloc(70_000), port, there.e0.address)
      await socket.call('send', 'x', port, nowhere)
      await socket.send('end', port, there.e0.address)
      assert.deepEqual(await heard.until('end'), ['end'])
      assert.equal(socket.count('error'), 0)
      assert.equal(await socket.call('getSendQueueCount'), 0)
    },
  )

  dgram.rule(
    `over ${family}, broadcasts are allowed on a socket that is bound and open`,
    [...needs, need],
    async ({ near }) => {
      const socket = await near.peer.socket({ type })
      await assert.rejects(socket.call('setBroadcast', true), refusal('setBroadcast', 'EBADF'))
      await socket.bind({ address: here.e0.address })
      for (const flag of [true, false, 1, 0, 'yes', undefined])
        await socket.call('setBroadcast', flag)
      await socket.close()
      const stumbles = { name: 'TypeError', message: /^Cannot read properties of null/ }
      for (const method of ['setBroadcast', 'getSendQueueCount']) {
        await assert.rejects(socket.call(method, true), stumbles)
      }
    },
  )
}
