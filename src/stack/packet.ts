import type { Family } from './scope.js'

/** A datagram on its way. */
export interface Packet {
  readonly family: Family
  /** Without a zone. */
  readonly source: string
  readonly sourcePort: number
  /** Without a zone. */
  readonly destination: string
  readonly port: number
  /** How many networks it may still cross. */
  readonly ttl: number
  readonly data: Buffer
}
