/**
 * Holds the documents to the code: what they show compiles and runs, what they list is what there is,
 * and where they point to exists. The demo's output is compared in examples.test.ts. Importing the lab
 * puts the programs that run here into a network of their own.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import './lab.js'
import type { DatagramSocket } from '../src/datagram.js'
import * as face from '../src/index.js'
import {
  applySettings,
  membershipSettings,
  receiverSettings,
  requestSettings,
  senderSettings,
} from '../src/options.js'
import { modes, nativeMode } from '../src/struct/codes.js'
import * as struct from '../src/struct/index.js'
import { Chapter, casesOf } from '../src/testing/conformance/chapter.js'
import { conformance } from '../src/testing/conformance/index.js'
import { faultRules } from '../src/testing/faults.js'
import * as testing from '../src/testing/index.js'
import { type Block, blocks, documents, files } from './blocks.js'
import { build, root } from './tree.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** What the blocks of the documents may take for granted. */
const globals = `
declare const sender: import('typed-multicast').MulticastSender<string, string>
declare const receiver: import('typed-multicast').MulticastReceiver<string, string>
`

const programs = blocks.filter(({ kind }) => kind === 'ts' || kind === 'ts run')

/** The folder of a user who has installed the package. */
const folder = await mkdtemp(join(tmpdir(), 'typed-multicast-docs-'))
after(() => rm(folder, { recursive: true }))
await mkdir(join(folder, 'node_modules'))
await symlink(build, join(folder, 'node_modules/typed-multicast'), 'dir')
await writeFile(
  join(folder, 'tsconfig.json'),
  JSON.stringify({
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      typeRoots: [join(root, 'node_modules/@types')],
      paths: {},
      noEmit: false,
      outDir: '.',
    },
    include: ['*.mts', '*.d.ts'],
    // Without a list it is the folder of what is emitted.
    exclude: ['node_modules'],
  }),
)
await writeFile(join(folder, 'globals.d.ts'), globals)

/** The block's file, without its extension. Its lines have the numbers that they have in the document. */
const fileOf = ({ document, line }: Block) => `${document.replace(/\W/g, '-')}-${line}`
for (const block of programs) {
  await writeFile(join(folder, `${fileOf(block)}.mts`), '\n'.repeat(block.line) + block.code)
}

function run(...args: string[]): Promise<string> {
  const options = { cwd: folder, env: { ...process.env, NODE_NO_WARNINGS: '1' }, timeout: 60_000 }
  return new Promise((settle) => {
    execFile(process.execPath, args, options, (_error, stdout, stderr) => settle(stdout + stderr))
  })
}

/** What the compiler says, all in one run: of the blocks, and of what else has been written by then. */
let said = ''
before(async () => {
  said = await run(join(root, 'node_modules/typescript/bin/tsc'))
})

/** Lines that have to compile: what a document claims of the types. */
async function claim(name: string, lines: readonly string[]): Promise<void> {
  await writeFile(join(folder, `${name}.mts`), lines.join('\n'))
}

/** What the compiler says of a claim, or of the documents' own blocks. */
function saidOf(name?: string): string {
  const claims = ['members', 'struct-members', 'codes']
  const messages = said.split(/^(?=\S)/m)
  return messages
    .filter((message) => {
      const [, file = ''] = /^([\w-]+)\.mts\(/.exec(message) ?? []
      return name === undefined ? !claims.includes(file) : file === name
    })
    .join('')
}

/** The rows of the tables under a heading of api.md, or of `document`, up to the next heading. */
function rows(heading: string, document = 'docs/api.md'): string[][] {
  const [, rest = ''] = read(document).split(new RegExp(`^#+ ${heading}.*\n`, 'm'))
  const [section = ''] = rest.split(/^#/m)
  const lines = section.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The names in the first cells of these rows: of a method without its arguments. */
function names(heading: string): string[] {
  const cells = rows(heading).flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)])
  const found = cells.map(([, code = '']) => /^(new |\[Symbol\.\w+\]|\w+)/.exec(code)?.[0] ?? code)
  return found.filter((name) => name !== 'new ')
}

/** The names that a pattern finds in a file of src. */
function inSource(file: string, pattern: RegExp): string[] {
  return [...read(`src/${file}`).matchAll(pattern)].map(([, name = '']) => name)
}

const where = { group: '239.255.29.71', port: 10020 }

test('every block of code is of a kind that is checked', () => {
  for (const [index, { kind, document, line }] of blocks.entries()) {
    const at = `${document}:${line}`
    // A file of a user's project is compiled and run in testing/frameworks.test.ts.
    const isFile = files.some((file) => file.document === document && file.line === line)
    assert.ok(isFile || /^(ts|ts run|sh|text)$/.test(kind), at)
    // Text is what the block before it prints.
    const shows = kind === 'ts run' || blocks[index]?.code.includes('npm run demo')
    assert.equal(blocks[index + 1]?.kind === 'text', shows, `${at}: is what it prints shown?`)
  }
})

