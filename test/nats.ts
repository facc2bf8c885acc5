/** The real nats-server, in the lab's own network, with all in memory, and connections of the official client. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import test, { after, afterEach } from 'node:test'
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { type Carrier, MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { type NatsCarrier, type NatsOptions, natsCarrier } from '../src/nats/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, Lab, lacking } from './lab.js'
import { closeAll, keep } from './loopback.js'
import { Output } from './output.js'

/** What it needs. */
export const natsNeeds = ['nats-server']

/** Long enough for a busy machine, and as soon as can be. */
const patience = { maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 }

/** Who gives no name may do all. */
const users = `
no_auth_user: open
authorization {
  users = [
    { user: open, password: open }
    { user: deaf, password: deaf, permissions: { publish: "multicast.host.>", subscribe: ["multicast.all.>", "multicast.host.>"] } }
  ]
}
`

/** Where all send to, unless they say otherwise. */
export const where = { group: '239.1.2.3', port: 10_000, codec: text }

/** A receiver, which is closed after the test, and what it hears. */
export function receiving(
  carrier: Carrier,
  more: object = {},
): { receiver: MulticastReceiver<string, string>; heard: Inbox } {
  const options = { ...where, ...carrier, ...more }
  const receiver = keep(new MulticastReceiver(options)) as MulticastReceiver<string, string>
  return { receiver, heard: new Inbox(receiver as never) }
}

/** A sender, which is closed after the test. */
export function sending(carrier: Carrier, more: object = {}): MulticastSender<string, string> {
  return keep(new MulticastSender({ ...where, ...carrier, ...more })) as MulticastSender<
    string,
    string
  >
}

export class NatsServer {
  readonly #host: Host
  readonly #port: number
  readonly #file: string
  #output: Output | undefined
  #child: ReturnType<Host['spawn']> | undefined
  readonly #connections: NatsConnection[] = []

  private constructor(host: Host, port: number, config: string) {
    this.#host = host
    this.#port = port
    this.#file = `/run/nats-${port}.conf`
    writeFileSync(this.#file, config)
  }

  /** Starts it with that configuration; resolves when it takes connections. */
  static async start(host: Host, port: number, config = users): Promise<NatsServer> {
    const server = new NatsServer(host, port, config)
    await server.restart()
    return server
  }

  /** Starts it, unless it runs. */
  async restart(): Promise<void> {
    if (this.#isRunning) return
    const args = ['-a', '127.0.0.1', '-p', String(this.#port), '-c', this.#file]
    const child = this.#host.spawn(['nats-server', ...args], { stdio: ['ignore', 2, 'pipe'] })
    this.#child = child
    this.#output = new Output(child, child.stderr)
    await this.logged(/Server is ready/)
  }

  /** Has it take another configuration while it runs; resolves when it has. */
  async reload(config: string): Promise<void> {
    writeFileSync(this.#file, config)
    this.#output?.lines.splice(0)
    this.#child?.kill('SIGHUP')
    await this.logged(/Reloaded server configuration/)
  }

  /** Resolves once it has logged a line like this. */
  async logged(pattern: RegExp): Promise<void> {
    await this.#output?.line(pattern)
  }

  /** Ends it at once, as a crash does. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return
    this.#child?.kill('SIGKILL')
    if (this.#child) await once(this.#child, 'exit')
  }

  get #isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  /** Has it take nothing any more, and keep all connections, until {@link resume}. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  get url(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** A connection, which is closed by {@link release}. */
  async connect(options: NodeConnectionOptions = {}): Promise<NatsConnection> {
    await this.restart()
    const connection = await connect({ servers: this.url, ...patience, ...options })
    this.#connections.push(connection)
    return connection
  }

  /** A carrier by a connection of its own. */
  async carrier(options?: NatsOptions): Promise<NatsCarrier> {
    return natsCarrier(await this.connect(), options)
  }

  /** Closes all connections. */
  async release(): Promise<void> {
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close()))
  }
}

/** Runs it with a server of its own on port 4223, which has that configuration. */
export async function serving(
  host: Host,
  config: string,
  body: (server: NatsServer) => Promise<void>,
): Promise<void> {
  const server = await NatsServer.start(host, 4223, config)
  try {
    await body(server)
  } finally {
    await closeAll()
    await server.release()
    await server.stop()
  }
}

/** A test with the file's server, which is started once and listens on port 4222. */
export function natsTest(
  name: string,
  body: (server: NatsServer, host: Host) => Promise<void>,
): void {
  const { reason, skip } = lacking(natsNeeds)
  test(name, { skip, timeout: 60_000 }, async () => {
    if (reason !== undefined) throw new Error(reason)
    lab ??= new Lab()
    const { here } = lab
    server ??= NatsServer.start(here, 4222)
    await body(await server, here)
  })
}

let lab: Lab | undefined
let server: Promise<NatsServer> | undefined

afterEach(async () => (await server)?.release())
after(() => lab?.close())
