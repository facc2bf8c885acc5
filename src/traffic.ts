import type { RemoteInfo } from 'node:dgram'

/** A message together with where it came from. */
export interface Received<Message> {
  readonly message: Message
  /** node:dgram's: address, family, port and size in bytes. */
  readonly remote: RemoteInfo
}

/** What a sender or a receiver has counted since it was made. */
export interface MulticastStats {
  /** Datagrams that the kernel has taken. */
  readonly sent: number
  /** Datagrams that came in, the malformed ones included. */
  readonly received: number
  /** The bytes of `sent`, without headers. */
  readonly bytesSent: number
  /** The bytes of `received`, without headers. */
  readonly bytesReceived: number
  /** Datagrams that the codec could not decode. */
  readonly malformed: number
  /**
   * Datagrams that came although no membership asks for them (they are not in `received`), and
   * messages that an async iterator dropped because its loop was slow.
   */
  readonly dropped: number
}
