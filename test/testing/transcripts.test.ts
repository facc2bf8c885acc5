import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockNetwork } from './mock.js'
import { chapters } from './transcripts.js'

for (const { name, lines, run } of [...chapters.values()].flat()) {
  test(name, { timeout: 30_000 }, async () => {
    assert.deepEqual(await run(mockNetwork()), lines)
  })
}
