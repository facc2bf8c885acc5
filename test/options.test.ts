import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type MulticastErrorCode, shown } from '../src/errors.js'
import { MulticastPeer, MulticastReceiver, MulticastSender } from '../src/index.js'
import {
  applySettings,
  membershipSettings,
  peerSettings,
  receiverSettings,
  replySettings,
  requestSettings,
  senderSettings,
} from '../src/options.js'
import { v4, v6 } from './addresses.js'
import { keep } from './loopback.js'

const group = '239.1.2.3'
const port = 10000
const lo = { address: '127.0.0.1', name: 'lo' }
const hasLo = networkInterfaces()[lo.name] !== undefined

test('the defaults of a sender', () => {
  const settings = senderSettings({ group, port })
  assert.equal(settings.ttl, 1)
  assert.equal(settings.loopback, true)
  assert.equal(settings.interfaces, 'default')
  assert.equal(settings.localAddress, '0.0.0.0')
  assert.equal(settings.localPort, 0)
  assert.equal(settings.timeout, undefined)
  assert.equal(settings.maxQueuedBytes, 1_048_576)
  assert.equal(settings.queueLimit, 1024)
  assert.equal(settings.queueBytes, 1_048_576)
  assert.equal(settings.accept, undefined)
  assert.equal(settings.replies, true)
  assert.equal(settings.recvBufferSize, undefined)
  assert.equal(settings.sendBufferSize, undefined)
  assert.equal(settings.signal, undefined)
  assert.equal(settings.createSocket, createSocket)
  assert.deepEqual(settings.networkInterfaces(), networkInterfaces())
  assert.ok(Object.isFrozen(settings))
})

test('the defaults of a receiver', () => {
  const settings = receiverSettings({ group, port: 0 })
  assert.equal(settings.port, 0)
  assert.equal(settings.interfaces, 'all')
  assert.equal(settings.sources, undefined)
  assert.equal(settings.reuseAddr, true)
  // No address stands for the group's own.
  assert.equal(settings.bindAddress, process.platform === 'linux' ? undefined : '0.0.0.0')
})

test('the defaults of a peer are those of a receiver, and of what it sends the defaults of the system', () => {
  const { ttl, loopback, networkInterfaces: list, ...others } = peerSettings({ group, port: 0 })
  assert.deepEqual([ttl, loopback], [undefined, true])
  const { networkInterfaces: _, ...receivers } = receiverSettings({ group, port: 0 })
  assert.deepEqual(others, receivers)
  assert.deepEqual(list(), networkInterfaces())
})

test('a reply goes out at once, or within what a timer can wait', () => {
  assert.equal(replySettings({}).within, 0)
  for (const within of [0, Number.MIN_VALUE, 0.5, 2 ** 31 - 1]) {
    assert.deepEqual(replySettings({ within }), { within })
  }
})

test('what would wait for replies is refused where none are heard', () => {
  assert.throws(() => senderSettings({ group, port, replies: false, timeout: 100 }), {
    code: 'ERR_MULTICAST_OPTION',
    message: /^timeout is 100, but replies is false, .* leave one of the two out$/,
  })
  assert.equal(senderSettings({ group, port, replies: true, timeout: 100 }).timeout, 100)
  assert.equal(senderSettings({ group, port, replies: false }).replies, false)
})

test('an undefined option is the default', () => {
  const given = { group, port, ttl: undefined, loopback: undefined, timeout: undefined }
  const comparable = (options: object) => ({ ...senderSettings(options), networkInterfaces: null })
  assert.deepEqual(comparable(given), comparable({ group, port }))
})

