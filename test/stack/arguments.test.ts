/** The words of Node 24, whichever runs. dgram.test.ts compares them with Node's own from there on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLiteral, checkPort } from '../../src/stack/arguments.js'

test('a port is a whole number, or one as a string, from the least on', () => {
  for (const port of [1, 65_535, '7', ' 7 ']) assert.equal(checkPort(port), Number(port))
  for (const port of [0, '0']) assert.equal(checkPort(port, 'options.port', 0), 0)
  for (const [port, told] of [
    ['', "type string ('')"],
    [' ', "type string (' ')"],
    [65_536, 'type number (65536)'],
  ] as const) {
    const message = `options.port should be >= 0 and < 65536. Received ${told}.`
    const error = { name: 'RangeError', code: 'ERR_SOCKET_BAD_PORT', message }
    assert.throws(() => checkPort(port, 'options.port', 0), error)
  }
  const message = 'Port should be > 0 and < 65536. Received type number (0).'
  assert.throws(() => checkPort(0), { message })
})

test('where no name is looked up only an address will do', () => {
  for (const address of ['10.0.0.1', 'fd00::1']) {
    assert.equal(checkLiteral(address, 'address', 'connectSync'), address)
  }
  for (const [name, call, what] of [
    ['address', 'connectSync', 'argument'],
    ['options.address', 'bindSync', 'property'],
  ] as const) {
    const why = `must be a numeric IP address; ${call} does not perform DNS resolution`
    const message = `The ${what} '${name}' ${why}. Received 'localhost'`
    const error = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message }
    assert.throws(() => checkLiteral('localhost', name, call), error)
    assert.throws(() => checkLiteral(5, name, call), { code: 'ERR_INVALID_ARG_TYPE' })
  }
})
