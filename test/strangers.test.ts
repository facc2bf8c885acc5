/** What others on the network do to a receiver, on real networks. */
import assert from 'node:assert/strict'
import { MulticastReceiver, MulticastSender, type Remote, text } from '../src/index.js'
import { runProgram } from './child.js'
import { type Host, type Lab, scenario } from './lab.js'

const port = 10_000

/** Here with one cable to a stranger. */
async function neighbours(lab: Lab): Promise<Host> {
  const stranger = lab.host()
  await lab.cable(
    [lab.here, 'e0', '10.0.0.1/24', '10.0.0.50/24', 'fd00::1/64', 'fe80::1/64'],
    [stranger, 'far', '10.0.0.2/24', 'fd00::2/64', 'fe80::2/64'],
  )
  return stranger
}

/** Sends datagrams with these sources to the group, from the port that they are to, with no kernel's help. */
function forge(stranger: Host, to: string, sources: readonly string[]): Promise<unknown> {
  return stranger.python('forged', 'far', to, String(port), ...sources).rest()
}

for (const { family, group, bindAddress, sources, honest } of [
  {
    family: 'IPv4',
    group: '224.0.0.251',
    bindAddress: 'any',
    // Of these the kernel lets 0.0.0.0 through, and drops what pretends to be this host's.
    sources: ['0.0.0.0', '127.0.0.1', '10.0.0.1'],
    honest: '10.0.0.2',
  },
  {
    family: 'IPv6',
    group: 'ff05::1:3',
    bindAddress: 'any',
    sources: ['::', '::1', 'fd00::1'],
    honest: 'fd00::2',
  },
  {
    family: 'link-local IPv6',
    group: 'ff02::1:3',
    bindAddress: 'any',
    sources: ['::', 'fe80::1', 'fd00::1'],
    honest: 'fe80::2',
  },
]) {
  scenario(
    `over ${family}, a forged source makes no receiver answer itself`,
    ['python3'],
    async (lab) => {
      const stranger = await neighbours(lab)
      await using receiver = new MulticastReceiver({
        group,
        port,
        bindAddress,
        interfaces: 'e0',
        codec: text,
      })
      const heard: string[] = []
      const refused: string[] = []
      let isHonest = (): void => {}
      const honestOne = new Promise<void>((resolve) => {
        isHonest = resolve
      })
      receiver.on('message', (message, remote) => {
        heard.push(message)
        const address = remote.address.replace(/%.*/, '')
        receiver.reply(message, remote).then(
          () => address === honest && isHonest(),
          (error) => {
            refused.push(address)
            assert.equal(error.code, 'ERR_MULTICAST_OPTION')
            assert.match(error.message, /was forged: do not reply$/)
          },
        )
      })
      await receiver.ready()
      await forge(stranger, group, [...sources, honest])
      await honestOne
      // What it had sent itself would have come by now: the loopback is no slower than the cable.
      await receiver.reply('end', {
        address: honest === 'fe80::2' ? 'fe80::2%e0' : honest,
        port: 9,
      })
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      assert.ok(heard.length <= sources.length + 1, `${heard.length} messages`)
      assert.ok(refused.includes(sources[0] as string), refused.join())
      assert.ok(refused.every((address) => sources.includes(address)))
      assert.equal(receiver.stats.sent, 2)
    },
  )
}

scenario('programs of this host are answered, by whichever of its addresses', [], async (lab) => {
  await neighbours(lab)
  for (const [group, addresses] of [
    ['239.1.2.3', ['10.0.0.1', '10.0.0.50']],
    ['ff05::1:3', ['fd00::1']],
    ['ff02::1:3', ['fe80::1%e0']],
  ] as const) {
    await using receiver = new MulticastReceiver({
      group,
      port,
      bindAddress: 'any',
      interfaces: 'e0',
      codec: text,
    })
    receiver.on('message', (message, remote) => receiver.reply(`heard ${message}`, remote))
    await receiver.ready()
    for (const interfaces of addresses) {
      await using sender = new MulticastSender({ group, port, interfaces, codec: text })
      const [answer] = await sender.gather(interfaces, { limit: 1, timeout: 10_000 })
      assert.equal(answer?.message, `heard ${interfaces}`)
    }
    // The same addresses with the receiver's own port are the receiver itself.
    for (const address of [...addresses, group.includes(':') ? '::1' : '127.0.0.1']) {
      await assert.rejects(receiver.reply('x', { address, port }), {
        code: 'ERR_MULTICAST_OPTION',
        message: /this receiver itself listens: it would answer itself forever/,
      })
    }
  }
})

