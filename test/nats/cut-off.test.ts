/** What the server does to a program that runs: it cuts off who reads too slowly, and takes permissions away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { MulticastSender } from '../../src/index.js'
import { type NatsCarrier, natsCarrier } from '../../src/nats/index.js'
import type { Inbox } from '../../src/testing/conformance/inbox.js'
import type { Host } from '../lab.js'
import { keep } from '../loopback.js'
import { type NatsServer, receiving, sending, serving, natsTest as test } from '../nats.js'
import { until } from '../until.js'

/** A receiver of one carrier and a sender of the other, which it has heard. */
async function hearing(one: NatsCarrier, other: NatsCarrier) {
  const { receiver, heard } = receiving(one)
  receiver.on('error', assert.fail)
  await receiver.ready()
  const sender = await sending(other).ready()
  await sender.send('before')
  await heard.until('before')
  return { receiver, heard, sender }
}

/** Sends until it is heard: from when on that may be so, nothing tells. */
async function heardAgain(
  sender: MulticastSender<string, string>,
  heard: Inbox,
  message: string,
): Promise<void> {
  let isOver = false
  const resending = (async () => {
    for (let times = 0; times < 1000 && !isOver; times += 1) {
      await sender.send(message).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  await heard.until(message)
  isOver = true
  await resending
}

/** The way from a client to the server, which can stop taking what the server sends. */
class Way {
  readonly #listener = createServer((client) => this.#join(client))
  readonly #server: Socket[] = []

  async open(): Promise<string> {
    this.#listener.listen(0, '127.0.0.1')
    await once(this.#listener, 'listening')
    keep({ close: async () => this.close() })
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
  }

  stall(): void {
    for (const socket of this.#server) socket.unpipe().pause()
  }

  flow(): void {
    for (const socket of this.#server) socket.emit('flow')
  }

  close(): void {
    this.#listener.close()
    for (const socket of this.#server) socket.destroy()
  }

  #join(client: Socket): void {
    const server = connect(4223, '127.0.0.1')
    this.#server.push(server)
    server.on('flow', () => server.pipe(client)).emit('flow')
    client.pipe(server)
    // It may reset the connection.
    for (const [one, other] of [[server, client] as const, [client, server] as const]) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  }
}

for (const [config, told] of [
  ['max_payload: 100000, max_pending: 200000', /Slow Consumer Detected: MaxPending/],
  ['write_deadline: "200ms"', /Slow Consumer Detected: WriteDeadline/],
] as const) {
  test(`a program that reads too slowly is cut off (${config}), which is counted, and goes on`, async (_server, host) => {
    await serving(host, config, async (server) => {
      const way = new Way()
      const slow = natsCarrier(await server.connect({ servers: await way.open() }))
      const here = await server.carrier()
      const { heard, sender } = await hearing(slow, here)
      way.stall()
      let isCut = false
      const cut = server.logged(told).then(() => {
        isCut = true
      })
      // As much as the kernels on the way hold, and more.
      const message = 'x'.repeat(60_000)
      for (let count = 0; count < 2000 && !isCut; count += 1) {
        await sender.send(message)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await cut
      assert.equal(slow.stats.disconnects, 0)
      way.flow()
      await until('it is disconnected', () => slow.stats.disconnects > 0)
      await heardAgain(sender, heard, 'after')
      assert.deepEqual([slow.stats.disconnects, here.stats.disconnects], [1, 0])
    })
  })
}

/** Two users, of whom one may do only that. */
const users = (may: string): string => `authorization {
  users = [
    { user: one, password: one, permissions: ${may} },
    { user: other, password: other }
  ]
}`
const all = '{ publish: ">", subscribe: ">" }'

/** The same with a carrier of each, and what resolves once the server has all that the other one has sent. */
const servingTwo = (
  host: Host,
  body: (
    server: NatsServer,
    one: NatsCarrier,
    other: NatsCarrier,
    flush: () => Promise<void>,
  ) => Promise<void>,
): Promise<void> =>
  serving(host, users(all), async (server) => {
    const connect = (user: string) => server.connect({ user, pass: user })
    const [one, other] = await Promise.all([connect('one'), connect('other')])
    await body(server, natsCarrier(one), natsCarrier(other), () => other.flush())
  })

test('what may be heard no more is counted, join() tells, and it is heard once it is allowed again', async (_server, host) => {
  await servingTwo(host, async (server, one, other, flush) => {
    const { receiver, heard, sender } = await hearing(one, other)
    await server.reload(
      users('{ publish: ">", subscribe: ["multicast.all.>", "multicast.host.>"] }'),
    )
    await until('it is counted', () => one.stats.denied > 0)
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(receiver.join({ interface: 'nats0' }), {
        code: 'ERR_MULTICAST_JOIN',
        message: /Permissions Violation for Subscription to "multicast\.group\.239-1-2-3\.\*"/,
      })
    }
    await sender.send('meanwhile')
    await flush()
    await server.reload(users(all))
    await receiver.join({ interface: 'nats0' })
    await sender.send('after')
    assert.deepEqual(await heard.until('after'), ['after'])
    // Nor does anybody have to ask.
    const before = one.stats.denied
    await server.reload(
      users('{ publish: ">", subscribe: ["multicast.all.>", "multicast.host.>"] }'),
    )
    await until('it is counted', () => one.stats.denied > before)
    await server.reload(users(all))
    await heardAgain(sender, heard, 'by itself')
  })
})

test('what may be sent no more is told by the next send, and counted', async (_server, host) => {
  await servingTwo(host, async (server, one, other) => {
    const { heard, sender } = await hearing(other, one)
    await server.reload(users('{ publish: "multicast.host.>", subscribe: ">" }'))
    await sender.send('forbidden')
    await until('it is counted', () => one.stats.denied > 0)
    await assert.rejects(sender.send('forbidden'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_MULTICAST_SEND')
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'EACCES')
      return true
    })
    await server.reload(users(all))
    await sender.send('after')
    assert.deepEqual(await heard.until('after'), ['after'])
    assert.deepEqual([one.stats.denied, one.stats.failed], [1, 1])
  })
})
