/**
 * Loaded into the process of a test file by mutants.ts, after setup.ts: sorts what NODE_V8_COVERAGE makes
 * Node write by the test that ran meanwhile, programs that the test started included.
 */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'node:test'
import { takeCoverage } from 'node:v8'

/** What a folder's `test.json` tells of the test that ran. */
export interface Ran {
  readonly name: string
  readonly milliseconds: number
}

const folder = process.env.NODE_V8_COVERAGE ?? ''
/** How many have begun, as the names of their folders. What ran before the first is in 0. */
let tests = 0
/** Tests within tests count as one. */
let depth = 0
let began = 0

function sort(into: number): string {
  takeCoverage()
  const own = join(folder, String(into))
  mkdirSync(own, { recursive: true })
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    renameSync(join(folder, file), join(own, file))
  }
  return own
}

beforeEach((t) => {
  // A suite's hook is given the suite, which is no test.
  if (!('after' in t)) return
  depth += 1
  if (depth > 1) return
  sort(0)
  tests += 1
  began = performance.now()
})

afterEach((t) => {
  if (!('after' in t)) return
  depth -= 1
  if (depth > 0) return
  const ran: Ran = { name: t.name, milliseconds: performance.now() - began }
  writeFileSync(join(sort(tests), 'test.json'), JSON.stringify(ran))
})
