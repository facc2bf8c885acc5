/**
 * The program behind a `Peer`: owns senders and receivers in a process of its own, does with them
 * what it is told over IPC, and tells what they hear.
 */
import {
  MulticastReceiver,
  MulticastSender,
  type ReceiverOptions,
  type RequestOptions,
  type SenderOptions,
} from '../src/index.js'

/** What a peer is told to do. Options with functions in them cannot travel. */
export type Order = { id: number; endpoint: number } & (
  | { make: 'sender'; options: SenderOptions }
  | { make: 'receiver'; options: ReceiverOptions; answer: string | undefined }
  | { request: string; options: RequestOptions }
  | { call: string; args: unknown[] }
)

/** The answer to an order, or an event. */
export type News =
  | { id: number; value: unknown }
  | { id: number; failed: { code: unknown; message: string } }
  | { endpoint: number; event: string; args: unknown[] }

const endpoints = new Map<number, MulticastSender | MulticastReceiver>()

function tell(news: News | 'started'): void {
  if (process.connected) process.send?.(news)
}

async function obey(order: Order): Promise<unknown> {
  if ('make' in order) return make(order)
  const endpoint = endpoints.get(order.endpoint)
  if (endpoint === undefined) throw new Error(`there is no endpoint ${order.endpoint}`)
  if ('call' in order) {
    const method: (...args: unknown[]) => unknown = Reflect.get(endpoint, order.call)
    return await method.apply(endpoint, order.args)
  }
  const replies: string[] = []
  const sender = endpoint as MulticastSender
  for await (const { message } of sender.request(order.request, order.options)) {
    replies.push(message.toString())
  }
  return replies
}

async function make(order: Extract<Order, { make: unknown }>): Promise<void> {
  const endpoint =
    order.make === 'sender'
      ? new MulticastSender(order.options)
      : new MulticastReceiver(order.options)
  endpoints.set(order.endpoint, endpoint)
  if (order.make === 'receiver' && order.answer !== undefined) {
    const { answer } = order
    const receiver = endpoint as MulticastReceiver
    receiver.on('message', (message, remote) => void receiver.reply(`${answer}${message}`, remote))
  }
  endpoint.on('message', (...args) => tell({ endpoint: order.endpoint, event: 'message', args }))
  await endpoint.ready()
}

process.on('message', (order: Order) => {
  obey(order).then(
    (value) => tell({ id: order.id, value }),
    ({ code, message }) => tell({ id: order.id, failed: { code, message } }),
  )
})
process.on('disconnect', () => process.exit())
tell('started')
