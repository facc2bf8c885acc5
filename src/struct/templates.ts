import { type Code, type Kind, littleHost } from './codes.js'

/**
 * How a program packs and unpacks a value of each kind, as text. In it `o` is the memory packed into,
 * `d` the data unpacked, and `view` a DataView of either. The other names are those of scratch.ts and
 * bytes.ts.
 */

/** One value of a program: of a field that is unrolled, or whichever one a loop is at. */
export interface Item {
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
  /** Whether there is a `view`, which makes the slot unnecessary. */
  readonly hasView: boolean
}

/** The steps of packing a value. Only the last one changes the memory packed into. */
interface Packing {
  /** When the interpreter has to do it. */
  readonly unless: string
  /** Statements that make the value ready. */
  readonly first: string
  /** Statements that write its bytes. */
  readonly write: string
}

/** The steps of unpacking a value. */
interface Unpacking {
  /** Statements that make the value ready. */
  readonly first: string
  /** The expression that is the value. */
  readonly value: string
}

/** The kinds that programs are written for, of fields that have values. */
export type Generated = Exclude<Kind, 'pad' | 'complex'>

/** Values and strings of up to so many are written one by one, and longer ones by a loop. */
export const mostUnrolled = 16

export const packing: Record<Generated, (item: Item) => Packing> = {
  char: ({ value, name, byte }) => ({
    unless: `!isUint8Array(${value}) || ${value}.length !== 1`,
    // All bytes are read before any is written: the value may be a part of the memory.
    first: `const ${name}_0 = ${value}[0];`,
    write: `o[${byte(0)}] = ${name}_0;`,
  }),
  bytes({ count, value, name, byte }) {
    const unless = `!isUint8Array(${value})`
    if (count === 0) return { unless, first: '', write: '' }
    if (count > mostUnrolled) {
      return { unless, first: '', write: `putBytes(o, ${byte(0)}, ${value}, ${count});` }
    }
    // Past the value's end there is undefined, which is written as a zero.
    const reads = upTo(count).map((index) => `${name}_${index} = ${value}[${index}]`)
    const writes = upTo(count).map((index) => `o[${byte(index)}] = ${name}_${index};`)
    return { unless, first: `const ${reads.join(', ')};`, write: writes.join(' ') }
  },
  pascal: ({ count, value, byte }) => ({
    unless: `!isUint8Array(${value})`,
    first: '',
    write: `putPascal(o, ${byte(0)}, ${value}, ${count});`,
  }),
  bool: ({ value, byte }) => ({
    // The truth of an object may take code of its own, which may use the scratch memory too.
    unless: `typeof ${value} === 'object'`,
    first: '',
    // NaN, which is not itself, is true.
    write: `o[${byte(0)}] = ${value} || ${value} !== ${value} ? 1 : 0;`,
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
    const unless = code.size === 4 && !code.native ? notNumber + tooLarge : notNumber
    if (hasView) return { unless, first: '', write: viewSet(item, value) }
    return { unless, first: `${scratchOf(item)} = ${value};`, write: fromSlot(item) }
  },
}

const floatLimit = 2 ** 128 - 2 ** 103

function packInteger(item: Item): Packing {
  const { code, value, slot, hasView } = item
  const isSigned = code.kind === 'signed'
  if (code.size === 8) {
    const unless = `!${isSigned ? 'setInt64' : 'setUint64'}(${slot}, ${value})`
    const write = hasView ? viewSet(item, scratchOf(item)) : fromSlot(item)
    return { unless, first: '', write }
  }
  const unused = 32 - code.size * 8
  const shift = isSigned ? '>>' : '>>>'
  const kept = code.size === 4 ? `${value} ${shift} 0` : `${value} << ${unused} ${shift} ${unused}`
  return {
    // The type first: a bigint throws when it is shifted so.
    unless: `typeof ${value} !== 'number' || (${kept}) !== ${value}`,
    first: '',
    write: shiftOut(item, value),
  }
}

export const unpacking: Record<Generated, (item: Item) => Unpacking> = {
  char: (item) => unpackBytes(item, 1),
  bytes: (item) => unpackBytes(item, item.count),
  pascal: ({ count, byte }) => ({ first: '', value: `getPascal(d, ${byte(0)}, ${count})` }),
  bool: ({ byte }) => ({ first: '', value: `d[${byte(0)}] !== 0` }),
  signed: unpackInteger,
  unsigned: unpackInteger,
  pointer: unpackInteger,
  float(item) {
    if (item.code.size === 2) return { first: '', value: `fromHalf(${shiftIn(item)})` }
    return unpackWide(item)
  },
}

function unpackBytes({ name, byte }: Item, count: number): Unpacking {
  if (count === 0 || count > mostUnrolled) {
    return { first: '', value: `getBytes(d, ${byte(0)}, ${count})` }
  }
  const copies = upTo(count).map((index) => `${name}[${index}] = d[${byte(index)}];`)
  return { first: `const ${name} = alloc(${count}); ${copies.join(' ')}`, value: name }
}

function unpackInteger(item: Item): Unpacking {
  const { code } = item
  if (code.size === 8) return unpackWide(item)
  const unused = 32 - code.size * 8
  let value = shiftIn(item)
  if (code.kind === 'signed') value = `${value} << ${unused} >> ${unused}`
  else if (code.size === 4) value = `${value} >>> 0`
  return { first: '', value: code.big ? `BigInt(${value})` : value }
}

function unpackWide(item: Item): Unpacking {
  return item.hasView
    ? { first: '', value: viewGet(item) }
    : { first: toSlot(item), value: scratchOf(item) }
}

/** Whether it takes a view or the scratch memory: the others are packed by shifts. */
export const isWide = ({ kind, size }: Code) => size === 8 || (size === 4 && kind === 'float')

export const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

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

/** The name that the DataView's methods have for it. */
function accessor({ kind, size }: Code): string {
  if (kind === 'float') return `Float${size * 8}`
  return kind === 'signed' ? 'BigInt64' : 'BigUint64'
}

const viewSet = (item: Item, value: string) =>
  `view.set${accessor(item.code)}(${item.byte(0)}, ${value}, ${item.little});`

const viewGet = (item: Item) => `view.get${accessor(item.code)}(${item.byte(0)}, ${item.little})`
