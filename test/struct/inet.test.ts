import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { StructError } from '../../src/struct/error.js'
import {
  type AddressFamily,
  inetAton,
  inetNtoa,
  inetNtop,
  inetPton,
} from '../../src/struct/inet.js'

const hex = (text: string) => Buffer.from(text, 'hex')
const illegalAton = 'illegal IP address string passed to inet_aton'
const illegalPton = 'illegal IP address string passed to inet_pton'

/** What a call gives, as Python's answer is written. */
function outcome(call: () => Buffer | string): object {
  try {
    const result = call()
    return typeof result === 'string' ? { text: result } : { hex: result.toString('hex') }
  } catch (error) {
    assert.ok(error instanceof StructError)
    assert.equal(error.code, 'ERR_STRUCT_ADDRESS')
    return { error: error.message }
  }
}

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

test('a text of any length is answered at once', () => {
  const length = 100_000
  const pieces = ['1', '0', '.', '1.', ':', '::', '1:', '0:', 'f', ' ', '1 ', '0x', '\0']
  const start = performance.now()
  for (const piece of pieces) {
    const long = piece.repeat(length)
    for (const text of [long, `${long}x`, `1.${long}`, `::${long}`, `::1.${long}`]) {
      outcome(() => inetAton(text))
      outcome(() => inetPton('IPv4', text))
      outcome(() => inetPton('IPv6', text))
    }
  }
  const took = performance.now() - start
  assert.ok(took < 2000, `took ${took} ms`)
  assert.deepEqual(inetAton(`${'0'.repeat(length)}1`), hex('00000001'))
  assert.deepEqual(inetAton(`1 ${'x'.repeat(length)}`), hex('00000001'))
})

// Against Python itself, in one process for all calls of a test.

type Call = [name: string, ...args: (string | { hex: string })[]]

const libc = spawnSync('python3', ['-c', 'import platform; print(platform.libc_ver()[0])'])
const skip =
  libc.stdout?.toString().trim() !== 'glibc' &&
  process.env.CI !== 'true' &&
  'needs python3 with glibc'