/** Option by option, values that it cannot have. */
const common: [option: string, code: MulticastErrorCode, values: unknown[]][] = [
  ['group', 'ERR_MULTICAST_GROUP', ['192.0.2.1', 'fe80::1', 'example', '', 7, null]],
  ['port', 'ERR_MULTICAST_PORT', [-1, 65536, 1.5, Number.NaN, '10000', null]],
  ['timeout', 'ERR_MULTICAST_TIMEOUT', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1']],
  ['recvBufferSize', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, '1', 2 ** 31]],
  ['sendBufferSize', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, '1', 2 ** 31]],
  ['maxQueuedBytes', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, Number.POSITIVE_INFINITY, '1']],
  ['queueLimit', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, Number.POSITIVE_INFINITY, '1']],
  ['queueBytes', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, Number.POSITIVE_INFINITY, '1', null]],
  ['accept', 'ERR_MULTICAST_OPTION', [null, true, '127.0.0.1', ['127.0.0.1'], {}]],
  [
    'signal',
    'ERR_MULTICAST_OPTION',
    [null, {}, { aborted: false }, 'abort', new AbortController()],
  ],
  ['codec', 'ERR_MULTICAST_OPTION', [null, {}, 'text', { encode: () => new Uint8Array() }]],
  ['replyCodec', 'ERR_MULTICAST_OPTION', [null, {}, 'text', { decode: () => 1 }]],
  ['createSocket', 'ERR_MULTICAST_OPTION', [null, {}, 'udp4']],
  ['networkInterfaces', 'ERR_MULTICAST_OPTION', [null, {}]],
  ['watchInterfaces', 'ERR_MULTICAST_OPTION', [null, {}, true]],
  ['followInterfaces', 'ERR_MULTICAST_OPTION', [0, 1, 'true', null, {}]],
]
const wrongInterfaces = [
  ...['nosuch0', '192.0.2.99', '', 7, {}, null, [], ['nosuch0'], [undefined], [['lo']]],
  ...[['all'], ['default', '127.0.0.1'], ['']],
]
const sender: typeof common = [
  ['port', 'ERR_MULTICAST_PORT', [0]],
  ['ttl', 'ERR_MULTICAST_TTL', [-1, 256, 1.5, Number.NaN, '1', null, true]],
  ['loopback', 'ERR_MULTICAST_OPTION', [0, 'false', null]],
  ['interfaces', 'ERR_MULTICAST_INTERFACE', wrongInterfaces],
  ['localAddress', 'ERR_MULTICAST_OPTION', ['::1', 'localhost', '239.1.2.3', '', 7]],
  ['localPort', 'ERR_MULTICAST_PORT', [-1, 65536, 1.5, '0']],
  ['replies', 'ERR_MULTICAST_OPTION', [0, 'false', null]],
  ['bindAddress', 'ERR_MULTICAST_OPTION', [7, null]],
]
const receiver: typeof common = [
  ['interfaces', 'ERR_MULTICAST_INTERFACE', wrongInterfaces],
  ['sources', 'ERR_MULTICAST_SOURCE', ['192.0.2.1', [], ['fe80::1'], ['239.1.2.3'], ['x'], [7]]],
  ['bindAddress', 'ERR_MULTICAST_OPTION', ['all', '::', '239.1.2.3', 7, '']],
  ['reuseAddr', 'ERR_MULTICAST_OPTION', [0, 'true', null]],
]
const peer: typeof common = [
  ...receiver,
  ['ttl', 'ERR_MULTICAST_TTL', [-1, 256, 1.5, Number.NaN, '1', null, true]],
  ['loopback', 'ERR_MULTICAST_OPTION', [0, 'false', null]],
]

