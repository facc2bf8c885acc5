import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import type { TestContext } from 'node:test'
import { MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { runProgram } from './child.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets, told } from './told.js'
import { until } from './until.js'

const port = 10000
const group = '239.1.2.3'
const bound = 10_000

/** What a receiver elsewhere hears, which answers each message with its name and the message. */
async function listener(host: Host, options: { group: string; interfaces?: string }, name = '') {
  const peer = await host.peer()
  return new Inbox(await peer.receiver({ port, ...options }, name))
}

/** Here with two interfaces, `e0` and `e1`, and a host behind each. */
async function fork(lab: Lab): Promise<[Host, Host]> {
  const hosts: [Host, Host] = [lab.host(), lab.host()]
  await Promise.all(hosts.map((host, at) => plug(lab, host, at)))
  return hosts
}

/** Plugs the cable of an interface here in, with addresses that end in `own`. */
function plug(lab: Lab, host: Host, at: number, own = 1): Promise<void> {
  return lab.cable(
    [lab.here, `e${at}`, `10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${own}/64`],
    [host, 'far', `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
  )
}

const families = [
  {
    family: 'IPv4',
    group,
    far: group,
    from: (at: number, own = 1) => `10.0.${at}.${own}`,
    address: (at: number, own = 1) => `10.0.${at}.${own}`,
  },
  {
    family: 'IPv6',
    group: 'ff05::1:3',
    far: 'ff05::1:3',
    from: (at: number, own = 1) => `fd0${at}::${own}`,
    address: (at: number, own = 1) => `fd0${at}::${own}`,
  },
  {
    family: 'link-local IPv6',
    group: 'ff02::1:3',
    far: 'ff02::1:3%far',
    from: (_at: number, own = 1) => `fe80::${own}%far`,
    address: (at: number, own = 1) => `fe80::${own}%e${at}`,
  },
]

scenario(
  'a name sends from the address that the system would use, an address from itself',
  [],
  async (lab, t) => {
    const far = lab.host()
    await lab.cable(
      [lab.here, 'e0', '10.7.0.1/24', '10.7.0.50/24', '192.168.44.9/24'],
      [far, 'far', '10.7.0.2/24', '169.254.1.2/16', '192.168.44.2/24'],
    )
    lab.here.ip('addr add 169.254.29.54/16 dev e0 scope link')
    assert.equal(networkInterfaces().e0?.[0]?.address, '169.254.29.54')
    const heard = await listener(far, { group }, 'heard ')
    const lines = told(t)

    for (const [interfaces, source] of [
      ['e0', '10.7.0.1'],
      ['10.7.0.1', '10.7.0.1'],
      ['169.254.29.54', '169.254.29.54'],
      ['10.7.0.50', '10.7.0.50'],
      ['192.168.44.9', '192.168.44.9'],
    ] as const) {
      await using sender = new MulticastSender({ group, port, interfaces, codec: text })
      const answers = []
      for await (const { message } of sender.request(interfaces, { limit: 1, timeout: bound })) {
        answers.push(message)
      }
      assert.deepEqual(answers, [`heard ${interfaces}`])
      const { text: message, remote } = await heard.next()
      assert.deepEqual([message, remote.address], [interfaces, source])
      assert.deepEqual(sender.interfaces, ['e0'])
      assert.ok(lines.some((line) => line.includes(`sending through e0 from ${source}`)))
    }

    lab.here.ip('route add 239.0.0.0/8 dev e0 src 10.7.0.50')
    await using byRoute = new MulticastSender({ group, port })
    await byRoute.send('by route')
    assert.equal((await heard.next()).remote.address, '10.7.0.50')
    assert.ok(lines.some((line) => line.includes("through the system's route from 10.7.0.50")))
    assert.deepEqual(byRoute.interfaces, ['default'])
  },
)

scenario(
  'over IPv6 an address that is given is the source, also a link-local one',
  [],
  async (lab, t) => {
    const far = lab.host()
    await lab.cable(
      [lab.here, 'e0', 'fd01::1/64', 'fd01::50/64', 'fe80::1/64', 'fe80::50/64'],
      [far, 'far', 'fd01::2/64', 'fe80::2/64'],
    )
    const lines = told(t)
    for (const [group, farGroup] of [
      ['ff05::1:3', 'ff05::1:3'],
      ['ff02::1:3', 'ff02::1:3%far'],
    ] as const) {
      const heard = await listener(far, { group: farGroup }, 'heard ')
      for (const [interfaces, source] of [
        ['fd01::1', 'fd01::1'],
        ['FD01:0::50', 'fd01::50'],
        ['fe80::1', 'fe80::1%far'],
        ['fe80::50%e0', 'fe80::50%far'],
      ] as const) {
        await using sender = new MulticastSender({ group, port, interfaces })
        const replies = new Inbox(sender)
        await sender.send(interfaces)
        const { remote } = await heard.next()
        assert.equal(remote.address, source, interfaces)
        assert.equal((await replies.next()).text, `heard ${interfaces}`)
        const here = source.replace('far', 'e0')
        assert.ok(
          lines.some((line) => line.includes(`sending through e0 from ${here}`)),
          here,
        )
      }
    }
  },
)

scenario('localAddress is bound to, whatever interface is named', [], async (lab) => {
  const far = lab.host()
  await lab.cable(
    [lab.here, 'e0', '10.7.0.1/24', '10.7.0.50/24', 'fd01::1/64', 'fd01::50/64'],
    [far, 'far', '10.7.0.2/24', 'fd01::2/64'],
  )
  for (const [group, interfaces, localAddress] of [
    ['239.1.2.3', '10.7.0.1', '10.7.0.50'],
    ['ff05::1:3', 'fd01::1', 'fd01::50'],
  ] as const) {
    const heard = await listener(far, { group })
    await using sender = new MulticastSender({ group, port, interfaces, localAddress })
    await sender.send('hello')
    assert.equal((await heard.next()).remote.address, localAddress)
    assert.equal(sender.address().address, localAddress)
  }
})

scenario(
  'an interface whose only address has a label goes by any of its names',
  [],
  async (lab) => {
    const far = lab.host()
    await lab.cable([lab.here, 'e0'], [far, 'far', '10.8.0.2/24'])
    lab.here.sysctl('ipv6/conf/e0/disable_ipv6=1')
    lab.here.ip('addr add 10.8.0.1/24 dev e0 label e0:1')
    assert.deepEqual(Object.keys(networkInterfaces()), ['lo', 'e0:1'])
    const heard = await listener(far, { group })
    const caller = await (await far.peer()).sender({ group, port, interfaces: 'far' })

    for (const wanted of ['e0', '10.8.0.1', 'e0:1']) {
      await using sender = new MulticastSender({ group, port, interfaces: wanted })
      await sender.send(wanted)
      const { text, remote } = await heard.next()
      assert.deepEqual([text, remote.address], [wanted, '10.8.0.1'])

      await using receiver = new MulticastReceiver({ group, port, interfaces: wanted })
      const inbox = new Inbox(receiver)
      await receiver.ready()
      assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
      await caller.send('first')
      await receiver.leave({ interface: wanted })
      assert.deepEqual(receiver.memberships, [])
      assert.doesNotMatch(lab.here.groups('e0'), /239\.1\.2\.3/)
      await receiver.join({ interface: wanted })
      await caller.send('second')
      assert.deepEqual(await inbox.until('second'), ['first', 'second'])
      assert.deepEqual(
        (await heard.take(2)).map(({ text }) => text),
        ['first', 'second'],
      )
    }
  },
)

scenario('two interfaces with one address go by the address alone', [], async (lab) => {
  for (const name of ['e0', 'e1']) {
    await lab.cable([lab.here, name, '10.0.0.1/24'], [lab.host(), 'far', '10.0.0.2/24'])
  }
  for (const name of ['e0', 'e1']) {
    const refusal = {
      code: 'ERR_MULTICAST_INTERFACE',
      message: new RegExp(
        `'${name}'.*10\\.0\\.0\\.1 is also that of ${name === 'e0' ? 'e1' : 'e0'}`,
      ),
    }
    assert.throws(() => new MulticastSender({ group, port, interfaces: name }), refusal)
    assert.throws(() => new MulticastReceiver({ group, port, interfaces: [name] }), refusal)
  }
  const counted = (): string[] =>
    ['lo', 'e0', 'e1'].filter((name) => lab.here.groups(name).includes(group))

  for (const [interfaces, loopback] of [
    ['all', ['lo']],
    ['10.0.0.1', []],
  ] as const) {
    await using receiver = await new MulticastReceiver({ group, port, interfaces }).ready()
    const names = receiver.memberships.map((membership) => membership.interface)
    assert.equal(names.length, loopback.length + 1)
    assert.deepEqual(names, counted())

    await using sender = await new MulticastSender({ group, port, interfaces }).ready()
    assert.equal(sender.interfaces.length, 1)
    const inbox = new Inbox(receiver)
    await sender.send('once')
    await receiver.join()
    assert.deepEqual(
      receiver.memberships.map((membership) => membership.interface),
      names,
    )
    await sender.send('end')
    assert.deepEqual(await inbox.until('end'), ['once', 'end'])
    await receiver.leave({ interface: '10.0.0.1' })
    assert.deepEqual(
      receiver.memberships.map((membership) => membership.interface),
      loopback,
    )
    assert.deepEqual(counted(), loopback)
  }
})

for (const { family, group, far, from } of families) {
  scenario(
    `over ${family}, several interfaces have a datagram each, and request() gathers the answers`,
    [],
    async (lab) => {
      const hosts = await fork(lab)
      const heard = await Promise.all(
        hosts.map((host, at) => listener(host, { group: far, interfaces: 'far' }, `${at} heard `)),
      )
      for (const interfaces of ['all', ['e0', 'e1'], ['e1', 'e0', 'e1']] as const) {
        const before = openSockets()
        {
          await using sender = new MulticastSender({ group, port, interfaces, codec: text })
          assert.deepEqual(sender.interfaces, [])
          const answers: string[] = []
          for await (const { message } of sender.request('hi', { limit: 2, timeout: bound })) {
            answers.push(message)
          }
          assert.deepEqual(answers.sort(), ['0 heard hi', '1 heard hi'])
          const names = interfaces === 'all' ? ['e0', 'e1'] : [...new Set(interfaces)]
          assert.deepEqual(sender.interfaces, names)
          assert.equal(openSockets(), before + 2)
          assert.deepEqual(sender.stats, { ...sender.stats, sent: 2, bytesSent: 4, received: 2 })
          assert.equal(await sender.send('end'), 3)
          for (const [at, inbox] of heard.entries()) {
            const mails = await inbox.take(2)
            assert.deepEqual(
              mails.map(({ text, remote }) => [text, remote.address]),
              ['hi', 'end'].map((text) => [text, from(at)]),
            )
          }
        }
        assert.equal(openSockets(), before)
      }
    },
  )
}

scenario("'all' is the loopback interface where there is no other", [], async (_lab) => {
  await using receiver = new MulticastReceiver({ group, port })
  await using sender = new MulticastSender({ group, port, interfaces: 'all' })
  const inbox = new Inbox(receiver)
  await Promise.all([receiver.ready(), sender.ready()])
  await sender.send('hello')
  assert.equal((await inbox.next()).remote.address, '127.0.0.1')
  assert.deepEqual(sender.interfaces, ['lo'])
})

for (const { family, group, far } of families) {
  scenario(`over ${family}, a dead interface does not spoil the others`, [], async (lab, t) => {
    const [one, other] = await fork(lab)
    const heard = await listener(other, { group: far })
    await using sender = new MulticastSender({ group, port, interfaces: ['e0', 'e1'] })
    await sender.send('both')
    assert.equal(sender.stats.sent, 2)
    const lines = told(t)
    const dead = (): number => lines.filter((line) => /not sent through e0: .*e0/.test(line)).length

    lab.here.ip('link set dev e0 down')
    assert.equal(await sender.send('while down'), 10)
    // Each way settles by itself.
    await until('it is not sent through e0', () => dead() >= 1)
    assert.equal(sender.stats.sent, 3)
    lab.here.unplug('e0')
    assert.equal(await sender.send('while deleted'), 13)
    await until('it is not sent through e0 again', () => dead() >= 2)
    assert.equal(sender.stats.sent, 4)
    assert.deepEqual(sender.interfaces, ['e0', 'e1'])

    await plug(lab, one, 0)
    const heardAgain = await listener(one, { group: far })
    await sender.send('end')
    await until('it is sent both ways', () => sender.stats.sent >= 6)
    assert.equal((await heardAgain.next()).text, 'end')
    assert.deepEqual(await heard.until('end'), ['both', 'while down', 'while deleted', 'end'])

    lab.here.unplug('e0')
    lab.here.unplug('e1')
    await assert.rejects(sender.send('nowhere'), {
      code: 'ERR_MULTICAST_SEND',
      message: /through e\d: .*\(e\d is down or gone, or has no IPv\d address/,
    })
  })

  scenario(`over ${family}, several interfaces share a localPort`, [], async (lab) => {
    const hosts = await fork(lab)
    const heard = await Promise.all(hosts.map((host) => listener(host, { group: far }, 'heard ')))
    const localPort = 20_000
    const before = openSockets()
    const sender = new MulticastSender({ group, port, interfaces: ['e0', 'e1'], localPort })
    const replies = new Inbox(sender)
    await sender.send('hello')
    for (const inbox of heard) assert.equal((await inbox.next()).remote.port, localPort)
    assert.deepEqual(
      (await replies.take(2)).map(({ text }) => text),
      ['heard hello', 'heard hello'],
    )
    const own = families.find((one) => one.group === group)?.address
    assert.deepEqual([sender.address().port, sender.address().address], [localPort, own?.(0)])
    for (const [address, isFree] of [
      [own?.(0), false],
      [own?.(1), false],
      [group === '239.1.2.3' ? '127.0.0.1' : '::1', true],
    ] as const) {
      assert.equal(await isBindable(address as string, localPort), isFree, address)
    }
    await sender.close()
    assert.equal(await isBindable(own?.(0) as string, localPort), true)
    assert.equal(openSockets(), before)
  })
}

async function isBindable(address: string, port: number): Promise<boolean> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const bound = once(socket, 'listening').then(
    () => true,
    () => false,
  )
  socket.bind({ address, port })
  const isFree = await bound
  const closed = once(socket, 'close')
  socket.close()
  await closed
  return isFree
}

scenario('the sockets of several interfaces live and end together', [], async (lab) => {
  await fork(lab)
  const options = { group, port, interfaces: ['e0', 'e1'] }
  const before = openSockets()
  const controller = new AbortController()
  const aborted = await new MulticastSender({ ...options, signal: controller.signal }).ready()
  assert.equal(openSockets(), before + 2)
  const closed = once(aborted, 'close')
  controller.abort()
  await closed
  assert.equal(openSockets(), before)
  assert.deepEqual(aborted.interfaces, [])

  const early = new MulticastSender(options)
  await early.close()
  const opening = new MulticastSender(options)
  await Promise.resolve()
  await Promise.resolve()
  await opening.close()
  assert.equal(openSockets(), before)

  for (const [held, lasts] of [
    ['sender.unref()', 'ends'],
    ['sender.unref(); await sender.ready(); sender.ref(); sender.unref()', 'ends'],
    ['await sender.ready(); sender.unref().ref()', 'lasts'],
  ]) {
    const { code, stdout } = await runProgram(`
      const sender = new MulticastSender(${JSON.stringify(options)})
      setTimeout(() => { console.log('lasts'); process.exit() }, 500).unref()
      process.on('exit', (code) => process.exitCode === undefined && console.log('end'))
      ${held}
    `)
    assert.deepEqual([code, stdout.startsWith('lasts')], [0, lasts === 'lasts'], held)
  }
})

/** Also where the test fails, so that no port is taken for the next. */
function closeAfter(t: TestContext, senders: readonly { close(): Promise<void> }[]): void {
  t.after(() => Promise.all(senders.map((sender) => sender.close())))
}

const changes = [
  {
    change: 'has another address',
    own: 7,
    make: async (lab: Lab, _host: Host) => {
      for (const [one, other] of [
        ['10.0.0.1/24', '10.0.0.7/24'],
        ['fd00::1/64', 'fd00::7/64 nodad'],
        ['fe80::1/64', 'fe80::7/64 nodad'],
      ]) {
        lab.here.ip(`addr del ${one} dev e0`)
        lab.here.ip(`addr add ${other} dev e0`)
      }
    },
  },
  {
    change: 'was made anew',
    own: 1,
    make: async (lab: Lab, host: Host) => {
      lab.here.unplug('e0')
      await plug(lab, host, 0)
    },
  },
  {
    change: 'was made anew with another address',
    own: 7,
    make: async (lab: Lab, host: Host) => {
      lab.here.unplug('e0')
      await plug(lab, host, 0, 7)
    },
  },
]

for (const { family, group, far, from } of families) {
  for (const { change, own, make } of changes) {
    scenario(`over ${family}, sends heal where the interface ${change}`, [], async (lab, t) => {
      const [host] = await fork(lab)
      const options = { group, port }
      const given = families.find((one) => one.group === group)?.address(0) as string
      const senders = [
        new MulticastSender({ ...options, interfaces: 'e0' }),
        new MulticastSender({ ...options, interfaces: ['e0', 'e1'] }),
        // Over IPv6 the kernel does not refuse to send from a bound address that is gone.
        ...(change === 'has another address' && group !== '239.1.2.3'
          ? []
          : [new MulticastSender({ ...options, interfaces: ['e0', 'e1'], localPort: 20_000 })]),
        // Only one that is there again can be sent from.
        ...(own === 1
          ? [
              new MulticastSender({ ...options, interfaces: given }),
              new MulticastSender({ ...options, interfaces: 'e0', localAddress: given }),
            ]
          : []),
      ]
      closeAfter(t, senders)
      for (const sender of senders) await sender.send('before')

      await make(lab, host)
      const heard = await listener(host, { group: far }, 'heard ')
      const before = openSockets()
      for (const [at, sender] of senders.entries()) {
        const { sent } = sender.stats
        const ways = sender.interfaces.length
        const messages = Array.from({ length: 10 }, (_, number) => `${at}: ${number}`)
        const sends = messages.map((message) => sender.send(message))
        await Promise.all(sends)
        // Each way settles by itself.
        await until('each has sent', () => sender.stats.sent >= sent + 10 * ways)
        const mails = await heard.take(10)
        assert.deepEqual(mails.map(({ text }) => text).sort(), messages)
        assert.deepEqual(
          [...new Set(mails.map(({ remote }) => remote.address))],
          [from(0, own)],
          `sender ${at}`,
        )
        if (at === 2) assert.equal(mails[0]?.remote.port, 20_000)
        const replies = new Inbox(sender)
        await sender.send('end')
        await heard.next()
        await replies.until('heard end')
      }
      assert.equal(openSockets(), before)
      const ways = senders.flatMap(({ interfaces }) => interfaces).length
      for (const sender of senders) await sender.close()
      assert.equal(openSockets(), before - ways)
    })
  }

  scenario(
    `over ${family}, a send that cannot be healed tells why, and a later one goes out`,
    [],
    async (lab, t) => {
      const [host] = await fork(lab)
      const given = families.find((one) => one.group === group)?.address(0) as string
      const one = given.split('%')[0]
      const options = { group, port }
      const senders = [
        new MulticastSender({ ...options, interfaces: 'e0' }),
        new MulticastSender({ ...options, interfaces: given }),
        new MulticastSender({ ...options, interfaces: 'e0', localAddress: given }),
      ]
      closeAfter(t, senders)
      for (const sender of senders) await sender.ready()
      const messages = [
        /e0 is down or gone, or has no IPv\d address: sends go out again once it is back/,
        new RegExp(
          `no interface that is up has the address ${one}\\S*: sends go out again once one has it`,
        ),
      ]
      const refused = async (which: number[]): Promise<void> => {
        for (const at of which) {
          const message = messages[Math.min(at, 1)]
          await assert.rejects(senders[at]?.send('refused') as Promise<number>, (error: Error) => {
            assert.equal((error as { code?: string }).code, 'ERR_MULTICAST_SEND')
            // With a localAddress it may be either that is told.
            assert.ok(
              at === 2 ? messages.some((m) => m.test(error.message)) : message?.test(error.message),
              error.message,
            )
            return true
          })
        }
      }

      lab.here.unplug('e0')
      await refused([0, 1, 2])
      await plug(lab, host, 0, 7)
      await refused([1, 2])
      lab.here.unplug('e0')
      await refused([0, 1, 2])
      await plug(lab, host, 0)
      const heard = await listener(host, { group: far })
      for (const sender of senders) await sender.send('again')
      const mails = await heard.take(3)
      for (const { text, remote } of mails)
        assert.deepEqual([text, remote.address], ['again', from(0)])
      lab.here.ip('link set dev e0 down')
      await refused([0, 1, 2])
      for (const sender of senders) await sender.close()
    },
  )
}

scenario('closing while sends heal lets them go out, an abort gives them up', [], async (lab) => {
  const [host] = await fork(lab)
  for (const [options, change] of [
    [{ interfaces: 'e0' }, changes[1]],
    [{ interfaces: ['e0', 'e1'], localPort: 20_000 }, changes[2]],
  ] as const) {
    for (const end of ['close', 'abort'] as const) {
      lab.here.unplug('e0')
      await plug(lab, host, 0)
      const before = openSockets()
      const controller = new AbortController()
      const { signal } = controller
      const sender = await new MulticastSender({ group, port, ...options, signal }).ready()
      await change?.make(lab, host)
      const heard = await listener(host, { group })
      const peers = openSockets() - before
      const { sent } = sender.stats
      const sends = ['a', 'b', 'c'].map((message) => sender.send(message))
      // One tick of the loop tells of the refusal.
      if (end === 'abort') await new Promise(setImmediate)
      const closed = once(sender, 'close')
      if (end === 'close') sender.close()
      else controller.abort()
      const settled = await Promise.allSettled(sends)
      await closed
      if (end === 'close') {
        assert.deepEqual(
          settled.map(({ status }) => status),
          Array(3).fill('fulfilled'),
        )
        assert.equal(sender.stats.sent, sent + 3 * (options.localPort === undefined ? 1 : 2))
        assert.deepEqual((await heard.take(3)).map(({ text }) => text).sort(), ['a', 'b', 'c'])
      }
      // The peer's channel is no socket of the sender's.
      assert.ok(openSockets() <= before + peers)
    }
  }
})
