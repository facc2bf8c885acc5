import { execFile } from 'node:child_process'
import { moduleOf } from '../tree.js'

const index = moduleOf('struct/index')

/**
 * Runs a program, an ES module in which `struct` is the library, with these options of Node, and gives
 * what it printed: for what might exhaust the memory, or never end.
 */
export function runStruct(source: string, ...options: string[]): Promise<string> {
  return runNode([
    ...options,
    '--input-type=module',
    '--eval',
    `import * as struct from ${index}\n${source}`,
  ])
}

/** Runs Node, and gives what it printed. Rejects if it fails or takes too long. */
export function runNode(args: string[]): Promise<string> {
  const options = { env: { ...process.env, NODE_TEST_CONTEXT: '' }, timeout: 60_000 }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.signal ?? error.code}: ${stdout.slice(-2000)}${stderr}`))
    })
  })
}
