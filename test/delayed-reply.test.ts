/** Replies that wait for a random time, which the clock's fake tells. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, mock, test } from 'node:test'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { makePeer, makeReceiver, makeSender } from './loopback.js'

afterEach(() => {
  mock.restoreAll()
  mock.timers.reset()
})

const text = (mail: { text: string }): string => mail.text

for (const [kind, make] of [
  ['receiver', makeReceiver],
  ['peer', makePeer],
] as const) {
  /** One that listens, and somebody to reply to. */
  const asked = async (options: { signal?: AbortSignal } = {}) => {
    const replier = await make(options).ready()
    const sender = await makeSender(replier.address().port).ready()
    const question = once(replier, 'message')
    await sender.send('question')
    const [, remote] = await question
    return { replier, remote, heard: new Inbox(sender as never) }
  }

  test(`a reply of a ${kind} goes out at a random time within so many milliseconds`, async () => {
    const { replier, remote, heard } = await asked()
    mock.timers.enable({ apis: ['setTimeout'] })
    const random = mock.method(Math, 'random', () => 0.5)
    const sent: string[] = []
    const reply = (message: string, within: number): Promise<unknown> =>
      replier.reply(message, remote, { within }).then(() => sent.push(message))
    const late = reply('late', 1000)
    random.mock.mockImplementation(() => 0.25)
    const early = reply('early', 1000)
    assert.equal(await replier.reply('at once', remote, { within: 0 }), 7)
    mock.timers.tick(249)
    await replier.reply('before', remote)
    assert.deepEqual(sent, [])
    mock.timers.tick(1)
    await early
    mock.timers.tick(249)
    await replier.reply('between', remote, {})
    assert.deepEqual(sent, ['early'])
    mock.timers.tick(1)
    await late
    mock.timers.reset()
    assert.deepEqual((await heard.take(5)).map(text), [
      ...['at once', 'before', 'early', 'between', 'late'],
    ])
    assert.equal(replier.stats.sent, 5)
  })

  test(`closing a ${kind} rejects at once the replies that wait for their time`, async () => {
    const { replier, remote, heard } = await asked()
    const order: string[] = []
    const waiting = [1, 2].map((at) =>
      replier.reply(`${at}`, remote, { within: 2 ** 31 - 1 }).catch(({ code }) => order.push(code)),
    )
    // Nobody handles this one: a stranger who asks must not end the process.
    replier.reply('nobody waits for it', remote, { within: 2 ** 31 - 1 })
    const accepted = replier.reply('accepted', remote)
    replier.once('close', () => order.push('close'))
    const closing = replier.close()
    await Promise.all(waiting)
    assert.deepEqual(order, ['ERR_MULTICAST_CLOSED', 'ERR_MULTICAST_CLOSED'])
    await closing
    assert.deepEqual(order.slice(2), ['close'])
    assert.equal(await accepted, 8)
    assert.equal((await heard.next()).text, 'accepted')
    await assert.rejects(replier.reply('late', remote, { within: 5 }), {
      code: 'ERR_MULTICAST_CLOSED',
    })
  })

  test(`an abort of a ${kind} rejects them with its reason`, async () => {
    const stop = new AbortController()
    const { replier, remote } = await asked({ signal: stop.signal })
    const waiting = replier.reply('x', remote, { within: 2 ** 31 - 1 })
    const reason = new Error('enough')
    stop.abort(reason)
    await assert.rejects(waiting, reason)
  })

  test(`a ${kind} looks at a reply before it waits`, async () => {
    const { replier, remote } = await asked()
    for (const within of [-1, Number.NaN, 2 ** 31, '5' as never, Number.POSITIVE_INFINITY]) {
      await assert.rejects(replier.reply('x', remote, { within }), {
        code: 'ERR_MULTICAST_OPTION',
        message: /^within must be a number of milliseconds from 0 to 2147483647, but is /,
      })
    }
    const { code } = await replier
      .reply('x', remote, { withn: 5 } as never)
      .catch((error: { code: string }) => error)
      .then((error) => error as { code: string })
    assert.equal(code, 'ERR_MULTICAST_UNKNOWN_OPTION')
    await assert.rejects(replier.reply(7 as never, remote, { within: 2 ** 31 - 1 }), {
      name: 'MulticastError',
    })
    await assert.rejects(replier.reply('x', {} as never, { within: 2 ** 31 - 1 }), {
      code: 'ERR_MULTICAST_OPTION',
    })
    await assert.rejects(replier.reply('x'.repeat(65_528), remote, { within: 2 ** 31 - 1 }), {
      code: 'ERR_MULTICAST_MESSAGE_SIZE',
    })
  })
}
