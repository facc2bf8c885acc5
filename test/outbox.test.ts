import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { isPromise } from 'node:util/types'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import debug from 'debug'
import { parseGroup } from '../src/address.js'
import type { DatagramSocket } from '../src/datagram.js'
import { MulticastError } from '../src/errors.js'
import { Outbox } from '../src/outbox.js'
import { runProgram } from './child.js'
import { until } from './until.js'

/** What a message that waits for opening takes beside its bytes. */
const KEPT = 256

const group = parseGroup('239.1.2.3')
const [port, address] = [10000, '239.1.2.3']

/** A socket that keeps what it is given until it is told what became of it. */
class Kernel {
  readonly taken: { data: Uint8Array; port: number; address: string }[] = []
  readonly answers: ((error: Error | null) => void)[] = []
  /** The bytes that it has refused so far, and how often that was asked. */
  refused: number | undefined = 0
  asked = 0
  readonly socket = {
    send: (
      data: Uint8Array,
      port: number,
      address: string,
      callback: (e: Error | null) => void,
    ) => {
      this.taken.push({ data, port, address })
      this.answers.push(callback)
    },
    getSendQueueSize: () => {
      this.asked += 1
      return this.refused
    },
  } as unknown as DatagramSocket

  /** Answers the oldest. */
  answer(error: Error | null = null): void {
    this.answers.shift()?.(error)
  }
}

interface Made {
  outbox: Outbox
  kernel: Kernel
  /** How often something was sent. */
  sent: () => number
  send: (size: number) => Promise<number>
  open: () => void
}

function make(limit = 10, to = group): Made {
  let sent = 0
  const outbox = new Outbox(limit, to, debug('nobody listens'), () => {
    sent += 1
  })
  const kernel = new Kernel()
  return {
    outbox,
    kernel,
    sent: () => sent,
    send: (size) => outbox.send(() => Buffer.alloc(size)),
    open: () => outbox.open(() => [{ socket: kernel.socket, port, address }]),
  }
}

/** Whether it has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const settle = (): void => {
    settled = true
  }
  promise.then(settle, settle)
  await setImmediate()
  return settled
}

/** Collects garbage. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

const systemError = (code: string): Error => Object.assign(new Error(`send ${code}`), { code })

test('what is sent before it opens goes out when it does, in its order and to its address', async () => {
  const { outbox, kernel, sent } = make(1000)
  const [one, two] = [Buffer.from('one'), Buffer.from('four')]
  const sends = [
    outbox.send(() => one, { port: 1, address: '239.0.0.1' }),
    outbox.send(() => two, { port: 2, address: '239.0.0.2' }),
  ]
  assert.equal(outbox.isEmpty, false)
  const routed: string[] = []
  outbox.open((to = { port, address }) => {
    routed.push(to.address)
    return [{ socket: kernel.socket, ...to }]
  })
  sends.push(outbox.send(() => one))
  assert.deepEqual(routed, ['239.0.0.1', '239.0.0.2', address])
  assert.deepEqual(kernel.taken, [
    { data: one, port: 1, address: '239.0.0.1' },
    { data: two, port: 2, address: '239.0.0.2' },
    { data: one, port, address },
  ])
  for (const _ of routed) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [3, 4, 3])
  assert.deepEqual([outbox.sent, outbox.bytesSent, sent()], [3, 10, 3])
  assert.equal(outbox.isEmpty, true)
})

test('before it opens no more than the limit waits, and that is room again afterwards', async () => {
  const limit = 10 + 2 * KEPT
  const { outbox, kernel, send, open } = make(limit)
  const sends = [send(4), send(6)]
  await assert.rejects(send(1), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: new RegExp(
      `^${limit} bytes wait to be sent, and 1 more and ${KEPT} to keep them would exceed maxQueuedBytes \\(${limit}\\):`,
    ),
  })
  open()
  assert.equal(kernel.taken.length, 2)
  sends.push(send(limit))
  for (const _ of sends) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [4, 6, limit])
  assert.equal(outbox.bytesSent, 10 + limit)
})

test('of refusals in a row the first alone has a stack, before it opens and afterwards', async (t) => {
  const { stackTraceLimit } = Error
  t.after(() => {
    Error.stackTraceLimit = stackTraceLimit
  })
  Error.stackTraceLimit = 7
  const { kernel, send, open } = make(2 + 2 * KEPT)
  /** How many of these are told where they were made, and what each says. */
  const told = async (sends: readonly Promise<number>[]): Promise<[string, boolean][]> => {
    const errors = await Promise.all(
      sends.map((one) => one.catch((error: MulticastError) => error)),
    )
    assert.equal(Error.stackTraceLimit, 7)
    return errors.map((error) =>
      error instanceof MulticastError
        ? [error.code.slice('ERR_MULTICAST_'.length), /\n {4}at /.test(`${error.stack}`)]
        : [`${error}`, false],
    )
  }
  const [first, second] = [
    ['QUEUE_FULL', true],
    ['QUEUE_FULL', false],
  ]
  const taken = [send(1)]
  assert.deepEqual(await told([send(KEPT + 2), send(KEPT + 2), send(500)]), [first, second, second])
  // One that is accepted begins a new row.
  taken.push(send(1))
  assert.deepEqual(await told([send(0), send(0)]), [first, second])
  open()
  kernel.refused = 2 + 2 * KEPT
  taken.push(send(2 * KEPT))
  assert.deepEqual(await told([send(1), send(2)]), [first, second])
  for (const _ of taken) kernel.answer()
  assert.deepEqual(await told(taken), [
    ['1', false],
    ['1', false],
    ['512', false],
  ])
})

