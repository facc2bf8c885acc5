/**
 * What a consumer gets: the tarball is packed, installed, loaded, compiled against and run.
 *
 * All of it in a temporary folder, because packing rebuilds dist/ and changes node_modules/, which
 * the tests beside this one are using.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

/** The public face. A name that is added, renamed or lost has to be so here too. */
const struct = [
  'MulticastError',
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
  'packMembership',
  'packTtl',
  'unpack',
  'unpackFrom',
]
const exported = {
  'typed-multicast': [
    'MulticastReceiver',
    'MulticastSender',
    'bytes',
    'json',
    'text',
    ...struct,
  ].sort(),
  'typed-multicast/struct': struct,
}

/** The compilers that the declarations are for: the folders of node_modules they are installed in. */
const compilers = ['typescript-5.9', 'typescript-6.0', 'typescript']

/** What program.mts is compiled as: an ES module, a CommonJS module, and for a bundler. */
const programs = [
  { source: 'program.mts', output: 'program.mjs', options: ['--module', 'nodenext'] },
  { source: 'program.cts', output: 'program.cjs', options: ['--module', 'nodenext'] },
  {
    source: 'program.ts',
    output: 'program.js',
    options: ['--module', 'preserve', '--moduleResolution', 'bundler'],
  },
]

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
  unpacked: '[number, Buffer, boolean, bigint]',
  prepared: 'Struct<"!4s4s">',
}

/** What it prints when it runs. */
const printed = `HEARD, said 127.0.0.1
ERR_STRUCT_VALUE 'H' format requires 0 <= number <= 65535
`

const root = resolve(import.meta.dirname, '..')
const temporary = await mkdtemp(join(tmpdir(), 'typed-multicast-'))
// Not a hook: hooks do not run where the installation below fails.
process.on('exit', () => rmSync(temporary, { recursive: true }))
const consumer = join(temporary, 'consumer')
const installed = join(consumer, 'node_modules', 'typed-multicast')

// With it c8 would collect the coverage of npm and of the compilers.
const { NODE_V8_COVERAGE: _, ...env } = process.env

async function command(cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, args, { cwd, env, maxBuffer: 2 ** 24 })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${[file, ...args].join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

const npm = (cwd: string, ...args: string[]) =>
  command(cwd, 'npm', ...args, '--prefer-offline', '--no-audit', '--no-fund')

const node = (...args: string[]) => command(consumer, process.execPath, ...args)

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))

/** The files below a folder, with forward slashes. */
async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

/** Packs a copy of the work tree; the path of the tarball. */
async function pack(): Promise<string> {
  const copy = join(temporary, 'package')
  const left = ['.git', 'node_modules', 'dist', 'coverage'].map((name) => join(root, name))
  await cp(root, copy, { recursive: true, filter: (path) => !left.includes(path) })
  await npm(copy, 'ci', '--omit=dev')
  // The compiler and the types are large, and packing only reads them.
  for (const name of ['typescript', '@types']) {
    const link = join(copy, 'node_modules', name)
    // npm 10 makes the folders of scopes that it then installs nothing in.
    await rm(link, { recursive: true, force: true })
    await symlink(join(root, 'node_modules', name), link, 'dir')
  }
  await npm(copy, 'pack')
  const { name, version } = await json(copy, 'package.json')
  return join(copy, `${name}-${version}.tgz`)
}

/** Makes the consumer and installs the tarball there. */
async function install(): Promise<void> {
  const tarball = await pack()
  const { devDependencies } = await json(root, 'package.json')
  await mkdir(consumer)
  await writeFile(
    join(consumer, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      devDependencies: { '@types/node': devDependencies['@types/node'] },
    }),
  )
  await npm(consumer, 'install', tarball)
  for (const { source } of programs) {
    await cp(join(root, 'test/consumer/program.mts'), join(consumer, source))
  }
}

/** Without a registry there is nothing to install from, which only a developer's machine may lack. */
const skip = await install().then(
  () => false,
  (error: Error) => {
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT/.exec(error.message)
    if (offline && !process.env.CI) return `npm cannot reach its registry: ${offline[0]}`
    throw error
  },
)

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
    for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md', 'dist/index.js', 'src/index.ts']) {
      assert.ok(found.includes(file), `${file} is missing`)
    }
    const known = [
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md)$/,
      /^docs\//,
      /^examples\/\w+\.ts$/,
      /^src\/.*\.ts$/,
      /^dist\/.*\.(js|d\.ts)(\.map)?$/,
      /^node_modules\/typed-emitter\//,
    ]
    const unknown = found.filter((file) => !known.some((pattern) => pattern.test(file)))
    assert.deepEqual(unknown, [])
  })

  test('holds the sources that its source maps name', async () => {
    const maps = (await files(join(installed, 'dist'))).filter((file) => file.endsWith('.map'))
    assert.ok(maps.length > 0)
    for (const map of maps) {
      const path = join(installed, 'dist', map)
      for (const source of (await json(path)).sources) {
        assert.ok(existsSync(resolve(dirname(path), source)), `${map} names ${source}`)
      }
    }
  })

  for (const [name, names] of Object.entries(exported)) {
    const print = (namespace: string) =>
      `console.log(JSON.stringify(Object.keys(${namespace}).sort()))`

    test(`exports the public names of ${name}, by import and by require`, async () => {
      const imported = await node('--input-type=module', '-e', print(`await import('${name}')`))
      assert.deepEqual(JSON.parse(imported), names)
      const required = await node('--input-type=commonjs', '-e', print(`require('${name}')`))
      assert.deepEqual(JSON.parse(required), names)
    })
  }

  test('loads neither node:dgram nor a dependency for struct alone', async () => {
    const loaded = (name: string) =>
      node(
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
    const version = await node('--input-type=commonjs', '-e', script)
    assert.equal(version.trim(), (await json(root, 'package.json')).version)
  })

  for (const compiler of compilers) {
    for (const { source, output, options } of programs) {
      test(`${source} compiles with ${compiler}, infers its types, and runs`, async () => {
        const folder = join(consumer, compiler)
        await node(
          join(root, 'node_modules', compiler, 'bin', 'tsc'),
          ...[source, ...options, '--target', 'es2022', '--lib', 'es2022,esnext.disposable'],
          ...['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'],
          ...['--types', 'node', '--declaration', '--outDir', folder],
        )
        const declarations = await readFile(join(folder, source.replace('.', '.d.')), 'utf8')
        // One line each, and without the parameter that TypeScript 5.7 gave Buffer and Uint8Array.
        const flat = declarations.replaceAll(/\s+/g, ' ').replaceAll(/<ArrayBuffer(Like)?>/g, '')
        assert.ok(flat.includes('const dynamic: (format: string) => unknown[];'), declarations)
        for (const [name, type] of Object.entries(inferred)) {
          assert.ok(flat.includes(`const ${name}: () => ${type};`), `${name} in\n${declarations}`)
        }
        assert.equal(await node(join(folder, output)), printed)
      })
    }
  }
})
