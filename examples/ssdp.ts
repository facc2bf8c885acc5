/**
 * SSDP, with which UPnP finds devices, in both roles: as a device it announces itself and answers searches; as a
 * control point it searches on all of its interfaces, and hears which devices come and go.
 *
 *     npx tsx examples/ssdp.ts
 *
 * It prints this, then which devices come and go. At Ctrl-C it says goodbye and ends.
 *
 *     serving upnp:rootdevice at http://127.0.0.1:4711/
 *     found upnp:rootdevice at http://127.0.0.1:4711/
 *
 * That stays on the loopback interface, where it finds only itself. To search every network, by IPv4 and IPv6, for
 * all devices and services:
 *
 *     npx tsx examples/ssdp.ts --interface all --group 239.255.255.250 --group ff02::c --target ssdp:all
 *
 * In an application use a package. node-ssdp has devices with any number of services, and puts the host's own address
 * into the URL, where this example gives every network the same one. @achingbrain/ssdp also writes the description
 * behind the URL, serves it, and reads those of other devices.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Codec, MulticastPeer, MulticastSender, type Remote, text } from 'typed-multicast'

const { values } = parseArgs({
  options: {
    group: { type: 'string', multiple: true, default: ['239.255.255.250'] },
    port: { type: 'string', default: '1900' },
    interface: { type: 'string', multiple: true, default: ['127.0.0.1'] },
    target: { type: 'string', default: 'upnp:rootdevice' },
    location: { type: 'string', default: 'http://127.0.0.1:4711/' },
  },
})
const port = Number(values.port)
// The word is no interface's name.
const interfaces = values.interface[0] === 'all' ? 'all' : values.interface

const stop = new AbortController()
const stopped = once(stop.signal, 'abort')
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

function report(error: Error): void {
  if (!stop.signal.aborted) console.error(error.message)
}

/** A first line, and headers, whose names are in capitals. */
interface Message {
  start: string
  headers: ReadonlyMap<string, string>
}

const http: Codec<Message> = {
  encode({ start, headers }) {
    const lines = [...headers].map(([name, value]) => `${name}: ${value}`)
    return text.encode([start, ...lines, '', ''].join('\r\n'))
  },
  decode(data) {
    const [start = '', ...lines] = text.decode(data).split('\r\n')
    const headers = lines.map((line): [string, string] => {
      const [name = '', ...value] = line.split(':')
      return [name.toUpperCase(), value.join(':').trim()]
    })
    return { start, headers: new Map(headers) }
  },
}

const SEARCH = 'M-SEARCH * HTTP/1.1'
const NOTIFY = 'NOTIFY * HTTP/1.1'
const ANSWER = 'HTTP/1.1 200 OK'

/** Seconds within which an answer may come, and for which one holds. */
const wait = 1
const lasting = 1800

const device = `uuid:${randomUUID()}`
/** All that it can be found by. */
const targets = ['upnp:rootdevice', device, 'urn:typed-multicast:device:demo:1']
const usnOf = (target: string) => (target === device ? device : `${device}::${target}`)

/** What tells of a target; `name` is the header that says which. */
function described(start: string, name: 'NT' | 'ST', target: string): Message {
  const headers = new Map([
    [name, target],
    ['USN', usnOf(target)],
    ['LOCATION', values.location],
    ['CACHE-CONTROL', `max-age=${lasting}`],
    ['SERVER', 'Node.js UPnP/1.0 typed-multicast/0'],
    ['EXT', ''],
  ])
  return { start, headers }
}

/** What is found, and until when, in ms; by its unique name. */
const found = new Map<string, { shown: string; until: number }>()

