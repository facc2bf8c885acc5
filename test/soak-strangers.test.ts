/**
 * Garbage from strangers without an end, and lives that were broken off, while the heap stays as it is.
 *
 *     DATAGRAMS=1000000 npm test -- test/soak-strangers.test.ts    # for each codec; 200,000 otherwise
 */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  bytes,
  type Codec,
  json,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  Struct,
  text,
} from '../src/index.js'
import { scenario } from './lab.js'
import { openSockets } from './told.js'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const port = 10_000
const group = '239.1.2.3'
/** For each codec. */
const datagrams = Number(process.env.DATAGRAMS ?? 200_000)
const lives = 10_000
/** So many lie in a buffer of the default size. */
const batch = 100
/** Bytes: a pointer for each of the datagrams would be more. */
const flat = 1_000_000
const timeout = 900_000

/** The heap, once nothing is under way and all is collected that can be. */
async function heap(): Promise<number> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise(setImmediate)
    collect()
  }
  return process.memoryUsage().heapUsed
}

/** Draws the same each time: the generator known as mulberry32. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const odd = [
  '',
  'null',
  '{"__proto__":{"id":1}}',
  '{"id":"1"}',
  '1e999',
  '-',
  '"\\ud800"',
  '[[[[[[[[[[[[[[[[[[[[[[[[',
  '\x1b[2J\x1b]0;x\x07',
  '\ufeff{}',
  '%s%o%d',
].map((one) => Buffer.from(one))

/** Bytes that are random, that are cut off or changed from a good message, or that are odd. */
function garbage(roll: (below: number) => number, good: Uint8Array): Buffer {
  const kind = roll(4)
  if (kind === 0) return odd[roll(odd.length)] as Buffer
  if (kind === 1) return Buffer.from(good).subarray(0, roll(good.length))
  if (kind === 2) {
    const changed = Buffer.from(good)
    for (let changes = 1 + roll(3); changes > 0; changes -= 1)
      changed[roll(good.length)] = roll(256)
    return changed
  }
  return Buffer.from(Array.from({ length: roll(64) }, () => roll(256)))
}

/** Sends to the group from this host, and so with the kernel taking each at once. */
async function stranger(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  return socket
}

interface Numbered {
  readonly soak: number
}

const isNumbered = (value: unknown): value is Numbered =>
  typeof value === 'object' && value !== null && 'soak' in value && Number.isInteger(value.soak)

const prefixed = /^soak (\d+)$/
const layout = new Struct('!4sQ')

/** Codecs, how a good message is numbered by one, and the number of what it has decoded. */
const codecs: Record<
  string,
  { codec: Codec<never, unknown>; good(n: number): Uint8Array; number(message: unknown): unknown }
> = {
  bytes: {
    codec: bytes as Codec<never, unknown>,
    good: (n) => Buffer.from(`soak ${n}`),
    number: (message) => prefixed.exec(`${message}`)?.[1],
  },
  text: {
    codec: text as Codec<never, unknown>,
    good: (n) => Buffer.from(`soak ${n}`),
    number: (message) => prefixed.exec(`${message}`)?.[1],
  },
  'json without a check': {
    codec: json() as Codec<never, unknown>,
    good: (n) => Buffer.from(JSON.stringify({ soak: n })),
    number: (message) => (isNumbered(message) ? message.soak : undefined),
  },
  'json with a check': {
    codec: json(isNumbered) as Codec<never, unknown>,
    good: (n) => Buffer.from(JSON.stringify({ soak: n })),
    number: (message) => (message as Numbered).soak,
  },
  struct: {
    codec: layout as unknown as Codec<never, unknown>,
    good: (n) => layout.encode([Buffer.from('soak'), BigInt(n)]),
    number: (message) => {
      const [mark, n] = message as [Uint8Array, bigint]
      return Buffer.from(mark).toString() === 'soak' ? n : undefined
    },
  },
}

