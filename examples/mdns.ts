/**
 * mDNS and DNS-SD (RFC 6762, 6763): announces a service, and lists the services of its type, its own included. It
 * shares the port with the system's own mDNS daemon, if there is one.
 *
 *     npx tsx examples/mdns.ts
 *
 * It prints this, then which services come and go. At Ctrl-C it withdraws its own and ends.
 *
 *     announcing demo, _example._udp, port 4711
 *     found demo: 127.0.0.1 port 4711, path=/
 *
 * That stays on the loopback interface, where it finds only itself. To run it on a network, by IPv4 and IPv6, so
 * that `avahi-browse -r _http._tcp` finds it:
 *
 *     npx tsx examples/mdns.ts --interface eth0 --group 224.0.0.251 --group ff02::fb --type _http._tcp
 *
 * In an application use a package. @homebridge/ciao announces services: it first asks whether its names are taken and
 * picks others if they are, tells each network the addresses that are valid there (this example tells the same on all
 * of its interfaces), combines answers in one message, and splits those that are too long. bonjour-service also finds
 * and resolves services.
 */
import { once } from 'node:events'
import { hostname, networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MulticastPeer, type Remote } from 'typed-multicast'
import { type DnsMessage, type DnsRecord, dns, isSame, keyOf, type Name } from './dns.js'

const { values } = parseArgs({
  options: {
    group: { type: 'string', multiple: true, default: ['224.0.0.251'] },
    port: { type: 'string', default: '5353' },
    interface: { type: 'string', multiple: true, default: ['127.0.0.1'] },
    type: { type: 'string', default: '_example._udp' },
    name: { type: 'string', default: 'demo' },
    serves: { type: 'string', default: '4711' },
    txt: { type: 'string', multiple: true, default: ['path=/'] },
  },
})
const port = Number(values.port)
const type: Name = [...values.type.split('.'), 'local']
const instance: Name = [values.name, ...type]
// Another than the system's own, which its daemon has already.
const host: Name = [`${hostname().split('.')[0]}-${process.pid}`.slice(-63), 'local']

const stop = new AbortController()
const stopped = once(stop.signal, 'abort')
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

function report(error: Error): void {
  if (!stop.signal.aborted) console.error(error.message)
}

/** One group's side of it: what is announced there, and what is known from there. */
class Station {
  readonly #family: 'IPv4' | 'IPv6'
  readonly #peer: MulticastPeer<DnsMessage, DnsMessage>
  /** What others, or this one itself, have told, by name and data; since when, in ms. */
  readonly #known = new Map<string, { record: DnsRecord; since: number }>()
  #found = new Map<string, string>()

