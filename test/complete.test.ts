/** Holds that what there is has its test, where nothing else would tell of one that was forgotten. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { conformance, Peer, topology } from '../src/testing/conformance/index.js'
import { MockNetwork, type MockSocket } from '../src/testing/index.js'
import { modules, reach, tests } from './imports.js'
import { build, root } from './tree.js'

test('every file of src that has code is reached by a test', () => {
  const reached = new Set(tests.flatMap((name) => [...reach(name)]))
  const hasCode = (name: string) => {
    const compiled = readFileSync(join(build, `${name}.js`), 'utf8')
    // What is left of a file that has types alone.
    return !/^export \{\};\s*(\/\/.*\s*)?$/.test(compiled)
  }
  const forgotten = modules('src').filter((name) => !reached.has(name) && hasCode(name))
  assert.deepEqual(forgotten, [], 'no test imports these, nor anything that imports them')
})

/**
 * The members of the seam as its source has them; of what takes listeners, one for each event. Not those that
 * most carriers leave out.
 */
function membersOfSeam(): string[] {
  const source = readFileSync(join(root, 'src/datagram.ts'), 'utf8')
  const [, body = ''] = /^export interface DatagramSocket \{\n([\s\S]*?)^\}/m.exec(source) ?? []
  assert.match(body, /^ {2}bind\(/m)
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\b(?!\?)(?:\(event: ([^,]+))?/gm)].flatMap(
    ([, name = '', events]) =>
      events === undefined ? name : events.split(' | ').map((event) => `${name} ${event}`),
  )
}

/** Notes which members of a socket are used; of those that take listeners, which of these are called. */
function watched(socket: MockSocket, used: Set<string>): MockSocket {
  return new Proxy(socket, {
    get: (_, name) => {
      const member = Reflect.get(socket, name)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const [event, listener] = args
        if (typeof listener !== 'function' || typeof event !== 'string') {
          used.add(String(name))
          return member.apply(socket, args)
        }
        return member.call(socket, event, (...told: unknown[]) => {
          used.add(`${String(name)} '${event}'`)
          listener(...told)
        })
      }
    },
  })
}

test('every member of the seam has a conformance case', async () => {
  const used = new Set<string>()
  const network = new MockNetwork({ platform: 'linux' })
  network.router('red', 'green')
  const host = (name: keyof typeof topology) => {
    const { createSocket, networkInterfaces } = network.host({ name, interfaces: topology[name] })
    const carrier = {
      networkInterfaces,
      createSocket: (options: Parameters<typeof createSocket>[0]) =>
        watched(createSocket(options), used),
    }
    return { peer: Peer.over(carrier) }
  }
  const hosts = { near: host('near'), other: host('other'), far: host('far') }
  const unused = () => membersOfSeam().filter((member) => !used.has(member))
  for (const { level, needs, run } of conformance) {
    if (unused().length === 0) break
    // These hosts cannot take their interfaces down.
    if (level === 'socket' && !needs.includes('interfaces')) await run(hosts)
  }
  assert.deepEqual(unused(), [], 'members of DatagramSocket that no case of level socket uses')
})
