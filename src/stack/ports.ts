import type { InetSocket } from './inet-socket.js'
import type { Claimed, Wire } from './wire.js'

/** What is known of the host's sockets. */
interface Sockets {
  /** Whether the socket has not been closed. */
  isOpen(socket: InetSocket): boolean
  /** Whether one is bound to the port, or is to be. */
  isTaken(port: number): boolean
}

/** A port that the host has of its wire, or asks for. */
interface Claim {
  users: number
  isAnswered: boolean
  /** Who is to be told whether the host has it. */
  readonly waiting: ((claimed: Claimed) => void)[]
}

/** The ports of a host's sockets, which may share them. The wire gives them, or else they are counted up. */
export class Ports {
  readonly #wire: Wire
  readonly #range: { readonly first: number; readonly last: number }
  readonly #sockets: Sockets
  #next: number
  /** By family and number. */
  readonly #claims = new Map<string, Claim>()
  /** The port that each socket has a share in. */
  readonly #shares = new Map<InetSocket, { readonly port: number; readonly claim: Claim }>()

  constructor(
    wire: Wire,
    range: { readonly first: number; readonly last: number },
    sockets: Sockets,
  ) {
    this.#wire = wire
    this.#range = range
    this.#sockets = sockets
    this.#next = range.first
  }

  /** Gives the socket a share in a port, or answers with the name of an error. 0 is a free one. */
  claim(socket: InetSocket, wanted: number, answer: (claimed: Claimed) => void): void {
    const { family } = socket
    const wire = this.#wire
    if (wire.claim === undefined) {
      const port = wanted || this.#freePort()
      answer(port === undefined ? { code: 'EADDRINUSE' } : { port })
      return
    }
    const before = this.#claims.get(`${family} ${wanted}`)
    const claim: Claim = before ?? { users: 0, isAnswered: false, waiting: [] }
    claim.users += 1
    const share = (claimed: Claimed): void => {
      const hasClosed = !this.#sockets.isOpen(socket)
      if ('port' in claimed) {
        // It may have asked for one twice before it had any.
        this.release(socket)
        this.#shares.set(socket, { port: claimed.port, claim })
      }
      // Nobody waits for it any more.
      if (hasClosed) this.release(socket)
      else answer(claimed)
    }
    if (claim.isAnswered) share({ port: wanted })
    else claim.waiting.push(share)
    if (before !== undefined) return
    if (wanted !== 0) this.#claims.set(`${family} ${wanted}`, claim)
    const answered = (claimed: Claimed): void => {
      if ('code' in claimed) this.#claims.delete(`${family} ${wanted}`)
      else this.#claims.set(`${family} ${claimed.port}`, claim)
      claim.isAnswered = true
      for (const tell of claim.waiting.splice(0)) tell(claimed)
    }
    try {
      wire.claim(family, wanted, answered)
    } catch (error) {
      // No answer comes any more, unless it is a listener of the socket's that threw.
      if (!claim.isAnswered) this.#claims.delete(`${family} ${wanted}`)
      throw error
    }
  }

  /** Takes back the socket's share in its port. */
  release(socket: InetSocket): void {
    const share = this.#shares.get(socket)
    if (share === undefined) return
    const { port, claim } = share
    this.#shares.delete(socket)
    claim.users -= 1
    if (claim.users > 0) return
    this.#claims.delete(`${socket.family} ${port}`)
    this.#wire.release?.(socket.family, port)
  }

  /** One that no socket has, counted up so that each run has the same; none where all are taken. */
  #freePort(): number | undefined {
    const { first, last } = this.#range
    for (let tried = first; tried <= last; tried += 1) {
      const port = this.#next
      this.#next = port === last ? first : port + 1
      if (!this.#sockets.isTaken(port)) return port
    }
    return undefined
  }
}
