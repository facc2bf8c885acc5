import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseGroup } from '../src/address.js'
import { checkMix, checkSources } from '../src/mixture.js'

const group4 = parseGroup('239.1.2.3')
const group6 = parseGroup('ff05::7')
const every = { interface: 'e0' }
const [a, b] = [
  { interface: 'e0', source: 'a' },
  { interface: 'e0', source: 'b' },
]
const byDefault = { interface: 'default' }
const refused = (message: RegExp) => ({ code: 'ERR_MULTICAST_JOIN', message })

test('one interface is joined for every sender or for some', () => {
  const both = refused(
    /already joined on e0, and a membership cannot be both.*leave \{"interface":"e0"/,
  )
  assert.throws(() => checkMix(group4, [every], a), both)
  assert.throws(() => checkMix(group4, [a], every), both)
  for (const [joined, next] of [
    [[], every],
    [[every], every],
    [[a], b],
    [[{ ...every, interface: 'e1' }], a],
    [[{ ...a, interface: 'e1' }], every],
  ] as const) {
    checkMix(group4, joined, next)
  }
})

test("'default' is not joined beside an interface that is named", () => {
  assert.throws(() => checkMix(group4, [every], byDefault), refused(/already joined on e0/))
  assert.throws(() => checkMix(group4, [byDefault], every), refused(/already joined on default/))
  checkMix(group4, [byDefault], byDefault)
})

test('an IPv6 group has the same sources on each interface of a socket, in any order', () => {
  const on = (name: string, ...sources: (string | undefined)[]) =>
    sources.map((source) => ({ interface: name, ...(source === undefined ? {} : { source }) }))
  const code = 'ERR_MULTICAST_LEAVE'
  for (const other of [
    [...on('e0', 'a'), ...on('e1', 'b')],
    [...on('e0', 'a', 'b'), ...on('e1', 'a')],
    [...on('e0', 'a'), ...on('e1', undefined)],
  ]) {
    assert.throws(() => checkSources(group6, other, code), { code, message: /same sources/ })
    checkSources(group4, other, code)
  }
  for (const same of [
    [],
    on('e0', 'a', 'b'),
    [...on('e0', 'a', 'b'), ...on('e1', 'b', 'a')],
    [...on('e0', undefined), ...on('e1', undefined)],
  ]) {
    checkSources(group6, same, code)
  }
})
