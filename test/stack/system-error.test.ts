import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressError, isErrno } from '../../src/stack/system-error.js'

test('an error tells where to, as far as that was given', () => {
  for (const [address, port, where, told] of [
    ['10.0.0.1', 9, ' 10.0.0.1:9', { address: '10.0.0.1', port: 9 }],
    ['10.0.0.1', 1, ' 10.0.0.1:1', { address: '10.0.0.1', port: 1 }],
    ['10.0.0.1', '9', ' 10.0.0.1:9', { address: '10.0.0.1', port: '9' }],
    ['10.0.0.1', 0, ' 10.0.0.1', { address: '10.0.0.1' }],
    ['10.0.0.1', undefined, ' 10.0.0.1', { address: '10.0.0.1' }],
    [undefined, 0, '', { address: undefined }],
    ['', undefined, '', { address: '' }],
  ] as const) {
    const error = addressError('bind', 'EADDRINUSE', address, port)
    assert.equal(error.message, `bind EADDRINUSE${where}`)
    const { errno, ...more } = error
    assert.ok(Number(errno) < 0)
    assert.deepEqual(more, { code: 'EADDRINUSE', syscall: 'bind', ...told })
  }
  const { remedy } = { remedy: '', ...addressError('bind', 'EADDRINUSE', '', 0, 'take another') }
  assert.equal(remedy, 'take another')
})

test('names of errors of the system are known, and nothing else is one', () => {
  assert.deepEqual(['EPERM', 'eperm', 'ENOPE', '', 5, undefined, ['EPERM']].map(isErrno), [
    ...[true, false, false, false, false, false, false],
  ])
})
