import { endianness } from 'node:os'

/** What a code means, apart from its size: kinds.ts and templates.ts have one entry for each. */
export type Kind =
  | 'pad'
  | 'char'
  | 'bytes'
  | 'pascal'
  | 'bool'
  | 'signed'
  | 'unsigned'
  | 'pointer'
  | 'float'
  | 'complex'

/** One code of the format language, in one mode. */
export interface Code {
  readonly char: string
  readonly kind: Kind
  /** Bytes of one item. */
  readonly size: number
  /** The multiple of bytes that an item's offset is padded to. */
  readonly alignment: number
  /** The least and the greatest integer that it holds. */
  readonly low: number | bigint
  readonly high: number | bigint
  /** Whether unpacking gives a bigint. */
  readonly big: boolean
  /** Whether it is the machine's own C type, which for a float means that C's rules of overflow hold. */
  readonly native: boolean
}

/** A prefix: which codes there are behind it, and in which order their bytes are. */
export interface Mode {
  readonly codes: ReadonlyMap<string, Code>
  readonly little: boolean
}

const pointer = ['arm', 'ia32', 'mips', 'mipsel', 'ppc'].includes(process.arch) ? 4 : 8
const long = process.platform === 'win32' ? 4 : pointer

/**
 * The format language: code, kind, standard size, native size where it is another, and alignment in
 * native mode where it is not the size. Native alone: standard size 0. types.ts has the same table
 * for the compiler.
 */
const table: [char: string, kind: Kind, standard: number, native?: number, alignment?: number][] = [
  ['x', 'pad', 1],
  ['c', 'char', 1],
  ['b', 'signed', 1],
  ['B', 'unsigned', 1],
  ['?', 'bool', 1],
  ['h', 'signed', 2],
  ['H', 'unsigned', 2],
  ['i', 'signed', 4],
  ['I', 'unsigned', 4],
  ['l', 'signed', 4, long],
  ['L', 'unsigned', 4, long],
  ['q', 'signed', 8],
  ['Q', 'unsigned', 8],
  ['n', 'signed', 0, pointer],
  ['N', 'unsigned', 0, pointer],
  ['e', 'float', 2],
  ['f', 'float', 4],
  ['d', 'float', 8],
  ['F', 'complex', 8, 8, 4],
  ['D', 'complex', 16, 16, 8],
  ['s', 'bytes', 1],
  ['p', 'pascal', 1],
  ['P', 'pointer', 0, pointer],
]

/** By the code, not by its size here: the type of a literal format cannot depend on the machine. */
const big = { standard: 'qQ', native: 'qQlLnNP' }

function rangeOf(kind: Kind, size: number): Pick<Code, 'low' | 'high'> {
  const values = 2n ** BigInt(size * 8)
  // C casts a negative integer to a pointer.
  const low = kind === 'signed' || kind === 'pointer' ? -values / 2n : 0n
  const high = kind === 'signed' ? values / 2n - 1n : values - 1n
  // As bigints they would make every comparison slow.
  return size < 8 ? { low: Number(low), high: Number(high) } : { low, high }
}

const standard = new Map<string, Code>()
const native = new Map<string, Code>()
for (const [char, kind, size, nativeSize = size, alignment = nativeSize] of table) {
  const code = (size: number, alignment: number, isNative: boolean): Code => ({
    char,
    kind,
    size,
    alignment,
    ...rangeOf(kind, size),
    big: (isNative ? big.native : big.standard).includes(char),
    native: isNative,
  })
  if (size > 0) standard.set(char, code(size, 1, false))
  native.set(char, code(nativeSize, alignment, true))
}

/** Whether this machine is little-endian. */
export const littleHost = endianness() === 'LE'

export const nativeMode: Mode = { codes: native, little: littleHost }

/** What the first character of a format chooses. Without one of these it is {@link nativeMode}. */
export const modes: ReadonlyMap<string, Mode> = new Map([
  ['@', nativeMode],
  ['=', { codes: standard, little: littleHost }],
  ['<', { codes: standard, little: true }],
  ['>', { codes: standard, little: false }],
  ['!', { codes: standard, little: false }],
])
