/**
 * The types of the package as its users' compilers see them: what compiles and what does not, what is
 * inferred, how it reads in a message or a hover, and what it costs. All programs but the bundler's are
 * compiled in one run of each compiler, against the packed package.
 */
import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { before, describe, test } from 'node:test'
import { assemble, node } from './consumer.js'
import { build, root } from './tree.js'

/** The compilers that the declarations are for: the folders of node_modules they are installed in. */
const compilers = ['typescript-5.9', 'typescript-6.0', 'typescript']

/** What program.mts is compiled as: an ES module, a CommonJS module, and for a bundler. */
const programs = {
  'program.mts': 'program.mjs',
  'program.cts': 'program.cjs',
  'program.ts': 'program.js',
}

/** Test programs of which no line runs: a wrong one without an error is an error. */
const typeTests = { 'types.ts': 'test/types.ts', 'struct-types.ts': 'test/struct/types.ts' }

/** What `<I?4s` packs. */
const packs = 'readonly [number | bigint | boolean, unknown, Uint8Array]'

/** The types that the functions of program.mts return. */
const inferred = {
  plainSender: 'MulticastSender<string | Uint8Array, Buffer>',
  plainReceiver: 'MulticastReceiver<Buffer, string | Uint8Array>',
  bytesSender: 'MulticastSender<string | Uint8Array, Buffer>',
  bytesReceiver: 'MulticastReceiver<Buffer, string | Uint8Array>',
  textSender: 'MulticastSender<string, string>',
  textReceiver: 'MulticastReceiver<string, string>',
  jsonReceiver: 'MulticastReceiver<{ id: string; }, { id: string; }>',
  mixedSender: 'MulticastSender<string, number>',
  mixedReceiver: 'MulticastReceiver<string, number>',
  replySender: 'MulticastSender<string | Uint8Array, number>',
  replyReceiver: 'MulticastReceiver<Buffer, number>',
  inlineSender: 'MulticastSender<number, number>',
  inlineReceiver: 'MulticastReceiver<number, bigint>',
  structReceiver: 'MulticastReceiver<[number, number, number], string>',
  plainPeer: 'MulticastPeer<Buffer, string | Uint8Array, string | Uint8Array>',
  bytesPeer: 'MulticastPeer<Buffer, string | Uint8Array, string | Uint8Array>',
  textPeer: 'MulticastPeer<string, string, string>',
  jsonPeer: 'MulticastPeer<{ id: string; }, { id: string; }, { id: string; }>',
  mixedPeer: 'MulticastPeer<string, string, number>',
  replyPeer: 'MulticastPeer<Buffer, string | Uint8Array, number>',
  inlinePeer: 'MulticastPeer<number, bigint, bigint>',
  inlineReplyPeer: 'MulticastPeer<string, string, Date>',
  structPeer: `MulticastPeer<[number, boolean, Buffer], ${packs}, ${packs}>`,
  structReplyPeer:
    'MulticastPeer<[number], readonly [number | bigint | boolean], readonly [number | bigint | boolean]>',
  emptyStructPeer: 'MulticastPeer<[], readonly [], readonly []>',
  longStructPeer:
    'MulticastPeer<number[], readonly (number | bigint | boolean)[], readonly (number | bigint | boolean)[]>',
  unpacked: '[number, Buffer, boolean, bigint]',
  prepared: 'Struct<"!4s4s">',
}

/** What it prints when it runs. */
const printed = `HEARD, said 127.0.0.1
10.0.0.1:32768 unheard
ERR_STRUCT_VALUE 'H' format requires 0 <= number <= 65535
`

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

