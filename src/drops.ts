import { readdir, readFile, readlink } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { endianness } from 'node:os'
import { splitZone } from './address.js'
import { inetPton } from './struct/inet.js'

/**
 * The datagrams that the kernel has dropped because nobody read them in time, summed over this process's
 * sockets that are bound so. By the last column of /proc/net/udp and udp6, whose lines are told to be this
 * process's by the inodes of what it has open. Undefined where the system does not tell.
 */
export async function kernelDrops(bound: readonly AddressInfo[]): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const [inodes, udp, udp6] = await Promise.all([
      ownSockets(),
      readFile('/proc/net/udp', 'utf8'),
      readFile('/proc/net/udp6', 'utf8').catch(() => ''),
    ])
    const places = new Set(bound.map(written))
    let drops = 0
    for (const line of `${udp}\n${udp6}`.split('\n')) {
      const fields = line.trim().split(/\s+/)
      const [, place = ''] = fields
      if (places.has(place) && inodes.has(fields[9] ?? '')) drops += Number(fields[12])
    }
    return drops
  } catch {
    return undefined
  }
}

/** The inodes of the sockets that this process has open. */
export async function ownSockets(): Promise<ReadonlySet<string>> {
  const open = await readdir('/proc/self/fd')
  const links = await Promise.all(
    // One may be closed meanwhile.
    open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
}

/** An address and port as the kernel writes them: 32 bits at a time, in its own order, in hex. */
function written({ address, family, port }: AddressInfo): string {
  const bytes = Buffer.from(inetPton(family === 'IPv4' ? 4 : 6, splitZone(address)[0]))
  if (endianness() === 'LE') bytes.swap32()
  const at = port.toString(16).padStart(4, '0')
  return `${bytes.toString('hex')}:${at}`.toUpperCase()
}