const request: typeof common = [
  ['timeout', 'ERR_MULTICAST_TIMEOUT', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1']],
  ['limit', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null]],
  ['signal', 'ERR_MULTICAST_OPTION', [null, {}, { aborted: false }, 'abort']],
]
const reply: typeof common = [
  [
    'within',
    'ERR_MULTICAST_OPTION',
    [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1', 1n, null],
  ],
]
const membership: typeof common = [
  ['interface', 'ERR_MULTICAST_OPTION', [7, null, ['lo']]],
  ['source', 'ERR_MULTICAST_OPTION', [7, null, ['192.0.2.1']]],
]

const required = { group, port, createSocket, networkInterfaces }
for (const { what, known, make, table } of [
  {
    what: 'a sender',
    known: senderSettings(required),
    make: (option: object) => keep(new MulticastSender({ ...required, ...option } as never)),
    table: [...common, ...sender],
  },
  {
    what: 'a receiver',
    known: receiverSettings(required),
    make: (option: object) => keep(new MulticastReceiver({ ...required, ...option } as never)),
    table: [...common, ...receiver],
  },
  {
    what: 'a peer',
    known: peerSettings(required),
    make: (option: object) => keep(new MulticastPeer({ ...required, ...option } as never)),
    table: [...common, ...peer],
  },
  {
    what: 'a reply',
    known: replySettings({}),
    make: replySettings,
    table: reply,
  },
  {
    what: 'a request',
    known: requestSettings({}, 50),
    make: (option: object) => requestSettings(option, 50),
    table: request,
  },
  {
    what: 'a reply',
    known: replySettings({}),
    make: replySettings,
    table: reply,
  },
  {
    what: 'a membership',
    known: membershipSettings({}),
    make: membershipSettings,
    table: membership,
  },
]) {
  test(`every option of ${what} has values here that are wrong`, () => {
    for (const option of Object.keys(known)) {
      const rows = table.filter(([name, , values]) => name === option && values.length > 0)
      assert.notEqual(rows.length, 0, `no wrong value of the option ${option} of ${what}`)
    }
  })

  for (const [option, code, values] of table) {
    test(`${what} throws ${code} for a wrong ${option}, and names the value`, () => {
      for (const value of values) {
        assert.throws(
          () => make({ [option]: value }),
          (error: Error & { code?: string }) => {
            assert.equal(error.name, 'MulticastError')
            assert.equal(error.code, code, `${option}: ${String(value)}`)
            const inner = Array.isArray(value) && value.length > 0 ? value[0] : value
            const named = [value, inner].some((one) => error.message.includes(shown(one)))
            assert.ok(named, error.message)
            return true
          },
        )
      }
    })
  }
}

for (const [kind, make] of [
  ['sender', (options: object) => keep(new MulticastSender(options as never))],
  ['receiver', (options: object) => keep(new MulticastReceiver(options as never))],
  ['peer', (options: object) => keep(new MulticastPeer(options as never))],
] as const) {
  test(`a ${kind} names the known option that is spelled like it`, () => {
    assert.throws(() => make({ group, port, time_out: 5 }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: /no option 'time_out' here; did you mean 'timeout'\?.* are: group, port, timeout,/,
    })
    assert.throws(() => make({ group, port, toString: 5 }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: /no option 'toString' here\. The options are: group, port, timeout,/,
    })
  })
  test(`a ${kind} asks for its options`, () => {
    for (const options of [undefined, null, 'x', 7]) {
      assert.throws(() => make(options as never), { code: 'ERR_MULTICAST_OPTION' })
    }
    assert.throws(() => make({ port }), { code: 'ERR_MULTICAST_GROUP' })
    assert.throws(() => make({ group }), { code: 'ERR_MULTICAST_PORT' })
  })
}

test('an option of the other class is told with that class', () => {
  const kinds = [
    [senderSettings, receiverSettings, 'MulticastReceiver'],
    [receiverSettings, senderSettings, 'MulticastSender'],
  ] as const
  for (const [settings, otherSettings, other] of kinds) {
    const known = settings({ group, port })
    for (const option of Object.keys(otherSettings({ group, port }))) {
      if (option in known) continue
      assert.throws(() => settings({ group, port, [option]: 1 }), {
        code: 'ERR_MULTICAST_UNKNOWN_OPTION',
        message: new RegExp(
          `no option '${option}' here: it is an option of ${other}\\. The options`,
        ),
      })
    }
  }
})

test('likeness is by spelling, whatever the letter case', () => {
  const near = { TTL: 'ttl', interface: 'interfaces', loopBack: 'loopback', localport: 'localPort' }
  for (const [given, meant] of Object.entries(near)) {
    assert.throws(() => senderSettings({ group, port, [given]: 1 }), new RegExp(`'${meant}'\\?`))
  }
})

test('what a peer lacks of a sender is told as an option of one', () => {
  for (const option of [{ localPort: 10_000 }, { localAddress: '127.0.0.1' }]) {
    const [name] = Object.keys(option)
    assert.throws(() => new MulticastPeer({ group, port, ...option }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: new RegExp(
        `^There is no option '${name}' here: it is an option of MulticastSender\\.`,
      ),
    })
  }
})

test('a peer that does not share its port is bound to the group', () => {
  const options = { group, port, reuseAddr: false }
  for (const bindAddress of ['any', '127.0.0.1']) {
    assert.throws(() => peerSettings({ ...options, bindAddress }), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^reuseAddr is false, but bindAddress is '[\d.]+': .*Leave one of the two out$/,
    })
    assert.doesNotThrow(() => peerSettings({ ...options, bindAddress, reuseAddr: true }))
  }
  assert.equal(peerSettings({ ...options, bindAddress: 'group' }).bindAddress, undefined)
})

