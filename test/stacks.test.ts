/** Holds that an error's stack shows who is told it, and not the library's insides alone. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'

const network = new MockNetwork()
after(() => network.close())
const where = { group: '239.1.2.3', port: 10_000 }
const foreign = '192.0.2.99'

const receiving = () =>
  new MulticastReceiver({ ...where, bindAddress: 'group', ...network.host() }).ready()
const unopened = () => new MulticastSender({ ...where, localAddress: foreign, ...network.host() })

async function refused(): Promise<MulticastSender> {
  const host = network.host()
  const sender = await new MulticastSender({ ...where, timeout: 5, ...host }).ready()
  host.failSends('EPERM')
  return sender
}

const calls: Record<string, () => Promise<unknown>> = {
  async send() {
    const sender = await refused()
    await sender.send('x')
  },
  async sendBeforeOpening() {
    const sender = unopened()
    await sender.send('x')
  },
  async sendTooMuch() {
    const sender = await refused()
    await sender.send(Buffer.alloc(65_508))
  },
  async sendToAFullQueue() {
    const sender = new MulticastSender({ ...where, maxQueuedBytes: 1, ...network.host() })
    await sender.send('x')
  },
  async sendAfterClosing() {
    const sender = await refused()
    await sender.close()
    await sender.send('x')
  },
  async ready() {
    const sender = unopened()
    await sender.ready()
  },
  async readyAfterClosing() {
    const sender = await refused()
    await sender.close()
    await sender.ready()
  },
  async join() {
    const receiver = await receiving()
    await receiver.join({ interface: 'nosuch0' })
  },
  async joinAndBind() {
    // Following, it waits for that address, so that it listens.
    await using receiver = new MulticastReceiver({
      ...where,
      bindAddress: foreign,
      ...network.host(),
    })
    await receiver.join()
  },
  async joinBeforeOpening() {
    const receiver = new MulticastReceiver({
      ...where,
      bindAddress: foreign,
      followInterfaces: false,
      ...network.host(),
    })
    await receiver.join()
  },
  async leave() {
    const receiver = await receiving()
    await receiver.leave({ interface: 'nosuch0' })
  },
  async reply() {
    const host = network.host()
    const receiver = new MulticastReceiver({ ...where, bindAddress: 'group', ...host })
    await receiver.ready()
    host.failSends('EPERM')
    await receiver.reply('x', { address: '10.9.9.9', port: 1 })
  },
  async replyToNobody() {
    const receiver = await receiving()
    await receiver.reply('x', { address: '0.0.0.0', port: 1 })
  },
  async replyLater() {
    const receiver = await receiving()
    const reply = receiver.reply('x', { address: '10.9.9.9', port: 1 }, { within: 60_000 })
    await Promise.resolve()
    receiver.close()
    await reply
  },
  async request() {
    const sender = await refused()
    for await (const _ of sender.request('x')) assert.fail()
  },
  async requestBeforeOpening() {
    const sender = unopened()
    for await (const _ of sender.request('x', { timeout: 5 })) assert.fail()
  },
  async gather() {
    const sender = await refused()
    await sender.gather('x')
  },
  async iterate() {
    const sender = unopened()
    for await (const _ of sender) assert.fail()
  },
}

for (const [name, call] of Object.entries(calls)) {
  test(`the stack of an error shows who called: ${name}`, async () => {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 10
    // Another function than the test's, so that no line of the runner's is taken for it.
    const rejected = call().then(
      () => assert.fail('it should have been refused'),
      (error: Error & { code: string }) => error,
    )
    const error = await rejected
    Error.stackTraceLimit = stackTraceLimit
    assert.match(error.code, /^ERR_MULTICAST_/)
    assert.match(`${error.stack}`, new RegExp(`\\n    at (async )?\\S*${name} \\(`), error.stack)
    assert.match(`${error.stack}`, /stacks\.test\.[jt]s:\d+/)
  })
}
