import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseGroup } from '../src/address.js'
import {
  addressOn,
  findInterface,
  foundInterface,
  interfaceLister,
  listInterfaces,
  type NetworkInterfaces,
  outwardInterfaces,
} from '../src/interfaces.js'
import { parseInterfaces, wantedInterfaces } from '../src/wanted.js'
import { v4, v6 } from './addresses.js'

const group = parseGroup('239.1.2.3')
const group6 = parseGroup('ff02::1')

const table: NetworkInterfaces = {
  lo: [v4('127.0.0.1'), v6('::1')],
  eth0: [v4('192.0.2.7'), v4('192.0.2.8'), v6('2001:db8::7'), v6('fe80::7', 2)],
  'eth0:1': [v4('192.0.2.9')],
  tun0: [v4('198.51.100.1')],
}

test('interfaces are listed once each, with what node:dgram takes for them', () => {
  assert.deepEqual(listInterfaces(table, group), [
    { name: 'lo', handle: '127.0.0.1', zone: 'lo' },
    { name: 'eth0', handle: '192.0.2.7', zone: 'eth0' },
    ...(process.platform === 'linux'
      ? []
      : [{ name: 'eth0:1', handle: '192.0.2.9', zone: 'eth0:1' }]),
    { name: 'tun0', handle: '198.51.100.1', zone: 'tun0' },
  ])
  assert.deepEqual(
    listInterfaces(table, group6).map(({ name }) => name),
    ['lo', 'eth0'],
  )
})

test('an interface is found by its name, by each of its addresses and by its IPv6 zone', () => {
  for (const wanted of ['eth0', '192.0.2.7', '192.0.2.8']) {
    assert.equal(findInterface(table, group, wanted, 'interface').name, 'eth0', wanted)
  }
  for (const wanted of [
    'eth0',
    'fe80::7',
    'FE80:0::7',
    'fe80::7%eth0',
    '::%eth0',
    '2',
    '192.0.2.8',
  ]) {
    assert.equal(findInterface(table, group6, wanted, 'interface').name, 'eth0', wanted)
  }
})

test("Linux's label of an address is the interface that has it", {
  skip: process.platform !== 'linux' && 'only Linux lists labels',
}, () => {
  for (const wanted of ['eth0:1', '192.0.2.9']) {
    assert.equal(findInterface(table, group, wanted, 'interface').name, 'eth0', wanted)
  }
})

test('an unknown interface is refused with those that exist', () => {
  for (const wanted of [
    'eth1',
    '192.0.2.1',
    'fe80::7%lo',
    '0',
    '',
    undefined,
    'undefined',
    7,
    'toString',
  ]) {
    assert.throws(() => findInterface(table, group, wanted, 'interface'), {
      code: 'ERR_MULTICAST_INTERFACE',
      message:
        /lo \(127\.0\.0\.1\), eth0 \(192\.0\.2\.7, 192\.0\.2\.8.*\), .*tun0 \(198\.51\.100\.1\)$/,
    })
  }
  assert.throws(() => findInterface({}, group, 'lo', 'interface'), /Interfaces with IPv4: none$/)
})

test('an interface without an address of the family says so', () => {
  assert.throws(() => findInterface(table, group6, 'tun0', 'interface'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /'tun0', which has no IPv6 address\. Interfaces with IPv6: lo \(::1\), eth0/,
  })
})

/** Has the test run as if on that platform. */
function on(t: TestContext, platform: NodeJS.Platform): void {
  const own = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor
  Object.defineProperty(process, 'platform', { ...own, value: platform })
  t.after(() => Object.defineProperty(process, 'platform', own))
}

const networkInterfaces = (): NetworkInterfaces => table
const here = { group, networkInterfaces }
const onEth0 = { group: parseGroup('ff02::1%eth0'), networkInterfaces }

const eth0 = { name: 'eth0', handle: '192.0.2.7', zone: 'eth0' }
const lo = { name: 'lo', handle: '127.0.0.1', zone: 'lo' }
const eth0In6 = { name: 'eth0', handle: '::%eth0', zone: 'eth0', index: 2 }

test('a name of an interface may have a colon where its address has no label of its own', (t) => {
  on(t, 'freebsd')
  assert.equal(findInterface(table, group, 'eth0:1', 'interface').handle, '192.0.2.9')
  assert.equal(listInterfaces(table, group).length, 4)
})

