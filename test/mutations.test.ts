import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mutantsOf } from './mutations.js'
import { root } from './tree.js'

const changesOf = (source: string): string[] => mutantsOf(source).map(({ change }) => change)

test('a mutant is one mistake, with the place where it is', () => {
  const source = `export class Counter {
  #count = 1

  next(): number {
    this.#count += 1
    return this.#count
  }
}
`
  const mutants = mutantsOf(source)
  assert.deepEqual(
    mutants.map(({ line, column, in: scope, change }) => [line, column, scope, change]),
    [
      [2, 12, 'Counter.#count', '1 → 2'],
      [2, 12, 'Counter.#count', '1 → 0'],
      [4, 18, 'Counter.next', '{ this.#count += 1 return this.#count } → {}'],
      [5, 5, 'Counter.next', 'this.#count += 1 → nothing'],
      [5, 5, 'Counter.next', 'this.#count += 1 → this.#count -= 1'],
      [5, 20, 'Counter.next', '1 → 2'],
      [5, 20, 'Counter.next', '1 → 0'],
      [6, 5, 'Counter.next', 'return this.#count → return'],
    ],
  )
  assert.equal(mutants[3]?.text, 'this.#count += 1')
  assert.match(mutants[4]?.code ?? '', /this\.#count -= 1;\n\s+return this\.#count;/)
  assert.doesNotMatch(mutants[4]?.code ?? '', /: number/)
})

test('each operator has its mistakes', () => {
  const cases: Record<string, string[]> = {
    'export const x = a < b': ['a < b → a <= b', 'a < b → a >= b'],
    'export const x = a >= b': ['a >= b → a > b', 'a >= b → a < b'],
    'export const x = a === b': ['a === b → a !== b'],
    'export const x = a && b': ['a && b → a || b', 'a && b → a', 'a && b → b'],
    'export const x = a ?? b': ['a ?? b → a', 'a ?? b → b'],
    'export const x = (a - b) * c': ['(a - b) * c → (a - b) / c', 'a - b → a + b'],
    'export const x = !a': ['!a → a'],
    'export const x = a?.b': ['a?.b → a.b'],
    'export const x = a?.(b)': ['a?.(b) → a(b)'],
    'export const x = a ? b : c': ['a → !(a)', 'a → true', 'a → false'],
    'export const x = true': ['true → false'],
    'export const x = 0': ['0 → 1'],
    'export const x = 7n': ['7n → 8n', '7n → 6n'],
    "export const x = 'a'": ["'a' → ''"],
    "export const x = ''": ["'' → 'x'"],
    'export const x = [a]': ['[a] → []'],
    'export const x = { a }': ['{ a } → {}'],
    'export const x = a.some(b)': ['a.some(b) → a.every(b)'],
    'export const x = a.filter(b)': ['a.filter(b) → a'],
    'export const x = () => a': ['() => a → () => undefined'],
    'export const x = /^a\\d$/': [
      '/^a\\d$/ → /a\\d$/',
      '/^a\\d$/ → /^a\\d/',
      '/^a\\d$/ → /^a\\D$/',
    ],
    'if (a) b()': ['a → !(a)', 'a → true', 'a → false', 'b() → nothing'],
    'while (a === b) continue': [
      'a === b → true',
      'a === b → false',
      'a === b → a !== b',
      'continue → nothing',
    ],
    'a ??= b': ['a ??= b → nothing', 'a ??= b → a = b'],
  }
  for (const [source, changes] of Object.entries(cases)) {
    assert.deepEqual(changesOf(source).sort(), changes.sort(), source)
  }
})

test('a mistake in a part of a condition is one of that part', () => {
  const codes = mutantsOf('export const x = a && b && c').map(({ code }) => code.trim())
  assert.ok(codes.includes('export const x = (a || b) && c;'))
})

test('types, logs and prose have none', () => {
  const sources = [
    "import { a } from 'a'",
    "export type X = 'a' | 1",
    'export interface X { a: true }',
    'debug(a, 1)',
    'if (debug.enabled) debug(a, 1)',
    "export const x = a + ' and more'",
  ]
  for (const source of sources) assert.deepEqual(changesOf(source), [], source)
  const thrown = changesOf("throw new MulticastError('ERR_X', 'It is wrong')")
  assert.equal(thrown.length, 2)
  assert.ok(thrown.includes("'ERR_X' → ''"))
})

test('each mutant that nothing can notice is of a line that is still there', () => {
  const listed: { file: string; line: string }[] = JSON.parse(
    readFileSync(join(root, 'test/mutants.json'), 'utf8'),
  )
  const files = new Map<string, string[]>()
  const linesOf = (file: string): string[] => {
    const lines = readFileSync(join(root, file), 'utf8').split('\n')
    return lines.map((line) => line.trim())
  }
  for (const { file, line } of listed) {
    const lines = files.get(file) ?? linesOf(file)
    files.set(file, lines)
    assert.ok(lines.includes(line), `mutants.json: ${file} has no line ${line}`)
  }
  assert.ok(listed.length > 100)
})
