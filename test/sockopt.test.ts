import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { NetworkInterfaces } from '../src/interfaces.js'
import { type MembershipRequest, packMembership, packTtl } from '../src/sockopt.js'
import { v4, v6 } from './addresses.js'
import { type Host, scenario } from './lab.js'
import { isCI, root } from './tree.js'

const table: NetworkInterfaces = {
  lo: [v4('127.0.0.1'), v6('::1')],
  eth0: [v4('192.0.2.7'), v4('192.0.2.8'), v6('2001:db8::7'), v6('fe80::7', 2)],
  tun0: [v4('198.51.100.1')],
  '7': [v6('fe80::9', 300)],
}

/** The packed bytes in hexadecimal, on a host with the interfaces above. */
function packed(membership: MembershipRequest): string {
  return packMembership({ networkInterfaces: () => table, ...membership }).toString('hex')
}

/** The four bytes of an index, as this machine has them. */
function native(index: number): string {
  return Buffer.from(Uint32Array.of(index).buffer).toString('hex')
}

/** What `body` does on another system. */
function on(platform: NodeJS.Platform, body: () => void): void {
  const own = process.platform
  try {
    Object.defineProperty(process, 'platform', { value: platform })
    body()
  } finally {
    Object.defineProperty(process, 'platform', { value: own })
  }
}

const group4 = 'e0031d47'
const group6 = 'ff020000000000000000000000000001'

test('a TTL is one unsigned byte', () => {
  for (const ttl of [0, 1, 127, 128, 255]) assert.deepEqual([...packTtl(ttl)], [ttl])
})

test('what is no TTL is refused, as the option of a sender is', () => {
  for (const wrong of [-1, 256, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, true, null]) {
    assert.throws(() => packTtl(wrong as never), {
      code: 'ERR_MULTICAST_TTL',
      message: /^ttl must be an integer from 0 to 255, but is /,
    })
  }
  assert.throws(() => packTtl(undefined as never), { code: 'ERR_MULTICAST_TTL' })
})

test('an IPv4 group is packed with the address of its interface', () => {
  const cases = {
    default: '00000000',
    '0.0.0.0': '00000000',
    '192.0.2.7': 'c0000207',
    // The second address is packed as it is given, and so is one of another machine.
    '192.0.2.8': 'c0000208',
    '10.9.8.7': '0a090807',
    eth0: 'c0000207',
    tun0: 'c6336401',
    'fe80::7': 'c0000207',
  }
  for (const [on, address] of Object.entries(cases)) {
    assert.equal(packed({ group: '224.3.29.71', interface: on }), group4 + address, on)
  }
  assert.equal(packed({ group: '224.3.29.71' }), `${group4}00000000`)
  assert.equal(packed({ group: '224.3.29.71', interface: undefined }), `${group4}00000000`)
})

test("a source stands where the system's ip_mreq_source has it", () => {
  const membership = { group: '224.3.29.71', interface: 'eth0', source: '192.0.2.9' }
  for (const system of ['linux', 'android'] as const) {
    on(system, () => assert.equal(packed(membership), `${group4}c0000207c0000209`))
  }
  for (const system of ['darwin', 'win32', 'freebsd', 'openbsd', 'sunos', 'aix'] as const) {
    on(system, () => assert.equal(packed(membership), `${group4}c0000209c0000207`))
  }
  on('linux', () => {
    const { interface: _, ...anywhere } = membership
    assert.equal(packed(anywhere), `${group4}00000000c0000209`)
  })
})

test('an IPv6 group is packed with the index of its interface', () => {
  const cases: [MembershipRequest, number][] = [
    [{ group: 'ff02::1' }, 0],
    [{ group: 'ff02::1', interface: undefined }, 0],
    [{ group: 'ff02::1', interface: 'default' }, 0],
    [{ group: 'ff02::1', interface: 0 }, 0],
    [{ group: 'ff02::1', interface: 5 }, 5],
    [{ group: 'ff02::1', interface: 0xfffffffe }, 0xfffffffe],
    [{ group: 'ff02::1', interface: '5' }, 5],
    [{ group: 'ff02::1', interface: 'eth0' }, 2],
    [{ group: 'ff02::1', interface: '2001:DB8::7' }, 2],
    [{ group: 'ff02::1', interface: '192.0.2.8' }, 2],
    [{ group: 'ff02::1', interface: '::%eth0' }, 2],
    [{ group: 'FF02:0::1%eth0' }, 2],
    [{ group: 'ff02::1%eth0', interface: 'default' }, 2],
    [{ group: 'ff02::1%5' }, 5],
    [{ group: 'ff02::1%eth0', interface: 2 }, 2],
    [{ group: 'ff02::1%2', interface: 'eth0' }, 2],
    // An interface whose name is a number.
    [{ group: 'ff02::1%7' }, 300],
    [{ group: 'ff02::1', interface: 7 }, 7],
  ]
  for (const [membership, index] of cases) {
    assert.equal(packed(membership), group6 + native(index), JSON.stringify(membership))
  }
})

