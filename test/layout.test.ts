import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'

const src = new URL('../src/', import.meta.url)

/** From what stands alone to the public face: each imports from those before it only. */
const order = [
  'errors',
  'address',
  'codec',
  'datagram',
  'rules',
  'interfaces',
  'options',
  'events',
  'queue',
  'silence',
  'traffic',
  'outbox',
  'binding',
  'lifecycle',
  'endpoint',
  'membership',
  'sender',
  'receiver',
  'index',
]

async function importsOf(name: string): Promise<string[]> {
  const source = await readFile(new URL(`${name}.ts`, src), 'utf8')
  return [...source.matchAll(/from '([^']+)'/g)].map(([, specifier = '']) => specifier)
}

test('every file of src has its place in the order', async () => {
  const files = (await readdir(src)).filter((file) => file.endsWith('.ts'))
  assert.deepEqual(files.map((file) => file.replace(/\.ts$/, '')).sort(), [...order].sort())
})

test('imports point one way', async () => {
  for (const [index, name] of order.entries()) {
    for (const specifier of await importsOf(name)) {
      const [, imported] = /^\.\/(\w+)\.js$/.exec(specifier) ?? []
      if (imported === undefined) continue
      assert.ok(order.indexOf(imported) < index, `${name} imports ${imported}`)
    }
  }
})

test('what is not in src or in Node is imported in one place each', async () => {
  const foreign: Record<string, string[]> = {}
  for (const name of order) {
    for (const specifier of await importsOf(name)) {
      if (specifier.startsWith('./') || specifier.startsWith('node:')) continue
      foreign[specifier] = [...(foreign[specifier] ?? []), name]
    }
  }
  assert.deepEqual(foreign, {
    debug: ['outbox', 'lifecycle', 'sender', 'receiver'],
    'typed-emitter': ['events'],
  })
})
