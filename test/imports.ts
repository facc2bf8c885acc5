/** Which module imports which, read from the sources: what a test file needs, and what it reaches. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { root } from './tree.js'

/** The modules below a folder of the project, as paths from the project's folder without `.ts`. */
export function modules(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => posix.join(folder, file.replaceAll('\\', '/').slice(0, -'.ts'.length)))
    .sort()
}

/** The test files, named as `modules` has them. */
export const tests: readonly string[] = modules('test').filter((name) => name.endsWith('.test'))

/** What a module loads, beside what it names for types: modules of ours as paths, others as they are. */
export function importsOf(module: string): string[] {
  const source = readFileSync(join(root, `${module}.ts`), 'utf8')
  const named = [
    ...source.matchAll(/^(?:import|export)\b(?! type\b)(?:[^'"]*?\bfrom)? '([^']+)'/gm),
    ...source.matchAll(/\bawait import\('([^']+)'\)/g),
  ]
  // By tree.ts, for a program of its own, or by anew.ts.
  const ours = source.matchAll(/\b(?:moduleOf|importAnew)(?:<[^>]*>)?\('([^']+)'\)/g)
  return [
    ...[...ours].map(([, name]) => `src/${name}`),
    ...named.map(([, specifier = '']) =>
      specifier.startsWith('.')
        ? posix.join(posix.dirname(module), specifier).replace(/\.js$/, '')
        : specifier,
    ),
  ]
}

/** All that a module reaches through imports, itself included, the nearest first. */
export function reach(module: string): Set<string> {
  const reached = new Set([module])
  for (const one of reached) {
    if (!/^(src|test|examples)\//.test(one)) continue
    for (const imported of importsOf(one)) reached.add(imported)
  }
  return reached
}
