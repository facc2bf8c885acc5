/**
 * Random programs for raw sockets on three hosts, run on the kernel and on the mock: whatever a call
 * answers, and whatever each socket hears, has to be the same.
 */
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { type ConformanceHost, routedGroups } from '../../src/testing/conformance/network.js'
import type { PeerSocket } from '../../src/testing/conformance/peer.js'
import type { Deed } from '../../src/testing/conformance/scenes.js'
import { compare, type Transcript } from './comparison.js'
import { type Changing, Ends, movables } from './end.js'
import { fence, mailed, outcomeOf, type Stage, shownPort } from './observed.js'
import { type At, programs, type Step } from './program.js'

/** A socket that a program has opened. */
interface Opened {
  readonly step: Extract<Step, { do: 'open' }>
  readonly socket: PeerSocket
  /** Whether it was bound by its user or to send, by the system to join, or has been refused that. */
  bound?: 'bound' | 'joined' | 'refused' | undefined
  /** What it is bound to, if its user has seen to that. */
  place?: At | undefined
  /** What it has last been connected to. */
  peer?: string
}

for (const families of [['IPv4'], ['IPv6'], ['IPv4', 'IPv6']] as const) {
  compare(
    `over ${families.join(' and ')} the mock answers and delivers as the kernel does`,
    programs(...families),
    run,
    50,
  )
}

/** Each once, and what tells of turns twice. */
const deeds: readonly Deed[] = [
  ...(['bind', 'misbind', 'queue', 'send', 'close', 'drop'] as const),
  ...(['tick', 'promise', 'immediate', 'tick', 'promise', 'immediate'] as const),
]

for (const type of ['udp4', 'udp6'] as const) {
  const [address, nowhere] = type === 'udp4' ? ['10.0.0.1', '10.9.9.9'] : ['fd00::1', 'fd09::9']
  compare(
    `over ${type} the mock tells what is begun in one task in the order in which the kernel does`,
    fc.record({
      deeds: fc.shuffledSubarray([...deeds], { minLength: 2 }),
      how: fc.record({
        ...{ type: fc.constant(type), address: fc.constant(address) },
        ...{ nowhere: fc.constant(nowhere), port: fc.constant(10_020) },
        ...{ hasLookup: fc.boolean(), start: fc.constantFrom('task' as const, 'job' as const) },
      }),
    }),
    async ({ near }, { how, deeds }) => {
      const told = await near.peer.sequence(how, ...deeds)
      const what = `${how.start}, ${how.hasLookup ? 'with' : 'without'} a lookup: ${deeds.join(', ')}`
      return [[what, told.join(', ')]]
    },
    50,
  )
}

/** Runs a program, and tells what each step answered and what each socket heard. */
async function run(stage: Stage, steps: readonly Step[]): Promise<Transcript> {
  const opened: Opened[] = []
  const ends = { near: new Ends('near', stage.near), other: new Ends('other', stage.other) }
  const lines: Transcript = []
  for (const [at, step] of steps.entries()) {
    if (step.do === 'link' || step.do === 'address') {
      lines.push([step.host, await changed(step, ends[step.host])])
      lines.push([`${step.host} lists`, await listed(stage[step.host])])
      continue
    }
    if (step.do === 'open') {
      const { host, at: place, ...options } = step
      const socket = await stage[host].peer.socket(options)
      const on: Opened = { step, socket }
      const number = opened.push(on) - 1
      const what = `socket ${number}, ${shown({ ...step, do: undefined })}`
      const isBound = place !== undefined && !(isDual(on) && isMapped(place.address))
      lines.push([what, isBound ? await bind(on, place) : 'not bound'])
      continue
    }
    const number = step.on % opened.length
    const on = opened[number]
    if (on === undefined || isBeyond(step, on, opened, ends)) continue
    lines.push([`socket ${number} ${describe(step)}`, await act(step, on, at)])
    // Heard before what comes next, which may close who hears it.
    if (isSending(step)) await stage.settled()
  }
  for (const type of new Set(opened.map(({ step }) => step.type))) await fence(stage, type)
  for (const [number, { socket }] of opened.entries()) {
    const mails = await socket.heard.take(socket.heard.size)
    lines.push([`socket ${number} heard`, mails.map(mailed).join(', ') || 'nothing'])
    lines.push([`socket ${number} is bound to`, await place(socket)])
    lines.push([`socket ${number} tells of errors`, `${socket.count('error')}`])
  }
  return lines
}

