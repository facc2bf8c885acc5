/** What the hostile tests share: what is asked without types, what is no bytes, what came of it. */
import assert from 'node:assert/strict'
import type { StructError } from '../../src/struct/index.js'
import * as struct from '../../src/struct/index.js'
import { answer, type Outcome } from './outcome.js'
import { both } from './warm.js'

/** A format's operations, without their types: what is given here is mostly of none of them. */
export interface Untyped {
  pack(...given: unknown[]): unknown
  packInto(...given: unknown[]): unknown
  unpack(...given: unknown[]): unknown
  unpackFrom(...given: unknown[]): unknown
  iterUnpack(...given: unknown[]): Iterable<unknown>
  encode(...given: unknown[]): unknown
  decode(...given: unknown[]): unknown
}

export const functions = struct as unknown as Record<string, (...given: unknown[]) => unknown>
export const names = [
  'pack',
  'packInto',
  'unpack',
  'unpackFrom',
  'iterUnpack',
  'encode',
  'decode',
] as const

export const nothing = Buffer.alloc(0)

/** What comes of a call, cold and warm: the same, and no error but a StructError. */
export function alike(format: string, told: string, call: (struct: Untyped) => unknown): Outcome {
  const [first, second] = both(format).map((struct, at) =>
    answer(
      () => call(struct),
      () => `${['cold', 'warm'][at]} '${format.slice(0, 40)}' ${told}`,
    ),
  )
  assert.ok(first && second)
  assert.deepEqual(second, first, `'${format.slice(0, 40)}' ${told}`)
  return first
}

export function refused(came: Outcome, code: string, told: string): void {
  assert.ok('error' in came, `${told} was taken`)
  assert.equal((came.error as StructError).code, code, told)
}

/** Formats that have every code, and every way in which a program packs and unpacks. */
export const formats = [
  '<BhIq?efd',
  '>BhIq?efd',
  '@bHlQnNP',
  '<4s20s5p40px',
  '>20B20h20I20q20?20e20f20d20c',
  '!c2s0s0p3xb',
  '<FD',
  '>33H',
  '@b0q',
  '',
]

/** What is no bytes. */
export const impostors: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  0: () => 0,
  8: () => 8,
  NaN: () => Number.NaN,
  '8n': () => 8n,
  'a string': () => 'abcdefgh',
  'a String': () => new String('abcdefgh'),
  'a boolean': () => true,
  'a symbol': () => Symbol('eight'),
  'a function': () => (_a: unknown, _b: unknown) => 8,
  'an empty list': () => [],
  'a list': () => [1, 2, 3, 4, 5, 6, 7, 8],
  'an object': () => ({}),
  'an object with a length': () => ({ length: 8, byteLength: 8, byteOffset: 0, 0: 1 }),
  'an object without a prototype': () => Object.create(null),
  'an ArrayBuffer': () => new ArrayBuffer(8),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(8),
  'a DataView': () => new DataView(new ArrayBuffer(8)),
  'a Float64Array': () => new Float64Array(8),
  'a Float64Array of 8 bytes': () => new Float64Array(1),
  'an Int8Array': () => new Int8Array(8),
  'a Uint8ClampedArray': () => new Uint8ClampedArray(8),
  'a Uint16Array': () => new Uint16Array(4),
  'a Date': () => new Date(8),
  'a Map': () => new Map(),
  'a promise': () => Promise.resolve(Buffer.alloc(8)),
  'an iterable': () => new Set([1, 2, 3]),
  'a Proxy of bytes': () => new Proxy(Buffer.alloc(8), {}),
  'an object made of the prototype': () => Object.create(Uint8Array.prototype),
  'a Float64Array with that prototype': () =>
    Object.setPrototypeOf(new Float64Array(8).fill(1.5), Uint8Array.prototype),
  'an object whose length throws': () => ({
    get length(): never {
      throw new Error('looked at')
    },
  }),
}
