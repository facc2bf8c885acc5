// What a message begins with, and what the receiving programs answer to it.

/** Messages that are on their way at once: no buffer overflows. */
export const window = 64
/** Of so many sent one after the other the last is acknowledged. */
export const batch = 16

/** The bytes of a message. */
const size = 64

/** The message of that number. */
export function messageOf(number: number, isAcknowledged: boolean): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt32BE(number)
  bytes.writeUInt8(Number(isAcknowledged), 4)
  return bytes
}

export function numberOf(message: Buffer): number {
  return message.readUInt32BE()
}

export function isAcknowledged(message: Buffer): boolean {
  return message.readUInt8(4) === 1
}

/** A program tells that all its receivers have heard a message. */
export interface Acknowledgement {
  readonly number: number
  /** When the last of them had heard it, by the clock that all processes of a machine share, in ns. */
  readonly at: bigint
  /** How often a receiver of that program has heard another message than the next. */
  readonly gaps: number
}

export function written({ number, at, gaps }: Acknowledgement): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(number)
  bytes.writeUInt32BE(gaps, 4)
  bytes.writeBigUInt64BE(at, 8)
  return bytes
}

export function read(bytes: Buffer): Acknowledgement {
  return {
    number: bytes.readUInt32BE(),
    gaps: bytes.readUInt32BE(4),
    at: bytes.readBigUInt64BE(8),
  }
}
