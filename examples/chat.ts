/**
 * A chat without a server: each program is a peer, which hears the group and sends to it from the group's port.
 * Start one in each of several terminals, and type. Ctrl-D or Ctrl-C leaves.
 *
 *     npx tsx examples/chat.ts --name Ada
 *     npx tsx examples/chat.ts --name Grace
 *
 * When Grace joins later, says hello and leaves, Ada sees:
 *
 *     Ada, on 239.255.29.71 port 10006
 *     Grace is here
 *     Grace: hello
 *     Grace has left
 *
 * That stays on this machine. Between machines, name an interface on each; for a chat of your own, take another
 * group or port:
 *
 *     npx tsx examples/chat.ts --name Ada --interface eth0 --group 239.255.29.72 --port 10016
 *
 * Anyone on the network can read along, and claim to be Ada.
 */
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { json, type MulticastError, MulticastPeer } from 'typed-multicast'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'nobody' },
    group: { type: 'string', default: '239.255.29.71' },
    port: { type: 'string', default: '10006' },
    interface: { type: 'string', default: '127.0.0.1' },
    /** Seconds between two signs of life. Who misses three of them is gone. */
    every: { type: 'string', default: '2' },
  },
})
const { name, group } = values
const every = Number(values.every) * 1000

interface Message {
  /** Another for each run: programs on one host have the same address and port. */
  id: string
  name: string
  /** `who` asks all others to tell that they are `here`. */
  kind: 'who' | 'here' | 'says' | 'bye'
  text?: string
}

/** Whoever sends it: what is no message of ours is `malformed`, and nobody hears of it. */
function check(value: unknown): Message {
  const { id, name, kind, text } = value as { [Key in keyof Message]: unknown }
  const isMessage = typeof id === 'string' && typeof name === 'string' && typeof kind === 'string'
  if (isMessage && ['undefined', 'string'].includes(typeof text)) return value as Message
  throw new TypeError('no message of this chat')
}

const id = randomUUID()
const peer = new MulticastPeer({
  group,
  port: Number(values.port),
  interfaces: values.interface,
  codec: { encode: json<Message>().encode, decode: (data) => check(json().decode(data)) },
})

/** The others: name, and when they were heard last, in ms. */
const others = new Map<string, { name: string; heard: number }>()

peer.on('message', (message) => {
  // Loopback is on, because others on this host need it, so it hears itself too.
  if (message.id === id) return
  if (message.kind === 'bye') {
    if (others.delete(message.id)) print(`${message.name} has left`)
    return
  }
  if (!others.has(message.id)) {
    // Anyone can send anything.
    if (others.size === 1000) return
    print(`${message.name} is here`)
  }
  others.set(message.id, { name: message.name, heard: performance.now() })
  if (message.kind === 'says') print(`${message.name}: ${message.text}`)
  // All are asked at once, but should not all answer at once.
  if (message.kind === 'who') setTimeout(tell, Math.random() * 100, 'here')
})

function tell(kind: Message['kind'], text?: string): void {
  const message = { id, name, kind, ...(text === undefined ? {} : { text }) }
  peer.send(message).catch((error: MulticastError) => {
    if (error.code !== 'ERR_MULTICAST_CLOSED') console.error(error.message)
  })
}

/** What comes from elsewhere may hold what a terminal takes for an order. */
function print(line: string): void {
  console.log(line.replace(/\p{C}/gu, '?'))
}

let life: NodeJS.Timeout | undefined
const input = createInterface({ input: process.stdin })
process.once('SIGINT', () => input.close())
input.on('line', (line) => tell('says', line))
input.on('close', () => {
  clearInterval(life)
  tell('bye')
  // What was sent before goes out first.
  peer.close()
})

await peer.ready()
print(`${name}, on ${group} port ${values.port}`)
tell('who')
life = setInterval(() => {
  tell('here')
  for (const [id, { name, heard }] of others) {
    if (performance.now() - heard < 3 * every) continue
    others.delete(id)
    print(`${name} is gone`)
  }
}, every)
