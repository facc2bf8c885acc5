import { type Code, type Kind, littleHost } from './codes.js'
import { fromHalf, toHalf } from './half.js'
import { type Operations, truth } from './interpret.js'
import type { Field, Layout } from './parse.js'
import * as scratch from './scratch.js'

/**
 * Writes a program for one format, several times as fast as the interpreter.
 *
 * A program knows the way of the right values alone: at the first doubt it hands the whole call to
 * `slow`, the interpreter, whose errors are therefore the only ones, and which takes what is rare (a
 * bigint for 32 bits, a negative offset). What is in it was chosen by measurement. Of the format, only
 * numbers get into its text.
 *
 * @returns `undefined` where programs may not be made of text, and where it is not worth it.
 */
export function generate(layout: Layout, slow: Operations): Operations | undefined {
  const isComplex = layout.fields.some(({ code }) => code.kind === 'complex')
  if (!isAllowed || isComplex || layout.fields.length > most.fields || layout.size > most.size)
    return undefined
  const functions = [pack, packInto, unpack, unpackFrom].map((write) => write(layout))
  const names = ['slow', ...Object.keys(given)]
  try {
    const make = new Function(...names, `'use strict'; return { ${functions.join(',\n')} }`)
    return make(slow, ...Object.values(given))
  } catch (error) {
    // --disallow-code-generation-from-strings, or a Content Security Policy.
    if (!(error instanceof EvalError)) throw error
    isAllowed = false
    return undefined
  }
}

let isAllowed = true

/** Longer programs are compiled slowly, and run no faster. */
const most = { fields: 64, size: 2 ** 16, parameters: 32, unrolled: 16 }

const given = { ...scratch, alloc: Buffer.allocUnsafe, fromHalf, toHalf, truth }

type Base = '' | 'at + '

/** One value of a program: of a field that is unrolled, or whichever one a loop is at. */
interface Item {
  readonly code: Code
  /** How many bytes `s` and `p` have. */
  readonly count: number
  readonly little: boolean
  /** The expression that is the value to pack. */
  readonly value: string
  /** The beginning of names that no other value has. */
  readonly name: string
  /** The expression that is the index of one of its bytes. */
  readonly byte: (byte: number) => string
  /** Its eight bytes of the scratch memory. */
  readonly slot: number
  /** The beginning of every index: where the struct is in the bytes. */
  readonly base: Base
  /** Whether there is a DataView `view`, made for the loop. */
  readonly hasView: boolean
}

/** The steps of packing a value. Only the last one changes the target. */
interface Packing {
  /** When the interpreter has to do it. */
  readonly unless?: string
  /** Makes the value ready. */
  readonly first?: string
  readonly write: string
}

/** The kinds that programs are written for, of fields that have values. */
type Generated = Exclude<Kind, 'pad' | 'complex'>

const packing: Record<Generated, (item: Item) => Packing> = {
  char: ({ value, byte }) => ({
    unless: `!(${value} instanceof Uint8Array) || ${value}.length !== 1`,
    write: `o[${byte(0)}] = ${value}[0];`,
  }),
  bytes({ count, value, name, byte }) {
    const unless = `!(${value} instanceof Uint8Array)`
    const any = `putBytes(o, ${byte(0)}, ${value}, ${count});`
    if (count === 0 || count > most.unrolled) return { unless, write: any }
    // All are read before any is written: the value may be a part of the target.
    const reads = upTo(count).map((index) => `${name}_${index} = ${value}[${index}]`)
    const writes = upTo(count).map((index) => `o[${byte(index)}] = ${name}_${index};`)
    const exact = `const ${reads.join(', ')}; ${writes.join(' ')}`
    return { unless, write: `if (${value}.length === ${count}) { ${exact} } else ${any}` }
  },
  pascal: ({ count, value, byte }) => ({
    unless: `!(${value} instanceof Uint8Array)`,
    write: `putPascal(o, ${byte(0)}, ${value}, ${count});`,
  }),
  bool: ({ value, byte }) => ({
    write: `o[${byte(0)}] = ${value} === true || (${value} !== false && truth(${value})) ? 1 : 0;`,
  }),
  signed: packInteger,
  unsigned: packInteger,
  pointer: packInteger,
  float(item) {
    const { code, value, name, hasView } = item
    const notNumber = `typeof ${value} !== 'number'`
    if (code.size === 2) {
      return {
        unless: `${notNumber} || ${value} >= 65520 || ${value} <= -65520`,
        first: `const ${name}_half = toHalf(${value});`,
        write: shiftOut(item, `${name}_half`),
      }
    }
    // What is rounded to an infinity is refused, but by C's own cast.
    const tooLarge = ` || ${value} >= ${floatLimit} || ${value} <= ${-floatLimit}`
    return {
      unless: code.size === 4 && !code.native ? notNumber + tooLarge : notNumber,
      ...(hasView
        ? { write: viewSet(item, value) }
        : { first: `${scratchOf(item)} = ${value};`, write: fromSlot(item) }),
    }
  },
}

