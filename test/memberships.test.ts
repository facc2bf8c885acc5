import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { type CreateSocket, MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets, told } from './told.js'
import { until } from './until.js'

const port = 10000
const group = '239.1.2.3'
const linkLocal = 'ff02::1:3'

/** Plugs the cable of an interface here in. */
function plug(lab: Lab, host: Host, at = 0, own = 1): Promise<void> {
  return lab.cable(
    [lab.here, `e${at}`, `10.0.${at}.${own}/24`, `fd0${at}::${own}/64`, `fe80::${own}/64`],
    [host, `far${at}`, `10.0.${at}.2/24`, `fd0${at}::2/64`, 'fe80::2/64'],
  )
}

/** Sends one message through an interface here, which this host hears too where it has joined there. */
async function speak(on: string, message: string, to = group): Promise<void> {
  await using sender = new MulticastSender({ group: to, port, interfaces: on })
  await sender.send(message)
}

/** node:dgram's sockets, of which some refuse to join on an interface. */
function refusing(refusals: { on: string; code: string }[]): CreateSocket {
  return (options) => {
    const socket: Socket = createSocket(options)
    for (const method of ['addMembership', 'addSourceSpecificMembership'] as const) {
      const genuine = socket[method].bind(socket) as (...args: (string | undefined)[]) => void
      socket[method] = (...args: (string | undefined)[]) => {
        const refusal = refusals.find(({ on }) => args.at(-1) === on)
        if (refusal === undefined) return genuine(...args)
        const { code } = refusal
        throw Object.assign(new Error(`${method} ${code}`), { code, syscall: method })
      }
    }
    return socket
  }
}

/** A program that sends numbers to a group, two hundred in a second, until it is told to end. */
function pumping(group: string, on: string): string {
  const isIPv4 = !group.includes(':')
  return `
    const socket = require('node:dgram').createSocket('${isIPv4 ? 'udp4' : 'udp6'}')
    socket.bind(0, () => {
      const [own] = require('node:os').networkInterfaces()['${on}']
      socket.setMulticastInterface(${isIPv4 ? 'own.address' : `'::%${on}'`})
      let sent = 0
      const send = (text, sent) => socket.send(text, ${port}, '${group}', sent)
      const timer = setInterval(() => send(String(sent++)), 5)
      process.on('message', () => {
        clearInterval(timer)
        send('end', () => process.send(sent, () => { socket.close(); process.disconnect() }))
      })
    })`
}

/** Keeps this process from reading anything for so many milliseconds. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** The datagrams that wait in the IPv6 sockets of a port, none of which takes more than a page of memory. */
function queued(port: number): number {
  const at = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/udp6', 'utf8').matchAll(
    /:([0-9A-F]{4}) .* [0-9A-F]{8}:([0-9A-F]{8}) /g,
  )
  const bytes = [...lines].map(([, own, queue = '']) =>
    own === at ? Number.parseInt(queue, 16) : 0,
  )
  // The kernel takes some 800 bytes for each.
  return Math.floor(bytes.reduce((one, other) => one + other, 0) / 700)
}

const replaced = (lines: readonly string[]): number =>
  lines.filter((line) => line.includes('replacing the socket')).length

for (const code of ['EPERM', 'EACCES', 'EADDRNOTAVAIL', 'ENODEV']) {
  scenario(`a renewal that is refused with ${code} rejects`, [], async (lab) => {
    await plug(lab, lab.host())
    for (const [group, on] of [
      ['239.1.2.3', '10.0.0.1'],
      ['ff05::1:3', '::%e0'],
      [linkLocal, '::%e0'],
    ] as const) {
      const refusals: { on: string; code: string }[] = []
      const options = { createSocket: refusing(refusals), networkInterfaces }
      await using receiver = new MulticastReceiver({ group, port, interfaces: ['e0'], ...options })
      await receiver.ready()
      refusals.push({ on, code })
      const isRefused = { code: 'ERR_MULTICAST_JOIN', message: new RegExp(code) }
      await assert.rejects(receiver.join({ interface: 'e0' }), isRefused)
      await assert.rejects(receiver.join(), isRefused)
    }
  })
}

