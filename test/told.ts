/** What DEBUG tells, and which sockets are open: for what a test can see in no other way. */
import { readdirSync, readlinkSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { format } from 'node:util'
import createDebug from 'debug'

/** The lines that DEBUG tells from now on until the test ends, without their colours and times. */
export function told(t: TestContext): readonly string[] {
  const lines: string[] = []
  const { log } = createDebug
  createDebug.log = (...args: unknown[]) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what colours begin with
    lines.push(format(...args).replace(/\x1b\[[\d;]*m/g, ''))
  }
  createDebug.enable('typed-multicast:*')
  t.after(() => {
    createDebug.disable()
    createDebug.log = log
  })
  return lines
}

/** Says how many of the lines that DEBUG tells from now on hold a text, or match. */
export function timesTold(t: TestContext): (text: string | RegExp) => number {
  const lines = told(t)
  const holds = (line: string, text: string | RegExp): boolean =>
    typeof text === 'string' ? line.includes(text) : text.test(line)
  return (text) => lines.filter((line) => holds(line, text)).length
}

/** How many sockets this process has open. */
export function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      // The one that listed the others.
      return false
    }
  }).length
}
