/** What several sockets of one program do, where it counts in which order they are told of it. */
import { stat } from 'node:fs'
import { type CreateSocket, type DatagramSocket, lookup } from '../../datagram.js'

/** Where and how a sequence of deeds begins. */
export interface Sequence {
  /** The family of its sockets. */
  readonly type: 'udp4' | 'udp6'
  /** An address that the host has. */
  readonly address: string
  /** An address that it does not have. */
  readonly nowhere: string
  /** The first of four free ports. */
  readonly port: number
  /** Whether the sockets have a lookup that answers at once. */
  readonly hasLookup: boolean
  /**
   * Whether it begins in a task, as a timer's is, in a promise's job, as a module does, or with news of something else,
   * as of a file, which come with those of sockets.
   */
  readonly start: 'task' | 'job' | 'news'
}

/** What is done in a sequence, and tells of itself whatever is told of it. */
export type Deed =
  /** Runs something by each of these. */
  | 'tick'
  | 'promise'
  | 'immediate'
  /** Binds the socket `late` to the first port; `early` and `earlier` have the next two, and were bound before. */
  | 'bind'
  /** Binds one where it cannot be bound. */
  | 'misbind'
  /** Sends to these three from a socket that is not bound, twice. */
  | 'queue'
  /** Sends to these three from one that is bound. */
  | 'send'
  /** Closes a socket that is bound. */
  | 'close'
  /** Binds one and closes it. */
  | 'drop'

/** What the socket `early` does when it hears for the first time. */
export type Reading =
  /** Sends to itself. */
  | 'itself'
  /** Sends to `earlier`, which has something to be read too. */
  | 'another'
  /** Sends to `earlier`, which has nothing to be read. */
  | 'answer'
  /** Has an immediate send to `earlier`, and then to itself. */
  | 'later'
  /** Sends to `earlier`, and has had 33 datagrams. */
  | 'most'
  /** Has had 100 datagrams, of which those are told that were read before an immediate. */
  | 'burst'

type Tell = (what: string) => void

/** The scenes by name, for sockets of that carrier. */
export const scenes: Record<string, (createSocket: CreateSocket, ...args: never[]) => unknown> = {
  async sequence(
    createSocket: CreateSocket,
    how: Sequence,
    deeds: readonly Deed[],
  ): Promise<string[]> {
    const told: string[] = []
    const tell: Tell = (what) => told.push(what)
    const stage = new SequenceStage(createSocket, how, tell)
    await stage.ready()
    await new Promise<void>((resolve) => {
      const run = (): void => {
        for (const deed of deeds) stage.play(deed)
        tell('returned')
        resolve()
      }
      if (how.start === 'task') setImmediate(run)
      else if (how.start === 'job') setImmediate(() => void Promise.resolve().then(run))
      else stat('.', run)
    })
    await stage.end()
    return told
  },

  /** Sends so many to each of three sockets in one task; who then heard each, in order. */
  async flood(createSocket: CreateSocket, how: Sequence, count: number): Promise<string[]> {
    const told: string[] = []
    const stage = new SequenceStage(createSocket, how, (what) => {
      const [name = '', verb] = what.split(' ')
      if (verb === 'heard') told.push(name)
    })
    await stage.ready()
    stage.play('bind')
    for (let sent = 0; sent < count; sent += 1) stage.play('send')
    await stage.end()
    return told
  },

  /** What is told while sockets are read, where the listener of one does something. */
  async reading(createSocket: CreateSocket, how: Sequence, what: Reading): Promise<string[]> {
    const told: string[] = []
    const stage = new SequenceStage(createSocket, how, (what) => told.push(what))
    await stage.ready()
    await new Promise<void>((resolve) => setImmediate(() => stage.read(what, resolve)))
    await stage.end()
    return told
  },

  /**
   * Sends to a group through an interface of that handle, on which so many sockets of one port have joined it; which of
   * them heard it, in order, as they are counted from the first that was bound.
   */
  async crowd(
    createSocket: CreateSocket,
    how: Sequence,
    group: string,
    handle: string,
    count: number,
  ): Promise<number[]> {
    const stage = new SequenceStage(createSocket, how, () => {})
    await stage.ready()
    const told = await stage.crowd(group, handle, count)
    await stage.end()
    return told
  },
}

/** The sockets of a sequence. */
class SequenceStage {
  readonly #createSocket: CreateSocket
  readonly #how: Sequence
  readonly #tell: Tell
  readonly #open: DatagramSocket[] = []
  readonly #earlier: DatagramSocket
  readonly #early: DatagramSocket
  readonly #sending: DatagramSocket
  readonly #closing: DatagramSocket

  constructor(createSocket: CreateSocket, how: Sequence, tell: Tell) {
    this.#createSocket = createSocket
    this.#how = how
    this.#tell = tell
    this.#earlier = this.#socket()
    this.#early = this.#socket()
    this.#sending = this.#socket()
    this.#closing = this.#socket()
  }

