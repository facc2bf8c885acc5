/**
 * Loaded into every test process before its tests: tells run.ts which of them run and until when, so that
 * none lasts for ever, not even one that never comes back to the event loop; and what they leave open is
 * named and ends with them.
 *
 * node:test's own time-out is of a file on Node 20 and 22 and of a test on 24, and on none of them ends a
 * test that spins.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach } from 'node:test'
import { RUNNING } from './tree.js'

// Here, before all else that a test file imports has been loaded for nothing.
const file = process.argv[1]
const isOfLab = /^import\b[^']*'[./]+\/lab\.js'/m
if (file?.endsWith('.test.js') && isOfLab.test(readFileSync(file, 'utf8'))) {
  await import('./namespace.js')
}

/** Milliseconds after the last test until what is still open ends with the process. */
const grace = 5_000

/** Where run.ts looks for what runs here. */
const folder = process.env[RUNNING]
const note = folder && join(folder, String(process.pid))
const running = new Map<number, { name: string; began: number }>()
// Tests may fake the global ones.
const { setTimeout } = globalThis
const { now } = Date
let tests = 0

if (note) {
  const tell = (): void => writeFileSync(note, JSON.stringify([...running.values()]))
  // What is imported, and hooks, may last for ever too.
  const between = (): void => {
    running.set(0, { name: `${file}, outside of its tests`, began: now() })
    tell()
  }
  between()
  beforeEach((t) => {
    // A suite's hook is given the suite, which has no hooks of its own.
    if (!('after' in t)) return
    tests += 1
    const test = tests
    running.delete(0)
    running.set(test, { name: t.name, began: now() })
    tell()
    // Aborted last of all, when its own hooks have run.
    t.signal.addEventListener('abort', () => {
      running.delete(test)
      if (running.size === 0) between()
      else tell()
    })
  })
  process.on('exit', () => rmSync(note, { force: true }))
}

after(() => {
  setTimeout(() => {
    process.stderr.write(
      `still open after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`,
    )
    process.exit(1)
  }, grace).unref()
})