test('on Windows an IPv6 zone is the number that a link-local address carries', (t) => {
  on(t, 'win32')
  const found = { name: 'eth0', handle: '::%2', zone: '2', index: 2 }
  assert.deepEqual(findInterface(table, group6, 'eth0', 'interface'), found)
  const given = { ...found, given: 'fe80::7%2' }
  assert.deepEqual(findInterface(table, group6, 'fe80::7%2', 'interface'), given)
  // Without such an address there is only the name.
  assert.equal(findInterface(table, group6, 'lo', 'interface').zone, 'lo')
  // IPv4 knows no zones.
  assert.deepEqual(findInterface(table, group, 'eth0', 'interface'), eth0)
})

test('elsewhere an IPv6 zone is the name', (t) => {
  on(t, 'linux')
  assert.deepEqual(findInterface(table, group6, 'eth0', 'interface'), eth0In6)
})

test('an address that several interfaces have is found in the zone that is named', () => {
  const twins = { eth0: [v6('fe80::1', 2)], eth1: [v6('fe80::1', 3)] }
  const cases = {
    'fe80::1': 'eth0',
    'fe80::1%eth0': 'eth0',
    'fe80::1%eth1': 'eth1',
    'fe80::1%3': 'eth1',
    '3': 'eth1',
    '::%3': 'eth1',
    '::%eth1': 'eth1',
    '::%fe80::1%eth1': 'eth1',
  }
  for (const [wanted, name] of Object.entries(cases)) {
    assert.equal(findInterface(twins, group6, wanted, 'interface').name, name, wanted)
  }
  for (const wanted of ['fe80::1%4', 'fe80::2%eth1', '::', '4', '::%4', '192.0.2.7%eth0']) {
    assert.throws(() => findInterface(twins, group6, wanted, 'interface'), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /which is not an interface/,
    })
  }
})

test('the wildcard is an address like others where an interface has it', () => {
  assert.equal(findInterface({ odd: [v6('::')] }, group6, '::', 'interface').name, 'odd')
})

test('interfaces without addresses are passed over', () => {
  const some: NetworkInterfaces = { none: [], absent: undefined, lo: [v4('127.0.0.1'), v6('::1')] }
  for (const one of [group, group6]) {
    assert.deepEqual(
      listInterfaces(some, one).map(({ name }) => name),
      ['lo'],
    )
  }
  assert.equal(findInterface(some, group, '127.0.0.1', 'interface').name, 'lo')
  assert.throws(
    () => findInterface(some, group, 'absent', 'interface'),
    /which has no IPv4 address/,
  )
})

test('those that exist are listed in an error with their addresses of the family', () => {
  const inIPv6 =
    /, which is not an interface that is up and has an address\. Interfaces with IPv6: lo \(::1\), eth0 \(2001:db8::7, fe80::7\)$/
  assert.throws(() => findInterface(table, group6, 'eth1', 'interface'), inIPv6)
})

test("a label's addresses are those of its interface", (t) => {
  on(t, 'linux')
  const labelled = { eth0: [v4('192.0.2.7')], 'eth0:web': [v4('192.0.2.9')], 'eth0:2': undefined }
  assert.deepEqual(listInterfaces(labelled, group), [eth0])
  const given = '192.0.2.9'
  assert.deepEqual(findInterface(labelled, group, 'eth0:web', 'interface'), {
    ...eth0,
    handle: given,
    given,
  })
  assert.throws(
    () => findInterface(labelled, group, 'eth1', 'interface'),
    /: eth0 \(192\.0\.2\.7, 192\.0\.2\.9\)$/,
  )
  assert.throws(
    () => findInterface(table, group, 'eth1', 'interface'),
    /: lo \(127\.0\.0\.1\), eth0 \(192\.0\.2\.7, 192\.0\.2\.8, 192\.0\.2\.9\), tun0 \(198\.51\.100\.1\)$/,
  )
})

test('the two words stand for themselves, unless the group has a zone', () => {
  for (const word of ['all', 'default'] as const) {
    const unlisted = { group, networkInterfaces: () => assert.fail('nobody needs them') }
    assert.equal(parseInterfaces(word, 'interfaces', unlisted), word)
    assert.deepEqual(parseInterfaces(word, 'interfaces', onEth0), ['eth0'])
  }
  const onNone = { group: parseGroup('ff02::1%eth1'), networkInterfaces }
  assert.throws(() => parseInterfaces('all', 'interfaces', onNone), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /^The group's zone is 'eth1', which is not an interface/,
  })
})

