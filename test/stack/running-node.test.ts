/** The Node that runs is one of several lines: here stand-ins for node:dgram's class make it each of them. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { errorMonitor } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, test } from 'node:test'
import type * as runningNode from '../../src/stack/running-node.js'
import { importAnew } from '../anew.js'

const { Socket } = dgram

function install(instead: unknown): void {
  dgram.Socket = instead as typeof Socket
  syncBuiltinESMExports()
}

afterEach(() => install(Socket))

/** The module, as it is where node:dgram has that class. */
function on(instead: unknown): Promise<typeof runningNode> {
  install(instead)
  return importAnew('stack/running-node')
}

test('which options a socket reads, and what takes its callback away, is seen in its source', async () => {
  class Old {
    bind() {
      return 'error'
    }
  }
  class Sharing extends Old {
    options = ['reusePort']
  }
  class Blocking extends Old {
    options = ['receiveBlockList']
    override bind() {
      return 'errorMonitor'
    }
  }
  for (const [instead, reusePort, blockLists, bindFailure] of [
    [Old, false, false, 'error'],
    [Sharing, true, false, 'error'],
    [Blocking, false, true, errorMonitor],
  ] as const) {
    const { reads, ...module } = await on(instead)
    assert.deepEqual(reads, { reusePort, blockLists })
    assert.equal(module.bindFailure, bindFailure)
  }
})

test("the class has the shape of node:dgram's: no extra methods, all enumerable, its private ones hidden", async () => {
  class Instead {
    bind() {}
    shared(_one: unknown, _other: unknown) {}
    _kept() {}
    ends_() {}
  }
  class Own {
    shared() {}
    missing() {}
    other() {}
    ends_() {}
    get _kept() {
      return 5
    }
  }
  const { adapt } = await on(Instead)
  adapt(Own.prototype, ['shared', 'missing'])
  assert.deepEqual(
    Object.entries(Object.getOwnPropertyDescriptors(Own.prototype)).map(
      ([name, { value, get, enumerable }]) => [name, typeof (get ?? value), enumerable],
    ),
    [
      ['constructor', 'function', false],
      ['shared', 'function', true],
      ['other', 'function', false],
      ['ends_', 'function', true],
      ['_kept', 'undefined', false],
    ],
  )
  assert.equal(Own.prototype.shared.length, 2)
  const own = new Own()
  Object.assign(own, { _kept: 7 })
})
