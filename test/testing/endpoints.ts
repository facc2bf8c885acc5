/** Senders and receivers of a mock network, closed after each test. */
import assert from 'node:assert/strict'
import { afterEach } from 'node:test'
import {
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type SenderOptions,
  text,
} from '../../src/index.js'
import type { MockHost } from '../../src/testing/index.js'

const where = { group: '239.1.2.3', port: 10_000, codec: text }
const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()))
})

/** Has it closed after the test. */
export function keep<Closable extends { close(): Promise<void> }>(endpoint: Closable): Closable {
  opened.push(endpoint)
  return endpoint
}

/** A receiver that listens on a host, bound to its group, and what it has heard. */
export async function listen(
  host: MockHost,
  options: Partial<ReceiverOptions> = {},
): Promise<{ receiver: MulticastReceiver<string, string>; heard: string[] }> {
  // Named, because the default is that of the system on which the test runs.
  const bindAddress = 'group'
  const receiver = keep(new MulticastReceiver({ ...where, bindAddress, ...options, ...host }))
  const heard: string[] = []
  receiver.on('message', (message) => heard.push(message))
  await receiver.ready()
  return { receiver, heard }
}

export function speak(
  host: MockHost,
  options: Partial<SenderOptions> = {},
): MulticastSender<string, string> {
  return keep(new MulticastSender({ ...where, ...options, ...host }))
}

/** Rejects with that code, because of an error of the system that has these members. */
export async function rejects(
  promise: Promise<unknown>,
  code: string,
  cause: Record<string, unknown>,
): Promise<void> {
  await assert.rejects(promise, (error: Error & { code?: string }) => {
    assert.equal(error.code, code)
    assert.deepEqual({ ...(error.cause as object), ...cause }, { ...(error.cause as object) })
    return true
  })
}
