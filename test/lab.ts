/**
 * Real networks for the tests: hosts are network namespaces, cables are veth pairs.
 *
 * A test file that imports this module is started a second time, in namespaces of its own (see
 * namespace.ts). So nothing a test sends can leave the machine, and everything it builds vanishes with its
 * process, even a killed one. Where that is not possible, `scenario` skips with the reason; under CI=true
 * it fails instead.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, type SpawnOptions, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after, type TestContext } from 'node:test'
import type { Peer } from '../src/testing/conformance/peer.js'
import type { UnicastOptions } from '../src/unicast/index.js'
import { Machine } from './machine.js'
import { unavailable } from './namespace.js'
import { peerOptions, peerProgram, startedPeer } from './peer.js'
import { isCI, root } from './tree.js'
import { BOUND, until } from './until.js'

if (unavailable === undefined) {
  // Names of namespaces and smcroute's files live in /run: these are the lab's own.
  run('mount', '-t', 'tmpfs', 'lab', '/run')
  Machine.own()
  after(() => Machine.end())
}

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Whether a command, or a file of the kernel's, is not there. */
function lacks(need: string): boolean {
  if (need.startsWith('/')) return !existsSync(need)
  return spawnSync('sh', ['-c', `command -v ${need}`]).status !== 0
}

/** A program in a host, whose standard output is lines of JSON. */
export class Program<Line> {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterableIterator<Line>

  constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = lines(child)
  }

  /** The next line, or a failure if the program ends before. */
  async next(): Promise<Line> {
    const { value, done } = await this.#lines.next()
    assert.ok(!done, 'the program has ended')
    return value
  }

  /** All the lines that are left, once the program has ended well. */
  async rest(): Promise<Line[]> {
    const rest: Line[] = []
    for await (const line of this.#lines) rest.push(line)
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    assert.equal(this.#child.exitCode, 0)
    return rest
  }
}

async function* lines(child: ChildProcess): AsyncIterableIterator<never> {
  assert.ok(child.stdout)
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk
    const complete = text.split('\n')
    text = complete.pop() ?? ''
    for (const line of complete) yield JSON.parse(line) as never
  }
}

/** A host of one scenario. */
export class Host {
  readonly #machine: Machine
  readonly #defer: (cleanup: () => unknown) => void

  constructor(defer: (cleanup: () => unknown) => void, machine: Machine) {
    this.#defer = defer
    this.#machine = machine
    defer(() => machine.release())
  }

  /** Where `ip link` can put a device so that it is this host's. */
  get netns(): string {
    const { name } = this.#machine
    return name === undefined ? '' : ` netns ${name}`
  }

