import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { lookup } from '../../src/datagram.js'
import { resolve } from '../../src/rules.js'
import { Chance, faultRules, judge } from '../../src/testing/faults.js'
import { type Faults, MockNetwork, type Transit } from '../../src/testing/index.js'
import { runProgram } from '../child.js'
import { moduleOf } from '../tree.js'
import { listen, speak } from './endpoints.js'

/** What is heard of so many numbered messages, each of which is awaited. */
async function run(options: Faults & { seed?: number }, count = 1000): Promise<number[]> {
  const network = new MockNetwork({ journalLimit: 0, ...options })
  const { heard } = await listen(network.host())
  const sender = speak(network.host())
  for (let at = 0; at < count; at += 1) {
    await sender.send(`${at}`)
    // Nothing is read between sends that are only awaited, and a receive buffer has room for 256 datagrams.
    if (at % 100 === 99) await network.settled()
  }
  await network.settled()
  return heard.map(Number)
}

const distinct = (heard: number[]): number => new Set(heard).size
const isOrdered = (heard: number[]): boolean =>
  heard.every((one, at) => at === 0 || one >= (heard[at - 1] ?? 0))

test('without faults all arrives, once and in order', async () => {
  assert.deepEqual(
    await run({}),
    Array.from({ length: 1000 }, (_, at) => at),
  )
})

test('loss takes its share, in the same places for the same seed', async () => {
  const heard = await run({ loss: 0.3, seed: 7 })
  // Four standard deviations around 700.
  assert.ok(Math.abs(heard.length - 700) < 58, `${heard.length}`)
  assert.ok(isOrdered(heard))
  assert.deepEqual(await run({ loss: 0.3, seed: 7 }), heard)
  assert.deepEqual(await run({ loss: 0.3 }), await run({ loss: 0.3, seed: 1 }))
  assert.notDeepEqual(await run({ loss: 0.3, seed: 8 }), heard)
  assert.deepEqual(await run({ loss: 1 }, 20), [])
})

test('a seed gives the same chances for good, others on each way', () => {
  const draws = (seed: number, name: string): number[] => {
    const chance = new Chance(seed, name)
    return [chance.draw(), chance.draw(), chance.draw()].map((draw) => Math.round(draw * 1e6))
  }
  assert.deepEqual(draws(1, 'host1 host2 eth0'), [91_798, 15_755, 923_898])
  assert.deepEqual(draws(1, 'host2 host1 eth0'), [316_945, 19_912, 939_595])
  assert.deepEqual(draws(-2, 'hôte'), [509_804, 72_608, 599_724])
})

test('what may happen takes a draw each, and happens where that is below its share', () => {
  const verdict = (faults: Faults, ...draws: number[]) => {
    const chance = { draw: () => draws.shift() ?? assert.fail('a draw too many') }
    const settings = resolve(faultRules, faults)
    const judged = judge(
      settings,
      () => chance as Chance,
      () => assert.fail('there is no rule'),
    )
    assert.deepEqual(draws, [], 'a draw too few')
    return judged
  }
  assert.deepEqual(verdict({}), { delays: [0], overtaken: false })
  assert.deepEqual(verdict({ loss: 0.3 }, 0.3), { delays: [0], overtaken: false })
  assert.deepEqual(verdict({ loss: 0.3 }, 0.29), { lostBy: 'loss' })
  assert.deepEqual(verdict({ duplication: 1 }, 0), { delays: [0, 0], overtaken: false })
  assert.deepEqual(verdict({ reordering: 1 }, 0), { delays: [0], overtaken: true })
  assert.deepEqual(verdict({ latency: 5 }), { delays: [5], overtaken: false })
  assert.deepEqual(verdict({ jitter: 1 }, 0.5), { delays: [0.5], overtaken: false })
  assert.deepEqual(verdict({ jitter: 20 }, 0.25), { delays: [5], overtaken: false })
  assert.deepEqual(verdict({ latency: 10, jitter: 20, duplication: 1 }, 0, 0.25, 0.5), {
    delays: [15, 20],
    overtaken: false,
  })
})

test('duplication brings its share twice', async () => {
  const heard = await run({ duplication: 0.3, seed: 7 })
  assert.equal(distinct(heard), 1000)
  assert.ok(Math.abs(heard.length - 1300) < 58, `${heard.length}`)
  assert.deepEqual(await run({ duplication: 1 }, 3), [0, 0, 1, 1, 2, 2])
})

test('reordering lets the next one overtake its share, and loses none', async () => {
  const heard = await run({ reordering: 0.3, seed: 7 })
  assert.deepEqual([heard.length, distinct(heard)], [1000, 1000])
  const overtaken = heard.filter((one, at) => at > 0 && one < (heard[at - 1] ?? 0)).length
  assert.ok(overtaken > 100 && overtaken < 300, `${overtaken}`)
  assert.deepEqual(await run({ reordering: 0.3, seed: 7 }), heard)
})