test('a name, an address or a list of them is kept as it was given, once all are known', () => {
  assert.deepEqual(parseInterfaces('eth0', 'interfaces', here), ['eth0'])
  assert.deepEqual(parseInterfaces('192.0.2.8', 'interfaces', here), ['192.0.2.8'])
  const named = ['lo', '192.0.2.7', 'eth0']
  assert.deepEqual(parseInterfaces(named, 'interfaces', here), named)
  assert.deepEqual(parseInterfaces(['eth0', 'fe80::7'], 'interfaces', onEth0), ['eth0', 'fe80::7'])
  for (const wrong of [[], undefined, 7, {}]) {
    assert.throws(() => parseInterfaces(wrong, 'interfaces', here), {
      code: 'ERR_MULTICAST_INTERFACE',
      message:
        /^interfaces must be 'all', 'default', a name or an address, or a list with at least/,
    })
  }
  for (const word of ['all', 'default']) {
    assert.throws(() => parseInterfaces(['eth0', word], 'interfaces', here), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: `interfaces has '${word}' in a list: pass the word alone, or list the interfaces`,
    })
  }
  for (const wrong of ['', 'eth1', ['eth0', 'eth1'], ['']]) {
    assert.throws(() => parseInterfaces(wrong, 'interfaces', here), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: /which is not an interface that is up and has an address\. Interfaces with IPv4: lo/,
    })
  }
  for (const wrong of ['lo', ['lo'], ['eth0', 'lo'], ['lo', 'eth0']]) {
    assert.throws(() => parseInterfaces(wrong, 'interfaces', onEth0), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: "The group's zone is %eth0, but interfaces asks for lo: leave one of the two out",
    })
  }
})

test('what is wrong in a list is told with its place', () => {
  const cases: [wrong: unknown, message: RegExp][] = [
    [['eth0', 'eth1'], /^interfaces\[1\] is 'eth1', which is not an interface/],
    [['', 'eth0'], /^interfaces\[0\] is '', which is not an interface/],
    // The only one needs no place.
    [['eth1'], /^interfaces is 'eth1', which/],
    ['eth1', /^interfaces is 'eth1', which/],
    [['eth0', 'fe80::7'], /^interfaces\[1\] is 'fe80::7', an IPv6 address/],
    [['eth0', undefined], /^interfaces\[1\] must be a name or an address, but is undefined$/],
    [[7], /^interfaces\[0\] must be a name or an address, but is 7$/],
    [[['eth0']], /^interfaces\[0\] must be a name or an address, but is \[ 'eth0' \]$/],
  ]
  for (const [wrong, message] of cases) {
    const code = 'ERR_MULTICAST_INTERFACE'
    assert.throws(() => parseInterfaces(wrong, 'interfaces', here), { code, message })
  }
})

test('an address of the other family is refused, as it cannot be used as it is', () => {
  const here6 = { group: group6, networkInterfaces }
  for (const [lookup, wrong, family, own, meant] of [
    [here, 'fe80::7', 'IPv6', 'IPv4', 'eth0'],
    [here, 'FE80:0::7%eth0', 'IPv6', 'IPv4', 'eth0'],
    [here, '::%eth0', 'IPv6', 'IPv4', 'eth0'],
    [here, '::1', 'IPv6', 'IPv4', 'lo'],
    [here6, '192.0.2.8', 'IPv4', 'IPv6', 'eth0'],
  ] as const) {
    assert.throws(() => parseInterfaces(wrong, 'interfaces', lookup), {
      code: 'ERR_MULTICAST_INTERFACE',
      message: `interfaces is '${wrong}', an ${family} address, but the group is ${own}: give the interface by its name, '${meant}', or by an ${own} address`,
    })
  }
  // Where there is nothing else to give, that is the fault.
  assert.throws(
    () => parseInterfaces('198.51.100.1', 'interfaces', here6),
    /'198\.51\.100\.1', which has no IPv6 address/,
  )
  // A label and a zone's number are no addresses.
  assert.deepEqual(parseInterfaces('2', 'interfaces', here), ['2'])
})

test('a list that its owner changes later is the one that was given', () => {
  const list = ['lo', 'eth0']
  const kept = parseInterfaces(list, 'interfaces', here)
  list.length = 0
  assert.deepEqual(kept, ['lo', 'eth0'])
})

