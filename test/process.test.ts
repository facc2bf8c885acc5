import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from './child.js'
import { group } from './loopback.js'

test('a ready() that nobody awaits is no unhandled rejection after close or abort', async () => {
  const { code, stdout } = await runProgram(`
    process.on('unhandledRejection', () => console.log('unhandled'))
    const where = { group: '${group}', port: 0, interfaces: ['127.0.0.1'] }
    const first = new MulticastReceiver(where)
    first.ready()
    await first.close()
    const controller = new AbortController()
    const second = new MulticastReceiver({ ...where, signal: controller.signal })
    second.ready()
    controller.abort()
    await second.close()
  `)
  assert.deepEqual([code, stdout], [0, ''])
})

test('an error of opening is not lost where only a reply was asked for', async () => {
  const { code, stderr } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99',
    })
    receiver.reply('x', { address: '127.0.0.1', port: 9 })
  `)
  assert.equal(code, 1)
  assert.match(stderr, /ERR_MULTICAST_BIND/)
})

test('a decode that returns a promise is malformed, whatever becomes of the promise', async () => {
  const { code, stdout } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'],
      codec: { encode: Buffer.from, decode: async (data) => JSON.parse(data.toString()) },
    })
    await receiver.ready()
    const { port } = receiver.address()
    const sender = new MulticastSender({ group: '${group}', port, interfaces: '127.0.0.1' })
    receiver.on('malformed', async (error) => {
      console.log(error.code, error.message.includes('returned a promise'))
      await Promise.all([receiver.close(), sender.close()])
    })
    await sender.send('{')
  `)
  assert.deepEqual([code, stdout], [0, 'ERR_MULTICAST_DECODE true\n'])
})

test('an error that nobody awaits or listens for ends the process, as of any EventEmitter', async () => {
  const { code, stderr } = await runProgram(`
    new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99' })
    process.on('unhandledRejection', () => console.error('unhandled rejection'))
  `)
  assert.equal(code, 1)
  assert.match(stderr, /ERR_MULTICAST_BIND/)
  assert.doesNotMatch(stderr, /unhandled rejection/)
})

test('an error that somebody awaits or listens for does not end the process', async () => {
  const ways = [
    "receiver.ready().catch((error) => console.log('ready', error.code))",
    "receiver.on('error', (error) => console.log('event', error.code))",
    "receiver.on('error', (error) => console.log('event', error.code)); receiver.ready()",
    "receiver.join().catch((error) => console.log('join', error.code))",
    "try { for await (const _ of receiver); } catch (error) { console.log('loop', error.code) }",
  ]
  await Promise.all(
    ways.map(async (way) => {
      const { code, stdout, stderr } = await runProgram(`
        const receiver = new MulticastReceiver({
          group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99',
        })
        ${way}
      `)
      assert.deepEqual([code, stderr.replace(/\(node:.*\n|\(Use .*\n/g, '')], [0, ''], way)
      assert.match(stdout, /^\w+ ERR_MULTICAST_BIND\n$/)
    }),
  )
})

test('a listener that throws is an uncaught exception, as of any EventEmitter', async () => {
  const { code, stdout } = await runProgram(`
    const caught = []
    process.on('uncaughtException', (error, origin) => caught.push(error.message + ' ' + origin))
    const receiver = new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'], codec: text })
    receiver.on('listening', () => { throw new Error('from listening') })
    receiver.on('message', () => { throw new Error('from message') })
    receiver.on('close', () => { throw new Error('from close') })
    receiver.on('membership', (change) => { throw new Error('from ' + change) })
    await receiver.ready()
    await receiver.leave()
    await receiver.join()
    const sender = new MulticastSender({ group: '${group}', port: receiver.address().port, interfaces: '127.0.0.1' })
    const loop = receiver[Symbol.asyncIterator]()
    await sender.send('x')
    console.log((await loop.next()).value.message)
    await receiver.close()
    await sender.close()
    console.log(caught.join('\\n'))
  `)
  assert.equal(code, 0)
  assert.deepEqual(stdout.trim().split('\n'), [
    'x',
    'from listening uncaughtException',
    'from left uncaughtException',
    'from joined uncaughtException',
    'from message uncaughtException',
    'from close uncaughtException',
  ])
})

test('an unreferenced pair lets the process end, its clocks too', async () => {
  const { code, stdout } = await runProgram(`
    const receiver = new MulticastReceiver({
      group: '${group}', port: 0, interfaces: ['127.0.0.1'], timeout: 2 ** 31 - 1,
    })
    await receiver.ready()
    receiver.unref()
    const sender = new MulticastSender({
      group: '${group}', port: receiver.address().port, interfaces: '127.0.0.1', timeout: 2 ** 31 - 1,
    }).unref()
    await sender.send('x')
    console.log('end')
  `)
  assert.deepEqual([code, stdout], [0, 'end\n'])
})

test('DEBUG shows opening, joining, sending, receiving and closing', async () => {
  const { stderr } = await runProgram(
    `
    const receiver = new MulticastReceiver({ group: '${group}', port: 0, interfaces: ['127.0.0.1'] })
    await receiver.ready()
    const sender = new MulticastSender({ group: '${group}', port: receiver.address().port, interfaces: '127.0.0.1' })
    const loop = receiver[Symbol.asyncIterator]()
    await sender.send('abc')
    await loop.next()
    await sender.close()
    await receiver.close()
    `,
    { DEBUG: 'typed-multicast:*' },
  )
  for (const line of [
    /typed-multicast:receiver opening a socket on \S+ port 0/,
    /typed-multicast:receiver joining on lo, source any/,
    /typed-multicast:sender sending 3 bytes to 239\.255\.\d+\.\d+ port \d+/,
    /typed-multicast:receiver received 3 bytes from 127\.0\.0\.1 port \d+/,
    /typed-multicast:sender closing/,
    /typed-multicast:receiver closed/,
  ]) {
    assert.match(stderr, line)
  }
})