test('the limits of each range are in it', () => {
  for (const ttl of [0, 255]) assert.equal(senderSettings({ group, port, ttl }).ttl, ttl)
  for (const timeout of [0.5, 2 ** 31 - 1]) {
    assert.equal(senderSettings({ group, port, timeout }).timeout, timeout)
  }
  for (const edge of [1, 65535]) assert.equal(senderSettings({ group, port: edge }).port, edge)
})

test('a list of interfaces is kept as it is given', { skip: !hasLo && 'no lo' }, () => {
  const { interfaces } = receiverSettings({
    group,
    port,
    interfaces: [lo.name, lo.address, lo.name],
  })
  assert.deepEqual(interfaces, [lo.name, lo.address, lo.name])
})

test('sources are one entry for each address', () => {
  const sources = ['FE80::1', 'fe80:0::1', 'fe80::2%eth0']
  assert.deepEqual(receiverSettings({ group: 'ff05::1', port, sources }).sources, [
    'fe80::1',
    'fe80::2%eth0',
  ])
})

test("the group's zone picks the interface, and contradicts another", {
  skip: !hasLo && 'no lo',
}, () => {
  const table = () => ({
    ...networkInterfaces(),
    eth9: networkInterfaces().lo?.map((entry) => ({ ...entry })) ?? [],
  })
  const zoned = { group: 'ff02::1%lo', port, networkInterfaces: table, createSocket }
  assert.equal(senderSettings(zoned).interfaces[0], 'lo')
  assert.equal(senderSettings({ ...zoned, interfaces: 'lo' }).interfaces[0], 'lo')
  for (const interfaces of ['all', 'default', ['lo']]) {
    const settings = receiverSettings({ ...zoned, interfaces })
    assert.deepEqual(settings.interfaces, ['lo'])
  }
  const contradiction = { code: 'ERR_MULTICAST_INTERFACE', message: /zone is %lo, but .* eth9/ }
  assert.throws(() => senderSettings({ ...zoned, interfaces: 'eth9' }), contradiction)
  assert.throws(() => receiverSettings({ ...zoned, interfaces: ['eth9'] }), contradiction)
  assert.throws(() => senderSettings({ ...zoned, group: 'ff02::1%nosuch0' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message:
      /^The group's zone is 'nosuch0', which is not an interface that is up .* Interfaces with IPv6/,
  })
})

test('a link-local group without a zone cannot be bound on the default interface', {
  skip: process.platform !== 'linux' && 'the group is bound on Linux only',
}, () => {
  const options = { group: 'ff02::1', port, interfaces: 'default' }
  assert.throws(() => receiverSettings(options), { code: 'ERR_MULTICAST_INTERFACE' })
  assert.equal(receiverSettings({ ...options, bindAddress: 'any' }).bindAddress, '::')
})

test('interfaces that cannot be listed are the cause', () => {
  const cause = new Error('uv_interface_addresses EACCES')
  const networkInterfaces = () => {
    throw cause
  }
  assert.throws(
    () => senderSettings({ ...{ group, port, createSocket }, networkInterfaces, interfaces: 'lo' }),
    {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /could not be listed: uv_interface_addresses EACCES/,
      cause,
    },
  )
})

test('interfaces that are none are refused', () => {
  const networkInterfaces = () => undefined
  assert.throws(
    () => senderSettings({ ...{ group, port, createSocket }, networkInterfaces, interfaces: 'lo' }),
    {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /could not be listed: the function returned undefined/,
    },
  )
})

test('what the kernel refuses names the option', () => {
  const cause = new Error('setMulticastTTL EINVAL')
  const socket = Object.assign(createSocket('udp4'), {
    setMulticastTTL() {
      throw cause
    },
  })
  assert.throws(() => applySettings('sender', socket, senderSettings({ group, port, ttl: 7 })), {
    code: 'ERR_MULTICAST_SOCKET',
    message: /option ttl \(7\): setMulticastTTL EINVAL/,
    cause,
  })
  socket.close()
})

test('a request must have an end', () => {
  assert.equal(requestSettings({}, 50).timeout, 50)
  assert.equal(requestSettings({ timeout: 7 }, 50).timeout, 7)
  assert.equal(requestSettings({ limit: 1 }, undefined).timeout, undefined)
  assert.throws(() => requestSettings({}, undefined), {
    code: 'ERR_MULTICAST_TIMEOUT',
    message: /would never end/,
  })
  assert.throws(() => requestSettings({ limt: 1 }, 50), /'limit'\?/)
})

test('a membership has two members', () => {
  assert.deepEqual(membershipSettings({}), { interface: undefined, source: undefined })
  assert.throws(() => membershipSettings({ interfaces: 'lo' }), /'interface'\?/)
  assert.throws(() => membershipSettings('lo'), { code: 'ERR_MULTICAST_OPTION' })
})

test('both ends of the range of each option are in it', () => {
  const most = Number.MAX_SAFE_INTEGER
  const ends = {
    recvBufferSize: [1, 2 ** 31 - 1],
    sendBufferSize: [1, 2 ** 31 - 1],
    maxQueuedBytes: [1, most],
    queueLimit: [1, most],
    localPort: [0, 65_535],
  } as const
  for (const [option, values] of Object.entries(ends)) {
    for (const value of values) {
      const settings: Record<string, unknown> = senderSettings({ group, port, [option]: value })
      assert.equal(settings[option], value)
    }
  }
  for (const edge of [0, 65_535]) assert.equal(receiverSettings({ group, port: edge }).port, edge)
  for (const within of [0, 0.5, 2 ** 31 - 1]) {
    assert.equal(replySettings({ within }).within, within)
  }
  for (const limit of [1, most]) assert.equal(requestSettings({ limit }, undefined).limit, limit)
})

test('what is past a safe integer is no limit', () => {
  for (const option of ['maxQueuedBytes', 'queueLimit']) {
    assert.throws(() => senderSettings({ group, port, [option]: 2 ** 53 }), {
      code: 'ERR_MULTICAST_OPTION',
    })
  }
  assert.throws(() => requestSettings({ limit: 2 ** 53 }, 50), { code: 'ERR_MULTICAST_OPTION' })
})

test('the settings of each kind are set on its socket, and no others', () => {
  const set: unknown[][] = []
  const socket = new Proxy({} as ReturnType<typeof createSocket>, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        set.push([name, ...args]),
  })
  const given = { group, port, recvBufferSize: 4096, sendBufferSize: 8192 }
  applySettings('sender', socket, senderSettings({ ...given, ttl: 7, loopback: false }))
  assert.deepEqual(set.splice(0), [
    ['setRecvBufferSize', 4096],
    ['setSendBufferSize', 8192],
    ['setMulticastTTL', 7],
    ['setMulticastLoopback', false],
  ])
  applySettings('receiver', socket, receiverSettings(given))
  assert.deepEqual(set.splice(0), [
    ['setRecvBufferSize', 4096],
    ['setSendBufferSize', 8192],
  ])
  applySettings('sender', socket, senderSettings({ group, port }))
  assert.deepEqual(set, [
    ['setMulticastTTL', 1],
    ['setMulticastLoopback', true],
  ])
  set.length = 0
  const sending = { ...given, ttl: 7, loopback: false }
  applySettings('peer', socket, peerSettings(sending))
  assert.deepEqual(set.splice(0).sort(), [
    ['setMulticastLoopback', false],
    ['setMulticastTTL', 7],
    ['setRecvBufferSize', 4096],
    ['setSendBufferSize', 8192],
    ['setTTL', 7],
  ])
  // No datagram can be sent to a host with 0: replies keep the system's.
  applySettings('peer', socket, peerSettings({ group, port, ttl: 0 }))
  assert.deepEqual(set.splice(0).sort(), [
    ['setMulticastLoopback', true],
    ['setMulticastTTL', 0],
  ])
  applySettings('peer', socket, peerSettings({ group, port }))
  assert.deepEqual(set, [['setMulticastLoopback', true]])
})

