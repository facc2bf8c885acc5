/** Where things are: the tests run as what tsc made of them, in build/, a tree of the project's shape. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The project's folder: for what is read or run as it was written. */
export const root = resolve(import.meta.dirname, '../..')
/** The folder of the compiled tree. */
export const build = resolve(import.meta.dirname, '..')

/** The URL of a module of src/, compiled, as a literal for the source of a program. */
export const moduleOf = (name: string): string =>
  JSON.stringify(pathToFileURL(resolve(build, 'src', `${name}.js`)).href)

/** Lets what imports the package by its name, in build/, find the compiled sources. */
export function nameSources(): void {
  const { name, version, type, exports } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const sources = JSON.parse(JSON.stringify(exports).replaceAll('./dist/', './src/'))
  writeFileSync(
    join(build, 'package.json'),
    JSON.stringify({ name, version, type, exports: sources }),
  )
}

/** Whether every test has to run: what would be skipped for want of a tool fails instead. */
export const isCI = Boolean(process.env.CI)

/**
 * The variable that names a folder for what is costly to make and the same for several test files: the
 * packed package. What is there already is used.
 */
export const SHARED = 'TYPED_MULTICAST_SHARED'

/** The variable that names the folder where each test process writes down which of its tests run. */
export const RUNNING = 'TYPED_MULTICAST_RUNNING'
