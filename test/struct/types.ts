import { type Codec, MulticastReceiver, MulticastSender } from '../../src/index.js'
import {
  type Checked,
  type Complex,
  calcsize,
  iterUnpack,
  type Packable,
  pack,
  packInto,
  Struct,
  type Unpacked,
  unpack,
  unpackFrom,
} from '../../src/struct/index.js'

// Nothing here runs: compilers.test.ts compiles it. Each @ts-expect-error is an error itself where the line
// below it compiles.

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<_Holds extends true>(): void {}

/** What every code of a number takes. */
type Numeric = number | bigint | boolean

export function codes(): void {
  // Each code: unpacked in a standard size, unpacked in native mode, packed.
  is<Equal<Unpacked<'<bBhHiI'>, [number, number, number, number, number, number]>>()
  is<Equal<Unpacked<'@bBhHiI'>, [number, number, number, number, number, number]>>()
  is<Equal<Packable<'bBhHiI'>, [Numeric, Numeric, Numeric, Numeric, Numeric, Numeric]>>()
  is<Equal<Unpacked<'<lLqQ'>, [number, number, bigint, bigint]>>()
  is<Equal<Unpacked<'lLqQ'>, [bigint, bigint, bigint, bigint]>>()
  is<Equal<Packable<'lLqQ'>, [Numeric, Numeric, Numeric, Numeric]>>()
  is<Equal<Unpacked<'nNP'>, [bigint, bigint, bigint]>>()
  is<Equal<Packable<'nNP'>, [Numeric, Numeric, Numeric]>>()
  is<Equal<Unpacked<'<efd'>, [number, number, number]>>()
  is<Equal<Unpacked<'efd'>, [number, number, number]>>()
  is<Equal<Packable<'efd'>, [Numeric, Numeric, Numeric]>>()
  is<Equal<Unpacked<'<FD'>, [Complex, Complex]>>()
  is<Equal<Unpacked<'FD'>, [Complex, Complex]>>()
  is<Equal<Packable<'FD'>, [Complex | Numeric, Complex | Numeric]>>()
  is<Equal<Unpacked<'<csp'>, [Buffer, Buffer, Buffer]>>()
  is<Equal<Unpacked<'csp'>, [Buffer, Buffer, Buffer]>>()
  is<Equal<Packable<'csp'>, [Uint8Array, Uint8Array, Uint8Array]>>()
  is<Equal<Unpacked<'<?'>, [boolean]>>()
  is<Equal<Unpacked<'?'>, [boolean]>>()
  is<Equal<Packable<'?'>, [unknown]>>()
  is<Equal<Unpacked<'<x'>, []>>()
  is<Equal<Unpacked<'x'>, []>>()
  is<Equal<Packable<'x'>, []>>()
}

export function modes(): void {
  is<Equal<Unpacked<'l'>, [bigint]>>()
  is<Equal<Unpacked<'@l'>, [bigint]>>()
  is<Equal<Unpacked<'=l'>, [number]>>()
  is<Equal<Unpacked<'<l'>, [number]>>()
  is<Equal<Unpacked<'>l'>, [number]>>()
  is<Equal<Unpacked<'!l'>, [number]>>()
  is<Equal<Unpacked<''>, []>>()
  is<Equal<Unpacked<'@'>, []>>()
  is<Equal<Unpacked<'<'>, []>>()
  is<Equal<Packable<'<'>, []>>()
}

