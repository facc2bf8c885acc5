import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { doctorHelp } from '../src/cli/doctor.js'
import type { Counters } from '../src/doctor/counters.js'
import { udpSockets } from '../src/doctor/facts.js'
import { diagnose } from '../src/doctor/index.js'
import { newId, parsed, written } from '../src/doctor/probe.js'
import { subjectRules } from '../src/doctor/subject.js'
import { type Layer, layerOf } from '../src/doctor/verdict.js'
import { MockNetwork } from '../src/testing/index.js'
import { root } from './tree.js'

const still: Counters = {
  arrived: 0,
  looped: 0,
  received: 0,
  filtered: 0,
  multicast: 0,
  delivered: 0,
  ignored: 0,
}
const probes = { sent: 5, heard: 5 }

/** By how much the counters rise beside five datagrams of the doctor's own, and what that tells. */
const layers: {
  name: string
  risen: Partial<Counters>
  found: string
  isSole?: boolean
  own?: { sent: number; heard: number }
}[] = [
  { name: 'nothing comes in', risen: {}, found: 'arrival' },
  { name: 'unicast', risen: { arrived: 10, received: 10, delivered: 10 }, found: 'arrival' },
  { name: 'ARP', risen: { arrived: 10 }, found: 'arrival' },
  { name: 'another group', risen: { arrived: 10, received: 10 }, found: 'arrival or firewall' },
  { name: 'rp_filter', risen: { arrived: 10, received: 10, filtered: 10 }, found: 'rp-filter' },
  {
    name: 'rp_filter, and another group',
    risen: { arrived: 20, received: 20, filtered: 10 },
    found: 'rp-filter or arrival',
  },
  {
    name: 'one stray packet that rp_filter drops',
    risen: { arrived: 1, received: 1, filtered: 1 },
    found: 'rp-filter or arrival',
  },
  { name: 'INPUT drop', risen: { arrived: 10, received: 10, multicast: 10 }, found: 'firewall' },
  {
    name: 'INPUT drop, while other groups are joined',
    risen: { arrived: 10, received: 10, multicast: 10 },
    isSole: false,
    found: 'firewall or arrival',
  },
  {
    name: 'INPUT drop of what a switch asks',
    risen: { arrived: 1, received: 1, multicast: 1 },
    found: 'firewall or arrival',
  },
  {
    name: "this host's own reports on the loopback interface, and unicast",
    risen: { arrived: 3, looped: 4, received: 7, multicast: 4, delivered: 0 },
    found: 'firewall or arrival',
  },
  {
    name: 'INPUT drop, and unicast',
    risen: { arrived: 20, received: 20, multicast: 10, delivered: 10 },
    found: 'firewall or arrival',
  },
  {
    name: 'no socket on the port',
    risen: { arrived: 10, received: 10, multicast: 10, delivered: 10, ignored: 10 },
    found: 'port',
  },
  {
    name: 'no socket on the port, and unicast',
    risen: { arrived: 20, received: 20, multicast: 10, delivered: 20, ignored: 10 },
    found: 'firewall or port or arrival',
  },
  {
    name: 'no socket on the port, while other groups are joined',
    risen: { arrived: 10, received: 10, multicast: 10, delivered: 10, ignored: 10 },
    isSole: false,
    found: 'firewall or port or arrival',
  },
  {
    name: 'a silent doctor, and unicast',
    risen: { arrived: 3, received: 3, delivered: 3 },
    own: { sent: 0, heard: 0 },
    found: 'arrival',
  },
]
for (const { name, risen, found, isSole = true, own = probes } of layers) {
  test(`the counters tell ${found} for ${name}`, () => {
    const all = { ...still, ...risen }
    const sum = {
      ...all,
      received: all.received + own.sent,
      multicast: all.multicast + own.sent,
      delivered: all.delivered + own.heard,
    }
    const { check, or = [] }: Layer = layerOf(sum, own, isSole)
    assert.equal([check, ...or].join(' or '), found)
  })
}

