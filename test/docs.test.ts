/**
 * Holds the code in the documents and docstrings to what it does: it compiles, runs and prints what is shown, and
 * where the documents point to exists. The demo's output is compared in examples.test.ts. Importing the lab puts the
 * programs that run here into a network of their own.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { commands as cli } from '../src/cli/command.js'
import * as doctor from '../src/doctor/index.js'
import * as main from '../src/index.js'
import * as nats from '../src/nats/index.js'
import * as cases from '../src/testing/conformance/index.js'
import * as testing from '../src/testing/index.js'
import * as unicast from '../src/unicast/index.js'
import { type Block, blocks, documents, type Example, examples, files } from './blocks.js'
import { lacking, scenario } from './lab.js'
import { Output } from './output.js'
import { compiled, folder, run, runEach, write } from './project.js'
import { build, root } from './tree.js'
import { until } from './until.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** What the blocks of the documents may take for granted. */
const globals = `
declare const sender: import('typed-multicast').MulticastSender<string, string>
declare const receiver: import('typed-multicast').MulticastReceiver<string, string>
declare const peer: import('typed-multicast').MulticastPeer<string, string>
declare const { MulticastPeer, MulticastReceiver, MulticastSender, Struct, text }: typeof import('typed-multicast')
declare const { MockNetwork }: typeof import('typed-multicast/testing')
declare const { unicastCarrier }: typeof import('typed-multicast/unicast')
declare const { natsCarrier }: typeof import('typed-multicast/nats')
declare const connection: import('typed-multicast/nats').NatsConnection
// Of a client that only some have: nats/carrier.test.ts holds the types of the real one to it.
declare module '@nats-io/transport-node' {
  type Connection = import('typed-multicast/nats').NatsConnection & { drain(): Promise<void> }
  export function connect(options: { servers: string; maxReconnectAttempts: number }): Promise<Connection>
}
`

const programs = blocks.filter(({ kind }) => /^ts( run| lasting| test)?$/.test(kind))

/** Whether it is a program that runs until Ctrl-C. */
const lasts = (kind: string | undefined): boolean => kind?.endsWith('s lasting') === true

await write('globals.d.ts', globals)

/** The block's file, without its extension. Its lines have the numbers that they have in the document. */
const fileOf = ({ document, line }: Block) => `${document.replace(/\W/g, '-')}-${line}`
for (const block of programs) {
  await write(`${fileOf(block)}.mts`, '\n'.repeat(block.line) + block.code)
}

/** The file of an example, without its extension. What imports is a program; the rest takes the globals. */
const exampleOf = ({ file, line }: Example) => `${file.replace(/\W/g, '-')}-${line}`
for (const example of examples) {
  await write(`${exampleOf(example)}.mts`, `${'\n'.repeat(example.line)}${example.code}export {}\n`)
}

/** What the compiler says of all of them. */
let said = ''
before(async () => {
  said = await compiled()
})

test('every block of code is of a kind that is checked', () => {
  for (const [index, { kind, code, document, line }] of blocks.entries()) {
    const at = `${document}:${line}`
    // The server's configuration is run in nats/carrier.test.ts.
    // A file of a user's project is compiled and run in testing/frameworks.test.ts, and what needs zod in
    // recipes.test.ts.
    const isFile = files.some((file) => file.document === document && file.line === line)
    assert.ok(
      isFile || /^(ts|ts run|ts run zod|[jt]s lasting|ts test|sh|text|yaml|conf)$/.test(kind),
      at,
    )
    // Text is what the block before it prints.
    const isExample = document === 'examples/README.md' && kind === 'sh'
    // Or what a program prints that lasts, where it is sent to after what that is sent.
    const isSentTo = lasts(kind) && blocks[index + 1]?.kind === 'sh'
    const isToOne = lasts(blocks[index - 1]?.kind)
    const shows =
      kind.startsWith('ts run') ||
      (lasts(kind) && !isSentTo) ||
      (kind === 'sh' && isToOne) ||
      isExample ||
      code.includes('npm run demo')
    assert.equal(blocks[index + 1]?.kind === 'text', shows, `${at}: is what it prints shown?`)
  }
})

