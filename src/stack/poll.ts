import { idleTurn } from './turns.js'

/** What can be read: a socket of the system. */
interface Readable {
  /** Whether anything waits to be read. */
  readonly isReadable: boolean
  /** Takes out what has waited for longest, and tells of it; nothing where it has been closed meanwhile. */
  read(): void
}

/** How many datagrams libuv reads of one socket before it looks at the next. */
const most = 32

/**
 * In which order the sockets of a process are read, as epoll and libuv have it: the one that could be read first comes
 * first, and is read until it is empty. One that has just been bound is looked at from the coming turn on.
 */
export class Poll {
  #ready: Readable[] = []
  /** Those that are not looked at yet, in the order in which they were bound. */
  readonly #new = new Set<Readable>()
  /** How many of the first one have been read in a row. */
  #read = 0

  /** Looks at the socket from the coming turn on. */
  watch(socket: Readable): void {
    this.#new.add(socket)
    idleTurn(() => {
      this.#new.delete(socket)
      if (socket.isReadable) this.notice(socket)
    })
  }

  /** A datagram of the socket waits. */
  notice(socket: Readable): void {
    if (!this.#new.has(socket) && !this.#ready.includes(socket)) this.#ready.push(socket)
  }

  /** Reads the next datagram, in a turn of its own. */
  next(): void {
    const [first] = this.#ready
    if (first === undefined) return
    this.#read += 1
    const isLast = this.#read === most
    first.read()
    if (first.isReadable && !isLast) return
    this.#ready.shift()
    this.#read = 0
    if (first.isReadable) this.#ready.push(first)
  }
}