test("a doctor's datagram is read as it was written, and nothing else is", () => {
  const probe = { id: newId(), by: 3, heard: [newId(), newId()] }
  const text = written(probe)
  assert.match(text, /^typed-multicast doctor [0-9a-f]{12}\.3 heard /)
  assert.deepEqual(parsed(Buffer.from(text)), probe)
  assert.deepEqual(parsed(Buffer.from(written({ ...probe, heard: [] }))), { ...probe, heard: [] })
  const many = { ...probe, heard: Array.from({ length: 100 }, newId) }
  assert.equal(parsed(Buffer.from(written(many)))?.heard.length, 32)
  for (const wrong of [
    '',
    'hello',
    `${text} `,
    `${text}\n`,
    text.slice(1),
    text + 'f'.repeat(999),
  ]) {
    assert.equal(parsed(Buffer.from(wrong)), undefined, wrong)
  }
})

test('the sockets of /proc/net/udp are read, and what is no line of it is not', () => {
  const text = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
11882: 00000000:271A 00000000:0000 07 00000000:00000900 00:00000000 00000000  1000        0 22354324 2 00000000f53d392e 93
11883: 00000000000000000000000000000000:271B 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 22354325 2 000000008b0c8a35 0
nonsense`
  assert.deepEqual(udpSockets(text, new Set(['22354325'])), [
    {
      address: '0.0.0.0',
      port: 10010,
      uid: 1000,
      inode: '22354324',
      queued: 0x900,
      drops: 93,
      isOwn: false,
    },
    { address: '::', port: 10011, uid: 0, inode: '22354325', queued: 0, drops: 0, isOwn: true },
  ])
})

/** What stands in the first cells of a table of doctor.md, by the heading of these. */
function firstCells(heading: string): string[] {
  const page = readFileSync(join(root, 'docs/doctor.md'), 'utf8')
  const [, table = ''] = page.split(new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\n`, 'm'))
  const [rows = ''] = table.split('\n\n')
  return rows.split('\n').flatMap((row) => {
    const [, cell = ''] = row.split('|')
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
  })
}

test('doctor.md lists every check, option, argument and type', () => {
  const source = (name: string) => readFileSync(join(root, `src/doctor/${name}.ts`), 'utf8')
  const checks = [...source('finding').matchAll(/^ {2}\| '([\w-]+)'/gm)].map(([, name]) => name)
  assert.deepEqual(firstCells('check'), checks)
  assert.deepEqual(firstCells('option').sort(), Object.keys(subjectRules).sort())
  const types = [...source('index').matchAll(/^export type \{([^}]+)\}/gm)]
  const names = types.flatMap(([, list = '']) => list.split(',').map((name) => name.trim()))
  assert.deepEqual(firstCells('type').sort(), names.sort())
  const flags = firstCells('argument').map((argument) => argument.split(' ')[0])
  const helped = [...doctorHelp.matchAll(/^ {2}(--\w+)/gm)].map(([, flag]) => flag)
  assert.deepEqual(flags.slice(1), helped)
})

test('an interface that goes while it is looked at leaves no socket open', async () => {
  for (let looks = 1; looks < 12; looks += 1) {
    await using network = new MockNetwork()
    const host = network.host({ interfaces: { eth0: 'lan', eth1: 'lan' } })
    let open = 0
    const createSocket: typeof host.createSocket = (asked) => {
      open += 1
      return host.createSocket(asked).once('close', () => {
        open -= 1
      })
    }
    let left = looks
    const networkInterfaces = () => {
      if (--left === 0) host.down('eth1')
      return host.networkInterfaces()
    }
    const found = diagnose({ createSocket, networkInterfaces })
    const told = (async () => {
      for await (const _ of found);
    })()
    await told.catch(({ code }) => assert.equal(code, 'ERR_MULTICAST_INTERFACE'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(open, 0, `after ${looks} looks`)
  }
})