test('the address to bind to is of the family of the group', () => {
  const group6 = 'ff05::1'
  assert.equal(senderSettings({ group: group6, port }).localAddress, '::')
  for (const [localAddress, of] of [
    ['192.0.2.7', group],
    ['fe80::7%eth0', group6],
  ] as const) {
    assert.equal(senderSettings({ group: of, port, localAddress }).localAddress, localAddress)
  }
  const bound = (of: string, bindAddress: string) =>
    receiverSettings({ group: of, port, bindAddress }).bindAddress
  assert.equal(bound(group, 'group'), undefined)
  assert.equal(bound(group, 'any'), '0.0.0.0')
  assert.equal(bound(group6, 'any'), '::')
  assert.equal(bound(group, '192.0.2.7'), '192.0.2.7')
})

test('a receiver binds to its group by default on Linux, and elsewhere to any address', async (t) => {
  const own = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor
  t.after(() => Object.defineProperty(process, 'platform', own))
  for (const [platform, expected] of [
    ['linux', undefined],
    ['darwin', '0.0.0.0'],
    ['win32', '0.0.0.0'],
  ]) {
    Object.defineProperty(process, 'platform', { ...own, value: platform })
    // Another instance of the module, which looks at the platform as it is loaded.
    const { href } = new URL(`../src/options.js?${platform}`, import.meta.url)
    const there: typeof import('../src/options.js') = await import(href)
    assert.equal(there.receiverSettings({ group, port }).bindAddress, expected, platform)
  }
})