test('what is refused in a row is told although Error is frozen', async () => {
  const { code, stdout, stderr } = await runProgram(`
    Object.freeze(Error)
    const sender = new MulticastSender({ group: '239.1.2.3', port: 9, interfaces: '127.0.0.1', maxQueuedBytes: 1 })
    for (const send of [sender.send('x'), sender.send('x')]) {
      await send.catch(({ code, stack }) => console.log(code, stack.includes('outbox')))
    }
    await sender.close()
  `)
  const line = 'ERR_MULTICAST_QUEUE_FULL true\n'
  assert.deepEqual([code, stdout, stderr], [0, line + line, ''])
})

test('empty messages that wait for opening have their bound too', async () => {
  const { kernel, send, open } = make(3 * KEPT)
  const sends = [send(0), send(0), send(0)]
  await assert.rejects(send(0), { code: 'ERR_MULTICAST_QUEUE_FULL' })
  open()
  for (const _ of sends) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [0, 0, 0])
})

test('no more than the limit waits for its time, and that is room again afterwards', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { outbox, kernel, open } = make(10 + 2 * 256)
  open()
  const later = (size: number) => outbox.sendLater(1000, Buffer.alloc(size), { address, port })
  const sends = [later(4), later(6)]
  const full = {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message:
      /^522 bytes wait to be sent, and 1 more and 256 to keep them would exceed maxQueuedBytes \(522\):/,
  }
  await assert.rejects(later(1), full)
  t.mock.timers.tick(1000)
  for (const _ of sends) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [4, 6])
  const last = later(10 + 256)
  await assert.rejects(later(1), full)
  outbox.shut(() => new MulticastError('ERR_MULTICAST_CLOSED', 'closed'))
  await assert.rejects(last, { code: 'ERR_MULTICAST_CLOSED' })
})

test('what waits for its time holds the process only while it is to, and is let go afterwards', async () => {
  const { outbox, kernel, open } = make(10_000)
  open()
  const held = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length
  const later = (ms: number, data: Uint8Array) => outbox.sendLater(ms, data, { address, port })
  const before = held()
  const sends = [later(60_000, Buffer.alloc(1))]
  assert.equal(held(), before + 1)
  outbox.hold(false)
  sends.push(later(60_000, Buffer.alloc(1)))
  assert.equal(held(), before)
  outbox.hold(true)
  assert.equal(held(), before + 2)

  const data = new WeakRef(new Uint8Array(1))
  const sent = later(1, data.deref() as Uint8Array)
  await until('it is taken', () => kernel.taken.splice(0).length > 0)
  kernel.answer()
  assert.equal(await sent, 1)
  await until('its data is freed', () => {
    collect()
    return data.deref() === undefined
  })
  outbox.shut(() => new Error('shut'))
  for (const one of sends) await assert.rejects(one, /shut/)
})

