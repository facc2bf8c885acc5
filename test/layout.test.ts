import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { root } from './tree.js'

const src = pathToFileURL(`${root}/src/`)

/**
 * From what stands alone to the public face, and then what users test with: each imports from those
 * before it only. So packing knows nothing of sockets, and nothing outside of testing/ knows of that.
 */
const order = [
  'struct/types',
  'struct/error',
  'struct/codes',
  'struct/parse',
  'struct/half',
  'struct/bytes',
  'struct/kinds',
  'struct/interpret',
  'struct/scratch',
  'struct/templates',
  'struct/generate',
  'struct/struct',
  'struct/functions',
  'struct/inet',
  'struct/index',
  'errors',
  'address',
  'datagram',
  'rules',
  'igmp',
  'interfaces',
  'wanted',
  'own-addresses',
  'sockopt',
  'member-socket',
  'mixture',
  'events',
  'watch',
  'codec',
  'options',
  'queue',
  'inbox',
  'silence',
  'outbox',
  'binding',
  'lifecycle',
  'drops',
  'endpoint',
  'asks',
  'handover',
  'member-sockets',
  'memberships',
  'outgoing',
  'sender',
  'receiver',
  'peer',
  'index',
  'doctor/finding',
  'doctor/examination',
  'doctor/patience',
  'doctor/subject',
  'doctor/facts',
  'doctor/look',
  'doctor/system',
  'doctor/network',
  'doctor/programs',
  'doctor/probe',
  'doctor/active',
  'doctor/counters',
  'doctor/verdict',
  'doctor/arrivals',
  'doctor/index',
  'cli/usage',
  'cli/payload',
  'cli/output',
  'cli/listen',
  'cli/send',
  'cli/doctor',
  'cli/command',
  'cli/main',
  'stack/ticks',
  'stack/turns',
  'stack/running-node',
  'stack/node-error',
  'stack/system-error',
  'stack/arguments',
  'stack/socket-options',
  'stack/platform',
  'stack/scope',
  'stack/host-address',
  'stack/link-address',
  'stack/link',
  'stack/multicast-list',
  'stack/packet',
  'stack/outcome',
  'stack/inet-socket',
  'stack/source-address',
  'stack/routing',
  'stack/wire',
  'stack/poll',
  'stack/ports',
  'stack/stack',
  'stack/lookup',
  'stack/handle',
  'stack/backlog',
  'stack/socket',
  'stack/dgram',
  'unicast/header',
  'unicast/peers',
  'unicast/examination',
  'unicast/wire',
  'unicast/carrier',
  'unicast/index',
  'nats/connection',
  'nats/session',
  'nats/subject',
  'nats/header',
  'nats/interest',
  'nats/window',
  'nats/examination',
  'nats/wire',
  'nats/carrier',
  'nats/index',
  'testing/schedule',
  'testing/platform',
  'testing/faults',
  'testing/outcome',
  'testing/segments',
  'testing/journal',
  'testing/transport',
  'testing/host',
  'testing/network',
  'testing/real-sockets',
  'testing/index',
  'testing/conformance/inbox',
  'testing/conformance/channel',
  'testing/conformance/scenes',
  'testing/conformance/actor',
  'testing/conformance/peer',
  'testing/conformance/network',
  'testing/conformance/chapter',
  'testing/conformance/membership',
  'testing/conformance/source',
  'testing/conformance/scope',
  'testing/conformance/outgoing',
  'testing/conformance/unicast',
  'testing/conformance/binding',
  'testing/conformance/zone',
  'testing/conformance/misuse',
  'testing/conformance/limits',
  'testing/conformance/order',
  'testing/conformance/buffer',
  'testing/conformance/interfaces',
  'testing/conformance/addresses',
  'testing/conformance/connect',
  'testing/conformance/dgram',
  'testing/conformance/endpoint',
  'testing/conformance/following',
  'testing/conformance/multicast-peer',
  'testing/conformance/index',
]

async function importsOf(name: string): Promise<string[]> {
  const source = await readFile(new URL(`${name}.ts`, src), 'utf8')
  // Not those of the examples in docstrings, nor of hints.
  const named = source.matchAll(/^(?:import|export|\}).* from '([^']+)'/gm)
  return [...named].map(([, specifier = '']) => specifier)
}

const isOurs = (specifier: string) => specifier.startsWith('.')

/** The name, as `order` has it, of what `name` imports as `specifier`. */
function imported(specifier: string, name: string): string {
  const { pathname } = new URL(specifier, new URL(name, src))
  return pathname.slice(src.pathname.length).replace(/\.js$/, '')
}

test('every file of src has its place in the order', async () => {
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith('.ts'))
  const names = files.map((file) => file.replace(/\.ts$/, '').replaceAll('\\', '/'))
  assert.deepEqual(names.sort(), [...order].sort())
})

test('imports point one way', async () => {
  for (const [index, name] of order.entries()) {
    for (const specifier of (await importsOf(name)).filter(isOurs)) {
      const at = order.indexOf(imported(specifier, name))
      assert.ok(at >= 0 && at < index, `${name} imports ${specifier}`)
    }
  }
})

test('struct/ stands alone', async () => {
  for (const name of order.filter((one) => one.startsWith('struct/'))) {
    for (const specifier of (await importsOf(name)).filter(isOurs)) {
      assert.match(imported(specifier, name), /^struct\//, `${name} imports ${specifier}`)
    }
  }
})

test('what is not in src or in Node is imported in one place each', async () => {
  const foreign: Record<string, string[]> = {}
  for (const name of order) {
    for (const specifier of await importsOf(name)) {
      if (isOurs(specifier) || specifier.startsWith('node:')) continue
      foreign[specifier] = [...(foreign[specifier] ?? []), name]
    }
  }
  assert.deepEqual(foreign, {
    debug: [
      'watch',
      'inbox',
      'outbox',
      'binding',
      'lifecycle',
      'endpoint',
      'member-sockets',
      'memberships',
      'outgoing',
      'sender',
      'receiver',
      'peer',
      'doctor/network',
    ],
    'typed-emitter': ['events'],
  })
})