for (const [name, { codec, good, number }] of Object.entries(codecs)) {
  scenario(
    `${name}: of ${datagrams} that are garbage the good ones between are all heard, and the heap is flat`,
    [],
    async () => {
      const socket = await stranger()
      await using receiver = new MulticastReceiver({
        group,
        port,
        interfaces: '127.0.0.1',
        codec: codec as Codec<unknown, unknown>,
      })
      await receiver.ready()
      let heard = 0
      let told = 0
      receiver.on('message', (message) => {
        // Garbage may be as good by chance, but not the next.
        if (Number(number(message)) === heard) heard += 1
      })
      receiver.on('malformed', () => {
        told += 1
      })
      const roll = dice(1)
      let sent = 0
      const flood = async (count: number): Promise<void> => {
        for (const end = sent + count; sent < end; ) {
          for (let at = 0; at < batch; at += 1, sent += 1) {
            const n = Math.floor(sent / batch)
            socket.send(at === 0 ? good(n) : garbage(roll, good(n)), port, group)
          }
          const late = Date.now() + 60_000
          while (receiver.stats.received < sent) {
            assert.ok(Date.now() < late, `heard ${receiver.stats.received} of ${sent}`)
            await new Promise(setImmediate)
          }
        }
      }
      await flood(datagrams / 10)
      const before = await heap()
      await flood(datagrams)
      const grown = (await heap()) - before
      socket.close()
      assert.equal(heard, sent / batch)
      const { received, malformed, dropped, unheard } = receiver.stats
      assert.deepEqual(
        { received, malformed, dropped, unheard },
        {
          received: sent,
          malformed: told,
          dropped: 0,
          unheard: 0,
        },
      )
      if (name !== 'bytes') assert.ok(malformed > sent / 10, `${malformed} malformed`)
      assert.ok(grown < flat, `the heap has grown by ${grown} bytes`)
    },
    timeout,
  )
}

const on = { group, port, interfaces: '127.0.0.1' }

/** One round of each; what it has used is gone when it resolves. */
const rounds: Record<string, () => Promise<(n: number) => Promise<unknown>>> = {
  async 'opening and closing'() {
    return async (n) => {
      const make = [
        () => new MulticastReceiver({ ...on, timeout: 60_000 }),
        () => new MulticastSender({ ...on, timeout: 60_000 }),
        () => new MulticastSender({ ...on, replies: false }),
        () => new MulticastPeer(on),
      ]
      const endpoint = make[n % make.length]?.()
      await endpoint?.ready()
      await endpoint?.close()
    }
  },

  async 'joining and leaving'() {
    const receiver = await new MulticastReceiver(on).ready()
    return async (n) => {
      await receiver.leave()
      await receiver.join(n % 2 === 0 ? {} : { source: `192.0.2.${1 + (n % 250)}` })
      if (n === lives) await receiver.close()
    }
  },

  async 'requests that are broken off or abandoned'() {
    const receiver = await new MulticastReceiver(on).ready()
    receiver.on('message', (message, remote) => receiver.reply(message, remote))
    const sender = await new MulticastSender(on).ready()
    return async (n) => {
      const kind = n % 4
      if (kind === 0) for await (const _ of sender.request('left', { limit: 5 })) break
      if (kind === 1) {
        // Its silence ends it, although nobody reads it any more.
        await sender.request('abandoned', { timeout: 1 }).next()
      }
      if (kind === 2) {
        const signal = AbortSignal.abort()
        await sender.gather('aborted', { signal }).catch(() => {})
      }
      if (kind === 3) sender.request('never begun', { limit: 1 })
      if (n === lives) await Promise.all([sender.close(), receiver.close()])
    }
  },
}

for (const [name, begin] of Object.entries(rounds)) {
  scenario(
    `the heap is flat over ${lives} rounds of ${name}`,
    [],
    async () => {
      const sockets = openSockets()
      const round = await begin()
      const warm = lives / 10
      for (let n = 1; n <= warm; n += 1) await round(n)
      const before = await heap()
      for (let n = warm + 1; n <= lives; n += 1) await round(n)
      const grown = (await heap()) - before
      assert.ok(grown < flat, `the heap has grown by ${grown} bytes`)
      // What was closed is gone at the end of a turn.
      await new Promise(setImmediate)
      assert.equal(openSockets(), sockets)
    },
    timeout,
  )
}
