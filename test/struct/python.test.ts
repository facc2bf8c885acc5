import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { calcsize, pack, packInto, unpack } from '../../src/struct/index.js'
import { isCI, root } from '../tree.js'
import { cases, except, seed } from './formats.js'
import { outcome } from './outcome.js'

/** What Python prints that is run so. Where there is none the test is skipped. */
function printed(t: TestContext, args: readonly string[], input: string): string[] | undefined {
  const { stdout, stderr, status, error } = spawnSync('python3', args, {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (error !== undefined) {
    assert.ok(!isCI, 'needs python3')
    t.skip('needs python3')
    return undefined
  }
  assert.equal(status, 0, stderr)
  return stdout.trimEnd().split('\n')
}

/** What Python answers to each line. */
function asked(t: TestContext, lines: readonly string[]): string[] | undefined {
  const answers = printed(t, [join(root, 'test/struct/oracle.py')], lines.join('\n'))
  assert.equal(answers?.length ?? lines.length, lines.length)
  return answers
}

/** A value as the Python program reads and writes it: floats by their bits. */
function encoded(value: unknown): unknown {
  if (typeof value === 'boolean') return value
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('hex')}`
  if (typeof value === 'bigint') return `i${value}`
  if (typeof value !== 'number') throw new Error(`not for Python: ${String(value)}`)
  if (Number.isNaN(value)) return 'nan'
  const bits = Buffer.alloc(8)
  bits.writeDoubleBE(value)
  return `f${bits.toString('hex')}`
}

/** To Python an integral number is an int; a float stays one, also where it is integral. */
function given(value: unknown): unknown {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return `i${value}`
  return encoded(value)
}

test('Python packs the same bytes and unpacks the same values', (t) => {
  // Complex numbers came with 3.14, and before 3.13 a 0p could not be unpacked. What is true is the
  // vectors' matter: JavaScript's objects are not Python's.
  const arbitrary = cases(except('FDp?'))
  const pascal = cases(['p', 'H', 'x']).filter(({ format }) => !/(^|\D)0+p/.test(format))
  const all = fc.sample(fc.oneof({ weight: 9, arbitrary }, pascal), { seed, numRuns: 4000 })
  const lines = all.map(({ format, given: values, bytes }) =>
    JSON.stringify([format, values.map(given), Buffer.from(bytes).toString('hex')]),
  )
  const answers = asked(t, lines)
  if (answers === undefined) return
  for (const [at, { format, given: values, bytes }] of all.entries()) {
    const packed = pack(format, ...values)
    const mine = JSON.stringify([
      calcsize(format),
      packed.toString('hex'),
      unpack(format, packed).map(asPython(format)),
      unpack(format, bytes).map(asPython(format)),
    ])
    assert.equal(mine, answers[at], `seed ${seed}: ${lines[at]}`)
  }
})

/** Integers and floats are told apart by their codes, of which there is one for each value. */
function asPython(format: string): (value: unknown, at: number) => unknown {
  const codes = [...format.matchAll(/(\d*)([a-zA-Z?])/g)].flatMap(([, digits = '', code = '']) => {
    if (code === 'x') return []
    return 'sp'.includes(code) ? [code] : new Array<string>(Number(digits || 1)).fill(code)
  })
  return (value, at) => ('efd'.includes(codes[at] ?? '') ? encoded(value) : given(value))
}

test('what is a format to Python is one here, of the same size', (t) => {
  const unit = fc.constantFrom(...'xcbB?hHiIlLqQnNefdspP@=<>! \t\n0123456789zk*')
  const noise = fc.string({ unit, maxLength: 9 })
  const formats = fc.sample(noise, { seed, numRuns: 4000 })
  const answers = asked(
    t,
    formats.map((format) => JSON.stringify(format)),
  )
  if (answers === undefined) return
  const mine = formats.map((format) => {
    const came = outcome(() => calcsize(format))
    return JSON.stringify('error' in came ? (came.error as Error).message : came.result)
  })
  assert.deepEqual(mine, answers, `seed ${seed}`)
  assert.ok(answers.filter((answer) => !answer.startsWith('"')).length > 300)
})

/** Prints the version, and what comes of each format: packed, packed into more bytes, and unpacked. */
const zeroPascal = `
import struct, sys
print("%d.%d" % sys.version_info[:2])
for line in sys.stdin:
    format = line.rstrip()
    values = [b"x" if code == "p" else 1 for code in format if code in "pBI"]
    packed = struct.pack(format, *values)
    buffer = bytearray(b"\\xaa" * (len(packed) + 2))
    struct.pack_into(format, buffer, 1, *values)
    try:
        unpacked = str(len(struct.unpack(format, packed)))
    except SystemError:
        unpacked = "SystemError"
    print(packed.hex(), buffer.hex(), unpacked)
`

/** A format with a 0p: what is packed and packed into more bytes here, by CPython up to 3.12, and from 3.13 on. */
const zeroPascals = [
  ['=0p  xB', '0001 aa0001aa', 'ff01 aaff01aa'],
  ['@B0pI', '0100000001000000 aa0100000001000000aa', '01ff000001000000 aa01ff000001000000aa'],
  ['=0pB', '01 aa01aa', '01 aa01aa'],
  ['=B0p', '01 aa01aa', '01 aa01ff', '01 aa0100'],
] as const

test("CPython's faults with a 0p are those that docs/struct.md tells, and not made here", (t) => {
  const formats = zeroPascals.map(([format]) => format)
  const [version, ...told] = printed(t, ['-c', zeroPascal], formats.join('\n')) ?? []
  const minor = Number(version?.split('.')[1])
  for (const [at, [format, right, before, since = right]] of zeroPascals.entries()) {
    const values = [...format]
      .filter((code) => 'pBI'.includes(code))
      .map((code) => (code === 'p' ? Buffer.from('x') : 1))
    const packed = pack(format as string, ...values)
    const buffer = Buffer.alloc(packed.length + 2, 0xaa)
    packInto(format as string, buffer, 1, ...values)
    assert.equal(`${packed.toString('hex')} ${buffer.toString('hex')}`, right, format)
    assert.equal(unpack(format, packed).length, values.length)
    if (version === undefined) continue
    const outcomes =
      minor < 13
        ? [`${before} SystemError`]
        : [since, right].map((came) => `${came} ${values.length}`)
    assert.ok(outcomes.includes(told[at] ?? ''), `${format} on Python ${version}: ${told[at]}`)
  }
})
