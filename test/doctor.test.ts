import assert from 'node:assert/strict'
import { type ChildProcess, type SpawnOptions, spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Check, type DiagnoseOptions, diagnose, type Finding } from '../src/doctor/index.js'
import { type Host, type Lab, scenario } from './lab.js'

const [group, port] = ['239.255.29.71', 10010]
const where = { group, port }

async function findings(of: Parameters<typeof diagnose>[0]): Promise<Finding[]> {
  const found: Finding[] = []
  for await (const finding of diagnose(of)) found.push(finding)
  return found
}

const shown = (found: readonly Finding[]) =>
  found.map(({ check, verdict, seen }) => `${verdict} ${check}: ${seen}`).join('\n')

/** The checks with that verdict, once each. `system` tells of the machine that the tests run on. */
function checks(found: readonly Finding[], verdict: Finding['verdict']): Check[] {
  const those = found.filter((one) => one.verdict === verdict && one.check !== 'system')
  return [...new Set(those.map(({ check }) => check))]
}

/** Fails unless that is the one thing that is called bad. */
function onlyBad(found: readonly Finding[], check: Check, seen = /./): void {
  assert.deepEqual(checks(found, 'bad'), [check], shown(found))
  const finding = found.find((one) => one.verdict === 'bad')
  assert.match(finding?.seen ?? '', seen)
  assert.ok(finding?.remedy)
}

/** Fails unless that is doubted, and nothing called bad. */
function doubted(found: readonly Finding[], check: Check, seen: RegExp): void {
  assert.deepEqual(checks(found, 'bad'), [], shown(found))
  const those = found.filter((one) => one.verdict === 'doubtful' && one.check === check)
  assert.ok(
    those.some((one) => seen.test(one.seen) && one.remedy),
    shown(found),
  )
}

/** Datagrams from another host, or a few, until it is told to send others. */
class Traffic {
  readonly #child: ChildProcess

  static async from(host: Host, address: string): Promise<Traffic> {
    const program = fileURLToPath(new URL('traffic.js', import.meta.url))
    const child = host.spawn([process.execPath, program, address], {
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    await once(child, 'message')
    return new Traffic(child)
  }

  constructor(child: ChildProcess) {
    this.#child = child
  }

  async to(...targets: string[]): Promise<void> {
    const taken = once(this.#child, 'message')
    this.#child.send(targets)
    await taken
  }
}

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
/** What the kernel has no event for: that an address, a carrier or their loss has got to the table. */
async function until(answer: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !answer(); await new Promise((f) => setTimeout(f, 5))) {
    assert.ok(Date.now() < end)
  }
}
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
  onlyBad(await findings({ interfaces: 'e7' }), 'interfaces', /no interface e7; there are: lo/)

  const far = await plug(lab)
  const healthy = await findings({})
  assert.deepEqual(checks(healthy, 'bad'), [], shown(healthy))
  assert.deepEqual(checks(healthy, 'doubtful'), [], shown(healthy))

  for (const wanted of [{}, { interfaces: 'e0' }]) {
    far.ip('link set e0 down')
    await until(() => !has('e0', '10.')())
    onlyBad(await findings(wanted), 'interfaces', /e0 is up, but has no carrier/)
    here.ip('link set e0 down')
    onlyBad(await findings(wanted), 'interfaces', /e0 is down/)
    here.ip('link set e0 up')
    far.ip('link set e0 up')
    await until(has('e0', '10.'))
  }

  here.ip('addr del 10.0.0.1/24 dev e0')
  onlyBad(await findings({}), 'address', /e0: no IPv4 address/)
  onlyBad(await findings({ interfaces: 'e0' }), 'address', /e0: no IPv4 address/)
  here.ip('addr add 169.254.7.7/16 dev e0')
  doubted(await findings({}), 'address', /e0 has only 169\.254\.7\.7/)
  here.ip('addr del 169.254.7.7/16 dev e0', 'addr add 10.0.0.1/24 dev e0')

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
    assert.match(shown(both), /good route: .* leaves by e0, from 10\.0\.0\.1; e1 only if/)
    doubted(
      await findings({ interfaces: 'e1' }),
      'route',
      /leaves by e0, from 10\.0\.0\.1, not by e1/,
    )
    here.ip(`route add ${group}/32 dev e1`)
    doubted(await findings({ ...quiet }), 'route', /leaves by e1, from 10\.0\.1\.1, not by e0/)
    here.ip(`route del ${group}/32 dev e1`)
    here.ip('addr del 10.0.1.1/24 dev e1', 'addr add 10.0.0.1/24 dev e1')
    doubted(await findings({}), 'address', /e0 and e1 have the same address 10\.0\.0\.1/)
  },
)

