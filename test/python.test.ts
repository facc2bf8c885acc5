import assert from 'node:assert/strict'
import { once } from 'node:events'
import { MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'

const group = '224.3.29.71'
const port = 10000
const message = '群發的消息,你不必回'
const reply = '組播消息已經收到'
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

type Heard = { hex: string; address: string; port: number }
type Listening = { listening: number }

/** Where the Python program runs: INADDR_ANY and an unpinned send ask the system for a route. */
async function python(lab: Lab): Promise<Host> {
  const host = lab.host()
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [host, 'e0', '10.0.0.2/24'])
  host.ip('route add 224.0.0.0/4 dev e0')
  return host
}

function decoded(line: Heard | Listening | { end: string } | undefined): string {
  assert.ok(line && 'hex' in line)
  return Buffer.from(line.hex, 'hex').toString()
}

scenario('hears the Python sender, and Python hears the reply', ['python3'], async (lab) => {
  const host = await python(lab)
  await using receiver = new MulticastReceiver({ group, port, codec: text })
  const heard: string[] = []
  receiver.on('message', (message, remote) => {
    heard.push(`${message} from ${remote.address}`)
    receiver.reply(reply, remote)
  })
  await receiver.ready()

  const program = host.python<Heard | { end: string }>('sender', group, port)
  const [answer, ...rest] = await program.rest()

  assert.deepEqual(heard, [`${message} from 10.0.0.2`])
  assert.equal(decoded(answer), reply)
  assert.deepEqual(answer, { ...answer, address: '10.0.0.1', port })
  assert.deepEqual(rest, [{ end: 'timeout' }])
})

scenario('reaches the Python receiver, and hears its reply', ['python3'], async (lab) => {
  const host = await python(lab)
  const program = host.python<Heard | Listening>('receiver', group, port)
  await program.next()
  await using sender = new MulticastSender({
    group,
    port,
    interfaces: 'e0',
    codec: text,
    timeout: 200,
  })
  const replies = once(sender, 'message')
  const silence = once(sender, 'timeout')

  assert.equal(await sender.send(message), Buffer.byteLength(message))

  const [answer, remote] = await replies
  assert.equal(answer, reply)
  assert.deepEqual([remote.address, remote.port, remote.family], ['10.0.0.2', port, 'IPv4'])
  const [line] = await program.rest()
  assert.equal(decoded(line), message)
  assert.deepEqual(line, { ...line, address: '10.0.0.1', port: sender.address().port })
  await silence
})

scenario('carries every byte from Python and back', ['python3'], async (lab) => {
  const host = await python(lab)
  await using receiver = new MulticastReceiver({ group, port })
  receiver.on('message', (data, remote) => {
    receiver.reply(data, remote)
  })
  const heard = new Inbox(receiver)
  await receiver.ready()

  const program = host.python<Heard>(
    'sender',
    group,
    port,
    '--hex',
    everyByte.toString('hex'),
    '--most',
    1,
  )

  assert.deepEqual((await heard.next()).data, everyByte)
  assert.deepEqual(
    (await program.rest()).map(({ hex }) => hex),
    [everyByte.toString('hex')],
  )
})

scenario('carries every byte to Python and back', ['python3'], async (lab) => {
  const host = await python(lab)
  const program = host.python<Heard | Listening>(
    'receiver',
    group,
    port,
    '--hex',
    everyByte.toString('hex'),
  )
  await program.next()
  await using sender = new MulticastSender({ group, port, interfaces: 'e0' })
  const heard = new Inbox(sender)

  assert.equal(await sender.send(everyByte), 256)

  assert.deepEqual((await heard.next()).data, everyByte)
  const [line] = await program.rest()
  assert.deepEqual(line, { ...line, hex: everyByte.toString('hex') })
})

scenario(
  'gathers the replies of Python receivers on two hosts until silence',
  ['python3'],
  async (lab) => {
    const hosts = [lab.host(), lab.host()]
    await lab.lan(
      [lab.here, 'e0', '10.0.0.1/24'],
      ...hosts.map((host, at): [Host, string, string] => [host, 'e0', `10.0.0.${2 + at}/24`]),
    )
    for (const host of hosts) {
      host.ip('route add 224.0.0.0/4 dev e0')
      await host.python('receiver', group, port).next()
    }
    await using sender = new MulticastSender({ group, port, interfaces: 'e0', codec: text })

    const replies: string[] = []
    for await (const { message: answer, remote } of sender.request(message, { timeout: 500 })) {
      replies.push(`${answer} from ${remote.address}`)
    }

    assert.deepEqual(replies.sort(), [`${reply} from 10.0.0.2`, `${reply} from 10.0.0.3`])
  },
)

scenario('puts the TTL on the wire that was asked for', ['python3'], async (lab) => {
  const host = await python(lab)
  host.ip('addr add fd00::2/64 dev e0 nodad')
  lab.here.ip('addr add fd00::1/64 dev e0 nodad')
  const ttls = [1, 2, 64, 255]
  for (const group of ['239.1.2.3', 'ff05::1:3']) {
    const program = host.python<{ hops: number }>(
      'hops',
      group,
      port,
      'e0',
      '--count',
      ttls.length + 1,
    )
    await program.next()
    await using unset = new MulticastSender({ group, port, interfaces: 'e0' })
    await unset.send('1, where nothing is asked for')
    for (const ttl of ttls) {
      await using sender = new MulticastSender({ group, port, interfaces: 'e0', ttl })
      await sender.send(`${ttl}`)
    }
    assert.deepEqual(
      (await program.rest()).map(({ hops }) => hops),
      [1, ...ttls],
    )
  }
})
