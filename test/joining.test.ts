import assert from 'node:assert/strict'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'

const port = 10000
const group = '239.1.2.3'

/** Cables from here to as many hosts. */
async function hosts(lab: Lab, count: number): Promise<Host[]> {
  const hosts = Array.from({ length: count }, () => lab.host())
  for (const [at, host] of hosts.entries()) {
    await lab.cable(
      [lab.here, `e${at}`, `10.0.${at}.1/24`, `fd0${at}::1/64`],
      [host, 'far', `10.0.${at}.2/24`, `fd0${at}::2/64`],
    )
  }
  return hosts
}

for (const { family, group, addresses, joined } of [
  {
    family: 'IPv4',
    group: '239.1.2.3',
    addresses: ['10.0.0.2', '10.0.1.2'],
    joined: [{ interface: 'lo' }, { interface: 'e0' }, { interface: 'e1' }],
  },
  {
    family: 'IPv6',
    group: 'ff05::1:3',
    addresses: ['fd00::2', 'fd01::2'],
    joined: [{ interface: 'lo' }, { interface: 'e0' }, { interface: 'e1' }],
  },
]) {
  scenario(`over ${family}, 'all' hears and replies on each of two interfaces`, [], async (lab) => {
    const far = await hosts(lab, 2)
    await using receiver = new MulticastReceiver({ group, port, interfaces: 'all' })
    receiver.on('message', (message, remote) => {
      receiver.reply(`${message} from ${remote.address}`, remote)
    })
    await receiver.ready()
    assert.deepEqual(receiver.memberships, joined)

    for (const [at, host] of far.entries()) {
      const sender = await (await host.peer()).sender({ group, port, interfaces: 'far' })
      const replies = await sender.request(`host ${at}`, { limit: 1, timeout: 10_000 })
      assert.deepEqual(replies, [`host ${at} from ${addresses[at]}`])
    }
  })
}

scenario('a sender goes out of the interface that it names, and of no other', [], async (lab) => {
  const far = await hosts(lab, 2)
  const heard: Inbox[] = []
  for (const host of far) {
    heard.push(new Inbox(await (await host.peer()).receiver({ group, port })))
  }
  await using byName = new MulticastSender({ group, port, interfaces: 'e1' })
  await using byAddress = new MulticastSender({ group, port, interfaces: '10.0.1.1' })
  await using other = new MulticastSender({ group, port, interfaces: 'e0' })

  await byName.send('by name')
  await byAddress.send('by address')
  await other.send('end')
  await byName.send('end')

  assert.deepEqual(await heard[1]?.until('end'), ['by name', 'by address', 'end'])
  assert.deepEqual(await heard[0]?.until('end'), ['end'])
})

scenario('an interface that is down, or has no address, is refused as such', [], async (lab) => {
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [lab.host(), 'far'])
  await lab.cable([lab.here, 'e1'], [lab.host(), 'far'])
  lab.here.ip('link set dev e0 down')
  for (const name of ['e0', 'e1']) {
    const options = { group, port, interfaces: ['127.0.0.1', name] }
    for (const make of [() => new MulticastSender(options), () => new MulticastReceiver(options)]) {
      assert.throws(make, {
        code: 'ERR_MULTICAST_INTERFACE',
        message: `interfaces[1] is '${name}', which is not an interface that is up and has an address. Interfaces with IPv4: lo (127.0.0.1)`,
      })
    }
  }
})

scenario('an interface is left and joined again while running', [], async (lab) => {
  const far = await hosts(lab, 2)
  await using receiver = new MulticastReceiver({ group, port, interfaces: ['e0', '10.0.1.1'] })
  const heard = new Inbox(receiver)
  await receiver.ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }, { interface: 'e1' }])
  const [on0, on1] = await Promise.all(
    far.map(async (host) => (await host.peer()).sender({ group, port, interfaces: 'far' })),
  )

  await receiver.leave({ interface: '10.0.0.1' })
  assert.deepEqual(receiver.memberships, [{ interface: 'e1' }])
  await on0?.send('while left')
  await on1?.send('on the other')
  await receiver.join({ interface: 'e0' })
  await on0?.send('joined again')

  assert.deepEqual(await heard.until('joined again'), ['on the other', 'joined again'])
})

scenario('the name and the addresses of one interface are one membership', [], async (lab) => {
  await hosts(lab, 1)
  lab.here.ip('addr add 10.0.9.1/24 dev e0')
  await using receiver = new MulticastReceiver({
    group,
    port,
    interfaces: ['10.0.0.1', 'e0', '10.0.9.1', 'e0'],
  })
  await receiver.ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])

  await receiver.join({ interface: '10.0.9.1' })
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
  await receiver.leave({ interface: '10.0.9.1' })
  assert.deepEqual(receiver.memberships, [])
})

