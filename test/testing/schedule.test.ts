import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { test } from 'node:test'
import { MulticastReceiver, MulticastSender, text } from '../../src/index.js'
import { MockNetwork } from '../../src/testing/index.js'
import { runProgram } from '../child.js'
import { moduleOf } from '../tree.js'
import { keep, listen, speak } from './endpoints.js'

const where = { group: '239.1.2.3', port: 10_000, codec: text }

test('settled() waits for opening, sending, hearing, answering and closing', async () => {
  const network = new MockNetwork()
  const events: string[] = []
  const receiver = keep(new MulticastReceiver({ ...where, ...network.host() }))
  const sender = keep(new MulticastSender({ ...where, ...network.host() }))
  receiver.on('listening', () => events.push('listening'))
  receiver.on('message', async (message, remote) => {
    // As many microtasks as the code under test may take.
    for (let awaited = 0; awaited < 100; awaited += 1) await undefined
    await receiver.reply(message, remote)
    events.push('replied')
  })
  sender.on('message', () => events.push('answered'))
  receiver.on('close', () => events.push('closed'))

  await network.settled()
  assert.deepEqual(events, ['listening'])
  sender.send('hello').then(() => events.push('sent'))
  await network.settled()
  assert.deepEqual(events.splice(0), ['listening', 'sent', 'replied', 'answered'])
  receiver.close()
  await network.settled()
  assert.deepEqual(events, ['closed'])
})

test('settled() waits for a conversation, however many turns it takes', async () => {
  const network = new MockNetwork()
  const { receiver } = await listen(network.host())
  const sender = speak(network.host())
  let turns = 0
  receiver.on('message', async (message, remote) => {
    await undefined
    await receiver.reply(message, remote)
  })
  sender.on('message', async (message) => {
    turns += 1
    for (let awaited = 0; awaited < 10; awaited += 1) await undefined
    if (Number(message) > 0) await sender.send(`${Number(message) - 1}`)
  })
  await sender.send('20')
  await network.settled()
  assert.equal(turns, 21)
})

test('settled() waits for what a callback begins after the turn that nothing was to follow', async () => {
  const network = new MockNetwork()
  const socket = network.host().createSocket('udp4').bind(10_063, '127.0.0.1')
  const heard: string[] = []
  socket.on('message', (data) => heard.push(`${data}`))
  await network.settled()
  const onceRefused = (then: () => void) => socket.send('nowhere', 9, 'nowhere', then)
  onceRefused(() => onceRefused(() => socket.send('here', 10_063, '127.0.0.1')))
  await network.settled()
  assert.deepEqual(heard, ['here'])
  await network.close()
})

test('settled() resolves at once where nothing is in flight, for each who asks', async () => {
  const network = new MockNetwork()
  await Promise.all([network.settled(), network.settled()])
  await network.settled()
})

test('settled() waits for what is delayed, by real timers', async () => {
  const network = new MockNetwork({ latency: 5 })
  const { receiver, heard } = await listen(network.host())
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  const sender = speak(network.host())
  const answer = once(sender, 'message')
  await sender.send('hello')
  assert.deepEqual(heard, [])
  await network.settled()
  assert.deepEqual(heard, ['hello'])
  await answer
})

test('idle() leaves what is delayed in flight, so that time can be moved by hand', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const network = new MockNetwork({ latency: 40 })
  const { receiver } = await listen(network.host())
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  const sender = speak(network.host())
  const answers: string[] = []
  sender.on('message', (message) => answers.push(message))
  const settled = sender.send('hello').then(() => network.settled())
  for (const expected of [0, 0, 1]) {
    await network.idle()
    assert.equal(answers.length, expected)
    t.mock.timers.tick(40)
    await network.idle()
  }
  await settled
})

test('a conversation that never ends lets timers run', async () => {
  const network = new MockNetwork({ journalLimit: 0 })
  const { receiver } = await listen(network.host())
  receiver.on('message', (message, remote) => receiver.reply(message, remote))
  const sender = speak(network.host())
  sender.on('message', (message) => void sender.send(message).catch(() => {}))
  await sender.send('again')
  await new Promise((resolve) => setTimeout(resolve, 1))
  await sender.close()
})

