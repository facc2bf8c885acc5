/** What the doctor says of a NATS server. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Check, type DiagnoseOptions, diagnose, type Finding } from '../../src/doctor/index.js'
import { type Carrier, MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { type NatsCarrier, natsCarrier } from '../../src/nats/index.js'
import { Inbox } from '../../src/testing/conformance/inbox.js'
import { checks, doubted, findings, onlyBad, shown } from '../findings.js'
import { closeAll, keep } from '../loopback.js'
import { type NatsServer, serving, natsTest as test } from '../nats.js'
import { until } from '../until.js'

const where = { group: '239.255.29.71', port: 10_000 }

/** Each may do all but what its name says. */
const config = `
max_payload: 4096
no_auth_user: open
authorization {
  users = [
    { user: open, password: x }
    { user: deaf, password: x, permissions: { subscribe: { deny: "multicast.group.>" } } }
    { user: deafToReplies, password: x, permissions: { subscribe: { deny: "multicast.host.>" } } }
    { user: selective, password: x, permissions: { subscribe: ["multicast.group.*.10-0-0-9", "multicast.all.>", "multicast.host.>"] } }
    { user: mute, password: x, permissions: { publish: { deny: "multicast.group.>" } } }
    { user: muteInReplies, password: x, permissions: { publish: { deny: "multicast.host.>" } } }
  ]
}
`

async function look(of: Carrier, more: DiagnoseOptions = {}) {
  const found = await findings({ ...where, ...of, ...more })
  // What is known of this host is beside the point.
  for (const check of ['route', 'port', 'rp-filter', 'firewall'] satisfies Check[]) {
    assert.ok(!found.some((one) => one.check === check), shown(found))
  }
  return found
}

interface Scene {
  readonly server: NatsServer
  /** A carrier by a connection of that user. */
  as(user: string): Promise<NatsCarrier>
}

/** A carrier whose connection the program ends. */
async function left(server: NatsServer, end: (connection: NatsConnection) => unknown) {
  const connection = await server.connect()
  const carrier = natsCarrier(connection)
  await end(connection)
  return carrier
}

/** What is wrong, how that is made, and what is found. */
const rows: {
  name: string
  make(scene: Scene): Promise<Carrier>
  more?: DiagnoseOptions
  bad?: [Check, RegExp]
  doubtful?: [Check, RegExp]
}[] = [
  { name: 'healthy', make: ({ server }) => server.carrier() },
  { name: 'healthy, IPv6', make: ({ server }) => server.carrier(), more: { group: 'ff15::1:3' } },
  { name: 'all hosts', make: ({ server }) => server.carrier(), more: { group: '224.0.0.1' } },
  {
    name: 'a group of this host',
    make: ({ server }) => server.carrier(),
    more: { group: 'ff01::9', interfaces: 'nats0' },
  },
  {
    name: 'healthy, without an echo',
    make: async ({ server }) => natsCarrier(await server.connect({ noEcho: true })),
  },
  {
    name: 'the server is stopped',
    make: async ({ server }) => {
      const carrier = await server.carrier()
      await server.stop()
      await until('it is lost', () => carrier.stats.disconnects > 0)
      return carrier
    },
    bad: ['connection', /^The NATS server is away/],
  },
  {
    name: 'the connection is closed',
    make: ({ server }) => left(server, (connection) => connection.close()),
    bad: [
      'connection',
      /^The connection to the NATS server is closed for good: the connection to NATS was/,
    ],
  },
  {
    name: 'the connection is about to be closed',
    make: ({ server }) => left(server, (connection) => void connection.drain()),
    bad: ['connection', /^The (NATS server does not answer: |connection .* is closed)/],
  },
  {
    name: 'subscribing is forbidden',
    make: ({ as }) => as('deaf'),
    bad: ['permission', /not let this program subscribe to multicast\.group\.239-255-29-71\.\*$/],
  },
  {
    name: 'subscribing to replies is forbidden',
    make: ({ as }) => as('deafToReplies'),
    bad: ['permission', /not let this program subscribe to multicast\.host\.100-\d+-\d+-\d+\.\*$/],
  },
  {
    name: 'publishing is forbidden',
    make: ({ as }) => as('mute'),
    bad: [
      'permission',
      /not let this program publish to multicast\.group\.239-255-29-71\.100-[\d-]+$/,
    ],
  },
  {
    name: 'replying is forbidden, as was seen',
    make: async ({ as }) => {
      const carrier = await as('muteInReplies')
      const receiver = keep(new MulticastReceiver({ ...where, codec: text, ...carrier }))
      await receiver.ready()
      receiver.on('message', (_message, remote) => void receiver.reply('reply', remote))
      const sender = keep(new MulticastSender({ ...where, ...(await as('open')) }))
      await sender.send('question')
      await until('it is denied', () => carrier.stats.denied > 0)
      return carrier
    },
    doubtful: [
      'permission',
      /^The server has forbidden this program to publish or subscribe \d+ times/,
    ],
  },
  {
    name: 'the server takes small messages alone',
    make: ({ as }) => as('open'),
    doubtful: [
      'connection',
      /^The server takes messages of up to 4096 bytes: .* more than 4081 is refused$/,
    ],
  },
  {
    name: 'no address of the family',
    make: ({ server }) => server.carrier({ address: '10.0.0.1' }),
    more: { group: 'ff15::1:3' },
    bad: ['address', /^nats0: no IPv6 address/],
  },
  {
    name: 'an interface of the system is named',
    make: ({ server }) => server.carrier(),
    more: { interfaces: 'eth0' },
    bad: ['interfaces', /There is no interface eth0, only lo, nats0/],
  },
]

