import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate } from '../../src/struct/generate.js'
import {
  calcsize,
  iterUnpack,
  pack,
  packInto,
  Struct,
  unpack,
  unpackFrom,
} from '../../src/struct/index.js'
import { interpret, type Operations } from '../../src/struct/interpret.js'
import { type Layout, parse } from '../../src/struct/parse.js'
import { threshold } from '../../src/struct/struct.js'
import { type Case, cases, except, holds, oddities } from './formats.js'
import { type Outcome, outcome } from './outcome.js'

/** Bytes that nothing may touch, before and after the others. */
const margins = fc.tuple(fc.nat(9), fc.nat(9))

function surrounded(bytes: Uint8Array, before: number, after: number): Uint8Array {
  const memory = new Uint8Array(before + bytes.length + after).fill(0xaa)
  memory.set(bytes, before)
  return memory
}

test('what was packed is unpacked again, rounded to the width of its code', () => {
  holds(
    1500,
    fc.property(cases(), ({ format, given, expected }) => {
      const bytes = pack(format, ...given)
      assert.deepEqual(unpack(format, bytes), expected)
      assert.deepEqual(unpack(format, pack(format, ...unpack(format, bytes))), expected)
    }),
  )
})

test('what was unpacked packs to the same bytes', () => {
  holds(
    1500,
    fc.property(cases(), ({ format, bytes }) => {
      assert.deepEqual(pack(format, ...unpack(format, bytes)), Buffer.from(bytes))
    }),
  )
})

test('calcsize() is the length of what is packed, and pads are zeros', () => {
  holds(
    1500,
    fc.property(cases(), ({ format, size, given, pads }) => {
      assert.equal(calcsize(format), size)
      const bytes = pack(format, ...given)
      assert.equal(bytes.length, size)
      assert.ok(pads.every((pad) => bytes[pad] === 0))
    }),
  )
})

test('packInto() packs in place, and leaves all other bytes alone', () => {
  holds(
    1500,
    fc.property(cases(), margins, ({ format, size, given }, [before, after]) => {
      const packed = pack(format, ...given)
      const expected = surrounded(packed, before, after)
      const other = packed.map((byte) => ~byte)
      // From the end too: there -0 would be the beginning.
      const offsets = size + after > 0 ? [before, -size - after] : [before]
      for (const offset of offsets) {
        const target = surrounded(other, before, after)
        assert.equal(packInto(format, target, offset, ...given), undefined)
        assert.deepEqual(target, expected)
      }
    }),
  )
})

test('unpackFrom() is unpack() of the bytes there', () => {
  holds(
    1000,
    fc.property(cases(), margins, ({ format, size, bytes }, [before, after]) => {
      const data = surrounded(bytes, before, after)
      const expected = unpack(format, data.subarray(before, before + size))
      assert.deepEqual(unpackFrom(format, data, before), expected)
      if (size + after > 0) assert.deepEqual(unpackFrom(format, data, -size - after), expected)
    }),
  )
})

test('iterUnpack() is unpack() of one slice after the other', () => {
  holds(
    700,
    fc.property(cases(), fc.nat(5), fc.infiniteStream(fc.nat(255)), (given, times, stream) => {
      const { format, size } = given
      fc.pre(size > 0)
      const data = Uint8Array.from(stream.take(size * times))
      const slices = Array.from({ length: times }, (_, at) =>
        unpack(format, data.subarray(at * size, (at + 1) * size)),
      )
      assert.deepEqual([...iterUnpack(format, data)], slices)
    }),
  )
})

/** Bytes of the memory that is packed into. */
class Alias {
  readonly from: number
  readonly length: number

  constructor(from: number, length: number) {
    this.from = from
    this.length = length
  }
}

interface Attempt {
  readonly memory: Uint8Array
  /** Where in the memory the target begins, and how long it is. */
  readonly target: readonly [from: number, length: number]
  readonly offset: unknown
  readonly values: readonly unknown[]
}

const aliases = fc.tuple(fc.nat(60), fc.nat(60)).map(([from, length]) => new Alias(from, length))

/** Replaces a few of the values, and perhaps leaves out or adds some. */
function changed(given: readonly unknown[], odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> {
  const last = Math.max(given.length - 1, 0)
  return fc
    .tuple(
      fc.array(fc.tuple(fc.nat(last), odd), { maxLength: 3 }),
      fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1)),
    )
    .map(([changes, more]) => {
      const values = [...given]
      for (const [at, value] of changes) if (at < values.length) values[at] = value
      return more < 0 ? values.slice(0, -1) : more > 0 ? [...values, 1] : values
    })
}