/** Whether a step is about something that the two networks are not meant to have in common. */
function isBeyond(step: Step, on: Opened, opened: Opened[], ends: Record<Changing, Ends>): boolean {
  const { host, type } = on.step
  // To send it would have to be bound, which fails, and node:dgram never tells the sender.
  const isUnboundable = on.bound === 'joined' || isMisfit(on)
  const isSent = isSending(step)
  if ((isSent || step.do === 'connect') && isUnboundable) return true
  // The mock has no IPv6 sockets that hear IPv4.
  if (isSent && type === 'udp4' && opened.some(isDual)) return true
  if (isDual(on) && addressesOf(step).some(isMapped)) return true
  // The mock has no ICMP, by which a socket learns that nobody has the address it is connected to.
  if (step.do === 'say') return on.peer !== undefined && !isGroup(on.peer)
  // In the mock a router finds who has an address, whatever its subnet.
  const isFar = (to: string) => to === '10.0.5.1' && host !== 'near'
  const parcels = step.do === 'send' ? step.parcels : step.do === 'post' ? [step.parcel] : []
  if (parcels.some(({ to }) => isFar(to))) return true
  if (step.do === 'post') return on.peer !== undefined && !isGroup(on.peer)
  if (step.do !== 'call') return false
  // Joined first, a socket gets the family of the group, whatever its type.
  const isForeign = ([group]: unknown[]) => !isOf(type, group)
  const isJoin = step.call.includes('Membership')
  if (isJoin && on.bound === undefined && step.args.some(isForeign)) return true
  // Without an interface Linux finds a source's membership on any, but counts it on that of the route:
  // where those are two, it forgets what other sockets have joined.
  const hasE1 = host !== 'far' && ends[host].hasE1
  const isFound = ([source, , where]: unknown[]) =>
    !`${source}`.includes(':') || where === '::%e0' || (where === '::%e1' && hasE1)
  if (step.call.includes('Source') && !step.args.every(isFound)) return true
  if (host !== 'far') return false
  // The mock's router forwards every group, and both ways; this one some, and one way.
  const isRouted = ([group]: unknown[]) => routedGroups.includes(group as string)
  if (step.call === 'addMembership') return !step.args.every(isRouted)
  if (step.call === 'addSourceSpecificMembership') {
    return !step.args.every(([, ...args]) => isRouted(args))
  }
  return step.call === 'setMulticastTTL'
}

/** Whether it is an IPv6 socket that takes IPv4 too. */
function isDual({ step }: Opened): boolean {
  return step.type === 'udp6' && !step.ipv6Only
}

function isMapped(address: string): boolean {
  return address.startsWith('::ffff:')
}

/** What a step binds or connects to, or sends to. */
function addressesOf(step: Step): string[] {
  if (step.do === 'bind') return [step.at.address]
  if (step.do === 'connect') return [step.to]
  if (step.do === 'post') return [step.parcel.to]
  return step.do === 'send' ? step.parcels.map(({ to }) => to) : []
}

function isSending(step: Step): boolean {
  return step.do === 'send' || step.do === 'say' || step.do === 'post'
}

function isOf(type: 'udp4' | 'udp6', address: unknown): boolean {
  return `${address}`.includes(':') === (type === 'udp6')
}

/** Whether it is an IPv4 socket that is to be IPv6 only: it is never bound. */
function isMisfit({ step: { type, ipv6Only } }: Opened): boolean {
  return type === 'udp4' && ipv6Only
}