test('the programs compile', async () => {
  assert.ok(programs.length > 0)
  assert.equal(said, '')
})

// Elsewhere they would send on the networks of this machine.
const { reason, skip } = lacking([])
test('the programs print what is shown', { skip }, async () => {
  assert.equal(reason, undefined)
  const shown = programs.filter(({ kind }) => kind === 'ts run')
  // What is about the end of its process needs one of its own.
  const isOfProcess = ({ code }: Block) => /\bprocess\./.test(code)
  const others = shown.filter((block) => !isOfProcess(block))
  const ending = shown.filter(isOfProcess)
  const printed = await runEach(others.map((block) => `${fileOf(block)}.mjs`))
  for (const block of ending) printed.push(await run(`${fileOf(block)}.mjs`))
  for (const [index, block] of [...others, ...ending].entries()) {
    assert.equal(printed[index], blocks[blocks.indexOf(block) + 1]?.code, fileOf(block))
  }
})

test('what is pasted from the README runs without a compiler', { skip }, async () => {
  assert.equal(reason, undefined)
  for (const [index, { document, kind, code, line }] of blocks.entries()) {
    if (document !== 'README.md' || !/^[jt]s/.test(kind)) continue
    // Node 20 and 22 do not know it, whichever version runs here.
    assert.doesNotMatch(code, /\bawait using\b/, `${document}:${line}`)
    if (kind !== 'ts run') continue
    const pasted = `pasted-${line}.mjs`
    await write(pasted, code)
    assert.equal(await run(pasted), blocks[index + 1]?.code, `${document}:${line}`)
  }
})

test('the files of tests pass under node --test, without a compiler', { skip }, async () => {
  assert.equal(reason, undefined)
  for (const { kind, code, document, line } of blocks) {
    if (kind !== 'ts test') continue
    const pasted = `pasted-${document.replace(/\W/g, '-')}-${line}.test.mjs`
    await write(pasted, code)
    assert.match(await run('--test', '--test-reporter=tap', pasted), /^# pass [1-9]\d*\n# fail 0$/m)
  }
})

scenario('what runs until Ctrl-C prints what is shown', [], async (lab) => {
  const [one, other] = [lab.host(), lab.host()]
  const plug = () => lab.cable([one, 'eth0', '192.0.2.7/24'], [other, 'eth0', '192.0.2.8/24'])
  await plug()
  for (const [index, { kind, code, line }] of blocks.entries()) {
    if (!lasts(kind)) continue
    const [next, after] = blocks.slice(index + 1, index + 3)
    const pasted = `lasting-${line}.mjs`
    await write(pasted, code)
    const child = one.spawn([process.execPath, join(folder, pasted)], {
      stdio: ['ignore', 'pipe', 2],
    })
    const output = new Output(child)
    const [, sent] = /^npx typed-multicast (.*)\n$/.exec(next?.code ?? '') ?? []
    if (sent === undefined) {
      await output.line(/'eth0'/)
      one.unplug('eth0')
      await output.line(/^lost/)
      await plug()
    } else {
      const [, group = ''] = /group: '([\d.]+)'/.exec(code) ?? []
      await until(`${group} is joined`, () => one.groups('lo').includes(group))
      const own = join(build, 'src/cli/main.js')
      one.spawn(['sh', '-c', `exec "$0" "$1" ${sent}`, process.execPath, own], { stdio: 'ignore' })
    }
    const portless = (text: string) => text.replace(/port \d+/g, 'port N')
    const shown = portless((sent === undefined ? next : after)?.code ?? '').split('\n')
    const last = shown.at(-2) ?? ''
    await output.line({ test: (text) => portless(text) === last })
    child.kill()
    assert.deepEqual([...output.lines.map(portless), ''], shown)
  }
})

test('what can be called, and each codec, has an example', () => {
  const exported = Object.entries({ ...main, ...testing, ...cases, ...doctor, ...unicast, ...nats })
  for (const [name, value] of exported) {
    if (typeof value !== 'function' && !('encode' in Object(value))) continue
    assert.ok(
      examples.some((example) => example.of === name),
      name,
    )
  }
})

test('the examples that import run without a compiler, and print what is shown', {
  skip,
}, async () => {
  assert.equal(reason, undefined)
  const importing = examples.filter(({ code }) => code.startsWith('import '))
  const pasted = importing.map((example) => `pasted-${exampleOf(example)}.mjs`)
  for (const [index, { code }] of importing.entries()) await write(pasted[index] ?? '', code)
  const printed = await runEach(pasted)
  for (const [index, { code, file, line }] of importing.entries()) {
    const comments = code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)
    const shown = [...comments].map(([, text]) => `${text}\n`)
    assert.equal(printed[index], shown.join(''), `${file}:${line}`)
  }
})

