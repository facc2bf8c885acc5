import { byte } from './hand/byte.js'
import { doubles } from './hand/doubles.js'
import type { Hand } from './hand/hand.js'
import { header } from './hand/header.js'
import { names } from './hand/names.js'
import { record } from './hand/record.js'
import { shorts } from './hand/shorts.js'

export const operations = ['pack', 'unpack', 'packInto', 'unpackFrom'] as const

export type Operation = (typeof operations)[number]

/** A format, how it is done by hand, and what it is packed from. */
export interface Case {
  readonly format: string
  readonly size: number
  readonly hand: Hand
  /** The least that ours should reach, as a fraction of the best by hand. */
  readonly targets: Readonly<Partial<Record<Operation, number>>>
  /** As many as `inputs`, each what `pack` takes. */
  readonly rows: readonly (readonly unknown[])[]
}

/** How many different inputs each side is given in turn; a power of two. */
export const inputs = 64

/** The size of the one buffer that is packed into and unpacked from. */
export const space = 4096

/** The same numbers in every process, each from 0 and below 1. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const random = seeded(1)
const list = <Value>(length: number, value: () => Value) => Array.from({ length }, value)
const unsigned = (bits: number) => Math.floor(random() * 2 ** bits)
const bytes = (length: number) => Buffer.from(list(length, () => unsigned(8)))
const wide = () => (BigInt(unsigned(32)) << 32n) | BigInt(unsigned(32))

/** Where in the one buffer the struct is, for each of the inputs: aligned to nothing. */
export function offsets({ size }: Case): number[] {
  const next = seeded(size)
  return list(inputs, () => Math.floor(next() * (space - size + 1)))
}

export const cases: readonly Case[] = [
  {
    format: '>IHBB',
    size: 8,
    hand: header,
    targets: { pack: 0.85, unpack: 0.8, packInto: 0.4 },
    rows: list(inputs, () => [unsigned(32), unsigned(16), unsigned(8), unsigned(8)]),
  },
  {
    format: '<I16sQ?',
    size: 29,
    hand: record,
    targets: { pack: 0.85, unpack: 0.8, packInto: 0.4 },
    rows: list(inputs, () => [unsigned(32), bytes(16), wide(), random() < 0.5]),
  },
  {
    format: 'B',
    size: 1,
    hand: byte,
    targets: { pack: 0.85, unpack: 0.8, packInto: 0.4 },
    rows: list(inputs, () => [unsigned(8)]),
  },
  {
    format: '!4s4s',
    size: 8,
    hand: names,
    targets: { pack: 0.6, unpack: 0.8, packInto: 0.4 },
    rows: list(inputs, () => [bytes(4), bytes(4)]),
  },
  {
    format: '<10d',
    size: 80,
    hand: doubles,
    targets: { pack: 0.5, unpack: 0.8, packInto: 0.7 },
    rows: list(inputs, () => list(10, () => (random() - 0.5) * 1e6)),
  },
  {
    format: '>255H',
    size: 510,
    hand: shorts,
    targets: { pack: 0.45, unpack: 0.7, packInto: 0.33 },
    rows: list(inputs, () => list(255, () => unsigned(16))),
  },
]

/** All that is measured, in the order of the findings and of the table. */
export const trials = cases.flatMap((one) => operations.map((operation) => ({ one, operation })))

/** As many formats of four integers, each different from all others; at most 4096. */
export function distinctFormats(count: number): string[] {
  const code = (digit: string) => 'bBhHiIlL'.charAt(Number(digit))
  return Array.from({ length: count }, (_, n) => {
    return `>${n.toString(8).padStart(4, '0').replace(/./g, code)}`
  })
}
