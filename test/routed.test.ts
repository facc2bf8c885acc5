import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastSender } from '../src/index.js'
import { Inbox } from '../src/testing/conformance/inbox.js'
import { type Host, type Lab, scenario } from './lab.js'

const port = 10000
/** `kernel` is the file by which the kernel shows that it can route multicast. */
const networks = [
  {
    family: 'IPv4',
    kernel: '/proc/net/ip_mr_vif',
    group: '239.1.2.3',
    via: ['10.1.0.1', '10.2.0.1'],
    far: '10.2.0.2',
  },
  {
    family: 'IPv6',
    kernel: '/proc/net/ip6_mr_vif',
    group: 'ff05::1:3',
    via: ['fd01::1', 'fd02::1'],
    far: 'fd02::2',
  },
]

/** Here, a router, and a host behind it. */
async function routed(lab: Lab): Promise<{ router: Host; far: Host }> {
  const [router, far] = [lab.host(), lab.host()]
  await lab.cable(
    [lab.here, 'e0', '10.1.0.2/24', 'fd01::2/64', 'fe80::2/64'],
    [router, 'r1', '10.1.0.1/24', 'fd01::1/64', 'fe80::1/64'],
  )
  await lab.cable(
    [far, 'e0', '10.2.0.2/24', 'fd02::2/64', 'fe80::2/64'],
    [router, 'r2', '10.2.0.1/24', 'fd02::1/64', 'fe80::1/64'],
  )
  for (const { via } of networks) {
    for (const [end, host] of [lab.here, far].entries()) {
      host.ip(`route add default via ${via[end]}`)
    }
  }
  await router.route([
    'phyint r1 enable ttl-threshold 1',
    'phyint r2 enable ttl-threshold 1',
    ...networks.map(({ group }) => `mroute from r1 group ${group} to r2`),
  ])
  return { router, far }
}

for (const { family, kernel, group, far: farAddress } of networks) {
  scenario(
    `over ${family}, TTL 1 stays on the network, TTL 2 crosses the router`,
    ['smcrouted', kernel],
    async (lab) => {
      const { router, far } = await routed(lab)
      const near = await (await router.peer()).receiver({ group, port, interfaces: ['r1'] })
      const behind = await (await far.peer()).receiver({ group, port, interfaces: ['e0'] })
      const heard = { near: new Inbox(near), behind: new Inbox(behind) }
      await using stays = new MulticastSender({ group, port, interfaces: 'e0' })
      await using crosses = new MulticastSender({ group, port, interfaces: 'e0', ttl: 2 })

      await stays.send('stays')
      // The router learns of the group by its first datagrams, and may lose them.
      for (let tries = 0; heard.behind.size === 0 && tries < 10; tries += 1) {
        await crosses.send('crosses')
        await Promise.race([once(behind, 'message'), delay(1000)])
      }

      assert.deepEqual((await heard.near.until('crosses')).slice(0, 2), ['stays', 'crosses'])
      assert.deepEqual(await heard.behind.until('crosses'), ['crosses'])
    },
  )

  scenario(
    `over ${family}, a reply comes back through the router`,
    ['smcrouted', kernel],
    async (lab) => {
      const { far } = await routed(lab)
      await (await far.peer()).receiver({ group, port }, 'heard: ')
      await using sender = new MulticastSender({ group, port, interfaces: 'e0', ttl: 2 })

      const replies: string[] = []
      for await (const { message, remote } of sender.request('hello', {
        limit: 1,
        timeout: 10_000,
      })) {
        replies.push(`${message} from ${remote.address} port ${remote.port}`)
      }

      assert.deepEqual(replies, [`heard: hello from ${farAddress} port ${port}`])
    },
  )
}
