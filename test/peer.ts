/** Senders and receivers in another process, which may be on another host of the lab. */
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ReceiverOptions, RequestOptions, SenderOptions } from '../src/index.js'
import type { News, Order } from './peer-program.js'

type Command = Order extends infer O
  ? O extends Order
    ? Omit<O, 'id' | 'endpoint'>
    : never
  : never
type Tell = (command: Command) => Promise<unknown>

/** Another process, running `Peer.program`, with an IPC channel of advanced serialization. */
export class Peer {
  static readonly program = fileURLToPath(new URL('peer-program.ts', import.meta.url))

  readonly #child: ChildProcess
  readonly #pending = new Map<number, (news: News) => void>()
  readonly #endpoints: EventEmitter[] = []
  #orders = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (news: News) => {
      if ('event' in news) this.#endpoints[news.endpoint]?.emit(news.event, ...news.args)
      else this.#pending.get(news.id)?.(news)
    })
    child.on('exit', (code, signal) => {
      const failed = { code: undefined, message: `the peer has exited: ${code ?? signal}` }
      for (const [id, settle] of this.#pending) settle({ id, failed })
    })
  }

  /** Resolves once the process takes orders. */
  static async started(child: ChildProcess): Promise<Peer> {
    await once(child, 'message')
    return new Peer(child)
  }

  /** A sender there, once it is ready. */
  async sender(options: SenderOptions): Promise<FarSender> {
    const sender = new FarSender(this.#tell(this.#endpoints.length))
    this.#endpoints.push(sender)
    await sender.tell({ make: 'sender', options })
    return sender
  }

  /** A receiver there, once it is ready; it replies to each message with `answer` and the message. */
  async receiver(options: ReceiverOptions, answer?: string): Promise<Far> {
    const receiver = new Far(this.#tell(this.#endpoints.length))
    this.#endpoints.push(receiver)
    await receiver.tell({ make: 'receiver', options, answer })
    return receiver
  }

  #tell(endpoint: number): Tell {
    return (command) => {
      this.#orders += 1
      const id = this.#orders
      return new Promise((resolve, reject) => {
        this.#pending.set(id, (news) => {
          this.#pending.delete(id)
          if ('value' in news) resolve(news.value)
          if (!('failed' in news)) return
          reject(Object.assign(new Error(news.failed.message), { code: news.failed.code }))
        })
        this.#child.send({ id, endpoint, ...command })
      })
    }
  }
}

/** A receiver elsewhere; its `message` events come along. */
class Far extends EventEmitter {
  /** @internal */
  readonly tell: Tell

  constructor(tell: Tell) {
    super()
    this.tell = tell
  }
}

/** What a test needs of a `MulticastSender` elsewhere; `message` events come along. */
class FarSender extends Far {
  async send(message: string | Uint8Array): Promise<number> {
    return (await this.tell({ call: 'send', args: [message] })) as number
  }

  /** The texts of the replies. */
  async request(message: string, options: RequestOptions): Promise<string[]> {
    return (await this.tell({ request: message, options })) as string[]
  }
}
