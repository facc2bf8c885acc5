/**
 * Holds the lists in the documents to the code: of options, members, exports, codes, errors, outcomes and rules
 * they show what there is, and nothing else.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { CreateSocket, DatagramSocket } from '../src/datagram.js'
import * as face from '../src/index.js'
import { natsCarrier } from '../src/nats/index.js'
import {
  membershipSettings,
  peerSettings,
  receiverSettings,
  replySettings,
  requestSettings,
  senderSettings,
} from '../src/options.js'
import { modes, nativeMode } from '../src/struct/codes.js'
import { Chapter, casesOf } from '../src/testing/conformance/chapter.js'
import { conformance } from '../src/testing/conformance/index.js'
import { faultRules } from '../src/testing/faults.js'
import { MockNetwork } from '../src/testing/index.js'
import { unicastCarrier } from '../src/unicast/index.js'
import { compiled, write } from './project.js'
import { lackedByNats } from './testing/nats.js'
import { lackedByUnicast } from './testing/unicast.js'
import { root } from './tree.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** What the compiler says of all that is claimed. */
let said = ''
before(async () => {
  said = await compiled()
})

/** Lines that have to compile: what a document claims of the types. */
function claim(name: string, lines: readonly string[]): Promise<void> {
  return write(`${name}.mts`, lines.join('\n'))
}

/** What the compiler says of a claim. */
function saidOf(name: string): string {
  const messages = said.split(/^(?=\S)/m)
  return messages.filter((message) => message.startsWith(`${name}.mts(`)).join('')
}