export function counts(): void {
  is<Equal<Unpacked<'<3I'>, [number, number, number]>>()
  is<Equal<Packable<'<3I'>, [Numeric, Numeric, Numeric]>>()
  is<Equal<Unpacked<'<2c2?'>, [Buffer, Buffer, boolean, boolean]>>()
  is<Equal<Unpacked<'<2IH2Q'>, [number, number, number, bigint, bigint]>>()
  is<Equal<Unpacked<'<0I'>, []>>()
  is<Equal<Unpacked<'<00I'>, []>>()
  is<Equal<Unpacked<'<3x0x'>, []>>()
  is<Equal<Unpacked<'<4s0s'>, [Buffer, Buffer]>>()
  is<Equal<Unpacked<'<4p0p'>, [Buffer, Buffer]>>()
  is<Equal<Packable<'<4s0p2c'>, [Uint8Array, Uint8Array, Uint8Array, Uint8Array]>>()
  is<Equal<Unpacked<'<003I'>, [number, number, number]>>()
  is<Equal<Unpacked<'<65507s'>, [Buffer]>>()
  is<Equal<Unpacked<'<10B'>['length'], 10>>()
  is<Equal<Unpacked<'<99B'>['length'], 99>>()
  is<Equal<Unpacked<'<100B'>['length'], 100>>()
  is<Equal<Unpacked<'<809B'>['length'], 809>>()
  is<Equal<Unpacked<'<999B'>['length'], 999>>()
  is<Equal<Unpacked<'<000999B'>['length'], 999>>()

  // More than 999: an array, and beside others a rest element.
  is<Equal<Unpacked<'<1000B'>, number[]>>()
  is<Equal<Unpacked<'<5000H'>, number[]>>()
  is<Equal<Packable<'<5000H'>, Numeric[]>>()
  is<Equal<Unpacked<'<12345678901234567890Q'>, bigint[]>>()
  is<Equal<Unpacked<'<4s1000H'>, [Buffer, ...number[]]>>()
  is<Equal<Unpacked<'<4s1000H?'>, [Buffer, ...number[], boolean]>>()
  is<Equal<Unpacked<'<4s1000H?1000q'>, [Buffer, ...(number | boolean | bigint)[]]>>()
}

export function spaces(): void {
  is<Equal<Unpacked<'< I\t4s\n?\v\f\r2Q '>, [number, Buffer, boolean, bigint, bigint]>>()
  is<Equal<Unpacked<'  I'>, [number]>>()
  is<Equal<Unpacked<'> '>, []>>()
  is<Equal<Checked<'< I\t4s\n?\v\f\r2Q '>, '< I\t4s\n?\v\f\r2Q '>>()
}

export function invalid(): void {
  is<Equal<Checked<'<Iz'>, "bad char in struct format: 'z'">>()
  is<Equal<Checked<'<I3z'>, "bad char in struct format: 'z'">>()
  is<Equal<Checked<'zyx'>, "bad char in struct format: 'z'">>()
  is<Equal<Checked<'<n'>, "bad char in struct format: 'n'">>()
  is<Equal<Checked<'>2N'>, "bad char in struct format: 'N'">>()
  is<Equal<Checked<'=P'>, "bad char in struct format: 'P'">>()
  is<Equal<Checked<'@nNP'>, '@nNP'>>()
  is<Equal<Checked<' <I'>, "bad char in struct format: '<'">>()
  is<Equal<Checked<'<>I'>, "bad char in struct format: '>'">>()
  is<Equal<Checked<'I<'>, "bad char in struct format: '<'">>()
  is<Equal<Checked<'3 I'>, "bad char in struct format: ' '">>()
  is<Equal<Checked<'-3I'>, "bad char in struct format: '-'">>()
  is<Equal<Checked<'I\u00a0'>, "bad char in struct format: '\u00a0'">>()
  is<Equal<Checked<'<I3'>, 'repeat count given without format specifier'>>()
  is<Equal<Checked<'0'>, 'repeat count given without format specifier'>>()
  is<Equal<Checked<'\0'>, 'embedded null character'>>()
  is<Equal<Checked<'<z\0'>, 'embedded null character'>>()
  is<Equal<Checked<'<I3\0'>, 'embedded null character'>>()
  is<Equal<Unpacked<'<Iz'>, unknown[]>>()
  is<Equal<Packable<'<Iz'>, unknown[]>>()
  is<Equal<Unpacked<'3'>, unknown[]>>()
}

