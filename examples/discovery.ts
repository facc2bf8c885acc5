/**
 * Discovery without a server: each service is a peer, which tells the group what and where it is. Whoever
 * starts later asks first. A service that is silent for too long is considered gone. Start several, each in
 * its own terminal; one without a name only watches.
 *
 *     npx tsx examples/discovery.ts --name north --kind printer --serves 8001
 *     npx tsx examples/discovery.ts --name west --kind scanner --serves 8003
 *     npx tsx examples/discovery.ts
 *
 * When west is then stopped with Ctrl-C and north is killed, the last one prints:
 *
 *     looking on 239.255.29.71 port 10001
 *     north: printer at 127.0.0.1:8001
 *     west: scanner at 127.0.0.1:8003
 *     west has left
 *     north is gone
 *
 * That stays on this machine. Between machines, name an interface on each:
 *
 *     npx tsx examples/discovery.ts --interface eth0 --group 239.255.29.72 --port 10011
 *
 * If the network drops multicast, it can use a list of hosts or a NATS server instead: see carrier.ts.
 *
 * Anyone on the network can announce services that do not exist. If other programs should find yours, use mDNS,
 * as in mdns.ts.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { json, type MulticastError, MulticastPeer } from 'typed-multicast'
import { carrier } from './carrier.js'

const { values } = parseArgs({
  options: {
    name: { type: 'string' },
    kind: { type: 'string', default: 'service' },
    serves: { type: 'string', default: '8000' },
    /** For how many seconds others may believe in it without hearing of it again. */
    lasts: { type: 'string', default: '6' },
    group: { type: 'string', default: '239.255.29.71' },
    port: { type: 'string', default: '10001' },
    interface: { type: 'string', default: '127.0.0.1' },
  },
})
const { name, kind, group } = values
const [port, lasts] = [Number(values.port), Number(values.lasts)]

interface Service {
  name: string
  kind: string
  port: number
  lasts: number
}

interface Message {
  /** Another for each run: programs on one host have the same address and port. */
  id: string
  /** `who` asks all others to tell that they are `here`. */
  says: 'who' | 'here' | 'gone'
  service?: Service
}

/** Whoever sends it: what is no message of ours is `malformed`, and nobody hears of it. */
function check(value: unknown): Message {
  const { id, service } = value as { id: unknown; service?: { [Key in keyof Service]: unknown } }
  const { name = '', kind = '', port = 0, lasts = 0 } = service ?? {}
  const types = [id, name, kind, port, lasts].map((one) => typeof one).join()
  if (types === 'string,string,string,number,number') return value as Message
  throw new TypeError('no message of this program')
}

const id = randomUUID()
const peer = new MulticastPeer({
  group,
  port,
  interfaces: values.interface,
  codec: { encode: json<Message>().encode, decode: (data) => check(json().decode(data)) },
  ...carrier,
})

/** What there is, by its id, and until when to believe in it, in ms. */
const known = new Map<string, { name: string; until: number }>()

peer.on('message', ({ id: other, says, service }, remote) => {
  // Loopback is on, because others on this host need it, so it hears itself too.
  if (other === id) return
  // All are asked at once, but should not all answer at once.
  if (says === 'who') setTimeout(tell, Math.random() * 100)
  if (says === 'gone') lose(other, 'has left')
  if (says !== 'here' || service === undefined) return
  if (!known.has(other)) {
    // Anyone can send anything.
    if (known.size === 1000) return
    print(`${service.name}: ${service.kind} at ${remote.address}:${service.port}`)
  }
  known.set(other, { name: service.name, until: performance.now() + service.lasts * 1000 })
})

function lose(other: string, how: string): void {
  const lost = known.get(other)
  known.delete(other)
  if (lost !== undefined) print(`${lost.name} ${how}`)
}

function send(message: Message): void {
  peer.send(message).catch((error: MulticastError) => {
    if (error.code !== 'ERR_MULTICAST_CLOSED') console.error(error.message)
  })
}

/** Tells of the service, if there is one. */
function tell(): void {
  if (name === undefined) return
  send({ id, says: 'here', service: { name, kind, port: Number(values.serves), lasts } })
}

/** What comes from elsewhere may hold what a terminal takes for an order. */
function print(line: string): void {
  console.log(line.replace(/\p{C}/gu, '?'))
}

let telling: NodeJS.Timeout | undefined
let expiry: NodeJS.Timeout | undefined

process.once('SIGINT', () => {
  clearInterval(telling)
  clearInterval(expiry)
  send({ id, says: 'gone' })
  // What was sent before goes out first.
  peer.close()
})

await peer.ready()
print(`${name === undefined ? 'looking' : `${name} is`} on ${group} port ${port}`)
send({ id, says: 'who' })
tell()
// Two of three may be lost.
telling = setInterval(tell, (lasts * 1000) / 3)
expiry = setInterval(() => {
  for (const [other, { until }] of known) if (until <= performance.now()) lose(other, 'is gone')
}, 250)
