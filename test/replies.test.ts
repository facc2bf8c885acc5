/** Senders with `replies: false`, whose sockets are connected to the group. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MulticastReceiver, MulticastSender, type SenderOptions, text } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { MockNetwork } from '../src/testing/index.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets } from './told.js'
import { BOUND, until } from './until.js'

const port = 10_000
const group = '239.1.2.3'

/** Plugs the cable of an interface here in. */
function plug(lab: Lab, host: Host, at = 0, own = 1): Promise<void> {
  return lab.cable(
    [lab.here, `e${at}`, `10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${own}/64`],
    [host, 'far', `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
  )
}

/** Here with two interfaces, and who listens behind each, and answers. */
async function fork(lab: Lab, group: string): Promise<[Inbox, Inbox]> {
  const inboxes: Inbox[] = []
  for (const at of [0, 1]) {
    const host = lab.host()
    await plug(lab, host, at)
    const peer = await host.peer()
    inboxes.push(new Inbox(await peer.receiver({ group, port, interfaces: 'far' }, 'heard ')))
  }
  return inboxes as [Inbox, Inbox]
}

const families = [
  { family: 'IPv4', group, far: group, own: '10.0.0.1' },
  { family: 'IPv6', group: 'ff05::1:3', far: 'ff05::1:3', own: 'fd00::1' },
  {
    family: 'link-local IPv6',
    group: 'ff02::1:3',
    far: 'ff02::1:3%far',
    own: 'fe80::1%e0',
  },
]

for (const { family, group, far, own } of families) {
  scenario(
    `over ${family}, it is connected, and hears nothing of all that is sent to it`,
    [],
    async (lab) => {
      const [inbox] = await fork(lab, far)
      const options = { group, port, interfaces: 'e0', codec: text }
      await using sender = await new MulticastSender({ ...options, replies: false }).ready()
      await using asker = new MulticastSender(options)
      const heard: string[] = []
      sender.on('message', (message) => heard.push(message))
      // A socket that is not connected has no address of its own.
      assert.equal(sender.address().address, own)
      assert.deepEqual(sender.interfaces, ['e0'])
      const stranger = createSocket(own.includes(':') ? 'udp6' : 'udp4')
      stranger.send('x', sender.address().port, own, () => stranger.close())
      await once(stranger, 'close')
      for (let count = 0; count < 3; count += 1) {
        assert.equal(await sender.send('hello'), 5)
        const { text, remote } = await inbox.next()
        assert.deepEqual([text, remote.port], ['hello', sender.address().port])
        // This answer comes after the one to what was said before.
        await asker.gather('ask', { limit: 1, timeout: BOUND })
        await inbox.next()
      }
      assert.deepEqual(heard, [])
      const { sent, received, dropped, failed } = sender.stats
      assert.deepEqual(
        { sent, received, dropped, failed },
        { sent: 3, received: 0, dropped: 0, failed: 0 },
      )
    },
  )

  scenario(
    `over ${family}, it goes through several interfaces, a socket for each`,
    [],
    async (lab) => {
      const inboxes = await fork(lab, far)
      const before = openSockets()
      {
        const interfaces = ['e0', 'e1']
        await using sender = new MulticastSender({ group, port, interfaces, replies: false })
        await sender.send('both')
        assert.equal(openSockets(), before + 2)
        for (const inbox of inboxes) assert.equal((await inbox.next()).text, 'both')
      }
      assert.equal(openSockets(), before)
    },
  )
}

for (const localPort of [0, 20_000]) {
  scenario(
    `after a change of address the next send goes out all the same, from port ${localPort || 'any'}`,
    [],
    async (lab) => {
      const [inbox] = await fork(lab, group)
      const options: SenderOptions = { group, port, interfaces: 'e0', replies: false, localPort }
      await using sender = new MulticastSender(options)
      await sender.send('before')
      assert.equal((await inbox.next()).remote.address, '10.0.0.1')
      lab.here.ip('addr del 10.0.0.1/24 dev e0', 'addr add 10.0.0.9/24 dev e0')
      const before = openSockets()
      assert.deepEqual(await Promise.all([sender.send('after'), sender.send('end')]), [5, 3])
      for (const message of ['after', 'end']) {
        const { text, remote } = await inbox.next()
        assert.deepEqual([text, remote.address], [message, '10.0.0.9'])
        if (localPort !== 0) assert.equal(remote.port, localPort)
      }
      assert.deepEqual([sender.stats.failed, openSockets()], [0, before])
    },
  )
}

scenario('over IPv6, where the system tells of no change, a look sees it', [], async (lab) => {
  const [inbox] = await fork(lab, 'ff05::1:3')
  const options = { group: 'ff05::1:3', port, interfaces: 'e0', followInterfaces: true }
  await using sender = new MulticastSender({ ...options, replies: false })
  await sender.send('before')
  assert.equal((await inbox.next()).remote.address, 'fd00::1')
  lab.here.ip('addr del fd00::1/64 dev e0', 'addr add fd00::9/64 dev e0 nodad')
  await until('sent from the new address', async () => {
    await sender.send('after')
    return (await inbox.next()).remote.address === 'fd00::9'
  })
})

scenario(
  "by the system's route, it waits for one, and keeps to it when it moves",
  [],
  async (lab) => {
    const [zero, one] = await fork(lab, group)
    await using sender = await new MulticastSender({ group, port, replies: false }).ready()
    const before = openSockets()
    assert.equal(sender.address().address, '0.0.0.0')
    await assert.rejects(sender.send('nowhere'), { code: 'ERR_MULTICAST_SEND' })
    assert.deepEqual([sender.stats.sent, sender.stats.failed], [0, 1])

    lab.here.ip('route add 239.0.0.0/8 dev e0')
    assert.equal(await sender.send('by e0'), 5)
    assert.equal((await zero.next()).text, 'by e0')
    await until('connected by e0', () => sender.address().address === '10.0.0.1')
    await sender.send('connected')
    assert.equal((await zero.next()).remote.address, '10.0.0.1')

    // The kernel would keep to e0 without an error.
    lab.here.ip('route replace 239.0.0.0/8 dev e1')
    await until('connected by e1', () => sender.address().address === '10.0.1.1')
    await sender.send('by e1')
    const { text, remote } = await one.next()
    assert.deepEqual([text, remote.address], ['by e1', '10.0.1.1'])

    lab.here.ip('route del 239.0.0.0/8')
    await until('not connected', () => sender.address().address === '0.0.0.0')
    await assert.rejects(sender.send('nowhere'), { code: 'ERR_MULTICAST_SEND' })
    lab.here.ip('route add 239.0.0.0/8 dev e0')
    await until('connected again', () => sender.address().address === '10.0.0.1')
    await sender.send('end')
    assert.deepEqual(await zero.until('end'), ['end'])
    // Each took the place of another.
    assert.equal(openSockets(), before)
    assert.deepEqual(sender.interfaces, ['default'])
  },
)

scenario("by the system's route that is there, it is connected from the first", [], async (lab) => {
  const [zero] = await fork(lab, group)
  lab.here.ip('route add 239.0.0.0/8 dev e0')
  await using sender = await new MulticastSender({ group, port, replies: false }).ready()
  const { address, port: first } = sender.address()
  assert.equal(address, '10.0.0.1')
  await sender.send('one')
  assert.equal((await zero.next()).remote.port, first)
})

scenario('a port of its own does not keep it from being connected later', [], async (lab) => {
  const [zero] = await fork(lab, group)
  const options = { group, port, replies: false, localPort: 10_001 }
  await using sender = await new MulticastSender(options).ready()
  assert.equal(sender.address().address, '0.0.0.0')
  lab.here.ip('route add 239.0.0.0/8 dev e0')
  await until('connected', () => sender.address().address === '10.0.0.1')
  await sender.send('one')
  assert.equal((await zero.next()).remote.port, 10_001)
})

scenario('what would wait for replies is refused, at once or by the promise', [], async () => {
  await using network = new MockNetwork()
  const host = network.host()
  await using sender = new MulticastSender({ group, port, replies: false, ...host })
  const refusal = { code: 'ERR_MULTICAST_OPTION', message: /replies: false, so it hears none/ }
  assert.throws(() => sender.request('?', { limit: 1 }), refusal)
  await assert.rejects(sender.gather('?', { limit: 1 }), refusal)
  assert.throws(() => new MulticastSender({ group, port, replies: false, timeout: 1, ...host }), {
    code: 'ERR_MULTICAST_OPTION',
  })
  assert.equal(network.journal.length, 0)
})

scenario('over a mock it is heard, hears nothing, and follows its host', [], async () => {
  await using network = new MockNetwork()
  const host = network.host({ interfaces: { eth0: 'lan', eth1: 'other' } })
  const hears = async (segment: string) => {
    const there = network.host({ interfaces: { eth0: segment } })
    const receiver = new MulticastReceiver({
      group,
      port,
      bindAddress: 'group',
      codec: text,
      ...there,
    })
    const heard: string[] = []
    receiver.on('message', (message, remote) => {
      heard.push(message)
      receiver.reply('answer', remote)
    })
    await receiver.ready()
    return heard
  }
  const [lan, other] = [await hears('lan'), await hears('other')]
  const sender = new MulticastSender({ group, port, replies: false, ...host })
  await sender.send('one')
  await network.settled()
  host.down('eth0')
  await network.settled()
  await sender.send('two')
  await network.settled()
  host.up('eth0')
  await network.settled()
  await sender.send('three')
  await network.settled()
  assert.deepEqual([lan, other], [['one', 'three'], ['two']])
  const { received, dropped, unheard } = sender.stats
  assert.deepEqual({ received, dropped, unheard }, { received: 0, dropped: 0, unheard: 0 })
})

scenario(
  'what is cut off on an interface that is left opens no socket there again',
  [],
  async () => {
    await using network = new MockNetwork()
    const host = network.host({ interfaces: { eth0: 'lan' } })
    host.down('eth0')
    let open = 0
    let settle: ((error: Error) => void) | undefined
    const createSocket: typeof host.createSocket = (asked) => {
      const socket = host.createSocket(asked)
      open += 1
      socket.once('close', () => {
        open -= 1
      })
      // Connected, it is given the datagram and who is to be told.
      const send = (_data: unknown, told: (error: Error | null) => void) => {
        if (settle === undefined) settle = told
        else told(null)
      }
      return Object.assign(socket, { send })
    }
    const options = { group, port, interfaces: 'all', replies: false, ...host, createSocket }
    await using sender = await new MulticastSender(options).ready()
    assert.deepEqual(sender.interfaces, ['lo'])
    const sent = sender.send('by lo')
    host.up('eth0')
    await network.settled()
    assert.deepEqual(sender.interfaces, ['eth0'])
    settle?.(Object.assign(new Error('send ECANCELED'), { code: 'ECANCELED' }))
    await assert.rejects(sent, { code: 'ERR_MULTICAST_SEND' })
    assert.equal(open, 1)
  },
)
