import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { root } from '../build.js'
import { chapters, type Name } from '../chapters.js'
import { isBrief } from '../effort.js'
import type { Findings } from '../findings.js'
import { charts } from './charts.js'
import { conditions } from './conditions.js'
import { type Found, minutes, names, written } from './document.js'

/** Runs all benches, and writes docs/benchmarks.md and its charts. Where one fails, it writes nothing. */
export async function save(): Promise<void> {
  const told = conditions()
  const found: Partial<Record<Name, Findings>> = {}
  let left = minutes
  for (const [at, name] of names.entries()) {
    const { command, minutes } = chapters[name]
    const time = isBrief ? '' : `, about ${left} minutes left`
    console.error(`${command}: ${at + 1} of ${names.length}${time}`)
    const start = performance.now()
    found[name] = await run(name)
    console.error(`${command} took ${((performance.now() - start) / 60_000).toFixed(1)} minutes`)
    left -= minutes
  }
  const all = found as Found
  const docs = join(root, 'docs')
  writeFileSync(join(docs, 'benchmarks.md'), written(all, told))
  for (const [name, svg] of Object.entries(charts(all))) {
    writeFileSync(join(docs, 'drawings', name), svg)
  }
  console.log('Written: docs/benchmarks.md and its charts in docs/drawings/')
}

/** Runs a bench in a process of its own, which shows what it is doing. */
async function run(name: Name): Promise<Findings> {
  const program = join(root, 'bench', name, 'index.ts')
  const args = [...process.execArgv, program, '--json', ...(isBrief ? ['--brief'] : [])]
  // A minute later than it would end by itself.
  const timeout = (chapters[name].limit + 1) * 60_000
  const child = spawn(process.execPath, args, { timeout, stdio: ['ignore', 'pipe', 'inherit'] })
  const [said, [status]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (status !== 0) giveUp(name)
  const findings: Findings = JSON.parse(said)
  const figures = findings.tables.flatMap(({ rows }) => rows.flatMap((row) => row.figures))
  if (figures.includes('not measured')) giveUp(name)
  return findings
}

function giveUp(name: Name): never {
  console.error(`${chapters[name].command} could not measure all: nothing is saved.`)
  process.exit(1)
}
