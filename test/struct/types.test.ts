/**
 * The types of the format language, as the compilers see them: what types.ts says about them, how they
 * read in a message or a hover, and what they cost.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'

/** The compilers that the types are for: the folders of node_modules they are installed in. */
const compilers = ['typescript-5.9', 'typescript-6.0', 'typescript']

/** Programs of one line that must not compile, and what the compiler must say. */
const mistakes: [program: string, said: string][] = [
  [
    "new Struct('<Iz')",
    `'"<Iz"' is not assignable to parameter of type '"bad char in struct format: 'z'"'`,
  ],
  ["pack('<Iz', 1)", "bad char in struct format: 'z'"],
  ["packInto('<I3z', data, 0, 1)", "bad char in struct format: 'z'"],
  ["unpack('<n', data)", "bad char in struct format: 'n'"],
  ["unpackFrom(' <I', data)", "bad char in struct format: '<'"],
  ["iterUnpack('<3 I', data)", "bad char in struct format: ' '"],
  ["calcsize('<I3')", 'repeat count given without format specifier'],
  ["calcsize('<I\\0')", 'embedded null character'],
  ["calcsize('😀')", 'bad char in struct format'],
  ["pack('<IH', 1)", 'Expected 3 arguments, but got 2'],
  ["pack('<IH', 1, 2, 3)", 'Expected 3 arguments, but got 4'],
  ["pack('<IH', 1, 'x')", "not assignable to parameter of type 'number | bigint | boolean'"],
  ["pack('4s', 'text')", "not assignable to parameter of type 'Uint8Array'"],
  ["new Struct('<IH').pack(1)", 'Expected 2 arguments, but got 1'],
  [
    "new Struct('<IH').encode([1])",
    "'readonly [number | bigint | boolean, number | bigint | boolean]'",
  ],
]

/** Expressions, and how their types read in a hover: a message shows them in the same way. */
const hovers: [expression: string, type: string][] = [
  ["unpack('>I4s?', data)", '[number, Buffer, boolean]'],
  ["unpackFrom('qFx2H', data)", '[bigint, Complex, number, number]'],
  ["unpack('>5000H', data)", 'number[]'],
  ["unpack('<4s5000H', data)", '[Buffer, ...number[]]'],
  ["unpack('' as string, data)", 'unknown[]'],
  ["iterUnpack('<Q?', data)", 'IterableIterator<[bigint, boolean]>'],
  ["new Struct('<IHf')", 'Struct<"<IHf">'],
  ["new Struct('' as string)", 'Struct<string>'],
  ["new Struct('<IHf').decode(data)", '[number, number, number]'],
  ["new Struct('<I?').pack", '(values_0: number | bigint | boolean, values_1: unknown) => Buffer'],
]

/** The longest formats that the compilers read, in characters, in codes and in values. */
const longest = ['345s '.repeat(499), 'I'.repeat(998), `${'999B'.repeat(10)}9B`]

/** 200 formats, all different: a prefix, and up to 15 codes, of which one has a count. */
const formats = Array.from({ length: 200 }, (_, index) => {
  const codes = 'IHs?bQ dfBhiqLc'
  const turned = codes.slice(index % codes.length) + codes.slice(0, index % codes.length)
  return `${['<', '>', '!', '=', '@', ''][index % 6]}${index % 50}H${turned.slice(index % 12)}`
})

const root = resolve(import.meta.dirname, '../..')
const temporary = mkdtempSync(join(tmpdir(), 'typed-multicast-types-'))
process.on('exit', () => rmSync(temporary, { recursive: true }))

// With it c8 would collect the coverage of the compilers.
const { NODE_V8_COVERAGE: _, ...env } = process.env

/** Compiles test/struct/types.ts, or else the lines, as the project is; what the compiler prints. */
async function compile(compiler: string, lines?: string[]): Promise<string> {
  const folder = await mkdtemp(join(temporary, 'program-'))
  const program = lines ? join(folder, 'program.mts') : join(root, 'test/struct/types.ts')
  const header =
    "import { calcsize, iterUnpack, pack, packInto, Struct, unpack, unpackFrom } from 'typed-multicast/struct'; declare const data: Buffer"
  if (lines) await writeFile(program, [header, ...lines].join('\n'))
  const options = { noUnusedLocals: false, typeRoots: [join(root, 'node_modules/@types')] }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: options,
      include: [],
      files: [program],
    }),
  )
  const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
  const args = [tsc, '--project', folder, '--pretty', 'false', '--extendedDiagnostics']
  return new Promise((done) => {
    execFile(process.execPath, args, { env }, (_error, stdout, stderr) => done(stdout + stderr))
  })
}

/** What the compiler says about each of the lines. Of anything else it must not complain. */
async function messages(compiler: string, lines: string[]): Promise<Map<string, string>> {
  const output = await compile(compiler, lines)
  const said = new Map(lines.map((line) => [line, '']))
  const rest = output.replaceAll(
    /^.*\.mts\((\d+),\d+\): (.*(?:\n .*)*)\n/gm,
    (all, at, message) => {
      const line = lines[at - 2]
      if (line === undefined) return all
      // Without the parameter that TypeScript 5.7 gave Buffer and Uint8Array.
      said.set(line, said.get(line) + message.replaceAll('<ArrayBufferLike>', ''))
      return ''
    },
  )
  instantiations(rest)
  return said
}

/** The steps that the type checker took, if there was no error. Unlike its time they never vary. */
function instantiations(output: string): number {
  const [, count] = /^Instantiations: +(\d+)$/m.exec(output) ?? []
  assert.ok(count && !/error/i.test(output), output)
  return Number(count)
}

for (const compiler of compilers) {
  describe(compiler, () => {
    const hover = (expression: string) => `${expression} satisfies never`
    const length = (format: string) => `unpack('${format}', data).length satisfies 499 | 998 | 9999`
    let said: Map<string, string>
    before(async () => {
      said = await messages(compiler, [
        ...mistakes.map(([program]) => program),
        ...hovers.map(([expression]) => hover(expression)),
        ...longest.map(length),
      ])
    })

    test('compiles the right programs of types.ts, and not the wrong ones', async () => {
      instantiations(await compile(compiler))
    })

    test('says what is wrong with a format or with a value', () => {
      for (const [program, text] of mistakes) {
        const message = said.get(program)
        assert.ok(message?.includes(text), `${program}: ${message}`)
      }
    })

    test('shows the types themselves, not the names by which they were made', () => {
      for (const [expression, type] of hovers) {
        const message = said.get(hover(expression))
        assert.ok(message?.includes(`Type '${type}' does not`), `${expression}: ${message}`)
      }
    })

    test('reads the longest formats', () => {
      for (const format of longest) assert.equal(said.get(length(format)), '')
    })
  })
}

test('200 formats, packed and unpacked, are cheap to check', async () => {
  assert.equal(new Set(formats).size, 200)
  const lines = formats.map((format) => `pack('${format}', ...unpack('${format}', data))`)
  const one = instantiations(await compile('typescript-5.9', lines.slice(0, 1)))
  const all = instantiations(await compile('typescript-5.9', lines))
  // 96,467 when this was written: 36 for each of the 2,643 characters, and half a second in all.
  assert.ok(all - one < 150_000, `${all - one}`)
})
