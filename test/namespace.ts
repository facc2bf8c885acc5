/**
 * Starts the test file that imports this module, or that setup.ts finds to import the lab, a second time in
 * a network and a mount namespace of its own, and takes over the result of that second run.
 */
import { spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'

/** Tells the second run which network the first one is in. */
const INSIDE = 'TYPED_MULTICAST_LAB'

/** What must work in new namespaces for the tests to run in them. */
const PROBE = [
  'mount -t tmpfs lab /run',
  'ip link set lo up',
  'ip netns add probe',
  'ip link add dev probe type veth peer name eborp netns probe',
  'setpriv --pdeathsig KILL nsenter --net=/run/netns/probe stdbuf -oL true',
].join(' && ')

// Where Debian keeps ip and smcrouted, which is not in every user's path.
process.env.PATH += ':/usr/sbin:/sbin'

/** Why there is no lab here, if there is none. */
export const unavailable = inside() ? undefined : enter()

/** Whether this is the second run: it has been told the first one's network, and has another. */
function inside(): boolean {
  const outside = process.env[INSIDE] ?? ''
  return outside.startsWith('net:') && outside !== network()
}

function network(): string {
  return readlinkSync('/proc/self/ns/net')
}

/** Runs this test file again inside of new namespaces, or tells why that cannot be. */
function enter(): string {
  if (process.platform !== 'linux') return "needs Linux's network namespaces"
  let reason = ''
  // A plain user is root of a user namespace; so is a root whom a container has taken the right.
  const tries = process.getuid?.() === 0 ? [[], ['-r']] : [['-r']]
  for (const asRoot of tries) {
    const flags = [...asRoot, '-n', '-m']
    const probe = spawnSync('unshare', [...flags, 'sh', '-c', PROBE], { encoding: 'utf8' })
    if (probe.status === 0) {
      const again = [process.execPath, ...process.execArgv, `${process.argv[1]}`]
      const { status } = spawnSync('unshare', [...flags, ...mortal(again)], {
        stdio: 'inherit',
        env: { ...process.env, [INSIDE]: network() },
      })
      process.exit(status ?? 1)
    }
    reason = probe.error?.message ?? probe.stderr.trim()
  }
  return `needs a network namespace (unshare and iproute2): ${reason}`
}

/** A command that dies with the process that started it. */
export function mortal(command: string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', ...command]
}