scenario('an address that this host has got meanwhile is known as its own', [], async (lab) => {
  await neighbours(lab)
  await using receiver = await new MulticastReceiver({
    group: '239.1.2.3',
    port,
    bindAddress: 'any',
    interfaces: 'e0',
  }).ready()
  const to: Pick<Remote, 'address' | 'port'> = { address: '10.0.0.77', port }
  await receiver.reply('x', to)
  lab.here.ip('addr add 10.0.0.77/24 dev e0')
  // They are read again once they are a second old.
  const end = performance.now() + 10_000
  let refusal: { code?: string } | undefined
  while (refusal === undefined && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    await receiver.reply('x', to).catch((error) => {
      refusal = error
    })
  }
  assert.equal(refusal?.code, 'ERR_MULTICAST_OPTION')
})

scenario(
  'a heartbeat that nobody awaits beats on, whatever becomes of the network',
  [],
  async (lab) => {
    await neighbours(lab)
    const { code, stdout, stderr } = await runProgram(`
    import { execFileSync } from 'node:child_process'
    const ip = (command) => execFileSync('ip', command.split(' '))
    const sender = await new MulticastSender({ group: '239.1.2.3', port: ${port} }).ready()
    const on = await new MulticastSender({ group: '239.1.2.3', port: ${port}, interfaces: 'e0' }).ready()
    const failed = []
    for (const change of [
      'route add prohibit 239.1.2.3',
      'route replace unreachable 239.1.2.3',
      'route replace blackhole 239.1.2.3',
      'route del 239.1.2.3',
      'route add 239.1.2.3 dev e0',
      'link set dev e0 down',
    ]) {
      ip(change)
      sender.send('alive')
      on.send('alive')
      await new Promise((resolve) => setTimeout(resolve, 10))
      failed.push(sender.stats.failed)
    }
    console.log(failed.join(' '), on.stats.failed > 0, sender.stats.sent)
    await Promise.all([sender.close(), on.close()])
  `)
    // No route, three kinds of refusal, and none again; with a route it goes out; without a link not.
    assert.deepEqual([code, stdout, stderr], [0, '1 2 3 4 4 5 true 1\n', ''])
  },
)

for (const { family, iptables, group, unicast } of [
  { family: 'IPv4', iptables: 'iptables', group: '239.1.2.3', unicast: '10.0.0.2' },
  { family: 'IPv6', iptables: 'ip6tables', group: 'ff05::1:3', unicast: 'fd00::2' },
]) {
  scenario(
    `over ${family}, what a firewall forbids is counted, ends nothing, and goes out once it is allowed`,
    [iptables],
    async (lab) => {
      await neighbours(lab)
      const { code, stdout, stderr } = await runProgram(`
        import { execFileSync } from 'node:child_process'
        const firewall = (...rule) => execFileSync('${iptables}', rule)
        const where = { group: '${group}', port: ${port}, interfaces: 'e0' }
        const sender = await new MulticastSender(where).ready()
        const connected = await new MulticastSender({ ...where, replies: false }).ready()
        const peer = await new MulticastPeer(where).ready()
        const receiver = await new MulticastReceiver({ ...where, bindAddress: 'any' }).ready()
        const sends = {
          sender: () => sender.send('alive'),
          connected: () => connected.send('alive'),
          peer: () => peer.send('alive'),
          receiver: () => receiver.reply('alive', { address: '${unicast}', port: ${port} }),
        }
        const ends = { sender, connected, peer, receiver }
        for (const target of ['DROP', 'REJECT']) {
          firewall('-A', 'OUTPUT', '-p', 'udp', '--dport', '${port}', '-j', target)
          const told = []
          for (const [name, send] of Object.entries(sends)) {
            // One that nobody awaits, and one whose error is read.
            send()
            told.push(name, await send().catch(({ code, cause, message }) => [code, cause.code, /a firewall forbids it/.test(message)].join()))
          }
          await new Promise(setImmediate)
          console.log(target, ...told, ...Object.values(ends).map(({ stats }) => stats.failed))
          firewall('-F', 'OUTPUT')
          for (const send of Object.values(sends)) await send()
        }
        console.log(...Object.values(ends).map(({ stats }) => stats.sent + '+' + stats.failed))
        await Promise.all(Object.values(ends).map((one) => one.close()))
      `)
      const refused = 'ERR_MULTICAST_SEND,EPERM,true'
      const all = `sender ${refused} connected ${refused} peer ${refused} receiver ${refused}`
      assert.deepEqual([code, stderr], [0, ''])
      assert.deepEqual(stdout.trim().split('\n'), [
        `DROP ${all} 2 2 2 2`,
        `REJECT ${all} 4 4 4 4`,
        '2+4 2+4 2+4 2+4',
      ])
    },
  )
}
