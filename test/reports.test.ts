import assert from 'node:assert/strict'
import os from 'node:os'
import { MulticastReceiver, MulticastSender, type ReceiverOptions, text } from '../src/index.js'
import { type Lab, type Program, scenario } from './lab.js'
import { until } from './until.js'

const port = 10000
const group = '239.1.2.3'

/** One record of a report that another host has seen. */
interface Report {
  readonly on: string
  readonly group: string
  readonly joined: boolean
  readonly sources: readonly string[]
}

/** What is joined in each way that there is, and where the other host is to hear of it. */
const kinds: readonly [options: Partial<ReceiverOptions>, on: readonly string[]][] = [
  // Where one of a process asks, the system reports nothing as long as another is joined.
  [{ group }, ['far0', 'far1', 'far2']],
  [{ group }, ['far0', 'far1', 'far2']],
  [{ group: '239.1.2.4', interfaces: ['e0'] }, ['far0']],
  [{ group: '239.1.2.5', interfaces: ['10.0.1.1'] }, ['far1']],
  [{ group: '232.1.2.6', sources: ['10.0.0.2', '10.0.0.3'] }, ['far0', 'far1', 'far2']],
  [{ group: '239.1.2.7', interfaces: 'default' }, ['far0']],
  [{ group: 'ff05::1:3' }, ['far0', 'far1']],
  [{ group: 'ff05::1:3' }, ['far0', 'far1']],
  [{ group: 'ff02::1:4' }, ['far0', 'far1']],
  [{ group: 'ff02::1:5%e1' }, ['far1']],
  [{ group: 'ff35::1:6', sources: ['fd00::2'] }, ['far0', 'far1']],
]

const expected: ReadonlyMap<string, readonly string[]> = new Map(
  kinds.flatMap(([{ group, sources = [] }, on]) =>
    on.map((device) => [`${group?.replace(/%.*/, '')} on ${device}`, sources] as const),
  ),
)

/** Reads what is reported until it is all that is joined here, with the sources that are asked for. */
async function allReported(capture: Program<Report>): Promise<void> {
  const missing = new Map(expected)
  while (missing.size > 0) {
    const { on, group, joined, sources } = await capture.next()
    const key = `${group} on ${on}`
    if (!joined) continue
    const left = missing.get(key)?.filter((source) => !sources.includes(source))
    if (left?.length === 0) missing.delete(key)
    else if (left !== undefined) missing.set(key, left)
  }
}

async function plug(lab: Lab): Promise<ReturnType<Lab['host']>> {
  const host = lab.host()
  for (const at of [0, 1]) {
    await lab.cable(
      [lab.here, `e${at}`, `10.0.${at}.1/24`, `fd0${at}::1/64`, 'fe80::1/64'],
      [host, `far${at}`, `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
    )
  }
  await lab.cable([lab.here, 'e2'], [host, 'far2', '10.0.2.2/24'])
  lab.here.ip(
    'route add 239.0.0.0/8 dev e0',
    // Listed as e2:web alone.
    'addr add 10.0.2.1/24 dev e2 label e2:web',
  )
  return host
}

scenario(
  'what is joined is reported anew after a carrier came back, and after the machine slept',
  ['python3'],
  async (lab, t) => {
    const host = await plug(lab)
    const events: unknown[] = []
    const errors: unknown[] = []
    const receivers = kinds.map(([options]) => {
      const own = { port, codec: text, followInterfaces: true }
      const receiver = new MulticastReceiver({ ...own, group, ...options })
      receiver.on('membership', (...event) => events.push(event))
      receiver.on('error', (error) => errors.push(error))
      return receiver
    })
    const heard = receivers.slice(0, 2).map((receiver) => {
      const messages: number[] = []
      receiver.on('message', (message) => messages.push(Number(message)))
      return messages
    })
    await Promise.all(receivers.map((receiver) => receiver.ready()))
    const before = receivers.map(({ memberships }) => memberships)

    // Its list tells that a look has seen the carrier go.
    await using sender = await new MulticastSender({ group, port, interfaces: 'all' }).ready()
    assert.deepEqual(sender.interfaces, ['e0', 'e1', 'e2'])
    const cut = ['far0', 'far1', 'far2']
    host.ip(...cut.map((device) => `link set dev ${device} down`))
    await until('a look has seen it', () => sender.interfaces.every((name) => name === 'lo'))
    const capture = host.python<Report>('reports')
    await capture.next()
    host.ip(...cut.map((device) => `link set dev ${device} up`))
    await allReported(capture)

    // The system says a thing twice, within a second. Later on it says nothing by itself.
    const pump = () => host.python<{ sent: number }>('pump', group, port, '10.0.0.2', 300)
    await pump().next()
    const isOver = (): boolean => heard.every((messages) => messages.includes(299))
    await until('the last is heard', isOver)
    for (const messages of heard) assert.deepEqual(messages.splice(0), [...Array(300).keys()])
    const late = host.python<Report>('reports')
    await late.next()
    const uptime = os.uptime()
    t.mock.method(os, 'uptime', () => uptime + 3600)
    const pumping = pump().next()
    await allReported(late)
    await pumping
    await until('the last is heard', isOver)

    assert.deepEqual(errors, [])
    assert.deepEqual(events, [])
    assert.deepEqual(
      receivers.map(({ memberships }) => memberships),
      before,
    )
    for (const messages of heard) {
      assert.deepEqual(messages, [...new Set(messages)], 'none twice')
      // At the moment between leaving and joining again the system delivers nothing: one is lost, or where the
      // machine is busy some.
      assert.ok(messages.length >= 290, `${messages.length} of 300`)
    }
    await Promise.all(receivers.map((receiver) => receiver.close()))
  },
)
