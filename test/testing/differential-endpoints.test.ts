/**
 * Random programs for senders and receivers, run on the kernel and on the mock: what they have joined,
 * hear, count and refuse has to be the same.
 */
import fc from 'fast-check'
import type { MembershipOptions, ReceiverOptions, SenderOptions } from '../../src/index.js'
import type { PeerReceiver, PeerSender } from '../../src/testing/conformance/peer.js'
import { compare, type Transcript } from './comparison.js'
import { type Changing, Ends, type LinkState, linkStates } from './end.js'
import { fence, mailed, outcomeOf, type Stage } from './observed.js'

type Step =
  | { readonly make: 'receiver'; readonly host: Changing; readonly options: ReceiverOptions }
  | { readonly make: 'sender'; readonly host: Changing; readonly options: SenderOptions }
  | { readonly on: number; readonly call: 'join' | 'leave'; readonly with: MembershipOptions }
  | { readonly on: number; readonly call: 'send' | 'close' }
  /** Takes `e1` there; it may be there already. */
  | { readonly host: Changing; readonly to: LinkState }

const worlds = {
  IPv4: {
    groups: ['239.1.2.3', '239.1.2.4', '224.0.0.200'],
    interfaces: ['lo', 'e0', 'e1', 'e1', '10.0.0.1', '10.0.1.2', '127.0.0.1', 'e9'],
    sources: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '127.0.0.1'],
    addresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.2', '127.0.0.1'],
  },
  IPv6: {
    groups: ['ff05::1:3', 'ff15::7', 'ff02::1:3', 'ff02::1:3%e1'],
    interfaces: ['lo', 'e0', 'e1', 'e1', 'fd00::1', 'fd01::2', '::%e1', 'e9'],
    sources: ['fd00::1', 'fd00::2', 'fd00::3', 'fd01::1', 'fe80::1', 'fe80::2'],
    addresses: ['fd00::1', 'fd00::2', 'fd00::3', 'fd01::2', '::1'],
  },
} as const

for (const family of ['IPv4', 'IPv6'] as const) {
  compare(
    `over ${family} senders and receivers do the same on the mock as on the kernel`,
    programs(family),
    (stage, steps) => run(stage, family, steps),
    40,
  )
}

function programs(family: keyof typeof worlds): fc.Arbitrary<Step[]> {
  const { groups, interfaces, sources, addresses } = worlds[family]
  const pick = <const Value>(...values: readonly Value[]) => fc.constantFrom(...values)
  /** Left out so many times as often as not. */
  const some = <Value>(value: fc.Arbitrary<Value>, weight: number) =>
    fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
  const host = pick('near', 'other')
  const port = pick(10_000, 10_000, 10_000, 10_000, 10_000, 10_001)
  const group = pick(groups[0], groups[0], ...groups)
  const list = (values: readonly string[], maxLength: number) =>
    fc.uniqueArray(pick(...values), { minLength: 1, maxLength })
  // A mock host tells of changes at once, and the kernel's are seen at a look: so nothing follows them.
  const followInterfaces = fc.constant(false)
  const receiver = fc.record({
    make: fc.constant('receiver' as const),
    host,
    options: fc.record({
      group,
      port,
      interfaces: some(fc.oneof(pick('all', 'default'), list(interfaces.slice(0, 7), 3)), 1),
      sources: some(list(sources, 3), 4),
      bindAddress: some(pick('group', 'any', ...addresses), 4),
      reuseAddr: pick(true, true, true, true, true, false),
      followInterfaces,
    }),
  })
  const sender = fc.record({
    make: fc.constant('sender' as const),
    host,
    options: fc.record({
      group,
      port,
      interfaces: some(
        fc.oneof(pick('all', 'default', ...interfaces), list(interfaces.slice(0, 7), 3)),
        1,
      ),
      localAddress: some(pick(...addresses), 4),
      ttl: pick(undefined, undefined, 0, 2),
      loopback: pick(undefined, undefined, false),
      followInterfaces,
    }),
  })
  const on = fc.nat(5)
  const change = fc.record({
    on,
    call: pick('join', 'join', 'leave'),
    with: fc.record({
      interface: some(pick(...interfaces, 'default', 'all'), 1),
      source: some(pick(...sources), 3),
    }),
  })
  const act = fc.record({ on, call: pick('send', 'send', 'send', 'send', 'send', 'send', 'close') })
  const steps = [
    { weight: 1, arbitrary: receiver },
    { weight: 1, arbitrary: sender },
    { weight: 5, arbitrary: change },
    { weight: 6, arbitrary: act },
  ]
  const link = { weight: 3, arbitrary: fc.record({ host, to: pick(...linkStates) }) }
  const of = (step: fc.Arbitrary<Step>) =>
    fc.tuple(
      fc.array(receiver, { minLength: 1, maxLength: 3 }),
      fc.array(sender, { minLength: 1, maxLength: 3 }),
      fc.array(step, { minLength: 4, maxLength: 16 }),
    )
  return fc
    .oneof(
      { weight: 10, arbitrary: of(fc.oneof(...steps)) },
      { weight: 1, arbitrary: of(fc.oneof(...steps, link)) },
    )
    .map((parts) => parts.flat())
}