function python(calls: Call[]): { hex?: string; text?: string; error?: string; type?: string }[] {
  const program = fileURLToPath(new URL('../python/inet.py', import.meta.url))
  const { stdout, stderr, status } = spawnSync('python3', [program], {
    input: JSON.stringify(calls),
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

/** Compares every answer, and tells how many of them were no errors. */
function compare(calls: Call[]): number {
  const answers = python(calls)
  assert.equal(answers.length, calls.length)
  for (const [index, call] of calls.entries()) {
    const { type: _, ...expected } = answers[index] ?? {}
    assert.deepEqual(
      outcome(() => here(call)),
      expected,
      JSON.stringify(call),
    )
  }
  return answers.filter(({ error }) => error === undefined).length
}

function here([name, ...args]: Call): Buffer | string {
  const family = args[0] === 'AF_INET6' ? 'IPv6' : 'IPv4'
  const value = args.at(-1)
  if (typeof value === 'object') {
    return name === 'inet_ntoa' ? inetNtoa(hex(value.hex)) : inetNtop(family, hex(value.hex))
  }
  return name === 'inet_aton' ? inetAton(value ?? '') : inetPton(family, value ?? '')
}

const parsers = (text: string): Call[] => [
  ['inet_aton', text],
  ['inet_pton', 'AF_INET', text],
  ['inet_pton', 'AF_INET6', text],
]

/** The same numbers on each run: mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

test('each character after an address is taken or refused as by Python', { skip }, () => {
  const characters = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code))
  const others = ['\u0661', '\u1680', '\u2003', '\u2028', '\u3000', '\ufeff', '\uff11', '😀']
  const texts = [...characters, ...others].flatMap((character) =>
    ['1.2.3.4', '0', '0x', '::', '::1.2.3.4'].flatMap((address) => [
      `${address}${character}`,
      `${address}${character}1`,
      `${character}${address}`,
      `${address} ${character}`,
    ]),
  )
  assert.ok(compare(texts.flatMap(parsers)) > 500)
})

test('each number of each length is taken or refused as by Python', { skip }, () => {
  const limits = [0, 1, 7, 8, 9, 10, 255, 256, 65535, 65536, 2 ** 24 - 1, 2 ** 24, 2 ** 32 - 1]
  const numbers = [...limits, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 2 ** 64 + 2 ** 12].flatMap(
    (limit) => {
      const number = BigInt(limit)
      return [`${number}`, `0${number}`, `0${number.toString(8)}`, `0x${number.toString(16)}`]
    },
  )
  const texts = numbers.flatMap((number) => [
    ...[number, `1.${number}`, `1.2.${number}`, `1.2.3.${number}`, `1.2.3.4.${number}`],
    ...[`${number}.1`, `1.${number}.1`, `1.2.${number}.1`, `::${number}`, `::1.2.3.${number}`],
  ])
  assert.ok(compare(texts.flatMap(parsers)) > 200)
})

test('random IPv4 texts are taken or refused as by Python', { skip }, () => {
  const random = seeded(4)
  const parts = ['0', '1', '9', '08', '010', '0x', '0xfF', '99', '255', '256', '1.2', '65535', '']
  const joints = ['.', '.', '.', '.', '.', '.', '.', '..', ' ', '\t', 'x', ':', '-']
  const texts = Array.from({ length: 4000 }, () => {
    let text = ''
    for (let count = random(5); count >= 0; count -= 1) {
      text += random(3) === 0 ? parts[random(parts.length)] : random(300)
      if (count > 0) text += joints[random(joints.length)]
    }
    return text
  })
  const taken = compare(texts.flatMap(parsers))
  assert.ok(taken > 1000 && taken < 7000, `${taken} taken`)
})

test('random IPv6 texts are taken or refused as by Python', { skip }, () => {
  const random = seeded(6)
  const alphabet = '0123456789abcdefABCDEF::::....%gx '
  const texts = Array.from({ length: 6000 }, () => {
    const groups = Array.from({ length: 1 + random(8) }, () => random(0x10000).toString(16))
    if (random(3) === 0) groups.push(`${random(260)}.${random(256)}.${random(256)}.${random(256)}`)
    if (random(4) > 0) groups.splice(random(groups.length + 1), 0, '')
    let text = groups.join(':')
    if (text.startsWith(':') && random(8) > 0) text = `:${text}`
    if (text.endsWith(':') && random(8) > 0) text = `${text}:`
    // Most are left as they are, the others have some characters changed.
    for (let changes = Math.max(0, random(6) - 3); changes > 0; changes -= 1) {
      const at = random(text.length)
      const put = random(2) === 0 ? '' : alphabet.charAt(random(alphabet.length))
      text = text.slice(0, at) + put + text.slice(at + random(2))
    }
    return text
  })
  const taken = compare(texts.flatMap(parsers))
  assert.ok(taken > 1500 && taken < 5000, `${taken} taken`)
})

test('every pattern of zero groups is written as by Python, and read again', { skip }, () => {
  const random = seeded(16)
  const fillings = [() => 1, () => 0xffff, () => 0x0a00, () => random(0x10000)]
  const packed = fillings.flatMap((filling) =>
    Array.from({ length: 256 }, (_, pattern) => {
      const bytes = Buffer.alloc(16)
      for (let group = 0; group < 8; group += 1) {
        bytes.writeUInt16BE(pattern & (1 << group) ? filling() : 0, 2 * group)
      }
      return bytes
    }),
  )
  for (let count = 0; count < 4000; count += 1) {
    const bytes = Buffer.from(Array.from({ length: 16 }, () => random(256)))
    // Long runs of zeros, from the front too.
    bytes.fill(0, random(16), random(17))
    if (random(3) === 0) bytes.fill(0, 0, random(17))
    if (random(4) === 0) bytes.writeUInt16BE(0xffff, 2 * random(8))
    packed.push(bytes)
  }
  const families: [AddressFamily, string, (bytes: Buffer) => Buffer][] = [
    ['IPv4', 'AF_INET', (bytes) => bytes.subarray(12)],
    ['IPv6', 'AF_INET6', (bytes) => bytes],
  ]
  for (const [family, constant, part] of families) {
    const calls = packed.map(
      (bytes): Call => ['inet_ntop', constant, { hex: part(bytes).toString('hex') }],
    )
    assert.equal(compare(calls), packed.length)
    for (const bytes of packed) {
      assert.deepEqual(inetPton(family, inetNtop(family, part(bytes))), part(bytes))
    }
  }
})

test('bytes of each length are taken or refused as by Python', { skip }, () => {
  const calls = Array.from({ length: 20 }, (_, size) => ({ hex: '5a'.repeat(size) })).flatMap(
    (bytes): Call[] => [
      ['inet_ntoa', bytes],
      ['inet_ntop', 'AF_INET', bytes],
      ['inet_ntop', 'AF_INET6', bytes],
    ],
  )
  assert.equal(compare(calls), 3)
})