test('the commands exist', () => {
  const { name, scripts } = JSON.parse(read('package.json'))
  const commands = blocks
    .filter(({ kind }) => kind === 'sh')
    .flatMap(({ code }) => code.trim().split(/\n| && /))
  for (const command of commands) {
    const [, script] = /^npm (?:run )?([\w:]+)$/.exec(command) ?? []
    const [, program] = /^(?:DEBUG=typed-multicast:\* )?npx tsx (\S+)$/.exec(command) ?? []
    if (command === 'npm install' || command === `npm install ${name}`) continue
    // The examples' on other carriers are run in examples.test.ts.
    if (/^MULTICAST_(PEERS|NATS)=/.test(command)) continue
    // The bundler's is run in package.test.ts.
    if (command.startsWith('npx esbuild ')) continue
    // Of the program that the README has one save.
    const [, saved] = /^(?:DEBUG=typed-multicast:\* )?node (\S+)$/.exec(command) ?? []
    if (saved !== undefined) {
      assert.ok(read('README.md').includes(`save it as \`${saved}\``), command)
      continue
    }
    const [, own, flags] = /^npx typed-multicast (\w+)(.*)$/.exec(command) ?? []
    if (own !== undefined) {
      assert.ok(Object.hasOwn(cli, own), command)
      // Each flag is one that its help tells of.
      for (const [flag] of flags?.matchAll(/--[a-z]+/g) ?? []) {
        assert.ok(cli[own]?.help.includes(`${flag} `), `${command}: ${flag}`)
      }
      continue
    }
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

test('the index lists every document', () => {
  const index = read('docs/README.md')
  for (const document of documents) {
    if (document === 'docs/README.md') continue
    const link = document.startsWith('docs/') ? document.slice('docs/'.length) : `../${document}`
    assert.ok(index.includes(`](${link})`), document)
  }
})

test('the manifest for Kubernetes fits the example that it runs', () => {
  const [manifest, ...more] = blocks.filter(({ kind }) => kind === 'yaml')
  assert.ok(manifest !== undefined && more.length === 0)
  const example = read('examples/headless.ts')
  const [, port] = /port: (\d+),/.exec(example) ?? []
  assert.match(manifest.code, new RegExp(`port: ${port}$`, 'm'))
  const [, service = ''] = /--service', '([^']+)'/.exec(manifest.code) ?? []
  assert.ok(example.includes(service))
  assert.ok(service.startsWith(`${/name: (\w+)$/m.exec(manifest.code)?.[1]}.`))
  for (const field of [
    'clusterIP: None',
    'publishNotReadyAddresses: true',
    'kind: NetworkPolicy',
  ]) {
    assert.ok(manifest.code.includes(field), field)
  }
  // YAML knows no tabs, and here each level is two spaces.
  for (const line of manifest.code.split('\n')) assert.match(line, /^( {2})*([\w#-]|$)/, line)
})
