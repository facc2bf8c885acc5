import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { getEventListeners, once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import test from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { isCI } from './tree.js'

const group = '239.1.2.3'
// Nothing leaves the machine.
const loopback = '127.0.0.1'
const linux = process.platform === 'linux'
const skip = !linux && !isCI && 'counts file descriptors in /proc'

function receiverOn(port: number, signal: AbortSignal): MulticastReceiver {
  return new MulticastReceiver({ group, port, interfaces: [loopback], signal, timeout: 60_000 })
}

function senderTo(port: number, signal: AbortSignal): MulticastSender {
  return new MulticastSender({ group, port, interfaces: loopback, signal, timeout: 60_000 })
}

/** Ways through a life; what each has used must be gone when it resolves. */
const lives: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
  async 'working when closed'(signal) {
    const receiver = await receiverOn(0, signal).ready()
    const sender = senderTo(receiver.address().port, signal)
    receiver.on('message', (message, remote) => {
      receiver.reply(message, remote)
    })
    for await (const { message } of sender.request('a request that is left early')) {
      assert.equal(message.toString(), 'a request that is left early')
      break
    }
    await sender.send('never read')
    for await (const { message } of sender) {
      assert.equal(message.toString(), 'never read')
      break
    }
    await Promise.all([sender.close(), receiver.close()])
  },

  async 'opening when closed'(signal) {
    const sender = senderTo(10000, signal)
    const send = sender.send('too late').catch(() => {})
    await Promise.all([receiverOn(0, signal).close(), sender.close(), send])
  },

  async 'listening when aborted'() {
    const { signal, ...controller } = abortable()
    const endpoints = await Promise.all([
      receiverOn(0, signal).ready(),
      senderTo(10000, signal).ready(),
    ])
    const closed = Promise.all(endpoints.map((endpoint) => once(endpoint, 'close')))
    controller.abort()
    await closed
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  },

  async 'refused their port'(signal) {
    const taken = createSocket('udp4').bind(0, loopback)
    await once(taken, 'listening')
    const { port } = taken.address()
    const sender = new MulticastSender({
      group,
      port,
      interfaces: loopback,
      localAddress: loopback,
      localPort: port,
      signal,
    })
    await assert.rejects(sender.ready(), { code: 'ERR_MULTICAST_PORT_IN_USE' })
    await sender.close()
    taken.close()
    await once(taken, 'close')
  },
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

/** The sockets among the file descriptors: others come and go with the loader. */
function openSockets(): number {
  const sockets = readdirSync('/proc/self/fd').filter((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`).startsWith('socket:')
    } catch {
      // The one that the directory itself was read through.
      return false
    }
  })
  return sockets.length
}

/** What would be left over by a leak. */
async function census(signal: AbortSignal): Promise<unknown> {
  // The event loop takes closed handles off its list at the end of a turn.
  for (let turn = 0; turn < 2; turn += 1) await setImmediate()
  const active = process.getActiveResourcesInfo()
  return {
    files: openSockets(),
    handles: active.filter((resource) => resource === 'UDPWrap').length,
    timers: active.filter((resource) => resource === 'Timeout').length,
    onSignal: getEventListeners(signal, 'abort').length,
    onProcess: process.eventNames().map((event) => [event, process.listenerCount(event)]),
  }
}

for (const [life, live] of Object.entries(lives)) {
  test(`nothing is left of 1,000 that were ${life}`, { skip, timeout: 60_000 }, async () => {
    const { signal } = new AbortController()
    await live(signal)
    const before = await census(signal)

    for (let turn = 0; turn < 1000; turn += 1) await live(signal)

    assert.deepEqual(await census(signal), before)
  })
}
