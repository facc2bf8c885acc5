import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as struct from '../../src/struct/index.js'
import { Struct } from '../../src/struct/index.js'
import { alike, functions, impostors, nothing, refused } from './hostile.js'
import { answer } from './outcome.js'
import { runStruct } from './program.js'

test('what is no string is no format', () => {
  for (const [name, make] of Object.entries(impostors)) {
    if (name === 'a string') continue
    const calls = Object.entries(functions).filter(
      ([key]) => key === 'calcsize' || key in new Struct(''),
    )
    assert.equal(calls.length, 6)
    for (const [key, call] of calls) {
      const came = answer(
        () => call(make(), nothing),
        () => `${key} of ${name}`,
      )
      refused(came, 'ERR_STRUCT_FORMAT', `${key} of ${name}`)
    }
    assert.throws(() => new Struct(make() as string), { code: 'ERR_STRUCT_FORMAT' })
  }
})

const most = Number.MAX_SAFE_INTEGER

/** Formats with the size that they have, or undefined where it is too much. */
const vast: [format: string, size: number | undefined][] = [
  [`${most}x`, most],
  [`<${most}s`, most],
  [`>${most}B`, most],
  [`=${most}p`, most],
  [`${most - 1}xb`, most],
  [`${most}xb`, undefined],
  [`<${2n ** 53n}x`, undefined],
  [`<${2n ** 50n - 1n}d`, 2 ** 53 - 8],
  [`<${2n ** 50n}d`, undefined],
  [`<${2n ** 49n - 1n}D7x`, 2 ** 53 - 9],
  [`<${2n ** 49n}D`, undefined],
  // What follows is aligned to 2⁵³ − 8, and to 2⁵³.
  [`@${2n ** 53n - 9n}x0q`, 2 ** 53 - 8],
  [`@${2n ** 53n - 7n}x0q`, undefined],
  [`@${2n ** 53n - 9n}xq`, undefined],
  [`${2n ** 31n}x`, 2 ** 31],
  [`${2n ** 32n}x`, 2 ** 32],
  [`${2n ** 62n}s`, undefined],
  [`${2n ** 63n - 1n}x`, undefined],
  [`${2n ** 63n}x`, undefined],
  [`${2n ** 64n}x`, undefined],
  [`${2n ** 64n + 1n}x`, undefined],
  [`${2n ** 63n - 1n}x`.repeat(9), undefined],
  ['9'.repeat(19).concat('I'), undefined],
  ['9'.repeat(400).concat('x'), undefined],
]

test('a size that a number does not hold is refused, and those up to it are exact', () => {
  for (const [format, size] of vast) {
    const came = answer(
      () => struct.calcsize(format),
      () => format,
    )
    if (size !== undefined) assert.deepEqual(came, { result: size }, format)
    else refused(came, 'ERR_STRUCT_FORMAT', format)
  }
})

test('no memory is asked for in vain', () => {
  for (const [format, size] of vast) {
    if (size === undefined) continue
    const takesNone = /^\D?\d+x(0q)?$/.test(format)
    // Of so much there may be memory.
    if (size < 2 ** 45 && takesNone) continue
    const none = alike(format, 'pack()', (struct) => struct.pack())
    refused(none, takesNone ? 'ERR_STRUCT_BUFFER' : 'ERR_STRUCT_COUNT', format)
    const takesOne = /[sp]$|xb$/.test(format)
    const one = alike(format, 'pack(bytes)', (struct) => struct.pack(Buffer.from('a')))
    refused(one, takesOne ? 'ERR_STRUCT_BUFFER' : 'ERR_STRUCT_COUNT', format)
  }
  for (const [format, size] of vast) {
    if (size === undefined) continue
    const given = [Buffer.alloc(8)]
    const into = alike(format, 'packInto()', (struct) => struct.packInto(given[0], 0, 1))
    assert.ok('error' in into)
    const read = alike(format, 'unpack()', (struct) => struct.unpack(given[0]))
    refused(read, 'ERR_STRUCT_BUFFER', format)
    for (const offset of [0, -8, 8, 2 ** 53 - 1, -(2 ** 53) + 1, 2n ** 63n - 1n]) {
      const from = alike(format, 'unpackFrom()', (struct) => struct.unpackFrom(given[0], offset))
      refused(from, 'ERR_STRUCT_OFFSET', format)
    }
    const each = alike(format, 'iterUnpack()', (struct) => [...struct.iterUnpack(given[0])])
    refused(each, 'ERR_STRUCT_BUFFER', format)
    assert.deepEqual([...new Struct(format).iterUnpack(nothing)], [])
  }
})

