/**
 * The program that compiles as the command tsc of a TypeScript does, several times in one process, which
 * reads what is the same each time once: the declarations of the language, of Node and of the package.
 *
 *     node compile.js COMPILER '[["--module", "nodenext", "program.mts"], ...]'
 *
 * prints the list of what each run says.
 */
import { createRequire } from 'node:module'
import type * as typescript from 'typescript-6.0'

const [, , compiler = '', runs = ''] = process.argv
const ts: typeof typescript = createRequire(import.meta.url)(compiler)

const declarations = new Map<string, typescript.SourceFile | undefined>()

function compile(args: string[]): string {
  const { fileNames, options, errors } = ts.parseCommandLine(args)
  const host = ts.createCompilerHost(options)
  const program = ts.createProgram(fileNames, options, {
    ...host,
    getSourceFile(name, as, ...others) {
      const read = () => host.getSourceFile(name, as, ...others)
      if (!name.endsWith('.d.ts')) return read()
      const key = JSON.stringify([name, as])
      if (!declarations.has(key)) declarations.set(key, read())
      return declarations.get(key)
    },
  })
  const found = [...errors, ...program.getSyntacticDiagnostics()]
  if (found.length === 0) {
    found.push(...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics())
    found.push(...program.getSemanticDiagnostics())
  }
  found.push(...program.emit().diagnostics)
  return ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(found), host)
}

process.stdout.write(JSON.stringify((JSON.parse(runs) as string[][]).map(compile)))