const floatLimit = 2 ** 128 - 2 ** 103

function packInteger(item: Item): Packing {
  const { code, value, slot } = item
  const isSigned = code.kind === 'signed'
  if (code.size === 8) {
    const unless = `!${isSigned ? 'setInt64' : 'setUint64'}(${slot}, ${value})`
    return { unless, write: fromSlot(item) }
  }
  const unused = 32 - code.size * 8
  const shift = isSigned ? '>>' : '>>>'
  const kept = code.size === 4 ? `${value} ${shift} 0` : `${value} << ${unused} ${shift} ${unused}`
  return {
    // The type first: a bigint throws when it is shifted so.
    unless: `typeof ${value} !== 'number' || (${kept}) !== ${value}`,
    write: shiftOut(item, value),
  }
}

/** The steps of unpacking a value. */
interface Unpacking {
  readonly first?: string
  /** The expression that is the value. */
  readonly value: string
}

const unpacking: Record<Generated, (item: Item) => Unpacking> = {
  char: (item) => unpackBytes(item, 1),
  bytes: (item) => unpackBytes(item, item.count),
  pascal: ({ count, byte }) => ({ value: `getPascal(d, ${byte(0)}, ${count})` }),
  bool: ({ byte }) => ({ value: `d[${byte(0)}] !== 0` }),
  signed: unpackInteger,
  unsigned: unpackInteger,
  pointer: unpackInteger,
  float(item) {
    if (item.code.size === 2) return { value: `fromHalf(${shiftIn(item)})` }
    if (item.hasView) return { value: viewGet(item) }
    return { first: toSlot(item), value: scratchOf(item) }
  },
}

function unpackBytes({ name, byte }: Item, count: number): Unpacking {
  if (count === 0 || count > most.unrolled) return { value: `getBytes(d, ${byte(0)}, ${count})` }
  const copies = upTo(count).map((index) => `${name}[${index}] = d[${byte(index)}];`)
  return { first: `const ${name} = alloc(${count}); ${copies.join(' ')}`, value: name }
}

