/** The recipe that needs zod, which is installed beside the packed package; the others run in docs.test.ts. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocks } from './blocks.js'
import { command, installBeside, node } from './consumer.js'
import { root } from './tree.js'

const { consumer, skip } = await installBeside({ zod: '4.6.7' })

test('the recipe with zod compiles and prints what is shown', { skip }, async () => {
  const at = blocks.findIndex(({ kind }) => kind === 'ts run zod')
  await writeFile(join(consumer, 'zod.mts'), blocks[at]?.code ?? '')
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
    '--strict',
  ]
  await command(consumer, process.execPath, tsc, ...options, '--skipLibCheck', 'zod.mts')
  assert.equal(await node(consumer, 'zod.mjs'), blocks[at + 1]?.code)
})