  /**
   * What this host's `ip` prints, one line for each thing. Commands run up to the first that fails. An interface
   * that one takes up is listed as running after it, if the other end of its cable is up by then.
   */
  ip(...commands: string[]): string {
    return commands.map((command) => this.#run(command)).join('')
  }

  /** The groups that an interface has joined. A process of its own: an `ip` tells them of one only. */
  groups(device: string): string {
    return run(...this.#machine.within(['ip', 'maddr', 'show', 'dev', device]))
  }

  /** Sets what `/proc/sys/net` holds for this host. */
  sysctl(...settings: `${string}=${string}`[]): void {
    this.#machine.spoil()
    const commands = settings.map((setting) => {
      const [name, value] = setting.split('=')
      return `echo ${value} > /proc/sys/net/${name}`
    })
    run(...this.#machine.within(['sh', '-c', commands.join(' && ')]))
  }

  /** Whether the kernel has found the cable of this interface plugged in at both ends. */
  up(device: string): boolean {
    return this.ip(`link show dev ${device}`).includes('state UP')
  }

  #run(command: string): string {
    const said = this.#machine.ip.run(command)
    const raised = /^link set (?:dev )?(\S+) up$/.exec(command)?.[1]
    if (raised === undefined) return said
    // The kernel may take a second to list it as running, unless it is asked for this one alone.
    const isPending = () => /LOWER_UP.* state \S*DOWN/.test(this.ip(`link show dev ${raised}`))
    for (const end = Date.now() + BOUND; isPending(); )
      assert.ok(Date.now() < end, `not within ${BOUND} ms: ${raised} is running`)
    return said
  }

  /** Deletes an interface, and so its cable, unless it is gone already. */
  unplug(device: string): void {
    if (this.ip('link show').includes(` ${device}@`)) this.ip(`link del dev ${device}`)
  }

  spawn(command: string[], options: SpawnOptions): ChildProcess {
    this.#machine.spoil()
    const child = this.#machine.spawn(command, options)
    this.#defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    return child
  }

  /** One of the programs of test/python. */
  python<Line>(program: string, ...args: (string | number)[]): Program<Line> {
    const path = join(root, `test/python/${program}.py`)
    const command = ['python3', path, ...args.map(String)]
    return new Program(this.spawn(command, { stdio: ['ignore', 'pipe', 2] }))
  }

  /**
   * Another process on this host, with senders and receivers of its own: over the system's sockets, or by a list
   * of hosts.
   */
  peer(unicast?: UnicastOptions): Promise<Peer> {
    if (unicast === undefined) return this.#machine.peer()
    const carrier = JSON.stringify(unicast)
    return startedPeer(this.spawn([process.execPath, peerProgram, carrier], peerOptions))
  }

  /** Makes this host a multicast router: smcroute forwards what `rules` say. */
  async route(rules: readonly string[]): Promise<void> {
    const [conf, pid, socket] = ['conf', 'pid', 'sock'].map(
      (end) => `/run/${this.#machine.name}.${end}`,
    )
    assert.ok(conf && pid && socket)
    writeFileSync(conf, `${rules.join('\n')}\n`)
    this.sysctl('ipv4/ip_forward=1', 'ipv4/conf/all/rp_filter=0', 'ipv6/conf/all/forwarding=1')
    const command = ['smcrouted', '-n', '-N', '-l', 'err', '-f', conf, '-P', pid, '-u', socket]
    this.spawn(command, { stdio: ['ignore', 2, 2] })
    await until('smcrouted has started', () => existsSync(pid) && readFileSync(pid).length > 0)
  }
}

/** One end of a cable: `[host, device, ...addresses with their prefix length]`. */
export type End = [host: Host, device: string, ...addresses: string[]]

/** What `ip link show` says of a port that forwards. */
const FORWARDING = 'state forwarding'

/** A switch that floods. */
export class Lan {
  readonly #lab: Lab
  readonly #hub: Host
  readonly #ends: End[] = []

  constructor(lab: Lab) {
    this.#lab = lab
    this.#hub = lab.host()
    this.#hub.ip('link add dev hub type bridge mcast_snooping 0')
    dress(this.#hub, 'hub')
  }

  /** Plugs a host in; resolves when the switch forwards what comes from there. */
  async plug(end: End): Promise<void> {
    const port = `p${this.#ends.push(end) - 1}`
    await this.#lab.cable(end, [this.#hub, port])
    const now = this.#hub.ip(`link set dev ${port} master hub`, `link show dev ${port}`)
    if (!now.includes(FORWARDING)) await this.#forwards(port)
  }

  /** Gives an end that is plugged in its addresses again, and takes it up. */
  async raise(end: End): Promise<void> {
    const [host, device] = end
    const port = this.#ends.findLastIndex((plugged) => plugged[0] === host && plugged[1] === device)
    dress(...end)
    await usable(...end)
    await this.#forwards(`p${port}`)
  }

  #forwards(port: string): Promise<void> {
    const answer = () => this.#hub.ip(`link show dev ${port}`).includes(FORWARDING)
    return until(`${port} forwards`, answer)
  }
}

/** The hosts and cables of one scenario. */
export class Lab {
  readonly #machines = [Machine.own()]
  readonly #cleanups: (() => unknown)[] = []
  readonly #defer = (cleanup: () => unknown): void => {
    this.#cleanups.push(cleanup)
  }

  /** The host that the test itself runs on. */
  readonly here = new Host(this.#defer, Machine.own())

  host(): Host {
    const machine = Machine.take()
    this.#machines.push(machine)
    return new Host(this.#defer, machine)
  }

  /** Has none of its hosts serve again: what a scenario that failed has left is not known. */
  spoil(): void {
    for (const machine of this.#machines) machine.spoil()
  }

  /** Plugs a cable in between two hosts; both ends have their addresses and are up. */
  async cable(one: End, other: End): Promise<void> {
    const [a, b] = [one, other].map(([host, device]) => `${device}${host.netns}`)
    this.here.ip(`link add dev ${a} type veth peer name ${b}`)
    this.#defer(() => one[0].unplug(one[1]))
    dress(...one)
    dress(...other)
    await usable(...one)
    await usable(...other)
  }

  /** Plugs hosts into a switch that floods, so that any number of them share one network. */
  async lan(...ends: End[]): Promise<Lan> {
    const lan = new Lan(this)
    for (const end of ends) await lan.plug(end)
    return lan
  }

  /** Undoes everything, the last first. */
  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup()
  }
}

/**
 * Gives an interface its addresses, and takes it up. None of IPv6's waiting: the lab knows the addresses to be
 * unique.
 */
function dress(host: Host, device: string, ...addresses: string[]): void {
  host.ip(
    `link set dev ${device} addrgenmode none`,
    ...addresses.map(
      (address) => `addr replace ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`,
    ),
    `link set dev ${device} up`,
  )
}

/** Resolves once it is up, and what is sent to its addresses is its own. */
async function usable(host: Host, device: string, ...addresses: string[]): Promise<void> {
  await until(`${device} up`, () => host.up(device))
  await owned(host, device, ...addresses)
}

/** Resolves once the kernel takes what is sent to these addresses for the interface's: of IPv6 a moment later. */
export async function owned(host: Host, device: string, ...addresses: string[]): Promise<void> {
  const routes = addresses
    .filter((address) => address.includes(':'))
    .map((address) => `local ${address.replace(/\/.*/, '')} dev ${device} `)
  const areThere = (said: string) => routes.every((route) => said.includes(route))
  await until(`${routes}`, () => areThere(host.ip('route show table all')))
}

/** Why a test cannot run that has these needs, if so, and whether that lets it skip. */
export function lacking(needs: string[]): { reason: string | undefined; skip: string | false } {
  const absent = needs.filter(lacks)
  const reason = unavailable ?? (absent.length > 0 ? `needs ${absent.join(', ')}` : undefined)
  return { reason, skip: reason !== undefined && !isCI ? reason : false }
}

/** A test that has a lab. `needs` are the commands and files without which it cannot run. */
export function scenario(
  name: string,
  needs: string[],
  body: (lab: Lab, t: TestContext) => Promise<void>,
  timeout = 60_000,
): void {
  const { reason, skip } = lacking(needs)
  test(name, { skip, timeout }, async (t) => {
    if (reason !== undefined) throw new Error(reason)
    // The runner goes on at an unhandled rejection, while the test is still at work.
    await previous
    const lab = new Lab()
    const passed = body(lab, t).catch((error) => {
      lab.spoil()
      throw error
    })
    const done = passed.finally(() => lab.close())
    previous = done.catch(() => {})
    await done
  })
}

let previous: Promise<void> | undefined