async function run(
  stage: Stage,
  family: keyof typeof worlds,
  steps: readonly Step[],
): Promise<Transcript> {
  const receivers: PeerReceiver[] = []
  const senders: PeerSender[] = []
  const ends = { near: new Ends('near', stage.near), other: new Ends('other', stage.other) }
  const lines: Transcript = []
  for (const [at, step] of steps.entries()) {
    if ('to' in step) {
      lines.push([`${step.host} e1`, await ends[step.host].take(step.to)])
      continue
    }
    if ('make' in step) {
      const { peer } = stage[step.host]
      const made =
        step.make === 'receiver'
          ? peer.receiver(step.options, 'heard: ').then((receiver) => receivers.push(receiver))
          : peer.sender(step.options).then((sender) => senders.push(sender))
      lines.push([`${step.host} ${step.make} ${shown(step.options)}`, await outcomeOf(made)])
      continue
    }
    if (step.call === 'send') {
      const number = step.on % Math.max(1, senders.length)
      const sent = senders[number]?.send(`message ${at}`) ?? Promise.resolve()
      lines.push([`sender ${number} sends`, await outcomeOf(sent)])
      // Heard before what comes next, which may leave what it was sent to.
      await stage.settled()
      continue
    }
    const number = step.on % Math.max(1, receivers.length)
    const receiver = receivers[number]
    if (receiver === undefined) continue
    const args = 'with' in step ? [step.with] : []
    const outcome = await outcomeOf(receiver.call(step.call, ...args))
    const joined = (await receiver.memberships()).map(shown).join(', ') || 'nothing'
    lines.push([
      `receiver ${number} ${step.call} ${args.map(shown).join()}`,
      `${outcome}, has joined ${joined}`,
    ])
  }
  // What was heard last is answered.
  await stage.settled()
  await fence(stage, family === 'IPv4' ? 'udp4' : 'udp6')
  for (const [number, receiver] of receivers.entries()) {
    const mails = await receiver.heard.take(receiver.heard.size)
    lines.push([`receiver ${number} heard`, mails.map(mailed).join(', ') || 'nothing'])
    lines.push([`receiver ${number} counts`, shown(await receiver.stats())])
  }
  for (const [number, { heard }] of senders.entries()) {
    // The order in which several hosts answer is not fixed.
    const replies = (await heard.take(heard.size)).map(mailed).sort()
    lines.push([`sender ${number} heard`, replies.join(', ') || 'nothing'])
  }
  return lines
}

/** `name value` of each that is there and not 0. */
function shown(values: object): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== 0)
    .map(([name, value]) => `${name} ${value}`)
    .join(' ')
}