scenario('the passive look names what is wrong with the sockets', [], async (lab) => {
  await plug(lab)
  const look = () => findings(quiet)

  // Nobody is there: that is no fault, but why nothing arrives.
  const nobody = await look()
  doubted(nobody, 'port', /No program holds port/)
  doubted(nobody, 'membership', /No program of this host has joined/)

  const program = await bound('0.0.0.0')
  onlyBad(await look(), 'membership', /not even one that holds the port: 0\.0\.0\.0 \(this process/)
  program.addMembership(group, '10.0.0.1')
  const healthy = await look()
  assert.deepEqual(checks(healthy, 'bad'), [], shown(healthy))
  assert.deepEqual(checks(healthy, 'doubtful'), [], shown(healthy))
  program.dropMembership(group, '10.0.0.1')
  program.addMembership(group, '127.0.0.1')
  onlyBad(await look(), 'membership', /joined on lo \(1\), but not on e0/)
  program.dropMembership(group, '127.0.0.1')
  program.addSourceSpecificMembership('10.0.0.9', group, '10.0.0.1')
  doubted(await look(), 'source', /On e0 .* name these senders: 10\.0\.0\.9/)
  await closed(program)

  const elsewhere = await bound('0.0.0.0', port + 1)
  elsewhere.addMembership(group, '10.0.0.1')
  onlyBad(await look(), 'port', /no socket on port 10010 can hear it/)
  const deaf = await bound('10.0.0.1')
  onlyBad(await look(), 'port', /10\.0\.0\.1 \(this process, \d+\) can hear no multicast/)
  await closed(elsewhere, deaf)

  const alone = await bound('0.0.0.0', port, { reuseAddr: false })
  alone.addMembership(group, '10.0.0.1')
  onlyBad(await look(), 'port', /held by a program that does not share it: 0\.0\.0\.0/)
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
      await until(() => drops.test(readFileSync('/proc/net/udp', 'utf8')))
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
const noise = ['udp 10.0.0.1 9999', 'udp 239.9.9.9 9999', 'tcp 10.0.0.1 9999']

scenario(
  'it names why nothing is heard, in a silent network and in a noisy one',
  ['iptables'],
  async (lab, t) => {
    const far = await plug(lab)
    far.ip('addr add 10.0.0.3/24 dev e0')
    const traffic = await Traffic.from(far, '10.0.0.2')
    const others = await Traffic.from(far, '10.0.0.3')
    const look = () => findings({ ...where, interfaces: 'e0', watch: 300 })
    for (const { name, make, sends = toGroup, silent, noisy } of rows) {
      const undo = await make(traffic, lab.here)
      await traffic.to(...sends)
      await t.test(`${name}, silent`, async () => {
        const found = await look()
        if (silent === 'none') assert.deepEqual(checks(found, 'bad'), [], shown(found))
        else onlyBad(found, silent)
      })
      await others.to(...noise)
      await t.test(`${name}, noisy`, async () => {
        const found = await look()
        const worst = checks(found, 'bad')
        const isNamed =
          noisy === 'none' ||
          worst.includes(noisy) ||
          found.some(
            ({ check, verdict, seen }) =>
              verdict === 'doubtful' && (check === noisy || seen.includes(`or (${noisy})`)),
          )
        assert.ok(isNamed, shown(found))
        assert.deepEqual(
          worst.filter((check) => check !== noisy),
          [],
          shown(found),
        )
      })
      await others.to()
      await traffic.to()
      await undo()
    }
  },
  120_000,
)
