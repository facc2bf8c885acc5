/**
 * Network namespaces of the lab. What a new one takes, with the processes that serve it, is most of what a
 * scenario costs. So one that is as it was when it was new serves the next scenario of the file too.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Peer } from '../src/testing/conformance/peer.js'
import { Ip } from './ip.js'
import { mortal } from './namespace.js'
import { peerOptions, peerProgram, startedPeer } from './peer.js'

/** A peer and its process. */
interface Served {
  readonly child: ChildProcess
  readonly peer: Peer
}

/** One network namespace. */
export class Machine {
  static #own: Machine | undefined
  static #made = 0
  static readonly #unused: Machine[] = []

  /** The name of the namespace, which the lab's own, where the tests run, does not have. */
  readonly name: string | undefined
  readonly ip: Ip
  /** What it was like when it was new. */
  readonly #before: string
  readonly #idle: Served[] = []
  readonly #busy: Served[] = []
  #isSpoiled = false

  private constructor(name?: string) {
    this.name = name
    if (name !== undefined) Machine.own().ip.run(`netns add ${name}`)
    this.ip = new Ip(name)
    this.ip.run('link set lo up')
    this.#before = this.#state()
  }

  /** The lab's own. */
  static own(): Machine {
    Machine.#own ??= new Machine()
    return Machine.#own
  }

  /** One that nobody uses. */
  static take(): Machine {
    const unused = Machine.#unused.pop()
    if (unused !== undefined) return unused
    Machine.#made += 1
    return new Machine(`h${Machine.#made}`)
  }

  /** Ends the processes that wait for a next scenario. */
  static async end(): Promise<void> {
    for (const machine of [Machine.own(), ...Machine.#unused]) await machine.#dismiss()
  }

  /** A command as one that runs here. */
  within(command: string[]): [string, ...string[]] {
    const [first = '', ...rest] = command
    return this.name === undefined
      ? [first, ...rest]
      : ['nsenter', `--net=/run/netns/${this.name}`, ...command]
  }

  /** Starts a program here, which ends with the lab. */
  spawn(command: string[], options: SpawnOptions): ChildProcess {
    const [first, ...args] = this.within(mortal(command))
    return spawn(first, args, options)
  }

  /** Another process here, with senders and receivers of its own. */
  async peer(): Promise<Peer> {
    const served = this.#idle.pop() ?? (await this.#start())
    this.#busy.push(served)
    served.child.ref()
    served.child.channel?.ref()
    return served.peer
  }

  /** Has it not serve again: for changes that no look at its links, routes and rules finds. */
  spoil(): void {
    this.#isSpoiled = true
  }

  /** Gives it back after a scenario. */
  async release(): Promise<void> {
    for (const served of this.#busy.splice(0)) {
      this.#idle.push(served)
      served.child.unref()
      served.child.channel?.unref()
      await served.peer.reset().catch(() => this.spoil())
    }
    if (this.#isSpoiled) await this.#dismiss()
    if (this.name === undefined) {
      this.#isSpoiled = false
      return
    }
    if (!this.#isSpoiled) this.#unplug()
    if (!this.#isSpoiled && this.#state() === this.#before) {
      Machine.#unused.push(this)
      return
    }
    await this.#dismiss()
    this.ip.close()
    Machine.own().ip.run(`netns del ${this.name}`)
  }

  async #start(): Promise<Served> {
    const child = this.spawn([process.execPath, peerProgram], peerOptions)
    return { child, peer: await startedPeer(child) }
  }

  async #dismiss(): Promise<void> {
    for (const { child } of this.#idle.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.ref()
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }

  /** Takes away the interfaces that it has been given. */
  #unplug(): void {
    const now = () => links(this.ip.run('link show'))
    const before = links(this.#before)
    for (const name of now()) {
      // With one end of a cable goes the other, which may be here too.
      if (!before.includes(name) && now().includes(name)) this.ip.run(`link del dev ${name}`)
    }
  }

  #state(): string {
    // With the addresses, each of which has a route.
    const looks = ['link show', 'route show table all', 'rule show']
    return looks.map((look) => this.ip.run(look)).join('')
  }
}

/** The names of the interfaces in what `ip link show` says. */
const links = (said: string): string[] =>
  [...said.matchAll(/^\d+: ([^:@]+)(?:@[^:]+)?: </gm)].map(([, name = '']) => name)