test('the programs compile', async () => {
  assert.ok(programs.length > 0)
  assert.equal(saidOf(), '')
})

test('the programs print what is shown', async () => {
  for (const [index, block] of blocks.entries()) {
    if (block.kind !== 'ts run') continue
    assert.equal(await run(join(folder, `${fileOf(block)}.mjs`)), blocks[index + 1]?.code)
  }
})

test('the commands exist', () => {
  const { name, scripts } = JSON.parse(read('package.json'))
  const commands = blocks
    .filter(({ kind }) => kind === 'sh')
    .flatMap(({ code }) => code.trim().split(/\n| && /))
  for (const command of commands) {
    const [, script] = /^npm (?:run )?(\w+)$/.exec(command) ?? []
    const [, program] = /^(?:DEBUG=typed-multicast:\* )?npx tsx (\S+)$/.exec(command) ?? []
    if (command === 'npm install' || command === `npm install ${name}`) continue
    assert.ok(script ?? program, command)
    if (script !== undefined) assert.ok(script in scripts, command)
    if (program !== undefined) assert.ok(existsSync(join(root, program)), command)
  }
})

test('the README shows on its first screen how to install, to run the demo and to test', () => {
  const commands = blocks.filter(({ kind, document }) => kind === 'sh' && document === 'README.md')
  assert.deepEqual(
    commands.slice(0, 3).map(({ code }) => code),
    ['npm install typed-multicast\n', 'npm install && npm run demo\n', 'npm install && npm test\n'],
  )
})

test('every link leads somewhere', () => {
  const anchors = (document: string) =>
    [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)]+)\)/g)) {
      if (URL.canParse(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? document : join(dirname(document), path)
      assert.ok(existsSync(join(root, file)), `${document} links to ${target}`)
      if (anchor === undefined) continue
      assert.ok(anchors(file).includes(anchor), `${document} links to ${target}`)
    }
  }
})

test('every document is reached from the README', () => {
  for (const document of documents.slice(1)) assert.ok(read('README.md').includes(`](${document})`))
})

test('api.md lists every error code', () => {
  assert.deepEqual(names('Error codes'), inSource('errors.ts', /^ {2}\| '(\w+)'/gm))
})

test('api.md lists every event', () => {
  assert.deepEqual(names('Events'), inSource('events.ts', /^ {2}(\w+): \(/gm))
})

test('api.md lists every export', () => {
  const exported = inSource('index.ts', /\{([^}]+)\}/g)
    .flatMap((list) => list.split(','))
    .map((name) => name.replace('type ', '').trim())
    .filter((name) => name !== '')
  const values = Object.keys(face)
  const types = exported.filter((name) => !values.includes(name))
  assert.ok(types.length > 0)
  const page = read('docs/api.md')
  assert.deepEqual(
    types.filter((type) => !names('Types').includes(type)),
    [],
  )
  assert.deepEqual(
    values.filter((value) => !page.includes(`\`${value}`)),
    [],
  )
  assert.deepEqual(
    names('Types').filter((type) => !exported.includes(type)),
    [],
  )
})

const listed = {
  MulticastSender: [...names('`MulticastSender'), ...names('Both')],
  MulticastReceiver: [...names('`MulticastReceiver'), ...names('Both')],
  MulticastStats: names('Counts'),
}
await claim('members', [
  `import type { EventEmitter } from 'node:events'`,
  `import type * as face from 'typed-multicast'`,
  // An object that lacks a member, or has one too many, does not compile.
  ...Object.entries(listed).map(([type, members]) => {
    const own = `Exclude<keyof face.${type}, keyof EventEmitter>`
    return `export const of${type}: Record<${own}, 1> = { ${members.map((name) => `${name}: 1`)} }`
  }),
])
test('api.md lists every member of the classes, and every count', () => {
  assert.equal(saidOf('members'), '')
})

/** The kernel's name for what a method of a socket sets. */
const socketOptions: Record<string, string> = {
  setMulticastTTL: 'IP_MULTICAST_TTL',
  setMulticastLoopback: 'IP_MULTICAST_LOOP',
  setMulticastInterface: 'IP_MULTICAST_IF',
  setRecvBufferSize: 'SO_RCVBUF',
  setSendBufferSize: 'SO_SNDBUF',
}

