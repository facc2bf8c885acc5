import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import {
  type Codec,
  json,
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type Remote,
  type SenderOptions,
  text,
} from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'
import { runProgram } from './child.js'
import { told } from './told.js'

const where = { group: '239.1.2.3', port: 10_000, bindAddress: 'group' } as const

/** A receiver on one host, and a sender on another. */
async function pair(
  forReceiver: Partial<ReceiverOptions> & { codec?: Codec<string, unknown> } = {},
  forSender: Partial<SenderOptions> = {},
) {
  const network = new MockNetwork()
  const receiver = new MulticastReceiver({
    ...where,
    codec: text as Codec<string, unknown>,
    ...forReceiver,
    ...network.host(),
  })
  const { bindAddress: _, ...there } = where
  const sender = new MulticastSender({ ...there, codec: text, ...forSender, ...network.host() })
  await Promise.all([receiver.ready(), sender.ready()])
  const say = async (...messages: string[]): Promise<void> => {
    for (const message of messages) await sender.send(message)
    await network.settled()
  }
  return { network, receiver, sender, say }
}

async function drained(iterator: AsyncIterable<{ message: unknown }>): Promise<unknown[]> {
  const messages: unknown[] = []
  for await (const { message } of iterator) messages.push(message)
  return messages
}

test('an iterator that nobody reads holds queueBytes, and what had to go is counted', async () => {
  const { network, receiver, say } = await pair({ queueBytes: 100 })
  const [slow, other] = [receiver[Symbol.asyncIterator](), receiver[Symbol.asyncIterator]()]
  const messages = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(40))
  await say(...messages)
  assert.equal(receiver.stats.dropped, 6)
  await other.return?.()
  await say('f'.repeat(1000))
  assert.equal(receiver.stats.dropped, 8)
  await receiver.close()
  assert.deepEqual(await drained(slow), ['f'.repeat(1000)])
  await network.close()
})

test('a request holds queueBytes too, and its limit counts what it gives', async () => {
  const { network, receiver, sender } = await pair({}, { queueBytes: 3, queueLimit: 2 })
  let ask: Remote | undefined
  receiver.on('message', (_, remote) => {
    ask = remote
  })
  const answer = async (...answers: string[]): Promise<void> => {
    for (const one of answers) await receiver.reply(one, ask as Remote)
    await network.settled()
  }
  const replies = sender.request('?', { limit: 4 })
  const first = replies.next()
  await network.settled()
  await answer('1')
  assert.equal((await first).value?.message, '1')
  // Of these it holds the last two: with the first three of four that are given.
  await answer('22', '3', '4', '5')
  assert.equal(sender.stats.dropped, 2)
  assert.equal((await replies.next()).value?.message, '4')
  await answer('666')
  assert.equal(sender.stats.dropped, 3)
  const rest = drained(replies)
  await answer('7', '8', '9')
  assert.deepEqual(await rest, ['666', '7'])
  await network.close()
})

test('whom accept refuses is dropped before it is decoded, and is not received', async () => {
  const seen: Remote[] = []
  let decoded = 0
  const { network, receiver, say } = await pair({
    accept(remote) {
      seen.push(remote)
      return remote.size < 3
    },
    codec: {
      encode: text.encode,
      decode(data) {
        decoded += 1
        return text.decode(data)
      },
    },
  })
  const heard: unknown[] = []
  receiver.on('message', (message) => heard.push(message))
  await say('ok', 'too long')
  assert.deepEqual([heard, decoded], [['ok'], 1])
  const { received, bytesReceived, dropped, malformed, unheard } = receiver.stats
  assert.deepEqual(
    { received, bytesReceived, dropped, malformed, unheard },
    { received: 1, bytesReceived: 2, dropped: 1, malformed: 0, unheard: 0 },
  )
  assert.deepEqual(
    seen.map(({ family, size }) => [family, size]),
    [
      ['IPv4', 2],
      ['IPv4', 8],
    ],
  )
  await network.close()
})

test("accept holds for a sender's replies, also within a request", async () => {
  const { network, receiver, sender } = await pair({}, { accept: ({ size }) => size === 1 })
  receiver.on('message', async (_, remote) => {
    for (const answer of ['refused', '1', 'refused', '2']) await receiver.reply(answer, remote)
  })
  assert.deepEqual(await drained(sender.request('?', { limit: 2 })), ['1', '2'])
  assert.deepEqual([sender.stats.received, sender.stats.dropped], [2, 2])
  await network.close()
})

test('what accept throws is uncaught, as what a listener throws', async () => {
  const { code, stdout } = await runProgram(`
    process.on('uncaughtException', ({ message }) => {
      console.log(message, receiver.stats.received)
      Promise.all([receiver.close(), sender.close()])
    })
    const on = { group: '239.1.2.3', interfaces: '127.0.0.1' }
    const accept = () => { throw new Error('a mistake in accept') }
    const receiver = await new MulticastReceiver({ ...on, port: 0, accept }).ready()
    const sender = new MulticastSender({ ...on, port: receiver.address().port })
    await sender.send('x')
  `)
  assert.deepEqual([code, stdout], [0, 'a mistake in accept 0\n'])
})

