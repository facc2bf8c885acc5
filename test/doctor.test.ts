import assert from 'node:assert/strict'
import { type SpawnOptions, spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { doctorHelp } from '../src/cli/doctor.js'
import { type Check, type DiagnoseOptions, diagnose, type Finding } from '../src/doctor/index.js'
import {
  type CreateSocket,
  json,
  MulticastPeer,
  MulticastReceiver,
  MulticastSender,
} from '../src/index.js'
import { MockNetwork } from '../src/testing/index.js'
import { checks, doubted, findings, onlyBad, shown } from './findings.js'
import { type Host, type Lab, scenario } from './lab.js'
import { openSockets } from './told.js'
import { Traffic } from './traffic.js'
import { until } from './until.js'

const [group, port] = ['239.255.29.71', 10010]
const where = { group, port }

/** A socket of some program of this host. */
async function bound(address: string, at = port, options = { reuseAddr: true }): Promise<Socket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ...options })
  await new Promise<void>((resolve) => socket.bind(at, address, resolve))
  return socket
}

async function closed(...sockets: Socket[]): Promise<void> {
  for (const socket of sockets) await new Promise<void>((resolve) => void socket.close(resolve))
}

function sh(command: string): void {
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  assert.equal(status, 0, `${command}: ${stderr}`)
}

const quiet: DiagnoseOptions = { ...where, quiet: true }
const has = (name: string, address: string) => () =>
  networkInterfaces()[name]?.some((info) => info.address.startsWith(address)) ?? false

async function plug(lab: Lab): Promise<Host> {
  const far = lab.host()
  await lab.cable([lab.here, 'e0', '10.0.0.1/24'], [far, 'e0', '10.0.0.2/24'])
  lab.here.ip('route add default via 10.0.0.2')
  return far
}

scenario('the passive look names what is wrong with the interfaces', [], async (lab) => {
  const { here } = lab
  here.ip('link set lo down')
  onlyBad(await findings({}), 'interfaces', /no interface that is up/)
  here.ip('link set lo up')
  onlyBad(await findings({}), 'interfaces', /only the loopback/)
  onlyBad(await findings({ interfaces: 'e7' }), 'interfaces', /no interface e7, only lo/)

  const far = await plug(lab)
  const healthy = await findings({})
  assert.deepEqual(checks(healthy, 'bad'), [], shown(healthy))
  assert.deepEqual(checks(healthy, 'doubtful'), [], shown(healthy))

  for (const wanted of [{}, { interfaces: 'e0' }]) {
    far.ip('link set e0 down')
    await until('e0 has lost its carrier', () => !has('e0', '10.')())
    onlyBad(await findings(wanted), 'interfaces', /e0 is up, but has no carrier/)
    here.ip('link set e0 down')
    onlyBad(await findings(wanted), 'interfaces', /e0 is down/)
    here.ip('link set e0 up')
    far.ip('link set e0 up')
    await until('e0 has its address', has('e0', '10.'))
  }

  here.ip('addr del 10.0.0.1/24 dev e0')
  onlyBad(await findings({}), 'address', /e0: no IPv4 address/)
  onlyBad(await findings({ interfaces: 'e0' }), 'address', /e0: no IPv4 address/)
  here.ip('addr add 169.254.7.7/16 dev e0')
  doubted(await findings({}), 'address', /e0 has only 169\.254\.7\.7/)
  here.ip('addr del 169.254.7.7/16 dev e0', 'addr add 10.0.0.1/24 dev e0 label e0:1')
  here.ip('route replace default via 10.0.0.2')
  for (const wanted of [{}, { interfaces: 'e0' }]) {
    const labelled = await findings(wanted)
    assert.deepEqual(checks(labelled, 'bad'), [], shown(labelled))
    assert.deepEqual(checks(labelled, 'doubtful'), [], shown(labelled))
  }

  sh('echo 1 > /proc/sys/net/ipv6/conf/e0/disable_ipv6')
  const six = { group: 'ff15::1:3', port }
  onlyBad(
    await findings({ ...six, quiet: true }),
    'address',
    /no IPv6 address, IPv6 is switched off/,
  )
})

