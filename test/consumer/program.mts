// A consumer's program. The package test compiles it against the packed package, with every
// TypeScript that the declarations are for, as an ES module, as CommonJS and for a bundler, and runs
// each of them.
import type * as dgram from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'
import {
  bytes,
  type Codec,
  json,
  type Membership,
  type MembershipChange,
  type MulticastError,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
  type Remote,
  text,
} from 'typed-multicast'

// The types of the public face: one that is renamed or lost does not compile.
export type {
  Carrier,
  Codec,
  CreateSocket,
  DatagramSocket,
  DatagramSocketOptions,
  Membership,
  MembershipChange,
  MembershipOptions,
  MembershipRequest,
  MulticastEmitter,
  MulticastErrorCode,
  MulticastEvents,
  MulticastOptions,
  MulticastReceiverEvents,
  MulticastStats,
  NetworkInterfaces,
  PeerOptions,
  Received,
  ReceiverOptions,
  Remote,
  ReplyOptions,
  RequestOptions,
  SenderOptions,
  WatchInterfaces,
} from 'typed-multicast'

import { calcsize, pack, Struct, StructError, unpack } from 'typed-multicast/struct'

export type {
  AddressFamily,
  Checked,
  Complex,
  Packable,
  StructErrorCode,
  Unpacked,
} from 'typed-multicast/struct'

import {
  type Delivery,
  type MockHost,
  MockNetwork,
  type Outcome,
  refuseRealSockets,
} from 'typed-multicast/testing'

export type {
  Expected,
  Fate,
  Faults,
  JournalEntry,
  MockHostOptions,
  MockInterface,
  MockNetworkOptions,
  MockSocket,
  MockSocketOptions,
  Platform,
  Transit,
} from 'typed-multicast/testing'

const group = '239.255.71.1'
const address = { group, port: 10_000 }
const number: Codec<number> = {
  encode: (value) => Buffer.from([value]),
  decode: (data) => data.readUInt8(),
}

// What is inferred: the test reads these in the declarations that the compiler emits, where they are
// written as a hover shows them. Functions, so that nothing is opened.
export const plainSender = () => new MulticastSender(address)
export const plainReceiver = () => new MulticastReceiver(address)
export const bytesSender = () => new MulticastSender({ ...address, codec: bytes })
export const bytesReceiver = () => new MulticastReceiver({ ...address, codec: bytes })
export const textSender = () => new MulticastSender({ ...address, codec: text })
export const textReceiver = () => new MulticastReceiver({ ...address, codec: text })
export const jsonReceiver = () =>
  new MulticastReceiver({ ...address, codec: json<{ id: string }>() })
export const mixedSender = () =>
  new MulticastSender({ ...address, codec: text, replyCodec: number })
export const mixedReceiver = () =>
  new MulticastReceiver({ ...address, codec: text, replyCodec: number })
export const replySender = () => new MulticastSender({ ...address, replyCodec: number })
export const replyReceiver = () => new MulticastReceiver({ ...address, replyCodec: number })
export const inlineSender = () =>
  new MulticastSender({
    ...address,
    codec: { encode: (value: number) => Buffer.from([value]), decode: (data: Buffer) => data[0] },
  })
export const inlineReceiver = () =>
  new MulticastReceiver({
    ...address,
    codec: { encode: (value: bigint) => Buffer.from(`${value}`), decode: (data) => data.length },
  })

export const structReceiver = () =>
  new MulticastReceiver({ ...address, codec: new Struct('<IHf'), replyCodec: text })
export const plainPeer = () => new MulticastPeer(address)
export const bytesPeer = () => new MulticastPeer({ ...address, codec: bytes })
export const textPeer = () => new MulticastPeer({ ...address, codec: text })
export const jsonPeer = () => new MulticastPeer({ ...address, codec: json<{ id: string }>() })
export const mixedPeer = () => new MulticastPeer({ ...address, codec: text, replyCodec: number })
export const replyPeer = () => new MulticastPeer({ ...address, replyCodec: number })
export const inlinePeer = () =>
  new MulticastPeer({
    ...address,
    codec: { encode: (value: bigint) => Buffer.from(`${value}`), decode: (data) => data.length },
  })
export const inlineReplyPeer = () =>
  new MulticastPeer({
    ...address,
    codec: text,
    replyCodec: { encode: (value: Date) => Buffer.from(`${value}`), decode: (data) => data.length },
  })
export const structPeer = () => new MulticastPeer({ ...address, codec: new Struct('<I?4s') })
export const structReplyPeer = () =>
  new MulticastPeer({ ...address, codec: new Struct('<f'), replyCodec: new Struct('!Q2x') })
export const emptyStructPeer = () => new MulticastPeer({ ...address, codec: new Struct('') })
export const longStructPeer = () => new MulticastPeer({ ...address, codec: new Struct('<5000H') })
export const dynamicPeer = (format: string) =>
  new MulticastPeer({ ...address, codec: new Struct(format) })

