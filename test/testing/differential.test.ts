/**
 * Random programs for raw sockets on three hosts, run on the kernel and on the mock: whatever a call
 * answers, and whatever each socket hears, has to be the same.
 */
import { routedGroups } from '../../src/testing/conformance/network.js'
import type { PeerSocket } from '../../src/testing/conformance/peer.js'
import {
  compare,
  fence,
  mailed,
  outcomeOf,
  type Stage,
  shownPort,
  type Transcript,
} from './comparison.js'
import { type Changing, End } from './end.js'
import { type At, programs, type Step } from './program.js'

/** A socket that a program has opened. */
interface Opened {
  readonly step: Extract<Step, { do: 'open' }>
  readonly socket: PeerSocket
  /** Whether it was bound by its user or to send, by the system to join, or has been refused that. */
  bound?: 'bound' | 'joined' | 'refused' | undefined
  /** What it is bound to, if its user has seen to that. */
  place?: At | undefined
}

for (const families of [['IPv4'], ['IPv6'], ['IPv4', 'IPv6']] as const) {
  compare(
    `over ${families.join(' and ')} the mock answers and delivers as the kernel does`,
    programs(...families),
    run,
    50,
  )
}

/** Runs a program, and tells what each step answered and what each socket heard. */
async function run(stage: Stage, steps: readonly Step[]): Promise<Transcript> {
  const opened: Opened[] = []
  const ends = { near: new End('near', stage.near), other: new End('other', stage.other) }
  const lines: Transcript = []
  for (const [at, step] of steps.entries()) {
    if (step.do === 'link' || step.do === 'address') {
      const end = ends[step.host]
      const told = step.do === 'link' ? await end.take(step.to) : await end.toggle(step.address)
      lines.push([`${step.host} e1`, told])
      continue
    }
    if (step.do === 'open') {
      const { host, at: place, ...options } = step
      const socket = await stage[host].peer.socket(options)
      const on: Opened = { step, socket }
      const number = opened.push(on) - 1
      const what = `socket ${number}, ${shown({ ...step, do: undefined })}`
      lines.push([what, place === undefined ? 'not bound' : await bind(on, place)])
      continue
    }
    const number = step.on % opened.length
    const on = opened[number]
    if (on === undefined || isBeyond(step, on, opened, ends)) continue
    lines.push([`socket ${number} ${describe(step)}`, await act(step, on, at)])
    // Heard before what comes next, which may close who hears it.
    if (step.do === 'send') await stage.settled()
  }
  for (const type of new Set(opened.map(({ step }) => step.type))) await fence(stage, type)
  for (const [number, { socket }] of opened.entries()) {
    const mails = await socket.heard.take(socket.heard.size)
    lines.push([`socket ${number} heard`, mails.map(mailed).join(', ') || 'nothing'])
    lines.push([`socket ${number} is bound to`, await place(socket)])
  }
  return lines
}

/** Whether a step is about something that the two networks are not meant to have in common. */
function isBeyond(step: Step, on: Opened, opened: Opened[], ends: Record<Changing, End>): boolean {
  const { host, type } = on.step
  // To send it would have to be bound, which fails, and node:dgram never tells the sender.
  const isUnboundable = on.bound === 'joined' || isMisfit(on)
  if (step.do === 'send' && isUnboundable) return true
  // The mock has no IPv6 sockets that hear IPv4.
  const isDual = ({ step }: Opened) => step.type === 'udp6' && !step.ipv6Only
  if (step.do === 'send' && type === 'udp4' && opened.some(isDual)) return true
  if (step.do !== 'call') return false
  // Joined first, a socket gets the family of the group, whatever its type.
  const isForeign = ([group]: unknown[]) => !isOf(type, group)
  const isJoin = step.call.includes('Membership')
  if (isJoin && on.bound === undefined && step.args.some(isForeign)) return true
  // Without an interface Linux finds a source's membership on any, but counts it on that of the route:
  // where those are two, it forgets what other sockets have joined.
  const hasE1 = host !== 'far' && ends[host].isThere
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
  return socket.address().then(
    ({ address, port }) => `${address} ${shownPort(port)}`,
    ({ code, message }) => code ?? message,
  )
}

function describe(step: Extract<Step, { on: number }>): string {
  if (step.do === 'bind') return `bind ${shown(step.at)}`
  if (step.do === 'send') return `send ${step.parcels.map(shown).join(', ')}`
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
