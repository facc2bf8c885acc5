/**
 * What a user gets: the package is packed, and the tarball is installed in a project of its own.
 *
 * All of it in a temporary folder, because packing rebuilds dist/ and changes node_modules/, which
 * the tests beside this one are using.
 */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export const root = resolve(import.meta.dirname, '..')
const temporary = await mkdtemp(join(tmpdir(), 'typed-multicast-'))
// Not a hook: hooks do not run where the installation below fails.
process.on('exit', () => rmSync(temporary, { recursive: true }))
/** The folder of the user's project. */
export const consumer = join(temporary, 'consumer')

// With the first c8 would collect the coverage of npm and of the compilers. With the second a test of
// node:test that is started here would report in a form for the runner of this one.
const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, ...env } = process.env

/** Runs a program; what it prints. Rejects with all of that where it fails. */
export async function command(cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    const options = { cwd, env, maxBuffer: 2 ** 24, timeout: 300_000 }
    const { stdout } = await promisify(execFile)(file, args, options)
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${[file, ...args].join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

export const npm = (cwd: string, ...args: string[]): Promise<string> =>
  command(cwd, 'npm', ...args, '--prefer-offline', '--no-audit', '--no-fund')

export const node = (...args: string[]): Promise<string> =>
  command(consumer, process.execPath, ...args)

export const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))

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

/**
 * Makes the user's project, with the packed package and what else it develops with. Answers with the
 * reason to skip where there is no registry to install from, which only a developer's machine may lack.
 */
export async function install(
  others: Readonly<Record<string, string>> = {},
): Promise<string | false> {
  try {
    const tarball = await pack()
    const { devDependencies } = await json(root, 'package.json')
    await mkdir(consumer)
    await writeFile(
      join(consumer, 'package.json'),
      JSON.stringify({
        private: true,
        type: 'module',
        devDependencies: { '@types/node': devDependencies['@types/node'], ...others },
      }),
    )
    await npm(consumer, 'install', tarball)
    return false
  } catch (error) {
    const { message } = error as Error
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT/.exec(message)
    if (offline && !process.env.CI) return `npm cannot reach its registry: ${offline[0]}`
    throw error
  }
}