scenario('a join that failed leaves no socket behind, nor what it had joined', [], async (lab) => {
  const host = lab.host()
  for (const at of [0, 1, 2]) await plug(lab, host, at)
  for (const [group, other, refused] of [
    [linkLocal, { interface: 'e1' }, '::%e1'],
    [linkLocal, {}, '::%e2'],
    ['239.1.2.3', {}, '10.0.2.1'],
  ] as const) {
    const refusals: { on: string; code: string }[] = []
    const options = { createSocket: refusing(refusals), networkInterfaces }
    const interfaces = ['e0', 'e1', 'e2']
    await using receiver = new MulticastReceiver({ group, port, interfaces, ...options })
    await receiver.ready()
    await receiver.leave({ interface: 'e1' })
    await receiver.leave({ interface: 'e2' })
    const before = openSockets()
    refusals.push({ on: refused, code: 'EPERM' })
    await assert.rejects(receiver.join(other), { code: 'ERR_MULTICAST_JOIN', message: /EPERM/ })
    assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
    await until('no more sockets are open than before', () => openSockets() <= before)
    assert.equal(openSockets(), before)
    refusals.splice(0)
    await receiver.join()
    assert.equal(receiver.memberships.length, 3)
  }
})

scenario("of 'all' what is refused is told, and leaves no socket behind", [], async (lab, t) => {
  await plug(lab, lab.host())
  const lines = told(t)
  const before = openSockets()
  const createSocket = refusing([{ on: '::%e0', code: 'EPERM' }])
  await using receiver = new MulticastReceiver({
    group: linkLocal,
    port,
    createSocket,
    networkInterfaces,
  })
  await receiver.ready()
  assert.deepEqual(receiver.memberships, [{ interface: 'lo' }])
  await until('one more socket is open than before', () => openSockets() <= before + 1)
  const why = lines.filter((line) => /not joined.*: .*ff02::1:3 on e0: .*EPERM/.test(line))
  assert.equal(why.length, 1)
})

scenario('the loopback interface alone is told once', [], async (lab, t) => {
  const lines = told(t)
  const alone = (): number =>
    lines.filter((line) => /239\.1\.2\.3 is joined on the loopback interface alone/.test(line))
      .length
  await using receiver = await new MulticastReceiver({ group, port }).ready()
  assert.equal(alone(), 1)
  await receiver.join()
  assert.equal(alone(), 1)
  await using named = await new MulticastReceiver({ group, port, interfaces: 'lo' }).ready()
  assert.equal(named.memberships.length, 1)
  assert.equal(alone(), 1)
  await plug(lab, lab.host())
  await using other = await new MulticastReceiver({ group, port }).ready()
  assert.equal(other.memberships.length, 2)
  assert.equal(alone(), 1)
})

scenario('leaving the last membership of a zone closes its socket', [], async (lab) => {
  const host = lab.host()
  for (const at of [0, 1]) await plug(lab, host, at)
  const before = openSockets()
  await using receiver = new MulticastReceiver({ group: linkLocal, port, interfaces: ['e0', 'e1'] })
  await receiver.ready()
  assert.equal(openSockets(), before + 2)
  const events: string[] = []
  receiver.on('membership', (change, { interface: on }) => events.push(`${change} ${on}`))
  await receiver.leave({ interface: 'e0' })
  await receiver.join({ interface: 'e0' })
  await receiver.join()
  assert.deepEqual(events, ['left e0', 'joined e0'])
  await receiver.leave({ interface: 'e0' })
  await until('one more socket is open than before', () => openSockets() <= before + 1)
  await receiver.leave({ interface: 'e1' })
  // The last one tells the address.
  assert.equal(receiver.address().port, port)
  await receiver.join({ interface: 'e0' })
  await until('one more socket is open than before', () => openSockets() <= before + 1)
  const inbox = new Inbox(receiver)
  await speak('e0', 'hello', linkLocal)
  assert.equal((await inbox.next()).text, 'hello')
})

scenario('a join that closing overtakes rejects, whatever it joins', [], async (lab) => {
  const host = lab.host()
  for (const at of [0, 1]) await plug(lab, host, at)
  for (const group of ['239.1.2.3', 'ff05::1:3', linkLocal]) {
    for (const turns of [0, 1, 2, 3, 4, 5, 6, 8, 12]) {
      const before = openSockets()
      const receiver = new MulticastReceiver({ group, port, interfaces: ['e0'] })
      await receiver.ready()
      const late = receiver.join({ interface: 'e1' })
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      const wasInTime = receiver.memberships.length === 2
      const closed = receiver.close()
      if (wasInTime) await Promise.allSettled([late])
      else await assert.rejects(late, { code: 'ERR_MULTICAST_CLOSED' })
      await closed
      assert.deepEqual(receiver.memberships, [])
      await until('no more sockets are open than before', () => openSockets() <= before)
    }
  }
})