// Two at a time: they take most of the time of this file.
describe('in a process of its own', { concurrency: 2 }, () => {
  test('a megabyte of format is parsed, or refused, in linear time and memory', async () => {
    // In a process that ends at a heap of 1,200 MB, and is ended after a minute.
    const stdout = await runStruct(
      `
    const times = 1e6
    const formats = [
      ['I'.repeat(times), 4 * times], ['<' + 'I'.repeat(times), 4 * times],
      ['IH'.repeat(times / 2), 4 * times - 2], ['<' + 'IH'.repeat(times / 2), 3 * times],
      ['0s'.repeat(times / 2), 0], ['0p'.repeat(times / 2), 0], ['0I'.repeat(times / 2), 0],
      ['x'.repeat(times), times], ['1x'.repeat(times / 2), times / 2],
      ['s'.repeat(times), times], ['p'.repeat(times), times], ['c'.repeat(times), times],
      ['b0q'.repeat(times / 3), 8 * Math.floor(times / 3)],
      [' '.repeat(times), 0], [' \\t\\n\\v\\f\\r'.repeat(times / 6) + 'b', 1],
      ['0'.repeat(times) + 'b', 0], ['0'.repeat(times) + '7b', 7],
      ['1'.repeat(times) + 'b'], ['9'.repeat(times)], ['0'.repeat(times)], [' '.repeat(times) + '1'],
      ['I'.repeat(times) + '!'], ['z'.repeat(times)], ['<'.repeat(times)], ['\\0'.repeat(times)],
      ['é'.repeat(times)], ['I'.repeat(times) + 'é'], ['\\ud800'.repeat(times)], ['😀'.repeat(times / 2)],
      ['9007199254740991x'.repeat(times / 17)], ['${'9'.repeat(19)}I'.repeat(times / 20)],
    ]
    for (const [format, size] of formats) {
      const told = JSON.stringify(format.slice(0, 12))
      let made
      try {
        made = new struct.Struct(format)
      } catch (error) {
        if (error.code !== 'ERR_STRUCT_FORMAT') throw error
      }
      if (made?.size !== size) throw new Error(told + ': ' + made?.size + ', not ' + size)
      if (size === undefined) continue
      // More often than it takes to have code generated.
      for (let call = 0; call < 300; call += 1) {
        for (const refuse of [() => made.unpack(Buffer.alloc(3)), () => made.pack(1, 2, 3)]) {
          try {
            refuse()
            throw new Error(told + ' was taken')
          } catch (error) {
            if (!(error instanceof struct.StructError)) throw error
          }
        }
      }
      const data = Buffer.alloc(size, 1)
      const values = made.unpack(data)
      for (const value of [values[0], values.at(-1)]) {
        if (value !== undefined && typeof value !== 'number' && !Buffer.isBuffer(value)) {
          throw new Error(told + ' gave ' + typeof value)
        }
      }
    }
    console.log('parsed ' + formats.length)`,
      '--max-old-space-size=1200',
      // Half of its time would be spent on moving what lives on.
      '--max-semi-space-size=128',
    )
    assert.equal(stdout, 'parsed 31\n')
  })

  test('a million formats leave nothing behind', async () => {
    // Each leaves a few hundred bytes while it is used: a cache without a bound ends this process.
    const stdout = await runStruct(
      `
    for (let count = 0; count < 1e6; count += 1) struct.calcsize('<' + count + 's')
    const bytes = Buffer.alloc(64)
    for (let format = 0; format < 1000; format += 1) {
      const text = '<' + 'BHIqd'.repeat(2) + format + 'x'
      for (let call = 0; call < 300; call += 1) {
        struct.pack(text, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
      }
    }
    for (let format = 0; format < 300; format += 1) {
      const text = '<' + 'IH'.repeat(5_000) + format + 'x'
      if (struct.calcsize(text) !== 30_000 + format) throw new Error(text)
    }
    console.log('done')`,
      '--max-old-space-size=48',
    )
    assert.equal(stdout, 'done\n')
  })

  test('a format that was cut out of a large text does not keep the text', async () => {
    // 256 texts of a megabyte would end this process.
    const stdout = await runStruct(
      `
    for (let text = 0; text < 1000; text += 1) {
      const format = ('<' + text + 'x 10s 10s 10s ' + ' '.repeat(1e6)).slice(0, 20)
      struct.calcsize(format)
    }
    console.log('done')`,
      '--max-old-space-size=64',
    )
    assert.equal(stdout, 'done\n')
  })
})