test('a timer that is a number, as fake ones can be, is neither held nor let go', async (t) => {
  t.mock.method(globalThis, 'setTimeout', () => 7)
  const cleared = t.mock.method(globalThis, 'clearTimeout', () => {})
  const { outbox, open } = make(1000)
  open()
  const later = () => outbox.sendLater(1000, Buffer.alloc(1), { address, port })
  const sends = [later()]
  outbox.hold(false)
  sends.push(later())
  outbox.hold(true)
  outbox.shut(() => new Error('shut'))
  for (const one of sends) await assert.rejects(one, /shut/)
  assert.deepEqual(
    cleared.mock.calls.map((call) => call.arguments[0] as unknown),
    [7, 7],
  )
})

test('whatever the reason is that it is cut for, a send rejects with it', async () => {
  for (const reason of [undefined, null, 7, 'enough']) {
    const { outbox, send } = make(1000)
    const waiting = send(1)
    outbox.cut(() => reason)
    for (const one of [waiting, send(1)]) {
      const told = await one.then(
        () => assert.fail('it is cut'),
        (error: unknown) => error,
      )
      assert.equal(told, reason)
    }
  }
})

test('once it is open it is full when the kernel has refused too much, and else never', async () => {
  const { kernel, send, open } = make(10)
  open()
  const sends = [send(100), send(100)]
  kernel.refused = 6
  sends.push(send(4))
  await assert.rejects(send(5), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: /^6 bytes wait to be sent, and 5 more/,
  })
  // Some of Deno's sockets do not tell.
  kernel.refused = undefined
  sends.push(send(10))
  kernel.refused = 1
  await assert.rejects(send(10), { message: /^1 bytes wait to be sent, and 10 more/ })
  assert.equal(kernel.taken.length, 4)
  for (const _ of sends) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [100, 100, 4, 10])
})

test('the kernel is asked only when what it has not answered could be too much', async () => {
  const { kernel, send, open } = make(10)
  open()
  kernel.refused = 10
  const sends = [send(6), send(4)]
  assert.equal(kernel.asked, 0)
  await assert.rejects(send(1), { code: 'ERR_MULTICAST_QUEUE_FULL' })
  assert.equal(kernel.asked, 1)
  kernel.answer()
  sends.push(send(6))
  assert.equal(kernel.asked, 1)
  kernel.answer()
  kernel.answer()
  assert.deepEqual(await Promise.all(sends), [6, 4, 6])
})

test('a datagram may be as large as its family allows, and no larger', async () => {
  for (const [to, most] of [
    [group, 65_507],
    [parseGroup('ff02::1'), 65_527],
  ] as const) {
    const { outbox, kernel, send, open } = make(1_000_000, to)
    const waiting = send(most)
    const later = (size: number) => outbox.sendLater(1, Buffer.alloc(size), { address, port })
    await assert.rejects(later(most + 1), { code: 'ERR_MULTICAST_MESSAGE_SIZE' })
    const sentLater = later(most)
    await assert.rejects(send(most + 1), (error: MulticastError) => {
      assert.equal(error.code, 'ERR_MULTICAST_MESSAGE_SIZE')
      assert.match(error.message, new RegExp(`${most + 1} bytes, .* at most ${most}: split it`))
      assert.equal('cause' in error, false)
      return true
    })
    open()
    kernel.answer()
    assert.equal(await waiting, most)
    await until('the next is taken', () => kernel.taken.length === 2)
    kernel.answer()
    assert.equal(await sentLater, most)
  }
})

test('shut it takes nothing more, for the first reason, and lets out what it has', async () => {
  const { outbox, kernel, send, open } = make(1000)
  const accepted = send(1)
  let made = 0
  outbox.shut(() => {
    made += 1
    return new Error(`shut ${made}`)
  })
  outbox.shut(() => new Error('shut again'))
  await assert.rejects(send(1), /shut 1/)
  await assert.rejects(send(1), /shut 2/)
  assert.equal(outbox.isEmpty, false)
  open()
  await assert.rejects(send(1), /shut 3/)
  kernel.answer()
  assert.equal(await accepted, 1)
  assert.equal(kernel.taken.length, 1)
})

test('cut before it opens, all that waits is rejected and counted, and it is empty', async () => {
  const { outbox, kernel, sent, send, open } = make(1000)
  const sends = [send(1), send(2)]
  const drained = outbox.drained()
  assert.equal(
    outbox.cut(() => new Error('cut')),
    2,
  )
  for (const one of sends) await assert.rejects(one, /cut/)
  await drained
  assert.equal(outbox.isEmpty, true)
  await assert.rejects(send(1), /cut/)
  open()
  assert.equal(kernel.taken.length, 0)
  assert.equal(
    outbox.cut(() => new Error('cut again')),
    0,
  )
  assert.deepEqual([outbox.sent, sent()], [0, 0])
})