/** Does a step with the socket that it is about. */
async function act(step: Extract<Step, { on: number }>, on: Opened, at: number): Promise<string> {
  if (step.do === 'bind') return bind(on, step.at)
  const { socket } = on
  if (step.do === 'connect') {
    on.bound = 'bound'
    const outcome = await outcomeOf(socket.connect(step.port, step.to))
    if (outcome === 'ok') on.peer = step.to
    return outcome
  }
  if (step.do === 'post') {
    on.bound = 'bound'
    return outcomeOf(post(socket, step, at))
  }
  if (step.do === 'say') return outcomeOf(socket.sendConnected(`${at}`))
  if (step.do === 'send') on.bound = 'bound'
  else if (step.call.includes('Membership')) on.bound ??= 'joined'
  const answers =
    step.do === 'call'
      ? step.args.map((args) => socket.call(step.call, ...args))
      : step.parcels.map(({ to, port, size }, part) =>
          socket.send(`${at}.${part}`.padEnd(size, '.').slice(0, size), port, to),
        )
  return repeats(await Promise.all(answers.map(outcomeOf)))
}

/** Sends in that form; what the system refuses, nobody is told. */
function post(
  socket: PeerSocket,
  step: Extract<Step, { do: 'post' }>,
  at: number,
): Promise<unknown> {
  const { to, port, size } = step.parcel
  const text = `${at}`.padEnd(size, '.').slice(0, size)
  if (step.form === 'parts') return socket.call('send', [text, Buffer.from('!')], port, to)
  if (step.form === 'bare') return socket.call('send', text, port)
  const method = step.form === 'offset' ? 'send' : 'sendto'
  return socket.call(method, Buffer.from(`--${text}`), 2, size, port, to)
}

function isGroup(address: string): boolean {
  return /^(ff|2[23])/.test(address)
}

function changed(step: Extract<Step, { host: Changing; do: 'link' | 'address' }>, ends: Ends) {
  if (step.do === 'link') return ends.take(step.to)
  const movable = movables[step.host][step.which]
  if (movable === undefined) throw new Error(`there is no address ${step.which}`)
  return ends.toggle(movable)
}

/** The addresses of a host, as it lists them. */
async function listed({ peer }: ConformanceHost): Promise<string> {
  return Object.entries(await peer.networkInterfaces())
    .map(([name, list = []]) => `${name} ${list.map(({ cidr }) => cidr).join(' ')}`)
    .join(', ')
}

async function bind(on: Opened, at: At): Promise<string> {
  const outcome = await outcomeOf(on.socket.bind(at))
  if (outcome === 'ok') Object.assign(on, { bound: 'bound', place: at })
  // Unless it is refused before the system hears of it.
  else if (!isMisfit(on) && isOf(on.step.type, at.address)) on.bound ??= 'refused'
  return outcome
}

/** `ok, ok, ok` as `ok × 3`. */
function repeats(outcomes: readonly string[]): string {
  const runs: { outcome: string; count: number }[] = []
  for (const outcome of outcomes) {
    const last = runs.at(-1)
    if (last?.outcome === outcome) last.count += 1
    else runs.push({ outcome, count: 1 })
  }
  return runs
    .map(({ outcome, count }) => (count > 1 ? `${outcome} × ${count}` : outcome))
    .join(', ')
}

async function place(socket: PeerSocket): Promise<string> {
  const local = await told(socket.address())
  const remote = await told(socket.call('remoteAddress') as Promise<AddressInfo>)
  return `${local}, to ${remote}`
}

function told(place: Promise<AddressInfo>): Promise<string> {
  return place.then(
    ({ address, port }) => `${address} ${shownPort(port)}`,
    ({ code, message }) => code ?? message,
  )
}

function describe(step: Extract<Step, { on: number }>): string {
  if (step.do === 'bind') return `bind ${shown(step.at)}`
  if (step.do === 'send') return `send ${step.parcels.map(shown).join(', ')}`
  if (step.do === 'connect') return `connect ${step.to} ${step.port}`
  if (step.do === 'say') return 'say'
  if (step.do === 'post') return `send ${step.form} ${shown(step.parcel)}`
  const [first = [], ...others] = step.args
  const more = others.length > 0 ? `, … ${JSON.stringify(others.at(-1))}` : ''
  return `${step.call} ${JSON.stringify(first)}${more}`
}

/** The values alone where they speak for themselves. */
function shown(values: object): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => {
      if (value === true) return name
      return typeof value === 'object' ? shown(value) : `${value}`
    })
    .join(' ')
}
