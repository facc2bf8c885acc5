/**
 * What a user gets: the package is packed, and the tarball is installed in a project of its own.
 *
 * All of it in a temporary folder, because packing rebuilds dist/ and changes node_modules/, which
 * the tests beside this one are using.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, isCI, root, SHARED } from './tree.js'

// With the first c8 would collect the coverage of npm and of the compilers. With the second a test of
// node:test that is started here would report in a form for the runner of this one.
const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env
/** The compilers written in Go spend a third of their time on collecting garbage, unless told not to. */
const env = { ...inherited, GOGC: 'off' }

/** Runs a program; what it prints. Rejects with all of that where it fails. */
export async function command(cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    const options = { cwd, env, maxBuffer: 2 ** 24, timeout: 150_000 }
    const { stdout } = await promisify(execFile)(file, args, options)
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${[file, ...args].join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

export const npm = (cwd: string, ...args: string[]): Promise<string> =>
  command(cwd, 'npm', ...args, '--prefer-offline', '--no-audit', '--no-fund')

/** Runs Node in a project. */
export const node = (cwd: string, ...args: string[]): Promise<string> =>
  command(cwd, process.execPath, ...args)

export const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))

/** What a folder is given besides the sources for packing: what npm bundles, and what compiles. */
async function dependencies(): Promise<string[]> {
  const lock: { packages: Record<string, { dev?: boolean }> } = await json(
    root,
    'package-lock.json',
  )
  return Object.keys(lock.packages).filter((path) => path !== '' && !lock.packages[path]?.dev)
}

/** Makes a folder anew of the same files where that can be, which takes no time, and else of copies. */
function linked(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [old, made] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) linked(old, made)
    else
      try {
        linkSync(old, made)
      } catch {
        cpSync(old, made)
      }
  }
}

/** Packs a copy of the work tree into a folder, unless that has been done; the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const tarball = join(folder, 'package.tgz')
  if (existsSync(tarball)) return tarball
  const copy = join(folder, 'package')
  const left = ['.git', 'node_modules', 'build', 'dist', 'coverage'].map((name) => join(root, name))
  await cp(root, copy, { recursive: true, filter: (path) => !left.includes(path) })
  // As `npm ci` would install them, rxjs included, which must not be packed.
  for (const path of await dependencies()) {
    // Packing writes to it. The others, which are only read, need not be other files.
    const isBundled = path === 'node_modules/typed-emitter'
    if (isBundled) await cp(join(root, path), join(copy, path), { recursive: true })
    else linked(join(root, path), join(copy, path))
  }
  // The compiler and the types are large, and packing only reads them.
  for (const name of ['typescript', '@typescript', '@types', 'undici-types']) {
    const path = join('node_modules', name)
    await symlink(join(root, path), join(copy, path), 'dir')
  }
  await npm(copy, 'pack')
  const { name, version } = await json(copy, 'package.json')
  await rename(join(copy, `${name}-${version}.tgz`), tarball)
  return tarball
}

/** A temporary folder of this process. */
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'typed-multicast-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What a project needs for this repository's types and for running: the same versions as here. */
async function versions(): Promise<Record<string, string>> {
  const { dependencies, devDependencies } = await json(root, 'package.json')
  return { '@types/node': devDependencies['@types/node'], debug: dependencies.debug }
}

/** A project, or why there is none, which is for want of a registry and only on a developer's machine. */
export interface Consumer {
  readonly consumer: string
  readonly skip: string | false
}

async function made(consumer: string, make: () => Promise<void>): Promise<Consumer> {
  try {
    await make()
    return { consumer, skip: false }
  } catch (error) {
    const { message } = error as Error
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT/.exec(message)
    const skip = `npm cannot reach its registry: ${offline?.[0]}`
    if (offline && !isCI) return { consumer, skip }
    throw error
  }
}

async function writeManifest(
  folder: string,
  devDependencies: Record<string, string>,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const manifest = { private: true, type: 'module', devDependencies }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
}

const tarball = (): Promise<string> => pack(process.env[SHARED] ?? temporary())

/** Makes a user's project in which the packed package is installed. */
export function install(): Promise<Consumer> {
  const consumer = join(temporary(), 'consumer')
  return made(consumer, async () => {
    const { debug: _, ...types } = await versions()
    await writeManifest(consumer, types)
    await npm(consumer, 'install', await tarball())
  })
}

/** Unpacks the packed package where npm would install it. */
async function unpack(consumer: string): Promise<void> {
  const installed = join(consumer, 'node_modules/typed-multicast')
  await mkdir(installed, { recursive: true })
  await command(installed, 'tar', '-xzf', await tarball(), '--strip-components=1')
}

/** What `install` would install beside the package. */
const beside = ['@types/node', 'undici-types', 'debug', 'ms']

/**
 * Makes the project of `install` without npm, of what is installed here. What npm makes of the package is
 * tested by package.test.ts.
 */
export async function assemble(): Promise<string> {
  const consumer = join(temporary(), 'consumer')
  await writeManifest(consumer, {})
  await unpack(consumer)
  for (const name of beside) {
    const path = join('node_modules', name)
    linked(join(root, path), join(consumer, path))
  }
  return consumer
}

/**
 * Makes a project that has the packed package beside other packages. These are installed once, below
 * build/: most of what it costs is to unpack them. Where the package itself is installed from is tested by
 * package.test.ts.
 */
export async function installBeside(others: Readonly<Record<string, string>>): Promise<Consumer> {
  const packages = { ...(await versions()), ...others }
  const wanted = JSON.stringify(packages)
  const shared = join(
    build,
    `beside-${createHash('sha256').update(wanted).digest('hex').slice(0, 12)}`,
  )
  const consumer = join(shared, `consumer-${process.pid}`)
  return made(consumer, async () => {
    if (!existsSync(shared)) {
      const unfinished = `${shared}-${process.pid}`
      await writeManifest(unfinished, packages)
      await npm(unfinished, 'install').catch((error: unknown) => {
        rmSync(unfinished, { recursive: true })
        throw error
      })
      await rename(unfinished, shared)
    }
    process.on('exit', () => rmSync(consumer, { recursive: true, force: true }))
    await writeManifest(consumer, {})
    await unpack(consumer)
  })
}
