/** The real minissdpd, on a host of the lab, and what it tells its clients. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from './lab.js'
import { Output } from './output.js'

/** What clients ask for: a list of all, or to answer searches for something of theirs. */
const LIST = 3
const SUBMIT = 4

export class Minissdpd {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Starts it on the interface `e1`; resolves when it listens, and has searched. */
  static async start(host: Host, name: string): Promise<Minissdpd> {
    const path = `/run/${name}.minissdpd`
    const options = ['-d', '-6', '-i', 'e1', '-s', path, '-p', `${path}.pid`]
    const daemon = host.spawn(['minissdpd', ...options], { stdio: ['ignore', 2, 'pipe'] })
    const said = new Output(daemon, daemon.stderr)
    const started = new Minissdpd(path)
    for (let tries = 0; ; tries += 1) {
      try {
        await started.found()
        return started
      } catch {
        assert.ok(tries < 100, `it does not listen: ${said.lines.join('\n')}`)
        await delay(50)
      }
    }
  }

  /** What it has found: URL, target and unique name of each. */
  async found(): Promise<{ location: string; target: string; usn: string }[]> {
    const answer = await this.#ask(LIST, [''])
    let at = 1
    const string = (): string => {
      // Lengths have seven bits in each byte, the first the highest; the last byte is below 128.
      let length = 0
      do length = (length << 7) | ((answer[at] ?? 0) & 0x7f)
      while ((answer[at++] ?? 0) > 0x7f)
      at += length
      return answer.toString('latin1', at - length, at)
    }
    return Array.from({ length: answer[0] ?? 0 }, () => {
      return { location: string(), target: string(), usn: string() }
    })
  }

  /** Waits until it has found this there, or no longer. */
  async until(target: string, location: string, isThere: boolean): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const found = await this.found()
      const is = found.some((one) => one.target === target && one.location === location)
      if (is === isThere) return
      assert.ok(tries < 300, `${target} at ${location}: ${is}, of ${JSON.stringify(found)}`)
      await delay(50)
    }
  }

  /** Has it answer searches for this. */
  async submit(target: string, location: string): Promise<void> {
    await this.#ask(SUBMIT, [target, `uuid:theirs::${target}`, 'theirs/1', location], false)
  }

  async #ask(what: number, strings: readonly string[], isAnswered = true): Promise<Buffer> {
    const socket = createConnection(this.#path)
    await once(socket, 'connect')
    const data = strings.flatMap((text) => [text.length, ...Buffer.from(text)])
    socket.write(Uint8Array.of(what, ...data))
    const answer = isAnswered ? ((await once(socket, 'data'))[0] as Buffer) : Buffer.alloc(0)
    socket.end()
    await buffer(socket)
    return answer
  }
}