test('unheard is what came while nobody listened, iterated or requested', async () => {
  const { network, receiver, sender, say } = await pair()
  await say('nobody')
  assert.equal(receiver.stats.unheard, 1)
  const iterator = receiver[Symbol.asyncIterator]()
  await say('an iterator')
  await iterator.return?.()
  const listener = (_: unknown, remote: Remote): void => {
    receiver.reply('answer', remote)
  }
  receiver.on('message', listener)
  await say('a listener')
  assert.deepEqual([receiver.stats.received, receiver.stats.unheard], [3, 1])
  // The answer came to a sender that has asked nothing.
  assert.equal(sender.stats.unheard, 1)
  await sender.gather('?', { limit: 1 })
  assert.equal(sender.stats.unheard, 1)
  receiver.off('message', listener)
  await say('nobody again')
  assert.deepEqual([receiver.stats.unheard, receiver.stats.dropped], [2, 0])
  await network.close()
})

test('a request that is over, and a loop that was left, read nothing any more', async () => {
  const { network, receiver, sender } = await pair()
  receiver.on('message', async (_, remote) => {
    for (const reply of ['first', 'second']) await receiver.reply(reply, remote)
  })
  assert.equal((await sender.gather('x', { limit: 1 })).length, 1)
  await network.settled()
  assert.equal(sender.stats.unheard, 1)
  await sender[Symbol.asyncIterator]().return?.()
  await sender.send('y')
  await network.settled()
  assert.equal(sender.stats.unheard, 3)
  await Promise.all([receiver.close(), sender.close()])
})

test('a message that is a promise is malformed, also where it rejects', async () => {
  const unhandled: unknown[] = []
  const onUnhandled = (reason: unknown): void => {
    unhandled.push(reason)
  }
  process.on('unhandledRejection', onUnhandled)
  const thenable = (then: unknown) => Object.fromEntries([['then', then]])
  const rejecting = thenable((_: unknown, fail: (reason: unknown) => void) => fail(new Error('x')))
  const throwing = thenable(() => {
    throw new Error('it cannot even be asked')
  })
  const harmless = thenable('no function')
  const made: (() => unknown)[] = [
    () => Promise.reject(new Error('late')),
    () => Promise.resolve(1),
    () => rejecting,
    () => throwing,
    () => Object.assign(() => {}, rejecting),
    () => harmless,
  ]
  const { network, receiver, say } = await pair({
    codec: { encode: text.encode, decode: () => made.shift()?.() },
  })
  const [heard, malformed]: [unknown[], string[]] = [[], []]
  receiver.on('message', (message) => heard.push(message))
  receiver.on('malformed', ({ code, message }) => malformed.push(`${code} ${message}`))
  await say('1', '2', '3', '4', '5', '6')
  await new Promise(setImmediate)
  assert.deepEqual(heard, [harmless])
  assert.equal(malformed.length, 5)
  assert.equal(malformed.filter((one) => /returned a promise/.test(one)).length, 4)
  assert.equal(receiver.stats.malformed, 5)
  assert.deepEqual(unhandled, [])
  process.off('unhandledRejection', onUnhandled)
  await network.close()
})

/** What clears the screen, rings, turns the direction, makes a line of its own. */
const hostile = '\x1b[2J\x9b2J\x07\u202etxt.exe\u2028\r\nroot: all is well'
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const steering = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/

test("a stranger's bytes steer no terminal, whatever codec throws them", async (t) => {
  const throwing = (what: (data: string) => unknown) => ({
    encode: text.encode,
    decode(data: Buffer): never {
      throw what(data.toString())
    },
  })
  const odd = (members: object) => Object.assign(Object.create(Error.prototype), members)
  for (const [what, codec] of [
    ['json', json<string>()],
    ['an error', throwing((data) => new Error(data))],
    ['another error', throwing((data) => new RangeError(`at ${data}`))],
    ['an error without a constructor', throwing((data) => odd({ message: data }))],
    ['an error whose message is no text', throwing((data) => odd({ message: [data] }))],
    ['a string', throwing((data) => data)],
    ['an object', throwing((data) => ({ [data]: data }))],
    ['a schema', json(schemaThatQuotes())],
  ] as const) {
    const lines = told(t)
    const { network, receiver, sender } = await pair({ codec: codec as Codec<string, unknown> })
    const messages: string[] = []
    receiver.on('malformed', ({ message }) => messages.push(message))
    await sender.send(`"${hostile}`)
    await network.settled()
    assert.equal(messages.length, 1, what)
    assert.doesNotMatch(messages.join(), steering, what)
    assert.match(messages.join(), /could not decode the \d+ bytes from \S+ port \d+: ./, what)
    const [line = ''] = lines.filter((one) => one.includes('malformed'))
    assert.match(line, /malformed: ./)
    assert.doesNotMatch(line, steering, what)
    await network.close()
  }
})

function schemaThatQuotes() {
  const quote = (value: unknown) => ({ issues: [{ message: `what is ${value}?` }] })
  return { '~standard': { version: 1 as const, vendor: 'test', validate: quote } }
}

test('printed whole, what json() could not read steers no terminal either', async () => {
  const { network, receiver, sender } = await pair({ codec: json<string>() as never })
  let printed = ''
  receiver.on('malformed', (error) => {
    printed = inspect(error)
  })
  await sender.send(`"${hostile}`)
  await network.settled()
  assert.match(printed, /\[cause\]: SyntaxError/)
  assert.doesNotMatch(printed.replaceAll('\n', ' '), steering)
  await network.close()
})
