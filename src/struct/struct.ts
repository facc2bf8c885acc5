import { pythonType, StructError } from './error.js'
import { generate, type Program } from './generate.js'
import { expectBytes, interpret, type Operations } from './interpret.js'
import { type Layout, parse } from './parse.js'
import type { Checked, Packable, Unpacked } from './types.js'

/** After so many calls a program is written for the format, at the cost of some hundred of them. */
export const threshold = 256

/** More arguments than these may not fit onto the stack, if they go there twice. */
export const mostArguments = 1000

/**
 * `pack` and `packInto` with a list in the place of arguments: for functions.ts, which would put them
 * onto the stack a second time.
 */
export let lists: {
  pack(struct: Struct, values: readonly unknown[]): ReturnType<typeof Buffer.alloc>
  packInto(struct: Struct, given: readonly unknown[]): void
}

/**
 * A format of Python's `struct`, parsed once: Python's `struct.Struct`.
 *
 * If the format is a literal, the values get their types from it: `new Struct('>I4s?')` packs a number, bytes
 * and any value for the boolean, and unpacks `[number, Buffer, boolean]`. It can be the `codec` of a sender or
 * receiver, whose messages are then lists of values.
 *
 * After a few hundred calls it generates code for the format. Where that is not allowed (by a Content Security
 * Policy or `--disallow-code-generation-from-strings`) everything still works, more slowly.
 *
 * @example
 * ```ts
 * import { Struct } from 'typed-multicast/struct'
 *
 * const fix = new Struct('<IHf')
 * const data = fix.pack(7, 11, 0.5)
 * console.log(data.toString('hex')) // 070000000b000000003f
 * console.log(fix.unpack(data)) // [ 7, 11, 0.5 ]
 * ```
 */
export class Struct<const Format extends string = string> {
  /** The format, as you gave it. */
  readonly format: Format
  /** The number of bytes that the packed values take: Python's `Struct.size`. */
  readonly size: number
  readonly #layout: Layout
  readonly #interpreter: Operations
  #program: Program | undefined
  #calls = 0

  /**
   * Parses the format.
   *
   * @param format A prefix for the byte order (`<` little-endian, `>` or `!` big-endian; `=` or `@` or none is this
   * machine's own, the last two with its sizes and alignment), then codes, each with a count before it if you like:
   * `B` `H` `I` `Q` unsigned of 1, 2, 4 and 8 bytes, `b` `h` `i` `q` signed, `f` `d` floating point, `?` boolean,
   * `4s` bytes, `x` padding. docs/struct.md lists all.
   * @example
   * ```ts
   * new Struct('>HB4s')
   * ```
   * @throws StructError `ERR_STRUCT_FORMAT`. A literal that would throw does not compile, unless it is its size
   * that is refused.
   */
  constructor(format: Checked<Format>) {
    this.#layout = parse(format)
    this.#interpreter = interpret(this.#layout)
    this.format = format as Format
    this.size = this.#layout.size
  }

  /**
   * Packs the values into {@link size} bytes: Python's `Struct.pack`.
   *
   * @throws StructError `ERR_STRUCT_COUNT` for too few or too many values, `ERR_STRUCT_VALUE` for one of the
   * wrong type or out of its code's range.
   */
  pack(...values: Packable<Format>): ReturnType<typeof Buffer.alloc> {
    return this.#pack(values)
  }

  /**
   * Packs the values into `buffer`, as {@link size} bytes from `offset` on: Python's `Struct.pack_into`.
   * If a value is refused, those before it have been written, and the rest is zeros.
   *
   * @param offset In bytes. A negative one counts from the end of `buffer`.
   * @throws StructError as {@link pack}, `ERR_STRUCT_BUFFER` if `buffer` is not a `Uint8Array`,
   * `ERR_STRUCT_OFFSET` if the offset leaves too few bytes or is not an integer.
   */
  packInto(buffer: Uint8Array, offset: number, ...values: Packable<Format>): void
  packInto(...given: [Uint8Array, number, ...unknown[]]): void {
    this.#packInto(given)
  }

  /**
   * Unpacks the values in `data`, which must have exactly {@link size} bytes: Python's `Struct.unpack`. Bytes
   * among the values are copies.
   *
   * @throws StructError `ERR_STRUCT_BUFFER` for another length, or if `data` is not a `Uint8Array`.
   */
  unpack(data: Uint8Array): Unpacked<Format> {
    const { unpack } = this.#count() ?? this.#interpreter
    return unpack(data) as Unpacked<Format>
  }