test('a list is one interface for each that it names, by the address that names it first', () => {
  const named = ['lo', '192.0.2.8', 'eth0', '127.0.0.1', '192.0.2.7']
  const second = { name: 'eth0', handle: '192.0.2.8', zone: 'eth0', given: '192.0.2.8' }
  assert.deepEqual(wantedInterfaces(here, named), [lo, second])
  assert.deepEqual(wantedInterfaces(here, ['eth0', '192.0.2.8']), [eth0])
  assert.deepEqual(wantedInterfaces(onEth0, ['eth0', 'fe80::7']), [eth0In6])
})

test('what is asked for is looked up at that moment', () => {
  let now: NetworkInterfaces = table
  const network = { group, networkInterfaces: () => now }
  assert.deepEqual(wantedInterfaces(network, ['eth0']), [eth0])
  now = { eth0: [v4('192.0.2.77')] }
  assert.deepEqual(wantedInterfaces(network, ['eth0']), [{ ...eth0, handle: '192.0.2.77' }])
  assert.throws(() => wantedInterfaces(network, ['lo']), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /^interfaces is 'lo', which is not an interface that/,
  })
})

test('a name stands for the address that the system would use', (t) => {
  on(t, 'linux')
  const handle = (one: NetworkInterfaces) => findInterface(one, group, 'eth0', 'interface').handle
  const [plain, linkScope, labelled] = ['10.7.0.1', '169.254.29.54', '10.7.0.9']
  assert.equal(handle({ eth0: [v4(linkScope), v4(plain)] }), plain)
  assert.equal(handle({ 'eth0:1': [v4(labelled)], eth0: [v4(plain)] }), plain)
  assert.equal(handle({ eth0: [v4(linkScope)] }), linkScope)
  assert.equal(handle({ eth0: [v4(linkScope)], 'eth0:1': [v4(labelled)] }), labelled)
  assert.equal(handle({ eth0: [v4(plain), v4('10.8.0.1')], ppp0: [v4(plain)] }), '10.8.0.1')
  assert.equal(handle({ eth0: [v4(plain), v4(linkScope)], ppp0: [v4(plain)] }), linkScope)
  const twin = { eth0: [v4(plain)], 'eth0:1': [v4(linkScope)], ppp0: [v4(plain)] }
  assert.equal(handle(twin), linkScope)
  assert.equal(handle({ eth0: [v4('10.169.254.1'), v4(plain)] }), '10.169.254.1')
})

test('an interface whose only address has a label goes by its name, that address and the label', (t) => {
  on(t, 'linux')
  const labelled = { 'v0:1': [v4('10.7.0.1')] }
  const v0 = { name: 'v0', handle: '10.7.0.1', zone: 'v0' }
  assert.deepEqual(findInterface(labelled, group, 'v0', 'interface'), v0)
  for (const wanted of ['10.7.0.1', 'v0:1']) {
    const given = { ...v0, given: '10.7.0.1' }
    assert.deepEqual(findInterface(labelled, group, wanted, 'interface'), given)
  }
  assert.deepEqual(listInterfaces(labelled, group), [v0])
})

test('an address that is given is used as it is', () => {
  for (const given of ['192.0.2.7', '192.0.2.8']) {
    const found = { name: 'eth0', handle: given, zone: 'eth0', given }
    assert.deepEqual(findInterface(table, group, given, 'interface'), found)
  }
  // Of another family it only names the interface.
  assert.deepEqual(findInterface(table, group, 'fe80::7', 'interface'), eth0)
  const linkLocal = { ...eth0In6, given: 'fe80::7%eth0' }
  assert.deepEqual(findInterface(table, group6, 'fe80::7', 'interface'), linkLocal)
  const global = { ...eth0In6, given: '2001:db8::7' }
  assert.deepEqual(findInterface(table, group6, '2001:DB8::7', 'interface'), global)
})