scenario('an unknown interface is refused with those that exist', [], async (lab) => {
  await hosts(lab, 1)
  const refusal = {
    name: 'MulticastError',
    code: 'ERR_MULTICAST_INTERFACE',
    message: /e7.*\be0\b/s,
  }
  assert.throws(() => new MulticastReceiver({ group, port, interfaces: ['e7'] }), refusal)
  assert.throws(() => new MulticastSender({ group, port, interfaces: 'e7' }), refusal)
  await using receiver = new MulticastReceiver({ group, port })
  await assert.rejects(receiver.join({ interface: 'e7' }), refusal)
})

scenario('twenty memberships are granted, the twenty-first is refused', [], async (lab) => {
  const host = lab.host()
  const names = Array.from({ length: 21 }, (_, at) => `e${at}`)
  for (const [at, name] of names.entries()) {
    await lab.cable([lab.here, name, `10.0.${at}.1/24`], [host, name, `10.0.${at}.2/24`])
  }
  const limit = {
    name: 'MulticastError',
    code: 'ERR_MULTICAST_MEMBERSHIP_LIMIT',
    message: /\b20\b/,
  }

  await using receiver = new MulticastReceiver({ group, port, interfaces: names.slice(0, 20) })
  await receiver.ready()
  assert.equal(receiver.memberships.length, 20)
  await assert.rejects(receiver.join({ interface: 'e20' }), limit)
  assert.equal(receiver.memberships.length, 20)
  await receiver.leave({ interface: 'e0' })
  await receiver.join({ interface: 'e20' })
  assert.equal(receiver.memberships.length, 20)

  await using tooMany = new MulticastReceiver({ group, port, interfaces: names })
  await assert.rejects(tooMany.ready(), limit)

  // Loopback is the first of 22.
  await using all = new MulticastReceiver({ group, port })
  await all.ready()
  assert.equal(all.memberships.length, 20)
})

scenario('a send without a route rejects with ENETUNREACH as the cause', [], async () => {
  for (const group of ['239.1.2.3', 'ff05::1:3']) {
    await using sender = new MulticastSender({ group, port })
    await assert.rejects(sender.send('nowhere'), (error) => {
      assert.ok(error instanceof Error)
      assert.deepEqual(
        { ...error, name: error.name },
        { name: 'MulticastError', code: 'ERR_MULTICAST_SEND' },
      )
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENETUNREACH')
      return true
    })
  }
})

scenario("'default' joins where the system's route points", [], async (lab) => {
  const far = await hosts(lab, 2)
  lab.here.ip('route add 239.0.0.0/8 dev e1')
  await using receiver = new MulticastReceiver({ group, port, interfaces: 'default' })
  const heard = new Inbox(receiver)
  await receiver.ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'default' }])
  for (const [at, host] of far.entries()) {
    const sender = await (await host.peer()).sender({ group, port, interfaces: 'far' })
    await sender.send(`host ${at}`)
  }

  assert.deepEqual(await heard.until('host 1'), ['host 1'])
  await receiver.leave({ interface: 'default' })
  assert.deepEqual(receiver.memberships, [])
})

scenario('join renews what a deleted and recreated interface took away', [], async (lab) => {
  const plug = async (host: Host) => {
    await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [host, 'far', '10.0.0.2/24'])
    return (await host.peer()).sender({ group, port, interfaces: 'far' })
  }
  for (const options of [{}, { sources: ['10.0.0.2'] }]) {
    await using receiver = await new MulticastReceiver({ group, port, ...options }).ready()
    const inbox = new Inbox(receiver)
    const joined = receiver.memberships
    const sender = await plug(lab.host())
    await receiver.join()
    await sender.send('first')
    assert.equal((await inbox.next()).text, 'first')
    const { memberships } = receiver
    assert.equal(memberships.length, joined.length + 1)

    lab.here.unplug('e0')
    const again = await plug(lab.host())
    await receiver.join()
    assert.deepEqual(receiver.memberships, memberships)
    await again.send('second')
    assert.equal((await inbox.next()).text, 'second')
    lab.here.unplug('e0')
  }
})

scenario('a recreated interface may have another address, and is left by it', [], async (lab) => {
  await using receiver = new MulticastReceiver({ group, port, interfaces: ['lo'] })
  const inbox = new Inbox(receiver)
  await receiver.ready()
  for (const network of ['10.0.0', '10.0.1']) {
    const far = lab.host()
    await lab.cable([lab.here, 'e0', `${network}.1/24`], [far, 'far', `${network}.2/24`])
    await receiver.join({ interface: 'e0' })
    assert.deepEqual(receiver.memberships, [{ interface: 'lo' }, { interface: 'e0' }])
    const sender = await (await far.peer()).sender({ group, port, interfaces: 'far' })
    await sender.send(network)
    assert.equal((await inbox.next()).text, network)
    if (network === '10.0.0') lab.here.unplug('e0')
  }
  await assert.rejects(receiver.join({ interface: 'e1' }), { code: 'ERR_MULTICAST_INTERFACE' })
  await receiver.leave({ interface: 'e0' })
  assert.match(lab.here.groups('e0'), /inet/)
  assert.doesNotMatch(lab.here.groups('e0'), /239\.1\.2\.3/)
})
