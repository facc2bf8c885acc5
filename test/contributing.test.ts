/** Holds CONTRIBUTING.md and SECURITY.md to the code: a map or a walk that leads nowhere is worse than none. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './tree.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const both = read('CONTRIBUTING.md') + read('SECURITY.md')

test('the map has every file and folder of src', () => {
  const [, map = ''] = /^## The map of src\/\n([\s\S]*?)^## /m.exec(both) ?? []
  const mapped = [...map.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name)
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return `${entry.name}/`
    return entry.name.endsWith('.ts') ? entry.name : []
  })
  // A room inside of another may be on the map, and need not be.
  const atTop = mapped.filter((name) => !/\/./.test(name))
  assert.deepEqual(atTop.sort(), rooms.sort())
})

test('the files that are named exist', () => {
  const named = [...both.matchAll(/`((?:src|test|\.ci)\/[^`\s]+)`/g)].map(([, path = '']) => path)
  assert.ok(named.length > 20)
  const known = named.filter((path) => !path.includes('NAME'))
  for (const path of known) assert.ok(existsSync(join(root, path)), path)
})

test('the walks name functions and members that are where they say', () => {
  const steps = [...both.matchAll(/`(?:src\/)?([\w-]+\.ts)`, `(#?\w+)(?:\(\))?`/g)]
  assert.ok(steps.length > 10)
  for (const [step, file = '', name = ''] of steps) {
    const source = read(`src/${file}`)
    const isThere = new RegExp(`(?<![\\w#])${name}(?!\\w)`).test(source)
    assert.ok(isThere, step)
  }
})