test('each message comes in a turn of its own, after the call that sent it', async () => {
  const network = new MockNetwork()
  const socket = network.host().createSocket({ type: 'udp4' })
  socket.bind({ port: 9 })
  await once(socket, 'listening')
  const heard: string[] = []
  for (const word of ['one', 'two', 'three']) socket.send(Buffer.from(word), 9, '127.0.0.1')
  assert.equal(heard.length, 0)
  // A listener that is only there for one message each time misses none.
  for (let at = 0; at < 3; at += 1) {
    const [data] = await once(socket, 'message')
    await undefined
    heard.push(`${data}`)
  }
  assert.deepEqual(heard, ['one', 'two', 'three'])
  socket.close()
})

test('a name is found in the asynchronous context of who asked for it', async () => {
  const storage = new AsyncLocalStorage<string>()
  const { createSocket } = new MockNetwork().host()
  for (const name of ['localhost', 'nowhere']) {
    const socket = createSocket('udp4')
    const context = new Promise((resolve) => {
      for (const event of ['listening', 'error']) {
        socket.on(event, () => resolve(storage.getStore()))
      }
    })
    storage.run(name, () => socket.bind(9, name))
    assert.equal(await context, name)
    socket.close()
  }
})

test('listeners run in the asynchronous context in which the socket was made', async () => {
  const network = new MockNetwork()
  const storage = new AsyncLocalStorage<string>()
  const { receiver } = await storage.run('the receiver', () => listen(network.host()))
  const context = new Promise((resolve) => {
    receiver.on('message', () => resolve(storage.getStore()))
  })
  await storage.run('the sender', () => speak(network.host()).send('x'))
  assert.equal(await context, 'the receiver')
})

const program = (body: string) =>
  runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    const network = new MockNetwork()
    const where = { group: '239.1.2.3', port: 10000, codec: text }
    const receiver = await new MulticastReceiver({ ...where, ...network.host() }).ready()
    const sender = await new MulticastSender({ ...where, ...network.host() }).ready()
    ${body}
  `)

test('what a listener throws is uncaught, and the next message comes all the same', async () => {
  const { code, stdout } = await program(`
    process.on('uncaughtException', (error) => console.log('uncaught', error.message))
    receiver.on('message', (message) => {
      if (message === 'bad') throw new Error('a mistake')
      console.log(message)
    })
    for (const message of ['bad', 'good']) await sender.send(message)
    await network.settled()
    const socket = network.host().createSocket('udp4')
    socket.bind(9, 'localhost', () => {
      throw new Error('another')
    })
    await network.settled()
    await Promise.all([receiver.close(), sender.close(), socket.close()])
  `)
  assert.deepEqual([code, stdout], [0, 'uncaught a mistake\ngood\nuncaught another\n'])
})

test('node:test learns in which of its tests a listener has thrown', async () => {
  const { code, stdout } = await runProgram(`
    import { test } from 'node:test'
    import { MockNetwork } from ${moduleOf('testing/index')}
    for (const name of ['sound', 'mistaken', 'sound too']) {
      test(name, async () => {
        const network = new MockNetwork()
        const where = { group: '239.1.2.3', port: 10000, codec: text }
        const receiver = await new MulticastReceiver({ ...where, ...network.host() }).ready()
        receiver.on('message', (message) => {
          if (message === 'mistaken') throw new Error('a mistake')
        })
        const sender = await new MulticastSender({ ...where, ...network.host() }).ready()
        await sender.send(name)
        await network.settled()
        await network.close()
      })
    }
  `)
  assert.equal(code, 1)
  // As TAP, and as newer versions of Node print it.
  assert.match(stdout, /(not ok \d+ -|✖) mistaken/)
  for (const name of ['sound', 'sound too']) {
    assert.match(stdout, new RegExp(`^(ok \\d+ -|✔) ${name}`, 'm'))
  }
})

test('an open socket keeps the process alive, and one that is unref()ed or closed does not', async () => {
  const { code, stdout } = await program(`
    receiver.unref()
    sender.unref().ref()
    // Only unref()ed, this timer would not keep the process for long enough.
    setTimeout(() => {
      console.log('alive')
      sender.close()
    }, 50).unref()
  `)
  assert.deepEqual([code, stdout], [0, 'alive\n'])
})

test('each socket keeps the process alive by itself, however often others are told not to', async () => {
  const { code, stdout } = await runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    const { createSocket } = new MockNetwork().host()
    const [one, other] = [createSocket('udp4'), createSocket('udp4')]
    one.bind(() => {
      other.bind(() => {
        other.unref().unref()
        setTimeout(() => {
          console.log('alive')
          one.close()
        }, 50).unref()
      })
    })
  `)
  assert.deepEqual([code, stdout], [0, 'alive\n'])
})