/** Constructors that must not compile, at which word, and what the compiler must say of it. */
const wrongOptions: [program: string, at: string, said: string][] = [
  ["new MulticastSender({ ...where, codec: 'json' })", 'codec', "'string' is not assignable"],
  ['new MulticastReceiver({ ...where, codec: { decode } })', 'codec', "'encode' is missing"],
  [
    'new MulticastSender<number, number>({ ...where, codec: text })',
    'codec',
    "'Codec<number, number>'",
  ],
  [
    'new MulticastSender<number, string>({ ...where, codec: text, replyCodec: text })',
    'codec',
    "Type 'number' is not assignable to type 'string'",
  ],
  [
    "new MulticastSender({ ...where, replyCodec: 'json' })",
    'replyCodec',
    "'string' is not assignable",
  ],
  [
    'new MulticastSender({ ...where, codec: text, replyCodec: json })',
    'replyCodec',
    "is not assignable to type 'Decoder<string>'",
  ],
  [
    'new MulticastReceiver({ ...where, codec: text, replyCodec: { decode } })',
    'replyCodec',
    "'encode' is missing",
  ],
  [
    'new MulticastSender<string, string>({ ...where, replyCodec: json<number>() })',
    'replyCodec',
    "Type 'number' is not assignable to type 'string'",
  ],
  [
    'new MulticastReceiver<string, string>({ ...where, codec: text, replyCodec: json<number>() })',
    'replyCodec',
    "Type 'string' is not assignable to type 'number'",
  ],
  ["new MulticastPeer({ ...where, codec: 'json' })", 'codec', "'string' is not assignable"],
  ['new MulticastPeer({ ...where, codec: { decode } })', 'codec', "'encode' is missing"],
  [
    'new MulticastPeer<string, number>({ ...where, codec: text })',
    'codec',
    "Type 'number' is not assignable to type 'string'",
  ],
  [
    'new MulticastPeer<number, string>({ ...where, codec: text, replyCodec: text })',
    'codec',
    "Type 'string' is not assignable to type 'number'",
  ],
  [
    'new MulticastPeer({ ...where, codec: text, replyCodec: { decode } })',
    'replyCodec',
    "'encode' is missing",
  ],
  [
    'new MulticastPeer<string, string, string>({ ...where, codec: text, replyCodec: json<number>() })',
    'replyCodec',
    "Type 'string' is not assignable to type 'number'",
  ],
  ['new MulticastPeer<Buffer, number>(where)', 'where', "Property 'codec' is missing"],
  [
    'new MulticastPeer({ ...where, localPort: 2, codec: text })',
    'localPort',
    "'localPort' does not exist",
  ],
  ['new MulticastSender<number>(where)', 'where', "Property 'codec' is missing"],
  ['new MulticastSender({ ...where, tll: 2, codec: text })', 'tll', "'tll' does not exist"],
]

