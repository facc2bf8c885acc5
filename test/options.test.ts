import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type MulticastErrorCode, shown } from '../src/errors.js'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import {
  applySettings,
  membershipSettings,
  receiverSettings,
  requestSettings,
  senderSettings,
} from '../src/options.js'

const group = '239.1.2.3'
const port = 10000
const lo = { address: '127.0.0.1', name: 'lo' }
const hasLo = networkInterfaces()[lo.name] !== undefined

test('the defaults of a sender', () => {
  const settings = senderSettings({ group, port })
  assert.equal(settings.ttl, 1)
  assert.equal(settings.loopback, true)
  assert.equal(settings.interface, undefined)
  assert.equal(settings.localAddress, '0.0.0.0')
  assert.equal(settings.localPort, 0)
  assert.equal(settings.timeout, undefined)
  assert.equal(settings.maxQueuedBytes, 1_048_576)
  assert.equal(settings.queueLimit, 1024)
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
  [
    'signal',
    'ERR_MULTICAST_OPTION',
    [null, {}, { aborted: false }, 'abort', new AbortController()],
  ],
  ['codec', 'ERR_MULTICAST_OPTION', [null, {}, 'text', { encode: () => new Uint8Array() }]],
  ['replyCodec', 'ERR_MULTICAST_OPTION', [null, {}, 'text', { decode: () => 1 }]],
  ['createSocket', 'ERR_MULTICAST_OPTION', [null, {}, 'udp4']],
  ['networkInterfaces', 'ERR_MULTICAST_OPTION', [null, {}]],
]
const sender: typeof common = [
  ['port', 'ERR_MULTICAST_PORT', [0]],
  ['ttl', 'ERR_MULTICAST_TTL', [-1, 256, 1.5, Number.NaN, '1', null, true]],
  ['loopback', 'ERR_MULTICAST_OPTION', [0, 'false', null]],
  ['interface', 'ERR_MULTICAST_INTERFACE', ['nosuch0', '192.0.2.99', '', 7, {}, null]],
  ['localAddress', 'ERR_MULTICAST_OPTION', ['::1', 'localhost', '239.1.2.3', '', 7]],
  ['localPort', 'ERR_MULTICAST_PORT', [-1, 65536, 1.5, '0']],
]
const receiver: typeof common = [
  ['interfaces', 'ERR_MULTICAST_INTERFACE', ['lo', [], ['nosuch0'], [undefined], 7, {}, [['lo']]]],
  ['sources', 'ERR_MULTICAST_SOURCE', ['192.0.2.1', [], ['fe80::1'], ['239.1.2.3'], ['x'], [7]]],
  ['bindAddress', 'ERR_MULTICAST_OPTION', ['all', '::', '239.1.2.3', 7, '']],
  ['reuseAddr', 'ERR_MULTICAST_OPTION', [0, 'true', null]],
]

const request: typeof common = [
  ['timeout', 'ERR_MULTICAST_TIMEOUT', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1']],
  ['limit', 'ERR_MULTICAST_OPTION', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null]],
  ['signal', 'ERR_MULTICAST_OPTION', [null, {}, { aborted: false }, 'abort']],
]
const membership: typeof common = [
  ['interface', 'ERR_MULTICAST_OPTION', [7, null, ['lo']]],
  ['source', 'ERR_MULTICAST_OPTION', [7, null, ['192.0.2.1']]],
]

const required = { group, port, networkInterfaces }
for (const { what, known, make, table } of [
  {
    what: 'a sender',
    known: senderSettings(required),
    make: (option: object) => new MulticastSender({ ...required, ...option } as never),
    table: [...common, ...sender],
  },
  {
    what: 'a receiver',
    known: receiverSettings(required),
    make: (option: object) => new MulticastReceiver({ ...required, ...option } as never),
    table: [...common, ...receiver],
  },
  {
    what: 'a request',
    known: requestSettings({}, 50),
    make: (option: object) => requestSettings(option, 50),
    table: request,
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
  ['sender', (options: object) => new MulticastSender(options as never)],
  ['receiver', (options: object) => new MulticastReceiver(options as never)],
] as const) {
  test(`a ${kind} names the nearest known option`, () => {
    assert.throws(() => make({ group, port, time_out: 5 }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: /no option 'time_out' here; did you mean 'timeout'\?.* are: group, port, timeout,/,
    })
    assert.throws(() => make({ group, port, toString: 5 }), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: /; the nearest is '\w+'\./,
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

test('nearest is by spelling, whatever the letter case', () => {
  const near = { TTL: 'ttl', intrface: 'interface', loopBack: 'loopback', localport: 'localPort' }
  for (const [given, meant] of Object.entries(near)) {
    assert.throws(() => senderSettings({ group, port, [given]: 1 }), new RegExp(`'${meant}'\\?`))
  }
})

test('the limits of each range are in it', () => {
  for (const ttl of [0, 255]) assert.equal(senderSettings({ group, port, ttl }).ttl, ttl)
  for (const timeout of [0.5, 2 ** 31 - 1]) {
    assert.equal(senderSettings({ group, port, timeout }).timeout, timeout)
  }
  for (const edge of [1, 65535]) assert.equal(senderSettings({ group, port: edge }).port, edge)
})

test('a list of interfaces is one entry for each interface', { skip: !hasLo && 'no lo' }, () => {
  const { interfaces } = receiverSettings({
    group,
    port,
    interfaces: [lo.name, lo.address, lo.name],
  })
  assert.deepEqual(interfaces, [{ name: lo.name, handle: lo.address, zone: lo.name }])
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
  const zoned = { group: 'ff02::1%lo', port, networkInterfaces: table }
  assert.equal(senderSettings(zoned).interface?.name, 'lo')
  assert.equal(senderSettings({ ...zoned, interface: 'lo' }).interface?.name, 'lo')
  for (const interfaces of ['all', 'default', ['lo']]) {
    const settings = receiverSettings({ ...zoned, interfaces })
    assert.deepEqual(settings.interfaces, [{ name: 'lo', handle: '::%lo', zone: 'lo' }])
  }
  const contradiction = { code: 'ERR_MULTICAST_INTERFACE', message: /zone is %lo, but .* eth9/ }
  assert.throws(() => senderSettings({ ...zoned, interface: 'eth9' }), contradiction)
  assert.throws(() => receiverSettings({ ...zoned, interfaces: ['eth9'] }), contradiction)
  assert.throws(() => senderSettings({ ...zoned, group: 'ff02::1%nosuch0' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /^The group's zone is 'nosuch0', which is no interface here\. With IPv6 there are/,
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
  assert.throws(() => senderSettings({ group, port, networkInterfaces, interface: 'lo' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /could not be listed: uv_interface_addresses EACCES/,
    cause,
  })
})

test('interfaces that are none are refused', () => {
  const networkInterfaces = () => undefined
  assert.throws(() => senderSettings({ group, port, networkInterfaces, interface: 'lo' }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /could not be listed: the function returned undefined/,
  })
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
    message: /option ttl, 7: setMulticastTTL EINVAL/,
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
