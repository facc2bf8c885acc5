import { isDeepStrictEqual } from 'node:util'
import { pack, packInto, Struct, unpack, unpackFrom } from 'typed-multicast/struct'
import { type Case, type Operation, offsets, space, valuesOf } from './cases.js'
import { type Call, type Driver, driver, once } from './driver.js'
import { peers } from './peers.js'

/**
 * Who takes part: `Struct`, the functions with a format, one of the ways by hand, a peer, or by hand
 * what ours does not have.
 */
export type Kind = 'struct' | 'functions' | 'hand' | 'peer' | 'list'

const functions = { pack, packInto, unpack, unpackFrom }

/** One of those that are compared in a case. */
export interface Side {
  readonly name: string
  readonly kind: Kind
  /** Nothing where its results are not ours: those are not worth measuring. */
  readonly drive: Driver | undefined
}

/** All that take part in a case, ours first. */
export function sidesOf(one: Case, operation: Operation, withPeers: boolean): Side[] {
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

  /** All results of a call, and last the bytes that it packed into. */
  const outcome = (call: Call): unknown[] => {
    const given = { ...memory(), ...call.given }
    const way = once({ text: call.text, given })
    const results = at.map((_, i) => way(i))
    const after = Buffer.from(given.target)
    // Whoever gave a view of these, and no copy, has now given something else.
    for (const bytes of [given.target, ...given.data]) bytes.fill(0x55)
    return operation === 'packInto' ? [after] : results
  }

  const expected = outcome({ text: `struct.${operation}(${text})`, given: { struct } })
  const side = (name: string, kind: Kind, call: Call): Side => {
    const isRight = isSame(call, outcome, expected)
    const given = { ...memory(), ...call.given }
    return { name, kind, drive: isRight ? driver({ text: call.text, given }) : undefined }
  }

  const sides = [
    side('Struct', 'struct', { text: `struct.${operation}(${text})`, given: { struct } }),
    side('functions', 'functions', {
      text: `${operation}(${JSON.stringify(format)}, ${text})`,
      given: { [operation]: functions[operation] },
    }),
  ]
  for (const [name, way] of Object.entries(one.hand[operation])) {
    sides.push(side(name, 'hand', { text: `way(${text})`, given: { way } }))
  }
  const { packList } = one.hand
  if (operation === 'pack' && packList !== undefined) {
    sides.push(side('a list', 'list', { text: `way(${values.list})`, given: { way: packList } }))
  }
  for (const peer of withPeers ? peers : []) {
    const call = peer.call(one, operation)
    if (call !== undefined) sides.push(side(peer.name, 'peer', call))
  }
  const wrong = sides.find(({ kind, drive }) => kind !== 'peer' && drive === undefined)
  if (wrong !== undefined) throw new Error(`${wrong.name} is wrong: ${operation}('${format}', …)`)
  return sides
}

/** Whether a call does the same as ours. Another library may name the values, or throw. */
function isSame(
  call: Call,
  outcome: (call: Call) => unknown[],
  expected: readonly unknown[],
): boolean {
  try {
    const named = outcome(call).map((result) =>
      Array.isArray(result) || result instanceof Uint8Array
        ? result
        : Object.values(result as object).flat(),
    )
    return isDeepStrictEqual(named, expected)
  } catch {
    return false
  }
}