test('an index is passed where Node does not know it', () => {
  for (const membership of [
    { group: 'ff02::1', interface: 'lo' },
    { group: 'ff02::1', interface: '::1' },
    { group: 'ff02::1%lo' },
  ]) {
    assert.throws(() => packed(membership), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /'(lo|::1)', .* lo has no link-local address: pass the index as a number/,
    })
  }
})

test('no interface is asked for that the group cannot be joined on', () => {
  const cases: [MembershipRequest, RegExp][] = [
    [
      { group: '224.3.29.71', interface: 2 },
      /^interface must be a name or an IPv4 address.* is 2: /,
    ],
    [
      { group: '224.3.29.71', interface: 'eth1' },
      /^interface is 'eth1', .*Interfaces with IPv4: lo .*tun0/,
    ],
    [{ group: '224.3.29.71', interface: '' }, /^interface is '', which is not an interface/],
    [
      { group: '224.3.29.71', interface: '127.1' },
      /^interface is '127.1', which is not an interface/,
    ],
    [{ group: '224.3.29.71', interface: '224.0.0.1' }, /^interface must be a unicast IPv4 address/],
    [{ group: '224.3.29.71', interface: null as never }, /^interface is null, which is no/],
    [{ group: 'ff02::1', interface: 'tun0' }, /^interface is 'tun0', which has no IPv6 address/],
    [{ group: 'ff02::1', interface: -1 }, /^interface must be an integer from 0 to 4294967295/],
    [{ group: 'ff02::1', interface: 2 ** 32 }, /^interface must be an integer .* is 4294967296$/],
    [{ group: 'ff02::1', interface: 1.5 }, /^interface must be an integer/],
    [{ group: 'ff02::1', interface: '4294967296' }, /^interface must be an integer/],
    [{ group: 'ff02::1', interface: '99999999999' }, /which is not an interface/],
    [{ group: 'ff02::1', interface: {} as never }, /^interface is {}, which is not an interface/],
    [{ group: 'ff02::1%eth1' }, /^The group's zone is 'eth1', which is not an interface/],
    [{ group: 'ff02::1%eth0', interface: '7' }, /zone is %eth0, but interface asks for '7': leave/],
    [{ group: 'ff02::1%eth0', interface: 0 }, /zone is %eth0, but interface asks for 0: leave/],
  ]
  for (const [membership, message] of cases) {
    assert.throws(() => packed(membership), { code: 'ERR_MULTICAST_INTERFACE', message })
  }
})

test('what is no group, no source or no option is refused as everywhere', () => {
  const group = '224.3.29.71'
  const cases: [unknown, string, RegExp][] = [
    [{ group: '192.0.2.1' }, 'ERR_MULTICAST_GROUP', /'192\.0\.2\.1'/],
    [{ group: '224.3' }, 'ERR_MULTICAST_GROUP', /'224\.3'/],
    [{}, 'ERR_MULTICAST_GROUP', /undefined/],
    [{ group, source: '224.0.0.1' }, 'ERR_MULTICAST_SOURCE', /'224\.0\.0\.1'/],
    [{ group, source: '0.0.0.0' }, 'ERR_MULTICAST_SOURCE', /leave it out/],
    [{ group, source: 'fe80::1' }, 'ERR_MULTICAST_SOURCE', /'fe80::1'/],
    [{ group: 'ff02::1', source: 'fe80::1' }, 'ERR_MULTICAST_SOURCE', /ipv6_mreq has no place/],
    [{ group, ttl: 1 }, 'ERR_MULTICAST_UNKNOWN_OPTION', /no option 'ttl'/],
    [{ group, interfaces: 'lo' }, 'ERR_MULTICAST_UNKNOWN_OPTION', /did you mean 'interface'/],
    [
      { group, networkInterfaces: 1 },
      'ERR_MULTICAST_OPTION',
      /networkInterfaces must be a function/,
    ],
    [undefined, 'ERR_MULTICAST_OPTION', /must be an object, but are undefined/],
    [group, 'ERR_MULTICAST_OPTION', /must be an object/],
  ]
  for (const [membership, code, message] of cases) {
    assert.throws(() => packMembership(membership as never), { code, message })
  }
})

test('the interfaces are listed only where one has to be looked up', () => {
  const networkInterfaces = () => assert.fail('listed')
  for (const membership of [
    { group: '224.3.29.71', interface: '192.0.2.7', source: '192.0.2.9' },
    { group: '224.3.29.71' },
    { group: 'ff02::1', interface: 2 },
  ]) {
    assert.ok(packMembership({ ...membership, networkInterfaces }))
  }
})

const python3 = spawnSync('python3', ['--version']).status === 0
const skip = !python3 && !isCI && 'needs python3'

test('the bytes are those that Python packs by hand', { skip }, () => {
  const [group, address, source] = ['224.3.29.71', '10.0.0.1', '10.0.0.9']
  const bytes = (hex: string) => ({ hex })
  const pairs: [Buffer, unknown[]][] = [
    ...Array.from({ length: 256 }, (_, ttl): [Buffer, unknown[]] => [
      packTtl(ttl),
      ['pack', 'B', ttl],
    ]),
    ...[0, 1, 2, 255, 256, 65536, 2 ** 31, 2 ** 32 - 1].map((index): [Buffer, unknown[]] => [
      packMembership({ group: 'ff02::1', interface: index }),
      ['pack', '16sI', bytes(group6), index],
    ]),
    // The tutorials' line, with the 'L' mended that has 8 bytes on a 64-bit system.
    [packMembership({ group }), ['pack', '=4sL', bytes(group4), 0]],
    [packMembership({ group }).subarray(0, 4), ['inet_aton', group]],
    [packMembership({ group, interface: address }).subarray(4), ['inet_aton', address]],
    [packMembership({ group, source }), ['pack', '12s', bytes(`${group4}000000000a000009`)]],
  ]
  if (process.platform !== 'linux') pairs.pop()
  const program = join(root, 'test/python/inet.py')
  const { stdout, stderr, status } = spawnSync('python3', [program], {
    input: JSON.stringify(pairs.map(([, call]) => call)),
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  assert.deepEqual(
    JSON.parse(stdout),
    pairs.map(([bytes]) => ({ hex: bytes.toString('hex') })),
  )
})

type Answer = { joined: string[]; left: boolean } | { value: number } | { error: string }

/** What the kernel makes of each value. */
function kernel(host: Host, values: [option: string, value: Buffer][]): Promise<Answer[]> {
  const given = values.map(([option, value]) => `${option}=${value.toString('hex')}`)
  return host.python<Answer>('sockopt', ...given).rest()
}

scenario('the kernel joins and leaves what a packed membership names', ['python3'], async (lab) => {
  const host = lab.host()
  await lab.cable([lab.here, 'e0', '10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'], [host, 'e0'])
  await lab.cable([lab.here, 'e1', '10.0.1.1/24', '10.0.1.2/24', 'fe80::2/64'], [host, 'e1'])
  lab.here.ip('route add 224.0.0.0/4 dev e1')
  lab.here.ip('route add multicast ff05::/16 dev e1 table local')
  const index = (networkInterfaces().e0 ?? []).find(({ address }) => address === 'fe80::1')
  assert.ok(index?.family === 'IPv6' && index.scopeid > 0)

  const group = '239.1.2.3'
  const source = '10.0.9.9'
  const cases: [MembershipRequest, joined: string[]][] = [
    [{ group }, [`e1 ${group}`]],
    [{ group, interface: 'e0' }, [`e0 ${group}`]],
    [{ group, interface: '10.0.0.1' }, [`e0 ${group}`]],
    [{ group, interface: '10.0.1.2' }, [`e1 ${group}`]],
    [{ group, interface: 'lo' }, [`lo ${group}`]],
    [{ group, source }, [`e1 ${group}`, `e1 ${group} ${source}`]],
    [{ group, source, interface: 'e0' }, [`e0 ${group}`, `e0 ${group} ${source}`]],
    [{ group, source, interface: '10.0.1.2' }, [`e1 ${group}`, `e1 ${group} ${source}`]],
    [{ group: 'ff05::1:3' }, ['e1 ff05::1:3']],
    [{ group: 'ff05::1:3', interface: 'e0' }, ['e0 ff05::1:3']],
    [{ group: 'ff02::1:3', interface: 'fd00::1' }, ['e0 ff02::1:3']],
    [{ group: 'ff02::1:3%e1' }, ['e1 ff02::1:3']],
    [{ group: 'ff02::1:3', interface: index.scopeid }, ['e0 ff02::1:3']],
    [{ group: `ff02::1:3%${index.scopeid}` }, ['e0 ff02::1:3']],
    [{ group: 'ff02::1:3', interface: 1 }, ['lo ff02::1:3']],
  ]
  const values = cases.map(([membership]): [string, Buffer] => {
    const value = packMembership(membership)
    if (membership.group.includes(':')) return ['IPV6_JOIN_GROUP', value]
    return [membership.source ? 'IP_ADD_SOURCE_MEMBERSHIP' : 'IP_ADD_MEMBERSHIP', value]
  })
  assert.deepEqual(
    await kernel(lab.here, values),
    cases.map(([, joined]) => ({ joined, left: true })),
  )
})

scenario('the kernel takes a packed TTL, for IPv4 alone', ['python3'], async (lab) => {
  const ttls = [0, 1, 127, 128, 255]
  assert.deepEqual(
    await kernel(lab.here, [
      ...ttls.map((ttl): [string, Buffer] => ['IP_MULTICAST_TTL', packTtl(ttl)]),
      ['IPV6_MULTICAST_HOPS', packTtl(1)],
    ]),
    [...ttls.map((value) => ({ value })), { error: 'EINVAL' }],
  )
})
