/** What the doctor says of a list of hosts. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Check, type DiagnoseOptions, diagnose } from '../../src/doctor/index.js'
import { MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { type UnicastOptions, unicastCarrier } from '../../src/unicast/index.js'
import { checks, doubted, findings, onlyBad, shown } from '../findings.js'
import { type Host, type Lab, scenario } from '../lab.js'
import { openSockets } from '../told.js'
import { Traffic } from '../traffic.js'
import { until } from '../until.js'

const where = { group: '239.255.29.71', port: 10_030 }
const six = { group: 'ff15::1:3', port: 10_030 }
const here = '10.0.0.1'
const there = '10.0.0.2'

/** What is known of the system's routes, rules and memberships is beside the point. */
const ofSystem: readonly Check[] = ['route', 'rp-filter', 'firewall', 'source']

async function look(carrier: UnicastOptions, more: DiagnoseOptions = {}) {
  const found = await findings({ ...where, ...unicastCarrier(carrier), ...more })
  assert.ok(!found.some(({ check }) => ofSystem.includes(check)), shown(found))
  return found
}

async function cabled(lab: Lab): Promise<Host> {
  const far = lab.host()
  await lab.cable(
    [lab.here, 'e0', `${here}/24`, '10.0.0.9/24', 'fd00::1/64'],
    [far, 'e0', `${there}/24`, '10.0.0.3/24', 'fd00::2/64'],
  )
  return far
}

const both = { peers: [here, there] }

