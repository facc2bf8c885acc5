import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import {
  addressError,
  bufferSizeError,
  isErrno,
  libraryError,
  lookupError,
} from '../../src/stack/system-error.js'

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

test('what the system has no number for has none, and a name that is not found has that of libuv', () => {
  assert.equal(addressError('bind', 'ENOPE', '', 0).errno, 0)
  // UV_EAI_NONAME.
  assert.equal(lookupError('printer').errno, -3008)
})

test('what libuv refuses by itself is told in its words', () => {
  const error = libraryError('uv_if_indextoiid', 'ENXIO')
  assert.equal(error.message, 'ENXIO: no such device or address, uv_if_indextoiid')
  const { code, syscall, errno } = error
  assert.deepEqual([code, syscall, errno], ['ENXIO', 'uv_if_indextoiid', -constants.errno.ENXIO])
})

test('the size of a buffer is refused as Node refuses it', () => {
  for (const [code, isReceive, why] of [
    ['EBADF', true, 'uv_recv_buffer_size returned EBADF (bad file descriptor)'],
    ['EBADF', false, 'uv_send_buffer_size returned EBADF (bad file descriptor)'],
    ['EINVAL', true, 'uv_recv_buffer_size returned EINVAL (invalid argument)'],
  ] as const) {
    const error = bufferSizeError(code, isReceive)
    const told = `Could not get or set buffer size: ${why}`
    assert.deepEqual([error.name, error.message], ['SystemError', told])
    error.name = 'Another'
    assert.equal(String(error), `Another [ERR_SOCKET_BUFFER_SIZE]: ${told}`)
  }
})
