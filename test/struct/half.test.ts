import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHalf, toHalf } from '../../src/struct/half.js'
import { Struct } from '../../src/struct/index.js'
import { warm } from './warm.js'

/** Every way that a half float is packed and unpacked. `bytes` are big-endian. */
interface Way {
  pack(value: number): number
  unpack(bits: number): unknown
}

function struct(half: Struct<'<e'> | Struct<'>e'>): Way {
  const bytes = Buffer.alloc(2)
  const isLittle = half.format === '<e'
  return {
    pack(value) {
      const packed = half.pack(value)
      return isLittle ? packed.readUInt16LE() : packed.readUInt16BE()
    },
    unpack(bits) {
      if (isLittle) bytes.writeUInt16LE(bits)
      else bytes.writeUInt16BE(bits)
      return half.unpack(bytes)[0]
    },
  }
}

/** Those that are new stay so only for some calls; the interpreter is toHalf() and fromHalf(). */
const ways: Record<string, Way> = {
  'the functions themselves': { pack: toHalf, unpack: fromHalf },
  'a little-endian Struct': struct(warm('<e')),
  'a big-endian Struct': struct(warm('>e')),
}

const infinity = 0x7c00
const sign = 0x8000

/** A finite half float without its sign as an integer: how many times 2⁻²⁴. */
function units(bits: number): bigint {
  const exponent = BigInt(bits >> 10)
  const mantissa = BigInt(bits & 0x3ff)
  return exponent === 0n ? mantissa : (mantissa + 1024n) << (exponent - 1n)
}

/** The doubles next to a positive one. */
function neighbours(value: number): [below: number, above: number] {
  const double = Float64Array.of(value)
  const bits = new BigInt64Array(double.buffer)
  const next = (by: bigint) => {
    double[0] = value
    bits[0] = (bits[0] ?? 0n) + by
    return double[0] ?? 0
  }
  return [next(-1n), next(1n)]
}

for (const [name, { pack, unpack }] of Object.entries(ways)) {
  test(`${name}: all 65,536 half floats are unpacked, and packed again`, () => {
    for (let bits = 0; bits < 65_536; bits += 1) {
      const value = unpack(bits)
      assert.ok(typeof value === 'number')
      const magnitude = bits & 0x7fff
      if (magnitude > infinity) {
        assert.ok(Number.isNaN(value), `${bits}`)
        // Which NaN it is does not survive in JavaScript.
        assert.equal(pack(value) & 0x7fff, 0x7e00, `${bits}`)
        continue
      }
      const isNegative = bits >= sign
      if (magnitude === infinity) {
        assert.equal(value, isNegative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
      } else {
        // Exact: all are whole multiples of 2⁻²⁴, and of fewer than 53 bits.
        assert.equal(BigInt(Math.abs(value) * 2 ** 24), units(magnitude), `${bits}`)
        assert.equal(value < 0 || Object.is(value, -0), isNegative, `${bits}`)
      }
      assert.equal(pack(value), bits)
    }
  })

  test(`${name}: between any two neighbours the tie goes to the even one, and nothing else does`, () => {
    // Beyond the greatest finite one the next would be 65536, where infinity is.
    for (let bits = 0; bits < infinity - 1; bits += 1) {
      const middle = Number(units(bits) + units(bits + 1)) / 2 ** 25
      const [below, above] = neighbours(middle)
      const even = bits % 2 === 0 ? bits : bits + 1
      // A float of 32 bits between them would have made ties of `below` and `above`.
      const got = [pack(below), pack(middle), pack(above)]
      const negative = [pack(-below), pack(-middle), pack(-above)]
      const expected = [bits, even, bits + 1]
      if (got.some((half, at) => half !== expected[at])) assert.deepEqual(got, expected)
      const mirrored = expected.map((half) => half + sign)
      if (negative.some((half, at) => half !== mirrored[at])) assert.deepEqual(negative, mirrored)
    }
  })
}

test('the neighbours of every half float are rounded to it', () => {
  for (let bits = 1; bits < infinity; bits += 1) {
    const value = Number(units(bits)) / 2 ** 24
    for (const near of neighbours(value)) {
      if (toHalf(near) !== bits) assert.equal(toHalf(near), bits, `${near}`)
    }
  }
})

test('up to half a step above 65504 is packed, and from there on refused', () => {
  const [below, above] = neighbours(65_520)
  const wrong = [65_520, above, 65_536, 1e300, Number.MAX_VALUE]
  const refusal = { code: 'ERR_STRUCT_VALUE', message: 'float too large to pack with e format' }
  for (const half of [new Struct('>e'), warm('>e')]) {
    const way = struct(half)
    for (const value of [65_504, 65_519.99, below]) {
      assert.equal(way.pack(value), 0x7bff)
      assert.equal(way.pack(-value), 0xfbff)
    }
    for (const value of wrong) {
      assert.throws(() => way.pack(value), refusal)
      assert.throws(() => way.pack(-value), refusal)
    }
    assert.equal(way.pack(Number.POSITIVE_INFINITY), 0x7c00)
    assert.equal(way.pack(Number.NEGATIVE_INFINITY), 0xfc00)
  }
})

test('what is less than half of the least is zero, of its sign', () => {
  const least = 2 ** -24
  const [below, above] = neighbours(least / 2)
  for (const value of [0, Number.MIN_VALUE, 2 ** -1022, below, least / 2]) {
    assert.equal(toHalf(value), 0)
    assert.equal(toHalf(-value), sign)
  }
  assert.equal(toHalf(above), 1)
})
