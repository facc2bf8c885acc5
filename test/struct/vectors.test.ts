import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { modes } from '../../src/struct/codes.js'
import { calcsize, packInto, Struct } from '../../src/struct/index.js'
import { type Recording, read, recordings, run, type Tally, ways } from './vectors.js'

const execute = promisify(execFile)
const vectors = new URL('vectors.js', import.meta.url).href

/** What is recorded, so that an empty file proves nothing. */
const recorded = {
  'cpython-3.13': {
    calcsize: 12_671,
    iter_unpack: 5_468,
    pack: 20_279,
    pack_into: 30_440,
    unpack: 11_888,
    unpack_from: 8_986,
  },
  'cpython-3.14-complex': {
    calcsize: 484,
    iter_unpack: 626,
    pack: 3_762,
    pack_into: 5_627,
    unpack: 1_505,
    unpack_from: 1_502,
  },
}

/** Fewer formats than those that generated code serves once they are much in use. */
const most = { 'cpython-3.13': 3000, 'cpython-3.14-complex': 0 }

function counted({ formats }: Recording): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [operation] of formats.flatMap(([, calls]) => calls)) {
    counts[operation] = (counts[operation] ?? 0) + 1
  }
  return counts
}

function passed(tally: Tally, recording: Recording): void {
  const { calls, refusals, reworded, failed, failures } = tally
  assert.equal(failed, 0, `${failed} of ${calls} calls differ from Python:\n${failures.join('\n')}`)
  const single = Object.values(counted(recording)).reduce((sum, count) => sum + count)
  // Those with integers run twice. On Windows those with a native long are left out.
  assert.ok(calls > single, `ran ${calls} of ${single} calls`)
  assert.ok(reworded < refusals / 100, `${reworded} of ${refusals} refusals in other words`)
}

/** What comes of each recording, through the functions and through a Struct in use, without generated code. */
async function withoutCode(): Promise<Record<(typeof recordings)[number], Tally[]>> {
  const program = `
    import { read, recordings, run, ways } from ${JSON.stringify(vectors)}
    const tallies = recordings.map(read).map((recording) => [
      run(recording, ways.cold),
      run(recording, ways.warm),
    ])
    console.log(JSON.stringify(Object.fromEntries(recordings.map((name, at) => [name, tallies[at]]))))`
  const flags = ['--disallow-code-generation-from-strings']
  const args = [...flags, '--input-type=module', '--eval', program]
  const { stdout } = await execute(process.execPath, args)
  return JSON.parse(stdout)
}

let interpreted: ReturnType<typeof withoutCode> | undefined

for (const name of recordings) {
  test(`${name}: what was recorded is complete`, () => {
    assert.deepEqual(counted(read(name)), recorded[name])
  })

  test(`${name}: the functions do as Python does`, () => {
    const recording = read(name)
    passed(run(recording, ways.cold), recording)
  })

  test(`${name}: a Struct that was much in use does as Python does`, () => {
    const recording = read(name)
    const tally = run(recording, ways.warm)
    passed(tally, recording)
    // Or this would prove the interpreter twice.
    assert.ok(tally.generated > most[name], `${tally.generated} formats`)
  })

  test(`${name}: both do so where no code may be generated`, async () => {
    interpreted ??= withoutCode()
    const tallies = (await interpreted)[name]
    assert.equal(tallies.length, 2)
    for (const tally of tallies) {
      passed(tally, read(name))
      assert.equal(tally.generated, 0)
    }
  })
}

test('of every code, with every prefix, each operation is recorded', () => {
  const seen = new Set<string>()
  for (const [encoded, calls] of recordings.flatMap((name) => read(name).formats)) {
    const format = String(encoded).slice(1)
    const prefix = modes.has(format.charAt(0)) ? format.charAt(0) : '@'
    // What is refused, or repeated no times, shows nothing of a code.
    const chars = [...format.matchAll(/(\d*)([a-zA-Z?])/g)].filter(([, count]) => count !== '0')
    for (const [operation, , outcome] of calls) {
      if (typeof outcome === 'number') continue
      for (const [, , char] of chars) seen.add(`${operation} ${prefix}${char}`)
    }
  }
  const codes = [...modes].flatMap(([prefix, mode]) =>
    [...mode.codes.keys()].map((char) => prefix + char),
  )
  const wanted = Object.keys(recorded['cpython-3.13']).flatMap((operation) =>
    codes.map((code) => `${operation} ${code}`),
  )
  assert.deepEqual(
    wanted.filter((call) => !seen.has(call)),
    [],
    'not recorded in test/struct/vectors',
  )
})

test('a size that a number cannot hold exactly is refused, though Python gives it', () => {
  const { vast } = read('cpython-3.13')
  assert.ok(vast.length > 100)
  for (const [format, size] of vast) {
    assert.ok(BigInt(size.slice(1)) > Number.MAX_SAFE_INTEGER, format)
    const refusal = { name: 'StructError', message: 'total struct size too long' }
    assert.throws(() => calcsize(format), refusal, format)
    assert.throws(() => new Struct(format), refusal, format)
  }
})

test('what is not recorded since CPython errs there', () => {
  // It writes the length byte of a trailing 0p behind the field.
  const buffer = Buffer.alloc(3, 0xff)
  packInto('b0p', buffer, 1, 7, Buffer.from('x'))
  assert.deepEqual([...buffer], [0xff, 7, 0xff])
})