/** What tells that something is there, in an answer or a notice. */
function learn({ headers }: Message): void {
  const target = headers.get('NT') ?? headers.get('ST') ?? ''
  const [usn, location] = [headers.get('USN'), headers.get('LOCATION')]
  const isWanted = values.target === 'ssdp:all' || values.target === target
  if (!isWanted || usn === undefined || location === undefined) return
  const shown = `${target} at ${location}`
  const before = found.get(usn)
  // Anybody can send anything.
  if (before === undefined && found.size >= 1000) return
  const [, age = lasting] = /max-age\s*=\s*(\d+)/i.exec(headers.get('CACHE-CONTROL') ?? '') ?? []
  found.set(usn, { shown, until: performance.now() + Number(age) * 1000 })
  if (before?.shown !== shown) print(`found ${shown}`)
}

function lose(usn = ''): void {
  const lost = found.get(usn)
  found.delete(usn)
  if (lost !== undefined) print(`lost ${lost.shown}`)
}

/** A stranger's text may hold what a terminal takes for an order. */
function print(line: string): void {
  console.log(line.replace(/\p{C}/gu, '?'))
}

/** One group's side of it. */
class Station {
  readonly #host: string
  readonly #peer: MulticastPeer<Message, Message>
  readonly #sender: MulticastSender<Message, Message>

  constructor(group: string) {
    this.#host = group.includes(':') ? `[${group}]:${port}` : `${group}:${port}`
    // UPnP has it cross one router.
    const network = { group, port, interfaces, ttl: 2, codec: http }
    this.#peer = new MulticastPeer(network)
    this.#peer.on('message', (message, remote) => this.#hear(message, remote))
    // It searches from a port of its own: what answers is unicast, and does not come to the group's.
    this.#sender = new MulticastSender(network)
  }

  async run(): Promise<void> {
    await this.#peer.ready()
    this.#repeat().catch(report)
    this.#search().catch(report)
    await stopped
    await this.#notify('ssdp:byebye')
    await Promise.all([this.#peer.close(), this.#sender.close()])
  }

  async #notify(kind: 'ssdp:alive' | 'ssdp:byebye'): Promise<void> {
    for (const target of targets) {
      const { start, headers } = described(NOTIFY, 'NT', target)
      const more: [string, string][] = [
        ['HOST', this.#host],
        ['NTS', kind],
      ]
      await this.#peer.send({ start, headers: new Map([...more, ...headers]) })
    }
  }

  /** Tells of the device well before what was told last expires. */
  async #repeat(): Promise<void> {
    for (;;) {
      await this.#notify('ssdp:alive')
      await delay((lasting / 3) * 1000, undefined, { signal: stop.signal })
    }
  }

  async #search(): Promise<void> {
    const headers = new Map([
      ['HOST', this.#host],
      ['MAN', '"ssdp:discover"'],
      ['MX', String(wait)],
      ['ST', values.target],
    ])
    const { signal } = stop
    const timeout = (wait + 1) * 1000
    const answers = this.#sender.request({ start: SEARCH, headers }, { timeout, signal })
    for await (const { message } of answers) if (message.start === ANSWER) learn(message)
  }

  #hear(message: Message, remote: Remote): void {
    const { start, headers } = message
    if (start === SEARCH) this.#answer(headers, remote)
    else if (start !== NOTIFY) return
    else if (headers.get('NTS') === 'ssdp:alive') learn(message)
    else if (headers.get('NTS') === 'ssdp:byebye') lose(headers.get('USN'))
  }

  #answer(headers: Message['headers'], remote: Remote): void {
    if (headers.get('MAN') !== '"ssdp:discover"') return
    const [wanted = '', mx] = [headers.get('ST'), headers.get('MX')]
    // The searcher says within how many seconds, up to five, so that not all answer it at once.
    const within = Math.min(Math.max(Number(mx) || 1, 0), 5) * 1000
    for (const target of targets) {
      if (wanted !== 'ssdp:all' && wanted !== target) continue
      this.#peer.reply(described(ANSWER, 'ST', target), remote, { within })
    }
  }
}

const expiry = setInterval(() => {
  for (const [usn, { until }] of found) if (until <= performance.now()) lose(usn)
}, 1000)
stopped.then(() => clearInterval(expiry))

print(`serving upnp:rootdevice at ${values.location}`)
await Promise.all(values.group.map((group) => new Station(group).run()))
