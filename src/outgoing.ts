import type { Sockets } from './binding.js'
import type { DatagramSocket } from './datagram.js'
import type { Hear } from './inbox.js'
import type { SenderSettings } from './options.js'

/** What a sender sends through, and hears the replies from. */
export class Outgoing {
  readonly #settings: SenderSettings
  readonly #sockets: Sockets
  readonly #hear: Hear
  #socket: DatagramSocket | undefined

  constructor(settings: SenderSettings, sockets: Sockets, hear: Hear) {
    this.#settings = settings
    this.#sockets = sockets
    this.#hear = hear
  }

  /** The socket, once it is open. */
  get socket(): DatagramSocket {
    return this.#socket as DatagramSocket
  }

  async open(): Promise<void> {
    const { localPort: port, localAddress: address } = this.#settings
    // Without SO_REUSEADDR, or another program could take the port that the replies come to.
    this.#socket = await this.#sockets.open({ address, port, reuseAddr: false })
    this.#hear(this.#socket, () => true)
  }
}
