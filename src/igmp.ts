import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'
import type { Group } from './address.js'
import type { CreateSocket } from './datagram.js'
import { inetNtop } from './struct/inet.js'

/** An interface on which the host has joined a group, whichever of its sockets did. */
export interface Counted {
  readonly name: string
  /** The system's number of the interface, which a new one of the same name does not have. */
  readonly index: number
  /** How many sockets have joined. */
  readonly users: number
}

/**
 * Where the host has joined a group, by /proc/net/igmp and igmp6. Undefined where that does not tell: on
 * other systems than Linux, and over other sockets than node:dgram's.
 */
export function joinedOn(group: Group, by: CreateSocket): readonly Counted[] | undefined {
  if (process.platform !== 'linux' || by !== createSocket) return undefined
  try {
    return group.family === 'IPv4' ? joinedOverIPv4(group) : joinedOverIPv6(group)
  } catch {
    return undefined
  }
}

function joinedOverIPv4({ address }: Group): Counted[] {
  const counted: Counted[] = []
  let device = { name: '', index: 0 }
  for (const line of lines('igmp')) {
    // The groups of an interface stand behind it, indented, each as the kernel's integer in hex.
    const [, index, name] = /^(\d+)\t([^\s:]+)/.exec(line) ?? []
    if (index !== undefined && name !== undefined) device = { name, index: Number(index) }
    const [, hex = '', users] = /^\s+([0-9A-F]{8})\s+(\d+)/.exec(line) ?? []
    if (users === undefined) continue
    const bytes = Buffer.from(hex, 'hex')
    if (endianness() === 'LE') bytes.reverse()
    if (inetNtop(4, bytes) === address) counted.push({ ...device, users: Number(users) })
  }
  return counted
}

function joinedOverIPv6({ address }: Group): Counted[] {
  return lines('igmp6').flatMap((line) => {
    const [, index, name = '', hex = '', users] =
      /^(\d+)\s+(\S+)\s+(\w{32})\s+(\d+)/.exec(line) ?? []
    if (hex === '' || inetNtop(6, Buffer.from(hex, 'hex')) !== address) return []
    return { name, index: Number(index), users: Number(users) }
  })
}

const lines = (file: string): string[] =>
  readFileSync(`/proc/net/${file}`, 'utf8').split('\n').filter(Boolean)
