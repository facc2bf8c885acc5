/**
 * Holds the documents to the code: what they show compiles and runs, what they list is what there is,
 * and where they point to exists. The demo's output is compared in examples.test.ts. Importing the lab
 * puts the programs that run here into a network of their own.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'
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

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`),
]

/** What the blocks of the documents may take for granted. */
const globals = `
declare const sender: import('typed-multicast').MulticastSender<string, string>
declare const receiver: import('typed-multicast').MulticastReceiver<string, string>
`

interface Block {
  /** `ts`, `ts run`, `sh` or `text`. */
  readonly kind: string
  readonly code: string
  readonly document: string
  /** The line of the document before its first. */
  readonly line: number
}

const blocks = documents.flatMap((document): Block[] => {
  const content = read(document)
  return [...content.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, kind = '', code = ''] = match
    return { kind, code, document, line: content.slice(0, match.index).split('\n').length }
  })
})
const programs = blocks.filter(({ kind }) => kind.startsWith('ts'))

/** A folder whose programs find the package, and are compiled as the project's own are. */
const folder = await mkdtemp(join(tmpdir(), 'typed-multicast-docs-'))
after(() => rm(folder, { recursive: true }))
const tsconfig = join(folder, 'tsconfig.json')
await writeFile(
  tsconfig,
  JSON.stringify({
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
    include: ['*.mts', '*.d.ts'],
  }),
)
await writeFile(join(folder, 'globals.d.ts'), globals)

/** The block's file. Its lines have the numbers that they have in the document. */
const fileOf = ({ document, line }: Block) => `${document.replace(/\W/g, '-')}-${line}.mts`
for (const block of programs) {
  await writeFile(join(folder, fileOf(block)), '\n'.repeat(block.line) + block.code)
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  // Its tsconfig has tsx lay out src differently, and coverage merges the two by position.
  const inherited = { ...process.env, NODE_V8_COVERAGE: undefined, NODE_NO_WARNINGS: '1' }
  const options = { cwd: root, env: { ...inherited, ...env }, timeout: 60_000 }
  return new Promise((settle) => {
    execFile(process.execPath, args, options, (_error, stdout, stderr) => settle(stdout + stderr))
  })
}

const compile = () => run([join(root, 'node_modules/typescript/bin/tsc'), '--project', tsconfig])

/** The rows of the tables under a heading, up to the next heading. */
function rows(heading: string): string[][] {
  const [, rest = ''] = read('docs/api.md').split(new RegExp(`^#+ ${heading}.*\n`, 'm'))
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
    assert.match(kind, /^(ts|ts run|sh|text)$/, at)
    // Text is what the block before it prints.
    const shows = kind === 'ts run' || blocks[index]?.code.includes('npm run demo')
    assert.equal(blocks[index + 1]?.kind === 'text', shows, `${at}: is what it prints shown?`)
  }
})

test('the programs compile', async () => {
  assert.ok(programs.length > 0)
  assert.equal(await compile(), '')
})

test('the programs print what is shown', async () => {
  for (const [index, block] of blocks.entries()) {
    if (block.kind !== 'ts run') continue
    const args = ['--import', import.meta.resolve('tsx'), join(folder, fileOf(block))]
    assert.equal(await run(args, { TSX_TSCONFIG_PATH: tsconfig }), blocks[index + 1]?.code)
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

test('api.md lists every member of the classes, and every count', async () => {
  const listed = {
    MulticastSender: [...names('`MulticastSender'), ...names('Both')],
    MulticastReceiver: [...names('`MulticastReceiver'), ...names('Both')],
    MulticastStats: names('Counts'),
  }
  // An object that lacks a member, or has one too many, does not compile.
  const sources = Object.entries(listed).map(([type, members]) => {
    const own = `Exclude<keyof face.${type}, keyof EventEmitter>`
    return `export const of${type}: Record<${own}, 1> = { ${members.map((name) => `${name}: 1`)} }`
  })
  const imports = [
    `import type { EventEmitter } from 'node:events'`,
    `import type * as face from 'typed-multicast'`,
  ]
  const file = join(folder, 'members.mts')
  await writeFile(file, [...imports, ...sources].join('\n'))
  const output = await compile()
  await rm(file)
  assert.equal(output, '')
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
