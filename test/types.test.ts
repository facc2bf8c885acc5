import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

test('the right programs of types.ts compile, and the wrong ones do not', async () => {
  const output = await new Promise((resolve) => {
    execFile(process.execPath, [tsc, '--project', root], (_error, stdout) => resolve(stdout))
  })
  assert.equal(output, '')
})