scenario(
  'the passive look names what two interfaces have to do with each other',
  [],
  async (lab) => {
    const { here } = lab
    const far = await plug(lab)
    await lab.cable([here, 'e1', '10.0.1.1/24'], [far, 'e1', '10.0.1.2/24'])
    const both = await findings({})
    assert.deepEqual(checks(both, 'bad'), [], shown(both))
    assert.match(shown(both), /good route: .* leaves through e0, from 10\.0\.0\.1; e1 only if/)
    doubted(
      await findings({ interfaces: 'e1' }),
      'route',
      /leads through e0, from 10\.0\.0\.1, not e1/,
    )
    here.ip(`route add ${group}/32 dev e1`)
    doubted(await findings({ ...quiet }), 'route', /leads through e1, from 10\.0\.1\.1, not e0/)
    here.ip(`route del ${group}/32 dev e1`)

    const refusing: CreateSocket = (options) => {
      const socket = createSocket(options)
      const join = socket.addMembership.bind(socket)
      socket.addMembership = (group, on) => {
        if (on === '10.0.1.1') throw Object.assign(new Error('ENOBUFS'), { code: 'ENOBUFS' })
        join(group, on)
      }
      return socket
    }
    const partly = await findings({ ...where, createSocket: refusing, networkInterfaces })
    doubted(partly, 'membership', /could not join on e1/)
    assert.match(shown(partly), /good self-test: Datagrams sent through e0 \(/)

    here.ip('addr del 10.0.1.1/24 dev e1', 'addr add 10.0.0.1/24 dev e1')
    for (const wanted of [
      {},
      { interfaces: 'e0' },
      { interfaces: 'e1' },
      { interfaces: '10.0.0.1' },
    ]) {
      const found = await findings(wanted)
      assert.match(shown(found), /good self-test/)
      if (wanted.interfaces === '10.0.0.1') continue
      doubted(found, 'address', /e[01] and e[01] have the same address 10\.0\.0\.1/)
    }
  },
)

scenario('the passive look names what is wrong with the sockets', [], async (lab) => {
  await plug(lab)
  const look = () => findings(quiet)

  // Nobody is there, but on another group: that is no fault, but why nothing arrives.
  const stranger = await bound('239.9.9.9')
  const nobody = await look()
  await closed(stranger)
  doubted(nobody, 'port', /No program holds port/)
  doubted(nobody, 'membership', /No program on this host has joined/)

  const program = await bound('0.0.0.0')
  onlyBad(
    await look(),
    'membership',
    /not even the one that holds the port, bound to 0\.0\.0\.0 \(this process/,
  )
  program.addMembership(group, '10.0.0.1')
  const healthy = await look()
  assert.deepEqual(checks(healthy, 'bad'), [], shown(healthy))
  assert.deepEqual(checks(healthy, 'doubtful'), [], shown(healthy))
  program.dropMembership(group, '10.0.0.1')
  program.addMembership(group, '127.0.0.1')
  onlyBad(await look(), 'membership', /joined on lo, but not on e0/)
  program.dropMembership(group, '127.0.0.1')
  program.addSourceSpecificMembership('10.0.0.9', group, '10.0.0.1')
  const named = /On e0 .* name these senders: 10\.0\.0\.9/
  doubted(await look(), 'source', named)
  // Linux then hides the sources, and more so where something is joined on lo too.
  const others = [await bound('0.0.0.0', 9999), await bound('0.0.0.0', 9999)]
  for (const [at, other] of others.entries()) {
    other.addMembership('239.9.9.9', ['10.0.0.1', '127.0.0.1'][at])
    doubted(await look(), 'source', named)
  }
  await closed(program, ...others)

  const elsewhere = await bound('0.0.0.0', port + 1)
  elsewhere.addMembership(group, '10.0.0.1')
  onlyBad(await look(), 'port', /no socket on port 10010 can hear it/)
  const deaf = await bound('10.0.0.1')
  onlyBad(await look(), 'port', /10\.0\.0\.1 \(this process, \d+\) can hear no multicast/)
  await closed(deaf)
  const meant = await bound(group, port + 2)
  onlyBad(await look(), 'port', /is thrown away\. Sockets bound to the group hold port 10012$/m)
  await closed(elsewhere, meant)

  const alone = await bound('0.0.0.0', port, { reuseAddr: false })
  alone.addMembership(group, '10.0.0.1')
  onlyBad(await look(), 'port', /held by a program that does not share it, bound to 0\.0\.0\.0/)
  await closed(alone)
})

/** A program that hears the group as it should. */
async function hearing(): Promise<Socket> {
  const program = await bound('0.0.0.0')
  program.addMembership(group, '10.0.0.1')
  return program
}

const iptables = (...rules: string[]): void => sh(rules.map((rule) => `iptables ${rule}`).join(';'))

/** What keeps datagrams from being heard, how it is made, and what is found. */
const rows: {
  name: string
  /** Makes it so; what it returns undoes it. */
  make(traffic: Traffic, here: Host): Promise<() => unknown>
  sends?: string[]
  /** What is called bad in a silent network, or `none`. */
  silent: Check | 'none'
  /** What has to be bad, or among what a doubtful finding names, where there is other traffic. */
  noisy: Check | 'none'
}[] = [
  {
    name: 'healthy',
    make: async () => {
      const program = await hearing()
      return () => closed(program)
    },
    silent: 'none',
    noisy: 'none',
  },
  {
    name: 'nobody joined',
    make: async () => {
      const program = await bound('0.0.0.0')
      return () => closed(program)
    },
    silent: 'membership',
    noisy: 'membership',
  },
  {
    name: 'foreign source',
    make: async () => {
      const program = await bound('0.0.0.0')
      program.addSourceSpecificMembership('10.0.0.9', group, '10.0.0.1')
      return () => closed(program)
    },
    silent: 'source',
    noisy: 'source',
  },
  {
    name: 'strict rp_filter',
    make: async () => {
      const program = await hearing()
      // Nothing leads back to 10.0.0.2, but to the neighbour that the rest of the traffic comes from.
      sh('ip route del default; ip route add unreachable 10.0.0.2/32')
      sh('echo 1 > /proc/sys/net/ipv4/conf/e0/rp_filter')
      return async () => {
        sh('echo 0 > /proc/sys/net/ipv4/conf/e0/rp_filter')
        sh('ip route del unreachable 10.0.0.2/32; ip route add default via 10.0.0.2')
        await closed(program)
      }
    },
    silent: 'rp-filter',
    noisy: 'rp-filter',
  },
  {
    name: 'firewall by port',
    make: async () => {
      const program = await hearing()
      iptables(`-A INPUT -p udp --dport ${port} -j DROP`)
      return async () => {
        iptables('-F')
        await closed(program)
      }
    },
    silent: 'firewall',
    noisy: 'firewall',
  },
  {
    name: 'firewall by source',
    make: async () => {
      const program = await hearing()
      iptables(`-A INPUT -s 10.0.0.2 -d ${group} -j DROP`)
      return async () => {
        iptables('-F')
        await closed(program)
      }
    },
    silent: 'firewall',
    noisy: 'firewall',
  },
  {
    name: 'firewall before the routing',
    make: async () => {
      const program = await hearing()
      iptables(`-t raw -A PREROUTING -s 10.0.0.2 -d ${group} -j DROP`)
      return async () => {
        iptables('-t raw -F')
        await closed(program)
      }
    },
    // No counter tells it from a group that is not joined.
    silent: 'none',
    noisy: 'firewall',
  },
  {
    name: 'the sender takes a wrong port',
    make: async () => {
      const program = await hearing()
      return () => closed(program)
    },
    sends: [`udp ${group} ${port + 1}`],
    silent: 'port',
    noisy: 'port',
  },
  {
    name: 'the program takes a wrong port',
    make: async () => {
      const program = await bound('0.0.0.0', port + 1)
      program.addMembership(group, '10.0.0.1')
      return () => closed(program)
    },
    silent: 'port',
    noisy: 'port',
  },
  {
    name: 'sleeping reader',
    make: async (traffic, here) => {
      const script = `const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true })
        socket.bind(${port}, () => {
          socket.addMembership('${group}', '10.0.0.1')
          socket.setRecvBufferSize(1)
          process.send('joined')
        })`
      const stdio: SpawnOptions = { stdio: ['ignore', 2, 2, 'ipc'] }
      const program = here.spawn([process.execPath, '-e', script], stdio)
      await once(program, 'message')
      program.kill('SIGSTOP')
      await traffic.to(...toGroup)
      const drops = /^\s*\d+: \S+:271A .* [1-9]\d*\s*$/m
      await until('some are dropped', () => drops.test(readFileSync('/proc/net/udp', 'utf8')))
      return () => {
        program.kill('SIGKILL')
        return once(program, 'exit')
      }
    },
    silent: 'buffer',
    noisy: 'buffer',
  },
  {
    name: 'nothing arrives',
    make: async () => {
      const program = await hearing()
      return () => closed(program)
    },
    sends: [],
    silent: 'arrival',
    noisy: 'arrival',
  },
]

const toGroup = [`udp ${group} ${port}`]
// One of the other groups is joined here.
const noise = ['udp 10.0.0.1 9998', 'udp 239.9.9.9 9999', 'udp 239.9.9.8 9999', 'tcp 10.0.0.1 9999']

scenario(
  'it names why nothing is heard, in a silent network and in a noisy one',
  ['iptables'],
  async (lab, t) => {
    const far = await plug(lab)
    far.ip('addr add 10.0.0.3/24 dev e0')
    const traffic = await Traffic.from(far, '10.0.0.2')
    const others = await Traffic.from(far, '10.0.0.3')
    const look = () => findings({ ...where, interfaces: 'e0', watch: 400 })
    for (const { name, make, sends = toGroup, silent, noisy } of rows) {
      const undo = await make(traffic, lab.here)
      await traffic.to(...sends)
      await t.test(`${name}, silent`, async () => {
        // Something may still come from what was before: then it is not silent, and it must not be sure.
        let found = await look()
        for (let tries = 0; silent !== 'none' && tries < 3; tries += 1) {
          if (checks(found, 'bad').length > 0) break
          found = await look()
        }
        if (silent === 'none') assert.deepEqual(checks(found, 'bad'), [], shown(found))
        else onlyBad(found, silent)
      })
      await others.to(...noise)
      const stranger = await bound('0.0.0.0', 9999)
      stranger.addMembership('239.9.9.9', '10.0.0.1')
      await t.test(`${name}, noisy`, async () => {
        const found = await look()
        const worst = checks(found, 'bad')
        const isNamed =
          noisy === 'none' ||
          worst.includes(noisy) ||
          found.some(
            ({ check, verdict, seen }) =>
              verdict === 'doubtful' && (check === noisy || seen.includes(`(${noisy})`)),
          )
        assert.ok(isNamed, shown(found))
        assert.deepEqual(
          worst.filter((check) => check !== noisy),
          [],
          shown(found),
        )
      })
      await closed(stranger)
      await others.to()
      await traffic.to()
      await undo()
    }
  },
  120_000,
)

scenario('it takes a live sender, receiver or peer, with what it has counted', [], async (lab) => {
  const far = await plug(lab)
  const traffic = await Traffic.from(far, '10.0.0.2')
  await using receiver = new MulticastReceiver({ ...where, interfaces: 'e0', codec: json() })
  await using peer = new MulticastPeer({ ...where, interfaces: 'e0' })
  await using sender = new MulticastSender({ ...where, interfaces: 'e0', ttl: 3 })
  await using early = new MulticastReceiver({ group, port: 0 })
  assert.throws(() => diagnose(early), { code: 'ERR_MULTICAST_NOT_LISTENING' })
  await Promise.all([receiver.ready(), peer.ready(), sender.ready()])
  peer.on('message', () => {})
  await traffic.to(...toGroup)
  await once(receiver, 'malformed')

  const ofReceiver = await findings(receiver)
  assert.deepEqual(checks(ofReceiver, 'bad'), [], shown(ofReceiver))
  assert.match(shown(ofReceiver), /good arrival: The receiver has counted: sent 0, received [1-9]/)
  doubted(ofReceiver, 'arrival', /could not be decoded/)
  assert.match(
    shown(ofReceiver),
    /good port: port 10010 can be shared with what holds it, bound to 239\.255\.29\.71 \(this/,
  )
  const ofPeer = await findings(peer)
  assert.match(shown(ofPeer), /The peer has counted/)
  assert.deepEqual(checks(ofPeer, 'bad'), [], shown(ofPeer))
  const ofSender = await findings(sender)
  assert.match(shown(ofSender), /The sender has counted/)
  assert.match(shown(ofSender), /good self-test: .* through e0 \(TTL 3\)/)
  assert.ok(!shown(ofSender).includes('No program'))
  await receiver.close()
  doubted(await findings(receiver), 'arrival', /The receiver is closed/)
})

scenario('it looks before it joins or sends, and quiet sends nothing at all', [], async (lab) => {
  await plug(lab)
  const sent = () => {
    const [, numbers = ''] = readFileSync('/proc/net/snmp', 'utf8').match(/^Udp: (\d.*)$/m) ?? []
    return numbers.split(' ')[3]
  }
  const joined = () => readFileSync('/proc/net/igmp', 'utf8')
  const before = [sent(), joined()]
  for await (const { check, seen } of diagnose({ ...where, interfaces: 'e0' })) {
    if (seen.startsWith('The doctor has joined')) break
    assert.deepEqual([sent(), joined()], before, check)
  }
  assert.deepEqual([sent(), joined()], before)
  await findings({ ...quiet, watch: 50 })
  assert.equal(sent(), before[0])
  await findings({ ...where, watch: 50 })
  assert.notEqual(sent(), before[0])
})

scenario('it says of IPv6 what it can, and leaves nothing open', ['ip6tables'], async (lab, t) => {
  const far = lab.host()
  await lab.cable([lab.here, 'e0', 'fd00::1/64', 'fe80::1/64'], [far, 'e0', 'fd00::2/64'])
  const before = openSockets()
  for (const six of ['ff02::1:3%e0', 'ff02::1:3', 'ff15::1:3']) {
    await t.test(six, async () => {
      const found = await findings({ group: six, port, watch: 50 })
      assert.deepEqual(checks(found, 'bad'), [], shown(found))
      assert.match(shown(found), /good self-test: .* through e0 /)
      doubted(found, 'arrival', /no counters here show/)
    })
  }
  const program = await bound('::')
  program.addSourceSpecificMembership('fd00::9', 'ff15::1:3', '::%e0')
  for (const hides of [() => {}, () => program.addMembership('ff15::9', '::%e0')]) {
    hides()
    const found = await findings({ group: 'ff15::1:3', port })
    doubted(found, 'source', /On e0 .* name these senders: fd00::9/)
  }
  await closed(program)
  sh(`ip6tables -A INPUT -p udp --dport ${port} -j DROP`)
  onlyBad(await findings({ group: 'ff15::1:3', port }), 'firewall', /through e0 went out/)
  sh('ip6tables -F')
  for await (const { check } of diagnose({ watch: 60_000 })) if (check === 'self-test') break
  assert.equal(openSockets(), before)
})

scenario('over another carrier it tells what that tells', [], async () => {
  const network = new MockNetwork({ platform: 'linux' })
  const [here, far] = [network.host(), network.host()]
  await using sender = new MulticastSender({ ...where, ...far })
  const timer = setInterval(() => void sender.send('hello').catch(() => {}), 20)
  const found = await findings({ ...where, ...here, watch: 100 })
  clearInterval(timer)
  assert.deepEqual(checks(found, 'bad'), [], shown(found))
  assert.match(shown(found), /good system: This is not the system's own network/)
  assert.match(shown(found), /good self-test/)
  assert.match(shown(found), /good arrival/)
  // Nothing is known of its routes and rules, nor are those of this host.
  const seen = new Set(found.map(({ check }) => check))
  const all: Check[] = ['system', 'interfaces', 'address', 'membership', 'self-test', 'arrival']
  assert.deepEqual([...seen], all)

  const six = { group: 'ff15::1:3', port }
  const bare = network.host({ interfaces: { eth0: { addresses: ['10.0.0.7/24'] } } })
  onlyBad(await findings({ ...six, ...bare }), 'address', /eth0: no IPv6 address$/)
  const mute: CreateSocket = (options) => {
    const socket = here.createSocket(options)
    return Object.assign(socket, { send: (...args: unknown[]) => (args.at(-1) as () => void)() })
  }
  onlyBad(
    await findings({ ...where, ...here, createSocket: mute }),
    'self-test',
    /did not come back/,
  )
  const failing: CreateSocket = (options) => {
    const socket = here.createSocket(options)
    const error = Object.assign(new Error('EPERM'), { code: 'EPERM', remedy: 'pay first' })
    const send = (...args: unknown[]) => (args.at(-1) as (error: Error) => void)(error)
    return Object.assign(socket, { send })
  }
  const refused = await findings({ ...where, ...here, createSocket: failing })
  onlyBad(refused, 'self-test', /could not send through eth0/)
  assert.equal(refused.find(({ verdict }) => verdict === 'bad')?.remedy, 'pay first')
})

scenario('over a carrier that never answers it ends', [], async () => {
  const never = async (members: object): Promise<Finding[]> => {
    const host = new MockNetwork().host()
    const createSocket: CreateSocket = (options) =>
      Object.assign(host.createSocket(options), members)
    return findings({ ...where, ...host, createSocket })
  }
  const [joining, sending] = await Promise.all([
    never({ settled: () => new Promise<void>(() => {}) }),
    never({ send: () => {} }),
  ])
  doubted(joining, 'self-test', /could not join 239\.255\.29\.71: it has taken more than 5000 ms/)
  onlyBad(sending, 'self-test', /could not send through eth0: it has taken more than 5000 ms/)
})

scenario('wrong options throw at once', [], async () => {
  const wrong: [object, string][] = [
    [{ group: '10.0.0.1', port }, 'ERR_MULTICAST_GROUP'],
    [{ group }, 'ERR_MULTICAST_OPTION'],
    [{ port }, 'ERR_MULTICAST_OPTION'],
    [{ group, port: 0 }, 'ERR_MULTICAST_PORT'],
    [{ ttl: 256 }, 'ERR_MULTICAST_TTL'],
    [{ watch: 0 }, 'ERR_MULTICAST_OPTION'],
    [{ watch: Number.NaN }, 'ERR_MULTICAST_OPTION'],
    [{ quiet: 1 }, 'ERR_MULTICAST_OPTION'],
    [{ interfaces: [] }, 'ERR_MULTICAST_INTERFACE'],
    [{ networkInterfaces }, 'ERR_MULTICAST_OPTION'],
    [{ wacht: 100 }, 'ERR_MULTICAST_UNKNOWN_OPTION'],
  ]
  for (const [options, code] of wrong) {
    assert.throws(() => diagnose(options), { code }, JSON.stringify(options))
  }
})

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command on a host, by way of `before`: another that starts it. `flags` are Node's. */
async function command(
  host: Host,
  args: string[],
  before: string[] = [],
  flags: string[] = [],
  onStart = () => {},
): Promise<Ran> {
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
  const child = host.spawn([...before, process.execPath, ...flags, main, 'doctor', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout?.once('data', onStart)
  const texts = [child.stdout, child.stderr].map(async (stream) => {
    let text = ''
    for await (const chunk of stream?.setEncoding('utf8') ?? []) text += chunk
    return text
  })
  const [[status], stdout = '', stderr = ''] = await Promise.all([once(child, 'close'), ...texts])
  return { status, stdout, stderr }
}

const jsonLines = ({ stdout }: Ran): Finding[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

scenario('two doctors tell whether they hear each other', ['iptables'], async (lab, t) => {
  const { here } = lab
  const far = await plug(lab)
  here.ip('addr add 10.0.0.4/24 dev e0')
  // Here nothing to two of the groups is heard from there; and there nothing from 10.0.0.4.
  iptables('-A INPUT -s 10.0.0.2 -d 239.1.1.2 -j DROP', '-A INPUT -s 10.0.0.2 -d 239.1.1.3 -j DROP')
  t.after(() => iptables('-F'))
  far.sysctl('ipv4/conf/e0/rp_filter=1')
  far.ip('route add unreachable 10.0.0.4/32')
  const ways: [string, string, RegExp, RegExp][] = [
    ['239.1.1.1', 'e0', /^good peers: Both ways/, /^good peers: Both ways/],
    ['239.1.1.2', 'e0', /^bad peers: .*is not heard here/, /^bad peers: .*does not hear this one/],
    [
      '239.1.1.3',
      '10.0.0.4',
      /^doubtful peers: No contact in either direction/,
      /^doubtful peers: No contact in either direction/,
    ],
  ]
  await Promise.all(
    ways.map(async ([group, on, seenHere, seenThere]) => {
      const args = [group, `${port}`, '--for', '6500', '--json']
      let begun = (): void => {}
      const started = new Promise<void>((resolve) => {
        begun = resolve
      })
      const there = command(far, args, [], [], begun)
      await started
      const found = await findings({ group, port, interfaces: on, watch: 4500 })
      const lines = jsonLines(await there)
      for (const [one, pattern] of [
        [found, seenHere],
        [lines, seenThere],
      ] as const) {
        const peers = one.filter(({ check }) => check === 'peers')
        assert.match(shown(peers), pattern, shown(one))
        assert.equal(peers.length, 1)
      }
    }),
  )
})

scenario('the command prints a line for each finding, and tells by its status', [], async (lab) => {
  const { here } = lab
  await plug(lab)
  const [plain, lines, bad] = await Promise.all([
    command(here, [group, `${port}`, '--interface', 'e0', '--ttl', '2']),
    command(here, ['--json', '--quiet', '--for', '50']),
    command(here, ['--interface', 'e7']),
  ])
  assert.deepEqual([plain.status, plain.stderr], [0, ''])
  assert.match(plain.stdout, /^✓ interfaces: e0\n/m)
  assert.match(plain.stdout, /^! port: No program holds port 10010\. To do: start the program/m)
  assert.match(plain.stdout, /^✓ self-test: Datagrams sent through e0 \(TTL 2\)/m)
  assert.ok(!plain.stdout.includes('\x1b'))
  assert.equal(lines.status, 1)
  const found = jsonLines(lines)
  onlyBad(found, 'arrival', /In 50 ms nothing arrived/)
  assert.ok(found.every(({ check }) => check !== 'self-test' && check !== 'peers'))
  assert.equal(bad.status, 1)
  assert.match(bad.stdout, /^✗ interfaces: There is no interface e7/m)
})

scenario('the command ends quietly where nobody reads what it prints', [], async (lab) => {
  await plug(lab)
  // The shell tells the status of the first of both.
  const piped = '"$@" | head -1 >/dev/null; echo $PIPESTATUS'
  const { stdout, stderr } = await command(
    lab.here,
    ['--for', '60000'],
    ['bash', '-c', piped, 'sh'],
  )
  assert.deepEqual([stdout, stderr], ['0\n', ''])
})

scenario('the command refuses what it does not understand', [], async ({ here }) => {
  const wrong: [string[], RegExp][] = [
    [['10.0.0.1', '5000'], /group must be a multicast address/],
    [['\x1b[31m', '5000'], /group must be a multicast address.* is '\\x1B\[31m'/],
    [[group], /PORT is missing/],
    [[group, '0'], /PORT must be an integer from 1 to 65535/],
    [[group, 'http'], /PORT must be an integer from 1 to 65535, but is 'http'/],
    [[group, '5000', '\x1b[31m'], /not \\x1B\[31m/],
    [['--ttl', '256'], /--ttl must be an integer from 0 to 255/],
    [['--for', '0'], /--for must be an integer from 1 to 2147483647, but is '0'/],
    [['--interface', ''], /--interface must be/],
    [['--frob'], /Unknown option '--frob': --help lists/],
    [['--json=1'], /does not take an argument/],
  ]
  const all = wrong.map(async ([args, why]) => {
    const { status, stdout, stderr } = await command(here, args)
    assert.deepEqual([status, stdout], [2, ''], args.join(' '))
    assert.match(stderr, why)
    assert.ok(!stderr.includes('\x1b'))
  })
  await Promise.all(all)
  const help = await command(here, ['--help'])
  assert.deepEqual([help.status, help.stdout], [0, `${doctorHelp}\n`])
})

scenario('what it may not read it does not judge', [], async (lab) => {
  const { here } = lab
  await plug(lab)
  // Each with a group of its own, or they would hear and see each other.
  const args = (at: number) => [`239.1.2.${at}`, `${port}`, '--for', '100', '--json']
  const mounted = (mount: string) => ['unshare', '-m', 'sh', '-c', `${mount} && exec "$@"`, 'sh']
  const [plain, none, readOnly, unprivileged] = await Promise.all([
    command(here, args(0)),
    command(here, args(1), mounted('mount -t tmpfs none /proc')),
    command(here, args(2), mounted('mount -o bind,ro /proc /proc')),
    command(here, args(3), ['setpriv', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']),
  ])
  const said = (ran: Ran) => checksOf(jsonLines(ran))
  const checksOf = (found: Finding[]) =>
    found
      .filter(({ check }) => check !== 'arrival')
      .map(({ check, verdict }) => `${verdict} ${check}`)
  for (const ran of [readOnly, unprivileged]) {
    assert.deepEqual([ran.status, ran.stderr], [plain.status, ''])
    assert.deepEqual(said(ran), said(plain))
  }
  const found = jsonLines(none)
  doubted(found, 'system', /\/proc\/net cannot be read here, so these are not checked/)
  assert.match(shown(found), /good self-test/)
  doubted(found, 'arrival', /no counters here show/)
  for (const check of ['port', 'source', 'rp-filter'] as const) {
    assert.ok(!found.some((one) => one.check === check), shown(found))
  }
})

scenario('it tells where Node is not allowed to open sockets', [], async (lab) => {
  await plug(lab)
  const [major = 0] = process.versions.node.split('.').map(Number)
  const permission = major < 24 ? '--experimental-permission' : '--permission'
  const flags = [permission, '--allow-fs-read=*', '--no-warnings']
  const ran = await command(lab.here, [group, `${port}`, '--json'], [], flags)
  assert.equal(ran.stderr, '')
  // Before Node 25 sockets need no permission.
  if (major < 25) assert.deepEqual(checks(jsonLines(ran), 'bad'), [])
  else {
    const bad = jsonLines(ran).filter(({ verdict }) => verdict === 'bad')
    assert.match(shown(bad), /^bad system: Node is not allowed to open sockets$/)
  }
})
