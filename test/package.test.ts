/** What a consumer gets: the tarball is packed, installed and loaded. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import { describe, test } from 'node:test'
import { blocks } from './blocks.js'
import { command, install, json, node, npm } from './consumer.js'
import { root } from './tree.js'

/** The public face. A name that is added, renamed or lost has to be so here too. */
const struct = [
  'Struct',
  'StructError',
  'calcsize',
  'inetAton',
  'inetNtoa',
  'inetNtop',
  'inetPton',
  'iterUnpack',
  'pack',
  'packInto',
  'unpack',
  'unpackFrom',
]
const exported = {
  'typed-multicast': [
    'MulticastError',
    'MulticastPeer',
    'MulticastReceiver',
    'MulticastSender',
    'bytes',
    'json',
    'packMembership',
    'packTtl',
    'text',
    ...struct,
  ].sort(),
  'typed-multicast/struct': struct,
  'typed-multicast/doctor': ['diagnose'],
  'typed-multicast/testing': ['MockNetwork', 'refuseRealSockets'],
  'typed-multicast/unicast': ['unicastCarrier'],
  'typed-multicast/nats': ['natsCarrier'],
  'typed-multicast/testing/conformance': [
    'Actor',
    'Peer',
    'conformance',
    'routedGroups',
    'topology',
  ],
}

const { consumer, skip } = await install()
const installed = join(consumer, 'node_modules', 'typed-multicast')

/** The files below a folder, with forward slashes. */
async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

/** No rxjs: neither installed, nor in the lock file from which the next install would bring it. */
async function assertLean(): Promise<void> {
  const lock: { packages: Record<string, { dev?: boolean }> } = await json(
    consumer,
    'package-lock.json',
  )
  const locked = Object.keys(lock.packages).filter((path) => !lock.packages[path]?.dev)
  assert.deepEqual(locked.sort(), [
    '',
    'node_modules/debug',
    'node_modules/ms',
    'node_modules/typed-multicast',
    'node_modules/typed-multicast/node_modules/typed-emitter',
  ])
  const found = await files(join(consumer, 'node_modules'))
  assert.ok(found.includes('typed-multicast/node_modules/typed-emitter/index.d.ts'))
  const unwanted = found.filter((file) => /rxjs|tslib/.test(file))
  assert.deepEqual(unwanted, [])
}

test('the lock file says of the package what package.json does', async () => {
  const manifest = await json(root, 'package.json')
  const { packages } = await json(root, 'package-lock.json')
  const said = ['name', 'version', 'license', 'engines', 'bin', 'dependencies', 'devDependencies']
  // As npm writes a path, or an install would change the file.
  const bin = Object.entries(manifest.bin).map(([name, path]) => [name, posix.normalize(`${path}`)])
  const expected = { ...manifest, bin: Object.fromEntries(bin) }
  for (const field of said) assert.deepEqual(packages[''][field], expected[field], field)
})

