/** The project of a user who has installed the package: what is written there is compiled, and run. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { build, root } from './tree.js'

/** Where it is. */
export const folder = await mkdtemp(join(tmpdir(), 'typed-multicast-project-'))
after(() => rm(folder, { recursive: true }))
await mkdir(join(folder, 'node_modules'))
await symlink(build, join(folder, 'node_modules/typed-multicast'), 'dir')
await writeFile(
  join(folder, 'tsconfig.json'),
  JSON.stringify({
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      typeRoots: [join(root, 'node_modules/@types')],
      paths: {},
      noEmit: false,
      outDir: '.',
    },
    include: ['*.mts', '*.d.ts'],
    // Without a list it is the folder of what is emitted.
    exclude: ['node_modules'],
  }),
)

/** Writes a file of the project. */
export function write(file: string, content: string): Promise<void> {
  return writeFile(join(folder, file), content)
}

interface Printed {
  readonly stdout: string
  readonly stderr: string
}

function outcome(args: readonly string[]): Promise<Printed> {
  const options = {
    cwd: folder,
    // Within another's context a program of tests would report to that.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_NO_WARNINGS: '1', GOGC: 'off' },
    timeout: 60_000,
  }
  return new Promise((settle) => {
    execFile(process.execPath, [...args], options, (error, stdout, stderr) => {
      const late = error?.killed ? `${args[0]} took too long, and was ended\n` : ''
      settle({ stdout, stderr: stderr + late })
    })
  })
}

/** What a program prints, errors included. */
export async function run(...args: string[]): Promise<string> {
  const { stdout, stderr } = await outcome(args)
  return stdout + stderr
}

/** The same of each of several programs, which run one after another in one process. */
export async function runEach(programs: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await outcome([join(build, 'test/consecutive.js'), ...programs])
  const errors = stderr.split('\0')
  return stdout
    .split('\0')
    .map((text, index) => text + errors[index])
    .slice(1)
}

/** Compiles all that has been written, in one run, and resolves with what the compiler says. */
export const compiled = (): Promise<string> =>
  run(join(root, 'node_modules/typescript/bin/tsc'), '--checkers', '1')
