/** Senders that follow the network, on interfaces that come, go and change. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type MulticastError, MulticastSender, type SenderOptions } from '../src/index.js'
import { addresses, type Heard, type Moving, moving, port } from './moving.js'
import { BOUND, until } from './until.js'

/** What a sender asks for: the kinds that the same becomes of. */
type Kind = 'all' | 'named' | 'both' | 'address'

const followed = { followInterfaces: true }
const ipv4 = (number: number) => `239.3.0.${number}`
const ipv6 = (number: number) => `ff05::3:${number}`
const local = (number: number) => `ff02::3:${number}`

/** Each of a group of its own. */
const asked: readonly {
  readonly kind: Kind
  readonly group: (number: number) => string
  readonly options: Omit<SenderOptions, 'port' | 'group'>
}[] = [
  { kind: 'all', group: ipv4, options: { interfaces: 'all' } },
  { kind: 'all', group: ipv6, options: { interfaces: 'all' } },
  { kind: 'all', group: local, options: { interfaces: 'all' } },
  { kind: 'all', group: ipv4, options: { interfaces: 'all', localPort: 10_101 } },
  { kind: 'all', group: ipv6, options: { interfaces: 'all', localPort: 10_102 } },
  { kind: 'all', group: local, options: { interfaces: 'all', localPort: 10_103 } },
  { kind: 'named', group: ipv4, options: { interfaces: 'e0', ...followed } },
  { kind: 'named', group: ipv6, options: { interfaces: 'e0', ...followed } },
  { kind: 'named', group: local, options: { interfaces: 'e0', ...followed } },
  { kind: 'named', group: (number) => `${local(number)}%e0`, options: followed },
  { kind: 'named', group: ipv4, options: { interfaces: 'e0', localPort: 10_104, ...followed } },
  { kind: 'named', group: ipv6, options: { interfaces: 'e0', localPort: 10_105, ...followed } },
  { kind: 'both', group: ipv4, options: { interfaces: ['e0', 'e1'], ...followed } },
  { kind: 'both', group: ipv6, options: { interfaces: ['e0', 'e1'], ...followed } },
  {
    kind: 'both',
    group: ipv4,
    options: { interfaces: ['e0', 'e1'], localPort: 10_106, ...followed },
  },
  {
    kind: 'both',
    group: ipv6,
    options: { interfaces: ['e0', 'e1'], localPort: 10_107, ...followed },
  },
  { kind: 'address', group: ipv4, options: { interfaces: '10.0.0.1', ...followed } },
  { kind: 'address', group: ipv6, options: { interfaces: 'fd00::1', ...followed } },
  {
    kind: 'address',
    group: ipv4,
    options: { interfaces: '10.0.0.1', localPort: 10_108, ...followed },
  },
  {
    kind: 'address',
    group: ipv6,
    options: { interfaces: 'fd00::1', localPort: 10_109, ...followed },
  },
]

/** Where a message is to come from: an interface here, the number of its cable, and the end of its addresses. */
interface From {
  readonly name: string
  readonly at: number
  readonly own: number
}

const e0: From = { name: 'e0', at: 0, own: 1 }
const e1: From = { name: 'e1', at: 1, own: 1 }

class Mouth {
  readonly kind: Kind
  readonly group: string
  readonly name: string
  readonly localPort: number
  readonly sender: MulticastSender
  /** The port that it has had on each interface. */
  readonly ports = new Map<string, number>()
  readonly #number: number

  constructor({ kind, group, options }: (typeof asked)[number], number: number) {
    this.#number = number
    this.kind = kind
    this.group = group(number)
    this.localPort = options.localPort ?? 0
    this.name = `${kind} ${this.group} ${this.localPort}`
    this.sender = new MulticastSender({ group: this.group, port, ...options })
  }

  text(round: number): string {
    return `${round} of ${this.#number}`
  }

  /** The address that a message comes from. */
  address({ at, own }: From): string {
    if (!this.group.includes(':')) return `10.0.${at}.${own}`
    return this.group.startsWith('ff02') ? `fe80::${100 * at + own}` : `fd0${at}::${own}`
  }
}

/** Senders of all kinds on a network that moves. */
class Mouths {
  readonly #network: Moving
  readonly all: readonly Mouth[]
  #round = 0

  constructor(network: Moving) {
    this.#network = network
    this.all = asked.map((one, at) => new Mouth(one, at + 1))
    for (const { sender } of this.all) network.keep(sender)
  }

  async ready(): Promise<this> {
    await Promise.all(this.all.map(({ sender }) => sender.ready()))
    return this
  }

