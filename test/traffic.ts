import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Host } from './lab.js'

/** Datagrams from another host, or a few, until it is told to send others. */
export class Traffic {
  readonly #child: ChildProcess

  static async from(host: Host, address: string): Promise<Traffic> {
    const program = fileURLToPath(new URL('traffic-program.js', import.meta.url))
    const child = host.spawn([process.execPath, program, address], {
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    await once(child, 'message')
    return new Traffic(child)
  }

  constructor(child: ChildProcess) {
    this.#child = child
  }

  async to(...targets: string[]): Promise<void> {
    const taken = once(this.#child, 'message')
    this.#child.send(targets)
    await taken
  }
}
