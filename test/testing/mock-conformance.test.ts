import { describe, test } from 'node:test'
import { conformance } from '../../src/testing/conformance/index.js'
import { mockNetwork } from './mock.js'

describe('the mock conforms', () => {
  // A network of its own for each.
  for (const { name, level, run } of conformance) {
    test(`${level}: ${name}`, { timeout: 30_000 }, () => run(mockNetwork()))
  }

  test('all of them one after another on one network', { timeout: 60_000 }, async () => {
    const network = mockNetwork()
    for (const { run } of conformance) await run(network)
  })
})