test('sources are a list', () => {
  for (const sources of [[], '192.0.2.1', { length: 1 }]) {
    assert.throws(() => receiverSettings({ group, port, sources }), {
      code: 'ERR_MULTICAST_SOURCE',
      message: /^sources must be a list with at least one address/,
    })
  }
})

test('each of a timeout, a limit and a signal is an end of a request', () => {
  const { signal } = new AbortController()
  for (const [given, timeout] of [
    [{ timeout: 7 }, undefined],
    [{ limit: 1 }, undefined],
    [{ signal }, undefined],
    [{}, 50],
  ] as const) {
    const expected = { timeout, limit: undefined, signal: undefined, ...given }
    assert.deepEqual(requestSettings(given, timeout), expected)
  }
})

test('a codec is whatever has both of its functions', () => {
  class Own {
    encode = (): Uint8Array => new Uint8Array()
    decode(): number {
      return 1
    }
  }
  const codec = new Own()
  const settings = senderSettings({ group, port, codec, replyCodec: codec })
  assert.equal(settings.codec, codec)
  assert.equal(settings.replyCodec, codec)
  for (const wrong of [{ ...codec }, { decode: codec.decode }, { encode: 1, decode: 1 }]) {
    assert.throws(() => senderSettings({ group, port, codec: wrong }), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^codec must be an object with encode\(\) and decode\(\)/,
    })
  }
})

test('a receiver may hear any interface where it binds, on a group of each link as well', () => {
  for (const interfaces of ['all', ['lo']]) {
    const networkInterfaces = () => ({ lo: [v6('::1')] })
    const settings = { group: 'ff02::1', port, interfaces, networkInterfaces, createSocket }
    assert.doesNotThrow(() => receiverSettings(settings))
  }
})

test('all interfaces are followed by default, and others if that is asked for', () => {
  for (const settings of [senderSettings, receiverSettings]) {
    const followed = (options: object) => settings({ group, port, ...options }).followInterfaces
    assert.equal(followed({ interfaces: 'all' }), true)
    assert.equal(followed({ interfaces: 'all', followInterfaces: false }), false)
    for (const interfaces of ['default', '127.0.0.1', ['127.0.0.1']]) {
      assert.equal(followed({ interfaces }), false)
      assert.equal(followed({ interfaces, followInterfaces: undefined }), false)
      assert.equal(followed({ interfaces, followInterfaces: true }), true)
    }
  }
  assert.equal(senderSettings({ group, port }).followInterfaces, false)
  assert.equal(receiverSettings({ group, port }).followInterfaces, true)
})

