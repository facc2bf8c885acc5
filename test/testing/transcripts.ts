/**
 * Transcripts: what sockets were told to do, line by line, and what the kernel answered. transcripts.test.ts holds the
 * mock to them, and transcribed.test.ts the kernel itself. With TRANSCRIBE=1 the latter writes down what the kernel
 * answers now. In transcripts/*.txt each begins with `# ` and a sentence that names it; lines that begin with `//` are
 * comments. The others are of these kinds, some of which have no answer:
 *
 *     near a = udp4                           a socket of that name, which shares its port
 *     near b = udp4 alone                     one that shares it with nobody
 *     near c = udp6 dual                      one that does neither, and takes IPv4 as well
 *     a bind 10.0.0.1 port : ok               the ports are those of the transcript: port, port+1, …
 *     a addMembership 239.1.2.3 - : ok        any call; - is undefined, and null is null
 *     a send hello 239.1.2.3 port : ok
 *     a say hello : ok                        sends to what it is connected to
 *     a address : 10.0.0.1 port
 *     a heard : "hello" (5) from …            what has come since it was last asked
 *     near udp4 any by 10.0.1.1 > 10.0.0.2 : 10.0.0.1
 *                                             where the way begins of a socket that is bound so, and that connects and
 *                                             sends there; or why there is none
 *     near e1 down                            or up, remove, add
 *     near e1 + 10.0.1.9/24 scope=link        adds an address; - removes it
 *     near lists : lo 127.0.0.1/8 …
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ConformanceHost } from '../../src/testing/conformance/network.js'
import type { PeerSocket } from '../../src/testing/conformance/peer.js'
import { root } from '../tree.js'
import { fence, mailed, outcomeOf, type Stage, shownPort } from './observed.js'

export interface Transcript {
  readonly name: string
  /** As they are written, but for comments. */
  readonly lines: readonly string[]
  /** Does what they say, returns them with what is answered now, and puts the network back in order. */
  run(stage: Stage): Promise<string[]>
}

const folder = join(root, 'test/testing/transcripts')

/** All of them, by the file that they are in. */
export const chapters: ReadonlyMap<string, readonly Transcript[]> = new Map(
  readdirSync(folder).map((file) => [
    file,
    transcriptsOf(readFileSync(join(folder, file), 'utf8')),
  ]),
)

/** Replaces the answers of a chapter's transcripts, in their order. */
export function rewrite(file: string, answered: readonly (readonly string[])[]): void {
  const lines = answered.flat()
  const text = readFileSync(join(folder, file), 'utf8').split('\n')
  const now = text.map((line) => (isLine(line) ? lines.shift() : line))
  writeFileSync(join(folder, file), now.join('\n'))
}

function isLine(line: string): boolean {
  return line !== '' && !line.startsWith('#') && !line.startsWith('//')
}

