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
 * The types of the values come from the format where it is a literal: `new Struct('>I4s?')` packs a
 * number, bytes and anything for the boolean, and unpacks `[number, Buffer, boolean]`. It can be the
 * `codec` of a sender or a receiver, whose messages are then lists of values.
 *
 * After some hundred calls a program is written for the format. Where that is not allowed (a Content
 * Security Policy, `--disallow-code-generation-from-strings`) everything works as before, more slowly.
 */
export class Struct<const Format extends string = string> {
  /** The format, as it was given. */
  readonly format: Format
  /** How many bytes the packed values have: Python's `Struct.size`. */
  readonly size: number
  readonly #layout: Layout
  readonly #interpreter: Operations
  #program: Program | undefined
  #calls = 0

  /**
   * Parses the format.
   *
   * @param format A prefix (`@`, `=`, `<`, `>` or `!`; none is `@`, this machine's own sizes, order and
   * alignment), and then codes with counts before them. docs/struct.md lists them.
   * @throws StructError `ERR_STRUCT_FORMAT`. A literal that would throw does not
   * compile, unless it is its size that is refused.
   */
  constructor(format: Checked<Format>) {
    this.#layout = parse(format)
    this.#interpreter = interpret(this.#layout)
    this.format = format as Format
    this.size = this.#layout.size
  }

  /**
   * The values as {@link size} bytes: Python's `Struct.pack`.
   *
   * @throws StructError `ERR_STRUCT_COUNT` for too few or too many values, `ERR_STRUCT_VALUE`
   * for one of the wrong type or out of its code's range.
   */
  pack(...values: Packable<Format>): ReturnType<typeof Buffer.alloc> {
    return this.#pack(values)
  }

  /**
   * Packs the values into `buffer`, {@link size} bytes from `offset` on: Python's `Struct.pack_into`.
   * Where a value is refused, those before it have been written, and the rest is zeros.
   *
   * @param offset In bytes. A negative one counts from the end of `buffer`.
   * @throws StructError as {@link pack}, and `ERR_STRUCT_BUFFER` if `buffer` is no bytes,
   * `ERR_STRUCT_OFFSET` if the offset leaves too few of them or is no integer.
   */
  packInto(buffer: Uint8Array, offset: number, ...values: Packable<Format>): void
  packInto(...given: [Uint8Array, number, ...unknown[]]): void {
    this.#packInto(given)
  }

  /**
   * The values that are packed in `data`, which must have exactly {@link size} bytes: Python's
   * `Struct.unpack`. Bytes among the values are copies.
   *
   * @throws StructError `ERR_STRUCT_BUFFER` for another length, or if `data` is no bytes.
   */
  unpack(data: Uint8Array): Unpacked<Format> {
    const { unpack } = this.#count() ?? this.#interpreter
    return unpack(data) as Unpacked<Format>
  }

  /**
   * The values that are packed in `data` from `offset` on; what follows them does not matter: Python's
   * `Struct.unpack_from`.
   *
   * @param offset In bytes. Default: 0. A negative one counts from the end of `data`.
   * @throws StructError `ERR_STRUCT_OFFSET` if the offset leaves fewer than {@link size} bytes
   * or is no integer, `ERR_STRUCT_BUFFER` if `data` is no bytes.
   */
  unpackFrom(data: Uint8Array, offset = 0): Unpacked<Format> {
    const { unpackFrom } = this.#count() ?? this.#interpreter
    return unpackFrom(data, offset) as Unpacked<Format>
  }

  /**
   * The values of one struct after the other: Python's `Struct.iter_unpack`. The check is made at once,
   * and each struct read when the iterator comes to it.
   *
   * @throws StructError `ERR_STRUCT_BUFFER` if the length of `data` is no multiple of
   * {@link size}, or if that is 0.
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
   * {@link pack} with a list of values, as a codec does it; of any length, where arguments have to fit
   * onto the stack.
   *
   * @throws StructError as {@link pack}, and `ERR_STRUCT_VALUE` if it is no list.
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
   * {@link unpack}, as a codec does it.
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
