import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MulticastErrorCode } from '../src/errors.js'
import { membershipSettings } from '../src/options.js'
import {
  integer,
  isBoolean,
  isFunction,
  isList,
  isSignal,
  isString,
  milliseconds,
  optional,
  resolve,
  rule,
  wrongValue,
} from '../src/rules.js'

const rules = {
  count: rule({ default: 3, check: integer(1, 9) }),
  double: rule({
    check: (value, _option, { count }: { count: number }) => value ?? 2 * count,
  }),
}

test('options are checked in the order of their table, each with the settings before it', () => {
  const settings = resolve(rules, { double: undefined, count: 4 })
  assert.deepEqual(settings, { count: 4, double: 8 })
  assert.deepEqual(Object.keys(settings), ['count', 'double'])
  assert.ok(Object.isFrozen(settings))
})

test('a default stands for what is left out or undefined, and for nothing else', () => {
  for (const given of [{}, { count: undefined }]) assert.equal(resolve(rules, given).count, 3)
  for (const count of [null, 0, '', false]) {
    assert.throws(() => resolve(rules, { count }), { code: 'ERR_MULTICAST_OPTION' })
  }
})

test('a check is told the name of its option', () => {
  const check = (_value: unknown, option: string): string => option
  assert.deepEqual(resolve({ one: rule({ check }), two: rule({ check }) }, {}), {
    one: 'one',
    two: 'two',
  })
})

test('what is inherited is not given', () => {
  const given = Object.create({ count: 4, nosuch: 1 })
  assert.deepEqual(resolve(rules, given), { count: 3, double: 6 })
  given.count = 5
  assert.deepEqual(resolve(rules, given), { count: 5, double: 10 })
  Object.assign(Object.prototype, { count: 'polluted', interface: 'lo', source: '192.0.2.1' })
  try {
    assert.deepEqual(resolve(rules, {}), { count: 3, double: 6 })
    assert.deepEqual(Object.values(membershipSettings({})), [undefined, undefined])
  } finally {
    for (const name of ['count', 'interface', 'source'])
      Reflect.deleteProperty(Object.prototype, name)
  }
})

test('options are an object', () => {
  for (const given of [undefined, null, 7, 'count', ['count'], () => {}]) {
    assert.throws(() => resolve(rules, given), {
      code: 'ERR_MULTICAST_OPTION',
      message: /^The options must be an object, but are .*\. The options are: \w/,
    })
  }
})

test('an unknown option names the one that is spelled like it, and all of them', () => {
  assert.throws(() => resolve(rules, { dubble: 1 }), {
    code: 'ERR_MULTICAST_UNKNOWN_OPTION',
    message:
      "There is no option 'dubble' here; did you mean 'double'? The options are: count, double",
  })
  // What every object inherits is no option.
  assert.throws(() => resolve(rules, { toString: 1 }), {
    message: "There is no option 'toString' here. The options are: count, double",
  })
})

test('what the system calls an option is told by the name that it has here', () => {
  const check = (value: unknown): unknown => value
  for (const own of ['interface', 'interfaces']) {
    assert.throws(() => resolve({ [own]: rule({ check }) }, { iface: 'eth0' }), {
      message: `There is no option 'iface' here: it is called '${own}'. The options are: ${own}`,
    })
  }
})

test('an option of another class is told with that class', () => {
  const others = {
    Counter: { size: rule({ check: isBoolean }), doubles: rule({ check: isBoolean }) },
  }
  const given = (option: string) => () => resolve(rules, { [option]: 1 }, others)
  for (const option of ['size', 'doubles']) {
    assert.throws(given(option), {
      code: 'ERR_MULTICAST_UNKNOWN_OPTION',
      message: `There is no option '${option}' here: it is an option of Counter. The options are: count, double`,
    })
  }
  assert.throws(given('dubble'), /; did you mean 'double'\?/)
  assert.throws(given('toString'), /no option 'toString' here\. The/)
})

/** The option that an unknown name is taken to mean. */
function told(known: readonly string[], name: string): string {
  const check = (value: unknown): unknown => value
  const table = Object.fromEntries(known.map((option) => [option, rule({ check })]))
  try {
    resolve(table, { [name]: 1 })
  } catch (error) {
    const [, meant = 'none'] = /; did you mean '(\w+)'\? The/.exec(String(error)) ?? []
    return meant
  }
  return 'known'
}