const buffers = { recvBufferSize: 1, sendBufferSize: 1 }
for (const { side, defaults, given } of [
  {
    side: 'sender' as const,
    defaults: senderSettings(where),
    given: senderSettings({ ...where, ...buffers, interface: '127.0.0.1' }),
  },
  {
    side: 'receiver' as const,
    defaults: receiverSettings(where),
    given: receiverSettings({ ...where, ...buffers }),
  },
]) {
  const table = [...rows('Of both'), ...rows(`Of a ${side}`)]
  const described = new Map(table.map(([name = '', ...cells]) => [name.replaceAll('`', ''), cells]))

  test(`api.md lists every option of a ${side}`, () => {
    assert.deepEqual([...described.keys()].sort(), Object.keys(defaults).sort())
  })

  test(`api.md tells the defaults of a ${side}`, () => {
    for (const [name, value] of Object.entries(defaults)) {
      const [shown = ''] = described.get(name) ?? []
      const where = `${name}: ${shown}`
      if (shown === 'required') continue
      if (typeof value === 'number' || typeof value === 'boolean' || value === 'all') {
        assert.equal(shown.replace(/[`']/g, ''), String(value), where)
      }
      if (shown === 'none') assert.equal(value, undefined, where)
    }
  })

  test(`api.md tells the socket options of a ${side}`, () => {
    for (const name of Object.keys(given)) {
      const calls: string[] = []
      const socket = new Proxy({}, { get: (_, method: string) => () => calls.push(method) })
      const others = Object.keys(given).filter((other) => other !== name)
      const alone = { ...given, ...Object.fromEntries(others.map((other) => [other, undefined])) }
      applySettings(side, socket as DatagramSocket, alone)
      const [, , shown = ''] = described.get(name) ?? []
      for (const call of calls) assert.ok(shown.includes(`\`${socketOptions[call]}\``), name)
      const set = Object.values(socketOptions).filter((option) => shown.includes(`\`${option}\``))
      assert.equal(set.length, calls.length, name)
    }
  })
}

test('api.md lists every option of a request', () => {
  assert.deepEqual(names('Of a request').sort(), Object.keys(requestSettings({}, 1)).sort())
})

test('api.md lists every option of join and leave', () => {
  assert.deepEqual(names('Of join and leave').sort(), Object.keys(membershipSettings({})).sort())
})

const structRows = (heading: string) => rows(heading, 'docs/struct.md')

/** What is shown as code in a cell. */
const codesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

/** The sizes of a cell such as `8; Windows 4` on this machine: `none` is undefined. */
function sizeIn(cell = ''): number | undefined {
  const [usual = '', windows = usual] = cell.split('; Windows ')
  const size = process.platform === 'win32' ? windows : usual
  return size === 'none' ? undefined : Number(size)
}

/** What struct.md shows of the functions and of a Struct's members. */
const structNames = structRows('Functions')
  .flatMap(([, here]) => codesIn(here))
  .map((code) => /^(struct\.|new )?(\w+)/.exec(code) ?? [])
  .map(([, start, name = '']) => ({ name, isMember: start === 'struct.' }))

await claim('struct-members', [
  "import type { Struct } from 'typed-multicast/struct'",
  `export const all: Record<keyof Struct, 1> = { ${[
    ...new Set(structNames.filter(({ isMember }) => isMember).map(({ name }) => `${name}: 1`)),
  ]} }`,
])
test('struct.md lists every export, and every member of a Struct', () => {
  const functions = structNames.filter(({ isMember }) => !isMember).map(({ name }) => name)
  assert.deepEqual([...new Set(functions)].sort(), Object.keys(struct).sort())

  const exported = [...read('src/struct/index.ts').matchAll(/^export (type )?\{([^}]+)\}/gm)]
    .flatMap(([, type = '', list = '']) => list.split(',').map((name) => type + name.trim()))
    .filter((name) => name.startsWith('type '))
    .map((name) => name.slice('type '.length))
  const types = structRows('Types').map(([name]) => /\w+/.exec(name ?? '')?.[0])
  assert.deepEqual(types.sort(), exported.sort())
  assert.equal(saidOf('struct-members'), '')
})

test('struct.md lists every prefix', () => {
  const shown = structRows('Prefixes').map(([first, order, sizes]) => ({
    prefix: codesIn(first)[0],
    order: order?.replace(/,.*/, ''),
    sizes,
  }))
  const little = { '@': "the machine's", '=': "the machine's", '<': 'little-endian' }
  const expected = [...modes].map(([prefix, mode]) => ({
    prefix,
    order: { ...little }[prefix] ?? 'big-endian',
    sizes: mode === nativeMode ? 'native' : 'standard',
  }))
  assert.deepEqual(shown, expected)
})

/** The table of the codes, row by row, with each of the prefixes. */
const structCodes = structRows('Codes').flatMap(
  ([first, , standard, native, alignment, packs, unpacks]) =>
    [...modes].map(([prefix, mode]) => ({
      prefix,
      char: codesIn(first)[0] ?? '',
      code: mode.codes.get(codesIn(first)[0] ?? ''),
      isNative: mode === nativeMode,
      size: sizeIn(mode === nativeMode ? native : standard),
      alignment: sizeIn(alignment),
      types: { Packable: packs, Unpacked: unpacks },
    })),
)
await claim('codes', [
  "import type { Complex, Packable, Unpacked } from 'typed-multicast/struct'",
  'type Like<A> = <T>() => T extends A ? 1 : 0',
  'type Is<A, B> = Like<A> extends Like<B> ? 1 : 0',
  ...structCodes
    .filter(({ code }) => code !== undefined)
    .flatMap(({ prefix, char, isNative, types }) =>
      Object.entries(types).map(([name, cell = '']) => {
        // The first is the standard one, the last the native one, where these differ.
        const type = codesIn(cell.replaceAll('\\|', '|')).at(isNative ? -1 : 0) ?? ''
        return `is<Is<${name}<'${prefix}${char}'>, [${type}]>>()`
      }),
    ),
  'function is<_ extends 1>(): void {}',
])
test('struct.md lists every code with its sizes and its types', () => {
  assert.deepEqual(
    structRows('Codes').map(([code]) => codesIn(code)[0]),
    [...nativeMode.codes.keys()],
  )
  for (const { prefix, char, code, isNative, size, alignment } of structCodes) {
    assert.equal(code?.size, size, prefix + char)
    if (code !== undefined && isNative) assert.equal(code.alignment, alignment, char)
  }
  assert.equal(saidOf('codes'), '')
})

test('struct.md lists every error code', () => {
  const shown = structRows('Error codes of struct').flatMap(([code]) => codesIn(code))
  assert.deepEqual(shown, inSource('struct/error.ts', /^ {2}\| '(\w+)'/gm))
})

const testingRows = (heading: string) => rows(heading, 'docs/testing.md')

test('testing.md lists every fault, with its default', () => {
  const shown = testingRows('Faults').map(([name, value]) => [codesIn(name)[0], value])
  const expected = Object.entries(faultRules).map(([name, { default: value }]) => [
    name,
    value === undefined ? 'none' : String(value),
  ])
  assert.deepEqual(shown, expected)
})

test('testing.md lists every outcome', () => {
  const shown = testingRows('Looking back').map(([outcome]) => codesIn(outcome)[0])
  const expected = inSource('testing/packet.ts', /^ {2}\| ('[\w-]+')/gm)
  assert.deepEqual(shown.sort(), expected.sort())
})

test('testing.md lists every export of the package for tests', () => {
  const lists = inSource('testing/index.ts', /\{([^}]+)\}/g).flatMap((list) => list.split(','))
  const exported = lists.map((name) => name.replace('type ', '').trim())
  const shown = testingRows('Types').flatMap(([types]) => codesIn(types))
  assert.deepEqual([...shown, ...Object.keys(testing)].sort(), exported.sort())
})

