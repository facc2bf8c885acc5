import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from './child.js'
import { group } from './loopback.js'
import { moduleOf } from './tree.js'

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
    "receiver[Symbol.asyncIterator](); receiver[Symbol.asyncIterator]().next().catch((error) => console.log('loop', error.code))",
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

test('a ready() that nobody awaits ends the process if opening fails, and not if it is closed', async () => {
  const started = (then: string) =>
    runProgram(`
      const receiver = new MulticastReceiver({
        group: '${group}', port: 0, interfaces: ['127.0.0.1'], bindAddress: '192.0.2.99',
      })
      receiver.ready()
      ${then}
    `)
  const [failed, closed] = await Promise.all([started(''), started('receiver.close()')])
  assert.equal(failed.code, 1)
  assert.match(failed.stderr, /ERR_MULTICAST_BIND/)
  assert.equal(closed.code, 0)
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

test('what a polluted prototype has is no option, of whatever kind', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    const options = [
      // Of senders, receivers and peers.
      'accept', 'bindAddress', 'codec', 'createSocket', 'followInterfaces', 'interfaces', 'localAddress',
      'localPort', 'loopback', 'maxQueuedBytes', 'networkInterfaces', 'queueBytes', 'queueLimit',
      'recvBufferSize', 'replies', 'replyCodec', 'reuseAddr', 'sendBufferSize', 'signal', 'sources',
      'timeout', 'ttl', 'watchInterfaces',
      // Of their calls, and of the mock.
      'limit', 'within',
      'addresses', 'copies', 'delay', 'duplication', 'jitter', 'journalLimit', 'label', 'latency', 'loss',
      'lost', 'platform', 'reordering', 'rule', 'scope', 'seed', 'segment',
      // What node:dgram would take.
      'ipv6Only', 'lookup', 'receiveBlockList', 'reusePort', 'sendBlockList',
    ]
    const lines = []
    for (const option of options) Object.prototype[option] = 'polluted'
    Object.prototype.fd = 1

    async function converse(where, host) {
      const receiver = await new MulticastReceiver({ ...where, ...host() }).ready()
      where = { ...where, port: receiver.address().port }
      receiver.on('message', (message, remote) => receiver.reply(message, remote))
      receiver.on('error', (error) => lines.push(error.message))
      await receiver.join({})
      const sender = new MulticastSender({ ...where, ...host() })
      const signal = AbortSignal.timeout(10_000)
      for await (const { message } of sender.request('request', { limit: 1, signal })) lines.push(String(message))
      lines.push(String((await sender.gather('gather', { limit: 1, signal }))[0].message))
      const peer = await new MulticastPeer({ ...where, ...host() }).ready()
      await peer.send('from a peer')
      await receiver.leave({})
      await Promise.all([receiver.close(), sender.close(), peer.close()])
    }
    const network = new MockNetwork({})
    const rule = () => ({})
    const faulty = new MockNetwork({ rule })
    const interfaces = { eth0: { addresses: [{ address: '10.0.0.7/24' }] }, eth1: { segment: 'other' } }
    await converse({ group: '239.1.2.3', port: 10_000 }, () => network.host({}))
    await converse({ group: '239.1.2.3', port: 10_000 }, () => {
      interfaces.eth0.addresses = [{ address: '10.0.0.' + (faulty.made = (faulty.made ?? 7) + 1) + '/24' }]
      return faulty.host({ interfaces })
    })
    await converse({ group: '${group}', port: 0, interfaces: '127.0.0.1' }, () => ({}))
    // What prints takes options too.
    for (const option of [...options, 'fd']) delete Object.prototype[option]
    console.log(lines.join())
  `)
  const heard = 'request,gather'
  assert.deepEqual([code, stdout, stderr], [0, `${heard},${heard},${heard}\n`, ''])
})

test('a polluted prototype does not spoil what was given either', async () => {
  const { code, stdout } = await runProgram(`
    for (const name of ['createSocket', 'networkInterfaces', 'timeout']) Object.prototype[name] = () => {}
    const on = { group: '${group}', port: 9, interfaces: '127.0.0.1' }
    const sender = new MulticastSender({ ...on, timeout: undefined })
    await sender.ready()
    try {
      new MulticastSender({ ...on, ttl: 256 })
    } catch (error) {
      console.log(error.code)
    }
    await sender.close()
  `)
  assert.deepEqual([code, stdout], [0, 'ERR_MULTICAST_TTL\n'])
})

test('a reply that waits for its time lets the process end, unless it is referenced again', async () => {
  const replying = (then: string) =>
    runProgram(`
      const where = { group: '${group}', port: 0, interfaces: '127.0.0.1' }
      const receiver = await new MulticastReceiver(where).ready()
      const remote = { address: '127.0.0.1', port: 9 }
      const within = { within: 200 }
      Math.random = () => 1
      receiver.reply('before', remote, within).then(() => console.log('before'))
      receiver.unref()
      receiver.reply('after', remote, within).then(() => console.log('after'))
      ${then}
    `)
  const [gone, held] = await Promise.all([
    replying(''),
    replying("receiver.ref(); receiver.reply('end', remote, within).then(() => receiver.close())"),
  ])
  assert.deepEqual([gone.code, gone.stdout, gone.stderr], [0, '', ''])
  assert.deepEqual([held.code, held.stdout, held.stderr], [0, 'before\nafter\n', ''])
})

/** What a program does with a mock host whose network refuses what it sends. */
const unheeded = (body: string) =>
  runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    const host = new MockNetwork().host()
    const on = { group: '${group}', port: 9, ...host }
    ${body}
  `)

test('a send that nobody awaits does not end the process when the network refuses it', async () => {
  const { code, stdout, stderr } = await unheeded(`
    const sender = await new MulticastSender(on).ready()
    let beats = 0
    const codes = ['EPERM', 'ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH', 'EACCES', 'ENOBUFS']
    const heartbeat = setInterval(() => {
      host.failSends(codes[beats % codes.length])
      sender.send('alive')
      if (++beats < 12) return
      clearInterval(heartbeat)
      sender.close()
    }, 1)
    sender.on('close', () => console.log(sender.stats.failed, sender.stats.sent))
  `)
  assert.deepEqual([code, stdout, stderr], [0, '12 0\n', ''])
})

test('the interface is down, and a send that nobody awaits ends nothing', async () => {
  const { code, stdout, stderr } = await unheeded(`
    const sender = await new MulticastSender({ ...on, interfaces: 'eth0' }).ready()
    host.down('eth0')
    sender.send('lost')
    await sender.close()
    console.log(sender.stats.failed)
  `)
  assert.deepEqual([code, stdout, stderr], [0, '1\n', ''])
})

for (const [what, code, body] of [
  ['a message of the wrong type', 'MESSAGE_TYPE', 'sender.send(7)'],
  ['a message that is too large', 'MESSAGE_SIZE', 'sender.send(Buffer.alloc(65_508))'],
  ['a closed sender', 'CLOSED', "await sender.close(); sender.send('x')"],
  [
    'a queue that is full',
    'QUEUE_FULL',
    "new MulticastSender({ ...on, maxQueuedBytes: 256 }).send('x')",
  ],
  [
    'an opening that has failed',
    'BIND',
    "new MulticastSender({ ...on, localAddress: '192.0.2.99' }).send('x')",
  ],
  [
    'an awaited send that is not handled elsewhere',
    'SEND',
    "host.failSends('EPERM'); (async () => { await sender.send('x') })()",
  ],
]) {
  test(`${what} ends the process, as every rejection does that nobody handles`, async () => {
    const outcome = await unheeded(`
      const sender = await new MulticastSender(on).ready()
      ${body}
      await new Promise((resolve) => setTimeout(resolve, 10_000))
      console.log('still there')
    `)
    assert.deepEqual([outcome.code, outcome.stdout], [1, ''])
    assert.match(outcome.stderr, new RegExp(`code: 'ERR_MULTICAST_${code}'`))
  })
}

/** Node 26 asks for a permission to use the network. */
const permission =
  Number.parseInt(process.versions.node, 10) < 26
    ? {}
    : { NODE_OPTIONS: '--permission --allow-fs-read=*' }

test("Node's permission model refuses sockets, and the error says what to start Node with", async () => {
  // Where it has no model for the network this is what it would say.
  const { code, stdout } = await runProgram(
    `
    import { createSocket } from 'node:dgram'
    const on = { group: '${group}', interfaces: '127.0.0.1' }
    const hasModel = process.permission !== undefined && !process.permission.has('net')
    const carrier = hasModel ? {} : {
      createSocket: (options) => Object.assign(createSocket(options), {
        bind() {
          setImmediate(() => this.emit('error', Object.assign(new Error('Access to this API has been restricted'), {
            code: 'ERR_ACCESS_DENIED',
          })))
        },
      }),
    }
    for (const make of [
      () => new MulticastSender({ ...on, port: 9, ...carrier }),
      () => new MulticastReceiver({ ...on, port: 0, ...carrier }),
    ]) {
      await make().ready().catch((error) => console.log(error.code, error.cause.code, error.message))
    }
  `,
    permission,
  )
  const line =
    /^ERR_MULTICAST_BIND ERR_ACCESS_DENIED .*restricted.* \(start Node with --allow-net\)$/
  const lines = stdout.trim().split('\n')
  assert.deepEqual([code, lines.length], [0, 2])
  for (const one of lines) assert.match(one, line)
})
