/** Calls that are refused, and how. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { families } from './network.js'
import type { PeerSocket } from './peer.js'

export const misuse = new Chapter('socket')

type Call = readonly [method: string, ...args: unknown[]]

/** Each of these calls is refused by the kernel with that code. */
async function refuses(socket: PeerSocket, table: readonly (readonly [string, ...Call])[]) {
  for (const [code, method, ...args] of table) {
    const what = `${method}(${args.join(', ')})`
    await assert.rejects(socket.call(method, ...args), refusal(method, code), what)
  }
}

/** What Node itself refuses, before the kernel is asked. */
function nodes(name: string, code: string, message: string | RegExp): Record<string, unknown> {
  return { name, code, message, syscall: undefined }
}

const notRunning = nodes('Error', 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
const alreadyBound = nodes('Error', 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')

for (const ip of families) {
  const { family, type, needs, group, otherGroup, near: here, other: there } = ip
  const isIPv4 = family === 'IPv4'
  const e0 = here.e0.handle

  misuse.rule(`over ${family}, what cannot be joined is refused`, needs, async ({ near }) => {
    const socket = await open(near, type, { join: [[group, e0]] })
    await refuses(socket, [
      ['EADDRINUSE', 'addMembership', group, e0],
      ['EINVAL', 'addMembership', group, 'e0'],
      ['EINVAL', 'addMembership', group, ''],
      ['EINVAL', 'addMembership', group, 5],
      ['EINVAL', 'addMembership', group, isIPv4 ? '::%e0' : '10.0.0.1'],
      ['EINVAL', 'addMembership', there.e0.address, e0],
      ['EINVAL', 'addMembership', ip.any, e0],
      ['EINVAL', 'addMembership', 'nonsense', e0],
      ['EINVAL', 'addMembership', 5],
    ])
    if (isIPv4) {
      await refuses(socket, [
        ['ENODEV', 'addMembership', group, '10.9.9.9'],
        ['ENODEV', 'addMembership', group, '10.0.0.2'],
        ['ENOPROTOOPT', 'addMembership', 'ff05::1:3', '::%e0'],
        ['ENOPROTOOPT', 'addMembership', 'ff05::1:3'],
        ['EINVAL', 'addMembership', 'ff05::1:3', '10.0.0.1'],
      ])
    } else {
      // A socket of IPv6 takes groups of IPv4, by an address of IPv4.
      await refuses(socket, [['EINVAL', 'addMembership', '239.1.2.3', '::%e0']])
      await socket.call('addMembership', '239.1.2.3', '10.0.0.1')
      await refuses(socket, [['EADDRINUSE', 'addMembership', '239.1.2.3', '10.0.0.1']])
    }
    for (const args of [[], [''], [0]]) {
      for (const method of ['addMembership', 'dropMembership']) {
        await assert.rejects(
          socket.call(method, ...args),
          nodes(
            'TypeError',
            'ERR_MISSING_ARGS',
            'The "multicastAddress" argument must be specified',
          ),
        )
      }
    }
  })

  misuse.rule(`over ${family}, what is not joined cannot be left`, needs, async ({ near }) => {
    const socket = await open(near, type, { join: [[group, e0]] })
    await refuses(socket, [
      ['EADDRNOTAVAIL', 'dropMembership', otherGroup, e0],
      ['EADDRNOTAVAIL', 'dropMembership', otherGroup],
      ['EADDRNOTAVAIL', 'dropMembership', group, here.e1.handle],
      ['EINVAL', 'dropMembership', 'nonsense'],
      ['EINVAL', 'dropMembership', group, 'e0'],
    ])
    await socket.call('dropMembership', group, e0)
    await refuses(socket, [['EADDRNOTAVAIL', 'dropMembership', group, e0]])
  })

  misuse.rule(
    `over ${family}, a TTL is 0 to 255, and what is not an integer is cut down to one`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(near, type, { port, join: [[group, e0]] })
      const { heard: heardThere } = await open(other, type, {
        port,
        join: [[group, there.e0.handle]],
      })
      const socket = await open(near, type, { via: e0 })
      for (const ttl of [0, 1, 255, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32 + 1]) {
        await socket.call('setMulticastTTL', ttl)
        await socket.send(`${ttl}`, port, group)
      }
      await refuses(socket, [
        ['EINVAL', 'setMulticastTTL', 256],
        ['EINVAL', 'setMulticastTTL', -1],
        ['EINVAL', 'setMulticastTTL', 2 ** 31],
      ])
      for (const ttl of ['1', undefined, null]) {
        await assert.rejects(
          socket.call('setMulticastTTL', ttl),
          nodes('TypeError', 'ERR_INVALID_ARG_TYPE', /^The "ttl" argument must be of type number/),
        )
      }
      // Refused ones change nothing.
      await socket.send('end', port, group)
      const said = ['0', '1', '255', '1.5', 'NaN', 'Infinity', '4294967297', 'end']
      assert.deepEqual(await heard.until('end'), said)
      assert.deepEqual(
        await heardThere.until('end'),
        said.filter((ttl) => !['0', 'NaN', 'Infinity'].includes(ttl)),
      )
    },
  )

  misuse.rule(
    `over ${family}, a TTL of what is sent to one host is 1 to 255, and cut down to an integer`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      for (const ttl of [1, 255, 1.5, 2 ** 32 + 1]) {
        await socket.call('setTTL', ttl)
        await socket.send(`${ttl}`, port, there.e0.address)
      }
      await refuses(socket, [
        ['EINVAL', 'setTTL', 0],
        ['EINVAL', 'setTTL', 256],
        ['EINVAL', 'setTTL', -1],
        ['EINVAL', 'setTTL', 0.5],
        ['EINVAL', 'setTTL', Number.NaN],
        ['EINVAL', 'setTTL', 2 ** 31],
      ])
      for (const ttl of ['1', undefined, null]) {
        await assert.rejects(
          socket.call('setTTL', ttl),
          nodes('TypeError', 'ERR_INVALID_ARG_TYPE', /^The "ttl" argument must be of type number/),
        )
      }
      await socket.send('end', port, there.e0.address)
      assert.deepEqual(await heard.until('end'), ['1', '255', '1.5', '4294967297', 'end'])
    },
  )

  misuse.rule(
    `over ${family}, the loopback flag takes any value, by whether it is true`,
    needs,
    async ({ near, port }) => {
      const { heard } = await open(near, type, { port, join: [[group, e0]] })
      const socket = await open(near, type, { via: e0 })
      for (const flag of [true, false, 1, 0, 2]) {
        await socket.call('setMulticastLoopback', flag)
        await socket.send(`${flag}`, port, group)
      }
      assert.deepEqual(await heard.until('2'), ['true', '1', '2'])
    },
  )

  misuse.rule(`over ${family}, an outgoing interface must be a string`, needs, async ({ near }) => {
    const socket = await open(near, type)
    for (const value of [5, undefined, null]) {
      await assert.rejects(
        socket.call('setMulticastInterface', value),
        nodes('TypeError', 'ERR_INVALID_ARG_TYPE', /^The "interfaceAddress" argument must be/),
      )
    }
  })

  misuse.rule(
    `over ${family}, a socket that is not bound has no options yet`,
    needs,
    async ({ near, port }) => {
      for (const [method, ...args] of [
        ['setMulticastTTL', 1],
        ['setTTL', 1],
        ['setMulticastLoopback', true],
        ['setMulticastInterface', e0],
      ]) {
        const socket = await near.peer.socket({ type })
        await assert.rejects(socket.call(`${method}`, ...args), refusal(`${method}`, 'EBADF'))
      }
      for (const [method, call] of [
        ['setRecvBufferSize', 'uv_recv_buffer_size'],
        ['setSendBufferSize', 'uv_send_buffer_size'],
      ] as const) {
        const socket = await near.peer.socket({ type })
        await assert.rejects(socket.call(method, 10_000), {
          name: 'SystemError',
          code: 'ERR_SOCKET_BUFFER_SIZE',
          message: `Could not get or set buffer size: ${call} returned EBADF (bad file descriptor)`,
        })
      }
      const socket = await near.peer.socket({ type })
      await assert.rejects(socket.address(), refusal('getsockname', 'EBADF'))
      assert.equal(await socket.call('getSendQueueSize'), 0)
      for (const method of ['ref', 'unref']) await socket.call(method)
      // After all that it can still be bound.
      await socket.bind({ port })
      assert.equal((await socket.address()).port, port)
    },
  )

  misuse.rule(
    `over ${family}, joining takes a free port for a socket that is not bound, where it stays`,
    needs,
    async ({ near, port }) => {
      for (const [method, ...args] of [
        ['addMembership', group, e0],
        ['addSourceSpecificMembership', there.e0.address, group, e0],
      ] as const) {
        const socket = await near.peer.socket({ type })
        await socket.call(method, ...args)
        const address = await socket.address()
        assert.deepEqual(address, { address: ip.any, family, port: address.port })
        assert.ok(address.port > 1023)
        assert.equal(socket.count('listening'), 0)
        await socket.call('setMulticastTTL', 1)
        const bind = socket.bind({ port })
        await assert.rejects(bind, refusal('bind', 'EINVAL', `${ip.any}:${port}`))
      }
      for (const [code, method, ...args] of [
        ['EADDRNOTAVAIL', 'dropMembership', group, e0],
        ['EINVAL', 'dropSourceSpecificMembership', there.e0.address, group, e0],
      ] as const) {
        const socket = await near.peer.socket({ type })
        await assert.rejects(socket.call(method, ...args), refusal(method, code))
      }
    },
  )

  misuse.rule(
    `over ${family}, sending binds a socket to a free port`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await near.peer.socket({ type })
      await socket.send('hello', port, there.e0.address)
      await socket.told('listening')
      const address = await socket.address()
      assert.deepEqual(address, { address: ip.any, family, port: address.port })
      assert.equal((await heard.next()).remote.port, address.port)
      await assert.rejects(socket.bind({ port }), alreadyBound)
    },
  )

  misuse.rule(`over ${family}, a socket is bound once`, needs, async ({ near, port }) => {
    const socket = await open(near, type, { port })
    await assert.rejects(socket.bind({ port: port + 1 }), alreadyBound)
    assert.equal((await socket.address()).port, port)
  })

  misuse.rule(
    `over ${family}, a closed socket refuses all calls`,
    needs,
    async ({ near, port }) => {
      const closed = async (isBound: boolean): Promise<PeerSocket> => {
        const socket = isBound ? await open(near, type) : await near.peer.socket({ type })
        await socket.close()
        await socket.told('close')
        return socket
      }
      for (const isBound of [true, false]) {
        const socket = await closed(isBound)
        for (const [method, ...args] of [
          ['addMembership', group, e0],
          ['dropMembership', group, e0],
          ['addSourceSpecificMembership', there.e0.address, group, e0],
          ['dropSourceSpecificMembership', there.e0.address, group, e0],
          ['setMulticastInterface', e0],
          ['address'],
          ['close'],
        ] as const) {
          await assert.rejects(socket.call(method, ...args), notRunning, method)
        }
        // These look for what is not there any more.
        for (const [method, ...args] of [
          ['setMulticastTTL', 1],
          ['setTTL', 1],
          ['setMulticastLoopback', true],
          ['setRecvBufferSize', 10_000],
          ['setSendBufferSize', 10_000],
          ['getSendQueueSize'],
        ] as const) {
          const error = {
            name: 'TypeError',
            code: undefined,
            message: /^Cannot read properties of null/,
          }
          await assert.rejects(socket.call(method, ...args), error, method)
        }
        for (const method of ['ref', 'unref']) await socket.call(method)
        await assert.rejects(socket.send('x', port, group), { ...notRunning, thrown: true })
        await assert.rejects(socket.bind({ port }), notRunning)
        assert.equal(socket.count('close'), 1)
        assert.equal(socket.count('error'), 0)
      }
    },
  )

  misuse.rule(
    `over ${family}, a port to send to is 1 to 65535, or the call throws`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      for (const bad of [0, 65_536, -1, Number.NaN, 1.5, undefined, null, 'x', '']) {
        await assert.rejects(socket.send('x', bad, there.e0.address), {
          ...nodes('RangeError', 'ERR_SOCKET_BAD_PORT', /^Port should be > 0 and < 65536/),
          thrown: true,
        })
      }
      await socket.send('end', `${port}`, there.e0.address)
      assert.deepEqual(await heard.until('end'), ['end'])
    },
  )

  misuse.rule(
    `over ${family}, an address that cannot be sent to is an error of the callback`,
    needs,
    async ({ near, port }) => {
      const socket = await open(near, type)
      const bad = isIPv4
        ? ['nonsense', 'ff05::1:3', 'fd00::2', '::1', '::', 'fe80::2%e0', 'ff02::1%e9']
        : ['nonsense', '239.1.2.3', '10.0.0.2', '127.0.0.1', '0.0.0.0', '255.255.255.255']
      for (const address of bad) {
        await assert.rejects(socket.send('x', port, address), {
          ...refusal('send', 'EINVAL', `${address}:${port}`),
          thrown: false,
        })
      }
      for (const address of [5, true, {}]) {
        await assert.rejects(socket.send('x', port, address), {
          ...nodes('TypeError', 'ERR_INVALID_ARG_TYPE', /^The "address" argument must be of type/),
          thrown: true,
        })
      }
      assert.equal(socket.count('error'), 0)
    },
  )

  misuse.rule(
    `over ${family}, an address that is left out or empty is the own host`,
    needs,
    async ({ near, port }) => {
      const { heard } = await open(near, type, { port, address: ip.loopback })
      const socket = await open(near, type)
      for (const address of [undefined, '', null]) {
        await socket.send(`${address}`, port, address)
        assert.equal((await heard.next()).text, `${address}`)
      }
    },
  )

  misuse.rule(
    `over ${family}, data is bytes, or the call throws`,
    needs,
    async ({ near, other, port }) => {
      const { heard } = await open(other, type, { port })
      const socket = await open(near, type)
      for (const data of [5, null, undefined, true, {}, new ArrayBuffer(3)]) {
        await assert.rejects(socket.send(data, port, there.e0.address), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_TYPE',
          thrown: true,
        })
      }
      const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)
      for (const data of [
        bytes,
        bytes.subarray(2, 4),
        new Uint16Array(bytes.buffer, 2, 2),
        new DataView(bytes.buffer, 1, 3),
      ]) {
        await socket.send(data, port, there.e0.address)
        const sent = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
        assert.deepEqual((await heard.next()).data, sent)
      }
    },
  )

  misuse.rule(
    `over ${family}, an empty datagram is heard, and the largest has ${isIPv4 ? '65,507' : '65,527'} bytes`,
    [...needs, 'full-size'],
    async ({ near, port }) => {
      const listener = await open(near, type, { port, join: [[group, e0]] })
      const socket = await open(near, type, { via: e0 })
      const largest = isIPv4 ? 65_507 : 65_527
      for (const size of [0, 1, largest]) {
        for (const to of [group, here.e0.address]) {
          await socket.send(Buffer.alloc(size, 'x'), port, to)
          const { data, remote } = await listener.heard.next()
          assert.equal(data.length, size)
          assert.equal(remote.size, size)
        }
      }
      for (const size of [largest + 1, 70_000]) {
        await assert.rejects(socket.send(Buffer.alloc(size), port, group), {
          ...refusal('send', 'EMSGSIZE', `${group}:${port}`),
          thrown: false,
        })
      }
      await socket.send('end', port, group)
      assert.deepEqual(await listener.heard.until('end'), ['end'])
    },
  )

  misuse.rule(
    `over ${family}, a buffer size is an integer, of which Linux grants twice`,
    [...needs, 'buffers'],
    async ({ near }) => {
      const socket = await open(near, type)
      for (const end of ['Recv', 'Send']) {
        assert.equal(await socket.call(`get${end}BufferSize`), 212_992)
        for (const size of [10_000, 65_536]) {
          await socket.call(`set${end}BufferSize`, size)
          assert.equal(await socket.call(`get${end}BufferSize`), 2 * size)
        }
        for (const size of [-1, 1.5, '10000', undefined]) {
          await assert.rejects(
            socket.call(`set${end}BufferSize`, size),
            nodes(
              'TypeError',
              'ERR_SOCKET_BAD_BUFFER_SIZE',
              'Buffer size must be a positive integer',
            ),
          )
        }
        await assert.rejects(socket.call(`set${end}BufferSize`, 2 ** 31), {
          name: 'SystemError',
          code: 'ERR_SOCKET_BUFFER_SIZE',
          message: `Could not get or set buffer size: uv_${end.toLowerCase()}_buffer_size returned EINVAL (invalid argument)`,
        })
      }
      await socket.call('setRecvBufferSize', 1)
      assert.equal(await socket.call('getRecvBufferSize'), 2304)
      await socket.call('setSendBufferSize', 1)
      assert.equal(await socket.call('getSendBufferSize'), 4608)
    },
  )
}