test('testing.md shows every member of a network and of a host', () => {
  const page = read('docs/testing.md')
  const classes = {
    network: testing.MockNetwork,
    host: new testing.MockNetwork().host().constructor,
  }
  for (const [owner, { prototype }] of Object.entries(classes)) {
    const members = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor')
    assert.ok(members.length > 0)
    const missing = members.filter((name) => !new RegExp(`\\b${owner}\\.${name}\\b`).test(page))
    assert.deepEqual(missing, [])
  }
})

/** The rules of a chapter, each with what it holds over, as testing.md lists them. */
function rulesOf(chapter: Chapter): string[] {
  const over = new Map<string, string[]>()
  for (const { name } of chapter.rules) {
    const [, family = '', rule = name] = /^over (IPv[46]), (.*)$/.exec(name) ?? []
    over.set(rule, [...(over.get(rule) ?? []), family])
  }
  return [...over].map(([rule, families]) => `| ${rule} | ${families.join(', ')} |`)
}

test('testing.md lists the rules of the kernel, each under the file that tests it', async () => {
  const [, table = ''] = read('docs/testing.md').split('## The rules, and where each is tested\n')
  const [section = ''] = table.split(/^## /m)
  const chapters: Chapter[] = []
  for (const part of section.split(/^### /m).slice(1)) {
    const [file = '', ...lines] = part.split('\n')
    const found = await import(`../src/testing/conformance/${file.replace(/ts$/, 'js')}`)
    const chapter = Object.values(found).find((value) => value instanceof Chapter)
    assert.ok(chapter, `${file} has no cases`)
    chapters.push(chapter)
    const listed = lines.filter((line) => line.startsWith('| ')).slice(1)
    assert.deepEqual(
      listed.map((line) => line.replace('| |', '|  |')),
      rulesOf(chapter),
      file,
    )
  }
  // And no case is in none of these files.
  const names = (cases: readonly { name: string }[]) => cases.map(({ name }) => name).sort()
  assert.deepEqual(names(casesOf(chapters)), names(conformance))
})
