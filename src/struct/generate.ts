import { isUint8Array } from 'node:util/types'
import * as bytes from './bytes.js'
import { fromHalf, toHalf } from './half.js'
import type { Operations } from './interpret.js'
import type { Field, Layout } from './parse.js'
import * as scratch from './scratch.js'
import {
  type Generated,
  type Item,
  isWide,
  mostUnrolled,
  packing,
  unpacking,
  upTo,
} from './templates.js'

/** What a program does, with values as arguments; `packList` takes them as a list. */
export interface Program {
  pack(...values: readonly unknown[]): ReturnType<typeof Buffer.alloc>
  packList(values: readonly unknown[]): ReturnType<typeof Buffer.alloc>
  packInto(buffer: Uint8Array, offset: number, ...values: readonly unknown[]): void
  unpack(data: Uint8Array): unknown[]
  unpackFrom(data: Uint8Array, offset?: number): unknown[]
}

/**
 * Writes a program for one format, several times as fast as the interpreter.
 *
 * A program knows the way of the right values alone: at the first doubt it hands the whole call to the
 * interpreter, whose errors are therefore the only ones, and which takes what is rare (a bigint for 32
 * bits, a negative offset). What is in it was chosen by measurement. Of the format, only numbers get
 * into its text.
 *
 * @returns `undefined` where programs may not be made of text, and where it is not worth it.
 */
export function generate(layout: Layout, slow: Operations): Program | undefined {
  const isComplex = layout.fields.some(({ code }) => code.kind === 'complex')
  const isLong = layout.fields.length > most.fields || layout.size > most.size
  if (!isAllowed || isComplex || isLong) return undefined
  const functions = [packText, packIntoText, unpackText, unpackFromText].map((write) =>
    write(layout),
  )
  const text = `'use strict'; ${functions.join('\n')}
    return { pack, packList, packInto, unpack, unpackFrom }`
  try {
    const make = new Function('slow', 'image', ...Object.keys(scope), text)
    return make(slow, scratch.imageOf(layout.size), ...Object.values(scope))
  } catch (error) {
    // --disallow-code-generation-from-strings, or a Content Security Policy.
    if (!(error instanceof EvalError)) throw error
    isAllowed = false
    return undefined
  }
}

let isAllowed = true

/** Longer programs are compiled slowly, and run no faster. */
const most = { fields: 64, size: 2 ** 16, parameters: 32 }

/** For so many floats and 64-bit integers a DataView is worth its cost. */
const worthView = 4

/** What a program finds by name. */
const scope = { ...scratch, ...bytes, isUint8Array, alloc: Buffer.allocUnsafe, fromHalf, toHalf }

/** A field in a program, with its items. */
interface Part {
  readonly field: Field
  readonly kind: Generated
  readonly items: readonly Item[]
  readonly isLoop: boolean
}

/** The loops have one together: none needs it longer than for a step. */
const sharedSlot = scratch.slots - 1

/** What begins every index: where the struct is in the bytes. */
type Base = '' | 'at + '

function partsOf(layout: Layout, base: Base, isView: (isLoop: boolean) => boolean): Part[] {
  let slot = 0
  return layout.fields.map((field) => {
    const { code, count, offset, index, values } = field
    const isLoop = values > mostUnrolled || (isWide(code) && slot + values > sharedSlot)
    const hasView = isWide(code) && isView(isLoop)
    const items = upTo(isLoop ? 1 : values).map((item) => ({
      code,
      count,
      little: layout.little,
      value: isLoop ? 'x' : isList(layout) ? `v[${index + item}]` : `v${index + item}`,
      name: isLoop ? 'x' : `v${index + item}`,
      byte: (byte: number) =>
        isLoop ? `p + ${byte}` : `${base}${offset + item * code.size + byte}`,
      slot: isLoop ? sharedSlot : isWide(code) ? slot++ : 0,
      hasView,
    }))
    return { field, kind: code.kind as Generated, items, isLoop }
  })
}

/** Whether a view of the whole struct is worth its cost. */
function isWorthView({ fields }: Layout): boolean {
  const wide = fields.filter(({ code }) => isWide(code))
  return wide.reduce((sum, { values }) => sum + values, 0) >= worthView
}

/** Makes `view` in the way given, where an item has one. */
const withView = (parts: readonly Part[], way: string) =>
  parts.some(({ items }) => items.some(({ hasView }) => hasView)) ? way : ''

function packText(layout: Layout): string {
  const { size } = layout
  const isImage = isWorthView(layout) && size <= scratch.imageSize
  const parts = partsOf(layout, '', (isLoop) => isLoop || isImage)
  const bail = isList(layout) ? 'return undefined;' : 'return slow.pack([...arguments]);'
  const { unless, first, write } = packAll(parts, '', bail)
  const view = isImage ? 'imageView' : 'new DataView(o.buffer, o.byteOffset)'
  const body = `
    if (${[miscounted(layout, 0), ...unless].join(' || ')}) ${bail}
    ${first}
    const o = ${isImage ? 'image' : `alloc(${size})`};
    ${withView(parts, `const view = ${view};`)}
    ${clear(gaps(layout), '')}
    ${write}
    ${isImage ? `const packed = alloc(${size}); packed.set(image); return packed;` : 'return o;'}`
  if (isList(layout)) {
    return `function packed(v) {${body}}
      function packList(v) { return packed(v) ?? slow.pack(v); }
      function pack(...v) { return packList(v); }`
  }
  return `function pack(${parameters(layout).join(', ')}) {${body}}
    function packList(v) { return pack(...v); }`
}