function transcriptsOf(text: string): Transcript[] {
  return text
    .split(/^# /m)
    .slice(1)
    .map((part, at) => {
      const [name = '', ...rest] = part.split('\n')
      const lines = rest.filter(isLine)
      return { name, lines, run: (stage) => read(stage, 20_000 + 10 * at, lines) }
    })
}

async function read(stage: Stage, port: number, lines: readonly string[]): Promise<string[]> {
  const hosts = [stage.near, stage.other, stage.far]
  try {
    return await new Reading(stage, port).read(lines)
  } finally {
    await Promise.all(hosts.map(({ peer }) => peer.reset()))
    await Promise.all(hosts.map(({ interfaces }) => interfaces?.restore()))
  }
}

type HostName = 'near' | 'other' | 'far'

/** One reading of a transcript: its sockets by name. */
class Reading {
  readonly #stage: Stage
  readonly #port: number
  readonly #sockets = new Map<string, { type: 'udp4' | 'udp6'; socket: PeerSocket }>()

  constructor(stage: Stage, port: number) {
    this.#stage = stage
    this.#port = port
  }

  async read(lines: readonly string[]): Promise<string[]> {
    const answered: string[] = []
    for (const line of lines) {
      const [order = ''] = line.split(/ :(?: |$)/)
      const answer = await this.#obey(order)
      answered.push(answer === undefined ? order : `${order} : ${answer}`)
    }
    return answered
  }

  #obey(order: string): Promise<string | undefined> {
    const [subject = '', ...words] = order.trim().split(/ +/)
    const known = this.#sockets.get(subject)
    if (known !== undefined) return this.#ask(known, words)
    const host = this.#stage[subject as HostName]
    if (host === undefined) throw new Error(`nobody knows what ${order} is about`)
    if (words[1] === '=') return this.#open(host, words)
    if (words[0] === 'lists') return listed(host)
    return words.includes('>') ? this.#way(host, words) : change(host, words)
  }

  async #open({ peer }: ConformanceHost, [name = '', , type, how]: string[]): Promise<undefined> {
    const kind = type as 'udp4' | 'udp6'
    const options = { reuseAddr: how === undefined, ipv6Only: how !== 'dual' && kind === 'udp6' }
    const socket = await peer.socket({ type: kind, ...options })
    this.#sockets.set(name, { type: kind, socket })
  }

  async #ask(
    { type, socket }: { type: 'udp4' | 'udp6'; socket: PeerSocket },
    [call = '', ...words]: string[],
  ): Promise<string> {
    if (call === 'address' || call === 'remoteAddress') {
      return (socket.call(call) as Promise<AddressInfo>).then(
        ({ address, port }) => `${address} ${this.#shown(port)}`,
        ({ code }) => code,
      )
    }
    if (call === 'heard') {
      await fence(this.#stage, type)
      const mails = await socket.heard.take(socket.heard.size)
      return mails.map((mail) => this.#named(mailed(mail))).join(', ') || 'nothing'
    }
    const args = words.map((word) => this.#value(word))
    let value: unknown
    const answer = this.#call(socket, call, args).then((it) => (value = it))
    const outcome = await outcomeOf(answer)
    return outcome === 'ok' && call.startsWith('get') ? `${value}` : outcome
  }

  #call(socket: PeerSocket, call: string, args: unknown[]): Promise<unknown> {
    const [first, second, third = this.#port] = args
    if (call === 'bind') return socket.bind({ address: `${first}`, port: Number(second ?? 0) })
    if (call === 'connect') return socket.connect(Number(second ?? this.#port), `${first}`)
    if (call === 'send') return socket.send(`${first}`, third, second)
    if (call === 'say') return socket.sendConnected(`${first}`)
    return socket.call(call, ...args)
  }

  /** Of `udp4 any by 10.0.1.1 > 10.0.0.2`. */
  async #way({ peer }: ConformanceHost, words: string[]): Promise<string> {
    const [type = '', at = ''] = words
    const via = words[2] === 'by' ? words[3] : undefined
    const to = words.at(-1) ?? ''
    const socket = await peer.socket({ type: type as 'udp4' | 'udp6', reuseAddr: true })
    try {
      const bound = await outcomeOf(socket.bind(at === 'any' ? {} : { address: at }))
      if (bound !== 'ok') return `bind ${bound}`
      if (via !== undefined) {
        const set = await outcomeOf(socket.call('setMulticastInterface', via))
        if (set !== 'ok') return `set ${set}`
      }
      const connected = await outcomeOf(socket.connect(this.#port, to))
      const isConnected = connected === 'ok'
      const sent = await outcomeOf(
        isConnected ? socket.sendConnected('x') : socket.send('x', this.#port, to),
      )
      const { address } = await socket.address()
      if (sent === connected) return isConnected ? address : connected
      return `${isConnected ? address : connected}, send ${sent}`
    } finally {
      await socket.close()
    }
  }

  #value(word: string): unknown {
    const port = /^port(?:\+(\d))?$/.exec(word)
    if (port !== null) return this.#port + Number(port[1] ?? 0)
    if (word === '-') return undefined
    if (word === 'null') return null
    if (word === 'true' || word === 'false') return word === 'true'
    return /^\d+$/.test(word) ? Number(word) : word
  }

  #shown(port: number): string {
    return this.#named(shownPort(port))
  }

  /** With the transcript's ports as they are written. */
  #named(text: string): string {
    return text.replace(/\b2\d{4}\b/g, (port) => {
      const more = Number(port) - this.#port
      return more === 0 ? 'port' : `port+${more}`
    })
  }
}

async function listed({ peer }: ConformanceHost): Promise<string> {
  return Object.entries(await peer.networkInterfaces())
    .map(([name, list = []]) => `${name} ${list.map(({ cidr }) => cidr).join(' ')}`)
    .join(', ')
}

/** Of `e1 down`, or `e1 + 10.0.1.9/24 scope=link`. */
async function change({ interfaces }: ConformanceHost, words: string[]): Promise<undefined> {
  const [name = '', what = '', address = '', ...details] = words
  if (what === '+') {
    const more = Object.fromEntries(details.map((detail) => detail.split('=')))
    await interfaces?.addAddress(name, address, more)
  } else if (what === '-') await interfaces?.removeAddress(name, address)
  else await interfaces?.[what as 'up' | 'down' | 'add' | 'remove'](name)
}