/** What is wrong, how that is made, and what is found. */
const rows: {
  name: string
  carrier: UnicastOptions
  /** Makes it so; what it returns undoes it. */
  make?(lab: Lab, far: Host): Promise<() => unknown>
  more?: DiagnoseOptions
  /** What is called bad. */
  bad?: [Check, RegExp]
  /** What is doubted, if that is known to be wrong. */
  doubtful?: [Check, RegExp]
}[] = [
  { name: 'healthy', carrier: both },
  { name: 'healthy, at an address', carrier: { ...both, address: here } },
  { name: 'healthy, IPv6', carrier: { peers: ['fd00::1', 'fd00::2'] }, more: six },
  { name: 'an empty list', carrier: { peers: [] }, bad: ['hosts', /list of hosts is empty/] },
  {
    name: 'an empty list, but strangers are heard',
    carrier: { peers: [], strangers: true },
    doubtful: ['hosts', /list of hosts is empty/],
  },
  {
    name: 'only this host on the list',
    carrier: { peers: [here, 'fd00::1'] },
    bad: [
      'hosts',
      /^No other host is on the list: 10\.0\.0\.1 is this host itself, and is skipped/,
    ],
  },
  {
    name: 'only this host of the family',
    carrier: { peers: [here, 'fd00::2'] },
    bad: ['hosts', /^No other host of the list has an IPv4 address: 10\.0\.0\.1 is this host/],
  },
  {
    name: 'no host of the family',
    carrier: { peers: ['fd00::2'] },
    bad: ['hosts', /^No host of the list has an IPv4 address/],
  },
  {
    name: 'no address of the family here',
    carrier: { peers: ['fd00::2'], address: here },
    more: six,
    bad: ['address', /^peers0: no IPv6 address/],
  },
  {
    name: 'nobody has the port there',
    carrier: { peers: ['10.0.0.3'] },
    doubtful: ['hosts', /^No program has port 10030 there, by the answer of 10\.0\.0\.3$/],
  },
  {
    name: 'one of them has not got the port',
    carrier: { peers: [there, '10.0.0.3'] },
    doubtful: ['hosts', /^No program has port 10030 there, by the answer of 10\.0\.0\.3$/],
  },
  {
    name: 'no route',
    carrier: { peers: ['10.8.0.1'] },
    make: async (lab) => {
      lab.here.ip('route add unreachable 10.8.0.0/16')
      return () => lab.here.ip('route del unreachable 10.8.0.0/16')
    },
    bad: ['hosts', /^These cannot be reached: 10\.8\.0\.1 \(EHOSTUNREACH\)$/],
  },
  {
    name: 'a second process has the port',
    carrier: both,
    make: async (lab) => {
      const second = await lab.here.peer({ ...both, address: here })
      await second.receiver(where)
      return () => second.reset()
    },
    bad: ['port', /^port 10030 is in use, bound to 10\.0\.0\.1 \(uid \d+\)$/],
  },
  {
    name: 'a second process has the port of an address, and others have it of other addresses',
    carrier: { ...both, address: here },
    make: async (lab) => {
      const second = await lab.here.peer({ ...both, address: here })
      await second.receiver(where)
      const others = ['127.0.0.1', '10.0.0.9', where.group].map((address) =>
        createSocket('udp4').bind(where.port, address),
      )
      await Promise.all(others.map((other) => once(other, 'listening')))
      return async () => {
        for (const other of others) other.close()
        await second.reset()
      }
    },
    bad: ['port', /^port 10030 is in use, bound to 10\.0\.0\.1 \(uid \d+\)$/],
  },
  {
    name: 'this host does not have the address',
    carrier: { ...both, address: '10.0.0.8' },
    bad: ['address', /this host does not have the carrier's address/],
  },
  {
    name: 'a second process has another address',
    carrier: { ...both, address: here },
    make: async (lab) => {
      const second = await lab.here.peer({ peers: [here], address: '10.0.0.9' })
      await second.receiver(where)
      return () => second.reset()
    },
  },
  {
    name: 'an interface of the system is named',
    carrier: both,
    more: { interfaces: 'e0' },
    bad: ['interfaces', /There is no interface e0, only lo, peers0/],
  },
]

scenario(
  'it names what is wrong with the list, in a silent network and in a noisy one',
  [],
  async (lab, t) => {
    const far = await cabled(lab)
    // Hosts answer only so often.
    far.sysctl('ipv4/icmp_ratelimit=0')
    const peer = await far.peer({ peers: [here, there], address: there })
    await peer.receiver(where)
    const peer6 = await far.peer({ peers: ['fd00::1'], address: 'fd00::2' })
    await peer6.receiver(six)
    const stranger = await Traffic.from(far, '10.0.0.3')
    const plain = await Traffic.from(far, there)
    for (const { name, carrier, make, more, bad, doubtful } of rows) {
      const undo = await make?.(lab, far)
      for (const isNoisy of [false, true]) {
        await t.test(`${name}, ${isNoisy ? 'noisy' : 'silent'}`, async () => {
          const noise = [`udp ${here} ${where.port}`, `udp ${where.group} ${where.port}`]
          for (const traffic of [stranger, plain]) await traffic.to(...(isNoisy ? noise : []))
          const found = await look(carrier, { ...more, ...(isNoisy ? { watch: 100 } : {}) })
          if (bad !== undefined) onlyBad(found, ...bad)
          else if (doubtful !== undefined) doubted(found, ...doubtful)
          else {
            assert.deepEqual(checks(found, 'bad'), [], shown(found))
            if (!isNoisy) assert.deepEqual(checks(found, 'doubtful'), [], shown(found))
          }
        })
      }
      await undo?.()
    }
  },
)

scenario('while it watches it tells who is heard, and what is ignored', [], async (lab, t) => {
  const far = await cabled(lab)
  const peer = await far.peer({ ...both, address: there })
  const sender = await peer.sender(where)
  await peer.receiver(where)
  const timer = setInterval(() => void sender.send('hello').catch(() => {}), 20)
  t.after(() => clearInterval(timer))
  const heard = await look(both, { watch: 300 })
  assert.deepEqual(checks(heard, 'bad'), [], shown(heard))
  assert.match(shown(heard), /good arrival: In 300 ms \d+ datagrams came, from 10\.0\.0\.2/)
  assert.match(shown(heard), /good hosts: Something came from each host of the list/)
  const third = await look({ peers: [there, '10.0.0.3'] }, { watch: 300, quiet: true })
  doubted(third, 'hosts', /^Nothing came from 10\.0\.0\.3$/)
  const unlisted = await look({ peers: ['fd00::2', '10.0.0.3'] }, { watch: 300, quiet: true })
  doubted(unlisted, 'hosts', /^\d+ datagrams came from hosts that are not on the list/)
  doubted(unlisted, 'arrival', /^In 300 ms nothing arrived/)
  clearInterval(timer)
  await peer.reset()
  const plain = await Traffic.from(far, there)
  await plain.to(`udp ${here} ${where.port}`)
  doubted(await look(both, { watch: 300, quiet: true }), 'arrival', /without the carrier's header/)
})

scenario('two doctors over lists of hosts find each other', [], async () => {
  const peers = ['127.0.0.2', '127.0.0.3']
  const [one, other] = await Promise.all(
    peers.map((address) => look({ peers, address }, { watch: 2500 })),
  )
  for (const found of [one, other]) {
    assert.ok(found)
    assert.deepEqual(checks(found, 'bad'), [], shown(found))
    assert.match(shown(found), /good peers: Both ways/)
    assert.match(shown(found), /good hosts: Something came from each host of the list/)
  }
})

scenario(
  'it takes an endpoint over a list of hosts, with what its socket has lost',
  [],
  async () => {
    const peers = ['127.0.0.2', '127.0.0.3']
    const carrier = unicastCarrier({ peers, address: '127.0.0.2' })
    const [mine, others] = [carrier, unicastCarrier({ peers, address: '127.0.0.3' })]
    await using receiver = new MulticastReceiver({ ...where, codec: text, ...mine })
    await using sender = new MulticastSender({ ...where, ...mine })
    await using far = new MulticastReceiver({ ...where, ...others })
    await Promise.all([receiver.ready(), sender.ready(), far.ready()])
    for (const endpoint of [receiver, sender]) {
      const found = await findings(endpoint)
      assert.deepEqual(checks(found, 'bad'), [], shown(found))
      assert.deepEqual(checks(found, 'doubtful'), [], shown(found))
      assert.match(
        shown(found),
        /good hosts: Copies go to 127\.0\.0\.3\. 127\.0\.0\.2 is this host/,
      )
      assert.match(shown(found), /good arrival: The (sender|receiver) has counted/)
    }
    // In one turn, so that nobody reads.
    const flood = createSocket('udp4')
    flood.bind(0, '127.0.0.3')
    await once(flood, 'listening')
    for (let sent = 0; sent < 500; sent += 1)
      flood.send(Buffer.alloc(60_000), where.port, '127.0.0.2')
    const drops = /^\s*\d+: 0200007F:272E 00000000:0000 07 00000000:00000000 .* [1-9]\d*\s*$/m
    await until('some are dropped, and the others read', () =>
      drops.test(readFileSync('/proc/net/udp', 'utf8')),
    )
    flood.close()
    const found = await findings(receiver)
    doubted(
      found,
      'buffer',
      /^The socket on 127\.0\.0\.2 \(this process, \d+\) has lost \d+ datagrams/,
    )
    // Of what the program sends itself, a socket that is not read has room for two.
    await Promise.all(Array.from({ length: 20 }, () => sender.send(Buffer.alloc(60_000))))
    await until('the last are dropped', () => carrier.stats.overflowed > 0)
    doubted(await findings(receiver), 'buffer', /^\d+ datagrams were dropped because/)
  },
)

scenario('quiet it sends nothing, and it leaves nothing open', [], async (lab) => {
  const far = await cabled(lab)
  const sent = () => {
    const [, numbers = ''] = readFileSync('/proc/net/snmp', 'utf8').match(/^Udp: (\d.*)$/m) ?? []
    return numbers.split(' ')[3]
  }
  const before = [sent(), openSockets()]
  await look(both, { quiet: true, watch: 50 })
  await look(both, { ttl: 0 })
  assert.deepEqual([sent(), openSockets()], before)
  const peer = await far.peer({ ...both, address: there })
  const { heard } = await peer.receiver(where)
  await look(both)
  assert.notEqual(sent(), before[0])
  // What asks whether somebody has the port there comes to no program.
  await using sender = new MulticastSender({ ...where, codec: text, ...unicastCarrier(both) })
  await sender.send('last')
  assert.match((await heard.until('last')).join(), /^typed-multicast doctor \w+\.0,last$/)
  await sender.close()
  const open = openSockets()
  for (const last of ['hosts', 'interfaces', 'port', 'self-test']) {
    for await (const { check } of diagnose({ ...where, ...unicastCarrier(both) })) {
      if (check === last) break
    }
    // What it has begun may be told of only now.
    await new Promise(setImmediate)
    assert.equal(openSockets(), open, last)
  }
})
