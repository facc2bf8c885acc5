import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { MulticastReceiver, MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'

const port = 10000
const linkLocal = 'ff02::1:3'

/** Here and another host, on one cable. */
async function pair(lab: Lab): Promise<Host> {
  const host = lab.host()
  await lab.cable(
    [lab.here, 'e0', 'fd01::1/64', 'fe80::1/64'],
    [host, 'far', 'fd01::2/64', 'fe80::2/64'],
  )
  return host
}

/** Here with two interfaces, each with a host behind it that has the same link-local address. */
async function fork(lab: Lab): Promise<[Host, Host]> {
  const hosts: [Host, Host] = [lab.host(), lab.host()]
  for (const [at, host] of hosts.entries()) {
    await lab.cable(
      [lab.here, `e${at}`, `fd0${at}::1/64`, 'fe80::1/64'],
      [host, 'far', `fd0${at}::2/64`, 'fe80::2/64'],
    )
  }
  return hosts
}

const groups = [
  {
    scope: 'link-local',
    group: 'ff02::1:3',
    here: 'ff02::1:3%e0',
    far: 'ff02::1:3%far',
    from: ['fe80::1%far', 'fe80::2%e0'],
  },
  {
    scope: 'site-local',
    group: 'ff05::1:3',
    here: 'ff05::1:3',
    far: 'ff05::1:3',
    from: ['fd01::1', 'fd01::2'],
  },
]

for (const { scope, here, far, from } of groups) {
  scenario(`a ${scope} group is sent to, heard and replied to`, [], async (lab) => {
    const peer = await (await pair(lab)).peer()
    const heard = new Inbox(await peer.receiver({ group: far, port }, 'heard: '))
    await using sender = new MulticastSender({ group: here, port, interfaces: 'e0' })
    const replies = new Inbox(sender)

    await sender.send('hello')

    const { text, remote } = await heard.next()
    assert.deepEqual([text, remote.address, remote.family], ['hello', from[0], 'IPv6'])
    const reply = await replies.next()
    assert.deepEqual(
      [reply.text, reply.remote.address, reply.remote.port],
      ['heard: hello', from[1], port],
    )
  })

  scenario(
    `a ${scope} group: hop limit 0 stays on the host, 1 reaches the next`,
    [],
    async (lab) => {
      const peer = await (await pair(lab)).peer()
      const heard = new Inbox(await peer.receiver({ group: far, port }))
      await using receiver = new MulticastReceiver({ group: here, port })
      const heardHere = new Inbox(receiver)
      await receiver.ready()
      await using stays = new MulticastSender({ group: here, port, interfaces: 'e0', ttl: 0 })
      await using leaves = new MulticastSender({ group: here, port, interfaces: 'e0' })

      await stays.send('stays')
      await leaves.send('leaves')

      assert.deepEqual(await heardHere.until('leaves'), ['stays', 'leaves'])
      assert.deepEqual(await heard.until('leaves'), ['leaves'])
    },
  )
}

scenario(
  'a link-local group without a zone is heard and replied to on each interface',
  [],
  async (lab) => {
    const hosts = await fork(lab)
    await using receiver = new MulticastReceiver({ group: linkLocal, port })
    receiver.on('message', (message, remote) => {
      receiver.reply(`${message} from ${remote.address}`, remote)
    })
    await receiver.ready()
    assert.deepEqual(receiver.memberships, [
      { interface: 'lo' },
      { interface: 'e0' },
      { interface: 'e1' },
    ])

    for (const [at, host] of hosts.entries()) {
      const sender = await (await host.peer()).sender({ group: `${linkLocal}%far`, port })
      const replies = await sender.request(`host ${at}`, { limit: 1, timeout: 10_000 })
      assert.deepEqual(replies, [`host ${at} from fe80::2%e${at}`])
    }
  },
)

scenario(
  'a sender with a global address is replied to on the interface that it was heard on',
  [],
  async (lab) => {
    const hosts = await fork(lab)
    await using receiver = new MulticastReceiver({ group: linkLocal, port })
    const heard = new Inbox(receiver)
    await receiver.ready()

    for (const [at, host] of hosts.entries()) {
      const group = `${linkLocal}%far`
      const localAddress = `fd0${at}::2`
      const sender = await (await host.peer()).sender({ group, port, localAddress })
      const replies = new Inbox(sender)
      await sender.send('hello')
      const { remote } = await heard.next()
      assert.equal(remote.address, localAddress)
      await receiver.reply('heard', remote)
      assert.equal((await replies.next()).text, 'heard')
    }
  },
)

scenario('a zone in the group hears its interface alone', [], async (lab) => {
  const hosts = await fork(lab)
  await using zoned = new MulticastReceiver({ group: `${linkLocal}%e0`, port })
  await using both = new MulticastReceiver({ group: linkLocal, port })
  const heard = { zoned: new Inbox(zoned), both: new Inbox(both) }
  await Promise.all([zoned.ready(), both.ready()])
  const [near, other] = await Promise.all(
    hosts.map(async (host) => (await host.peer()).sender({ group: `${linkLocal}%far`, port })),
  )

  await other?.send('on e1')
  await near?.send('on e0')

  assert.deepEqual(await heard.both.until('on e0'), ['on e1', 'on e0'])
  assert.deepEqual(await heard.zoned.until('on e0'), ['on e0'])
})

scenario(
  'a link-local group is left on one interface and still heard on the other',
  [],
  async (lab) => {
    const hosts = await fork(lab)
    await using receiver = new MulticastReceiver({ group: linkLocal, port })
    const heard = new Inbox(receiver)
    await receiver.ready()
    const [on0, on1] = await Promise.all(
      hosts.map(async (host) => (await host.peer()).sender({ group: `${linkLocal}%far`, port })),
    )

    await receiver.leave({ interface: 'e0' })
    assert.deepEqual(receiver.memberships, [{ interface: 'lo' }, { interface: 'e1' }])
    await on0?.send('while left')
    await receiver.join({ interface: 'e0' })
    await on0?.send('joined again')
    await on1?.send('on the other')

    assert.deepEqual(await heard.until('on the other'), ['joined again', 'on the other'])
  },
)

scenario('an interface without an IPv6 address is refused', [], async (lab) => {
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [lab.host(), 'far', '10.0.0.2/24'])
  assert.throws(() => new MulticastReceiver({ group: linkLocal, port, interfaces: ['e0'] }), {
    code: 'ERR_MULTICAST_INTERFACE',
    message: /e0/,
  })
})

scenario(
  'a join of another link that closing overtakes rejects, and leaves no socket',
  [],
  async (lab) => {
    await fork(lab)
    for (const end of ['close', 'abort']) {
      const controller = new AbortController()
      const { signal } = controller
      const receiver = new MulticastReceiver({ group: linkLocal, port, interfaces: ['e0'], signal })
      await receiver.ready()
      const late = receiver.join({ interface: 'e1' })
      await Promise.resolve()
      if (end === 'abort') controller.abort()
      const closed = receiver.close()
      await assert.rejects(
        late,
        end === 'abort' ? { name: 'AbortError' } : { code: 'ERR_MULTICAST_CLOSED' },
      )
      await closed
      assert.doesNotMatch(readFileSync('/proc/net/udp6', 'utf8'), /:2710 /)
    }
  },
)

scenario('joins and leaves take turns', [], async (lab) => {
  await fork(lab)
  await using receiver = new MulticastReceiver({ group: linkLocal, port, interfaces: ['e0'] })
  const e1 = { interface: 'e1' }
  // Without a turn of its own each leave would find nothing, while the join before it still binds.
  await Promise.all([receiver.join(e1), receiver.leave(e1), receiver.join(e1), receiver.leave(e1)])
  assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
})