export const unpacked = () => unpack('>I 2s?xq', Buffer.alloc(24))
export const prepared = () => new Struct('!4s4s')
export const dynamic = (format: string) => unpack(format, Buffer.alloc(calcsize(format)))

export const mockedReceiver = (host: MockHost) =>
  new MulticastReceiver({ ...address, codec: text, ...host })
export const mockedSender = (host: MockHost) => new MulticastSender({ ...address, ...host })

// What listeners and loops are given, without an annotation. `Same` does not hold for `any`.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>() => {}

export function listeners() {
  textReceiver().on('message', (message, remote) => {
    holds<Same<typeof message, string>>()
    holds<Same<typeof remote, Remote>>()
  })
  mixedSender().once('message', (reply) => holds<Same<typeof reply, number>>())
  plainReceiver().on('malformed', (error, data, remote) => {
    holds<Same<typeof error, MulticastError>>()
    holds<Same<typeof data, Buffer>>()
    holds<Same<typeof remote, Remote>>()
  })
  plainReceiver().on('membership', (change, membership) => {
    holds<Same<typeof change, MembershipChange>>()
    holds<Same<typeof membership, Membership>>()
  })
  plainSender().on('error', (error) => holds<Same<typeof error, MulticastError>>())
  plainSender().on('listening', () => {})
  plainSender().on('timeout', () => {})
  plainSender().on('close', () => {})
  const host = new MockNetwork().host()
  const socket = host.createSocket({ type: 'udp4' })
  socket satisfies dgram.Socket
  host.dgram satisfies Pick<typeof dgram, 'createSocket' | 'Socket'>
  socket.on('message', (data, remote) => {
    data satisfies Buffer
    holds<Same<typeof remote, RemoteInfo>>()
  })
  new MockNetwork({
    rule: (transit) => {
      holds<Same<typeof transit.data, Buffer>>()
      return undefined
    },
  })
  holds<Same<Delivery['outcome'], Outcome>>()
}

export async function peers() {
  const peer = await structReplyPeer().ready()
  holds<Same<typeof peer, ReturnType<typeof structReplyPeer>>>()
  peer.on('message', async (message, remote) => {
    holds<Same<typeof message, [number]>>()
    holds<Same<typeof remote, Remote>>()
    holds<Same<typeof remote.interface, string | undefined>>()
    await peer.reply([7n], remote, { within: 100 })
    await peer.reply([7], { address: '192.0.2.1', port: 5353 })
  })
  peer.on('membership', (change, { interface: name }) => {
    holds<Same<typeof change, 'joined' | 'left' | 'lost'>>()
    holds<Same<typeof name, string>>()
  })
  for await (const { message, remote } of peer) {
    holds<Same<typeof message, [number]>>()
    holds<Same<typeof remote, Remote>>()
  }
  holds<Same<ReturnType<typeof peer.send>, Promise<number>>>()
  holds<Same<typeof peer.interfaces, readonly string[]>>()
  await peer.send([0.5])
  await emptyStructPeer().send([])
  await dynamicPeer('<I').send([1])
  // It is a receiver.
  const receiver: MulticastReceiver<string, number> = mixedPeer()
  await receiver.close()
}

export async function loops() {
  const receiver = await textReceiver().ready()
  holds<Same<typeof receiver, MulticastReceiver<string, string>>>()
  for await (const { message, remote } of receiver) {
    holds<Same<typeof message, string>>()
    holds<Same<typeof remote, Remote>>()
  }
  for await (const { message, remote } of mixedSender().request('?', { limit: 1 })) {
    holds<Same<typeof message, number>>()
    holds<Same<typeof remote, Remote>>()
  }
}