for (const { options, messages } of [
  { options: { group }, messages: 30 },
  { options: { group, sources: ['10.0.0.1'] }, messages: 30 },
  { options: { group: 'ff05::1:3' }, messages: 5 },
  { options: { group: linkLocal }, messages: 5 },
  { options: { group: `${linkLocal}%e0` }, messages: 5 },
  { options: { group, bindAddress: 'any' }, messages: 30 },
  { options: { group, reuseAddr: false }, messages: 30 },
]) {
  scenario(
    `join() hears again after each of ${messages} recreations: ${JSON.stringify(options)}`,
    [],
    async (lab, t) => {
      const host = lab.host()
      await plug(lab, host)
      await using receiver = await new MulticastReceiver({ port, ...options }).ready()
      const inbox = new Inbox(receiver)
      const { memberships } = receiver
      const before = openSockets()
      const lines = told(t)
      for (let number = 0; number < messages; number += 1) {
        lab.here.unplug('e0')
        await plug(lab, host)
        await receiver.join()
        assert.deepEqual(receiver.memberships, memberships)
        await speak('e0', `${number}`, options.group)
        assert.equal((await inbox.next()).text, `${number}`)
      }
      if (messages === 30)
        assert.ok(replaced(lines) > 0 && replaced(lines) < 3, `${replaced(lines)}`)
      else if (options.group.startsWith(linkLocal)) assert.equal(replaced(lines), messages)
      else assert.equal(replaced(lines), 0)
      assert.ok(!lines.some((line) => line.includes('not renewed')))
      // What was replaced is read for a moment more.
      await until('no more sockets are open than before', () => openSockets() <= before)
      assert.equal(openSockets(), before)
    },
  )

  scenario(
    `room is given back while the interface is away: ${JSON.stringify(options)}`,
    [],
    async (lab, t) => {
      const host = lab.host()
      await plug(lab, host)
      // One that stays, since none to join is refused.
      await plug(lab, host, 1)
      if (options.group.includes('%')) return
      await using receiver = await new MulticastReceiver({ port, ...options }).ready()
      const inbox = new Inbox(receiver)
      const { memberships } = receiver
      const lines = told(t)
      for (let number = 0; number < messages; number += 1) {
        lab.here.unplug('e0')
        if (number % 2 === 0) await receiver.join()
        else await receiver.leave({ interface: 'e0' })
        assert.equal(receiver.memberships.length, memberships.length - 1)
        await plug(lab, host)
        await receiver.join({ interface: 'e0' })
        assert.equal(receiver.memberships.length, memberships.length)
        await speak('e0', `${number}`, options.group)
        assert.equal((await inbox.next()).text, `${number}`)
      }
      if (options.group !== linkLocal) assert.equal(replaced(lines), 0)
    },
  )
}

for (const { options } of [
  { options: { group } },
  { options: { group: 'ff05::1:3' } },
  { options: { group: linkLocal } },
]) {
  scenario(
    `while sockets are replaced nothing is lost, nothing heard twice: ${options.group}`,
    [],
    async (lab, t) => {
      const host = lab.host()
      const other = lab.host()
      await plug(lab, host)
      await plug(lab, other, 1)
      await using receiver = new MulticastReceiver({
        port,
        ...options,
        interfaces: ['e0', 'e1'],
        codec: text,
      })
      const heard: string[] = []
      receiver.on('message', (message) => heard.push(message))
      await receiver.ready()
      const lines = told(t)
      const pump = other.spawn([process.execPath, '-e', pumping(options.group, 'far1')], {
        stdio: ['ignore', 2, 2, 'ipc'],
      })
      await until('it is heard', () => heard.length > 0)
      for (let times = 0; times < 42 && replaced(lines) < 2; times += 1) {
        lab.here.unplug('e0')
        await plug(lab, host)
        const { length } = heard
        await until('it is heard again', () => heard.length >= length + 2)
        // What comes meanwhile waits in the socket that is replaced, and then in the new one.
        block(30)
        await receiver.join()
        block(30)
      }
      if (options.group !== 'ff05::1:3') assert.equal(replaced(lines), 2)
      const ended = once(pump, 'message')
      pump.send('end')
      const [sent] = await ended
      await until('the end is heard', () => heard.includes('end'))
      const first = Number(heard[0])
      const all = Array.from({ length: sent - first }, (_, at) => at + first)
      const numbers = heard.filter((message) => message !== 'end').map(Number)
      assert.equal(new Set(numbers).size, numbers.length)
      // One may come just when neither of the two sockets hears.
      const lost = all.filter((number) => !numbers.includes(number))
      assert.ok(lost.length <= replaced(lines), `lost ${lost.join()}`)
      t.diagnostic(`${sent} messages, ${replaced(lines)} sockets replaced`)
    },
  )
}

