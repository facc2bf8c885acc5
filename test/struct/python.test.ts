import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { calcsize, pack, unpack } from '../../src/struct/index.js'
import { isCI, root } from '../tree.js'
import { cases, except, seed } from './formats.js'
import { outcome } from './outcome.js'

/** What Python answers to each line. Where there is none the test is skipped. */
function asked(t: TestContext, lines: readonly string[]): string[] | undefined {
  const program = join(root, 'test/struct/oracle.py')
  const { stdout, stderr, status, error } = spawnSync('python3', [program], {
    input: lines.join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (error !== undefined) {
    assert.ok(!isCI, 'needs python3')
    t.skip('needs python3')
    return undefined
  }
  assert.equal(status, 0, stderr)
  const answers = stdout.trimEnd().split('\n')
  assert.equal(answers.length, lines.length)
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
