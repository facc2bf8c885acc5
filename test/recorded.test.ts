/**
 * What other programs have sent, recorded in datagrams.json, given to the examples that speak their protocols.
 * On the loopback interface, and on a port of its own: so it runs anywhere.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type DnsMessage, dns } from '../examples/dns.js'
import { MulticastPeer, MulticastSender, text } from '../src/index.js'
import { Output } from './output.js'
import { build, root } from './tree.js'

interface Recorded {
  meaning: string
  hex: string
}

const recorded: { mdns: Recorded[]; ssdp: Recorded[] } = JSON.parse(
  readFileSync(join(root, 'test/datagrams.json'), 'utf8'),
)

/** The one datagram that this is the meaning of. */
function datagram(protocol: 'mdns' | 'ssdp', meaning: RegExp): Buffer {
  const [found, ...others] = recorded[protocol].filter((one) => meaning.test(one.meaning))
  assert.ok(found && others.length === 0, `${meaning} is the meaning of one`)
  return Buffer.from(found.hex, 'hex')
}

const thing = ['_thing', '_tcp', 'local']
const prod = ['_prod', '_tcp', 'local']
const asked = (name: string[]) => ({ name, type: 'PTR', unicast: false })

/** What avahi tells of `thing on A` on host-a, at 10.50.0.1, or the same of B. */
function told(letter: 'A' | 'B', times: readonly number[], flush: boolean) {
  const instance = [`thing on ${letter}`, ...thing]
  const host = [`host-${letter.toLowerCase()}`, 'local']
  const last = letter === 'A' ? 1 : 2
  const [pointer = 0, txt = 0, other = 0] = times
  return [
    { name: thing, type: 'PTR', ttl: pointer, flush: false, target: instance },
    { name: instance, type: 'TXT', ttl: txt, flush, texts: ['a=1'] },
    {
      ...{ name: instance, type: 'SRV', ttl: other, flush },
      ...{ priority: 0, weight: 0, port: 1234, target: host },
    },
    { name: host, type: 'AAAA', ttl: other, flush, address: `fd50::${last}` },
    { name: host, type: 'A', ttl: other, flush, address: `10.50.0.${last}` },
  ]
}

const none = { id: 0, isResponse: false, questions: [], answers: [], additionals: [] }
const meanings: [RegExp, object][] = [
  [
    /legacy/,
    {
      ...{ ...none, id: 77, isResponse: true, questions: [asked(thing)] },
      answers: told('A', [10, 10, 10], false),
    },
  ],
  [/_prod._tcp.local$/, { ...none, questions: [asked(prod)] }],
  [
    /known answer/,
    {
      ...{ ...none, questions: [asked(prod)] },
      answers: [
        { name: prod, type: 'PTR', ttl: 120, flush: false, target: ['prod shared53534', ...prod] },
      ],
    },
  ],
]

test('dns.ts reads what avahi has sent, and writes what reads the same', () => {
  const group = recorded.mdns.filter(({ meaning }) => /on the group/.test(meaning))
  const cases: [Buffer, object][] = [
    ...meanings.map(([meaning, message]): [Buffer, object] => [datagram('mdns', meaning), message]),
    ...(['A', 'B'] as const).map((letter, at): [Buffer, object] => [
      Buffer.from(group[at]?.hex ?? '', 'hex'),
      { ...none, isResponse: true, answers: told(letter, [4500, 4500, 120], true) },
    ]),
  ]
  assert.equal(cases.length, recorded.mdns.length)
  for (const [data, message] of cases) {
    assert.deepEqual(dns.decode(data), message)
    assert.deepEqual(dns.decode(Buffer.from(dns.encode(dns.decode(data)))), message)
    // Where it breaks off, it is refused.
    for (let length = 0; length < data.length; length += 1) {
      assert.throws(() => dns.decode(data.subarray(0, length)), `the first ${length} bytes`)
    }
  }
})

test('dns.ts refuses names that never end, and other orders than to ask and to answer', () => {
  const question = (hex: string) => Buffer.from(`000000000001000000000000${hex}000c0001`, 'hex')
  for (const hex of [
    'c00c',
    'c00e',
    '0161c00c',
    'c0ff',
    '40',
    `${'3f'.padEnd(128, '61').repeat(4)}00`,
  ]) {
    assert.throws(() => dns.decode(question(hex)), RangeError, hex)
  }
  const update = question('016100')
  update.writeUInt16BE(0x2800, 2)
  assert.throws(() => dns.decode(update), RangeError)
})

/** Starts an example, on a port of its own. */
function start(t: TestContext, example: string, ...options: string[]): Output {
  const child = spawn(process.execPath, [join(build, `examples/${example}.js`), ...options], {
    stdio: ['ignore', 'pipe', 2],
    timeout: 60_000,
  })
  t.after(() => child.kill('SIGKILL'))
  return new Output(child)
}

const local = { interfaces: '127.0.0.1' }

