import { execFileSync, spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'

/** Tells the second run which network the first one is in. */
const variable = 'TYPED_MULTICAST_BENCH'

// Where Debian keeps ip, which is not in every user's path.
process.env.PATH += ':/usr/sbin:/sbin'

const network = (): string => readlinkSync('/proc/self/ns/net')

/** Whether this is the second run: it has been told the first one's network, and has another. */
export function isInside(): boolean {
  const outside = process.env[variable] ?? ''
  return outside.startsWith('net:') && outside !== network()
}

/** Runs this program again in a network namespace of its own, which vanishes with it, and ends. */
export function enter(): never {
  const flags = process.getuid?.() === 0 ? ['-n'] : ['-r', '-n']
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const mortal = ['setpriv', '--pdeathsig', 'KILL', ...again]
  const { error, status } = spawnSync('unshare', [...flags, ...mortal], {
    stdio: 'inherit',
    env: { ...process.env, [variable]: network() },
  })
  if (error) console.error(`This needs Linux, unshare and iproute2: ${error.message}`)
  process.exit(status ?? 1)
}

/** Makes so many interfaces, whose other ends are here too and hear nothing; their addresses. */
export function makeInterfaces(count: number): string[] {
  const ip = (line: string) => execFileSync('ip', line.split(' '), { stdio: ['ignore', 2, 2] })
  ip('link set lo up')
  return Array.from({ length: count }, (_, index) => {
    const address = `10.71.${index}.1`
    ip(`link add near${index} type veth peer name far${index}`)
    ip(`address add ${address}/24 dev near${index}`)
    for (const end of ['near', 'far']) ip(`link set ${end}${index} up`)
    return address
  })
}
