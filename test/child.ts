import { execFile } from 'node:child_process'
import { moduleOf } from './tree.js'

/** What became of a program that ran in a process of its own. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const index = moduleOf('index')

/**
 * Runs a program, an ES module in which the public face is already imported, in a process of its own:
 * for what ends a process, or what must not keep one alive.
 */
export function runProgram(source: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const program = `import { MulticastPeer, MulticastReceiver, MulticastSender, text } from ${index}\n${source}`
  const args = ['--input-type=module', '--eval', program]
  return new Promise((resolve) => {
    const options = { env: { ...process.env, NODE_TEST_CONTEXT: '', ...env }, timeout: 30_000 }
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}
