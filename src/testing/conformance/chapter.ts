/** How the cases are written down. */
import type { ConformanceHost, ConformanceNetwork, Need } from './network.js'
import type { PeerSocket } from './peer.js'

/** One rule of the kernel, with a test of it that runs on any network. */
export interface ConformanceCase {
  /** A sentence about behaviour, unique among the cases. */
  readonly name: string
  /** Whether it is about raw sockets, or about senders, receivers and peers. */
  readonly level: 'socket' | 'endpoint'
  /** What the network must have for it. */
  readonly needs: readonly Need[]
  /**
   * Rejects if the network breaks the rule. Afterwards everything is closed and all interfaces are as they
   * were, so that the next case can use the same network.
   */
  run(network: ConformanceNetwork): Promise<void>
}

/** What a case is given: the network, and a port that no other case uses, nor the nine after it. */
export interface Stage extends ConformanceNetwork {
  readonly port: number
}

/** The cases of one subject. */
export class Chapter {
  readonly #level: ConformanceCase['level']
  readonly #cases: Pick<Rule, 'name' | 'needs' | 'body'>[] = []

  constructor(level: ConformanceCase['level']) {
    this.#level = level
  }

  /** Writes down a case. */
  rule(name: string, needs: readonly Need[], body: (stage: Stage) => Promise<void>): void {
    this.#cases.push({ name, needs, body })
  }

  get rules(): readonly Rule[] {
    return this.#cases.map((rule) => ({ ...rule, level: this.#level }))
  }
}

interface Rule {
  readonly name: string
  readonly level: ConformanceCase['level']
  readonly needs: readonly Need[]
  readonly body: (stage: Stage) => Promise<void>
}

/** The cases of all chapters, each with ports of its own. */
export function casesOf(chapters: readonly Chapter[]): readonly ConformanceCase[] {
  const rules = chapters.flatMap((chapter) => chapter.rules)
  return rules.map(({ name, level, needs, body }, at) => ({
    name,
    level,
    needs,
    run: async (network) => {
      const { near, other, far } = network
      try {
        await body({ near, other, far, port: 20_000 + 10 * at })
      } finally {
        const hosts = [near, other, far]
        await Promise.all(hosts.map(({ peer }) => peer.reset()))
        await Promise.all(hosts.map(({ interfaces }) => interfaces?.restore()))
      }
    },
  }))
}

/** How {@link open} opens a socket. */
export interface Opening {
  /** Default: a free one. */
  readonly port?: number
  /** Default: every address. */
  readonly address?: string
  /** Default: true. */
  readonly reuseAddr?: boolean
  /** What it joins: each group on that interface. */
  readonly join?: readonly (readonly [group: string, on: string])[]
  /** The interface that it sends multicast through. Default: the route's. */
  readonly via?: string
  readonly ttl?: number
  readonly loopback?: boolean
}

/** A bound socket that has been told all that. */
export async function open(
  { peer }: ConformanceHost,
  type: 'udp4' | 'udp6',
  { port = 0, address, reuseAddr = true, join = [], via, ttl, loopback }: Opening = {},
): Promise<PeerSocket> {
  const socket = await peer.socket({ type, reuseAddr })
  await socket.bind(address === undefined ? { port } : { port, address })
  for (const [group, on] of join) await socket.call('addMembership', group, on)
  if (via !== undefined) await socket.call('setMulticastInterface', via)
  if (ttl !== undefined) await socket.call('setMulticastTTL', ttl)
  if (loopback !== undefined) await socket.call('setMulticastLoopback', loopback)
  return socket
}

/** How a refusal of the kernel's is told, through Node. */
export function refusal(syscall: string, code: string, where?: string): Record<string, unknown> {
  const message = `${syscall} ${code}${where === undefined ? '' : ` ${where}`}`
  return { name: 'Error', code, syscall, message }
}