test('a way is not another one because the names of their hosts read alike', async () => {
  const network = new MockNetwork({ reordering: 1 })
  const heard: string[] = []
  const names = [
    ['a', 'b c'],
    ['a b', 'c'],
    ['d', 'ef'],
    ['de', 'f'],
  ] as const
  for (const [from, to] of names) {
    const far = network.host({ name: to })
    far
      .createSocket({ type: 'udp4', lookup })
      .bind(9)
      .on('message', () => heard.push(to))
    network.host({ name: from }).createSocket({ type: 'udp4', lookup }).send('x', 9, far.address)
  }
  await network.settled()
  assert.deepEqual(heard, ['b c', 'c', 'ef', 'f'])
  await network.close()
})

test('what reordering holds back, and nothing overtakes, comes all the same', async () => {
  assert.deepEqual(await run({ reordering: 1 }, 1), [0])
  assert.deepEqual(await run({ reordering: 1 }, 5), [1, 0, 3, 2, 4])
  // Of copies the last is held back.
  assert.deepEqual(await run({ reordering: 1, duplication: 1 }, 3), [0, 1, 0, 2, 1, 2])
})

test('each way has a chance of its own, whatever is sent on others meanwhile', async () => {
  const lost = async (isDisturbed: boolean): Promise<string[]> => {
    const network = new MockNetwork({ loss: 0.3 })
    const [a, b, c] = [network.host(), network.host(), network.host()]
    const { heard } = await listen(b)
    const sender = speak(a)
    const other = speak(c)
    for (let at = 0; at < 100; at += 1) {
      if (isDisturbed && at % 3 === 0) await other.send('disturbance')
      await sender.send(`${at}`)
    }
    await network.settled()
    return heard.filter((text) => text !== 'disturbance')
  }
  assert.deepEqual(await lost(true), await lost(false))
})

test('reordering is of one way, whatever comes to the same host on others meanwhile', async () => {
  const order = async (isDisturbed: boolean): Promise<string[]> => {
    const network = new MockNetwork({ reordering: 0.4 })
    const [a, b, c] = [network.host(), network.host(), network.host()]
    const { heard } = await listen(b)
    const [sender, other] = [speak(a), speak(c)]
    await Promise.all([sender.ready(), other.ready()])
    for (let at = 0; at < 100; at += 1) {
      // Not awaited, which would give what is held back the time to come.
      if (isDisturbed) void other.send('disturbance')
      await sender.send(`${at}`)
    }
    await network.settled()
    return heard.filter((text) => text !== 'disturbance')
  }
  const undisturbed = await order(false)
  assert.ok(!isOrdered(undisturbed.map(Number)))
  assert.deepEqual(await order(true), undisturbed)
})

test('all faults together give the same run for the same seed', async () => {
  const all = { loss: 0.2, duplication: 0.2, reordering: 0.2, seed: 42 }
  const heard = await run(all)
  assert.ok(!isOrdered(heard) && distinct(heard) < 1000 && distinct(heard) < heard.length)
  assert.deepEqual(await run(all), heard)
})

test('latency goes by the timers of the moment', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ latency: 50 })
  const { heard } = await listen(network.host())
  await speak(network.host()).send('late')
  t.mock.timers.tick(49)
  // Whatever is not under way by a timer has happened after two turns.
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(heard, [])
  t.mock.timers.tick(1)
  await network.settled()
  assert.deepEqual(heard, ['late'])
})

test('jitter lets datagrams overtake each other', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ latency: 10, jitter: 20, seed: 3 })
  const { heard } = await listen(network.host())
  const sender = speak(network.host())
  for (let at = 0; at < 100; at += 1) await sender.send(`${at}`)
  t.mock.timers.tick(9)
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(heard, [])
  t.mock.timers.tick(21)
  await network.settled()
  assert.equal(heard.length, 100)
  assert.ok(!isOrdered(heard.map(Number)))
})

test('a rule sees each datagram at each host, and decides', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ loss: 1 })
  const [a, b, c] = ['a', 'b', 'c'].map((name) => network.host({ name }))
  assert.ok(a && b && c)
  const ears = [await listen(b), await listen(c)]
  const seen: Transit[] = []
  network.setFaults({
    rule: (transit) => {
      seen.push(transit)
      const text = `${transit.data}`
      if (text === 'lost') return { lost: true }
      if (text === 'twice') return { lost: false, copies: 2 }
      if (text === 'late') return { lost: false, delay: 1000 }
      if (text === 'none') return { lost: false, copies: 0 }
      return text === 'chance' ? undefined : {}
    },
  })
  const sender = speak(a, { loopback: false })
  for (const text of ['lost', 'twice', 'late', 'none', 'chance', 'chance too']) {
    await sender.send(text)
  }
  await network.idle()
  assert.deepEqual(ears[0]?.heard, ['twice', 'twice'])
  t.mock.timers.tick(1000)
  await network.settled()
  for (const { heard } of ears) assert.deepEqual(heard, ['twice', 'twice', 'late'])
  assert.deepEqual(
    seen.slice(0, 2).map(({ data, ...rest }) => ({ ...rest, data: `${data}` })),
    ['b', 'c'].map((host) => ({
      data: 'lost',
      from: { host: 'a', address: '10.0.0.1', port: 32_768 },
      to: { host, address: '239.1.2.3', port: 10_000 },
      ttl: 1,
    })),
  )
  // It is given a copy.
  seen[0]?.data.fill(0)
  assert.equal(network.journal[0]?.text, 'lost')
})