test('a datagram in flight keeps the process alive no more than with node:dgram, who waits for it to be settled does', async () => {
  const outcomes = async (makes: string) => {
    const lone = await runProgram(`
      ${makes}
      const [one, other] = [createSocket('udp4'), createSocket('udp4')]
      one.on('message', () => console.log('heard'))
      one.bind(0, '127.0.0.1', () => {
        other.unref().send('x', one.address().port, '127.0.0.1', () => {
          console.log('sent')
          one.unref()
        })
      })
    `)
    const echo = await runProgram(`
      ${makes}
      const [one, other] = [createSocket('udp4').unref(), createSocket('udp4').unref()]
      // Until they have begun.
      const alive = setInterval(() => {}, 1000)
      let heard = 0
      for (const socket of [one, other]) {
        socket.on('message', (data, { port, address }) => {
          heard += 1
          if (heard === 10) clearInterval(alive)
          if (heard === 100_000) process.exit(1)
          socket.send(data, port, address)
        })
      }
      one.bind(0, '127.0.0.1', () => other.send('x', one.address().port, '127.0.0.1'))
    `)
    return [lone, echo].map(({ code, stdout }) => [code, stdout])
  }
  const mocks = `
    import { MockNetwork } from ${moduleOf('testing/index')}
    const network = new MockNetwork()
    const { createSocket } = network.host()
  `
  const node = await outcomes(`import { createSocket } from 'node:dgram'`)
  assert.deepEqual(node, [
    [0, 'sent\n'],
    [0, ''],
  ])
  assert.deepEqual(await outcomes(mocks), node)
  const read = await runProgram(`
    ${mocks}
    const socket = createSocket('udp4').unref()
    const isHeld = () => process.getActiveResourcesInfo().includes('MessagePort')
    const told = new Set()
    const look = (left) => {
      told.add(isHeld())
      if (left > 0) setImmediate(look, left - 1)
      else {
        console.log(...told)
        clearInterval(alive)
      }
    }
    const alive = setInterval(() => {}, 1000)
    socket.on('message', () => look(9))
    socket.bind(10_062, '127.0.0.1', () => socket.send('x', 10_062, '127.0.0.1'))
  `)
  assert.deepEqual([read.code, read.stdout], [0, 'false\n'])
  const settled = await runProgram(`
    ${mocks}
    const socket = createSocket('udp4').on('message', () => console.log('heard')).unref()
    await new Promise((resolve) => socket.bind(10_062, '127.0.0.1', resolve))
    createSocket('udp4').unref().send('x', 10_062, 'localhost')
    await network.settled()
    await network.idle()
    console.log('settled')
  `)
  assert.deepEqual([settled.code, settled.stdout], [0, 'heard\nsettled\n'])
})

test('a name that is looked for keeps the process alive until it is found', async () => {
  const { code, stdout } = await runProgram(`
    import { MockNetwork } from ${moduleOf('testing/index')}
    const socket = new MockNetwork().host().createSocket('udp4').unref()
    socket.bind(10_062, 'localhost', () => console.log(socket.address().address))
  `)
  assert.deepEqual([code, stdout], [0, '127.0.0.1\n'])
})

