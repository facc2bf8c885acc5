import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as struct from '../../src/struct/index.js'
import { holds, oddities } from './formats.js'
import { functions, names, type Untyped } from './hostile.js'
import { answer } from './outcome.js'
import { both } from './warm.js'

const alphabet = 'xcbB?hHiIlLqQnNefdFDspP@=<>! \t\n\v\f\r'
const digits = ['0', '1', '2', '3', '7', '16', '17', '40', '300', '70000', `${2n ** 63n}`]
// As fast-check's unit 'binary', which first takes half a second to list them all.
const point = fc.integer({ min: 0, max: 0x10ffff })
const unit = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...alphabet) },
  { weight: 4, arbitrary: fc.constantFrom(...digits) },
  {
    weight: 1,
    arbitrary: fc.array(point, { maxLength: 2 }).map((of) => String.fromCodePoint(...of)),
  },
)
const noise = fc.array(unit, { maxLength: 12 }).map((parts) => parts.join(''))
const anything = fc.oneof(oddities, fc.anything({ withTypedArray: true, withBigInt: true }))

test('nothing but a result or a StructError comes of anything', () => {
  let valid = 0
  holds(
    1500,
    fc.property(
      noise,
      fc.array(anything, { maxLength: 6 }),
      fc.uint8Array(),
      (format, given, bytes) => {
        const sized = answer(
          () => struct.calcsize(format),
          () => format,
        )
        for (const name of names) {
          answer(
            () => functions[name]?.(format, ...given),
            () => `${name} ${format}`,
          )
        }
        if (!('result' in sized) || (sized.result as number) > 2 ** 22) return
        valid += 1
        // Not all are worth 256 calls.
        if (valid % 4 > 0) return
        const size = sized.result as number
        const data = Buffer.alloc(size)
        for (let at = 0; at < size; at += Math.max(bytes.length, 1))
          data.set(bytes.subarray(0, size - at), at)
        const inputs = [given, [data], [data, ...given], [data, 0, ...given], [bytes, ...given]]
        // Both stay what they are: it takes more calls than these to have code generated.
        const made: Untyped[] = both(format)
        for (const input of inputs) {
          for (const name of names) {
            const [expected, got] = made.map((struct) =>
              answer(
                () => {
                  const result = struct[name](...input)
                  return name === 'iterUnpack' ? [...(result as Iterable<unknown>)] : result
                },
                () => `${name} of ${format}`,
              ),
            )
            assert.deepEqual(got, expected)
          }
        }
      },
    ),
  )
  assert.ok(valid > 200, `${valid} valid formats`)
})
