/**
 * What receivers that follow the interfaces of a mock host say they have joined, compared with what they
 * hear, after each step of random programs of changes. RUNS and SEED make it longer, and another one.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { MulticastReceiver, MulticastSender, type ReceiverOptions, text } from '../../src/index.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'
import { type Pick, picks } from '../picks.js'

const port = 10000
const programs = Number(process.env.RUNS ?? 20)
const seed = Number(process.env.SEED ?? 3)
const cables = [0, 1, 2]

const receivers: Omit<ReceiverOptions, 'port'>[] = [
  { group: '239.1.0.1' },
  { group: '239.1.0.2', interfaces: 'default' },
  { group: '239.1.0.3', interfaces: ['e0', 'e1'] },
  { group: '239.1.0.4', interfaces: '10.0.1.1' },
  { group: '239.1.0.5', sources: ['10.0.0.2', '10.0.1.2'] },
  { group: 'ff05::1' },
  { group: 'ff05::2', interfaces: 'e1' },
  { group: 'ff05::3', sources: ['fd00::2', 'fd01::2'] },
  { group: 'ff02::4' },
  { group: 'ff02::5%e0' },
]

const addresses = (at: number, own: number): string[] => [
  `10.0.${at}.${own}`,
  `fd0${at}::${own}`,
  `fe80::${at}${own}`,
]

/** Makes one change, and tells which. */
function change(host: MockHost, pick: Pick, there: Set<number>): string {
  const at = pick(...cables)
  const name = `e${at}`
  if (!there.has(at)) {
    there.add(at)
    host.add(name, { segment: `s${at}`, addresses: addresses(at, 1) })
    return `add ${name}`
  }
  const kind = pick('remove', 'make anew', 'down', 'up', 'readdress', 'restore', 'bare')
  if (kind === 'remove' || kind === 'make anew') host.remove(name)
  if (kind === 'remove') there.delete(at)
  if (kind === 'make anew') host.add(name)
  if (kind === 'down') host.down(name)
  if (kind === 'up') host.up(name)
  if (kind === 'readdress') host.readdress(name, addresses(at, pick(3, 4)))
  if (kind === 'restore') host.readdress(name, addresses(at, 1))
  if (kind === 'bare') host.readdress(name, [])
  return `${kind} ${name}`
}

async function run(seed: number): Promise<void> {
  const pick = picks(seed)
  await using network = new MockNetwork({ platform: 'linux' })
  const ends = (name: string, own: number) =>
    Object.fromEntries(
      cables.map((at) => [`${name}${at}`, { segment: `s${at}`, addresses: addresses(at, own) }]),
    )
  const host = network.host({ interfaces: ends('e', 1) })
  const far = network.host({ interfaces: ends('f', 2) })
  const there = new Set(cables)
  const program: string[] = []
  const witnesses = receivers.map((options) => {
    const group = options.group.replace(/%.*/, '')
    const receiver = new MulticastReceiver({
      followInterfaces: true,
      port,
      codec: text,
      ...options,
      ...host,
    })
    const heard: string[] = []
    const replayed = new Set<string>()
    receiver.on('message', (message) => heard.push(message))
    receiver.on('listening', () => {
      for (const membership of receiver.memberships) replayed.add(JSON.stringify(membership))
    })
    receiver.on('membership', (change, membership) => {
      const key = JSON.stringify(membership)
      assert.equal(replayed.has(key), change !== 'joined', `${change} ${key} out of order`)
      if (change === 'joined') replayed.add(key)
      else replayed.delete(key)
    })
    const senders = cables.map(
      (at) => new MulticastSender({ group, port, interfaces: `f${at}`, ...far }),
    )
    return { options, group, receiver, senders, heard, replayed }
  })
  await Promise.all(witnesses.map(({ receiver }) => receiver.ready()))
  for (let step = 0; step < 15; step += 1) {
    for (let times = pick(1, 1, 2, 3); times > 0; times -= 1)
      program.push(change(host, pick, there))
    await network.idle()
    for (const { group, receiver, senders, options, heard, replayed } of witnesses) {
      const what = `${JSON.stringify(options)}, program ${seed}: ${program.join(', ')}`
      const { memberships } = receiver
      const keys = memberships.map((membership) => JSON.stringify(membership))
      assert.deepEqual([...replayed].sort(), [...keys].sort(), what)

      const family = group.includes(':') ? 'IPv6' : 'IPv4'
      const up = Object.entries(host.networkInterfaces()).flatMap(([name, infos = []]) =>
        name !== 'lo' && infos.some((info) => info.family === family) ? [name] : [],
      )
      const joined = new Set(memberships.map((membership) => membership.interface))
      if (options.interfaces === undefined && !options.group.includes('%')) {
        const missing = up.filter((name) => !joined.has(name))
        assert.deepEqual(missing, [], `not joined: ${what}`)
      }
      heard.length = 0
      await Promise.all(senders.map((sender, at) => sender.send(`e${at}`)))
      await network.idle()
      const asked = (name: string): boolean =>
        options.sources === undefined || ['e0', 'e1'].includes(name)
      if (joined.has('default')) {
        assert.ok(heard.length === 1 || up.length === 0, `heard ${heard}: ${what}`)
        continue
      }
      // With an address or without, what is joined and not down is heard.
      const listed = host.networkInterfaces()
      const hears = [...joined].filter((name) => name !== 'lo' && listed[name] && asked(name))
      assert.deepEqual(
        heard.filter((name) => listed[name]),
        hears.sort(),
        `heard ${heard}: ${what}`,
      )
    }
  }
}

test(`on a mock host memberships are true through ${programs} random programs`, async () => {
  for (let at = 0; at < programs; at += 1) await run(seed + at)
})