test('what is delayed keeps the process alive only for who waits until it has settled', async () => {
  const delayed = (first: string, last: string) =>
    runProgram(`
      import { mock } from 'node:test'
      import { MockNetwork } from ${moduleOf('testing/index')}
      ${first}
      const network = new MockNetwork({ latency: 5 })
      const { createSocket } = network.host()
      const [one, other] = [createSocket('udp4').unref(), createSocket('udp4').unref()]
      one.on('message', () => console.log('heard'))
      await new Promise((resolve) => one.bind(10_062, '127.0.0.1', resolve))
      const send = () => other.send('x', 10_062, '127.0.0.1')
      send()
      ${last}
    `)
  const settles = `
    const settled = network.settled()
    // Before anything arrives: it is waited for as well.
    send()
    await settled
    console.log('settled')
  `
  // Would it be held, it would be so for longer than a program may run.
  const leaves = `
    await network.settled()
    network.setFaults({ latency: 10 ** 6 })
    send()
    await network.idle()
    console.log('idle')
  `
  const holds = `
    ${leaves}
    const isHeld = () => process.getActiveResourcesInfo().includes('Timeout')
    const told = [isHeld()]
    void network.idle()
    const settled = network.settled()
    told.push(isHeld())
    await network.close()
    await settled
    console.log(...told)
  `
  const fakes = `mock.timers.enable({ apis: ['setTimeout'] })`
  for (const [first, last, code, told] of [
    ['', settles, 0, 'heard\nheard\nsettled\n'],
    ['', leaves, 0, 'heard\nidle\n'],
    ['', holds, 0, 'heard\nidle\nfalse true\n'],
    ['', 'void network.settled().then(() => console.log("settled"))', 0, 'heard\nsettled\n'],
    // For whom it was is gone.
    ['', 'one.close(); await network.settled(); console.log("settled")', 0, 'settled\n'],
    // Node's own exit code where nothing is left that could let an await go on.
    [fakes, settles, 13, ''],
    // Such as those of a browser are.
    ['globalThis.setTimeout = () => 5', settles, 13, ''],
  ] as const) {
    const { code: ended, stdout } = await delayed(first, last)
    assert.deepEqual([ended, stdout], [code, told])
  }
})

test('what is delayed for as long as a timer can be takes one', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const timers = t.mock.method(globalThis, 'setTimeout')
  const network = new MockNetwork({ latency: 2 ** 31 - 1 })
  const { heard } = await listen(network.host())
  const sender = speak(network.host(), { loopback: false })
  await sender.ready()
  const before = timers.mock.callCount()
  await sender.send('late')
  let isSettled = false
  const settled = network.settled().then(() => (isSettled = true))
  await network.idle()
  assert.equal(isSettled, false)
  t.mock.timers.tick(2 ** 31 - 1)
  await settled
  assert.deepEqual([heard, timers.mock.callCount() - before], [['late'], 1])
})

test('those who wait until all has settled are told in the order in which they asked', async () => {
  const network = new MockNetwork()
  const told: number[] = []
  await Promise.all([1, 2, 3].map((asked) => network.settled().then(() => told.push(asked))))
  assert.deepEqual(told, [1, 2, 3])
})

test('what is delayed for longer than a timer can be comes then, and not at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const timers = t.mock.method(globalThis, 'setTimeout')
  const longest = 2 ** 31 - 1
  const network = new MockNetwork({ latency: longest, jitter: longest })
  const { heard } = await listen(network.host())
  const sender = speak(network.host())
  for (let count = 0; count < 5; count += 1) await sender.send('late')
  await network.idle()
  t.mock.timers.tick(longest - 1)
  assert.deepEqual(heard, [])
  for (let months = 0; months < 3; months += 1) t.mock.timers.tick(longest)
  await network.settled()
  assert.equal(heard.length, 5)
  // Node's own fires at once if it is set for longer.
  const set = timers.mock.calls.map(({ arguments: [, ms] }) => ms as number)
  assert.ok(set.length > 5)
  assert.equal(Math.max(...set), longest)
  await sender.send('given up')
  await network.idle()
  await network.close()
})
