import type { Packet } from '../stack/packet.js'

// What stands before each payload: `TM`, the version, which program has sent it, and the two ports, each number in
// network order. The addresses are in the subject.

const magic = [0x54, 0x4d] as const
const version = 1
const fromId = 3

/** The bytes that tell one program's messages from those of all others. */
export const idSize = 8

/** The bytes of a header. */
export const headerSize = fromId + idSize + 4

/** A header and its payload. */
export interface Headed extends Pick<Packet, 'sourcePort' | 'port' | 'data'> {
  readonly id: Buffer
}

/** The message as it goes to the server. */
export function withHeader({ id, sourcePort, port, data }: Headed): Buffer {
  const bytes = Buffer.allocUnsafe(headerSize + data.byteLength)
  bytes.set([...magic, version])
  bytes.set(id, fromId)
  bytes.writeUInt16BE(sourcePort, fromId + idSize)
  bytes.writeUInt16BE(port, fromId + idSize + 2)
  bytes.set(data, headerSize)
  return bytes
}

/** What a message holds; nothing if it is none of this carrier's. */
export function parseHeader(message: Uint8Array): Headed | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  if (bytes.byteLength < headerSize) return undefined
  if (bytes[0] !== magic[0] || bytes[1] !== magic[1] || bytes[2] !== version) return undefined
  return {
    id: bytes.subarray(fromId, fromId + idSize),
    sourcePort: bytes.readUInt16BE(fromId + idSize),
    port: bytes.readUInt16BE(fromId + idSize + 2),
    data: bytes.subarray(headerSize),
  }
}
