import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { type Check, diagnose, type Finding } from '../src/doctor/index.js'
import {
  type Codec,
  type CreateSocket,
  json,
  type Membership,
  MulticastError,
  type MulticastErrorCode,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  type Received,
  type Remote,
  type Schema,
  text,
} from '../src/index.js'
import { MockNetwork, type Outcome } from '../src/testing/index.js'

// Nothing here runs: compilers.test.ts compiles it. Each @ts-expect-error is an error itself where the line
// below it compiles.

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<_Holds extends true>(): void {}

const where = { group: '239.1.2.3', port: 10000 }

interface Fix {
  readonly latitude: number
}

const isFix = (value: unknown): value is Fix => Boolean((value as Partial<Fix> | null)?.latitude)

export async function program(remote: RemoteInfo): Promise<void> {
  // Without a codec: bytes.
  const receiver = new MulticastReceiver(where)
  is<Equal<typeof receiver, MulticastReceiver<Buffer, string | Uint8Array>>>()
  const sender = new MulticastSender(where)
  is<Equal<typeof sender, MulticastSender<string | Uint8Array, Buffer>>>()

  // With one: it carries both.
  const texts = new MulticastReceiver({ ...where, codec: text })
  is<Equal<typeof texts, MulticastReceiver<string, string>>>()
  const fixes = new MulticastSender({ ...where, codec: json<Fix>() })
  is<Equal<typeof fixes, MulticastSender<Fix, Fix>>>()

  // With two, or with one for the replies alone.
  const both = new MulticastReceiver({ ...where, codec: json<Fix>(), replyCodec: text })
  is<Equal<typeof both, MulticastReceiver<Fix, string>>>()
  const toBoth = new MulticastSender({ ...where, codec: json<Fix>(), replyCodec: text })
  is<Equal<typeof toBoth, MulticastSender<Fix, string>>>()
  const replies = new MulticastReceiver({ ...where, replyCodec: text })
  is<Equal<typeof replies, MulticastReceiver<Buffer, string>>>()
  const toReplies = new MulticastSender({ ...where, replyCodec: text })
  is<Equal<typeof toReplies, MulticastSender<string | Uint8Array, string>>>()

  // A peer hears, sends and replies.
  const peer = new MulticastPeer(where)
  is<Equal<typeof peer, MulticastPeer<Buffer, string | Uint8Array, string | Uint8Array>>>()
  is<Equal<typeof peer, MulticastPeer>>()
  const textPeer = new MulticastPeer({ ...where, codec: text })
  is<Equal<typeof textPeer, MulticastPeer<string, string>>>()
  const bothPeer = new MulticastPeer({ ...where, codec: json<Fix>(), replyCodec: text })
  is<Equal<typeof bothPeer, MulticastPeer<Fix, Fix, string>>>()
  const repliesPeer = new MulticastPeer({ ...where, replyCodec: text })
  is<Equal<typeof repliesPeer, MulticastPeer<Buffer, string | Uint8Array, string>>>()
  const unnamedPeer = new MulticastPeer({ ...where, codec: json() })
  is<Equal<typeof unnamedPeer, MulticastPeer<unknown, unknown>>>()
  await bothPeer.send({ latitude: 1 })
  await bothPeer.reply('thanks', remote, { within: 5 })
  // @ts-expect-error replies are text
  await bothPeer.reply({ latitude: 1 }, remote)
  // @ts-expect-error messages are not
  await bothPeer.send('thanks')
  // @ts-expect-error it sends from the port of the group
  new MulticastPeer({ ...where, localPort: 1 })
  // @ts-expect-error numbers cannot be sent as bytes
  new MulticastPeer<Buffer, number>(where)
  const hearing: MulticastReceiver<Fix, string> = bothPeer
  // @ts-expect-error what is sent may be narrower, not wider
  const widerPeer: MulticastPeer<string, string | number, string> = textPeer
  const narrowerPeer: MulticastPeer<Buffer, Uint8Array> = peer
  void [hearing, widerPeer, narrowerPeer]
  // With one that checks: a guard, a parser, a schema, of which what is sent may be another type.
  const guarded = new MulticastReceiver({ ...where, codec: json(isFix) })
  is<Equal<typeof guarded, MulticastReceiver<Fix, Fix>>>()
  const arrow = json((value): value is Fix => isFix(value))
  is<Equal<typeof arrow, Codec<Fix>>>()
  const parsing = new MulticastSender({ ...where, codec: json((value) => Number(value)) })
  is<Equal<typeof parsing, MulticastSender<number, number>>>()
  const yesOrNo = json((value: unknown): boolean => isFix(value))
  is<Equal<typeof yesOrNo, Codec<unknown>>>()
  const schema = {} as Schema<{ latitude: string }, Fix>
  const schematic = new MulticastReceiver({ ...where, codec: json(schema) })
  is<Equal<typeof schematic, MulticastReceiver<Fix, { latitude: string }>>>()
  const answers = new MulticastSender({ ...where, codec: text, replyCodec: json(schema) })
  is<Equal<typeof answers, MulticastSender<string, Fix>>>()
  is<Equal<Awaited<ReturnType<typeof answers.gather>>, Received<Fix>[]>>()
  // @ts-expect-error: a check is a function or a schema
  json(7)
  // @ts-expect-error: without a type nobody knows what it is
  json().decode(Buffer.alloc(0)).latitude

  const accepting = new MulticastReceiver({
    ...where,
    queueBytes: 1,
    accept: ({ address, port, family, size }) => `${address}${port}${family}` !== `${size}`,
  })
  is<Equal<Awaited<ReturnType<typeof accepting.kernelDrops>>, number | undefined>>()
  accepting.reply('x', remote, { within: 5 })
  // @ts-expect-error: replies are a sender's
  new MulticastReceiver({ ...where, replies: false })
  new MulticastSender({ ...where, replies: false })

  // With one of a type that nobody names, and with one for the replies that may be missing.
  const unnamed = new MulticastReceiver({ ...where, codec: json() })
  is<Equal<typeof unnamed, MulticastReceiver<unknown, unknown>>>()
  const bothUnnamed = new MulticastSender({ ...where, codec: json(), replyCodec: json() })
  is<Equal<typeof bothUnnamed, MulticastSender<unknown, unknown>>>()
  const unnamedReplies = new MulticastSender({ ...where, replyCodec: json() })
  is<Equal<typeof unnamedReplies, MulticastSender<string | Uint8Array, unknown>>>()
  const perhaps: Codec<string> | undefined = Math.random() < 0.5 ? text : undefined
  const perhapsReplies = new MulticastReceiver({ ...where, codec: text, replyCodec: perhaps })
  is<Equal<typeof perhapsReplies, MulticastReceiver<string, string>>>()

  // A codec written in place, and one whose sides differ.
  const inline = new MulticastSender({
    ...where,
    codec: { encode: (value: number) => Buffer.from([value]), decode: (data) => data.length > 1 },
  })
  is<Equal<typeof inline, MulticastSender<number, boolean>>>()
  const uneven: Codec<readonly [number], [number, number]> = {
    encode: ([first]) => Buffer.from([first]),
    decode: (data) => [data.readUInt8(0), data.length],
  }
  const unevenReceiver = new MulticastReceiver({ ...where, codec: uneven })
  is<Equal<typeof unevenReceiver, MulticastReceiver<[number, number], readonly [number]>>>()
  const unevenPeer = new MulticastPeer({ ...where, codec: uneven })
  is<Equal<typeof unevenPeer, MulticastPeer<[number, number], readonly [number]>>>()
  const unevenBoth = new MulticastReceiver({ ...where, codec: uneven, replyCodec: text })
  is<Equal<typeof unevenBoth, MulticastReceiver<[number, number], string>>>()

  // Type parameters that no codec backs.
  // @ts-expect-error Buffers come, not strings
  new MulticastReceiver<string>(where)
  // @ts-expect-error numbers cannot be sent as bytes
  new MulticastSender<number>(where)
  // @ts-expect-error text does not carry numbers
  new MulticastSender<number, number>({ ...where, codec: text })
  // @ts-expect-error with this codec the replies are no bytes
  new MulticastSender<Fix, Buffer>({ ...where, codec: json<Fix>() })
  // @ts-expect-error the same
  new MulticastReceiver<string, string | Uint8Array>({ ...where, codec: text })
  // Where one parameter is given, the other follows it.
  is<Equal<MulticastReceiver<Fix>, MulticastReceiver<Fix, Fix>>>()
  is<Equal<MulticastSender<Fix>, MulticastSender<Fix, Fix>>>()
  is<Equal<MulticastPeer<Fix>, MulticastPeer<Fix, Fix, Fix>>>()
  is<Equal<MulticastReceiver, MulticastReceiver<Buffer, string | Uint8Array>>>()
  is<Equal<MulticastSender, MulticastSender<string | Uint8Array, Buffer>>>()
  new MulticastReceiver<Fix>({ ...where, codec: json() })
  new MulticastSender<Fix>({ ...where, codec: json() })
  new MulticastPeer<Fix>({ ...where, codec: json() })
  new MulticastReceiver<string>({ ...where, codec: text }).on('newListener', (event) => event)
  // @ts-expect-error numbers are no replies in bytes
  new MulticastReceiver<Buffer, number>(where)
  // @ts-expect-error numbers cannot be sent as bytes, whatever the replies are
  new MulticastSender<number, string>({ ...where, replyCodec: text })
  // @ts-expect-error what may be missing leaves the replies to the other codec
  new MulticastReceiver({ ...where, codec: json<Fix>(), replyCodec: perhaps })
  // @ts-expect-error replies of text are not bytes
  const wider: MulticastReceiver<string, string | Uint8Array> = texts
  // @ts-expect-error nor are messages
  const widerSender: MulticastSender<string | Uint8Array, Fix> = toBoth
  void [wider, widerSender]
  const narrower: MulticastSender<Uint8Array> = new MulticastSender(where)

  // Events.
  texts.on('message', (message, from) => {
    is<Equal<typeof message, string>>()
    is<Equal<typeof from, Remote>>()
  })
  texts.on('malformed', (error, data, from) => {
    is<Equal<typeof error, MulticastError>>()
    is<Equal<typeof data, Buffer>>()
    is<Equal<typeof from, Remote>>()
  })
  texts.on('error', (error) => is<Equal<typeof error.code, MulticastErrorCode>>())
  texts.once('listening', () => {}).off('timeout', () => {})
  await once(texts, 'close')
  // @ts-expect-error no such event
  texts.on('messages', () => {})
  // @ts-expect-error a message is a string
  texts.on('message', (message: Buffer) => message)
  // @ts-expect-error timeout has no arguments
  texts.on('timeout', (ms: number) => ms)

  // Methods.
  is<Equal<Awaited<ReturnType<typeof texts.ready>>, MulticastReceiver<string, string>>>()
  is<Equal<ReturnType<typeof fixes.send>, Promise<number>>>()
  await fixes.send({ latitude: 1 })
  // @ts-expect-error a misspelt member
  await fixes.send({ lattitude: 1 })
  // @ts-expect-error bytes need a codec that takes them
  await fixes.send(Buffer.alloc(1))
  await both.reply('thanks', remote)
  // @ts-expect-error replies are text
  await both.reply({ latitude: 1 }, remote)
  // @ts-expect-error a reply goes to somebody
  await both.reply('thanks')
  for await (const reply of toBoth.request({ latitude: 1 }, { timeout: 1, limit: 1 })) {
    is<Equal<typeof reply, Received<string>>>()
  }
  // @ts-expect-error no such option
  toBoth.request({ latitude: 1 }, { time: 1 })
  for await (const { message } of fixes) is<Equal<typeof message, Fix>>()
  await receiver.join({ interface: 'lo', source: '192.0.2.1' })
  for (const membership of receiver.memberships) {
    is<Equal<typeof membership, Membership>>()
    await receiver.leave(membership)
  }
  // @ts-expect-error memberships are read
  receiver.memberships = []
  // @ts-expect-error counts are read
  receiver.stats.sent = 1
  await using _scoped = narrower

  // Options.
  new MulticastSender({ ...where, ttl: undefined, codec: undefined, replyCodec: undefined })
  new MulticastSender({ ...where, createSocket, networkInterfaces })
  const seam: CreateSocket = createSocket
  new MulticastReceiver({ ...where, interfaces: 'default', createSocket: seam })
  new MulticastReceiver({ ...where, interfaces: ['lo'] as const })
  // @ts-expect-error no such option
  new MulticastSender({ ...where, tll: 1 })
  // @ts-expect-error an option of the receiver
  new MulticastSender({ ...where, sources: ['10.0.0.1'] })
  // @ts-expect-error one of join() and leave(): here it is `interfaces`
  new MulticastSender({ ...where, interface: 'lo' })
  // @ts-expect-error a string or a list
  new MulticastSender({ ...where, interfaces: 7 })
  // @ts-expect-error an option of the sender
  new MulticastReceiver({ ...where, ttl: 1 })
  // @ts-expect-error a number
  new MulticastSender({ ...where, ttl: '1' })
  for (const interfaces of ['lo', ['lo', '10.0.0.1'], 'all', 'default']) {
    new MulticastReceiver({ ...where, interfaces })
    new MulticastSender({ ...where, interfaces })
  }
  // @ts-expect-error names
  new MulticastReceiver({ ...where, interfaces: [7] })
  // @ts-expect-error the group is required
  new MulticastSender({ port: 1 })
  // @ts-expect-error half a codec
  new MulticastReceiver({ ...where, codec: { decode: String } })

  // The mock network.
  const network = new MockNetwork({ loss: 0.1, rule: ({ to }) => ({ lost: to.host === 'b' }) })
  const host = network.host({ interfaces: { a: 'lan', b: { addresses: ['192.0.2.1/24'] } } })
  is<Equal<keyof typeof spread, 'createSocket' | 'networkInterfaces' | 'watchInterfaces'>>()
  const spread = { ...host }
  const mocked = new MulticastReceiver({ ...where, codec: text, ...host })
  is<Equal<typeof mocked, MulticastReceiver<string, string>>>()
  new MulticastSender({ ...where, ...network.host() })
  new MulticastPeer({ ...where, ...network.host() })
  const carrier: CreateSocket = host.createSocket
  new MulticastSender({ ...where, createSocket: carrier })
  is<Equal<(typeof network.journal)[number]['deliveries'][number]['outcome'], Outcome>>()
  network.assertNothingUnexpected({ ttl: 1 }, (entry) => entry.size > 0)
  // @ts-expect-error no such fault
  new MockNetwork({ lose: 0.1 })
  // @ts-expect-error a fate is no word
  new MockNetwork({ rule: () => 'lost' })
  // @ts-expect-error no such platform
  network.host({ platform: 'bsd' })
  // @ts-expect-error a router has two sides
  network.router('lan')
  // @ts-expect-error the seed is given once
  network.setFaults({ seed: 1 })
  // @ts-expect-error parts are lists
  network.partition(host)
  // @ts-expect-error no such member
  network.assertNothingUnexpected({ hosts: 'host1' })
  // @ts-expect-error the journal is read
  network.journal.push()

  // The doctor: options, or what lives, whatever its messages are.
  for await (const finding of diagnose({ ...where, interfaces: ['eth0'], watch: 100 })) {
    is<Equal<typeof finding, Finding>>()
    is<Equal<typeof finding.check, Check>>()
    is<Equal<typeof finding.remedy, string | undefined>>()
  }
  diagnose(new MulticastReceiver({ ...where, codec: json<Fix>() }))
  diagnose(new MulticastSender({ ...where, codec: text, replyCodec: json<Fix>() }))
  diagnose(host)
  // @ts-expect-error no such option
  diagnose({ wacht: 100 })
  // @ts-expect-error no list of numbers
  diagnose({ interfaces: [1] })

  // Errors.
  const error: unknown = undefined
  if (error instanceof MulticastError && error.code === 'ERR_MULTICAST_TTL') return
  // @ts-expect-error no such code
  if (error instanceof MulticastError && error.code === 'ERR_MULTICAST_TLL') return
}