test("a rule's mistake is uncaught, and no matter of the network's", async () => {
  const { code, stdout } = await runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    process.on('uncaughtException', ({ message, code }) => console.log(code, message))
    const network = new MockNetwork()
    const where = { group: '239.1.2.3', port: 10000, codec: text }
    const receiver = await new MulticastReceiver({ ...where, ...network.host() }).ready()
    receiver.on('message', console.log)
    const sender = await new MulticastSender({ ...where, loopback: false, ...network.host() }).ready()
    for (const fate of [
      5, { delay: -1 }, { copies: 1.5 }, { lost: 'yes' }, null, { delay: '5' }, { copies: '2' }, { delya: 1 }, Promise.resolve(), [],
      new Error('a mistake'),
    ]) {
      network.setFaults({
        rule() {
          if (fate instanceof Error) throw fate
          return fate
        },
      })
      await sender.send('x')
    }
    const outcomes = network.journal.flatMap(({ deliveries }) => deliveries.map((one) => one.outcome))
    console.log(...new Set(outcomes))
    await network.close()
  `)
  assert.deepEqual(
    [code, stdout.split('\n').map((line) => line.replace(/ must be.*but is/, ':'))],
    [
      0,
      [
        'ERR_MULTICAST_OPTION What rule returns: 5',
        'ERR_MULTICAST_OPTION delay: -1',
        'ERR_MULTICAST_OPTION copies: 1.5',
        "ERR_MULTICAST_OPTION lost: 'yes'",
        'ERR_MULTICAST_OPTION What rule returns: null',
        "ERR_MULTICAST_OPTION delay: '5'",
        "ERR_MULTICAST_OPTION copies: '2'",
        "ERR_MULTICAST_UNKNOWN_OPTION There is no option 'delya' here; did you mean 'delay'? The options are: lost, delay, copies",
        'ERR_MULTICAST_OPTION What rule returns: Promise { undefined }',
        'ERR_MULTICAST_OPTION What rule returns: []',
        'undefined a mistake',
        // The first is at the sender's own socket.
        'port rule',
        '',
      ],
    ],
  )
})

test('setFaults changes what it names, undefined to the default, and leaves the rest', async () => {
  const network = new MockNetwork({ loss: 1, rule: ({ data }) => ({ copies: data.length }) })
  const { heard } = await listen(network.host())
  const sender = speak(network.host())
  await sender.send('no')
  network.setFaults({ loss: undefined })
  await sender.send('yes')
  network.setFaults({ rule: undefined })
  await sender.send('once')
  await network.settled()
  assert.deepEqual(heard, ['yes', 'yes', 'yes', 'once'])
})

test('faults meet a host that hears itself', async () => {
  const network = new MockNetwork({ loss: 1 })
  const host = network.host()
  const { heard } = await listen(host)
  await speak(host).send('lost')
  network.setFaults({ loss: 0 })
  await speak(host).send('heard')
  await network.settled()
  assert.deepEqual(heard, ['heard'])
})

test('sockets of one host share what the wire brings', async () => {
  const network = new MockNetwork({ loss: 0.5, seed: 5 })
  const host = network.host()
  const [one, other] = [await listen(host), await listen(host)]
  const sender = speak(network.host())
  for (let at = 0; at < 100; at += 1) await sender.send(`${at}`)
  await network.settled()
  assert.deepEqual(one.heard, other.heard)
  assert.ok(one.heard.length > 20 && one.heard.length < 80)
})

test('replies meet faults too', async () => {
  const network = new MockNetwork({
    rule: ({ from }) => (from.host === 'b' ? { lost: true } : undefined),
  })
  const { receiver } = await listen(network.host({ name: 'b' }))
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  const sender = speak(network.host({ name: 'a' }))
  const heard: string[] = []
  sender.on('message', (message) => heard.push(message))
  const heardThere = once(receiver, 'message')
  await sender.send('hello')
  await heardThere
  await network.settled()
  assert.deepEqual(heard, [])
  assert.deepEqual(
    network.journal[1]?.deliveries.map(({ outcome }) => outcome),
    ['rule'],
  )
})