/** What other programs send there, some of it nonsense, until what it returns is called. */
async function noise(server: NatsServer): Promise<() => void> {
  const carrier = await server.carrier()
  const senders = [where, { ...where, group: '239.9.9.9' }].map((to) =>
    keep(new MulticastSender({ ...to, ...carrier })),
  )
  const stranger = await server.connect()
  const timer = setInterval(() => {
    for (const sender of senders) void sender.send('hello').catch(() => {})
    stranger.publish('multicast.group.239-255-29-71.10-0-0-9', 'nonsense')
  }, 10)
  return () => clearInterval(timer)
}

test('it names what is wrong with the server, among silence and among noise', async (server, host) => {
  await serving(host, config, async (strict) => {
    const as: Scene['as'] = async (user) => natsCarrier(await strict.connect({ user, pass: 'x' }))
    for (const { name, make, more, bad, doubtful } of rows) {
      for (const isNoisy of [false, true]) {
        // Before, since whoever connects starts a server that was stopped.
        const stops = isNoisy ? [await noise(strict), await noise(server)] : []
        const carrier = await make({ server, as })
        const found = await look(carrier, { ...more, ...(isNoisy ? { watch: 100 } : {}) })
        for (const stop of stops) stop()
        const what = `${name}, ${isNoisy ? 'noisy' : 'silent'}\n${shown(found)}`
        try {
          if (bad !== undefined) onlyBad(found, ...bad)
          else if (doubtful !== undefined) doubted(found, ...doubtful)
          else {
            assert.deepEqual(checks(found, 'bad'), [])
            if (!isNoisy) assert.deepEqual(checks(found, 'doubtful'), [])
          }
        } catch (cause) {
          throw new Error(what, { cause })
        }
        await closeAll()
      }
      await server.release()
      await strict.release()
    }
  })
})

test('a server that takes nothing is not waited for', async (server) => {
  const carrier = await server.carrier()
  const other = await server.connect()
  server.pause()
  try {
    // A signal takes its time.
    const isThere = async () => {
      const answer = other.flush().then(() => true)
      return Promise.race([answer, delay(200, false)])
    }
    for (let asked = 0; await isThere(); asked += 1) assert.ok(asked < 10_000)
    const seen = /^The NATS server does not answer: it has taken more than 5000 ms/
    onlyBad(await look(carrier), 'connection', seen)
  } finally {
    server.resume()
  }
})

