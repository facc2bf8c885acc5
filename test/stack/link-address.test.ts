import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bitsInCommon } from '../../src/stack/link-address.js'

test('the bits that two addresses have in common are counted from the first on', () => {
  for (const [one, other, bits] of [
    [[0x80, 0], [0, 0], 0],
    [[1, 0xff], [0, 0xff], 7],
    [[5, 0x80], [5, 0], 8],
    [[5, 6], [5, 7], 15],
    [[5, 6], [5, 6], 16],
  ] as const) {
    assert.equal(bitsInCommon(Uint8Array.from(one), Uint8Array.from(other)), bits)
  }
})