test('an address that two interfaces share is no name for one of them', () => {
  const twins = {
    lo: [v4('127.0.0.1')],
    ppp0: [v4('10.0.0.1')],
    ppp1: [v4('10.0.0.1')],
    ppp2: [v4('10.0.0.1'), v4('10.0.0.2')],
  }
  assert.throws(() => findInterface(twins, group, 'ppp1', 'interfaces'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message:
      /^interfaces is 'ppp1', which has no address of its own: 10\.0\.0\.1 is also that of ppp0, ppp2/,
  })
  const others = ['ppp1', 'ppp2']
  const ppp0 = { name: 'ppp0', handle: '10.0.0.1', zone: 'ppp0', others }
  assert.deepEqual(findInterface(twins, group, '10.0.0.1', 'interfaces'), {
    ...ppp0,
    given: '10.0.0.1',
  })
  assert.deepEqual(listInterfaces(twins, group), [
    lo,
    ppp0,
    { name: 'ppp2', handle: '10.0.0.2', zone: 'ppp2' },
  ])
})

test('to send on all leaves the loopback interface out, unless there is no other', () => {
  const loopback = v4('127.0.0.1', true)
  assert.deepEqual(
    outwardInterfaces({ ...table, lo: [loopback] }, group).map(({ name }) => name)[0],
    'eth0',
  )
  assert.deepEqual(outwardInterfaces({ lo: [loopback] }, group), [lo])
  const eth0Alone = { lo: [loopback], eth0: [v4('192.0.2.7')] }
  assert.deepEqual(outwardInterfaces(eth0Alone, group), [eth0])
  assert.deepEqual(outwardInterfaces({}, group), [])
})

test('an interface is bound to by its address, which for a group of the link is one of the link', () => {
  assert.equal(addressOn(table, group, eth0), '192.0.2.7')
  assert.equal(addressOn(table, group6, eth0In6), 'fe80::7%eth0')
  assert.equal(addressOn(table, parseGroup('ff05::1'), eth0In6), '2001:db8::7')
  assert.equal(addressOn(table, group6, { ...eth0In6, given: '2001:db8::7' }), '2001:db8::7')
  assert.equal(addressOn({ eth0: [v6('fd00::1')] }, group6, eth0In6), 'fd00::1')
  assert.equal(addressOn({}, group6, eth0In6), '::')
})

test('interfaces are listed by the given function, or the error is its failure', () => {
  assert.equal(interfaceLister(networkInterfaces, 'networkInterfaces')(), table)
  const cause = new Error('EACCES')
  const failing = interfaceLister(() => {
    throw cause
  }, 'networkInterfaces')
  assert.throws(failing, {
    code: 'ERR_MULTICAST_INTERFACE',
    message: 'The network interfaces could not be listed: EACCES',
    cause,
  })
  for (const wrong of [undefined, null, 7, 'lo']) {
    assert.throws(
      interfaceLister(() => wrong, 'networkInterfaces'),
      { code: 'ERR_MULTICAST_INTERFACE', message: /could not be listed: the function returned / },
    )
  }
  assert.throws(() => interfaceLister({}, 'networkInterfaces'), {
    code: 'ERR_MULTICAST_OPTION',
    message: /^networkInterfaces must be a function/,
  })
})

test('opening takes the table that the check of the options has listed, once', () => {
  let listed = 0
  const lister = interfaceLister(() => {
    listed += 1
    return { [`eth${listed}`]: [] }
  }, 'networkInterfaces')
  const name = (one: NetworkInterfaces): string => Object.keys(one).join()
  assert.deepEqual([name(lister()), name(lister())], ['eth1', 'eth2'])
  assert.deepEqual([name(lister.again()), name(lister.again())], ['eth2', 'eth3'])
  lister()
  assert.equal(name(lister.again()), 'eth5')
})

test("what is waited for is in the group's zone", () => {
  const lookup = (zone: string) => ({
    group: parseGroup(`ff02::1%${zone}`),
    networkInterfaces: interfaceLister(() => table, 'networkInterfaces'),
  })
  const waitFor = (interfaces: string, zone: string) =>
    parseInterfaces(interfaces, 'interfaces', lookup(zone), true)
  // What is there contradicts another zone that is there, and waiting does not mend it.
  assert.throws(() => waitFor('lo', 'eth0'), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /zone is %eth0, but interfaces asks for lo/,
  })
  assert.deepEqual(waitFor('eth0', 'eth0'), ['eth0'])
  assert.deepEqual(waitFor('eth9', 'eth0'), ['eth9'])
  // An interface is not used for a zone that may be another one, once that comes.
  assert.deepEqual(waitFor('eth0', 'eth9'), ['eth0'])
  assert.equal(foundInterface(table, lookup('eth9').group, 'eth0'), undefined)
  assert.equal(foundInterface(table, lookup('eth0').group, 'eth0')?.name, 'eth0')
})