test('it tells who is heard, and how often the server was lost', async (server) => {
  const carrier = await server.carrier()
  const stop = await noise(server)
  const heard = await look(carrier, { watch: 300 })
  stop()
  assert.match(shown(heard), /good arrival: In 300 ms \d+ datagrams came, from 100\./)
  doubted(heard, 'arrival', /^\d+ messages on the subjects were not this carrier's/)
  await server.stop()
  await until('the server is lost', () => carrier.stats.disconnects === 1)
  await server.restart()
  await until('the server is back', () => 'nats0' in carrier.networkInterfaces())
  assert.match(
    shown(await look(carrier)),
    /good connection: The NATS server 127\.0\.0\.1:4222 answers\. Times that it was lost: 1/,
  )
})

test('what a program was too slow for, and what was refused, is told', async (_server, host) => {
  await serving(host, config, async (strict) => {
    const [here, there] = [natsCarrier(await strict.connect()), natsCarrier(await strict.connect())]
    const sender = keep(new MulticastSender({ ...where, ...here }))
    const receiver = keep(new MulticastReceiver({ ...where, ...there, recvBufferSize: 1 }))
    await receiver.ready()
    await assert.rejects(sender.send('x'.repeat(5000)), { code: 'ERR_MULTICAST_MESSAGE_SIZE' })
    doubted(await findings(sender), 'connection', /^1 datagrams were refused/)
    await Promise.all(Array.from({ length: 100 }, () => sender.send('x'.repeat(1000))))
    await until('some are dropped', () => there.stats.overflowed > 0)
    doubted(await findings(receiver), 'buffer', /^\d+ datagrams were dropped because their program/)
  })
})

test('what an endpoint has no need of it may be denied', async (_server, host) => {
  await serving(host, config, async (strict) => {
    const as = async (user: string) => natsCarrier(await strict.connect({ user, pass: 'x' }))
    const sender = keep(new MulticastSender({ ...where, ...(await as('deaf')) }))
    const receiver = keep(new MulticastReceiver({ ...where, ...(await as('mute')) }))
    await Promise.all([sender.ready(), receiver.ready()])
    doubted(
      await findings(sender),
      'permission',
      /subscribe to multicast\.group\.239-255-29-71\.\*$/,
    )
    const ofReceiver = await findings(receiver)
    doubted(ofReceiver, 'permission', /publish to multicast\.group\.239-255-29-71\.100-/)
    assert.match(shown(ofReceiver), /good membership: The doctor has joined/)
    const selective = { ...where, sources: ['10.0.0.9'], ...(await as('selective')) }
    const found = await findings(await keep(new MulticastReceiver(selective)).ready())
    doubted(found, 'self-test', /^Not made: the doctor could not join/)
    assert.match(shown(found), /lets this program subscribe to .*group\.239-255-29-71\.10-0-0-9$/m)
  })
})

test('a server that is lost while it watches is told', async (server) => {
  for (const isBack of [false, true]) {
    const carrier = await server.carrier()
    const found: Finding[] = []
    for await (const finding of diagnose({ ...where, ...carrier, watch: 300 })) {
      found.push(finding)
      if (finding.check !== 'self-test') continue
      await server.stop()
      await until('it is lost', () => carrier.stats.disconnects > 0)
      if (!isBack) continue
      await server.restart()
      await until('it is back', () => 'nats0' in carrier.networkInterfaces())
    }
    if (isBack) doubted(found, 'connection', /^The NATS server was lost meanwhile, and is back/)
    else onlyBad(found, 'connection', /^The NATS server is away/)
  }
})

test('what the doctor was refused costs the program nothing', async (_server, host) => {
  await serving(host, config, async (strict) => {
    const connection = await strict.connect({ user: 'mute', pass: 'x' })
    const carrier = natsCarrier(connection)
    const sender = keep(new MulticastSender({ ...where, ...carrier }))
    onlyBad(await look(carrier), 'permission')
    await strict.reload(config.replace('publish: { deny: "multicast.group.>" }', 'publish: ">"'))
    await sender.send('now it may')
    assert.deepEqual([carrier.stats.sent, carrier.stats.failed], [1, 0])
  })
})

test('two doctors by one server find each other', async (server) => {
  const carriers = [await server.carrier(), await server.carrier()]
  const both = await Promise.all(carriers.map((carrier) => look(carrier, { watch: 2500 })))
  for (const found of both) {
    assert.deepEqual(checks(found, 'bad'), [], shown(found))
    assert.match(shown(found), /good peers: Both ways/)
  }
})

test('what it publishes to see whether it may comes to no program, and quiet it publishes nothing', async (server) => {
  const subjects: string[] = []
  const stranger = await server.connect()
  stranger.subscribe('multicast.>', {
    callback: (_error, { subject }) => void subjects.push(subject),
  })
  await stranger.flush()
  const [here, there] = [await server.carrier({ address: '10.0.0.1' }), await server.carrier()]
  const receiver = keep(new MulticastReceiver({ ...where, codec: text, ...there }))
  const heard = new Inbox(receiver as never)
  await receiver.ready()
  for (const more of [{ quiet: true, watch: 50 }, { ttl: 0 }]) await look(here, more)
  await stranger.flush()
  assert.deepEqual(subjects, [])
  await look(here)
  await keep(new MulticastSender({ ...where, codec: text, ...here })).send('last')
  assert.match((await heard.until('last')).join(), /^typed-multicast doctor \w+\.0,last$/)
  assert.deepEqual(new Set(subjects), new Set(['multicast.group.239-255-29-71.10-0-0-1']))
  assert.deepEqual([there.stats.malformed, here.stats.malformed], [0, 0])
  for await (const { check } of diagnose({ ...where, ...here })) if (check === 'permission') break
})