scenario('replies go out while the socket is replaced', [], async (lab, t) => {
  const host = lab.host()
  await plug(lab, host)
  await using receiver = new MulticastReceiver({ group: linkLocal, port, interfaces: ['e0'] })
  await receiver.ready()
  lab.here.unplug('e0')
  await plug(lab, host)
  const lines = told(t)
  const socket = createSocket('udp6')
  const heard = new Inbox(socket)
  await new Promise<void>((resolve) => socket.bind({ address: 'fe80::1%e0', port: 0 }, resolve))
  const remote = { address: 'fe80::1%e0', port: socket.address().port }
  // An interface that has just come loses what is sent at first.
  for (let tries = 0; heard.size === 0 && tries < 1000; tries += 1) {
    socket.send('warm', remote.port, remote.address)
    await delay(10)
  }
  await heard.take(1)
  const replies: Promise<number>[] = []
  let isJoined = false
  const joined = receiver.join().then(() => {
    isJoined = true
  })
  for (let at = 0; !isJoined || at % 10 > 0; at += 1) {
    replies.push(receiver.reply(`${at}`, remote))
    // At each moment at which it could be caught in the middle.
    await (at % 3 === 2 ? new Promise<void>((resolve) => process.nextTick(resolve)) : undefined)
  }
  await joined
  assert.equal(replaced(lines), 1)
  await Promise.all(replies)
  const texts: string[] = []
  while (texts.length < replies.length) {
    const { text } = await heard.next()
    if (text !== 'warm') texts.push(text)
  }
  socket.close()
})

scenario(
  'an interface made anew with the index of the old one is joined again',
  [],
  async (lab) => {
    const make = async (): Promise<void> => {
      lab.here.ip(
        'link add dev e7 index 4711 type veth peer name p7',
        'link set dev e7 addrgenmode none',
        'addr add 10.7.0.1/24 dev e7',
        'addr add fd07::1/64 dev e7 nodad',
        'addr add fe80::7/64 dev e7 nodad',
        'link set dev e7 up',
        'link set dev p7 up',
      )
      await until('e7 up', () => lab.here.up('e7'))
    }
    for (const group of ['239.1.2.3', 'ff05::1:3', linkLocal]) {
      await make()
      await using receiver = await new MulticastReceiver({
        group,
        port,
        interfaces: ['e7'],
      }).ready()
      const inbox = new Inbox(receiver)
      for (const message of ['one', 'two', 'three']) {
        lab.here.ip('link del dev e7')
        await make()
        await receiver.join()
        await speak('e7', message, group)
        assert.equal((await inbox.next()).text, message)
      }
      lab.here.ip('link del dev e7')
    }
  },
)

scenario(
  'an address that changed under a membership does not keep it from being left',
  [],
  async (lab, t) => {
    await plug(lab, lab.host())
    await using receiver = await new MulticastReceiver({ group, port, interfaces: ['e0'] }).ready()
    const lines = told(t)
    const isJoined = (): boolean => lab.here.groups('e0').includes(group)
    const change = (from: string, to: string): void => {
      lab.here.ip(`addr del ${from}/24 dev e0`, `addr add ${to}/24 dev e0`)
    }
    change('10.0.0.1', '10.0.0.2')
    await receiver.join()
    change('10.0.0.2', '10.0.0.3')
    assert.ok(isJoined())
    assert.deepEqual(receiver.memberships, [{ interface: 'e0' }])
    await receiver.leave({ interface: 'e0' })
    assert.deepEqual(receiver.memberships, [])
    assert.ok(!isJoined())
    assert.equal(replaced(lines), 0)
    // Without any address nothing stands for the interface, and only the socket's end leaves it. Nor is what
    // the system would take in its place.
    await plug(lab, lab.host(), 1)
    lab.here.ip('route add 239.0.0.0/8 dev e1')
    await receiver.join()
    await receiver.join({ interface: 'e1' })
    lab.here.ip('addr del 10.0.0.3/24 dev e0')
    const events: string[] = []
    receiver.on('membership', (change, { interface: on }) => events.push(`${change} ${on}`))
    await receiver.leave({ interface: 'e0' })
    assert.equal(replaced(lines), 1)
    // What the new socket has joined is not taken for lost.
    assert.deepEqual(events, ['left e0'])
    assert.deepEqual(receiver.memberships, [{ interface: 'e1' }])
    assert.ok(lab.here.groups('e1').includes(group))
    await until('e0 is left', () => !isJoined())
  },
)