test('cut while the kernel has some, these are rejected as it answers, for the first reason', async () => {
  const { outbox, kernel, sent, send, open } = make()
  open()
  const [good, bad] = [send(1), send(2)]
  const drained = outbox.drained()
  assert.equal(outbox.isEmpty, false)
  assert.equal(
    outbox.cut(() => new Error('cut')),
    0,
  )
  outbox.cut(() => new Error('cut again'))
  assert.equal(outbox.isEmpty, true)
  await drained
  await outbox.drained()
  kernel.answer()
  kernel.answer(systemError('ENETDOWN'))
  await assert.rejects(good, { message: 'cut' })
  await assert.rejects(bad, { message: 'cut' })
  // The first went out all the same.
  assert.deepEqual([outbox.sent, outbox.bytesSent, sent()], [1, 1, 1])
})

test('it is drained when the last that it has taken is answered, and at once where there is none', async () => {
  const { outbox, kernel, send, open } = make(1000)
  const none = outbox.drained()
  assert.ok(isPromise(none))
  assert.equal(await isSettled(none), true)
  const sends = [send(1), send(1)]
  const drained = outbox.drained()
  open()
  assert.equal(await isSettled(drained), false)
  kernel.answer()
  assert.equal(await isSettled(drained), false)
  assert.equal(outbox.isEmpty, false)
  kernel.answer(systemError('EPERM'))
  await drained
  assert.equal(await sends[0], 1)
  await assert.rejects(sends[1] as Promise<number>)
  assert.equal(outbox.isEmpty, true)
})