  /** Has the sockets bound that are so from the start. */
  async ready(): Promise<void> {
    const { address, port } = this.#how
    await bound(this.#earlier, port + 2, address)
    await bound(this.#early, port + 1, address)
    await bound(this.#sending, 0, address)
    await bound(this.#closing, 0, address)
    this.#hear('earlier', this.#earlier)
    this.#hear('early', this.#early)
    // Until the loop has come to look at them.
    await rounds(2)
  }

  play(deed: Deed): void {
    const { address, nowhere, port } = this.#how
    const tell = this.#tell
    if (deed === 'tick') process.nextTick(tell, 'tick')
    else if (deed === 'promise') void Promise.resolve('promise').then(tell)
    else if (deed === 'immediate') setImmediate(tell, 'immediate')
    else if (deed === 'bind') {
      const socket = this.#socket()
      this.#hear('late', socket)
      socket.once('listening', () => tell('listening'))
      bind(socket, port, address, () => tell('bound'))
      socket.once('listening', () => tell('listening, asked after bind()'))
    } else if (deed === 'misbind') {
      const socket = this.#socket()
      socket.on('error', (error) => tell((error as NodeJS.ErrnoException).code ?? error.message))
      bind(socket, port, nowhere, () => tell('bound nowhere'))
    } else if (deed === 'queue') {
      const socket = this.#socket()
      socket.once('listening', () => tell('sender listening'))
      for (const text of ['queued', 'queued again']) this.#send(socket, text)
    } else if (deed === 'send') this.#send(this.#sending, 'sent')
    else if (deed === 'close') this.#close('closed', this.#closing)
    else {
      const socket = this.#socket()
      socket.once('listening', () => tell('dropped one listening'))
      bind(socket, 0, address, () => tell('dropped one bound'))
      this.#close('dropped', socket)
    }
  }

  /** Has `early` hear, and do what it does then; calls `done` after the immediates of that. */
  read(what: Reading, done: () => void): void {
    const count = { itself: 1, another: 1, answer: 1, later: 1, most: 33, burst: 100 }[what]
    let heard = 0
    this.#early.on('message', () => {
      heard += 1
      if (heard > 1) return
      if (what === 'itself') this.#sendTo(this.#early, 'again')
      else if (what !== 'later' && what !== 'burst') this.#sendTo(this.#earlier, 'more')
      const look = (): void => {
        this.#tell(`immediate after ${heard}`)
        if (what === 'later') {
          this.#sendTo(this.#earlier, 'more')
          this.#sendTo(this.#early, 'again')
        }
        if (heard < count) setImmediate(look)
        else setImmediate(done)
      }
      setImmediate(look)
    })
    for (let sent = 0; sent < count; sent += 1) this.#sendTo(this.#early, `${sent}`)
    if (what === 'another') this.#sendTo(this.#earlier, '0')
  }

  #sendTo(socket: DatagramSocket, text: string): void {
    const { address, port } = this.#how
    const to = port + (socket === this.#early ? 1 : 2)
    this.#sending.send(Buffer.from(text), to, address, () => {})
  }

  /** Has so many sockets of one port join a group, and sends to it; who heard it, in order. */
  async crowd(group: string, handle: string, count: number): Promise<number[]> {
    const { port } = this.#how
    const told: number[] = []
    const all = Array.from({ length: count }, (_, at) => ({ at, socket: this.#socket(true) }))
    for (const { socket } of all) {
      await bound(socket, port, undefined)
      socket.addMembership(group, handle)
    }
    await rounds(2)
    this.#sending.setMulticastInterface(handle)
    await new Promise<void>((resolve) => {
      for (const { at, socket } of all) {
        socket.on('message', () => {
          if (told.push(at) === count) resolve()
        })
      }
      this.#sending.send(Buffer.from('to all'), port, group, () => {})
    })
    return told
  }

  /** When all has been told that is to come, closes what is open. */
  async end(): Promise<void> {
    const { port, address } = this.#how
    const last = this.#socket()
    await bound(last, 0, address)
    await new Promise<void>((resolve) => {
      this.#early.on('message', (data) => {
        if (`${data}` === 'end') resolve()
      })
      last.send(Buffer.from('end'), port + 1, address, () => {})
    })
    await rounds(3)
    await Promise.all(
      this.#open.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once('close', resolve)
            try {
              socket.close()
            } catch {
              resolve()
            }
          }),
      ),
    )
  }

  #socket(reuseAddr = false): DatagramSocket {
    const { type, hasLookup } = this.#how
    const options = { type, reuseAddr, ipv6Only: type === 'udp6', lookup }
    const { lookup: _, ...bare } = options
    const socket = this.#createSocket((hasLookup ? options : bare) as typeof options)
    this.#open.push(socket)
    return socket
  }

  #hear(name: string, socket: DatagramSocket): void {
    socket.on('message', (data) => {
      if (`${data}` !== 'end') this.#tell(`${name} heard ${data}`)
    })
  }

  #send(socket: DatagramSocket, text: string): void {
    const { address, port } = this.#how
    for (const [name, to] of [
      ['late', port],
      ['early', port + 1],
      ['earlier', port + 2],
    ] as const) {
      socket.send(Buffer.from(text), to, address, () => this.#tell(`${text} to ${name}`))
    }
  }

  #close(what: string, socket: DatagramSocket): void {
    socket.once('close', () => this.#tell(what))
    const close: (callback: () => void) => void = Reflect.get(socket, 'close')
    close.call(socket, () => this.#tell(`${what}, as called back`))
  }
}

/** Resolves when the loop has come round so many times. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1)
    await new Promise((resolve) => setImmediate(resolve))
}

/** With a callback, which the library itself has no use for. */
function bind(
  socket: DatagramSocket,
  port: number,
  address: string | undefined,
  callback: () => void,
): void {
  const bind: (...args: unknown[]) => void = Reflect.get(socket as object, 'bind')
  bind.call(socket, port, address, callback)
}

function bound(socket: DatagramSocket, port: number, address: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    bind(socket, port, address, resolve)
  })
}