/** What is under a heading, up to the next one. */
function section(heading: string, document: string): string {
  const [, rest = ''] = read(document).split(new RegExp(`^#+ ${heading}.*\n`, 'm'))
  return rest.split(/^#/m)[0] ?? ''
}

/** The rows of the tables under a heading of api.md, or of `document`, up to the next heading. */
function rows(heading: string, document = 'docs/api.md'): string[][] {
  const lines = section(heading, document)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What is shown as code in a cell, or in running text. */
const codesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

/** The names in the first cells of these rows: of a method without its arguments. */
function names(heading: string, document?: string): string[] {
  const codes = rows(heading, document).flatMap(([first]) => codesIn(first))
  const found = codes.map((code) => /^(new |\[Symbol\.\w+\]|\w+)/.exec(code)?.[0] ?? code)
  return found.filter((name) => name !== 'new ')
}

/** The names that a pattern finds in a file of src. */
function inSource(file: string, pattern: RegExp): string[] {
  return [...read(`src/${file}`).matchAll(pattern)].map(([, name = '']) => name)
}

/** The classes whose constructors have rows. */
function made(document: string): string[] {
  return [...read(document).matchAll(/^\| `new (\w+)\(/gm)].map(([, name = '']) => name)
}

/** What a module of src exports, the types too. */
function exportsOf(file: string): string[] {
  const source = read(`src/${file}`)
  const kinds = /^export (?:(?:type )?\{([^}]+)\}|\* from '(.+)'|const (\w+))/gm
  const statements = [...source.matchAll(kinds)]
  const all = source.match(/^export\b/gm)
  assert.equal(statements.length, all?.length, `an export of ${file} that is not understood here`)
  return statements.flatMap(([, list = '', module, name]) => {
    if (module !== undefined) return exportsOf(join(dirname(file), module.replace(/js$/, 'ts')))
    const names = list.split(',').map((one) => one.replace(/\btype |\w+ as /, '').trim())
    return name ?? names.filter((one) => one !== '')
  })
}

/** Fails unless each of the names is shown, and no other. */
function sameNames(shown: readonly string[], expected: readonly string[]): void {
  const missing = [...new Set(expected)].filter((name) => !shown.includes(name))
  const unknown = shown.filter((name) => !expected.includes(name))
  assert.ok(expected.length > 0)
  assert.deepEqual({ missing, unknown }, { missing: [], unknown: [] })
}

const where = { group: '239.255.29.71', port: 10020 }

test('api.md lists every error code', () => {
  assert.deepEqual(names('Error codes'), inSource('errors.ts', /^ {2}\| '(\w+)'/gm))
})

test('api.md lists every event', () => {
  assert.deepEqual(names('Events'), inSource('events.ts', /^ {2}(\w+): \(/gm))
})

test('api.md lists every export', () => {
  const headings = ['Types', 'Codecs', 'Packing', 'Bytes for socket options']
  const shown = headings.flatMap((heading) => names(heading))
  sameNames([...made('docs/api.md'), ...shown], exportsOf('index.ts'))
})

const listed = {
  MulticastSender: [...names('`MulticastSender'), ...names('All classes')],
  MulticastReceiver: [...names('`MulticastReceiver'), ...names('All classes')],
  MulticastPeer: [
    ...names('`MulticastPeer'),
    ...names('`MulticastReceiver'),
    ...names('All classes'),
  ],
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

/** Defaults of both that are no literals: how api.md puts each, and what it is. */
const ofBoth = {
  codec: ['`bytes`', face.bytes],
  replyCodec: ['`codec`', undefined],
  accept: ['everyone', undefined],
  recvBufferSize: ["the system's", undefined],
  sendBufferSize: ["the system's", undefined],
  createSocket: ["node:dgram's", createSocket],
  networkInterfaces: ["node:os's", networkInterfaces],
}
/** It follows from `interfaces`, whose default differs. */
const ofFollowing = "`true` where `interfaces` is `'all'`, else `false`"
const isLinux = process.platform === 'linux'

const optionTables: {
  of: string
  headings: string[]
  settings(options: object): object
  words: Record<string, unknown[]>
}[] = [
  {
    of: 'a sender',
    headings: ['Of all classes', 'Of a sender'],
    settings: (options) => senderSettings({ ...where, ...options }),
    words: {
      ...ofBoth,
      followInterfaces: [ofFollowing, false],
      localAddress: ['any', '0.0.0.0'],
    },
  },
  {
    of: 'a receiver',
    headings: ['Of all classes', 'Of a receiver'],
    settings: (options) => receiverSettings({ ...where, ...options }),
    words: {
      ...ofBoth,
      followInterfaces: [ofFollowing, true],
      sources: ['every sender', undefined],
      // No address stands for the group's own.
      bindAddress: ["`'group'` on Linux, else `'any'`", isLinux ? undefined : '0.0.0.0'],
    },
  },
  {
    of: 'a peer',
    headings: ['Of all classes', 'Of a receiver', 'Of a peer'],
    settings: (options) => peerSettings({ ...where, ...options }),
    words: {
      ...ofBoth,
      sources: ['every sender', undefined],
      bindAddress: ["`'group'` on Linux, else `'any'`", isLinux ? undefined : '0.0.0.0'],
      followInterfaces: ["`true` where `interfaces` is `'all'`, else `false`", true],
      ttl: ["1, for replies the system's", undefined],
    },
  },
  {
    of: 'a reply',
    headings: ['Of a reply'],
    settings: replySettings,
    words: {},
  },
  {
    of: 'a request',
    headings: ['Of a request'],
    settings: (options) => requestSettings(options, 77),
    words: { timeout: ["the sender's", 77] },
  },
  {
    of: 'join and leave',
    headings: ['Of join and leave'],
    settings: membershipSettings,
    words: {
      interface: ["in `join` the receiver's `interfaces`, in `leave` every one", undefined],
      source: ["in `join` the receiver's `sources`, in `leave` every one", undefined],
    },
  },
]
for (const { of, headings, settings, words } of optionTables) {
  const table = headings.flatMap((heading) => rows(heading))
  const shown = new Map(table.map(([name, value = '']) => [codesIn(name)[0], value]))
  const defaults = Object.entries(settings({}))

  test(`api.md lists every option of ${of}`, () => {
    sameNames(
      headings.flatMap((heading) => names(heading)),
      defaults.map(([name]) => name),
    )
  })

  test(`api.md tells every default of ${of}`, () => {
    for (const [name, value] of defaults) {
      const cell = shown.get(name) ?? ''
      const at = `the default of ${name}, an option of ${of}: ${cell}`
      if (cell === 'required') {
        assert.throws(() => settings({ [name]: undefined }), { name: 'MulticastError' }, at)
        continue
      }
      let [word = 'none', expected] = words[name] ?? []
      if (cell !== word) {
        const [literal] = /^(\d+|`true`|`false`|`'\w+'`)$/.exec(cell) ?? []
        assert.ok(literal, `${at} is not understood`)
        expected = JSON.parse(literal.replaceAll('`', '').replaceAll("'", '"'))
      }
      // The code's is wrapped, and so compared by what it lists.
      if (expected === networkInterfaces) assert.deepEqual(value(), networkInterfaces(), at)
      else assert.deepEqual(value, expected, at)
    }
  })
}

type Setter = Exclude<
  Extract<keyof DatagramSocket, 'bind' | 'send' | `add${string}Membership` | `set${string}`>,
  'settled'
>

/** What a call of a socket sets, as api.md puts it. */
const sets: Record<Setter, (...args: unknown[]) => Record<string, unknown>> = {
  bind: (options) => {
    const { address, port } = options as { address: string; port: number }
    return { 'the address of `bind`': address, 'the port of `bind`': port }
  },
  send: (_data, port, address) =>
    // A connected socket is given neither.
    typeof port === 'function'
      ? {}
      : { 'the address of `sendto`': address, 'the port of `sendto`': port },
  addMembership: (_group, on) => ({ '`IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`': on }),
  addSourceSpecificMembership: (source) => ({
    '`IP_ADD_SOURCE_MEMBERSHIP`, `MCAST_JOIN_SOURCE_GROUP`': source,
  }),
  setMulticastTTL: (ttl) => ({ '`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`': ttl }),
  setTTL: (ttl) => ({ '`IP_TTL`, `IPV6_UNICAST_HOPS`': ttl }),
  setMulticastLoopback: (flag) => ({ '`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`': flag }),
  setMulticastInterface: (handle) => ({ '`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`': handle }),
  setRecvBufferSize: (size) => ({ '`SO_RCVBUF`': size }),
  setSendBufferSize: (size) => ({ '`SO_SNDBUF`': size }),
}

/** All that a sender or a receiver with these options sets until it has sent, or listens. */
async function setBy(side: string, options: object): Promise<Map<string, unknown>> {
  const set = new Map<string, unknown>()
  const host = new MockNetwork({ platform: 'linux' }).host()
  const { createSocket } = options as { createSocket?: CreateSocket }
  const noted: CreateSocket = (options) => {
    const socket = (createSocket ?? host.createSocket)(options)
    set.set('`socket`', createSocket).set('`SO_REUSEADDR`', options.reuseAddr)
    for (const [method, what] of Object.entries(sets)) {
      const call: (...args: unknown[]) => unknown = Reflect.get(socket, method)
      Reflect.set(socket, method, (...args: unknown[]) => {
        for (const [name, value] of Object.entries(what(...args))) set.set(name, value)
        return call.apply(socket, args)
      })
    }
    return socket
  }
  const given = { ...where, ...host, ...options, createSocket: noted }
  if (side === 'peer') {
    await using peer = new face.MulticastPeer({ bindAddress: 'group', ...given })
    await peer.send('hello')
  } else if (side === 'receiver') {
    await using receiver = new face.MulticastReceiver({ bindAddress: 'group', ...given })
    await receiver.ready()
  } else {
    await using sender = new face.MulticastSender(given)
    await sender.send('hello')
  }
  return set
}

/** For each option another value than its default, or than what is given above. */
const others = (side: string): Record<string, unknown> => ({
  group: '239.255.29.72',
  port: 10_021,
  timeout: 1000,
  codec: face.text,
  replyCodec: face.text,
  recvBufferSize: 10_000,
  sendBufferSize: 10_000,
  maxQueuedBytes: 1000,
  queueLimit: 10,
  queueBytes: 1000,
  accept: () => true,
  replies: false,
  signal: new AbortController().signal,
  createSocket: new MockNetwork({ platform: 'linux' }).host().createSocket,
  networkInterfaces: new MockNetwork().host().networkInterfaces,
  watchInterfaces: new MockNetwork().host().watchInterfaces,
  ttl: 2,
  loopback: false,
  localAddress: '10.0.0.1',
  localPort: 10_022,
  interfaces: 'lo',
  sources: ['10.0.0.9'],
  bindAddress: '10.0.0.1',
  reuseAddr: false,
  followInterfaces: side === 'sender',
})
for (const { heading, sides } of [
  { heading: 'Of all classes', sides: ['receiver', 'sender'] },
  { heading: 'Of a sender', sides: ['sender'] },
  { heading: 'Of a receiver', sides: ['receiver'] },
  { heading: 'Of a peer', sides: ['peer'] },
]) {
  test(`api.md tells every socket option: ${heading}`, async () => {
    for (const [first, , , shown] of rows(heading)) {
      const [name = ''] = codesIn(first)
      const changed = new Set<string>()
      for (const side of sides) {
        const other = others(side)
        assert.ok(name in other, `another value for ${name} is missing here`)
        const before = await setBy(side, {})
        for (const [what, value] of await setBy(side, { [name]: other[name] })) {
          if (!isDeepStrictEqual(value, before.get(what))) changed.add(what)
        }
      }
      const expected = [...changed].join(', ').replace(/, the (address|port) of/, ' and')
      assert.equal(shown, expected || 'none', `the socket option of ${name}`)
    }
  })
}

const structRows = (heading: string) => rows(heading, 'docs/struct.md')

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
  sameNames([...functions, ...names('Types', 'docs/struct.md')], exportsOf('struct/index.ts'))
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
  const files = ['stack/outcome.ts', 'testing/outcome.ts']
  const expected = files.flatMap((file) => inSource(file, /^ {2}\| ('[\w-]+')/gm))
  assert.deepEqual(shown.sort(), expected.sort())
})

test('testing.md lists every export of both packages for tests', () => {
  const page = 'docs/testing.md'
  const [, intro = ''] =
    /exports two values, (.*)\. The types:$/m.exec(section('Types', page)) ?? []
  sameNames([...codesIn(intro), ...names('Types', page)], exportsOf('testing/index.ts'))
  sameNames(names('What it exports', page), exportsOf('testing/conformance/index.ts'))
})

/** The types whose members are told in a section, or anywhere on a page, and not each in a row. */
const told: [entry: string, type: string, document: string, heading?: string][] = [
  ['typed-multicast', 'MulticastError', 'docs/api.md', 'Error codes'],
  ['typed-multicast', 'Received<1>', 'docs/api.md', 'Types'],
  ['typed-multicast', 'Remote', 'docs/api.md', 'Types'],
  ['typed-multicast', 'Carrier', 'docs/api.md', 'Types'],
  ['typed-multicast', 'Membership', 'docs/api.md', '`MulticastReceiver'],
  ['typed-multicast', 'Codec<1>', 'docs/api.md', 'Codecs'],
  ['typed-multicast', 'MembershipRequest', 'docs/api.md', 'Bytes for socket options'],
  ['typed-multicast/struct', 'StructError', 'docs/struct.md', 'Error codes of struct'],
  ['typed-multicast/struct', 'StructErrorDetails', 'docs/struct.md', 'Types'],
  ['typed-multicast/struct', 'Complex', 'docs/struct.md', 'Types'],
  ['typed-multicast/testing', 'MockNetwork', 'docs/testing.md'],
  ['typed-multicast/testing', 'MockNetworkOptions', 'docs/testing.md'],
  ['typed-multicast/testing', 'MockHost', 'docs/testing.md', 'Hosts'],
  ['typed-multicast/testing', 'MockHostOptions', 'docs/testing.md', 'Hosts'],
  ['typed-multicast/testing', 'MockInterface', 'docs/testing.md', 'Hosts'],
  ['typed-multicast/testing', 'MockAddress', 'docs/testing.md', 'Hosts'],
  ['typed-multicast/testing', 'MockSocket', 'docs/testing.md', 'Intentional divergences'],
  ['typed-multicast/testing', 'MockSocketOptions', 'docs/testing.md', 'Intentional divergences'],
  ['typed-multicast/testing', 'Transit', 'docs/testing.md', 'Faults'],
  ['typed-multicast/testing', 'Fate', 'docs/testing.md', 'Faults'],
  ['typed-multicast/testing', 'JournalEntry', 'docs/testing.md', 'Looking back'],
  ['typed-multicast/testing', 'Delivery', 'docs/testing.md', 'Looking back'],
  ...[
    'Actor',
    'AddressDetails',
    'Channel<1, 1>',
    'ConformanceCase',
    'ConformanceHost',
    'ConformanceInterfaces',
    'ConformanceNetwork',
    'Peer',
    'PeerMulticastPeer',
    'PeerReceiver',
    'PeerSender',
    'PeerSocket',
    'SocketChoice',
  ].map((type): [string, string, string, string] => [
    'typed-multicast/testing/conformance',
    type,
    'docs/testing.md',
    'What it exports',
  ]),
]
await claim('told', [
  "import type { EventEmitter } from 'node:events'",
  "import type { DatagramSocket } from 'typed-multicast'",
  'type Of<Base, Type> = Type extends Base ? keyof Base : never',
  'type Known<Type> = Of<Error, Type> | Of<EventEmitter, Type> | Of<DatagramSocket, Type>',
  'type Missing<Type, Told> = Exclude<Extract<keyof Type, string>, Known<Type> | Told>',
  ...told.flatMap(([entry, type, document, heading], at) => {
    const text = heading === undefined ? read(document) : section(heading, document)
    const place = [document, heading?.replace('`', '')].filter(Boolean).join(', ')
    const codes = codesIn(text.replace(/^```[\s\S]*?^```$/gm, ''))
    const words = new Set(codes.flatMap((code) => code.match(/\w+/g) ?? []))
    const shown = [...words].map((word) => ` | '${word}'`).join('')
    const missing = `Missing<import('${entry}').${type}, never${shown}>`
    // The compiler tells the type, and so what is missing.
    return [
      `declare const m${at}: \`\${${missing}} of ${type} is not in ${place}\``,
      `export const n${at}: never = m${at}`,
    ]
  }),
])
test('the documents tell every member of the other exported types', () => {
  assert.equal(saidOf('told'), '')
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

test('carriers.md lists what the NATS carrier has, counts and lacks', () => {
  const document = 'docs/carriers.md'
  const carrier = natsCarrier({
    publish() {},
    subscribe: () => ({ unsubscribe() {} }),
    flush: async () => {},
    async *status() {},
    closed: () => new Promise(() => {}),
    isClosed: () => false,
  })
  sameNames(names('A NATS server', document), [
    ...inSource('nats/carrier.ts', /^ {2}(\w+): rule\(/gm),
    ...['stats', ...Object.keys(carrier)],
  ])
  sameNames(names('What the NATS carrier counts', document), Object.keys(carrier.stats))
  sameNames(
    rows('What the NATS carrier cannot do', document).flatMap(([first]) => codesIn(first)),
    lackedByNats,
  )
})

test('carriers.md lists what the carrier by a list of hosts has, counts and lacks', () => {
  const document = 'docs/carriers.md'
  const carrier = unicastCarrier({ peers: [] })
  sameNames(names('A list of hosts', document), [
    ...inSource('unicast/carrier.ts', /^ {2}(\w+): rule\(/gm),
    ...['peers', 'stats', 'kernelDrops', ...Object.keys(carrier)],
  ])
  sameNames(names('What it counts', document), Object.keys(carrier.stats))
  sameNames(
    rows('What it cannot do', document).flatMap(([first]) => codesIn(first)),
    lackedByUnicast,
  )
})