  constructor(group: string) {
    this.#family = group.includes(':') ? 'IPv6' : 'IPv4'
    const interfaces = values.interface
    this.#peer = new MulticastPeer({ group, port, interfaces, ttl: 255, codec: dns })
    this.#peer.on('message', (message, remote) => {
      if (!message.isResponse) this.#answer(message, remote)
      // From another port it is nobody who may say so.
      else if (remote.port === port) this.#learn(message)
    })
  }

  async run(): Promise<void> {
    await this.#peer.ready()
    this.#announce().catch(report)
    this.#browse().catch(report)
    const expiry = setInterval(() => this.#expire(), 1000)
    await stopped
    clearInterval(expiry)
    // What has no time left is gone at once.
    await this.#tell(this.#own.map((record) => ({ ...record, ttl: 0 })))
    await this.#peer.close()
  }

  /** What there is to tell. */
  get #own(): DnsRecord[] {
    const joined = this.#peer.memberships.map((membership) => membership.interface)
    const here = networkInterfaces()
    const addresses = joined.flatMap((name) => here[name] ?? [])
    return [
      { name: type, type: 'PTR', target: instance, ttl: 4500 },
      {
        ...{ name: instance, type: 'SRV', ttl: 120, flush: true },
        ...{ priority: 0, weight: 0, port: Number(values.serves), target: host },
      },
      { name: instance, type: 'TXT', texts: values.txt, ttl: 4500, flush: true },
      ...addresses
        .filter(({ family }) => family === this.#family)
        .map(({ address, family }): DnsRecord => {
          return {
            name: host,
            type: family === 'IPv4' ? 'A' : 'AAAA',
            address,
            ttl: 120,
            flush: true,
          }
        }),
      { name: ['_services', '_dns-sd', '_udp', 'local'], type: 'PTR', target: type, ttl: 4500 },
    ]
  }

  #tell(answers: DnsRecord[], additionals: DnsRecord[] = []): Promise<number> {
    return this.#peer.send({ isResponse: true, questions: [], answers, additionals })
  }

  /** Twice, as the first may be lost. */
  async #announce(): Promise<void> {
    await this.#tell(this.#own)
    await delay(1000, undefined, { signal: stop.signal })
    await this.#tell(this.#own)
  }

  #answer({ id = 0, questions, answers: known }: DnsMessage, remote: Remote): void {
    const own = this.#own
    const answers = own.filter(({ name, type }) =>
      questions.some((asked) => isSame(asked.name, name) && [type, 'ANY'].includes(asked.type)),
    )
    const rest = own.filter((record) => !answers.includes(record))
    if (remote.port !== port) {
      // A resolver that knows nothing of multicast: it hears only what comes to its own port.
      if (answers.length === 0) return
      const message = { id, isResponse: true, questions }
      this.#peer.reply({ ...message, answers: brief(answers), additionals: brief(rest) }, remote)
      return
    }
    // What the asker knows already for long enough is not told again.
    const heard = new Map(known.map((record) => [keyOfRecord(record), record.ttl]))
    const news = answers.filter((record) => (heard.get(keyOfRecord(record)) ?? 0) < record.ttl / 2)
    if (news.length === 0) return
    // To the group, also where a unicast answer would do: all who hear it need not ask. The wait is for those
    // who answer the same question.
    delay(20 + Math.random() * 100, undefined, { signal: stop.signal })
      .then(() => this.#tell(news, rest))
      .catch(report)
  }

  /** Asks, and asks again after 1, 2, 4 seconds and so on up to an hour. */
  async #browse(): Promise<void> {
    for (let pause = 1000; ; pause = Math.min(2 * pause, 3_600_000)) {
      const instances = this.#recordsOf(type, 'PTR').map(({ target }) => target)
      const unknown = instances.filter((name) => this.#recordsOf(name, 'SRV').length === 0)
      await this.#peer.send({
        isResponse: false,
        questions: [
          { name: type, type: 'PTR' },
          ...unknown.slice(0, 10).map((name) => ({ name, type: 'ANY' })),
        ],
        answers: this.#knownAnswers().slice(0, 20),
      })
      await delay(pause, undefined, { signal: stop.signal })
    }
  }

  /** Those of type PTR that nobody has to tell again, with the time that each has left. */
  #knownAnswers(): DnsRecord[] {
    return [...this.#known.values()].flatMap(({ record, since }) => {
      const ttl = Math.floor(record.ttl - (performance.now() - since) / 1000)
      const isAsked = record.type === 'PTR' && isSame(record.name, type)
      return isAsked && ttl > record.ttl / 2 ? [{ ...record, ttl }] : []
    })
  }

  #learn({ answers, additionals = [] }: DnsMessage): void {
    const since = performance.now()
    for (const record of [...answers, ...additionals]) {
      for (const [key, before] of record.flush ? this.#known : []) {
        const isOf = before.record.type === record.type && isSame(before.record.name, record.name)
        // The others of the last second belong to it.
        if (isOf && before.since < since - 1000) this.#known.delete(key)
      }
      const key = keyOfRecord(record)
      if (record.ttl === 0) this.#known.delete(key)
      // Anybody can send anything.
      else if (this.#known.size < 1000 || this.#known.has(key))
        this.#known.set(key, { record, since })
    }
    this.#show()
  }

  #expire(): void {
    for (const [key, { record, since }] of this.#known) {
      if (performance.now() - since >= record.ttl * 1000) this.#known.delete(key)
    }
    this.#show()
  }

  #recordsOf<Type extends DnsRecord['type']>(name: Name, type: Type) {
    return [...this.#known.values()]
      .map(({ record }) => record)
      .filter((record): record is Extract<DnsRecord, { type: Type }> => {
        return record.type === type && isSame(record.name, name)
      })
  }

  /** Prints what has changed. */
  #show(): void {
    const now = new Map<string, string>()
    for (const { target } of this.#recordsOf(type, 'PTR')) {
      const [texts] = this.#recordsOf(target, 'TXT')
      for (const { port, target: host } of this.#recordsOf(target, 'SRV')) {
        const addresses = this.#recordsOf(host, this.#family === 'IPv4' ? 'A' : 'AAAA')
        for (const { address } of addresses.slice(0, 1)) {
          const line = [`${address} port ${port}`, ...(texts?.texts ?? [])]
            .filter(Boolean)
            .join(', ')
          now.set(target[0] ?? '', line)
        }
      }
    }
    for (const [name, line] of now) {
      if (this.#found.get(name) !== line) print(`found ${name}: ${line}`)
    }
    for (const name of this.#found.keys()) if (!now.has(name)) print(`lost ${name}`)
    this.#found = now
  }
}

/** The same for two records that say the same, whatever time they have left. */
function keyOfRecord({ name, ttl: _, flush: __, ...data }: DnsRecord): string {
  return keyOf(name) + JSON.stringify(data)
}

/** For those who would not hear of a change. */
function brief(records: readonly DnsRecord[]): DnsRecord[] {
  return records.map((record) => ({ ...record, ttl: Math.min(record.ttl, 10), flush: false }))
}

/** A stranger's name may hold what a terminal takes for an order. */
function print(line: string): void {
  console.log(line.replace(/\p{C}/gu, '?'))
}

console.log(`announcing ${values.name}, ${values.type}, port ${values.serves}`)
await Promise.all(values.group.map((group) => new Station(group).run()))
