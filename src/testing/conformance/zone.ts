/** IPv6's link-local addresses and groups, which mean another one on each link. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { ipv6 } from './network.js'

export const zone = new Chapter('socket')

const { type, needs, group: siteLocal } = ipv6
const group = 'ff02::1:3'
const both = [
  [group, '::%e0'],
  [group, '::%e1'],
] as const

zone.rule(
  'a socket bound to a link-local group hears it in its zone alone',
  [...needs, 'arrival'],
  async ({ near, other, port }) => {
    const on0 = await open(near, type, { port, address: `${group}%e0`, join: both.slice(0, 1) })
    const on1 = await open(near, type, { port, address: `${group}%e1`, join: both.slice(1) })
    const any = await open(near, type, { port })
    const speaker = await open(other, type)
    for (const text of ['e1', 'e0', 'end']) {
      for (const end of text === 'end' ? ['e0', 'e1'] : [text]) {
        await speaker.send(text, port, `${group}%${end}`)
      }
    }
    assert.deepEqual(await on0.heard.until('end'), ['e0', 'end'])
    assert.deepEqual(await on1.heard.until('end'), ['e1', 'end'])
    const heard = await any.heard.take(2)
    assert.deepEqual(
      heard.map(({ text, remote }) => [text, remote.address]),
      [
        ['e1', 'fe80::2%e1'],
        ['e0', 'fe80::2%e0'],
      ],
    )
  },
)

zone.rule(
  'a socket bound in a zone hears there what another socket has joined',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, { port, address: `${group}%e0` })
    await open(near, type, { join: both })
    const speaker = await open(other, type)
    await speaker.send('on e1', port, `${group}%e1`)
    await speaker.send('on e0', port, `${group}%e0`)
    assert.deepEqual(await heard.until('on e0'), ['on e0'])
  },
)

zone.rule(
  'of two sockets of a port the one with a zone hears unicast, even if its bind in that zone was refused',
  needs,
  async ({ near, port }) => {
    const early = await near.peer.socket({ type, reuseAddr: true })
    await assert.rejects(early.bind({ port, address: 'fe80::9%lo' }), { code: 'EADDRNOTAVAIL' })
    await early.bind({ port })
    const late = await open(near, type, { port })
    await (await open(near, type)).send('hello', port, ipv6.loopback)
    assert.equal((await early.heard.next()).text, 'hello')
    assert.equal(late.heard.size, 0)
  },
)

zone.rule(
  'a zone behind a group that is not link-local is ignored where it is bound',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, {
      port,
      address: `${siteLocal}%e0`,
      join: [
        [siteLocal, '::%e0'],
        [siteLocal, '::%e1'],
      ],
    })
    const speaker = await open(other, type, { via: '::%e1' })
    await speaker.send('on e1', port, siteLocal)
    assert.equal((await heard.next()).text, 'on e1')
  },
)

zone.rule(
  'address() tells the zone of a link-local address, but not that of a group',
  needs,
  async ({ near, port }) => {
    for (const [address, told] of [
      [`${group}%e0`, group],
      [`${siteLocal}%e0`, siteLocal],
      ['fe80::1%e0', 'fe80::1%e0'],
      ['fe80::1%e1', 'fe80::1%e1'],
    ] as const) {
      const socket = await open(near, type, { port, address })
      assert.deepEqual(await socket.address(), { address: told, family: 'IPv6', port })
    }
  },
)

zone.rule(
  'two zones of one address share a port without reuseAddr',
  needs,
  async ({ near, port }) => {
    for (const [at, address] of [group, 'fe80::1'].entries()) {
      const options = { port: port + at, reuseAddr: false }
      await open(near, type, { ...options, address: `${address}%e0` })
      await open(near, type, { ...options, address: `${address}%e1` })
      const again = open(near, type, { ...options, address: `${address}%e0` })
      const where = `${address}%e0:${port + at}`
      await assert.rejects(again, refusal('bind', 'EADDRINUSE', where))
      await assert.rejects(
        open(near, type, options),
        refusal('bind', 'EADDRINUSE', `:::${port + at}`),
      )
    }
  },
)

zone.rule(
  'a link-local group is sent to in its zone, or else through the interface that is set',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, { port, join: both })
    const speaker = await open(other, type)
    const said = async (to: string): Promise<string> => {
      await speaker.send('hello', port, to)
      return (await heard.next()).remote.address
    }
    assert.equal(await said(`${group}%e0`), 'fe80::2%e0')
    assert.equal(await said(`${group}%e1`), 'fe80::2%e1')
    assert.equal(await said(group), 'fe80::2%e0')
    // An unknown zone is none, and so is a number.
    assert.equal(await said(`${group}%e9`), 'fe80::2%e0')
    assert.equal(await said(`${group}%3`), 'fe80::2%e0')
    await speaker.call('setMulticastInterface', '::%e1')
    assert.equal(await said(group), 'fe80::2%e1')
    assert.equal(await said(`${group}%e9`), 'fe80::2%e1')
    assert.equal(await said(`${group}%e0`), 'fe80::2%e0')
  },
)

zone.rule(
  'a link-local group is sent to from a link-local address, a wider one from a global address',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, {
      port,
      join: [...both, [siteLocal, '::%e0'], [siteLocal, '::%e1']],
    })
    const speaker = await open(other, type)
    const bound = await open(other, type, { address: 'fd00::2' })
    const local = await open(other, type, { address: 'fe80::2%e0' })
    for (const [socket, to, from] of [
      [speaker, `${group}%e1`, 'fe80::2%e1'],
      // Of two the one that was given last.
      [speaker, siteLocal, 'fd00::3'],
      [bound, `${group}%e0`, 'fd00::2'],
      [bound, `${group}%e1`, 'fd00::2'],
      [local, siteLocal, 'fe80::2%e0'],
    ] as const) {
      await socket.send('hello', port, to)
      assert.equal((await heard.next()).remote.address, from, to)
    }
  },
)

zone.rule(
  'a zone behind a wider group is ignored in a send',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, { port, join: [[siteLocal, '::%e0']] })
    await open(near, type, { join: [[siteLocal, '::%e1']] })
    const speaker = await open(other, type)
    await speaker.send('hello', port, `${siteLocal}%e1`)
    assert.equal((await heard.next()).remote.address, 'fd00::3')
    await speaker.send('to a host', port, 'fd00::1%e1')
    assert.equal((await heard.next()).remote.address, 'fd00::3')
  },
)

zone.rule(
  'a socket bound in a zone sends through it, unless the address has another zone',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(other, type, { port: port + 1, join: both })
    for (const address of [`${group}%e1`, 'fe80::1%e1']) {
      const bound = await open(near, type, { port, address })
      for (const [to, from] of [
        [group, 'fe80::1%e1'],
        [`${group}%e1`, 'fe80::1%e1'],
        [`${group}%e0`, 'fe80::1%e0'],
        ['fe80::2', 'fe80::1%e1'],
        ['fe80::2%e0', 'fe80::1%e0'],
        ['fd01::2', address.startsWith('ff') ? 'fd01::1' : 'fe80::1%e1'],
      ] as const) {
        await bound.send('hello', port + 1, to)
        const { remote } = await heard.next()
        assert.deepEqual([remote.address, remote.port], [from, port], `from ${address} to ${to}`)
      }
      // Through another interface it cannot be told to send.
      await assert.rejects(
        bound.call('setMulticastInterface', '::%e0'),
        refusal('setMulticastInterface', 'EINVAL'),
      )
      for (const same of ['::%e1', '::', '::%e9']) await bound.call('setMulticastInterface', same)
      await bound.close()
    }
  },
)

zone.rule(
  'a link-local address is reached in its zone, or else through the default interface',
  needs,
  async ({ near, other, port }) => {
    const { heard } = await open(near, type, { port })
    const on1 = await open(near, type, { port, address: 'fe80::1%e1' })
    const speaker = await open(other, type)
    for (const [to, from] of [
      ['fe80::1%e0', 'fe80::2%e0'],
      ['fe80::1', 'fe80::2%e0'],
      ['fe80::1%e9', 'fe80::2%e0'],
    ] as const) {
      await speaker.send('hello', port, to)
      assert.equal((await heard.next()).remote.address, from, to)
    }
    await speaker.send('on e1', port, 'fe80::1%e1')
    const { text, remote } = await on1.heard.next()
    assert.deepEqual([text, remote.address], ['on e1', 'fe80::2%e1'])
    const own = await open(near, type)
    await own.send('own', port, 'fe80::1%e1')
    assert.equal((await on1.heard.next()).remote.address, 'fe80::1%e1')
    await own.send('own', port, 'fe80::1%e0')
    assert.equal((await heard.next()).remote.address, 'fe80::1%e0')
  },
)

zone.rule(
  'what comes with a zone is answered by its address',
  needs,
  async ({ near, other, port }) => {
    const answerer = await open(other, type, { port, address: `${group}%e1`, join: both.slice(1) })
    const asker = await open(near, type)
    await asker.send('question', port, `${group}%e1`)
    const { remote } = await answerer.heard.next()
    assert.equal(remote.address, 'fe80::1%e1')
    await answerer.send('answer', remote.port, remote.address)
    const answer = await asker.heard.next()
    assert.deepEqual(
      [answer.text, answer.remote.address, answer.remote.port],
      ['answer', 'fe80::2%e1', port],
    )
  },
)

zone.rule(
  'an interface is joined on by its zone alone: anything else is the default one',
  needs,
  async ({ near }) => {
    for (const [on, end] of [
      ['::%e1', 'e1'],
      ['fe80::1%e1', 'e1'],
      ['fd00::1%e1', 'e1'],
      ['::%e9', 'e0'],
      ['::%3', 'e0'],
      ['fd01::1', 'e0'],
      ['::', 'e0'],
      [undefined, 'e0'],
    ] as const) {
      for (const address of [group, siteLocal, `${siteLocal}%e1`]) {
        const socket = await open(near, type)
        await socket.call('addMembership', address, on)
        const other = end === 'e0' ? 'e1' : 'e0'
        await assert.rejects(
          socket.call('dropMembership', address, `::%${other}`),
          refusal('dropMembership', 'EADDRNOTAVAIL'),
          `${address} on ${on}`,
        )
        await socket.call('dropMembership', address, `::%${end}`)
        await socket.close()
      }
    }
  },
)

zone.rule(
  'a socket bound in a zone joins on the interface it names, and by default on that of the route',
  needs,
  async ({ near }) => {
    const bound = await open(near, type, { address: `${group}%e1` })
    await bound.call('addMembership', group, '::%e0')
    await bound.call('dropMembership', group, '::%e0')
    await bound.call('addMembership', siteLocal)
    await bound.call('dropMembership', siteLocal, '::%e0')
  },
)