function unpackInteger(item: Item): Unpacking {
  const { code } = item
  if (code.size === 8) {
    return item.hasView ? { value: viewGet(item) } : { first: toSlot(item), value: scratchOf(item) }
  }
  const unused = 32 - code.size * 8
  let value = shiftIn(item)
  if (code.kind === 'signed') value = `${value} << ${unused} >> ${unused}`
  else if (code.size === 4) value = `${value} >>> 0`
  return { value: code.big ? `BigInt(${value})` : value }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

/** An item's bytes in the struct's order, by their significance: 0 is the least. */
const bytesOf = ({ code, little }: Item) => {
  const bytes = upTo(code.size)
  return little ? bytes : bytes.reverse()
}

const shiftOut = (item: Item, value: string) =>
  bytesOf(item)
    .map((significance, byte) => `o[${item.byte(byte)}] = ${value} >>> ${significance * 8};`)
    .join(' ')

const shiftIn = (item: Item) =>
  `(${bytesOf(item)
    .map((significance, byte) => `d[${item.byte(byte)}] << ${significance * 8}`)
    .join(' | ')})`

/** The same in scratch memory, which has the machine's order. */
const inSlot = (item: Item, significance: number) =>
  item.slot * 8 + (littleHost ? significance : item.code.size - 1 - significance)

const fromSlot = (item: Item) =>
  bytesOf(item)
    .map((significance, byte) => `o[${item.byte(byte)}] = u8[${inSlot(item, significance)}];`)
    .join(' ')

const toSlot = (item: Item) =>
  bytesOf(item)
    .map((significance, byte) => `u8[${inSlot(item, significance)}] = d[${item.byte(byte)}];`)
    .join(' ')

function scratchOf({ code, slot }: Item): string {
  if (code.kind === 'float') return code.size === 8 ? `f64[${slot}]` : `f32[${slot * 2}]`
  return code.kind === 'signed' ? `i64[${slot}]` : `u64[${slot}]`
}

/** The DataView methods of the numbers that go through scratch memory where there is no loop. */
function accessor({ kind, size }: Code): string {
  if (kind === 'float') return `Float${size * 8}`
  return kind === 'signed' ? 'BigInt64' : 'BigUint64'
}

const viewSet = (item: Item, value: string) =>
  `view.set${accessor(item.code)}(${item.byte(0)}, ${value}, ${item.little});`

const viewGet = (item: Item) => `view.get${accessor(item.code)}(${item.byte(0)}, ${item.little})`

/** A field in a program, with its items. */
interface Part {
  readonly field: Field
  readonly kind: Generated
  readonly items: readonly Item[]
  readonly isLoop: boolean
}

/** The loops have one together: none needs it longer than for a step. */
const sharedSlot = scratch.slots - 1

function partsOf(layout: Layout, base: Base): Part[] {
  let slot = 0
  return layout.fields.map((field) => {
    const { code, count, offset, index, values } = field
    const isWide = code.size === 8 || (code.size === 4 && code.kind === 'float')
    const isLoop = values > most.unrolled || (isWide && slot + values > sharedSlot)
    const shared = { code, count, little: layout.little, base, hasView: isLoop && isWide }
    const items = upTo(isLoop ? 1 : values).map((item) => ({
      ...shared,
      value: isLoop ? 'x' : isList(layout) ? `v[${index + item}]` : `v${index + item}`,
      name: isLoop ? 'x' : `v${index + item}`,
      byte: (byte: number) =>
        isLoop ? `p + ${byte}` : `${base}${offset + item * code.size + byte}`,
      slot: isLoop ? sharedSlot : isWide ? slot++ : 0,
    }))
    return { field, kind: code.kind as Generated, items, isLoop }
  })
}

function loop({ code, offset, values }: Field, base: string, body: string): string {
  return `for (let i = 0, p = ${base}${offset}; i < ${values}; i++, p += ${code.size}) { ${body} }`
}

function viewOf(parts: readonly Part[], memory: 'o' | 'd'): string {
  if (!parts.some(({ items }) => items.some(({ hasView }) => hasView))) return ''
  return `const view = new DataView(${memory}.buffer, ${memory}.byteOffset, ${memory}.length);`
}

function pack(layout: Layout): string {
  const { size } = layout
  const bail = isList(layout) ? 'return slow.pack(...v);' : 'return slow.pack(...arguments);'
  const { unless, first, write } = packAll(partsOf(layout, ''), bail)
  return `pack(${parameters(layout).join(', ')}) {
    if (${[miscounted(layout, 0), ...unless].join(' || ')}) ${bail}
    ${first}
    const o = alloc(${size});
    ${clear(gaps(layout), '')}
    ${write}
    return o;
  }`
}

function packInto(layout: Layout): string {
  const { size, fields } = layout
  const bail = `return slow.packInto(${isList(layout) ? 'o, at, ...v' : '...arguments'});`
  const { unless, first, write } = packAll(partsOf(layout, 'at + '), bail)
  // As CPython does, all of it first where a value may be a part of the target.
  const takesBytes = fields.some(({ code }) => ['char', 'bytes', 'pascal'].includes(code.kind))
  const cleared: Gap[] = takesBytes ? [[0, size]] : gaps(layout)
  return `packInto(${['o', 'at', ...parameters(layout)].join(', ')}) {
    if (${[miscounted(layout, 2), outside('o', size), ...unless].join(' || ')}) ${bail}
    ${first}
    ${clear(cleared, 'at + ')}
    ${write}
  }`
}

function unpack(layout: Layout): string {
  // In this order the type costs nothing: it follows from what the length was read of.
  return `unpack(d) {
    if (d == null || d.length !== ${layout.size} || !(d instanceof Uint8Array)) return slow.unpack(d);
    ${unpackAll(layout, partsOf(layout, ''))}
  }`
}

function unpackFrom(layout: Layout): string {
  return `unpackFrom(d, at = 0) {
    if (${outside('d', layout.size)}) return slow.unpackFrom(d, at);
    ${unpackAll(layout, partsOf(layout, 'at + '))}
  }`
}

/** Whether the values are a list, as loops need it, and not a parameter each. */
const isList = ({ values, fields }: Layout) =>
  values > most.parameters || fields.some((field) => field.values > most.unrolled)

const parameters = (layout: Layout) =>
  isList(layout) ? ['...v'] : upTo(layout.values).map((index) => `v${index}`)

const miscounted = (layout: Layout, others: number) =>
  isList(layout)
    ? `v.length !== ${layout.values}`
    : `arguments.length !== ${layout.values + others}`

const outside = (memory: 'o' | 'd', size: number) =>
  `!(${memory} instanceof Uint8Array) || typeof at !== 'number' || at >>> 0 !== at || at + ${size} > ${memory}.length`

/** The bytes from the first number up to the second. */
type Gap = [from: number, to: number]

/** The bytes that no value is written to. */
function gaps({ fields, size }: Layout): Gap[] {
  const ends = fields.map(({ code, offset, count }) => offset + count * code.size)
  const starts = [...fields.map(({ offset }) => offset), size]
  return starts.map((start, index): Gap => [ends[index - 1] ?? 0, start])
}

function clear(cleared: readonly Gap[], base: string): string {
  return cleared
    .map(([from, to]) => {
      if (to - from > 2 * most.unrolled) return `o.fill(0, ${base}${from}, ${base}${to});`
      return upTo(to - from)
        .map((byte) => `o[${base}${from + byte}] = 0;`)
        .join(' ')
    })
    .join(' ')
}

function packAll(parts: readonly Part[], bail: string) {
  const unless: string[] = []
  const first: string[] = []
  const write: string[] = [viewOf(parts, 'o')]
  for (const { field, kind, items, isLoop } of parts) {
    for (const item of items) {
      const steps = packing[kind](item)
      if (isLoop) {
        const check = steps.unless === undefined ? '' : `if (${steps.unless}) ${bail}`
        const each = `const x = v[${field.index} + i]; ${check} ${steps.first ?? ''} ${steps.write}`
        write.push(loop(field, item.base, each))
      } else {
        if (steps.unless !== undefined) unless.push(steps.unless)
        first.push(steps.first ?? '')
        write.push(steps.write)
      }
    }
  }
  return { unless, first: first.join('\n'), write: write.join('\n') }
}

function unpackAll(layout: Layout, parts: readonly Part[]): string {
  const statements: string[] = [viewOf(parts, 'd')]
  const values: string[] = []
  const assignments: string[] = []
  const isLiteral = parts.every(({ isLoop }) => !isLoop)
  for (const { field, kind, items, isLoop } of parts) {
    items.forEach((item, index) => {
      const { first = '', value } = unpacking[kind](item)
      if (isLoop) {
        assignments.push(loop(field, item.base, `${first} r[${field.index} + i] = ${value};`))
        return
      }
      statements.push(first)
      values.push(value)
      assignments.push(`r[${field.index + index}] = ${value};`)
    })
  }
  if (isLiteral) return `${statements.join('\n')} return [${values.join(', ')}];`
  // Of its length at once: pushing would grow it again and again.
  statements.push(`const r = new Array(${layout.values});`, ...assignments, 'return r;')
  return statements.join('\n')
}