  /**
   * Unpacks the values in `data` from `offset` on, whatever follows them: Python's `Struct.unpack_from`.
   *
   * @param offset In bytes. Default: 0. A negative one counts from the end of `data`.
   * @throws StructError `ERR_STRUCT_OFFSET` if the offset leaves fewer than {@link size} bytes or is not an
   * integer, `ERR_STRUCT_BUFFER` if `data` is not a `Uint8Array`.
   */
  unpackFrom(data: Uint8Array, offset = 0): Unpacked<Format> {
    const { unpackFrom } = this.#count() ?? this.#interpreter
    return unpackFrom(data, offset) as Unpacked<Format>
  }

  /**
   * Unpacks one struct after the other: Python's `Struct.iter_unpack`. The length is checked at once, and each
   * struct is read when the iterator comes to it.
   *
   * @throws StructError `ERR_STRUCT_BUFFER` if the length of `data` is not a multiple of {@link size}, or if that
   * is 0.
   */
  iterUnpack(data: Uint8Array): IterableIterator<Unpacked<Format>> {
    const { format, size } = this.#layout
    const refuse = (message: string) =>
      new StructError('ERR_STRUCT_BUFFER', message, { format, value: data })
    if (size === 0) throw refuse('cannot iteratively unpack with a struct of length 0')
    expectBytes(data, format)
    if (data.length % size === 0) return this.#each(data)
    throw refuse(`iterative unpacking requires a buffer of a multiple of ${size} bytes`)
  }

  *#each(data: Uint8Array): IterableIterator<Unpacked<Format>> {
    for (let offset = 0; offset < data.length; offset += this.#layout.size) {
      yield this.unpackFrom(data, offset)
    }
  }

  /**
   * {@link pack} for a list of values, as a codec needs it. The list may have any length, whereas arguments have
   * to fit onto the stack.
   *
   * @throws StructError as {@link pack}, and `ERR_STRUCT_VALUE` if it is not a list.
   */
  encode(values: Readonly<Packable<Format>>): Buffer {
    if (Array.isArray(values)) {
      const isShort = values.length <= mostArguments
      // A copy of the list, as arguments are one: a program reads each value more than once.
      return isShort ? this.pack(...(values as Packable<Format>)) : this.#pack([...values])
    }
    const { format } = this
    const message = `encode() takes a list of values, not '${pythonType(values)}'`
    throw new StructError('ERR_STRUCT_VALUE', message, { format, value: values })
  }

  /**
   * {@link unpack}, as a codec needs it.
   *
   * @throws StructError as {@link unpack}.
   */
  decode(data: Uint8Array): Unpacked<Format> {
    return this.unpack(data)
  }

  #pack(values: readonly unknown[]): ReturnType<typeof Buffer.alloc> {
    const program = this.#count()
    const isFit = program !== undefined && values.length === this.#layout.values
    return isFit ? program.packList(values) : this.#interpreter.pack(values)
  }

  #packInto(given: readonly unknown[]): void {
    const program = this.#count()
    const isFit = program !== undefined && given.length <= mostArguments
    if (isFit) program.packInto(...(given as [Uint8Array, number, ...unknown[]]))
    else this.#interpreter.packInto(given)
  }

  static {
    lists = {
      pack: (struct, values) => struct.#pack(values),
      packInto: (struct, given) => struct.#packInto(given),
    }
  }

  /** Counts a call. The program, once there is one. */
  #count(): Program | undefined {
    this.#calls += 1
    if (this.#calls === threshold) this.#speedUp()
    return this.#program
  }

  #speedUp(): void {
    const program = generate(this.#layout, this.#interpreter)
    if (program === undefined) return
    this.#program = program
    // Straight from the object a program runs up to three times as fast as through the methods above,
    // as the compiler can then tell what is called. What a subclass or a mock has replaced stays so.
    for (const name of Object.keys(methods) as (keyof typeof methods)[]) {
      if (this[name] !== methods[name]) continue
      const property = { value: program[name], configurable: true, writable: true }
      Reflect.defineProperty(this, name, property)
    }
  }
}

/** What a program replaces. */
const methods = {
  pack: Struct.prototype.pack,
  packInto: Struct.prototype.packInto,
  unpack: Struct.prototype.unpack,
  unpackFrom: Struct.prototype.unpackFrom,
}