describe('the packed package', { skip }, () => {
  test('installs without rxjs, again by npm ci, and again by npm install', async () => {
    await assertLean()
    await npm(consumer, 'ci')
    await assertLean()
    await npm(consumer, 'install')
    await assertLean()
  })

  test('holds what its users load and read, and nothing else', async () => {
    const found = await files(installed)
    for (const file of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'SECURITY.md',
      'docs/guide.md',
      'examples/README.md',
      'dist/index.js',
      'dist/cli/main.js',
    ]) {
      assert.ok(found.includes(file), `${file} is missing`)
    }
    const known = [
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md|SECURITY\.md)$/,
      // What is for those who choose or look, and not for those who have installed it, stays out.
      /^docs\/(?!drawings|benchmarks|compare)\w+\.md$/,
      /^examples\/\w+\.(ts|md)$/,
      /^dist\/.*\.(js|d\.ts)$/,
      /^node_modules\/typed-emitter\//,
    ]
    const unknown = found.filter((file) => !known.some((pattern) => pattern.test(file)))
    assert.deepEqual(unknown, [])
  })

  test('is at most a mebibyte of files', async () => {
    const own = (await files(installed)).filter((file) => !file.startsWith('node_modules/'))
    const sizes = await Promise.all(
      own.map(async (file) => (await stat(join(installed, file))).size),
    )
    const sum = sizes.reduce((one, other) => one + other, 0)
    assert.ok(sum <= 2 ** 20, `${sum} bytes`)
  })

  test('has what its README links to, or the README says that it has not', async () => {
    const found = await files(installed)
    const readme = await readFile(join(installed, 'README.md'), 'utf8')
    const [, left = ''] = /^(The drawings.*?in\s+the\s+installed package\.)/ms.exec(readme) ?? []
    for (const [, target = ''] of readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      const isLeftOut = left.includes(posix.basename(target))
      assert.equal(found.includes(target), !isLeftOut, target)
    }
  })

  test('has a command, which tells its version', async () => {
    const { version } = await json(root, 'package.json')
    const bin = join(consumer, 'node_modules', '.bin', 'typed-multicast')
    assert.equal(await command(consumer, bin, '--version'), `${version}\n`)
  })

  test('is bundled by esbuild, into ES modules with the banner that is documented', async () => {
    const [shown = ''] = blocks.flatMap(({ code }) => /^npx esbuild (.*)$/m.exec(code)?.[1] ?? [])
    const program = `import { MulticastReceiver } from 'typed-multicast'
      const receiver = new MulticastReceiver({ group: '239.1.2.3', port: 0, interfaces: '127.0.0.1' })
      receiver.ready().then(() => { console.log('ready'); receiver.close() })`
    await writeFile(join(consumer, 'app.js'), program)
    const esbuild = join(root, 'node_modules/.bin/esbuild')
    await command(consumer, 'sh', '-c', `"$0" ${shown}`, esbuild)
    assert.equal(await node(consumer, 'app.mjs'), 'ready\n')
    const common = ['--bundle', '--platform=node', '--format=cjs', '--outfile=app.cjs']
    await command(consumer, esbuild, 'app.js', ...common)
    assert.equal(await node(consumer, 'app.cjs'), 'ready\n')
  })

  for (const [name, names] of Object.entries(exported)) {
    const print = (namespace: string) =>
      `console.log(JSON.stringify(Object.keys(${namespace}).sort()))`

    test(`exports the public names of ${name}, by import and by require`, async () => {
      const imported = await node(
        consumer,
        '--input-type=module',
        '-e',
        print(`await import('${name}')`),
      )
      assert.deepEqual(JSON.parse(imported), names)
      const required = await node(
        consumer,
        '--input-type=commonjs',
        '-e',
        print(`require('${name}')`),
      )
      assert.deepEqual(JSON.parse(required), names)
    })
  }

  test('loads neither node:dgram nor a dependency for struct alone', async () => {
    const loaded = (name: string) =>
      node(
        consumer,
        '--input-type=commonjs',
        '-e',
        `require('${name}')
        console.log(process.moduleLoadList.some((module) => module.endsWith(' dgram')))
        console.log(Object.keys(require.cache).some((file) => /node_modules.debug/.test(file)))`,
      )
    assert.equal(await loaded('typed-multicast'), 'true\ntrue\n')
    assert.equal(await loaded('typed-multicast/struct'), 'false\nfalse\n')
  })

  const noLimit = process.platform === 'linux' ? false : 'a limit of memory binds on Linux only'
  test('refuses a struct that there is no memory for', { skip: noLimit }, async () => {
    // Here, since what compiles the other tests would not start with so little.
    const script = "const { pack } = require('typed-multicast/struct'); pack('<3000000000x')"
    const shell = 'ulimit -v 2500000; exec "$0" --input-type=commonjs -e "$1"'
    await assert.rejects(command(consumer, 'sh', '-c', shell, process.execPath, script), {
      message: /StructError: byte string is too large/,
    })
  })

  test('lets its package.json be required', async () => {
    const script = "console.log(require('typed-multicast/package.json').version)"
    const version = await node(consumer, '--input-type=commonjs', '-e', script)
    assert.equal(version.trim(), (await json(root, 'package.json')).version)
  })
})