test('what the system refuses is the cause, with a hint for what is known', async () => {
  const cases: [cause: unknown, code: string, message: RegExp][] = [
    [systemError('EACCES'), 'SEND', /: send EACCES \(a firewall or the sandbox forbids it\)$/],
    [systemError('EADDRNOTAVAIL'), 'SEND', /\(the interface has lost its address/],
    [systemError('EHOSTUNREACH'), 'SEND', /\(the network has just changed/],
    [systemError('ENETDOWN'), 'SEND', /\(the interface is down\)$/],
    [systemError('ENODEV'), 'SEND', /\(the interface was removed/],
    [
      systemError('ENETUNREACH'),
      'SEND',
      /\(there is no route: add one, or name an interface in interfaces\)$/,
    ],
    [systemError('EPERM'), 'SEND', /\(a firewall forbids it\)$/],
    [
      systemError('EIO'),
      'SEND',
      /^Could not send 7 bytes to 239\.1\.2\.3 port 10000: send EIO \(see/,
    ],
    ['odd', 'SEND', /: 'odd' \(see the cause\)$/],
    [
      systemError('EMSGSIZE'),
      'MESSAGE_SIZE',
      /refuses a message of 7 bytes \(send EMSGSIZE\): split it/,
    ],
  ]
  const { outbox, kernel, sent, send, open } = make()
  open()
  for (const [cause, code, message] of cases) {
    const sending = send(7)
    kernel.answer(cause as Error)
    await assert.rejects(sending, { code: `ERR_MULTICAST_${code}`, message, cause })
  }
  assert.deepEqual([outbox.sent, outbox.bytesSent, sent()], [0, 0, 0])
})

test('without a route to an IPv6 group the hint tells of the loopback interface', async () => {
  const { outbox, kernel, send } = make()
  outbox.open(() => [{ socket: kernel.socket, port, address: 'ff15::7' }])
  const sending = send(7)
  kernel.answer(systemError('ENETUNREACH'))
  await assert.rejects(sending, { message: /no route: .*IPv6 .* loopback interface\)$/ })
})

test('what the socket throws is the same as what it answers', async () => {
  const { outbox, send } = make()
  const cause = systemError('EPERM')
  let isBroken = true
  const good = new Kernel()
  const broken = {
    send: () => {
      throw cause
    },
  } as unknown as DatagramSocket
  outbox.open(() => [{ socket: isBroken ? broken : good.socket, port, address }])
  await assert.rejects(send(1), { code: 'ERR_MULTICAST_SEND', cause })
  assert.equal(outbox.isEmpty, true)
  isBroken = false
  const sending = send(10)
  assert.equal(good.asked, 0)
  good.answer()
  assert.equal(await sending, 10)
})

test('each rejection has a stack of its own', async () => {
  const { outbox, send } = make()
  outbox.shut(() => new MulticastError('ERR_MULTICAST_CLOSED', 'closed'))
  const [one, other] = await Promise.all([send(1), send(1)].map((send) => send.catch((e) => e)))
  assert.notEqual(one, other)
})

/** An outbox that sends every way of some. */
function several(count: number, limit = 10) {
  const { outbox, sent, send } = make(limit)
  const kernels = Array.from({ length: count }, () => new Kernel())
  outbox.open(() => kernels.map(({ socket }, at) => ({ socket, port, address, name: `e${at}` })))
  return { outbox, kernels: kernels as [Kernel, Kernel], sent, send }
}

test('what goes several ways is sent once one has taken it, and counts for each', async () => {
  const { outbox, kernels, sent, send } = several(2)
  const sending = send(3)
  assert.deepEqual(
    kernels.map(({ taken }) => taken.length),
    [1, 1],
  )
  kernels[0].answer(systemError('EPERM'))
  assert.equal(await isSettled(sending), false)
  kernels[1].answer()
  assert.equal(await sending, 3)
  const both = send(4)
  kernels[0].answer()
  assert.equal(await both, 4)
  assert.equal(outbox.isEmpty, false)
  kernels[1].answer()
  assert.equal(outbox.isEmpty, true)
  assert.deepEqual([outbox.sent, outbox.bytesSent, sent()], [3, 11, 3])
})

test('what no way takes is refused, as the last has it, with its name', async () => {
  const { outbox, kernels, send } = several(2)
  const sending = send(3)
  kernels[1].answer(systemError('EACCES'))
  kernels[0].answer(systemError('EPERM'))
  await assert.rejects(sending, {
    code: 'ERR_MULTICAST_SEND',
    message: /^Could not send 3 bytes to 239\.1\.2\.3 port 10000 through e0: send EPERM/,
  })
  assert.deepEqual([outbox.sent, outbox.isEmpty], [0, true])
})

test('a way whose queue is full is passed over, unless all are', async () => {
  const { kernels, send } = several(2)
  const first = send(10)
  kernels[0].refused = 10
  const second = send(1)
  assert.deepEqual(
    kernels.map(({ taken }) => taken.length),
    [1, 2],
  )
  kernels[1].refused = 11
  await assert.rejects(send(1), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: /^11 bytes wait to be sent, and 1 more would exceed/,
  })
  for (const _ of [0, 1]) for (const kernel of kernels) kernel.answer()
  assert.deepEqual(await Promise.all([first, second]), [10, 1])
})

test('what waited goes every way, whatever the kernel has refused meanwhile', async () => {
  const { outbox, send } = make(1000 + 2 * KEPT)
  const sends = [send(900), send(100)]
  const kernels = [new Kernel(), new Kernel()]
  for (const kernel of kernels) kernel.refused = 1000 + 2 * KEPT
  outbox.open(() => kernels.map(({ socket }) => ({ socket, port, address })))
  assert.deepEqual(
    kernels.map(({ taken }) => taken.length),
    [2, 2],
  )
  for (const kernel of kernels) for (const _ of sends) kernel.answer()
  assert.deepEqual(await Promise.all(sends), [900, 100])
  // At the limit exactly.
  const full = make(10 + KEPT)
  const whole = full.send(10)
  full.open()
  full.kernel.answer()
  assert.equal(await whole, 10)
})

test('cut on several ways, a send is rejected once', async () => {
  const { outbox, kernels, send } = several(2)
  const sending = send(1)
  outbox.cut(() => new Error('cut'))
  for (const kernel of kernels) kernel.answer()
  await assert.rejects(sending, { message: 'cut' })
})

/** An outbox with one way, whose mending is done when `mend` is called. */
function healing(healed: 'well' | 'throwing' | string | undefined) {
  const { outbox, send } = make(100)
  const [kernel, other] = [new Kernel(), new Kernel()]
  let heals = 0
  let mend = (): void => {}
  const throwing = {
    send: () => {
      throw systemError('ENETUNREACH')
    },
  } as unknown as DatagramSocket
  const way = {
    socket: healed === 'throwing' ? throwing : other.socket,
    port,
    address,
    heal: () => Promise.reject(new Error('it heals once')),
  }
  outbox.open(() => [
    {
      socket: kernel.socket,
      port,
      address,
      heal: async () => {
        heals += 1
        await new Promise<void>((resolve) => {
          mend = resolve
        })
        return healed === 'well' || healed === 'throwing' ? way : healed
      },
    },
  ])
  return { outbox, send, kernel, other, heals: () => heals, mend: () => mend() }
}

test('what a mended way has taken is not counted as waiting any more', async () => {
  const { send, kernel, other, mend } = healing('well')
  const sending = send(60)
  kernel.answer(systemError('ENODEV'))
  await setImmediate()
  mend()
  await setImmediate()
  other.answer()
  assert.equal(await sending, 60)
  const next = send(60)
  kernel.answer()
  assert.equal(await next, 60)
  assert.equal(kernel.asked, 0)
})

test('a way that the system refuses is mended, and takes the same datagram', async () => {
  const stale = ['EADDRNOTAVAIL', 'EINVAL', 'ENETDOWN', 'ENETUNREACH', 'ENODEV', 'ENXIO']
  const replaced = ['ECANCELED', 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'ERR_SOCKET_DGRAM_NOT_RUNNING']
  for (const code of [...stale, ...replaced]) {
    const { outbox, send, kernel, other, mend } = healing('well')
    const sending = send(3)
    kernel.answer(systemError(code))
    const drained = outbox.drained()
    assert.deepEqual([await isSettled(sending), await isSettled(drained)], [false, false], code)
    mend()
    await setImmediate()
    assert.deepEqual(other.taken, kernel.taken)
    assert.deepEqual([await isSettled(drained), outbox.sent], [false, 0])
    other.answer()
    assert.equal(await sending, 3)
    await drained
    assert.deepEqual([outbox.sent, outbox.bytesSent], [1, 3])
  }
})

test('another refusal mends nothing, and a mended way is not mended again', async () => {
  for (const code of ['EPERM', 'EMSGSIZE', 'EHOSTUNREACH']) {
    const { send, kernel, heals } = healing('well')
    const sending = send(3)
    kernel.answer(systemError(code))
    await assert.rejects(sending)
    assert.equal(heals(), 0)
  }
  const { outbox, send, kernel, other, mend } = healing('well')
  const sending = send(3)
  kernel.answer(systemError('ENODEV'))
  mend()
  await setImmediate()
  other.answer(systemError('EADDRNOTAVAIL'))
  await assert.rejects(sending, { message: /\(the interface has lost its address/ })
  assert.equal(outbox.isEmpty, true)
})

test('a way that cannot be mended is told with the reason that is known, or the usual one', async () => {
  for (const [healed, message] of [
    ['e0 is gone', /: send ENODEV \(e0 is gone\)$/],
    [undefined, /: send ENODEV \(the interface was removed/],
  ] as const) {
    const { outbox, send, kernel, mend } = healing(healed)
    const sending = send(3)
    const cause = systemError('ENODEV')
    kernel.answer(cause)
    mend()
    await assert.rejects(sending, { code: 'ERR_MULTICAST_SEND', message, cause })
    assert.equal(outbox.isEmpty, true)
  }
})

test('cut while a way is mended, nothing goes out by it any more', async () => {
  const { outbox, send, kernel, other, mend } = healing('well')
  const sending = send(3)
  kernel.answer(systemError('ENODEV'))
  outbox.cut(() => new Error('cut'))
  await outbox.drained()
  mend()
  await assert.rejects(sending, { message: 'cut' })
  assert.equal(other.taken.length, 0)
})

test('it is drained too where the mended way throws', async () => {
  const { outbox, send, kernel, mend } = healing('throwing')
  const sending = send(3)
  kernel.answer(systemError('ENODEV'))
  const drained = outbox.drained()
  mend()
  await assert.rejects(sending, { code: 'ERR_MULTICAST_SEND' })
  await drained
})

test('what the network refuses is counted, and nothing else', async () => {
  const { outbox, kernel, send, open } = make(1000)
  const early = send(1)
  await assert.rejects(send(1000), { code: 'ERR_MULTICAST_QUEUE_FULL' })
  await assert.rejects(send(65_508), { code: 'ERR_MULTICAST_MESSAGE_SIZE' })
  open()
  assert.equal(outbox.failed, 0)
  kernel.answer(systemError('ENETUNREACH'))
  await assert.rejects(early, { code: 'ERR_MULTICAST_SEND' })
  assert.equal(outbox.failed, 1)
  for (const [cause, failed] of [
    [systemError('EPERM'), 2],
    [systemError('EMSGSIZE'), 2],
    [null, 2],
  ] as const) {
    const sending = send(1).catch(() => {})
    kernel.answer(cause)
    await sending
    assert.equal(outbox.failed, failed)
  }
  // Given up by the caller, not refused by the network.
  const given = send(1)
  outbox.cut(() => new Error('cut'))
  kernel.answer(systemError('ECANCELED'))
  await assert.rejects(given, { message: 'cut' })
  assert.equal(outbox.failed, 2)
})

test('where there is no way at all each send has failed', async () => {
  const { outbox, send } = make()
  outbox.open(() => [])
  await assert.rejects(send(3), {
    code: 'ERR_MULTICAST_SEND',
    message: /^Could not send 3 bytes: no interface to send through is available/,
  })
  assert.equal(outbox.failed, 1)
  const { cause } = (await send(3).catch((error) => error)) as Error
  const { code, syscall } = cause as { code?: unknown; syscall?: unknown }
  assert.deepEqual([code, syscall], ['ENETUNREACH', 'send'])
})

test('a socket that is connected is told no address', () => {
  const { outbox, kernel, send } = make()
  const sent: unknown[][] = []
  const socket = Object.assign(kernel.socket, { send: (...all: unknown[]) => sent.push(all) })
  outbox.open(() => [{ socket, port, address, isConnected: true }])
  send(3)
  assert.deepEqual(
    sent.map(([data, done, ...rest]) => [(data as Buffer).byteLength, typeof done, rest]),
    [[3, 'function', []]],
  )
})

test('what waits for its time goes out then, and counts as waiting until then', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const limit = 100 + 3 * KEPT
  const { outbox, kernel, open } = make(limit)
  open()
  const to = { port: 7, address: '192.0.2.7' }
  const later = (ms: number, size: number) => outbox.sendLater(ms, Buffer.alloc(size), to)
  const first = later(50, 40)
  const second = later(100, 60)
  await assert.rejects(later(1, 1 + KEPT), {
    code: 'ERR_MULTICAST_QUEUE_FULL',
    message: new RegExp(
      `^${100 + 2 * KEPT} bytes wait to be sent, .* maxQueuedBytes \\(${limit}\\):`,
    ),
  })
  // What goes out at once has nothing to do with it.
  const atOnce = outbox.send(() => Buffer.alloc(limit), to)
  assert.equal(kernel.taken.length, 1)
  const third = later(100, 0)
  t.mock.timers.tick(50)
  assert.equal(kernel.taken.at(-1)?.data.byteLength, 40)
  const fourth = later(50, 40)
  t.mock.timers.tick(50)
  assert.equal(kernel.taken.length, 5)
  for (const _ of kernel.taken) kernel.answer()
  assert.deepEqual(await Promise.all([first, second, third, fourth, atOnce]), [
    40,
    60,
    0,
    40,
    limit,
  ])
})

test('what waited for opening waits no more once it is open', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { outbox, kernel, send, open } = make(10 + KEPT)
  const waited = send(10)
  open()
  const later = outbox.sendLater(1, Buffer.alloc(10), { port: 1, address })
  t.mock.timers.tick(1)
  for (const _ of [waited, later]) kernel.answer()
  assert.deepEqual(await Promise.all([waited, later]), [10, 10])
})

test('shut, it has no timer any more that would hold the process', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const { outbox, open } = make(1000)
  open()
  const before = timers()
  const waiting = outbox.sendLater(60_000, Buffer.alloc(1), { port: 1, address })
  assert.equal(timers(), before + 1)
  outbox.shut(() => new Error('shut'))
  assert.equal(timers(), before)
  await assert.rejects(waiting, { message: 'shut' })
})

test('shut, what waits for its time is given up at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { outbox, kernel, open } = make(1000)
  open()
  const waiting = outbox.sendLater(50, Buffer.alloc(1), { port: 1, address })
  outbox.shut(() => new Error('shut'))
  await assert.rejects(waiting, { message: 'shut' })
  await assert.rejects(outbox.sendLater(0, Buffer.alloc(1), { port: 1, address }), /shut/)
  await outbox.drained()
  t.mock.timers.tick(1000)
  assert.equal(kernel.taken.length, 0)
})
