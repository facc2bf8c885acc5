import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { inetAton, inetNtoa, inetNtop, inetPton } from '../../src/struct/inet.js'
import { runStruct } from './program.js'

const hex = (text: string) => Buffer.from(text, 'hex')
const illegalAton = 'illegal IP address string passed to inet_aton'
const illegalPton = 'illegal IP address string passed to inet_pton'

test('inetAton reads one to four numbers, the last of which fills the rest', () => {
  const cases = {
    '224.3.29.71': 'e0031d47',
    '0.0.0.0': '00000000',
    '255.255.255.255': 'ffffffff',
    '127.1': '7f000001',
    '1.2.65535': '0102ffff',
    '1.16777215': '01ffffff',
    '4294967295': 'ffffffff',
    '0177.0.0.01': '7f000001',
    '0x7F.0Xff': '7f0000ff',
    '000000000000000000000377': '000000ff',
    '1.2.3.4 and more': '01020304',
    '1.2.3.4\n': '01020304',
  }
  for (const [address, packed] of Object.entries(cases)) {
    assert.deepEqual(inetAton(address), hex(packed), address)
  }
})

test('inetAton refuses any other text in the words of Python', () => {
  const wrong = [
    ...['', '.', ' ', ' 1.2.3.4', '1.2.3.4x', '1.2.3.4.', '1..2', '.1', '1.2.3.4.5', 'localhost'],
    ...['256.0.0.1', '1.2.3.256', '1.2.65536', '1.16777216', '4294967296', '99999999999999999999'],
    ...['08', '0x', '0x.1', '0xg', '0b1', '-1', '+1', '1e2', '1.2.3.4\u00a0', '١.2.3.4', '::1'],
  ]
  for (const address of wrong) {
    assert.throws(() => inetAton(address), {
      code: 'ERR_STRUCT_ADDRESS',
      message: illegalAton,
      value: address,
    })
  }
})

test('inetNtoa writes four bytes, and refuses any other number of them', () => {
  assert.equal(inetNtoa(hex('e0031d47')), '224.3.29.71')
  assert.equal(inetNtoa(Uint8Array.of(0, 0, 0, 0)), '0.0.0.0')
  for (const size of [0, 3, 5, 16]) {
    assert.throws(() => inetNtoa(new Uint8Array(size)), {
      name: 'StructError',
      code: 'ERR_STRUCT_ADDRESS',
      message: 'packed IP wrong length for inet_ntoa',
    })
  }
})

test('inetPton takes one form of an IPv4 address only', () => {
  assert.deepEqual(inetPton('IPv4', '224.3.29.71'), hex('e0031d47'))
  const wrong = ['127.1', '1.2.3.04', '0x1.2.3.4', '1.2.3.4 ', '1.2.3.256', '1.2.3', '1.2.3.4.', '']
  for (const address of wrong) {
    assert.throws(() => inetPton('IPv4', address), {
      code: 'ERR_STRUCT_ADDRESS',
      message: illegalPton,
      value: address,
    })
  }
})

test('inetPton packs IPv6 with and without a gap, and with IPv4 at its end', () => {
  const cases = {
    '::': '00000000000000000000000000000000',
    'ff02::1': 'ff020000000000000000000000000001',
    '2001:DB8::': '20010db8000000000000000000000000',
    '1:2:3:4:5:6:7:8': '00010002000300040005000600070008',
    '1:2:3:4:5:6:7::': '00010002000300040005000600070000',
    '::ffff:192.0.2.7': '00000000000000000000ffffc0000207',
    '1:2:3:4:5:6:192.0.2.7': '000100020003000400050006c0000207',
  }
  for (const [address, packed] of Object.entries(cases)) {
    assert.deepEqual(inetPton('IPv6', address), hex(packed), address)
  }
  const wrong = [
    ...['', ':', ':::', '1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4::5:6:7:8', '1::2::3'],
    ...[
      ':1:2:3:4:5:6:7',
      '::1:',
      '12345::',
      '00001::',
      'g::',
      '1.2.3.4',
      '1.2.3.4::',
      '::1.2.3.4:5',
    ],
    ...['::1.2.3', '::1.2.3.04', 'ff02::1%eth0', 'ff02::1%2', '[::1]', ' ::1', '::1\n'],
  ]
  for (const address of wrong) {
    assert.throws(() => inetPton('IPv6', address), {
      code: 'ERR_STRUCT_ADDRESS',
      message: illegalPton,
      value: address,
    })
  }
})

