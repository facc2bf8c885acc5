import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cases, type Operation, offsets, space } from './cases.js'
import { distinctFormats } from './formats.js'

/** What CPython made of the same inputs, and how long that took. */
export interface CPython {
  readonly version: string
  readonly cases: Readonly<
    Partial<
      Record<string, { readonly times: Record<Operation, number>; readonly packed: string[] }>
    >
  >
  /** The time of the first use of a format, in µs. */
  readonly first: number
}

/** Runs it; nothing where there is no python3. */
export function askCPython(): CPython | undefined {
  const task = {
    cases: cases.map((one) => ({
      format: one.format,
      rows: one.rows.map((row) => row.map(asJson)),
      at: offsets(one),
      space,
    })),
    formats: distinctFormats(1000),
  }
  try {
    const script = fileURLToPath(new URL('cpython.py', import.meta.url))
    const options = { input: JSON.stringify(task), maxBuffer: 2 ** 26, timeout: 60_000 }
    return JSON.parse(execFileSync('python3', [script], options).toString())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { int: value.toString() }
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value
}
