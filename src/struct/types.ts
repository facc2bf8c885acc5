/** A complex number: what `F` and `D` unpack to, and one of the things they pack. */
export interface Complex {
  /** The real part. */
  readonly re: number
  /** The imaginary part. */
  readonly im: number
}

/**
 * The values that `unpack()` returns for `Format`: `Unpacked<'>I4s?'>` is `[number, Buffer, boolean]`.
 *
 * `q` and `Q` are `bigint`, and so are `l`, `L`, `n`, `N` and `P` in native mode, on any machine. A
 * count above 999 makes an array: `Unpacked<'5000H'>` is `number[]`. If the format is not a literal, or
 * invalid, the values are `unknown[]`.
 *
 * The compiler gives up on more than 998 codes or 9,999 values: write `format as string` there.
 */
export type Unpacked<Format extends string> = Parsed<Format>['unpack']

/**
 * The values that `pack()` takes for `Format`: `Packable<'>I4s?'>` is
 * `[number | bigint | boolean, Uint8Array, unknown]`.
 *
 * Whatever `unpack()` returns can be packed again. `?` packs the truthiness of any value. Counts above
 * 999, and formats that are not a literal or invalid, are as for `Unpacked`.
 */
export type Packable<Format extends string> = Parsed<Format>['pack']

/**
 * `Format` if it is valid or not a literal, otherwise a text that says what is wrong with it, in Python's words:
 * `Checked<'<Iz'>` is `"bad char in struct format: 'z'"`.
 *
 * As the type of a parameter it infers `Format` from the argument and refuses an invalid format:
 *
 *     function sizes<const Format extends string>(format: Checked<Format>): Unpacked<Format>
 */
export type Checked<Format extends string> = Format extends unknown
  ? Parsed<Format>['problem'] extends infer Problem extends string
    ? Format extends `${string}\0${string}`
      ? 'embedded null character'
      : Problem
    : Format
  : never

/** What one code stands for: what `pack` takes, and what `unpack` gives in either mode. */
interface Code<Pack, Standard, Native = Standard> {
  pack: Pack
  standard: Standard
  native: Native
}

/**
 * A number, which packs from whatever has that value. An interface, since the name of an alias would
 * stand in a hover and hide what it stands for.
 */
interface Numeric<Standard, Native = Standard>
  extends Code<number | bigint | boolean, Standard, Native> {}

/**
 * The table, in the order of the one in codes.ts. `never` is for a code that a mode does not have, and
 * `void` for the one that has no value.
 */
interface Codes {
  x: Code<void, void>
  c: Code<Uint8Array, Buffer>
  b: Numeric<number>
  B: Numeric<number>
  '?': Code<unknown, boolean>
  h: Numeric<number>
  H: Numeric<number>
  i: Numeric<number>
  I: Numeric<number>
  l: Numeric<number, bigint>
  L: Numeric<number, bigint>
  q: Numeric<bigint>
  Q: Numeric<bigint>
  n: Numeric<never, bigint>
  N: Numeric<never, bigint>
  e: Numeric<number>
  f: Numeric<number>
  d: Numeric<number>
  F: Code<Complex | number | bigint | boolean, Complex>
  D: Code<Complex | number | bigint | boolean, Complex>
  s: Code<Uint8Array, Buffer>
  p: Code<Uint8Array, Buffer>
  P: Numeric<never, bigint>
}

interface Prefixes {
  '@': 'native'
  '=': 'standard'
  '<': 'standard'
  '>': 'standard'
  '!': 'standard'
}

type Mode = Prefixes[keyof Prefixes]

/** The codes of each mode. */
type Known = {
  [M in Mode]: { [C in keyof Codes]: [Codes[C][M]] extends [never] ? never : C }[keyof Codes]
}

type Space = ' ' | '\t' | '\n' | '\v' | '\f' | '\r'

/** What a format comes to. */
interface Layout<Pack extends unknown[], Unpack extends unknown[], Problem = undefined> {
  pack: Pack
  unpack: Unpack
  problem: Problem
}

type Invalid<Problem extends string> = Layout<unknown[], unknown[], Problem>

/**
 * Reads the prefix. A type that is no literal cannot be read: as the key of a record it asks for no
 * property, so that the empty one will do.
 */
type Parsed<Format extends string> = Format extends unknown
  ? Record<never, unknown> extends Record<Format, unknown>
    ? Layout<unknown[], unknown[]>
    : Format extends `${infer Prefix extends keyof Prefixes}${infer Rest}`
      ? Items<Rest, Prefixes[Prefix]>
      : Items<Format, 'native'>
  : never

/**
 * Reads what follows the prefix: in each step a space, or a code with its count. The steps are tail
 * calls, of which the compiler makes 1,000 at most.
 */
type Items<
  Format extends string,
  M extends Mode,
  Pack extends unknown[] = [],
  Unpack extends unknown[] = [],
> = Format extends `${infer Char}${infer Rest}`
  ? Char extends Known[M]
    ? Items<Rest, M, [...Pack, ...Run<'1', Char, 'pack'>], [...Unpack, ...Run<'1', Char, M>]>
    : Char extends Space
      ? Items<Rest, M, Pack, Unpack>
      : Char extends Digit
        ? Counted<Char, Rest> extends [
            infer Count extends string,
            infer C,
            infer Rest extends string,
          ]
          ? C extends Known[M]
            ? Items<Rest, M, [...Pack, ...Run<Count, C, 'pack'>], [...Unpack, ...Run<Count, C, M>]>
            : BadChar<C>
          : Invalid<'repeat count given without format specifier'>
        : BadChar<Char>
  : Layout<Pack, Unpack>

type BadChar<Char> = Invalid<`bad char in struct format: '${Char & string}'`>

/** Reads the rest of a count: `[count, the code that it is for, what follows]`, or nothing. */
type Counted<
  Count extends string,
  Format extends string,
> = Format extends `${infer Char}${infer Rest}`
  ? Char extends Digit
    ? Counted<`${Count}${Char}`, Rest>
    : [Count, Char, Rest]
  : undefined

/** The values of a code with its count, which for bytes is their length. */
type Run<Count extends string, C extends keyof Codes, Column extends keyof Codes[C]> = C extends 'x'
  ? []
  : C extends 's' | 'p'
    ? [Codes[C][Column]]
    : Repeated<Count, Codes[C][Column]>

/** As many values as `Count` says: a tuple of up to 999 of them, or else an array. */
type Repeated<
  Count extends string,
  Value,
  Values extends Value[] = [],
> = Count extends `${infer Next extends Digit}${infer Rest}`
  ? `${Values['length']}` extends `${Digit}${Digit}${Digit}`
    ? Value[]
    : Repeated<Rest, Value, [...TenTimes<Values>, ...Times<Value>[Next]]>
  : Values

type Digit = keyof Times<unknown>

interface Times<V> {
  '0': []
  '1': [V]
  '2': [V, V]
  '3': [V, V, V]
  '4': [V, V, V, V]
  '5': [V, V, V, V, V]
  '6': [V, V, V, V, V, V]
  '7': [V, V, V, V, V, V, V]
  '8': [V, V, V, V, V, V, V, V]
  '9': [V, V, V, V, V, V, V, V, V]
}

type TenTimes<V extends unknown[]> = [...V, ...V, ...V, ...V, ...V, ...V, ...V, ...V, ...V, ...V]