function attempts({ size, given }: Case, odd: fc.Arbitrary<unknown>): fc.Arbitrary<Attempt> {
  const offset = (before: number, after: number) =>
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<unknown>(before, BigInt(before), -size - after) },
      fc.integer({ min: -size - 20, max: size + 20 }),
      fc.constantFrom(
        undefined,
        null,
        0.5,
        Number.NaN,
        '0',
        2 ** 53,
        2n ** 63n,
        -(2n ** 64n),
        true,
      ),
    )
  return fc.tuple(fc.nat(20), margins).chain(([from, [before, after]]) => {
    const length = before + size + after
    return fc.record({
      memory: fc.uint8Array({
        minLength: from + length,
        maxLength: from + length + 5,
        size: 'max',
      }),
      target: fc.constant([from, length] as const),
      offset: offset(before, after),
      values: changed(given, odd),
    })
  })
}

/** Every operation, on memory of its own: what came of it, and what the memory holds after it. */
function everything(
  operations: Operations,
  { memory, target, offset, values }: Attempt,
  inside: (own: Uint8Array, from: number, to: number) => Uint8Array = (own, from, to) =>
    own.subarray(from, to),
) {
  const [from, length] = target
  const fresh = () => {
    const own = memory.slice()
    const real = values.map((value) =>
      value instanceof Alias ? inside(own, value.from, value.from + value.length) : value,
    )
    return { own, real, bytes: own.subarray(from, from + length) }
  }
  const tries: Record<string, (given: ReturnType<typeof fresh>) => unknown> = {
    pack: ({ real }) => operations.pack(real),
    packInto: ({ bytes, real }) => operations.packInto([bytes, offset, ...real]),
    unpack: ({ bytes }) => operations.unpack(bytes),
    unpackFrom: ({ bytes }) => operations.unpackFrom(bytes, offset),
  }
  return Object.entries(tries).map(([name, run]) => {
    const given = fresh()
    const came = outcome(() => run(given))
    return { name, came, after: given.own }
  })
}

function both(format: string): [layout: Layout, slow: Operations, fast: Operations | undefined] {
  const layout = parse(format)
  const slow = interpret(layout)
  const program = generate(layout, slow)
  const fast = program && {
    ...program,
    pack: (values: readonly unknown[]) => program.pack(...values),
    packInto: (given: readonly unknown[]) =>
      program.packInto(...(given as Parameters<typeof program.packInto>)),
    unpack: (data: unknown) => program.unpack(data as Buffer),
    unpackFrom: (data: unknown, offset: unknown) =>
      program.unpackFrom(data as Buffer, offset as number),
  }
  return [layout, slow, fast]
}

test('generated code does what the interpreter does, whatever it is given', () => {
  let refused = 0
  let overlapping = 0
  let written = 0
  const odd = fc.oneof(oddities, aliases)
  const attempt = cases(except('FD')).chain((given) =>
    fc.record({ format: fc.constant(given.format), attempt: attempts(given, odd) }),
  )
  holds(
    1500,
    fc.property(attempt, ({ format, attempt }) => {
      const [layout, slow, fast] = both(format)
      // Too long a format is not worth a program.
      fc.pre(fast !== undefined)
      const expected = everything(slow, attempt)
      assert.deepEqual(everything(fast, attempt), expected)
      written += layout.size > 0 ? 1 : 0
      const [, into] = expected
      if (into !== undefined && 'error' in into.came) refused += 1
      else if (attempt.values.some((value) => value instanceof Alias)) overlapping += 1
    }),
  )
  assert.ok(refused > 200 && overlapping > 5 && written > 700, `${refused} ${overlapping}`)
})

test('generated code does so too where there are more wide values than it has memory for', () => {
  const codes = fc.constantFrom('d', 'q', 'Q', 'f', 'P', 'n', 'e', 'B')
  const counted = fc.tuple(fc.integer({ min: 6, max: 16 }), codes)
  const many = fc.array(counted, { minLength: 5, maxLength: 12 })
  const attempt = many.chain((codes) => {
    const format = `@${codes.map(([count, code]) => `${count}${code}`).join('')}`
    const { size, values } = parse(format)
    return fc.record({
      format: fc.constant(format),
      attempt: fc.record({
        memory: fc.uint8Array({ minLength: size, maxLength: size, size: 'max' }),
        target: fc.constant([0, size] as const),
        offset: fc.constant(0),
        values: fc.array(fc.nat(255), { minLength: values, maxLength: values, size: 'max' }),
      }),
    })
  })
  holds(
    150,
    fc.property(attempt, ({ format, attempt }) => {
      const [, slow, fast] = both(format)
      assert.ok(fast)
      assert.deepEqual(everything(fast, attempt), everything(slow, attempt))
    }),
  )
})