/** Expressions, and how their types read in a hover: a message shows them in the same way. */
const hovers: [expression: string, type: string][] = [
  ["unpack('>I4s?', data)", '[number, Buffer, boolean]'],
  ["unpackFrom('qFx2H', data)", '[bigint, Complex, number, number]'],
  ["unpack('>5000H', data)", 'number[]'],
  ["unpack('<4s5000H', data)", '[Buffer, ...number[]]'],
  ["unpack('' as string, data)", 'unknown[]'],
  ["iterUnpack('<Q?', data)", 'IterableIterator<[bigint, boolean]>'],
  ['new MulticastPeer({ ...where, codec: text })', 'MulticastPeer<string, string, string>'],
  [
    'new MulticastPeer({ ...where, codec: text, replyCodec: json<number>() })',
    'MulticastPeer<string, string, number>',
  ],
  [
    "new MulticastPeer({ ...where, codec: new Struct('<H') }).send",
    '(message: readonly [number | bigint | boolean]) => Promise<number>',
  ],
  ['remote', 'Remote'],
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

const hover = (expression: string) => `${expression} satisfies never`
const length = (format: string) => `unpack('${format}', data).length satisfies 499 | 998 | 9999`
const lines = [
  ...mistakes.map(([program]) => program),
  ...wrongOptions.map(([program]) => program),
  ...hovers.map(([expression]) => hover(expression)),
  ...longest.map(length),
]
const header =
  "import { calcsize, iterUnpack, pack, packInto, Struct, unpack, unpackFrom } from 'typed-multicast/struct'; declare const data: Buffer"
const endpoints =
  "import { json, MulticastPeer, MulticastReceiver, MulticastSender, type Remote, text } from 'typed-multicast'; declare const where: { group: string; port: number }; declare const decode: (data: Buffer) => string; declare const remote: Remote"

const consumer = await assemble()
for (const name of Object.keys(programs)) {
  await cp(join(root, 'test/consumer/program.mts'), join(consumer, name))
}
for (const [name, path] of Object.entries(typeTests)) {
  const source = await readFile(join(root, path), 'utf8')
  const entry = (_: string, part: string) => `'typed-multicast${part}'`
  await writeFile(
    join(consumer, name),
    source.replaceAll(/'[./]+\/src((?:\/\w+)?)\/index\.js'/g, entry),
  )
}
await writeFile(join(consumer, 'lines.mts'), [`${header}; ${endpoints}`, ...lines].join('\n'))

const nodenext = ['--module', 'nodenext']
const bundler = ['--module', 'preserve', '--moduleResolution', 'bundler']

/**
 * An option of Node that lets it compile with a third less of the processor: it would spend that on
 * optimizing code that then hardly runs, and later versions on moving what lives on.
 */
const thrifty = process.version.startsWith('v20.')
  ? '--interrupt-budget=1000000'
  : '--max-semi-space-size=128'

/** Compiles files of the consumer's project into a folder named as the compiler; what each run says. */
async function compile(compiler: string, ...runs: string[][]): Promise<string[]> {
  const all = runs.map((args) => [
    ...args,
    ...['--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--types', 'node'],
    ...['--strict', '--exactOptionalPropertyTypes', '--declaration', '--outDir', compiler],
    ...['--pretty', 'false'],
  ])
  if (compiler !== 'typescript') {
    const program = join(build, 'test/compile.js')
    return JSON.parse(await node(consumer, thrifty, program, compiler, JSON.stringify(all)))
  }
  // Is a program of its own kind, which cannot be told to compile twice.
  const tsc = join(root, 'node_modules', compiler, 'bin', 'tsc')
  const said: string[] = []
  for (const args of all) {
    // Each of its four checkers would check the declarations anew.
    const run = node(consumer, tsc, ...args, '--checkers', '1')
    said.push(await run.catch(({ cause }) => cause.stdout + cause.stderr))
  }
  return said
}

/** What programs print, by their extensions and sources. */
const outputs = new Map<string, Promise<string>>()

/** What a compiled program prints. Where two compilers have made the same of it, one run is of both. */
async function running(path: string): Promise<string> {
  const key = extname(path) + (await readFile(path, 'utf8'))
  const output = outputs.get(key) ?? node(consumer, path)
  outputs.set(key, output)
  return output
}

/**
 * What the compiler says about each of the lines, after the word that it points at. Of anything else it must
 * not complain.
 */
function messages(output: string): Map<string, string> {
  const said = new Map(lines.map((line) => [line, '']))
  const rest = output.replaceAll(
    /^lines\.mts\((\d+),(\d+)\): (.*(?:\n .*)*)\n/gm,
    (all, at, column, message) => {
      const line = lines[at - 2]
      if (line === undefined) return all
      const [word] = /^\w*/.exec(line.slice(column - 1)) ?? []
      // Without the parameter that TypeScript 5.7 gave Buffer and Uint8Array.
      const text = message.replaceAll(/<ArrayBuffer(Like)?>/g, '')
      said.set(line, `${said.get(line)}${word}: ${text}\n`)
      return ''
    },
  )
  assert.equal(rest, '')
  return said
}

for (const compiler of compilers) {
  describe(compiler, () => {
    const folder = join(consumer, compiler)
    let said: Map<string, string>
    before(async () => {
      const files = ['program.mts', 'program.cts', ...Object.keys(typeTests), 'lines.mts']
      const checked = ['--skipLibCheck', 'false']
      // The same declarations, found in another way: one compiler checks them all for that too.
      const found = compiler === 'typescript' ? checked : ['--skipLibCheck']
      const [modules = '', bundled] = await compile(
        compiler,
        [...files, ...nodenext, ...checked],
        ['program.ts', ...bundler, ...found],
      )
      said = messages(modules)
      assert.equal(bundled, '')
    })

    for (const [source, output] of Object.entries(programs)) {
      test(`${source} compiles, infers its types, and runs`, async () => {
        const declarations = await readFile(join(folder, source.replace('.', '.d.')), 'utf8')
        // One line each, and without the parameter that TypeScript 5.7 gave Buffer and Uint8Array.
        const flat = declarations.replaceAll(/\s+/g, ' ').replaceAll(/<ArrayBuffer(Like)?>/g, '')
        assert.ok(flat.includes('const dynamic: (format: string) => unknown[];'), declarations)
        for (const [name, type] of Object.entries(inferred)) {
          assert.ok(flat.includes(`const ${name}: () => ${type};`), `${name} in\n${declarations}`)
        }
        assert.equal(await running(join(folder, output)), printed)
      })
    }

    test('says what is wrong with a format or with a value', () => {
      for (const [program, text] of mistakes) {
        const message = said.get(program)
        assert.ok(message?.includes(text), `${program}: ${message}`)
      }
    })

    test('points at the option that is wrong, and at no other', () => {
      for (const [program, at, text] of wrongOptions) {
        const message = said.get(program) ?? ''
        assert.deepEqual(message.match(/^\w+(?=: error)/gm), [at], `${program}: ${message}`)
        assert.ok(message.includes(text), `${program}: ${message}`)
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
  const packed = formats.map((format) => `pack('${format}', ...unpack('${format}', data))`)
  await writeFile(join(consumer, 'formats.mts'), [header, ...packed].join('\n'))
  const options = ['--skipLibCheck', '--extendedDiagnostics']
  const [output = ''] = await compile('typescript', ['formats.mts', ...nodenext, ...options])
  assert.doesNotMatch(output, /error/i)
  // The steps that the type checker took: unlike its time they never vary, nor with the compiler.
  const [, instantiations] = /^Instantiations: +(\d+)$/m.exec(output) ?? []
  // 99,352 when this was written: 36 for each of the 2,643 characters, the rest for the declarations.
  assert.ok(Number(instantiations) < 150_000, instantiations)
})
