/**
 * Loaded into every test process before its tests: none of them lasts for ever, not even one that
 * never comes back to the event loop, and what they leave open is named and ends with them.
 *
 * A second thread keeps the time, since node:test's own time-out is of a file on Node 20 and 22 and of
 * a test on 24, and on none of them ends a test that spins.
 */
import { readFileSync } from 'node:fs'
import { after, beforeEach } from 'node:test'
import { Worker } from 'node:worker_threads'

// Here, before all else that a test file imports has been loaded for nothing.
const file = process.argv[1]
const isOfLab =
  file?.endsWith('.test.js') &&
  /from '[./]+\/lab\.js'|import '[./]+\/lab\.js'/.test(readFileSync(file, 'utf8'))
if (isOfLab) await import('./namespace.js')

/** Milliseconds that a test may last. One that is known to take longer than the usual says so to run.ts. */
const limit = Number(process.env.TYPED_MULTICAST_TEST_LIMIT ?? 60_000)
/** Milliseconds after the last test until what is still open ends with the process. */
const grace = 5_000

/** The thread: it is told when a test begins and, with the same number, when it has ended. */
const watch = new Worker(
  `
  const { parentPort, workerData: limit } = require('node:worker_threads')
  const { writeSync } = require('node:fs')
  const running = new Map()
  parentPort.on('message', ({ test, name }) => {
    clearTimeout(running.get(test))
    if (name === undefined) return running.delete(test)
    running.set(test, setTimeout(() => {
      writeSync(2, 'timed out after ' + limit + ' ms: ' + name + '\\n')
      process.kill(process.pid, 'SIGKILL')
    }, limit))
  })`,
  { eval: true, workerData: limit, execArgv: [] },
)
watch.unref()

// Tests may fake the global ones.
const { setTimeout } = globalThis
let tests = 0

beforeEach((t) => {
  tests += 1
  const test = tests
  // A suite's hook is given the suite, which has no hooks of its own.
  if (!('after' in t)) return
  watch.postMessage({ test, name: t.name })
  t.after(() => watch.postMessage({ test }))
})

after(() => {
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().filter((name) => name !== 'MessagePort')
    process.stderr.write(`still open after the last test: ${open.join(', ')}\n`)
    process.exit(1)
  }, grace).unref()
})