function packIntoText(layout: Layout): string {
  const { size, fields } = layout
  const parts = partsOf(layout, 'at + ', () => isWorthView(layout) || isList(layout))
  const bail = isList(layout)
    ? 'return slow.packInto(arguments.length < 2 ? [...arguments] : [o, at, ...v]);'
    : 'return slow.packInto([...arguments]);'
  const { unless, first, write } = packAll(parts, 'at + ', bail)
  const wrong = [miscounted(layout, 2), outside('o', size), ...unless].join(' || ')
  const names = ['o', 'at', ...parameters(layout)].join(', ')
  // Bytes may be a part of the buffer: where they cannot all be read first, it is not packed into.
  const takesBytes = fields.some(({ code }) => ['char', 'bytes', 'pascal'].includes(code.kind))
  if (takesBytes && isList(layout)) {
    return `function packInto(${names}) {
      if (${outside('o', size)}) ${bail}
      const bytes = packed(v);
      if (bytes === undefined) ${bail}
      o.set(bytes, at);
    }`
  }
  const isLong = ({ code: { kind }, count }: Field) =>
    kind === 'pascal' || (kind === 'bytes' && count > mostUnrolled)
  if (fields.some(isLong)) {
    return `function packInto(${names}) {
      if (${wrong}) ${bail}
      o.set(pack(${parameters(layout).join(', ')}), at);
    }`
  }
  return `function packInto(${names}) {
    if (${wrong}) ${bail}
    ${first}
    ${withView(parts, 'const view = viewOf(o);')}
    ${clear(gaps(layout), 'at + ')}
    ${write}
  }`
}

function unpackText(layout: Layout): string {
  const { size } = layout
  const isImage = size <= scratch.imageSize
  const parts = partsOf(layout, '', (isLoop) => isLoop || (isImage && isWorthView(layout)))
  const way = isImage
    ? 'image.set(d); const view = imageView;'
    : 'const view = new DataView(d.buffer, d.byteOffset);'
  return `function unpack(d) {
    if (!isUint8Array(d) || d.length !== ${size}) return slow.unpack(d);
    ${withView(parts, way)}
    ${unpackAll(layout, parts, '')}
  }`
}

function unpackFromText(layout: Layout): string {
  const parts = partsOf(layout, 'at + ', (isLoop) => isLoop)
  return `function unpackFrom(d, at = 0) {
    if (${outside('d', layout.size)}) return slow.unpackFrom(d, at);
    ${withView(parts, 'const view = viewOf(d);')}
    ${unpackAll(layout, parts, 'at + ')}
  }`
}

/** Whether the values are a list, as loops need it, and not a parameter each. */
const isList = ({ values, fields }: Layout) =>
  values > most.parameters || fields.some((field) => field.values > mostUnrolled)

const parameters = (layout: Layout) =>
  isList(layout) ? ['...v'] : upTo(layout.values).map((index) => `v${index}`)

const miscounted = (layout: Layout, others: number) =>
  isList(layout)
    ? `v.length !== ${layout.values}`
    : `arguments.length !== ${layout.values + others}`

const outside = (memory: 'o' | 'd', size: number) =>
  `!isUint8Array(${memory}) || typeof at !== 'number' || at >>> 0 !== at || at + ${size} > ${memory}.length`

/** The bytes from the first number up to the second. */
type Gap = [from: number, to: number]

/** The bytes that no value is written to. */
function gaps({ fields, size }: Layout): Gap[] {
  const ends = fields.map(({ code, offset, count }) => offset + count * code.size)
  const starts = [...fields.map(({ offset }) => offset), size]
  return starts.map((start, index): Gap => [ends[index - 1] ?? 0, start])
}

function clear(cleared: readonly Gap[], base: Base): string {
  return cleared
    .map(([from, to]) => {
      if (to - from > 2 * mostUnrolled) return `o.fill(0, ${base}${from}, ${base}${to});`
      const zeros = upTo(to - from).map((byte) => `o[${base}${from + byte}] = 0;`)
      return zeros.join(' ')
    })
    .join(' ')
}

function loop({ code, offset, values }: Field, base: Base, body: string): string {
  return `for (let i = 0, p = ${base}${offset}; i < ${values}; i++, p += ${code.size}) { ${body} }`
}

/** The steps of all values, and loops for many of one code. */
function packAll(parts: readonly Part[], base: Base, bail: string) {
  const unless: string[] = []
  const first: string[] = []
  const write: string[] = []
  for (const { field, kind, items, isLoop } of parts) {
    for (const item of items) {
      const steps = packing[kind](item)
      if (isLoop) {
        const x = `const x = v[${field.index} + i]; if (${steps.unless}) ${bail}`
        write.push(loop(field, base, `${x} ${steps.first} ${steps.write}`))
      } else {
        unless.push(steps.unless)
        first.push(steps.first)
        write.push(steps.write)
      }
    }
  }
  return { unless, first: first.join('\n'), write: write.join('\n') }
}

/** Statements that return the list of all values. */
function unpackAll(layout: Layout, parts: readonly Part[], base: Base): string {
  const statements: string[] = []
  const values: string[] = []
  const assignments: string[] = []
  for (const { field, kind, items, isLoop } of parts) {
    items.forEach((item, index) => {
      const { first, value } = unpacking[kind](item)
      if (isLoop) {
        assignments.push(loop(field, base, `${first} r[${field.index} + i] = ${value};`))
        return
      }
      statements.push(first)
      values.push(value)
      assignments.push(`r[${field.index + index}] = ${value};`)
    })
  }
  if (values.length === layout.values) {
    return `${statements.join('\n')} return [${values.join(', ')}];`
  }
  // Of its length at once: pushing would grow it again and again.
  const list = `const r = new Array(${layout.values});`
  return [...statements, list, ...assignments, 'return r;'].join('\n')
}
