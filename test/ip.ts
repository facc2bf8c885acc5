/**
 * `ip` of iproute2, as one process for many commands: to start one for each of them would cost the tests
 * that have a lab most of their time.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { mortal } from './namespace.js'

/** What no `ip` knows: it says so, and thereby that it is through with what it was told before. */
const MARK = 'marked'
const marked = /Object "marked" is unknown, try "ip help"\.\nCommand failed -:\d+\n/

/** One, in the network that it is started in or in the namespace of that name. */
export class Ip {
  readonly #child: ChildProcess
  /** The ends of pipes that are read and written at once, while the test waits. */
  readonly #to: number
  readonly #from: number

  constructor(netns?: string) {
    const [input, output] = pipes()
    // Open for both, the first does not wait for the other end, nor does the second.
    this.#to = openSync(input, 'r+')
    const into = openSync(output, 'r+')
    this.#from = openSync(output, 'r')
    const within = netns === undefined ? [] : ['-n', netns]
    // Line by line, or what it prints would come after the mark.
    const command = ['stdbuf', '-oL', 'ip', ...within, '-o', '-d', '-force', '-batch', '-']
    const [first = '', ...rest] = mortal(command)
    this.#child = spawn(first, rest, { stdio: [this.#to, into, into] })
    this.#child.unref()
    // Its end is the end of the file from now on.
    closeSync(into)
    unlinkSync(input)
    unlinkSync(output)
  }

  /** What a command prints: one line for each thing it tells of, with all details. */
  run(command: string): string {
    // It remembers which name is of which interface, and learns of new ones when it lists them.
    writeSync(this.#to, `link show\n${MARK}\n${command}\n${MARK}\n`)
    const bytes = Buffer.alloc(2 ** 16)
    let said = ''
    let parts: string[] = []
    while (parts.length < 3) {
      const size = readSync(this.#from, bytes)
      assert.ok(size > 0, `ip has ended at ${command}: ${said}`)
      said += bytes.toString('latin1', 0, size)
      parts = said.split(marked)
    }
    const [, answer = ''] = parts
    assert.ok(!answer.includes('Command failed'), `ip ${command}: ${answer}`)
    return answer
  }

  close(): void {
    this.#child.kill('SIGKILL')
    closeSync(this.#to)
    closeSync(this.#from)
  }
}

const unused: string[] = []

/** Two named pipes. Several are made at a time, because that takes a process. */
function pipes(): [string, string] {
  if (unused.length === 0) {
    const folder = mkdtempSync('/run/ip-')
    unused.push(...Array.from({ length: 16 }, (_, index) => join(folder, `${index}`)))
    const { status, stderr } = spawnSync('mkfifo', unused, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  }
  const [input = '', output = ''] = unused.splice(0, 2)
  return [input, output]
}