test('near is what few letters have to be put in, left out or changed for', () => {
  const cases: [known: string[], name: string, expected: string][] = [
    // Of those that are as near, the first.
    [['cat', 'bat'], 'rat', 'cat'],
    [['bat', 'cat'], 'rat', 'bat'],
    [['bat', 'cat'], 'cbt', 'cat'],
    // One letter put in, one left out, one changed, each at either end and within.
    [['port', 'group'], 'xport', 'port'],
    [['port', 'group'], 'ports', 'port'],
    [['port', 'group'], 'poort', 'port'],
    [['port', 'group'], 'ort', 'port'],
    [['port', 'group'], 'por', 'port'],
    [['group', 'port'], 'pxrt', 'port'],
    // Each of them is one change, not two, also within and in front.
    [['xpoxx', 'port'], 'xport', 'port'],
    [['pooxx', 'port'], 'poort', 'port'],
    [['pxx', 'port'], 'pot', 'port'],
    // Two letters that change places are two changes.
    [['abcdef', 'badcxx'], 'badcef', 'badcxx'],
    [['timeout', 'TTL'], 'Ttl', 'TTL'],
    [['timeout', 'ttl'], 'TIMEOUT', 'timeout'],
    // One change of up to four letters, two of five to eight, and of more a third.
    [['abc'], 'abx', 'abc'],
    [['abc'], 'axy', 'none'],
    [['abcd'], 'abcx', 'abcd'],
    [['abcd'], 'abxy', 'none'],
    [['abcde'], 'abcxy', 'abcde'],
    [['abcde'], 'abxyz', 'none'],
    [['abcdefgh'], 'abcdefxy', 'abcdefgh'],
    [['abcdefgh'], 'abcdexyz', 'none'],
    [['abcdefghi'], 'abcdefxyz', 'abcdefghi'],
    [['abcdefghi'], 'abcdewxyz', 'none'],
    [['group', 'port'], 'host', 'none'],
    // From nothing each letter is a change.
    [['abc', 'a'], '', 'a'],
    [['ab'], '', 'none'],
  ]
  for (const [known, name, expected] of cases) {
    assert.equal(told(known, name), expected, `'${name}' of ${known.join(', ')}`)
  }
})

type Check = (value: unknown, option: string, settled: never) => unknown

test('each check gives back what is right, and names what is wrong', () => {
  const signal = new AbortController().signal
  const code: MulticastErrorCode = 'ERR_MULTICAST_OPTION'
  const list: Check = (value, option) => isList(value, option, 'a list', 'ERR_MULTICAST_SOURCE')
  const cases: [Check, right: unknown[], wrong: unknown[], code: string, wanted: RegExp][] = [
    [integer(2, 4), [2, 3, 4], [1, 5, 2.5, Number.NaN, '3', 3n, null], code, /from 2 to 4/],
    [integer(0, 1, 'ERR_MULTICAST_TTL'), [0, 1], [-1, 2], 'ERR_MULTICAST_TTL', /from 0 to 1/],
    [
      milliseconds,
      [Number.MIN_VALUE, 0.5, 2 ** 31 - 1],
      [0, -1, 2 ** 31 - 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null],
      'ERR_MULTICAST_TIMEOUT',
      /milliseconds above 0 and up to 2147483647/,
    ],
    [isBoolean, [true, false], [0, 'true', null, undefined], code, /true or false/],
    [isString, ['', 'x'], [7, null, undefined, ['x']], code, /a string/],
    [isFunction, [Number, () => {}], [{}, 'x', null, undefined], code, /a function/],
    [
      isSignal,
      [
        signal,
        AbortSignal.abort(),
        { aborted: false, addEventListener: () => {}, removeEventListener: () => {} },
      ],
      [
        { aborted: false, addEventListener: () => {} },
        { aborted: false, removeEventListener: () => {} },
        {},
        { aborted: false },
        { addEventListener: () => {} },
        { aborted: 0, addEventListener: () => {} },
        { aborted: false, addEventListener: {} },
        new AbortController(),
        null,
        undefined,
      ],
      code,
      /an AbortSignal/,
    ],
    [list, [[1], [undefined]], [[], 'x', { length: 1 }, null], 'ERR_MULTICAST_SOURCE', /a list/],
  ]
  for (const [check, right, wrong, code, wanted] of cases) {
    for (const value of right) assert.equal(check(value, 'name', {} as never), value)
    for (const value of wrong) {
      assert.throws(
        () => check(value, 'name', {} as never),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, code)
          assert.match(error.message, wanted)
          assert.match(error.message, /^name must be .*, but is /)
          return true
        },
      )
    }
  }
})

test('what is optional may be undefined, and is checked otherwise', () => {
  const seen: unknown[] = []
  const check = optional((...args: [unknown, string, object]) => {
    seen.push(args)
    return 'checked'
  })
  const settled = {}
  assert.equal(check(undefined, 'name', settled), undefined)
  assert.equal(check(null, 'name', settled), 'checked')
  assert.deepEqual(seen, [[null, 'name', settled]])
})

test('the error for a wrong value has the option, what it must be and the value', () => {
  const { code, message } = wrongValue('ERR_MULTICAST_PORT', 'port', 'a port', 'x')
  assert.deepEqual([code, message], ['ERR_MULTICAST_PORT', "port must be a port, but is 'x'"])
})