scenario('an interface that is down or has another name is still joined', [], async (lab, t) => {
  const lines = told(t)
  await plug(lab, lab.host())
  await plug(lab, lab.host(), 1)
  for (const group of ['239.1.2.3', 'ff05::1:3']) {
    const interfaces = ['e0', 'e1']
    await using receiver = await new MulticastReceiver({ group, port, interfaces }).ready()
    const inbox = new Inbox(receiver)
    const events: string[] = []
    receiver.on('membership', (change, { interface: on }) => events.push(`${change} ${on}`))
    lab.here.ip('link set dev e0 down')
    await receiver.join({ interface: 'e1' })
    assert.deepEqual(receiver.memberships, [{ interface: 'e0' }, { interface: 'e1' }])
    lab.here.ip('link set dev e0 name x0')
    lab.here.ip('link set dev x0 up')
    if (group.includes(':')) lab.here.ip('addr replace fd00::1/64 dev x0 nodad')
    await receiver.join({ interface: 'x0' })
    assert.deepEqual(receiver.memberships, [{ interface: 'x0' }, { interface: 'e1' }])
    await speak('x0', 'hello', group)
    assert.equal((await inbox.next()).text, 'hello')
    await receiver.leave({ interface: 'x0' })
    assert.deepEqual(receiver.memberships, [{ interface: 'e1' }])
    assert.deepEqual(events, ['lost e0', 'joined x0', 'left x0'])
    assert.ok(!lab.here.groups('x0').includes(group))
    lab.here.ip('link set dev x0 down')
    lab.here.ip('link set dev x0 name e0')
    lab.here.ip('link set dev e0 up')
    lab.here.ip('addr replace fd00::1/64 dev e0 nodad')
    // What is down is left as well: over IPv4, where no address is listed for it, by the end of the socket.
    const before = replaced(lines)
    lab.here.ip('link set dev e1 down')
    await receiver.leave({ interface: 'e1' })
    await until('e1 is left', () => !lab.here.groups('e1').includes(group))
    lab.here.ip('link set dev e1 up')
    assert.equal(replaced(lines) - before, group.includes(':') ? 0 : 1)
    lab.here.ip('addr replace fd01::1/64 dev e1 nodad')
  }
})

scenario(
  'datagrams that wait while their interface is deleted are no error',
  [],
  async (lab, t) => {
    const host = lab.host()
    await plug(lab, host)
    const lines = told(t)
    const errors: Error[] = []
    // A look that came first would close the socket on the interface, and what waits in it.
    const followInterfaces = false
    await using receiver = new MulticastReceiver({ group: linkLocal, port, followInterfaces })
    await receiver.ready()
    await using sender = await new MulticastSender({
      group: linkLocal,
      port,
      interfaces: 'e0',
    }).ready()
    await using asked = await new MulticastSender({
      group: linkLocal,
      port,
      interfaces: 'e0',
    }).ready()
    receiver.on('error', (error) => errors.push(error))
    asked.on('error', (error) => errors.push(error))
    const inbox = new Inbox(receiver)

    const address = { address: 'fe80::1%e0', port: asked.address().port }
    // So that both ways are there.
    const answers = new Inbox(asked)
    await sender.send('first')
    await receiver.reply('first', address)
    assert.deepEqual([(await inbox.next()).text, (await answers.next()).text], ['first', 'first'])
    // The kernel takes these at once, and none is read before the interface is gone.
    const sends = [sender.send('a'), sender.send('b'), receiver.reply('c', address)]
    // On a busy machine they come to the sockets only a moment later.
    for (let tries = 0; queued(port) < 2 || queued(address.port) < 1; tries += 1) {
      assert.ok(tries < 10_000, 'the datagrams have not come')
      block(1)
    }
    lab.here.unplug('e0')
    await Promise.allSettled(sends)
    const changes = (): number =>
      lines.filter((line) => /network has changed: .*ENXIO/.test(line)).length
    await until('each change is told', () => changes() >= 3)
    assert.deepEqual(errors, [])
    assert.equal(inbox.size, 0)

    await plug(lab, host)
    await receiver.join()
    await sender.send('end')
    assert.equal((await inbox.next()).text, 'end')
  },
)

scenario('joining elsewhere renews what was lost, too', [], async (lab) => {
  const host = lab.host()
  await plug(lab, host, 1)
  for (const group of ['239.1.2.3', 'ff05::1:3', linkLocal]) {
    await plug(lab, host)
    await using receiver = await new MulticastReceiver({ group, port, interfaces: ['e0'] }).ready()
    const inbox = new Inbox(receiver)
    for (const call of ['join', 'leave'] as const) {
      lab.here.unplug('e0')
      await plug(lab, host)
      await receiver[call]({ interface: 'e1' })
      await speak('e0', call, group)
      assert.equal((await inbox.next()).text, call)
    }
    lab.here.unplug('e0')
  }
})