  /** Waits until each sends through these interfaces and no others, or is refused where there is none. */
  async send(expected: Readonly<Record<Kind, readonly From[]>>): Promise<void> {
    const groups = this.all.map(({ group }) => group.replace(/%.*/, ''))
    const wanted = (mouth: Mouth) => ({
      interfaces: expected[mouth.kind].map(({ name }) => name),
      heard: expected[mouth.kind].map((from) => mouth.address(from)).sort(),
      outcome: expected[mouth.kind].length > 0 ? 'sent' : 'ERR_MULTICAST_SEND ENETUNREACH',
    })
    const table = <What>(of: (mouth: Mouth) => What) =>
      Object.fromEntries(this.all.map((mouth) => [mouth.name, of(mouth)]))
    const end = Date.now() + BOUND
    for (;;) {
      this.#round += 1
      const round = this.#round
      const outcomes = new Map<Mouth, string>()
      const heard = await this.#network.listen(groups, () =>
        Promise.all(
          this.all.map(async (mouth) => {
            const outcome = await mouth.sender.send(mouth.text(round)).then(() => 'sent', told)
            outcomes.set(mouth, outcome)
          }),
        ),
      )
      const of = (mouth: Mouth) => heard.filter(({ text }) => text === mouth.text(round))
      const seen = (mouth: Mouth) => ({
        interfaces: mouth.sender.interfaces,
        heard: of(mouth)
          .map(({ from }) => from)
          .sort(),
        outcome: outcomes.get(mouth),
      })
      const places = heard.map(({ text, from }) => `${text} from ${from}`)
      assert.equal(new Set(places).size, places.length)
      const isRight = JSON.stringify(table(seen)) === JSON.stringify(table(wanted))
      if (isRight || Date.now() > end) {
        assert.deepEqual(table(seen), table(wanted))
        for (const mouth of this.all) this.#checkPorts(mouth, of(mouth), expected[mouth.kind])
        return
      }
      await delay(50)
    }
  }

  /** That the port is the one that was asked for, or stays what it was where an interface was named. */
  #checkPorts(mouth: Mouth, heard: readonly Heard[], froms: readonly From[]): void {
    for (const from of froms) {
      const { port = 0 } = heard.find((one) => one.from === mouth.address(from)) ?? {}
      const before = mouth.kind === 'all' ? 0 : mouth.ports.get(from.name)
      assert.equal(port, mouth.localPort || before || port, mouth.name)
      mouth.ports.set(from.name, port)
    }
  }
}

/** What a send was refused with. */
function told(error: MulticastError): string {
  return `${error.code} ${(error.cause as NodeJS.ErrnoException).code}`
}

moving('senders follow as interfaces come, go and change', async (network) => {
  network.here.ip('link set lo down')
  const mouths = await new Mouths(network).ready()
  for (const { sender } of mouths.all) {
    assert.deepEqual(sender.interfaces, [])
    assert.throws(() => sender.address(), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  }
  const nothing = { all: [], named: [], both: [], address: [] }
  await mouths.send(nothing)

  // The first one, and another.
  network.plug(0)
  const first = { all: [e0], named: [e0], both: [e0], address: [e0] }
  await mouths.send(first)
  network.here.ip('link set lo up')
  network.plug(1)
  const two = { all: [e0, e1], named: [e0], both: [e0, e1], address: [e0] }
  await mouths.send(two)

  // Made anew between two looks.
  network.replug(0)
  const anew = { ...two, all: [e1, e0] }
  await mouths.send(anew)
  // Seen to be gone.
  network.unplug(0)
  await mouths.send({ all: [e1], named: [], both: [e1], address: [] })
  network.plug(0)
  await mouths.send(anew)

  // Another address, and the old one again.
  network.here.ip(...addresses(0).map((address) => `addr del ${address} dev e0`))
  network.address('e0', ...addresses(0, 7))
  const other = { ...e0, own: 7 }
  await mouths.send({ all: [e1, other], named: [other], both: [other, e1], address: [] })
  network.replug(0)
  await mouths.send(anew)

  // Another name, and the old one again.
  network.rename('e0', 'x0', 0)
  const renamed = { ...e0, name: 'x0' }
  await mouths.send({ all: [e1, renamed], named: [], both: [e1], address: [renamed] })
  network.rename('x0', 'e0', 0)
  await mouths.send(anew)

  // None is left.
  network.here.ip('link set lo down')
  network.unplug(0)
  network.unplug(1)
  await mouths.send(nothing)
  network.plug(0)
  await mouths.send(first)
})

moving('senders by an address follow it to another interface', async (network) => {
  network.plug(0)
  network.plug(1)
  const senders = ['10.0.0.1', 'fd00::1'].flatMap((address, at) =>
    [0, 10_110 + at].map((localPort) => {
      const group = address.includes(':') ? ipv6(100) : ipv4(100)
      const options = { group, port, localPort, interfaces: address, followInterfaces: true }
      return network.keep(new MulticastSender(options))
    }),
  )
  await Promise.all(senders.map((sender) => sender.ready()))
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    network.here.ip(...addresses(0).map((address) => `addr del ${address} dev e${from}`))
    // With one of another network, since the kernel prefers a way that has its own.
    network.address(`e${from}`, ...addresses(2 + from))
    network.address(`e${to}`, ...addresses(0))
    const isThere = () => senders.every(({ interfaces }) => `${interfaces}` === `e${to}`)
    await until('each sends through the other', isThere)
    const heard = await network.listen(
      [ipv4(100), ipv6(100)],
      () => Promise.all(senders.map((sender) => sender.send('hello'))),
      [to],
    )
    assert.deepEqual(heard.map(({ from }) => from).sort(), [
      ...['10.0.0.1', '10.0.0.1'],
      ...['fd00::1', 'fd00::1'],
    ])
  }
})
