/** How much a socket may join. */
import assert from 'node:assert/strict'
import { Chapter, open, refusal } from './chapter.js'
import { families } from './network.js'
import type { PeerSocket } from './peer.js'

export const limits = new Chapter('socket')

/** Groups that no case uses. */
const groups = Array.from({ length: 21 }, (_, at) => `239.2.0.${at}`)

async function join(socket: PeerSocket, groups: string[], on: string): Promise<void> {
  for (const group of groups) await socket.call('addMembership', group, on)
}

limits.rule(
  'over IPv4, a socket has 20 memberships, and after a leave one more',
  ['limits'],
  async ({ near }) => {
    const socket = await open(near, 'udp4')
    await join(socket, groups.slice(0, 20), '10.0.0.1')
    const [first, last] = [`${groups[0]}`, `${groups[20]}`]
    const full = refusal('addMembership', 'ENOBUFS')
    await assert.rejects(socket.call('addMembership', last, '10.0.0.1'), full)
    await assert.rejects(socket.call('addMembership', first, '10.0.1.1'), full)
    await assert.rejects(
      socket.call('addSourceSpecificMembership', '10.0.0.2', last, '10.0.0.1'),
      refusal('addSourceSpecificMembership', 'ENOBUFS'),
    )
    // What is wrong in another way is told before.
    for (const [code, group, on] of [
      ['EADDRINUSE', first, '10.0.0.1'],
      ['ENODEV', last, '10.9.9.9'],
    ] as const) {
      const refused = refusal('addMembership', code)
      await assert.rejects(socket.call('addMembership', group, on), refused)
    }
    await socket.call('dropMembership', first, '10.0.0.1')
    await socket.call('addMembership', last, '10.0.0.1')
    await assert.rejects(socket.call('addMembership', first, '10.0.0.1'), full)
    // It is the socket's limit, not the host's.
    await join(await open(near, 'udp4'), groups.slice(0, 20), '10.0.0.1')
  },
)

limits.rule(
  'over IPv4, a group joined on two interfaces is two memberships, a further source is none',
  ['limits'],
  async ({ near }) => {
    const socket = await open(near, 'udp4')
    for (const on of ['10.0.0.1', '10.0.1.1']) await join(socket, groups.slice(0, 9), on)
    for (const source of ['10.0.0.2', '10.0.0.3']) {
      for (const group of groups.slice(9, 11)) {
        await socket.call('addSourceSpecificMembership', source, group, '10.0.0.1')
      }
    }
    await assert.rejects(
      socket.call('addMembership', groups[12], '10.0.0.1'),
      refusal('addMembership', 'ENOBUFS'),
    )
    await socket.call('dropSourceSpecificMembership', '10.0.0.2', groups[9], '10.0.0.1')
    await assert.rejects(
      socket.call('addMembership', groups[12], '10.0.0.1'),
      refusal('addMembership', 'ENOBUFS'),
    )
    await socket.call('dropSourceSpecificMembership', '10.0.0.3', groups[9], '10.0.0.1')
    await socket.call('addMembership', groups[12], '10.0.0.1')
  },
)

limits.rule(
  'over IPv6, a socket has more than 20 memberships',
  ['limits', 'ipv6'],
  async ({ near }) => {
    const socket = await open(near, 'udp6')
    const groups = Array.from({ length: 50 }, (_, at) => `ff05::2:${at}`)
    await join(socket, groups, '::%e0')
  },
)

for (const { family, type, needs, group, otherGroup, near: here } of families) {
  const most = family === 'IPv4' ? 10 : 64
  limits.rule(
    `over ${family}, a membership has ${most} sources, and after a drop one more`,
    [...needs, 'limits'],
    async ({ near }) => {
      const socket = await open(near, type)
      const on = here.e0.handle
      const source = (at: number): string => (family === 'IPv4' ? `10.9.0.${at}` : `fd09::${at}`)
      const add = (at: number, to = group): Promise<unknown> =>
        socket.call('addSourceSpecificMembership', source(at), to, on)
      for (let at = 1; at <= most; at += 1) await add(at)
      const full = refusal('addSourceSpecificMembership', 'ENOBUFS')
      await assert.rejects(add(most + 1), full)
      await add(most + 1, otherGroup)
      await socket.call('dropSourceSpecificMembership', source(1), group, on)
      await add(most + 1)
      await assert.rejects(add(1), full)
    },
  )
}
