/** The words of Node 24, whichever runs. dgram.test.ts compares them with Node's own from there on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { blocked, invalidType, received } from '../../src/stack/node-error.js'

test('an error tells what was given as Node does', () => {
  const bare = Object.assign(Object.create(null), { inner: { deep: 1 } })
  for (const [value, told] of [
    [null, 'null'],
    [undefined, 'undefined'],
    [function named() {}, 'function named'],
    [{}, 'an instance of Object'],
    [[5], 'an instance of Array'],
    [new Date(0), 'an instance of Date'],
    [bare, '[Object: null prototype]'],
    [5, 'type number (5)'],
    [-0, 'type number (-0)'],
    [1n, 'type bigint (1n)'],
    [true, 'type boolean (true)'],
    [Symbol('s'), 'type symbol (Symbol(s))'],
    ['', "type string ('')"],
    ['x', "type string ('x')"],
    ["it's", 'type string ("it\'s")'],
    ['of twenty-eight characters..', "type string ('of twenty-eight characters..')"],
    ['of more: twenty-nine of them.', "type string ('of more: twenty-nine of t...')"],
  ] as const) {
    assert.equal(received(value), told)
  }
})

test('an error names the argument or the property that is wrong, and what it must be', () => {
  for (const [name, what] of [
    ['address', 'argument'],
    ['options.address', 'property'],
  ] as const) {
    const { code, message } = invalidType(name, 'of type string', 5)
    assert.equal(code, 'ERR_INVALID_ARG_TYPE')
    assert.equal(message, `The "${name}" ${what} must be of type string. Received type number (5)`)
  }
  const { code, message } = blocked('10.0.0.1') as NodeJS.ErrnoException
  assert.deepEqual([code, message], ['ERR_IP_BLOCKED', 'IP(10.0.0.1) is blocked by net.BlockList'])
})

test('an error is told with its code after its name, wherever that is', () => {
  const error = invalidType('port', 'of type number', 'x')
  const told = `The "port" argument must be of type number. Received type string ('x')`
  assert.equal(error.name, 'TypeError')
  assert.ok(!Object.hasOwn(error, 'name'))
  assert.deepEqual(Object.keys(error), ['code'])
  for (const shown of [String(error), error.stack, inspect(error)]) {
    assert.equal(shown?.split('\n')[0], `TypeError [ERR_INVALID_ARG_TYPE]: ${told}`)
  }
  Object.assign(error, { name: 'Mine', code: 'ERR_MINE', message: 'mine' })
  assert.equal(String(error), 'Mine [ERR_INVALID_ARG_TYPE]: mine')
  error.toString = () => 'anything'
  assert.equal(String(error), 'anything')
  assert.ok(Reflect.deleteProperty(error, 'toString'))
})
