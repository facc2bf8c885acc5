import { Program } from '../program.js'
import type { Sample } from '../sample.js'
import type { CarrierName } from './host.js'
import type { Question } from './send.js'
import type { Rest, Slowness } from './slow.js'

/** The programs that receivers are spread over, as far as there are so many. */
const most = 4

/** A sender and those who hear it, each on a host of its own, in a few programs. */
export class Network {
  readonly #sender: Program
  readonly #receiving: readonly Program[]
  readonly #slow: readonly Program[]

  private constructor(sender: Program, receiving: readonly Program[], slow: readonly Program[]) {
    this.#sender = sender
    this.#receiving = receiving
    this.#slow = slow
  }

  /**
   * Opens it with so many receivers that acknowledge what they hear, and with these that cannot keep up. `execArgv` is
   * for all of its programs.
   */
  static async open(
    name: CarrierName,
    receivers: number,
    slow: readonly Slowness[] = [],
    execArgv: string[] = [],
  ): Promise<Network> {
    const program = (role: string, ...args: (string | number)[]): Program =>
      new Program(`carriers/${role}`, [name, ...args.map(String)], { execArgv })
    const hosts = 1 + receivers + slow.length
    const programs = Math.min(most, receivers)
    const sender = program('send', hosts, programs)
    const port = await sender.ask<number>('port')
    const first = (index: number): number => 1 + Math.floor((index * receivers) / programs)
    const receiving = Array.from({ length: programs }, (_, index) =>
      program('receive', first(index), first(index + 1) - first(index), hosts, port),
    )
    const others = slow.map((how, index) => program('slow', how, 1 + receivers + index, hosts))
    await Promise.all([...receiving, ...others].map((each) => each.ask('ready')))
    return new Network(sender, receiving, others)
  }

  /** How many messages a second all have heard of so many; nothing if one was lost. */
  async flood(count: number): Promise<number | undefined> {
    const question: Question = { how: 'flood', count }
    return (await this.#sender.ask<number | null>(question)) ?? undefined
  }

  /** How long it took until all had heard each of so many, in ms; nothing if one was lost. */
  async single(count: number): Promise<number[] | undefined> {
    const question: Question = { how: 'single', count }
    return (await this.#sender.ask<number[] | null>(question)) ?? undefined
  }

  /** What each program holds: the sender, those that keep up, those that do not. */
  samples(): Promise<Sample[]> {
    return Promise.all(this.#all.map((program) => program.ask<Sample>('sample')))
  }

  /** What those have heard in the end that could not keep up. */
  rest(): Promise<Rest[]> {
    return Promise.all(this.#slow.map((program) => program.ask<Rest>('rest')))
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((program) => program.stop()))
  }

  get #all(): readonly Program[] {
    return [this.#sender, ...this.#receiving, ...this.#slow]
  }
}
