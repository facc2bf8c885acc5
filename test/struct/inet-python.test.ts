/** Against Python itself, in one process for all calls of a test. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { StructError } from '../../src/struct/error.js'
import {
  type AddressFamily,
  inetAton,
  inetNtoa,
  inetNtop,
  inetPton,
} from '../../src/struct/inet.js'
import { isCI, root } from '../tree.js'

const hex = (text: string) => Buffer.from(text, 'hex')

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

type Call = [name: string, ...args: (string | { hex: string })[]]

const libc = spawnSync('python3', ['-c', 'import platform; print(platform.libc_ver()[0])'])
const skip = libc.stdout?.toString().trim() !== 'glibc' && !isCI && 'needs python3 with glibc'

function python(calls: Call[]): { hex?: string; text?: string; error?: string; type?: string }[] {
  const program = join(root, 'test/python/inet.py')
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