test('mdns.ts finds what avahi has told, and answers what avahi has asked', async (t) => {
  await using avahi = new MulticastPeer({ ...local, group: '224.0.0.251', port: 0, ttl: 255 })
  await avahi.ready()
  const { port } = avahi.address()
  const at = ['--port', String(port)]

  const browser = start(t, 'mdns', ...at, '--type', '_thing._tcp')
  await browser.line(/^found demo: 127\.0\.0\.1 port 4711/)
  for (const { hex, meaning } of recorded.mdns) {
    if (/on the group/.test(meaning)) await avahi.send(Buffer.from(hex, 'hex'))
  }
  await browser.line(/^found thing on A: 10\.50\.0\.1 port 1234, a=1$/)
  await browser.line(/^found thing on B: 10\.50\.0\.2 port 1234, a=1$/)
  const told = dns.decode(datagram('mdns', /legacy/))
  const last = (ttl: number): DnsMessage => {
    return { ...told, questions: [], answers: told.answers.map((record) => ({ ...record, ttl })) }
  }
  // First that they have a second left; and then that they are gone.
  await avahi.send(dns.encode(last(1)))
  await browser.line(/^lost thing on A$/)
  assert.ok(!browser.lines.includes('lost thing on B'))
  await browser.interrupt()

  // What it answers, by the name of each; what it announces by itself has all of its records in one.
  const answers: string[] = []
  avahi.on('message', (data) => {
    const { isResponse, answers: records } = dns.decode(data)
    if (isResponse && records.length === 1) answers.push(String(records[0]?.name[0]))
  })
  const shared = start(t, 'mdns', ...at, '--type', '_prod._tcp', '--name', 'prod shared53534')
  await shared.line(/^found prod/)
  // Its own first question, when it knew of nothing.
  while (answers.length === 0) await once(avahi, 'message')
  const answered = async (data: Uint8Array, name: string) => {
    const before = answers.length
    await avahi.send(data)
    while (answers.length === before) await once(avahi, 'message')
    assert.equal(answers.at(-1), name)
  }
  await answered(datagram('mdns', /_prod._tcp.local$/), '_prod')
  // It has two minutes left of an hour: time to tell it anew.
  const known = datagram('mdns', /known answer/)
  await answered(known, '_prod')
  const before = answers.length
  const { answers: records, ...question } = dns.decode(known)
  await avahi.send(
    dns.encode({ ...question, answers: records.map((record) => ({ ...record, ttl: 4000 })) }),
  )
  // Each waits for 20 to 120 ms: seven are later than an answer to that would be.
  const others = dns.encode({
    ...none,
    questions: [asked(['_services', '_dns-sd', '_udp', 'local'])],
  })
  for (let turn = 0; turn < 7; turn += 1) await answered(others, '_services')
  assert.equal(answers.length, before + 7)

  await using resolver = new MulticastSender({ ...local, group: '224.0.0.251', port, codec: dns })
  const legacy = { ...none, id: 77, questions: [asked(prod)] }
  for await (const { message } of resolver.request(legacy, { limit: 1 })) {
    const { id, isResponse, questions, answers } = message
    assert.deepEqual([id, isResponse, questions], [77, true, legacy.questions])
    assert.deepEqual(
      answers.map(({ type, ttl }) => [type, ttl]),
      [['PTR', 10]],
    )
  }
  await shared.interrupt()
})

test('ssdp.ts finds what MiniDLNA has told, and answers what gssdp-discover has asked', async (t) => {
  await using minidlna = new MulticastPeer({ ...local, group: '239.255.255.250', port: 0 })
  await minidlna.ready()
  const { port } = minidlna.address()
  minidlna.on('message', (data, remote) => {
    if (data.toString().startsWith('M-SEARCH')) minidlna.reply(datagram('ssdp', /^answer/), remote)
  })
  const device = start(t, 'ssdp', '--port', String(port), '--target', 'ssdp:all')
  const where = 'at http://10.50.0.2:8200/rootDesc.xml'
  await device.line(new RegExp(`^found uuid:4d696e69-444c-164e-9d41-b66e3275c656 ${where}$`))
  assert.equal(device.lines.filter((line) => line.endsWith(where)).length, 1)
  for (const { hex, meaning } of recorded.ssdp) {
    if (meaning.startsWith('NOTIFY')) await minidlna.send(Buffer.from(hex, 'hex'))
  }
  await device.line(new RegExp(`^found upnp:rootdevice ${where}$`))
  await device.line(new RegExp(`^found urn:schemas-upnp-org:device:MediaServer:1 ${where}$`))

  minidlna.removeAllListeners('message')
  const network = { ...local, group: '239.255.255.250', port }
  await using searcher = new MulticastSender({ ...network, replyCodec: text })
  const found: string[] = []
  const search = datagram('ssdp', /gssdp-discover/)
  for await (const { message } of searcher.request(search, { limit: 3 })) {
    const [, target = ''] = /^HTTP\/1\.1 200 OK\r\nST: (.*)\r\n/.exec(message) ?? []
    found.push(target.replace(/^uuid:.*/, 'uuid'))
  }
  assert.deepEqual(found.sort(), ['upnp:rootdevice', 'urn:typed-multicast:device:demo:1', 'uuid'])
  const goodbye = once(minidlna, 'message')
  await device.interrupt()
  assert.match(String((await goodbye)[0]), /^NOTIFY \* HTTP\/1\.1\r\n(.*\r\n)*NTS: ssdp:byebye\r\n/)
})