export function notLiteral(): void {
  is<Equal<Unpacked<string>, unknown[]>>()
  is<Equal<Packable<string>, unknown[]>>()
  is<Equal<Checked<string>, string>>()
  is<Equal<Unpacked<`<${number}s`>, unknown[]>>()
  is<Equal<Packable<`<${number}s`>, unknown[]>>()
  is<Equal<Checked<`<${number}s`>, `<${number}s`>>()
  is<Equal<Unpacked<`<I${string}`>, unknown[]>>()
  is<Equal<Unpacked<Uppercase<string>>, unknown[]>>()
  // biome-ignore lint/suspicious/noExplicitAny: what an untyped caller hands over
  is<Equal<Unpacked<any>, unknown[]>>()
  is<Equal<Unpacked<`${'<' | '>'}I`>, [number]>>()
  is<Equal<Unpacked<'<I' | '<f?'>, [number] | [number, boolean]>>()
  is<Equal<Packable<'<I' | '4s'>, [Numeric] | [Uint8Array]>>()
  is<Equal<Checked<'<I' | '<z'>, '<I' | "bad char in struct format: 'z'">>()
  is<Equal<Unpacked<never>, never>>()
}

export function functions(
  data: Buffer,
  format: string,
  either: '<I' | '4s',
  odd: '<I' | 'z',
): void {
  const values = unpack('>I4s?', data)
  is<Equal<typeof values, [number, Buffer, boolean]>>()
  is<Equal<ReturnType<typeof unpack<'>I4s?'>>, [number, Buffer, boolean]>>()
  const [id, name, flag] = unpackFrom('>I4s?', data, 4)
  is<Equal<[typeof id, typeof name, typeof flag], [number, Buffer, boolean]>>()
  unpackFrom('>I4s?', new Uint8Array(9))
  for (const [first, second] of iterUnpack('<Q?', data)) {
    is<Equal<[typeof first, typeof second], [bigint, boolean]>>()
  }
  is<Equal<ReturnType<typeof calcsize>, number>>()
  calcsize('<I')
  // @ts-expect-error two values
  const [, , third] = unpack('<IH', data)
  void third
  // @ts-expect-error a string is no data
  unpack('<I', 'data')

  const packed = pack('<IH', 1, 2n)
  is<Equal<typeof packed, ReturnType<typeof Buffer.alloc>>>()
  packInto('<IH', data, 0, true, 2)
  pack('<f4sF?', 1n, new Uint8Array(4), { re: 1, im: 2 }, 'anything')
  pack('<D', 1)
  pack('>5000H', ...new Array<number>(5000).fill(1))
  pack('')
  pack('4x')
  // @ts-expect-error too few
  pack('<IH', 1)
  // @ts-expect-error too many
  pack('<IH', 1, 2, 3)
  // @ts-expect-error a string is no integer
  pack('<IH', 1, 'x')
  // @ts-expect-error nor is nothing
  pack('<IH', 1, undefined)
  // @ts-expect-error text is not bytes
  pack('4s', 'text')
  // @ts-expect-error half a number
  pack('<D', { re: 1 })
  // @ts-expect-error padding takes no value
  pack('4x', 0)
  // @ts-expect-error the offset
  packInto('<IH', data, 1n, 1, 2)
  // @ts-expect-error too few
  packInto('<IH', data, 0, 1)

  // Tuples, as they were unpacked or as constants.
  pack('>I4s?', ...values)
  const fixed = [1, 2] as const
  pack('<IH', ...fixed)
  // @ts-expect-error one too many
  pack('<I', ...fixed)

  // What is no literal is checked when it runs.
  is<Equal<ReturnType<typeof unpack<string>>, unknown[]>>()
  pack(format, 1, 'x', undefined)
  pack(`<${data.length}s`, data)
  unpack('<z' as string, data)
  const one = unpack(either, data)
  is<Equal<typeof one, [number] | [Buffer]>>()
  // @ts-expect-error neither of the two takes a string
  pack(either, 'x')

  // Invalid formats.
  // @ts-expect-error no such code
  pack('<Iz', 1)
  // @ts-expect-error no such code
  packInto('<Iz', data, 0, 1)
  // @ts-expect-error no such code
  unpack('<Iz', data)
  // @ts-expect-error no such code
  unpackFrom('<Iz', data)
  // @ts-expect-error no such code
  iterUnpack('<Iz', data)
  // @ts-expect-error no such code
  calcsize('<Iz')
  // @ts-expect-error native only
  unpack('<P', data)
  // @ts-expect-error one of them has no such code
  unpack(odd, data)
  // @ts-expect-error a number is no format
  unpack(1, data)
}