// None of these may compile.
export function mistakes(remote: RemoteInfo) {
  const sender = new MulticastSender({ ...address, codec: text, replyCodec: number })
  const receiver = new MulticastReceiver({ ...address, codec: text, replyCodec: number })
  // @ts-expect-error: an event that does not exist
  sender.on('mesage', () => {})
  // @ts-expect-error: the same on a receiver
  receiver.once('mesage', () => {})
  // @ts-expect-error: an event of a receiver
  sender.on('membership', () => {})
  // @ts-expect-error: a change that does not exist
  receiver.on('membership', (change: 'moved') => change)
  // @ts-expect-error: the replies are numbers
  sender.on('message', (reply: string) => reply)
  // @ts-expect-error: the messages are strings
  receiver.on('message', (message: number) => message)
  // @ts-expect-error: the second argument is a RemoteInfo
  receiver.on('message', (message, remote: string) => [message, remote])
  // @ts-expect-error: an error is not a string
  receiver.on('error', (error: string) => error)
  // @ts-expect-error: `listening` carries nothing
  receiver.on('listening', (port: number) => port)
  // @ts-expect-error: a message of the wrong type
  sender.send(1)
  // @ts-expect-error: a request of the wrong type
  sender.request(1, { limit: 1 })
  // @ts-expect-error: an option of request() that does not exist
  sender.request('?', { limits: 1 })
  // @ts-expect-error: a reply of the wrong type
  receiver.reply('one', remote)
  // @ts-expect-error: a reply to nobody
  receiver.reply(1)
  // @ts-expect-error: a number is not bytes
  plainSender().send(1)
  // @ts-expect-error: a receiver that replies with text does not take bytes
  const takesBytes: MulticastReceiver<string, string | Uint8Array> = textReceiver()
  // @ts-expect-error: with this codec the replies are no bytes
  const repliesBytes = new MulticastSender<number, Buffer>({ ...address, codec: number })
  void [takesBytes, repliesBytes]
  const peer = new MulticastPeer({ ...address, codec: text, replyCodec: number })
  // @ts-expect-error: a message of the wrong type
  peer.send(1)
  // @ts-expect-error: a reply of the wrong type
  peer.reply('one', remote)
  // @ts-expect-error: the messages are strings
  peer.on('message', (message: number) => message)
  // @ts-expect-error: an option of a reply that does not exist
  peer.reply(1, remote, { after: 100 })
  // @ts-expect-error: milliseconds are a number
  peer.reply(1, remote, { within: '100' })
  // @ts-expect-error: questions with answers are a sender's
  peer.request('?', { limit: 1 })
  // @ts-expect-error: a peer sends from the port of the group
  new MulticastPeer({ ...address, localPort: 2 })
  // @ts-expect-error: and from its interfaces
  new MulticastPeer({ ...address, localAddress: '192.0.2.1', codec: text })
  // @ts-expect-error: nor does it hear replies
  new MulticastPeer({ ...address, replies: false, codec: text, replyCodec: number })
  // @ts-expect-error: a message is a list of three
  structPeer().send([1, true])
  // @ts-expect-error: the third of them is bytes
  structPeer().send([1, true, 'text'])
  // @ts-expect-error: without a codec what comes is bytes
  new MulticastPeer<string>(address)
  // @ts-expect-error: a receiver does not send
  const sends: MulticastPeer<string, string> = textReceiver()
  void sends
  // @ts-expect-error: a value is missing
  pack('<IH', 1)
  // @ts-expect-error: a string is not a number
  pack('<IH', 1, 'x')
  // @ts-expect-error: there is no z
  new Struct('<Iz')
  // @ts-expect-error: a message is a list of one
  new MulticastSender({ ...address, codec: new Struct('<I') }).send([1, 2])
  // @ts-expect-error: a fault that does not exist
  new MockNetwork({ lose: 1 })
  // @ts-expect-error: a member that an entry does not have
  new MockNetwork().assertNothingUnexpected({ hosts: 'host1' })
  // @ts-expect-error: no options
  new MulticastSender()
  // @ts-expect-error: no port
  new MulticastSender({ group })
  // @ts-expect-error: an option that does not exist
  new MulticastSender({ ...address, tll: 2 })
  // @ts-expect-error: the same beside a codec
  new MulticastSender({ ...address, tll: 2, codec: text })
  // @ts-expect-error: the same beside two codecs
  new MulticastSender({ ...address, tll: 2, codec: text, replyCodec: number })
  // @ts-expect-error: an option of the receiver
  new MulticastSender({ ...address, sources: ['192.0.2.1'] })
  // @ts-expect-error: an option of the sender
  new MulticastReceiver({ ...address, ttl: 2 })
  // @ts-expect-error: an option of the wrong type
  new MulticastSender({ ...address, ttl: '2' })
  // @ts-expect-error: the same of one that both have
  new MulticastReceiver({ ...address, followInterfaces: 'all' })
  // @ts-expect-error: a codec that cannot decode
  new MulticastReceiver({ ...address, codec: { encode: (value: string) => Buffer.from(value) } })
  // @ts-expect-error: a codec that does not encode to bytes
  new MulticastSender({ ...address, codec: { encode: (value: string) => value, decode: String } })
}

async function main() {
  await using receiver = new MulticastReceiver({
    group,
    port: 0,
    interfaces: ['127.0.0.1'],
    codec: text,
  })
  receiver.on('message', async (message, remote) => {
    await receiver.reply(`${message.toUpperCase()}, said ${remote.address}`, remote)
  })
  await receiver.ready()
  const { port } = receiver.address()
  await using sender = new MulticastSender({ group, port, interfaces: '127.0.0.1', codec: text })
  for await (const { message } of sender.request('heard', { limit: 1, timeout: 10_000 })) {
    console.log(message)
  }
  using refusal = refuseRealSockets()
  holds<Same<typeof refusal, Disposable>>()
  const network = new MockNetwork()
  await using mocked = new MulticastSender({ ...address, codec: text, ...network.host() })
  await mocked.send('unheard')
  console.log(network.journal.map(({ from, text }) => `${from} ${text}`).join())
  try {
    pack('<H', 70_000)
  } catch (error) {
    if (error instanceof StructError) console.log(error.code, error.message)
  }
}

main()
