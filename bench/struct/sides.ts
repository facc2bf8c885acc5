import { isDeepStrictEqual } from 'node:util'
import { pack, packInto, Struct, unpack, unpackFrom } from 'typed-multicast/struct'
import { type Case, type Operation, offsets, space } from './cases.js'
import { type Call, type Driver, driver, valuesOf } from './driver.js'
import { peers } from './peers.js'

/** One of those that are compared in a case. */
export interface Side {
  readonly name: string
  readonly kind: 'ours' | 'hand' | 'peer'
  /** Nothing where its results are not ours: those are not worth measuring. */
  readonly driver: Driver | undefined
}

const functions = { pack, packInto, unpack, unpackFrom }

/** All that take part in a case, ours first. */
export function sidesOf(one: Case, operation: Operation): Side[] {
  const { format, rows } = one
  const struct = new Struct(format)
  const packed = rows.map((row) => struct.pack(...row))
  const at = offsets(one)
  const values = valuesOf(one)
  const text = {
    pack: values.text,
    unpack: 'data[i]',
    packInto: `target, at[i], ${values.text}`,
    unpackFrom: 'target, at[i]',
  }[operation]

  const memory = () => {
    const target = Buffer.alloc(space)
    for (const [i, start] of at.entries()) packed[i]?.copy(target, start)
    // As datagrams are, in memory of their own.
    const data = packed.map((bytes) => Buffer.from(new Uint8Array(bytes).buffer))
    return { ...values.given, at, target, data }
  }

  /** All results of a call, or the bytes that it packed into. */
  const outcome = (call: Call): unknown[] => {
    const given = { ...memory(), ...call.given }
    const { drive, kept } = driver({ text: call.text, given })
    drive(rows.length)
    const after = Buffer.from(given.target)
    // Whoever gave a view of these, and no copy, has now given something else.
    for (const bytes of [given.target, ...given.data]) bytes.fill(0x55)
    return operation === 'packInto' ? [after] : kept.map(asValues)
  }

  const byStruct = { text: `struct.${operation}(${text})`, given: { struct } }
  const expected = outcome(byStruct)
  const side = (name: string, kind: Side['kind'], call: Call): Side => {
    const given = { ...memory(), ...call.given }
    try {
      if (isDeepStrictEqual(outcome(call), expected)) {
        return { name, kind, driver: driver({ text: call.text, given }) }
      }
    } catch (error) {
      if (kind !== 'peer') throw error
    }
    if (kind !== 'peer') throw new Error(`${name} is wrong: ${operation} ${format}`)
    return { name, kind, driver: undefined }
  }

  const named = `${operation}('${format}', ${text})`
  return [
    side('Struct', 'ours', byStruct),
    side('functions', 'ours', { text: named, given: functions }),
    ...Object.entries(one.hand[operation]).map(([name, way]) =>
      side(name, 'hand', { text: `way(${text})`, given: { way } }),
    ),
    ...peers.flatMap(({ name, calls }) => {
      const { given, [operation]: call } = calls(one)
      return call === undefined ? [] : [side(name, 'peer', { text: call, given })]
    }),
  ]
}

/** Another library may give the values by name. */
function asValues(result: unknown): unknown {
  return Array.isArray(result) || result instanceof Uint8Array
    ? result
    : Object.values(result as object).flat()
}
