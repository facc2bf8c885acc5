/** A message that the client hands over. */
export interface NatsMessage {
  /** What it was published to. */
  readonly subject: string
  /** Its payload. */
  readonly data: Uint8Array
}

/** A subscription of the client. */
export interface NatsSubscription {
  /** Nothing more comes from then on. */
  unsubscribe(): void
}

/** What the client tells of itself: `disconnect`, `reconnecting`, `reconnect`, `error`, and more that is not used. */
export interface NatsStatus {
  /** What has happened. */
  readonly type: string
  /** What the server has refused. */
  readonly error?: unknown
}

/**
 * The members of a connection that are used. What `connect()` of `@nats-io/transport-node` resolves with has them all.
 */
export interface NatsConnection {
  /** What the server has told of itself; undefined while there is none. */
  readonly info?: { readonly max_payload: number } | undefined
  /** Which server it is, such as `127.0.0.1:4222`: for the doctor to say. */
  getServer?(): string
  /** Sends a message. Throws if the connection is closed, or the payload too large. */
  publish(subject: string, payload: Uint8Array): void
  /** Asks for messages, or tells the callback once that this is refused. Asks again after each reconnect. */
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription
  /** Resolves once the server has taken what came before. */
  flush(): Promise<void>
  /** Tells of what happens to the connection. */
  status(): AsyncIterable<NatsStatus>
  /** Resolves once it is closed for good, with the reason if there is one. */
  closed(): Promise<unknown>
  /** Whether it is. */
  isClosed(): boolean
}