test('inetNtop writes IPv6 as short as glibc does', () => {
  const cases = {
    '00000000000000000000000000000000': '::',
    '00000000000000000000000000000001': '::1',
    '0000000000000000000000000000ffff': '::ffff',
    '00000000000000000000000000010002': '::0.1.0.2',
    '00000000000000000000000000010000': '::0.1.0.0',
    '00000000000000000000ffff00000000': '::ffff:0.0.0.0',
    '00000000000000000001000000000000': '::1:0:0:0',
    '00010000000300040005000600070008': '1:0:3:4:5:6:7:8',
    '00010000000000040000000000070008': '1::4:0:0:7:8',
    '20010db80000000000010000000000ab': '2001:db8::1:0:0:ab',
    ff020000000000000000000000000000: 'ff02::',
  }
  for (const [packed, address] of Object.entries(cases)) {
    assert.equal(inetNtop('IPv6', hex(packed)), address)
  }
  assert.equal(inetNtop('IPv4', hex('e0031d47')), '224.3.29.71')
})

test('inetNtop refuses the bytes of another family', () => {
  for (const [family, size] of [
    ['IPv4', 16],
    ['IPv6', 4],
    ['IPv6', 0],
    ['IPv6', 17],
  ] as const) {
    assert.throws(() => inetNtop(family, new Uint8Array(size)), {
      code: 'ERR_STRUCT_ADDRESS',
      message: 'invalid length of packed IP address string',
    })
  }
})

test('bytes are read where they are, whoever has made them', () => {
  const memory = Buffer.from('..\x7f\0\0\x01..', 'latin1')
  assert.equal(inetNtoa(memory.subarray(2, 6)), '127.0.0.1')
  const inside = Uint8Array.from([...Buffer.alloc(3), ...hex('ff02'), ...Buffer.alloc(14)])
  assert.equal(inetNtop('IPv6', inside.subarray(3)), 'ff02::')
  assert.equal(inetNtoa(runInNewContext('Uint8Array.of(127, 0, 0, 1)')), '127.0.0.1')
})

test('a value of the wrong type is refused, with the type that it has', () => {
  for (const [value, type] of [
    [undefined, 'NoneType'],
    [null, 'NoneType'],
    [1, 'int'],
    [hex('7f000001'), 'bytes'],
  ] as const) {
    const code = 'ERR_STRUCT_ADDRESS'
    assert.throws(() => inetAton(value as never), {
      code,
      message: `inet_aton() argument must be str, not ${type}`,
    })
    assert.throws(() => inetPton('IPv4', value as never), {
      code,
      message: `inet_pton() argument 2 must be str, not ${type}`,
    })
  }
  for (const value of [
    undefined,
    null,
    '1234',
    [1, 2, 3, 4],
    new Uint16Array(4),
    new DataView(new ArrayBuffer(4)),
    { length: 4, join: () => '1.2.3.4', [Symbol.toStringTag]: 'Uint8Array' },
  ]) {
    for (const call of [inetNtoa, (given: never) => inetNtop('IPv4', given)]) {
      assert.throws(() => call(value as never), {
        code: 'ERR_STRUCT_ADDRESS',
        message: /^a bytes-like object is required, not '/,
      })
    }
  }
  for (const family of ['ipv4', 'toString', 0, 5, '4', undefined, null]) {
    for (const call of [
      () => inetPton(family as never, '1.2.3.4'),
      () => inetNtop(family as never, hex('01020304')),
    ]) {
      assert.throws(call, { code: 'ERR_STRUCT_ADDRESS', message: /'IPv4' or 'IPv6'/ })
    }
  }
})

test('a family has a name, and the number that net.isIP() gives', () => {
  for (const [family, number, address] of [
    ['IPv4', 4, '192.0.2.7'],
    ['IPv6', 6, '2001:db8::7'],
  ] as const) {
    assert.equal(isIP(address), number)
    assert.deepEqual(inetPton(number, address), inetPton(family, address))
    assert.equal(inetNtop(number, inetPton(family, address)), address)
  }
})

test('a text that C could not be given is refused', () => {
  for (const call of [inetAton, (text: string) => inetPton('IPv4', text)]) {
    assert.throws(() => call('1.2.3.4\0'), { message: 'embedded null character' })
    // Python has a UnicodeEncodeError for it.
    assert.throws(() => call('1.2.3.4 \ud800'), { message: /^illegal IP address string/ })
  }
})

test('a text of any length is answered', async () => {
  // In a process of its own, which is killed where one of them takes it beyond all bounds.
  const stdout = await runStruct(`
    const pieces = ['1', '0', '.', '1.', ':', '::', '1:', '0:', 'f', ' ', '1 ', '0x', '\\0']
    for (const piece of pieces) {
      const long = piece.repeat(100_000)
      for (const text of [long, long + 'x', '1.' + long, '::' + long, '::1.' + long]) {
        for (const call of [
          () => struct.inetAton(text),
          () => struct.inetPton('IPv4', text),
          () => struct.inetPton('IPv6', text),
        ]) {
          try {
            call()
          } catch (error) {
            if (!(error instanceof struct.StructError)) throw error
          }
        }
      }
    }
    console.log('done')`)
  assert.equal(stdout, 'done\n')
  const length = 100_000
  assert.deepEqual(inetAton(`${'0'.repeat(length)}1`), hex('00000001'))
  assert.deepEqual(inetAton(`1 ${'x'.repeat(length)}`), hex('00000001'))
})