test('generated code refuses the same floats as too large', () => {
  const edges = [2 ** 128 - 2 ** 103, 2 ** 128, 65_520, 2 ** 1023]
  const step = 1 - 2 ** -53
  // Among many there is a loop, which is written otherwise.
  for (const code of ['f', 'e', 'd', '20f', '20e', '20d']) {
    for (const prefix of ['@', '<', '>']) {
      const [layout, slow, fast] = both(`${prefix}${code}`)
      assert.ok(fast)
      for (const edge of edges.flatMap((edge) => [edge * step, edge, -edge * step, -edge])) {
        const values = new Array<number>(layout.values).fill(edge)
        const expected = outcome(() => slow.pack(values))
        assert.deepEqual(
          outcome(() => fast.pack(values)),
          expected,
          `${layout.format} ${edge}`,
        )
      }
    }
  }
})

test('a value that lies in the target is packed as it was before the call', () => {
  const codes = fc.constantFrom('s', 'p', 'c', 'B', '?', 'h', 'x')
  const counted = fc.tuple(fc.integer({ min: 0, max: 40 }), codes)
  const formats = fc
    .array(counted, { minLength: 1, maxLength: 5 })
    .map((codes) => codes.map(([count, code]) => (code === 'c' ? code : `${count}${code}`)))
  const attempt = formats.chain((codes) => {
    const format = `<${codes.join('')}`
    const { size, values } = parse(format)
    const memory = size + 40
    // Mostly one byte long, so that `c` takes it, or as long as the whole.
    const lengths = fc.oneof(fc.constant(1), fc.nat(memory))
    const alias = fc.tuple(fc.nat(memory), lengths).map((where) => new Alias(...where))
    const one = fc.oneof({ weight: 5, arbitrary: alias }, fc.constant(1))
    return fc.record({
      format: fc.constant(format),
      attempt: fc.record({
        memory: fc.uint8Array({ minLength: memory, maxLength: memory, size: 'max' }),
        target: fc.constant([10, size + 20] as const),
        offset: fc.nat(20),
        values: fc.array(one, { minLength: values, maxLength: values, size: 'max' }),
      }),
    })
  })
  holds(
    1000,
    fc.property(attempt, ({ format, attempt }) => {
      const [, slow, fast] = both(format)
      fc.pre(fast !== undefined)
      const expected = everything(slow, attempt)
      assert.deepEqual(everything(fast, attempt), expected)
      const apart = everything(slow, attempt, (own, from, to) => own.slice(from, to))
      // The memory alone: a value that is shown in an error is still a part of it.
      const memories = (tries: typeof expected) => tries.map(({ after }) => after)
      assert.deepEqual(memories(expected), memories(apart))
    }),
  )
})

test('a Struct gives the same before, at and after the call that has code generated', () => {
  const attempt = cases().chain((given) =>
    fc.record({ format: fc.constant(given.format), attempt: attempts(given, oddities) }),
  )
  holds(
    150,
    fc.property(attempt, ({ format, attempt }) => {
      const struct = new Struct(format)
      const all = () =>
        everything(struct as unknown as Operations, attempt).map(({ came, after }) => [came, after])
      const expected = all()
      // Four calls each time.
      for (let calls = 0; calls < threshold + 8; calls += 4) {
        const got = all()
        if (Math.abs(calls - threshold) < 12) assert.deepEqual(got, expected)
      }
      assert.deepEqual(all(), expected)
    }),
  )
})

test('the functions give the same, however often they are called', () => {
  holds(
    60,
    fc.property(cases(), ({ format, given, bytes }) => {
      const all = (): Outcome[] => [
        outcome(() => pack(format, ...given)),
        outcome(() => unpack(format, bytes)),
        outcome(() => unpackFrom(format, bytes)),
        outcome(() => packInto(format, Buffer.alloc(bytes.length), 0, ...given)),
        outcome(() => pack(format, ...given, 1)),
      ]
      const expected = all()
      for (let calls = 0; calls <= threshold; calls += 5) assert.deepEqual(all(), expected)
    }),
  )
})
