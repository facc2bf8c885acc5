/** What can be read: a socket of the system. */
interface Readable {
  /** Whether anything waits to be read. */
  readonly isReadable: boolean
  /** Takes out what has waited for longest, and tells of it. Asked only where something waits. */
  read(): void
}

/** How many datagrams libuv reads of one socket before it looks at the next. */
const most = 32

/**
 * In which order the sockets of a process are read, as epoll and libuv have it. Each round of the event loop reads those
 * that can be read as it begins, one after the other: each until it is empty, with what comes meanwhile, or `most`
 * times. Those that could be read first come first, and one that was read stays ahead of others until a round begins
 * without anything in it.
 */
export class Poll {
  readonly #ask: (step: () => boolean) => void
  /** Whether the coming round is to look. */
  #isAsked = false
  /** Those that something has come for since a round began without, in the order in which it did. */
  readonly #ready = new Set<Readable>()
  /** Those that are not looked at yet, in the order in which they were bound. */
  readonly #new = new Set<Readable>()
  /** Those of the present round that are not read yet, the first maybe in part. */
  #batch: Readable[] | undefined
  /** How many datagrams of the first one have been read. */
  #read = 0

  /** @param ask Has something done in the coming round, and again in it as long as that returns true. */
  constructor(ask: (step: () => boolean) => void) {
    this.#ask = ask
  }

  /** Looks at the socket from the coming round on. */
  watch(socket: Readable): void {
    this.#new.add(socket)
    this.#look()
  }

  /** A datagram of the socket waits. */
  notice(socket: Readable): void {
    if (this.#new.has(socket)) return
    this.#ready.add(socket)
    this.#look()
  }

  #look(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.#ask(() => this.#step())
  }

  /** Reads the next datagram of the present round; whether there may be another. */
  #step(): boolean {
    this.#batch ??= this.#begin()
    while (this.#batch[0]?.isReadable === false || this.#read === most) {
      this.#batch.shift()
      this.#read = 0
    }
    const [socket] = this.#batch
    if (socket === undefined) {
      this.#batch = undefined
      // The coming round forgets those that are empty by then.
      if (this.#ready.size > 0) this.#look()
      return false
    }
    this.#read += 1
    socket.read()
    return true
  }

  /** What a round is to read that begins now. */
  #begin(): Readable[] {
    this.#isAsked = false
    for (const socket of this.#new) this.#ready.add(socket)
    this.#new.clear()
    for (const socket of this.#ready) if (!socket.isReadable) this.#ready.delete(socket)
    return [...this.#ready]
  }
}