export async function classes(data: Buffer, format: string): Promise<void> {
  const struct = new Struct('>I4s?')
  is<Equal<typeof struct, Struct<'>I4s?'>>>()
  is<Equal<typeof struct.format, '>I4s?'>>()
  is<Equal<typeof struct.size, number>>()
  is<Equal<ReturnType<typeof struct.unpack>, [number, Buffer, boolean]>>()
  is<Equal<ReturnType<typeof struct.unpackFrom>, [number, Buffer, boolean]>>()
  is<Equal<ReturnType<typeof struct.decode>, [number, Buffer, boolean]>>()
  is<Equal<Parameters<typeof struct.pack>, [Numeric, Uint8Array, unknown]>>()
  is<Equal<Parameters<typeof struct.encode>, [readonly [Numeric, Uint8Array, unknown]]>>()
  for (const values of struct.iterUnpack(data)) {
    is<Equal<typeof values, [number, Buffer, boolean]>>()
  }
  struct.pack(...struct.unpack(data))
  struct.packInto(data, 0, ...struct.unpackFrom(data, 4))
  struct.encode(struct.decode(data))
  struct.encode([1, data, true] as const)
  // @ts-expect-error too few
  struct.pack(1, data)
  // @ts-expect-error text is not bytes
  struct.encode([1, 'text', true])
  // @ts-expect-error too few
  struct.packInto(data, 0, 1)
  // @ts-expect-error the format stays
  struct.format = '<I'
  // @ts-expect-error no such code
  new Struct('<Iz')
  // @ts-expect-error no format
  new Struct()

  const any: Struct = new Struct(format)
  is<Equal<ReturnType<typeof any.unpack>, unknown[]>>()
  any.pack(1, 'x')
  const wider: Struct = struct
  wider.pack(...wider.unpack(data))
  // @ts-expect-error another format
  const other: Struct<'<IH'> = struct
  void other

  // As a codec.
  const where = { group: '239.1.2.3', port: 10000 }
  const receiver = new MulticastReceiver({ ...where, codec: new Struct('<IHf') })
  receiver.on('message', (message) => is<Equal<typeof message, [number, number, number]>>())
  is<
    Equal<
      typeof receiver,
      MulticastReceiver<[number, number, number], readonly [Numeric, Numeric, Numeric]>
    >
  >()
  const sender = new MulticastSender({ ...where, codec: struct, replyCodec: new Struct('?') })
  is<Equal<typeof sender, MulticastSender<readonly [Numeric, Uint8Array, unknown], [boolean]>>>()
  await sender.send([1, data, true])
  await sender.send([1, data, true] as const)
  await sender.send(struct.unpack(data))
  // @ts-expect-error too few
  await sender.send([1, data])
  // @ts-expect-error text is not bytes
  await sender.send([1, 'text', true])
  // @ts-expect-error no such code
  new MulticastReceiver({ ...where, codec: new Struct('<Iz') })
  const messages = new MulticastReceiver({ ...where, codec: new Struct(format) })
  is<Equal<typeof messages, MulticastReceiver<unknown[], readonly unknown[]>>>()
}

/** Functions of the caller's own, whose format is not known yet. */
export function generic(data: Buffer): void {
  function first<const Format extends string>(format: Checked<Format>): Unpacked<Format> {
    return unpack(format, data)
  }
  function bytes<const Format extends string>(
    format: Checked<Format>,
    ...values: Packable<Format>
  ): Buffer {
    return pack(format, ...values)
  }
  function last<Format extends string>(struct: Struct<Format>): Unpacked<Format> {
    return struct.unpackFrom(data, -struct.size)
  }
  function codec<Format extends string>(
    struct: Struct<Format>,
  ): Codec<Readonly<Packable<Format>>, Unpacked<Format>> {
    return struct
  }
  is<Equal<ReturnType<typeof first<'<I?'>>, [number, boolean]>>()
  const values = first('<I?')
  is<Equal<typeof values, [number, boolean]>>()
  bytes('<I?', ...values)
  const one = last(new Struct('<I?'))
  is<Equal<typeof one, [number, boolean]>>()
  const carried = codec(new Struct('<I?'))
  is<Equal<typeof carried, Codec<readonly [Numeric, unknown], [number, boolean]>>>()
  // @ts-expect-error no such code
  first('<Iz')
  // @ts-expect-error too few
  bytes('<I?', 1)
}