test('what is followed need not be there, but has to be a name or an address', () => {
  const following = { group, port, followInterfaces: true }
  for (const settings of [senderSettings, receiverSettings]) {
    for (const interfaces of ['nosuch0', '192.0.2.99', ['127.0.0.1', 'nosuch0']]) {
      const { interfaces: kept } = settings({ ...following, interfaces })
      assert.deepEqual(kept, [interfaces].flat())
    }
    for (const interfaces of ['', [''], [7], [undefined], [], ['all', 'lo'], null]) {
      assert.throws(() => settings({ ...following, interfaces }), {
        code: 'ERR_MULTICAST_INTERFACE',
      })
    }
    const zoned = { ...following, group: 'ff02::1%nosuch0' }
    assert.deepEqual(settings(zoned).interfaces, ['nosuch0'])
    assert.throws(() => settings({ ...zoned, followInterfaces: false }), /zone is 'nosuch0'/)
  }
})

test('a membership is what it was given', () => {
  const given = { interface: 'lo', source: '192.0.2.1' }
  assert.deepEqual(membershipSettings(given), given)
})

test('several interfaces have addresses of their own, and one may be asked for twice', () => {
  const networkInterfaces = () => ({
    eth0: [v4('192.0.2.7'), v4('192.0.2.8')],
    eth1: [v4('198.51.100.1')],
  })
  const options = { group, port, localAddress: '192.0.2.8', createSocket, networkInterfaces }
  for (const interfaces of ['all', ['eth0', 'eth1'], ['192.0.2.7', '198.51.100.1']]) {
    assert.throws(() => senderSettings({ ...options, interfaces }), {
      code: 'ERR_MULTICAST_OPTION',
      message:
        /^localAddress is '192\.0\.2\.8', but interfaces asks for several, .* leave localAddr/,
    })
    const any = { ...options, interfaces, localAddress: '0.0.0.0' }
    assert.deepEqual(senderSettings(any).interfaces, interfaces)
  }
  for (const interfaces of ['default', 'eth0', ['eth0'], ['eth0', '192.0.2.7', 'eth0']]) {
    assert.equal(senderSettings({ ...options, interfaces }).localAddress, '192.0.2.8')
  }
})

test("other interfaces than the system's go together with other sockets", () => {
  const watchInterfaces = () => () => {}
  for (const settings of [senderSettings, receiverSettings]) {
    assert.throws(() => settings({ group, port, networkInterfaces }), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^networkInterfaces is given without createSocket/,
    })
    assert.throws(() => settings({ group, port, watchInterfaces }), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^watchInterfaces is given without createSocket/,
    })
    assert.doesNotThrow(() => settings({ group, port, networkInterfaces, createSocket }))
    assert.doesNotThrow(() => settings({ group, port, watchInterfaces, createSocket }))
    assert.doesNotThrow(() => settings({ group, port, createSocket }))
    assert.doesNotThrow(() => settings({ group, port, networkInterfaces: undefined }))
  }
})

test("a carrier's bindAddress is a receiver's, and passed over by a sender", () => {
  const carrier = { createSocket, bindAddress: 'any' }
  assert.equal(receiverSettings({ group, port, ...carrier }).bindAddress, '0.0.0.0')
  assert.equal(peerSettings({ group, port, ...carrier }).bindAddress, '0.0.0.0')
  const own = { ...carrier, bindAddress: 'group' }
  assert.equal(receiverSettings({ group, port, ...own }).bindAddress, undefined)
  assert.doesNotThrow(() => senderSettings({ group, port, ...carrier }))
  // Without a carrier it is a mistake there.
  assert.throws(() => senderSettings({ group, port, bindAddress: 'any' }), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
    message: /^There is no option 'bindAddress' here: it is one of a MulticastReceiver/,
  })
})
